//! `deposit`: an invoice that adds money.

use super::{Answer, Hints, Tool, qr, schema};
use crate::api::read;
use crate::api::request::Deposit;
use crate::api::view::DepositView;
use crate::wallet::DepositIntent;

pub(super) fn tool() -> Tool {
    Tool {
        name: "deposit",
        title: "Create a deposit invoice",
        description: "Create a Lightning invoice that adds amount_sats to this wallet once someone pays it. Costs nothing; an unpaid \
              invoice just expires. Give bolt11 to the payer, then call get_deposit with wait_seconds. Fails above the owner's \
              cap for the mint. To receive an ecash token, use receive_token. After a timeout, repeat with the same \
              idempotency_key or call get_deposit.",
        hints: Hints::WRITES,
        input_schema: schema::input::<Deposit>(),
        output_schema: schema::output::<DepositView>(),
        aliases: &[],
        run: |mut job| {
            Box::pin(async move {
                let request = job.read::<Deposit>()?;
                let wallet = job.wallet().await?;
                let wanted = request.qr == Some(true);
                let intent = DepositIntent {
                    amount: read::sats("amount_sats", request.amount_sats)?,
                    mint: read::mint(request.mint.as_deref())?,
                    description: request.description,
                    key: request.idempotency_key,
                };
                let deposit = wallet.deposits().open(job.caller, intent).await?;
                let mut view = DepositView::from(&deposit);
                let drawn = view.bolt11.as_deref().filter(|_| wanted).and_then(qr::invoice);
                let (text, png) = drawn.map(|drawn| (drawn.text, drawn.png)).unzip();
                view.qr_text = text;
                Ok(Answer { png: png.flatten(), ..Answer::of(&view) })
            })
        },
    }
}
