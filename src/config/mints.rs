//! `mints.toml`, parsed and checked.

use serde::Deserialize;
use toml::Spanned;

use super::parse::{Source, TypedSats};
use super::settings::SettingsError;
use crate::model::mint::{MintAddress, TrustedMint};

/// The balance cap of a real mint without its own value, in sats.
pub const DEFAULT_MAX_BALANCE_SATS: u64 = 50_000;

/// The default list of a new wallet.
pub(super) const DEFAULT_TEXT: &str = include_str!("../../mints.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedMints {
    #[serde(default)]
    mint: Vec<TypedMint>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedMint {
    url: Spanned<String>,
    #[serde(default)]
    test: bool,
    max_balance_sats: Option<TypedSats>,
}

/// Parses the list in its order and refuses duplicates.
pub(super) fn read(source: Source<'_>) -> Result<Vec<TrustedMint>, SettingsError> {
    let mut mints: Vec<TrustedMint> = Vec::new();
    for typed in source.typed::<TypedMints>()?.mint {
        let place = Some(typed.url.span());
        let address: MintAddress = typed
            .url
            .get_ref()
            .parse()
            .map_err(|error| source.fault(place.clone(), format!("{error}")))?;
        if mints.iter().any(|mint| mint.address == address) {
            return Err(source.fault(place, "this mint is listed twice"));
        }
        let default = (!typed.test).then_some(DEFAULT_MAX_BALANCE_SATS);
        let max_balance_sats = typed.max_balance_sats.map(|typed| typed.0).or(default);
        mints.push(TrustedMint { address, test: typed.test, max_balance_sats });
    }
    Ok(mints)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<TrustedMint>, SettingsError> {
        read(Source { file: "mints.toml", text })
    }

    #[test]
    fn the_list_of_a_new_wallet_holds_play_money_only() -> Result<(), SettingsError> {
        let mints = of(DEFAULT_TEXT)?;
        assert!(!mints.is_empty() && mints.iter().all(|mint| mint.test));
        let commented: Vec<_> =
            DEFAULT_TEXT.lines().filter_map(|line| line.strip_prefix("# url = \"")).collect();
        assert_eq!(commented.len(), 5);
        assert!(
            commented.iter().all(|url| url.trim_end_matches('"').parse::<MintAddress>().is_ok())
        );
        Ok(())
    }

    #[test]
    fn a_real_mint_has_a_cap_even_where_none_is_typed() -> Result<(), SettingsError> {
        let mints = of(
            "[[mint]]\nurl='https://a.example'\n[[mint]]\nurl='https://b.example'\nmax_balance_sats=7\n[[mint]]\nurl='https://c.example'\ntest=true",
        )?;
        let caps: Vec<_> = mints.iter().map(|mint| mint.max_balance_sats).collect();
        assert_eq!(caps, [Some(DEFAULT_MAX_BALANCE_SATS), Some(7), None]);
        assert_eq!(of(""), Ok(Vec::new()));
        Ok(())
    }

    #[test]
    fn a_fault_names_its_line_and_key() {
        let rows = [
            ("[[mint]]\nurl = 'ftp://a.example'", 2, "url"),
            ("[[mint]]\nurl = 'https://a.example'\n[[mint]]\nurl = 'https://A.example/'", 4, "url"),
            ("[[mint]]\nurl = 'https://a.example'\ntets = true", 3, "tets"),
            ("[[mint]]\nurl = 'https://a.example'\nmax_balance_sats = -1", 3, "max_balance_sats"),
            ("[[mint]]\ntest = true", 1, "url"),
        ];
        for (text, line, key) in rows {
            let fault = of(text).err();
            assert_eq!(
                fault.as_ref().map(|f| (f.line, f.key.as_deref())),
                Some((Some(line), Some(key))),
                "{text}: {fault:?}"
            );
        }
    }
}
