//! `estimate`: what a payment would cost, without making it.

use super::{Answer, Hints, Tool, schema};
use crate::api::read;
use crate::api::request::Estimate;
use crate::api::view::EstimateView;
use crate::model::destination::Destination;
use crate::model::payee::Payee;

pub(super) fn tool() -> Tool {
    Tool {
        name: "estimate",
        title: "Estimate a payment",
        description: "Estimate a payment without making it: its kind and amount, the most it can cost, and whether pay would \
              be allowed. Free, moves nothing; may ask a mint or the payee's server. Not needed before pay: use it when the user wants the \
              price first. Repeat it after a timeout.",
        hints: Hints::READS_OUTSIDE,
        input_schema: schema::input::<Estimate>(),
        output_schema: schema::output::<EstimateView>(),
        aliases: &[],
        run: |mut job| {
            Box::pin(async move {
                let request = job.read::<Estimate>()?;
                let wallet = job.wallet().await?;
                let payee = Payee::recognise(&request.to);
                let destination = match Destination::of(payee.clone(), &request.to) {
                    Err(why) if matches!(payee, Payee::Unknown | Payee::BrokenBolt11(_)) => {
                        return Err(read::not_payable(why));
                    }
                    other => other,
                };
                let amount = read::some_sats("amount_sats", request.amount_sats)?;
                let mint = read::mint(request.mint.as_deref());
                let view = match destination {
                    Ok(destination) => {
                        let named = mint.as_ref().ok().and_then(Option::as_ref);
                        let payments = wallet.payments();
                        let estimated =
                            payments.estimate(job.caller, &destination, amount, named).await?;
                        // What pay would refuse is no error here.
                        EstimateView::new(&payee, estimated, mint.err().map(|error| error.code))
                    }
                    Err(why) => {
                        let code = read::not_payable(why).code;
                        EstimateView::refused(
                            &payee,
                            wallet.reports().money().await?,
                            request.amount_sats,
                            code,
                        )
                    }
                };
                Ok(Answer::of(&view))
            })
        },
    }
}
