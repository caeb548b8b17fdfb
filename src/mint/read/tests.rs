use std::collections::BTreeSet;

use serde_json::json;

use super::*;

fn whole() -> Value {
    json!({
        "name": "Mint", "pubkey": "0249098aa8b9d2fbec49ff8598feb17b592b986e62319a4fa488a3dc36387157a7", "version": "Nutshell/0.21.0",
        "nuts": {
            "4": {"methods": [
                {"method": "bolt12", "unit": "sat"},
                {"method": "bolt11", "unit": "usd", "max_amount": 7},
                {"method": "bolt11", "unit": "sat", "min_amount": 1, "max_amount": 1000, "options": {"description": true}},
            ], "disabled": false},
            "5": {"methods": [{"method": "bolt11", "unit": "sat", "min_amount": 2, "max_amount": 500, "options": {"amountless": false}}]},
            "7": {"supported": true}, "8": {"supported": true}, "9": {"supported": true}, "12": {"supported": true},
            "17": {"supported": [{"method": "bolt11", "unit": "sat", "commands": ["bolt11_mint_quote"]}]},
        },
    })
}

fn read(change: impl FnOnce(&mut Value)) -> MintInfo {
    let mut told = whole();
    change(&mut told);
    info(&told).unwrap()
}

#[test]
fn what_a_mint_says_of_itself_is_read() {
    let range =
        |min, max| MethodInfo { min_sats: Some(min), max_sats: Some(max), ..MethodInfo::default() };
    let said = read(|_| ());
    assert_eq!(said.name.as_deref(), Some("Mint"));
    assert!(said.pubkey.is_some() && said.notifies);
    assert_eq!(said.deposit, Some(MethodInfo { description: Some(true), ..range(1, 1_000) }));
    assert_eq!(said.pay, Some(MethodInfo { amountless: Some(false), ..range(2, 500) }));
    assert_eq!(said.nuts, BTreeSet::from([7, 8, 9, 12]));
}

#[test]
fn a_member_that_cannot_be_read_costs_that_member_alone() {
    let all = read(|_| ());
    let same = [
        json!({"version": "0.16.5"}),
        json!({"version": null, "contact": "me", "time": "noon", "urls": 7, "extra": {"a": []}}),
        json!({"motd": 5, "icon_url": [], "description_long": {}}),
    ];
    for members in same {
        let said = read(|told| {
            members.as_object().unwrap().iter().for_each(|(name, value)| told[name] = value.clone())
        });
        assert_eq!(said, all, "{members}");
    }
    for odd in [
        json!(null),
        json!("x"),
        json!(7),
        json!([]),
        json!({}),
        json!([[]]),
        json!([null, 3]),
        json!({"supported": "maybe"}),
    ] {
        for nut in ["14", "15", "19", "20", "99", "x"] {
            assert_eq!(read(|told| told["nuts"][nut] = odd.clone()), all, "{nut}: {odd}");
        }
        for (nut, number) in [("7", 7), ("8", 8), ("9", 9), ("12", 12)] {
            let nuts: BTreeSet<u8> =
                all.nuts.iter().copied().filter(|one| *one != number).collect();
            assert_eq!(
                read(|told| told["nuts"][nut] = odd.clone()),
                MintInfo { nuts, ..all.clone() },
                "{nut}: {odd}"
            );
        }
        assert_eq!(
            read(|told| told["nuts"]["4"] = odd.clone()),
            MintInfo { deposit: None, ..all.clone() },
            "4: {odd}"
        );
        assert_eq!(
            read(|told| told["nuts"]["5"]["methods"] = odd.clone()),
            MintInfo { pay: None, ..all.clone() },
            "5: {odd}"
        );
        let said = read(|told| told["nuts"]["5"]["methods"][0]["max_amount"] = odd.clone());
        assert_eq!(
            said.pay.unwrap(),
            MethodInfo { max_sats: odd.as_u64(), ..all.pay.unwrap() },
            "max_amount: {odd}"
        );
        let said = read(|told| told["name"] = odd.clone());
        assert_eq!(
            (said.name.as_deref(), said.nuts),
            (odd.as_str(), all.nuts.clone()),
            "name: {odd}"
        );
        assert_eq!(
            read(|told| told["pubkey"] = odd.clone()),
            MintInfo { pubkey: None, ..all.clone() },
            "pubkey: {odd}"
        );
        let said = read(|told| told["nuts"] = odd.clone());
        assert_eq!(
            said,
            MintInfo { name: all.name.clone(), pubkey: all.pubkey.clone(), ..MintInfo::default() },
            "nuts: {odd}"
        );
    }
    for nothing in [json!(null), json!("x"), json!(7), json!([])] {
        assert!(matches!(info(&nothing), Err(MintError::Unreadable(_))), "{nothing}");
    }
}

#[test]
fn methods_as_lists_and_limits_as_texts_are_read() {
    let said = read(|told| {
        told["nuts"]["4"] =
            json!({"methods": [["bolt12", "sat"], ["bolt11", "sat"]], "disabled": false})
    });
    assert_eq!(said.deposit, Some(MethodInfo::default()));
    let said = read(|told| {
        told["nuts"]["5"]["methods"][0] =
            json!({"method": "bolt11", "unit": "sat", "min_amount": "2", "max_amount": "500"})
    });
    assert_eq!(
        said.pay,
        Some(MethodInfo { min_sats: Some(2), max_sats: Some(500), ..MethodInfo::default() })
    );
    assert_eq!(read(|told| told["nuts"]["4"]["disabled"] = json!(true)).deposit, None);
    assert!(read(|told| told["nuts"]["7"]["supported"] = json!("true")).nuts.contains(&7));
    let long = read(|told| told["name"] = json!("é".repeat(5_000)));
    assert_eq!(long.name.unwrap().chars().count(), MAX_NAME);
}

#[test]
fn a_quotes_state_is_read_in_every_form_that_mints_have_used() {
    let rows = [
        (json!({"state": "PAID"}), Some(MintQuoteState::Paid)),
        (json!({"state": "ISSUED", "paid": false}), Some(MintQuoteState::Issued)),
        (json!({"state": null, "paid": true}), Some(MintQuoteState::Paid)),
        (json!({"paid": false}), Some(MintQuoteState::Unpaid)),
        (json!({"amount_paid": 0, "amount_issued": 0}), Some(MintQuoteState::Unpaid)),
        (json!({"amount_paid": 10, "amount_issued": 0}), Some(MintQuoteState::Paid)),
        (json!({"amount_paid": "10", "amount_issued": "10"}), Some(MintQuoteState::Issued)),
        (json!({"state": "BORROWED", "paid": true}), None),
        (json!({}), None),
        (json!({"state": 7}), None),
    ];
    for (mut told, state) in rows {
        told["quote"] = json!("q");
        assert_eq!(mint_quote(&told).unwrap().state, state, "{told}");
    }
    let rows = [
        (json!({"state": "PAID"}), MeltQuoteState::Paid),
        (json!({"paid": true}), MeltQuoteState::Paid),
        (json!({"paid": false, "state": null}), MeltQuoteState::Unpaid),
        (json!({"state": "LENT"}), MeltQuoteState::Unknown),
        (json!({}), MeltQuoteState::Unknown),
    ];
    for (mut told, state) in rows {
        told["quote"] = json!("q");
        assert_eq!(melt_quote(&told).unwrap().state, state, "{told}");
    }
}

#[test]
fn a_quote_needs_its_name_and_nothing_that_is_not_used() {
    for odd in [json!(null), json!(7), json!([]), json!({})] {
        for name in [
            "expiry",
            "unit",
            "request",
            "change",
            "payment_preimage",
            "method",
            "amount_paid",
            "extra",
        ] {
            let mut told = json!({"quote": "q", "amount": "5", "fee_reserve": 1, "state": "UNPAID", "expiry": 9, "request": "lnbc1"});
            told[name] = odd.clone();
            let read = melt_quote(&told).unwrap();
            assert_eq!(
                (read.amount_sats, read.fee_reserve_sats, read.state),
                (Some(5), Some(1), MeltQuoteState::Unpaid),
                "{told}"
            );
            assert_eq!(mint_quote(&told).unwrap().state, Some(MintQuoteState::Unpaid), "{told}");
        }
        let told = json!({"quote": odd, "amount": 5, "fee_reserve": 1});
        assert!(
            matches!(
                (melt_quote(&told), mint_quote(&told)),
                (Err(MintError::Unreadable(_)), Err(MintError::Unreadable(_)))
            ),
            "{told}"
        );
    }
    for nothing in [json!(null), json!([]), json!("x"), json!(3)] {
        assert!(
            melt_quote(&nothing).is_err()
                && mint_quote(&nothing).is_err()
                && keysets(&nothing).is_err()
        );
    }
}

#[test]
fn a_keyset_that_cannot_be_read_is_left_out() {
    let good =
        json!({"id": "009a1f293253e41e", "unit": "sat", "active": true, "input_fee_ppk": 100});
    let list = json!({"keysets": [
        {"id": "9mlfd5vCzgGl", "unit": "sat", "active": false}, good, null, 7, {"id": 3}, {"unit": "sat"},
        {"id": "00ad268c4d1f5826", "unit": "sat", "input_fee_ppk": null, "final_expiry": "soon", "extra": []},
    ]});
    let read = keysets(&list).unwrap();
    assert_eq!(
        read.iter()
            .map(|one| (one.id.to_string(), one.input_fee_ppk, one.active))
            .collect::<Vec<_>>(),
        [("009a1f293253e41e".to_owned(), 100, true), ("00ad268c4d1f5826".to_owned(), 0, true),]
    );
    let id = Id::from_str("009a1f293253e41e").unwrap();
    for odd in [
        json!({}),
        json!({"keysets": []}),
        json!({"keysets": [good]}),
        json!({"keysets": [{"id": "009a1f293253e41e", "unit": "sat", "keys": {"1": "x"}}]}),
    ] {
        assert!(matches!(keys(&odd, id), Err(MintError::Unreadable(_))), "{odd}");
    }
}
