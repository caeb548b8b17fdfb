//! `backup`: shows the words to a person at a terminal, and nowhere else.

use super::{Owner, OwnerError};

impl Owner<'_> {
    pub(super) fn backup(&mut self) -> Result<(), OwnerError> {
        let ask = [
            "This shows the twelve words of this wallet. Who reads them can take its money: nobody and no program should watch.".to_owned(),
            "They are shown on this terminal alone. Write them on paper; do not photograph them or put them into a chat.".to_owned(),
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
            "The words bring back the coins that the mints still know. They do not bring back the history, the limits, or tokens that"
                .to_owned(),
            "nobody has claimed yet as tokens: keep also mints.toml and config.toml of this folder, which hold no secret:".to_owned(),
            format!("  {}", self.home.path().display()),
            "To restore: `nutpurse restore --words`, in an empty folder, with the same mints.toml. Never run two wallets on the same words"
                .to_owned(),
            "unless each was restored by that command: it gives each a device number of its own.".to_owned(),
        ])
    }
}
