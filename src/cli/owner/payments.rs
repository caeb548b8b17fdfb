//! `payments`: what is open and why, a repeat that a person excuses, and what can never end given
//! up. What gives something up asks a person; taking it up again holds money back, and asks
//! nothing.

use clap::Subcommand;

use super::{Owner, OwnerError};
use crate::api::view::to_json;
use crate::cli::render;
use crate::model::id::PaymentId;

/// Commands about payments.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum PaymentsCommand {
    /// Show what is open: payments, received tokens, disputed deposits and nutzaps that reached
    /// nobody, why, and what can be done
    Open,
    /// Allow a payment like this one once more, though its outcome may not have been seen
    AllowRepeat {
        /// The earlier payment
        id: PaymentId,
    },
    /// Give up what can never end, since its mint is gone for good
    GiveUp {
        /// The payment or received token
        id: String,
    },
    /// Have a mint asked again about what was given up
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
        lines.push("It may have been paid. One more payment like it will be allowed, and may pay the same thing twice.".to_owned());
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
            "{id} is open again: its mint is asked from the wallet's next start on."
        )])?;
        self.record(&format!("{id} taken up again"), false)
    }
}
