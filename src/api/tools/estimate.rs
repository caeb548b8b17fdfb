//! `estimate`: the cost of a payment, without making it.

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
        description: "Estimate a payment without making it: kind, amount, the most it can cost, and whether pay would accept it now \
              (verdict; if denied, code is the error). Free; may ask a mint or the payee's server. Give amount_sats if `to` \
              names none. Use it when the user wants the price first; pay does not need it. After a timeout, repeat it.",
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
                        // A refusal by pay is a result here, not an error.
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
