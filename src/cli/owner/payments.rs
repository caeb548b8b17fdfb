//! `payments`: shows what is open and why, allows a repeat, gives up what can never end, and
//! reopens it. Allowing a repeat and giving up need a person's confirmation; reopening only holds
//! money back, and asks nothing.

use clap::Subcommand;

use super::{Owner, OwnerError};
use crate::api::view::to_json;
use crate::cli::render;
use crate::model::id::PaymentId;

/// Commands about payments.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum PaymentsCommand {
    /// Show open payments, received tokens, disputed deposits and undelivered nutzaps, the reason,
    /// and what can be done
    Open,
    /// Allow one more payment like this one, although its caller may not have seen the outcome
    AllowRepeat {
        /// The earlier payment
        id: PaymentId,
    },
    /// Give up a payment or received token whose mint is gone for good
    GiveUp {
        /// The payment or received token
        id: String,
    },
    /// Reopen what was given up, and ask its mint again
    Revive {
        /// The payment or received token
        id: String,
    },
}

impl Owner<'_> {
    pub(super) fn payments(&mut self, command: &PaymentsCommand) -> Result<(), OwnerError> {
        match command {
            PaymentsCommand::Open => {
                let open = self.backend.open().map_err(OwnerError::Backend)?;
                Ok(render::result(&to_json(&open), self.out)?)
            }
            PaymentsCommand::AllowRepeat { id } => self.allow_repeat(id),
            PaymentsCommand::GiveUp { id } => self.give_up(id),
            PaymentsCommand::Revive { id } => self.revive(id),
        }
    }

    fn allow_repeat(&mut self, id: &PaymentId) -> Result<(), OwnerError> {
        let mut lines = self.backend.describe_payment(id).map_err(OwnerError::Backend)?;
        lines.push("It may already have been paid. One more payment like it will be allowed, and may pay for the same thing twice.".to_owned());
        self.confirmation.confirm(&lines)?;
        self.catch_up()?;
        self.backend.allow_repeat(id).map_err(OwnerError::Backend)?;
        self.print(&["One more payment like it is allowed.".to_owned()])?;
        self.record(&format!("repeat of {id} allowed"), true)
    }

    fn give_up(&mut self, id: &str) -> Result<(), OwnerError> {
        let lines = self.backend.may_give_up(id).map_err(OwnerError::Backend)?;
        self.confirmation.confirm(&lines)?;
        self.catch_up()?;
        self.backend.give_up(id).map_err(OwnerError::Backend)?;
        self.print(&[format!("{id} is given up.")])?;
        self.record(&format!("{id} given up"), true)
    }

    fn revive(&mut self, id: &str) -> Result<(), OwnerError> {
        self.catch_up()?;
        self.backend.take_up(id).map_err(OwnerError::Backend)?;
        self.print(&[format!(
            "{id} is open again: its mint will be asked after the wallet's next start."
        )])?;
        self.record(&format!("{id} taken up again"), false)
    }
}
