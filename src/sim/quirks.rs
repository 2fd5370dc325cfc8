//! **The** list of the reference's quirks and of what became of each in the model: modelled, with
//! the tests that hold it to that, or left out, with the reason. `T` numbers are those of b24
//! transport §7, `Q` numbers those of b24 messenger §15. Data only; the test `quirks` checks that
//! no number is missing and that every test named here exists.

mod transport;

pub use transport::TRANSPORT;

/// What became of a quirk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The model does it.
    Modelled,
    /// The model does it but for this.
    Partly(&'static str),
    /// The model does not do it, for this reason.
    Missing(&'static str),
}

/// One numbered quirk.
#[derive(Clone, Copy, Debug)]
pub struct Quirk {
    /// Its number in the reference.
    pub id: &'static str,
    /// Where the reference describes it.
    pub source: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// See [`Standing`].
    pub standing: Standing,
    /// Names of the tests that would fail without it.
    pub tests: &'static [&'static str],
}

const fn modelled(
    id: &'static str,
    source: &'static str,
    about: &'static str,
    tests: &'static [&'static str],
) -> Quirk {
    Quirk { id, source, about, standing: Standing::Modelled, tests }
}

const fn partly(
    id: &'static str,
    source: &'static str,
    about: &'static str,
    lacks: &'static str,
    tests: &'static [&'static str],
) -> Quirk {
    Quirk { id, source, about, standing: Standing::Partly(lacks), tests }
}

const fn missing(
    id: &'static str,
    source: &'static str,
    about: &'static str,
    why: &'static str,
) -> Quirk {
    Quirk { id, source, about, standing: Standing::Missing(why), tests: &[] }
}

/// The quirks of the messenger.
pub const MESSENGER: &[Quirk] = &[
    modelled(
        "Q1",
        "messenger §3.2",
        "event ids of one table, rows and subscription of a user",
        &[
            "ids_are_of_one_table_with_gaps",
            "subscription_and_rows_are_the_users_and_not_the_applications",
            "other_applications_take_events_and_the_subscription_away",
        ],
    ),
    modelled(
        "Q2",
        "messenger §3.2",
        "destructive offsets, clamped limit, hasMore, nextOffset",
        &[
            "offset_deletes_what_lies_before_it_and_zero_deletes_nothing",
            "page_is_clamped_and_a_full_one_promises_more",
            "payload_can_have_the_documented_shapes",
        ],
    ),
    modelled(
        "Q2a",
        "messenger §3.2",
        "counter of ids that starts again",
        &["counter_that_starts_again_lets_an_old_offset_delete_new_events"],
    ),
    modelled(
        "Q3",
        "messenger §3.2",
        "memory of nothing, a day's retention, unsubscribing",
        &[
            "no_events_is_remembered_and_can_hide_one_for_a_minute",
            "rows_live_for_a_day",
            "unsubscribing_deletes_what_is_pending_or_keeps_it_as_documented",
            "nothing_is_written_for_who_is_not_subscribed",
        ],
    ),
    modelled(
        "Q4",
        "messenger §3.3",
        "own, system and bot messages",
        &[
            "own_system_and_bot_messages_are_written_and_notifications_are_not",
            "membership_at_the_moment_of_writing_counts",
            "joining_is_told_by_an_event_for_each_and_a_notice",
        ],
    ),
    modelled(
        "Q5",
        "messenger §3.3",
        "events of edits, deletions, reactions",
        &[
            "edit_replaces_the_text_says_so_and_writes_no_event",
            "edit_in_the_client_has_no_limit_and_an_event",
            "delete_empties_the_text_and_leaves_the_place",
            "event_of_a_reaction_names_who_and_what_but_not_which_way",
        ],
    ),
    partly(
        "Q6",
        "messenger §3.3",
        "delay, loss, doubling and inversion of events, notes to oneself",
        "the delay is one figure, not one between 50 and 2000 ms for each event",
        &[
            "events_come_after_the_background_job",
            "events_can_be_lost_doubled_and_inverted",
            "loss_doubling_and_inversion_of_one_rate_hit_different_events",
            "overtaken_event_is_written_after_a_second_when_nothing_overtakes_it",
            "notes_to_oneself_are_written_twice",
        ],
    ),
    modelled(
        "Q7",
        "messenger §3.4",
        "shapes of payloads in two forms",
        &[
            "payload_has_the_keys_of_the_source",
            "payload_can_have_the_documented_shapes",
            "numbers_in_params_are_texts",
            "event_of_a_message_that_is_gone_has_its_id_only",
            "forwarded_message_tells_where_it_comes_from",
            "author_without_a_row_is_an_id_only",
            "messages_without_a_text_are_no_deleted_ones",
            "kinds_of_people_are_told_by_four_marks",
            "kinds_of_chats_are_told_by_letter_and_type",
            "comments_make_a_thread_of_who_comments",
        ],
    ),
    modelled(
        "Q8",
        "messenger §0",
        "portal without an event log",
        &["older_portal_has_no_event_log"],
    ),
    modelled(
        "Q9",
        "messenger §4.2",
        "order of history, the unread quirk",
        &[
            "first_id_goes_up_last_id_goes_down",
            "without_both_ids_unread_messages_come_in_an_odd_order",
        ],
    ),
    partly(
        "Q10",
        "messenger §4.2",
        "limits and codes of history, the text 0, parameters left out",
        "CONVERT_TEXT; one language",
        &[
            "first_id_goes_up_last_id_goes_down",
            "ids_that_are_no_digits_are_refused",
            "text_zero_is_shown_as_deleted",
            "message_has_the_classic_shape",
            "history_describes_files_in_camel_case",
            "forwarded_message_tells_where_it_comes_from",
            "who_joined_with_the_history_hidden_sees_what_came_after",
            "context_tells_what_a_message_answers",
            "context_is_cut_at_fifty_on_either_side",
            "context_is_refused_with_the_codes_of_the_table",
            "messages_without_a_text_are_no_deleted_ones",
            "notes_are_files_that_say_so",
        ],
    ),
    partly(
        "Q11",
        "messenger §4.1",
        "recent list, and what changed in it since a date",
        "pins, hidden, renamed and muted dialogs; WITH_COUNTERS; ONLY_COPILOT and ONLY_CHANNEL",
        &[
            "items_mix_numbers_and_texts_and_only_preview",
            "some_kinds_of_chats_are_missing",
            "pages_go_by_offset_and_move_while_they_are_read",
            "date_of_the_last_activity_replaces_the_offset",
            "dialogs_are_listed_by_when_they_changed",
            "date_of_the_update_moves_with_edits_deletions_and_own_reading",
            "date_is_clamped_to_a_week_and_garbage_is_no_date",
            "changed_dialogs_have_external_chats_and_filters_of_their_own",
        ],
    ),
    partly(
        "Q12",
        "messenger §4.3, §11, §12",
        "members of a dialog, its description, reading it",
        "counters, search and im.chat.get, which the connector does not call; SKIP_EXTERNAL",
        &[
            "members_come_as_classic_users_page_by_page",
            "members_of_a_private_dialog_are_both_and_of_a_foreign_one_secret",
            "dialog_is_described_in_small_letters_with_how_far_others_have_read",
            "dialog_with_a_person_echoes_how_it_was_asked_for",
            "dialog_is_refused_with_the_codes_of_the_table",
            "reading_names_the_dialog_as_it_was_asked_for",
            "reading_only_goes_forward_and_counters_of_chats_are_capped",
            "reading_where_one_may_not_is_false_and_no_dialog_is_an_error",
        ],
    ),
    modelled(
        "Q13",
        "messenger §1",
        "empty arrays, flags of JSON, dates with an offset",
        &[
            "php_arrays_become_lists_or_objects",
            "json_is_escaped_as_php_does",
            "three_formats_of_the_portal",
            "payload_has_the_keys_of_the_source",
        ],
    ),
    modelled(
        "Q14",
        "messenger §6.2",
        "UUIDs: same id, in flight, stuck, ignored forms, clean-up",
        &[
            "repeated_uuid_gives_the_same_message_for_the_whole_portal",
            "uuid_in_flight_is_refused_until_it_is_linked",
            "uuid_of_a_message_that_failed_late_is_stuck_for_an_hour",
            "whatever_is_no_lower_case_uuid_of_version_4_is_ignored",
            "uuid_is_forgotten_after_31_days",
            "old_portal_knows_no_uuids",
        ],
    ),
    modelled(
        "Q15",
        "messenger §6.2",
        "lost answer after the commit",
        &[
            "message_whose_answer_was_lost_exists_and_its_uuid_tells_so",
            "repeated_upload_doubles_file_and_message",
        ],
    ),
    partly(
        "Q16",
        "messenger §6.3",
        "codes of refusals, overridden or with 403",
        "texts in other languages (but for a veto's); ACCESS_ERROR of the general chat and of entities; refusals of attachments, keyboards and menus",
        &["refusals_have_the_codes_of_the_table", "reply_is_checked_before_the_uuid_is_claimed"],
    ),
    partly(
        "Q17",
        "messenger §6.4",
        "saving a text",
        "no link previews, URL_ONLY, LARGE_FONT or bot commands",
        &[
            "breaks_become_lines_also_in_code",
            "long_texts_are_cut_by_code_points",
            "mentions_of_hidden_people_become_names_also_in_code",
            "file_tags_attach_and_vanish",
            "disk_tag_attaches_a_copy_of_what_the_sender_may_read",
            "text_goes_through_saving_and_reading",
        ],
    ),
    modelled(
        "Q18",
        "messenger §10.2",
        "reading a text",
        &[
            "the_vectors_that_were_run_on_the_vendors_parser",
            "addresses_are_completed_and_escaped",
            "text_goes_through_saving_and_reading",
        ],
    ),
    partly(
        "Q19",
        "messenger §7",
        "editing and deleting, by REST and in the official clients",
        "attachments and keyboards; what administrators may delete by REST; an Open Line whose connector lets messages be edited",
        &[
            "edit_replaces_the_text_says_so_and_writes_no_event",
            "edit_is_for_the_author_for_three_days_and_not_for_what_was_forwarded",
            "edit_with_nothing_in_it_deletes",
            "edit_normalises_less_than_sending",
            "edit_attaches_the_file_that_its_text_names",
            "delete_empties_the_text_and_leaves_the_place",
            "edit_in_the_client_has_no_limit_and_an_event",
            "deleted_in_the_client_an_unseen_message_vanishes_and_a_seen_one_leaves_its_place",
        ],
    ),
    modelled(
        "Q20",
        "messenger §7",
        "likes, and reactions by the undocumented methods",
        &[
            "repeated_like_is_refused_as_no_change",
            "likes_are_numbers_in_history_and_texts_in_events",
            "reactions_have_controllers_with_codes_of_their_own",
            "old_portal_knows_twelve_reactions_and_one_of_each_person",
            "portal_can_lack_any_of_these_methods",
        ],
    ),
    modelled(
        "Q21",
        "messenger §8",
        "typing",
        &[
            "typing_is_shown_for_25_seconds_or_until_the_message",
            "typing_is_of_one_chat_and_longer_with_a_copilot",
            "typing_to_oneself_or_where_one_may_not_is_refused",
        ],
    ),
    modelled(
        "Q22",
        "messenger §9.1, §9.2",
        "uploads: sizes, base64, names, repeats, orphans; commit: the trap of its UUID, 400 for strangers",
        &[
            "size_is_that_of_the_base64_text",
            "base64_is_decoded_as_strictly_as_php_does",
            "upload_refuses_with_400_and_the_codes_of_the_table",
            "upload_answers_after_its_event_is_written",
            "repeated_upload_doubles_file_and_message",
            "upload_that_is_not_sent_leaves_an_orphan",
            "name_clash_is_refused_unless_a_unique_name_is_wished",
            "commit_shows_several_files_in_one_message",
            "commit_refusals_have_the_codes_of_the_table",
            "repeated_commit_gives_the_same_message_once_it_is_linked",
            "commit_in_flight_deletes_the_file_of_the_first_message",
            "commit_that_failed_deletes_files_for_an_hour",
        ],
    ),
    missing("Q23", "messenger §9.3", "downloads", "the connector does not call these methods yet"),
    modelled(
        "Q24",
        "messenger §12",
        "REST leaves the last activity alone; reading by it shows to the author",
        &[
            "reading_by_rest_shows_nobody_as_online",
            "reading_and_writing_by_rest_leave_the_last_activity_alone",
            "reading_by_an_id_marks_messages_as_seen_and_without_one_it_does_not",
            "sight_of_a_message_survives_its_deletion",
        ],
    ),
    modelled(
        "Q25",
        "messenger §2",
        "reading with a user id makes the chat",
        &["naming_a_person_makes_the_chat"],
    ),
    modelled(
        "Q26",
        "messenger §1",
        "case of names of methods and parameters, code 100 for a missing one",
        &[
            "page_is_clamped_and_a_full_one_promises_more",
            "dialog_is_named_in_every_form_and_case",
            "upload_refuses_with_400_and_the_codes_of_the_table",
            "controllers_need_their_parameters_in_the_right_case",
        ],
    ),
];

/// What else of the reference the model leaves out, beyond the numbered quirks.
pub const LEFT_OUT: &[&str] = &[
    "TLS, DNS and proxies: the model speaks plain HTTP on loopback",
    "transport §1.2: the six-digit code of applications without an address",
    "transport §1.2: an administrator may consent for an application whose installation is not finished, but its token is then refused as for one that was taken back",
    "transport §1.12, §1.16: system users that take over from dismissed ones",
    "transport §1.14: installation events",
    "transport §2.1: `signature`, which only methods with a security state make",
    "transport §4.1, §4.2: user.search, department.fields, and every method that changes the structure",
    "transport §4.5: humanresources.*",
    "messenger §6.1: ATTACH, KEYBOARD, MENU, BOT_ID, URL_PREVIEW and SKIP_CONNECTOR are ignored; SYSTEM names no application and works for webhooks too",
    "messenger §6.5: im.v2.Chat.Message.send and the other undocumented methods, but for reactions",
    "messenger §7: which codes the reaction methods have for a message that is not there or out of reach is a guess, as is that one reaction replaces another on an old portal",
    "messenger §8: im.v2.Chat.InputAction.notify",
    "messenger §9: FILE_FOLDER_ERROR, FILE_UPLOAD_FAILED and INTERNAL_ERROR come by Fault::Error; the right to write in the general chat; SYMLINK, SILENT_MODE, FILE_TEMPLATE_ID and FILE_PARAMS are ignored; a collaboration's own files are copied too; nothing answers at `uploadUrl`, `DOWNLOAD_URL` and the addresses of file objects; files outside of chats; sizes of pictures; the order of refusals of im.v2.File.upload (chat before file) is inferred",
    "messenger §2, §5: comments: who is in a thread but by commenting, and that nobody is told of joining it, is a guess",
    "messenger §4.2: `replaces` is always empty, messages do not disappear by themselves; im.dialog.messages.search",
    "messenger §4.2: im.dialog.context.get: the envelope (messages, additionalMessages, users, files, reactions) and the order of messages are a guess from what the official client reads; reactions are always empty",
    "messenger §4.3: im.dialog.get: how many first viewers are named is a guess (one); marked_id is always 0",
    "messenger §5: how a sticker looks in classic history is a guess: an empty text without its parameter",
    "messenger §12: im.dialog.unread, the dialog `notify` (answered as one without access), im.user.status.*; which hundred messages become seen is a guess: the newest unread; sending marks as seen what reading up to there would",
    "aihummer §2.1: routing, so a missing default workspace is not noticed",
    "aihummer §2.3: which error the gateway gives when is not documented beyond a wrong secret, an invalid body and an unknown route; others come by Fault::Error, in the gateway's envelope",
];
