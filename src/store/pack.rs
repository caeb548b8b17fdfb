//! Packs the JSON of rows that are kept for ever (payments, deposits, received tokens, deletions)
//! into about half its length. A piece of JSON that most rows share becomes two bytes, its number
//! in a fixed list, and a run of hex becomes the bytes it stands for. Unpacking gives the same JSON
//! back, byte for byte.

use cdk_common::util::hex;

/// This byte begins an entry: the next byte is the entry's number in [`DICTIONARY`]. JSON text
/// never contains the byte.
const ENTRY: u8 = 1;
/// This byte begins a run of bytes that were hex: the next byte counts them. JSON text never
/// contains the byte.
const HEX: u8 = 2;
/// The shortest run of hex that is packed, and the longest that one byte can count, in letters.
const SHORTEST: usize = 16;
const LONGEST: usize = 510;

/// First bytes of the entries, so that the packer looks nowhere else.
const BEGINNINGS: [u8; 2] = [b'{', b','];
/// The position of an entry is part of the file format: entries may be added at the end, and none
/// may move or change.
const DICTIONARY: &[&str] = &[
    r#"{"id":"pay_"#,
    r#"{"id":"dep_"#,
    r#"{"id":"rcv_"#,
    r#","agent":""#,
    r#","kind":"payment","key":""#,
    r#","kind":"payment","key":null,"request_digest":""#,
    r#","kind":"token_sent","key":""#,
    r#","kind":"token_sent","key":null,"request_digest":""#,
    r#","kind":"zap","key":""#,
    r#","key":""#,
    r#","key":null,"request_digest":""#,
    r#","request_digest":""#,
    r#","payment_hash":""#,
    r#","payment_hash":null,"payee":""#,
    r#","payee":""#,
    r#","shown_payee":""#,
    r#","shown_payee":null,"note":""#,
    r#","shown_payee":null,"note":null,"note_is_untrusted":false,"mint":"https://"#,
    r#","note":""#,
    r#","note":null,"note_is_untrusted":false,"mint":"https://"#,
    r#","note_is_untrusted":true,"mint":"https://"#,
    r#","note_is_untrusted":false,"mint":"https://"#,
    r#","mint":"https://"#,
    r#","money":"play","quote_id":""#,
    r#","money":"real","quote_id":""#,
    r#","money":"play","quote_id":null,"amount_sats":"#,
    r#","money":"real","quote_id":null,"amount_sats":"#,
    r#","money":"play","amount_sats":"#,
    r#","money":"real","amount_sats":"#,
    r#","amount_sats":"#,
    r#","reserved_sats":"#,
    r#","created_at":"#,
    r#","attempt":1,"repeat_of":null,"caller_in_doubt":false,"state":"settled","at":"#,
    r#","attempt":1,"repeat_of":null,"caller_in_doubt":false,"state":"failed","at":"#,
    r#","attempt":"#,
    r#","repeat_of":null,"caller_in_doubt":false,"state":"settled","at":"#,
    r#","caller_in_doubt":false,"state":"settled","at":"#,
    r#","caller_in_doubt":true,"state":"settled","at":"#,
    r#","state":"settled","at":"#,
    r#","state":"failed","at":"#,
    r#","state":"returned","at":"#,
    r#","state":"received","at":"#,
    r#","state":"refused","at":"#,
    r#","state":"unpaid"}"#,
    r#","state":"expired"}"#,
    r#","failure":{"code":""#,
    r#","untrusted_reason":"#,
    r#","fee_sats":"#,
    r#","preimage":""#,
    r#","preimage":null,"claimed":false}"#,
    r#","preimage":null,"claimed":true}"#,
    r#","claimed":false}"#,
    r#","reclaimed_sats":"#,
    r#","lock":"#,
    r#","bolt11":"lnbc"#,
    r#","description":""#,
    r#","description":null,"created_at":"#,
    r#","expires_at":"#,
    r#","received_sats":"#,
    r#","token_digest":""#,
    r#","untrusted_memo":null,"created_at":"#,
];

/// Returns the longest entry that `rest` begins with: its number and its length.
fn entry(rest: &[u8]) -> Option<(u8, usize)> {
    rest.first().filter(|first| BEGINNINGS.contains(first))?;
    let here = (0_u8..).zip(DICTIONARY).filter(|(_, entry)| rest.starts_with(entry.as_bytes()));
    here.map(|(number, entry)| (number, entry.len())).max_by_key(|(_, length)| *length)
}

/// Returns the bytes of the hex run that `rest` begins with, if it is long enough.
fn raw(rest: &[u8]) -> Option<Vec<u8>> {
    let length = rest
        .iter()
        .take(LONGEST)
        .take_while(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        .count()
        & !1;
    let text = rest.get(..length).filter(|_| length >= SHORTEST)?;
    hex::decode(std::str::from_utf8(text).ok()?).ok()
}
pub(super) fn pack(json: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some(first) = rest.first() {
        let length = if let Some((number, length)) = entry(rest) {
            packed.extend([ENTRY, number]);
            length
        } else if let Some(bytes) = raw(rest) {
            packed.extend([HEX, u8::try_from(bytes.len()).unwrap_or(u8::MAX)]);
            packed.extend(&bytes);
            bytes.len().saturating_mul(2)
        } else {
            packed.push(*first);
            1
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    packed
}

/// Unpacks the output of [`pack`]. `None` if the bytes cannot be unpacked.
pub(super) fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let mut json = Vec::with_capacity(packed.len().saturating_mul(2));
    let mut rest = packed;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if !matches!(*first, ENTRY | HEX) {
            json.push(*first);
            continue;
        }
        let (number, after) = rest.split_first()?;
        rest = after;
        if *first == ENTRY {
            json.extend(DICTIONARY.get(usize::from(*number))?.as_bytes());
        } else {
            let (bytes, after) = rest.split_at_checked(usize::from(*number))?;
            json.extend(hex::encode(bytes).as_bytes());
            rest = after;
        }
    }
    Some(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_as_it_was() {
        let hash = "0123456789abcdef".repeat(40);
        let texts = [
            String::new(),
            r#"{"id":"pay_","agent":"a","kind":"payment","key":null}"#.to_owned(),
            format!(r#"{{"payment_hash":"{hash}","note":"\u0001\u0002{}0"}}"#, hash.to_uppercase()),
            format!(r#"{{"odd":"{}","amount_sats":{}}}"#, "a".repeat(17), u64::MAX),
            "Grüße, \u{1F600}".to_owned(),
            DICTIONARY.concat(),
        ];
        for text in texts {
            assert_eq!(unpack(&pack(text.as_bytes())).as_deref(), Some(text.as_bytes()), "{text}");
        }
        assert!(pack(hash.as_bytes()).len() < hash.len() / 2 + 10);
        assert!(
            DICTIONARY.iter().all(|entry| BEGINNINGS.contains(&entry.as_bytes()[0]))
                && DICTIONARY.len() <= 256
        );
    }

    #[test]
    fn what_is_cut_is_no_row() {
        for cut in [&[ENTRY][..], &[ENTRY, 255], &[HEX], &[HEX, 2, 7]] {
            assert_eq!(unpack(cut), None);
        }
    }
}
