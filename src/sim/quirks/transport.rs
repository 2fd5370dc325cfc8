//! The part of the list of quirks that is about OAuth, transport, limits and the company's
//! structure: the `T` numbers of b24 transport §7. Data only, like the rest of `quirks`.

use super::Quirk;
use super::missing;
use super::modelled;
use super::partly;

/// The quirks of OAuth, transport, limits and structure.
pub const TRANSPORT: &[Quirk] = &[
    modelled(
        "T1",
        "transport §1.2",
        "authorize page: the card's address, errors and login form with status 200",
        &[
            "consent_redirects_to_the_card_with_six_parameters",
            "consent_errors_stay_on_the_page_with_status_200",
        ],
    ),
    modelled(
        "T2",
        "transport §1.2",
        "six callback parameters, comma as %2C",
        &[
            "consent_redirects_to_the_card_with_six_parameters",
            "consent_without_state_gives_an_empty_state",
        ],
    ),
    modelled(
        "T3",
        "transport §1.4, §1.5",
        "token endpoint: GET, POST form by switch, order of keys, odd scope, absent keys",
        &[
            "exchange_answers_the_keys_in_the_order_of_real_samples",
            "token_response_can_lack_keys_and_list_scopes",
            "post_form_works_only_when_switched_on",
        ],
    ),
    modelled(
        "T4",
        "transport §1.9",
        "errors of the token endpoint",
        &["token_errors_are_those_of_the_table"],
    ),
    modelled(
        "T5",
        "transport §1.6",
        "lifetimes by virtual clock",
        &[
            "code_dies_after_thirty_seconds_and_access_after_an_hour",
            "refresh_token_lives_as_long_as_the_switch_says",
        ],
    ),
    modelled(
        "T6",
        "transport §1.8",
        "stateless and strict rotation",
        &[
            "stateless_rotation_keeps_the_old_pair_alive",
            "strict_rotation_kills_refresh_token_and_sibling",
            "strict_rotation_lets_one_of_many_refreshes_win",
        ],
    ),
    modelled(
        "T7",
        "transport §1.8",
        "answers dropped, cut short, late",
        &[
            "connection_is_reset_before_or_after_acting",
            "truncated_body_stops_under_its_full_length",
            "late_and_slow_answers_arrive_whole",
        ],
    ),
    partly(
        "T8",
        "transport §1.7",
        "layout of tokens, and a short form",
        "the last 16 bytes are another HMAC than the original's",
        &["tokens_carry_their_expiry_in_front"],
    ),
    partly(
        "T9",
        "transport §1.10",
        "cached verdicts on tokens",
        "a change of an application's scopes acts at once",
        &["verdicts_on_tokens_are_cached_good_and_bad"],
    ),
    modelled(
        "T10",
        "transport §2.2",
        "404 before authorization",
        &["unknown_method_is_404_before_authorization"],
    ),
    partly(
        "T11",
        "transport §1.10",
        "errors of authorization with three tables of statuses",
        "codes without a state behind them (METHOD_CONFIRM_*, verification_needed, WRONG_LICENSE and so on) come by Fault::Error",
        &[
            "auth_errors_have_the_code_and_dot_of_the_source",
            "people_who_may_not_are_refused_by_their_own_code",
            "statuses_follow_the_chosen_source",
        ],
    ),
    partly(
        "T12",
        "transport §2.4, §2.5",
        "errors with status 200, empty and numeric codes, no time in errors",
        "no method of the model makes them; they come by Fault::Error and Fault::Body",
        &[
            "error_returned_by_a_handler_has_status_200_and_no_time",
            "refusals_carry_extra_keys_and_any_code",
        ],
    ),
    modelled(
        "T13",
        "transport §2.4, §2.7",
        "next and total lifted out, absent or 0",
        &[
            "next_and_total_are_lifted_out_of_the_result",
            "pages_use_a_true_offset_and_lose_total_beyond_the_end",
        ],
    ),
    modelled(
        "T14",
        "transport §2.7",
        "two styles of pages out of range",
        &[
            "department_pages_round_down_and_start_over_beyond_the_end",
            "pages_use_a_true_offset_and_lose_total_beyond_the_end",
        ],
    ),
    partly(
        "T15",
        "transport §2.4",
        "time block: whole or broken start, operating figures of the cloud only",
        "operating time is what a switch says a call costs, not measured",
        &[
            "integer_start_makes_the_duration_too_long",
            "envelope_has_cloud_figures_and_headers",
            "envelope_of_an_older_self_hosted_portal",
        ],
    ),
    modelled(
        "T16",
        "transport §2.6",
        "batch: PHP's arrays, halt, references, limit, nesting",
        &[
            "commands_run_in_order_and_failed_ones_are_missing",
            "numeric_keys_make_lists_until_one_fails",
            "no_commands_give_five_empty_lists",
            "halt_is_cast_by_php_and_stops_at_the_first_error",
            "only_fifty_commands_run",
            "batch_inside_a_batch_is_refused_and_other_types_skipped",
            "missing_scope_inside_a_batch_has_no_text",
            "references_are_filled_in_and_dead_ones_passed_as_text",
        ],
    ),
    partly(
        "T17",
        "transport §2.1",
        "addresses, places of the credential, forms and JSON, case of names",
        "XML answers and INTERNAL_WRONG_TRANSPORT, which no client of ours asks for",
        &[
            "every_form_of_address_leads_to_the_method",
            "credentials_are_found_in_every_place",
            "bearer_header_can_be_lost_on_the_way",
            "invalid_json_or_wrong_type_is_no_parameters_at_all",
            "form_fields_have_the_names_php_gives_them",
        ],
    ),
    modelled(
        "T18",
        "transport §3.1",
        "leaky bucket, JSON or a page",
        &[
            "bucket_refuses_beyond_its_threshold_and_leaks",
            "refused_requests_can_fill_the_bucket",
            "refusal_can_be_a_page_of_nginx",
        ],
    ),
    modelled(
        "T19",
        "transport §3.2",
        "operating time by client and method",
        &[
            "operating_time_blocks_one_method_of_one_client",
            "calls_up_to_a_tenth_of_a_second_are_not_counted",
            "blocked_method_is_an_error_of_its_command_only",
        ],
    ),
    partly(
        "T20",
        "transport §2.3",
        "escaped JSON",
        "keys inside a result are in alphabetical order, not the portal's",
        &["json_is_escaped_as_php_does", "json_text_is_escaped"],
    ),
    modelled(
        "T21",
        "transport §1.12",
        "change of address",
        &[
            "renamed_portal_redirects_and_refresh_tells_the_new_address",
            "answers_are_replaced_by_what_no_client_wants",
        ],
    ),
    modelled(
        "T22",
        "transport §5",
        "pages, empty and broken bodies, resets",
        &[
            "answers_are_replaced_by_what_no_client_wants",
            "connection_is_reset_before_or_after_acting",
        ],
    ),
    modelled(
        "T23",
        "transport §4.1",
        "department.get",
        &[
            "departments_have_string_ids_and_a_root_without_parent",
            "departments_come_in_tree_order_without_inactive_branches",
            "department_filters_work_in_capitals_only",
            "departments_change_vanish_and_keep_a_head_who_left",
        ],
    ),
    modelled(
        "T24",
        "transport §4.2",
        "user.get and user.current",
        &[
            "fields_have_the_odd_types_of_the_portal",
            "bots_and_other_strangers_are_never_returned",
            "who_sees_whom_depends_on_the_caller",
            "filters_take_any_case_operators_and_ignore_unknown_fields",
            "changes_of_people_show_at_the_next_look",
            "outsiders_say_so_in_their_type",
        ],
    ),
    modelled(
        "T25",
        "transport §4.3",
        "im.user.get and im.user.list.get",
        &[
            "im_user_has_false_where_a_date_is_missing",
            "im_user_errors_have_their_codes",
            "im_user_list_is_keyed_by_id_with_null_for_unknown",
        ],
    ),
    missing(
        "T26",
        "transport §4.4",
        "im.department.*",
        "the connector reads department.get instead",
    ),
    modelled(
        "T27",
        "transport §1.12",
        "dismissal of a user, deletion of the application, another secret, revoked tokens",
        &[
            "dismissed_user_is_inactive_everywhere",
            "deleted_application_is_unknown_to_both_servers",
            "revoked_tokens_are_refused_once_the_kept_verdict_is_over",
            "regenerated_secret_makes_the_old_one_a_wrong_one",
            "refresh_of_a_dismissed_user_follows_the_switch",
        ],
    ),
    partly(
        "T28",
        "transport §1.16",
        "webhooks",
        "no method of the model needs an application",
        &[
            "webhook_acts_without_token_and_application",
            "webhook_ends_on_its_date",
            "operating_time_blocks_one_method_of_one_client",
        ],
    ),
    partly(
        "T29",
        "transport §2.8",
        "a v3 method on the old address is unknown",
        "the v3 address itself, which the connector never calls; its errors come by Fault::Body",
        &["unknown_method_is_404_before_authorization"],
    ),
    partly(
        "T30",
        "transport §1.10, §1.12",
        "modes of the whole portal",
        "the page that a closed site shows to who wants to consent is a guess",
        &[
            "whole_portal_modes_refuse_with_their_codes",
            "licence_over_stops_tokens_and_consent",
            "portal_cut_off_from_the_authorization_server_gives_no_code",
        ],
    ),
];
