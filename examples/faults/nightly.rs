//! The rows that `.ci/run` leaves to `just nightly`, each with the tests that show the same with
//! every `cargo test`.
//!
//! A test is named by its file, below `tests/it` or from the root where it begins with `src/`, and
//! its function; `tests/it/house.rs` looks whether it is there. A row without a test takes long.

/// (row, tests)
pub(crate) const ROWS: &[(&str, &[&str])] = &[
    ("F-005", &[]),
    ("F-006", &[]),
    (
        "F-016",
        &[
            "locked.rs::a_token_whose_swap_was_not_answered_is_good_exactly_once",
            "locked.rs::a_locked_token_whose_swap_was_not_answered_is_there_exactly_once",
            "locked.rs::a_receipt_whose_swap_was_not_answered_is_recovered",
            "locked.rs::a_token_taken_back_without_an_answer_is_pending_until_it_is_back",
        ],
    ),
    (
        "F-018",
        &[
            "kill.rs::a_wallet_killed_in_a_deposit_has_all_of_it_afterwards",
            "lies.rs::a_deposit_with_wrong_signatures_is_not_received_and_comes_in_when_they_are_right",
        ],
    ),
    (
        "F-019",
        &[
            "kill.rs::a_wallet_killed_in_a_deposit_has_all_of_it_afterwards",
            "kill.rs::a_wallet_killed_in_a_payment_has_paid_once_or_can_pay_again",
        ],
    ),
    (
        "F-020",
        &[
            "locked.rs::a_swap_that_never_reached_the_mint_is_made_later",
            "rotated.rs::a_deposit_whose_claim_was_lost_before_its_keyset_went_out_of_use_is_received",
            "kill.rs::a_wallet_killed_in_a_deposit_has_all_of_it_afterwards",
            "kill.rs::a_wallet_killed_in_a_payment_has_paid_once_or_can_pay_again",
        ],
    ),
    ("F-021", &[]),
    ("F-022", &[]),
    ("F-024", &["src/net/tests/rate_limit.rs::a_429_pauses_its_origin_alone"]),
    ("F-026", &[]),
    ("F-027", &[]),
    ("F-028", &[]),
    ("F-029", &[]),
    (
        "F-038",
        &[
            "lies.rs::a_deposit_with_wrong_signatures_is_not_received_and_comes_in_when_they_are_right",
            "lies.rs::a_token_made_with_wrong_signatures_is_not_handed_out_until_they_are_right",
            "lies.rs::a_token_taken_in_with_wrong_signatures_is_ours_when_they_are_right",
            "lies.rs::wrong_change_makes_no_coins_and_a_payment_stays_paid",
        ],
    ),
    (
        "F-041",
        &[
            "locked.rs::a_rotated_keyset_stops_no_verb_for_good",
            "rotated.rs::a_deposit_whose_claim_was_lost_before_its_keyset_went_out_of_use_is_received",
            "lnurl.rs::a_keyset_that_went_out_of_use_costs_no_second_invoice",
        ],
    ),
    (
        "F-047",
        &[
            "lies.rs::signatures_given_again_count_only_when_they_are_all_of_ours",
            "lies.rs::an_empty_answer_about_our_own_swap_loses_nothing",
        ],
    ),
    ("F-050", &["pay.rs::thirty_different_invoices_in_parallel_all_settle"]),
    (
        "F-051",
        &[
            "pay.rs::fifty_pays_of_one_invoice_are_one_payment",
            "repeats.rs::a_held_payment_is_not_paid_again_whatever_the_key",
        ],
    ),
    ("F-052", &[]),
    (
        "F-053",
        &[
            "daemon/sharing.rs::ten_copies_at_once_all_serve_and_one_process_holds_the_store",
            "daemon/sharing.rs::probes_notices_first_and_double_starts_work_and_end_well",
        ],
    ),
    (
        "F-054",
        &[
            "daemon/failover.rs::a_killed_daemon_is_told_at_once_paid_at_most_once_and_known_later",
            "daemon/failover.rs::the_end_of_the_shim_that_started_the_daemon_is_noticed_by_nobody",
        ],
    ),
    (
        "F-055",
        &[
            "daemon/access.rs::what_lies_in_the_sockets_place_is_left_alone_and_said",
            "daemon/access.rs::a_lock_file_that_names_somebody_else_means_nothing_and_nobody_is_signalled",
            "src/daemon/socket.rs::a_link_to_a_socket_is_no_socket",
            "src/daemon/socket.rs::a_folder_may_have_a_long_path",
        ],
    ),
    (
        "F-057",
        &[
            "nostr/storm.rs::two_devices_that_pay_at_once_lose_nothing_and_agree_after_two_syncs",
            "nostr/devices.rs::a_payment_whose_coins_another_device_took_before_it_was_sent_ends_as_failed",
            "nostr/devices.rs::a_payment_that_was_lost_and_whose_coins_another_device_took_ends_as_not_made",
        ],
    ),
    ("F-059", &[]),
    ("F-060", &[]),
    ("F-061", &[]),
    (
        "F-063",
        &[
            "damage.rs::a_damaged_file_is_said_and_its_copy_and_the_mint_bring_all_back",
            "damage.rs::what_is_no_wallet_file_is_said_so",
            "src/store/tests/damage.rs::four_kibibytes_turned_over_or_overwritten_anywhere_are_found_or_harmless",
            "src/store/tests/damage.rs::a_file_cut_at_any_page_is_found",
        ],
    ),
    ("F-064", &["damage.rs::a_file_that_is_gone_beside_its_keys_is_never_made_anew"]),
    (
        "F-065",
        &[
            "damage.rs::a_file_put_back_by_hand_shows_no_coin_that_is_spent",
            "damage.rs::a_payment_a_token_and_a_deposit_that_were_open_in_an_older_file_are_ended_by_the_mints_word",
        ],
    ),
    ("F-068", &[]),
    (
        "F-070",
        &[
            "nostr/trouble.rs::what_a_relay_has_forgotten_is_brought_back_to_it",
            "nostr/trouble.rs::one_relay_that_has_forgotten_gets_it_back_while_another_is_away",
        ],
    ),
    (
        "F-071",
        &[
            "relays.rs::what_a_relay_says_to_an_event_is_told_apart",
            "nostr/trouble.rs::a_relay_that_takes_no_event_of_even_one_coin_is_owed_them_until_it_does",
            "nostr/trouble.rs::a_relay_that_takes_small_events_alone_gets_small_ones_before_it_deletes",
            "nostr/trouble.rs::a_relay_that_wants_to_know_who_we_are_is_told_and_one_that_is_never_satisfied_is_named",
        ],
    ),
    (
        "F-072",
        &["nostr/shown.rs::old_and_deleted_events_shown_again_in_any_order_bring_nothing_back"],
    ),
    ("F-073", &[]),
    (
        "F-074",
        &[
            "nostr/shown.rs::what_is_forged_foreign_or_sealed_to_others_counts_for_nothing_and_is_left_alone",
            "relays.rs::what_is_forged_or_was_not_asked_for_is_passed_over",
            "src/nostr/tests/strangers.rs::a_forged_event_is_none",
        ],
    ),
    ("F-075", &["nostr/keys.rs::keys_outlive_wallet_events_that_do_not_have_them"]),
    (
        "F-076",
        &[
            "nostr/unsound.rs::one_bad_coin_spoils_neither_its_siblings_nor_the_balance",
            "nostr/shown.rs::what_is_forged_foreign_or_sealed_to_others_counts_for_nothing_and_is_left_alone",
            "src/nostr/tests/strangers.rs::no_reader_panics",
        ],
    ),
    (
        "F-077",
        &[
            "nostr/hostile.rs::a_nutzap_that_is_not_ours_alone_costs_no_request_and_no_sat",
            "nostr/hostile.rs::a_coin_in_two_nutzaps_is_credited_once",
        ],
    ),
    ("F-078", &[]),
    ("F-079", &[]),
    (
        "F-080",
        &["nostr/trouble.rs::twenty_payments_and_a_crash_while_all_relays_are_down_are_told_later"],
    ),
    ("F-081", &[]),
    ("F-082", &["nostr/canary.rs::relays_are_told_nothing_in_clear_over_a_wallets_whole_life"]),
    (
        "F-098",
        &[
            "bad_input.rs::what_is_no_payable_invoice_is_refused_by_name",
            "money.rs::real_money_pays_the_main_network_alone_and_play_money_any",
            "src/model/invoice/tests.rs::nobody_is_owed_nothing_or_more_than_there_is",
            "src/model/invoice/tests.rs::every_way_of_writing_it_is_the_same_invoice",
        ],
    ),
    (
        "F-099",
        &[
            "repeats.rs::a_held_payment_is_not_paid_again_whatever_the_key",
            "pay.rs::an_invoice_is_paid_with_a_receipt_and_a_second_call_is_a_replay",
            "kill.rs::a_wallet_killed_in_a_payment_has_paid_once_or_can_pay_again",
        ],
    ),
    (
        "F-100",
        &["money.rs::money_moves_from_mint_to_mint_and_an_own_invoice_has_the_mints_word_alone"],
    ),
    (
        "F-101",
        &[
            "lying_payees.rs::a_hostile_invoice_is_refused",
            "src/model/lnurl/answer/tests.rs::an_invoice_is_the_one_that_was_asked_for",
        ],
    ),
    (
        "F-102",
        &[
            "lying_payees.rs::a_hostile_first_answer_is_refused",
            "lying_payees.rs::a_hostile_invoice_is_refused",
            "src/model/lnurl/callback.rs::a_callback_stays_where_the_address_is",
        ],
    ),
    (
        "F-103",
        &[
            "lying_payees.rs::a_hostile_first_answer_is_refused",
            "lying_payees.rs::an_invoice_that_does_not_say_what_for_is_paid_with_a_warning",
            "lying_payees.rs::real_money_pays_no_invoice_of_a_test_network",
            "lying_payees.rs::an_invoice_given_twice_is_paid_once",
        ],
    ),
    (
        "F-104",
        &[
            "lnurl.rs::what_is_denied_is_denied_before_anybody_is_asked",
            "src/net/url_policy/tests.rs::every_way_of_writing_a_near_address_is_refused",
            "src/net/tests.rs::a_private_address_hears_nothing",
        ],
    ),
    ("F-105", &[]),
    (
        "F-108",
        &[
            "limits.rs::forty_payments_in_parallel_never_pass_the_limit_of_a_day",
            "limits.rs::tokens_count_against_the_day_and_taking_one_back_gives_nothing_back",
            "src/store/tests/door.rs::of_many_at_once_only_what_fits_the_limit_is_admitted",
        ],
    ),
    (
        "F-110",
        &[
            "limits.rs::a_definite_failure_gives_its_reserve_back_once",
            "limits.rs::forty_payments_in_parallel_never_pass_the_limit_of_a_day",
        ],
    ),
    (
        "F-114",
        &[
            "limits.rs::forty_payments_in_parallel_never_pass_the_limit_of_a_day",
            "limits.rs::tokens_count_against_the_day_and_taking_one_back_gives_nothing_back",
            "src/policy/decide/tests.rs::no_sequence_passes_the_days_limit",
        ],
    ),
    (
        "F-115",
        &[
            "strangers.rs::no_tool_says_a_strangers_words_as_its_own",
            "strangers.rs::no_session_resource_or_note_says_them_either",
            "bad_input.rs::parameters_that_cannot_be_read_are_refused_by_every_tool",
        ],
    ),
    ("F-117", &["repeats.rs::a_key_names_one_request_and_a_payment_can_be_found_by_all_its_names"]),
    (
        "F-118",
        &[
            "repeats.rs::a_caller_who_waits_is_answered_pending_in_time_and_then_stands_in_doubt",
            "repeats.rs::a_held_payment_is_not_paid_again_whatever_the_key",
            "repeats.rs::a_second_equal_token_is_made_only_on_purpose",
            "confirm.rs::only_a_person_allows_a_payment_like_one_whose_outcome_nobody_saw",
        ],
    ),
    ("F-121", &["bad_tokens.rs::tokens_that_are_none_or_of_strangers_contact_nobody"]),
    (
        "F-122",
        &[
            "bad_input.rs::amounts_that_are_none_are_refused_by_every_tool",
            "tools.rs::arguments_are_checked_before_the_wallet_is_opened",
            "tools.rs::good_arguments_reach_the_wallet",
            "lines.rs::no_line_ends_a_session",
        ],
    ),
    (
        "F-124",
        &[
            "bad_tokens.rs::tokens_that_are_none_or_of_strangers_contact_nobody",
            "bad_tokens.rs::coins_that_a_trusted_mint_does_not_know_are_refused_by_it",
            "bad_tokens.rs::a_token_is_taken_once_and_a_locked_one_by_its_owner_alone",
            "corpus.rs::every_token_of_the_corpus_is_read_or_refused",
        ],
    ),
    (
        "F-125",
        &[
            "bad_input.rs::parameters_that_cannot_be_read_are_refused_by_every_tool",
            "corpus.rs::every_call_of_the_corpus_is_answered_with_a_result_or_a_code",
        ],
    ),
    (
        "F-133",
        &[
            "src/config/keyring.rs::a_keyring_that_hangs_or_dies_does_not_answer",
            "src/config/keys/tests.rs::without_a_keyring_they_lie_in_a_file_and_are_never_made_twice",
        ],
    ),
    (
        "F-144",
        &[
            "restore.rs::a_lost_machine_is_made_again_from_its_words",
            "restore.rs::coins_beyond_a_gap_are_found_and_a_second_restore_finds_nothing_new",
            "restore.rs::ten_thousand_counters_are_asked_in_seconds",
        ],
    ),
];

/// The tests beside which a row is run by night only. `None`: it is run with every change.
pub(crate) fn beside(id: &str) -> Option<&'static [&'static str]> {
    ROWS.iter().find(|(row, _)| *row == id).map(|(_, tests)| *tests)
}
