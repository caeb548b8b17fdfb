//! `backup`: shows the mnemonic to a person at a terminal, and nowhere else.

use super::{Owner, OwnerError};

impl Owner<'_> {
    pub(super) fn backup(&mut self) -> Result<(), OwnerError> {
        let ask = [
            "This shows the twelve words of this wallet. Anyone who sees them can take its money: make sure that no person or program is watching.".to_owned(),
            "They are shown only on this terminal. Write them on paper; do not photograph them or paste them into a chat.".to_owned(),
        ];
        self.confirmation.confirm(&ask)?;
        let words = self.backend.words().map_err(OwnerError::Backend)?;
        let mut lines = vec![String::new()];
        for (at, word) in words.reveal().split(' ').enumerate() {
            lines.push(format!("  {:>2}. {word}", at.saturating_add(1)));
        }
        lines.push(String::new());
        self.confirmation.show(&lines)?;
        self.backend.mark_backed_up().map_err(OwnerError::Backend)?;
        self.print(&[
            "The words restore the coins that the mints still know. They do not restore the history, the limits or the text of"
                .to_owned(),
            "unclaimed tokens. Also keep mints.toml and config.toml from this folder, which contain no secrets:".to_owned(),
            format!("  {}", self.home.path().display()),
            "To restore: `nutpurse restore --words` in an empty folder with the same mints.toml. Never run two wallets on the same words"
                .to_owned(),
            "unless each was restored with that command, which gives each its own device number.".to_owned(),
        ])
    }
}
