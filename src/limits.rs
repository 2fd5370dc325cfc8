//! The list of bounds: every size, count and duration that limits a queue, a loop, a body, a wait
//! or a retry, each with its reason. Knows nothing else. Whoever needs a bound names it from here;
//! a number with a unit anywhere else is a mistake. Those of `markup/` have a file of their own.

mod markup;

pub use markup::*;

use std::time::Duration;

// ---- HTTP listeners (http/) ---------------------------------------------------------------

/// Longest request head in bytes: request line and all headers. Browsers and gateways stay far
/// below; it bounds memory per connection.
pub const HTTP_HEAD_BYTES_MAX: usize = 16 * 1024;
/// Most header lines of one request.
pub const HTTP_HEADERS_MAX: usize = 64;
/// Connections one listener keeps open, each with a thread. One more closes the one that waited
/// longest for its peer; a 503 is left for when every one of them is owed an answer.
pub const HTTP_CONNECTIONS_MAX: usize = 256;
/// Connections that wait in the kernel to be accepted; accepting takes a fraction of a millisecond.
pub const HTTP_QUEUE: i32 = 1024;
/// Bytes of a request's body kept in memory while it is read; a longer one goes to an unlinked
/// file, so that all connections of a listener together hold at most 16 MiB.
pub const HTTP_BODY_MEMORY_BYTES_MAX: usize = 64 * 1024;
/// How long a connection may wait for its next request.
pub const HTTP_IDLE_MAX: Duration = Duration::from_secs(30);
/// How long a request head may take from its first byte; a dripping client is cut here.
pub const HTTP_HEAD_TIME_MAX: Duration = Duration::from_secs(5);
/// How long a request body may take.
pub const HTTP_BODY_TIME_MAX: Duration = Duration::from_secs(15);
/// How long writing one answer may take: a client that does not read is cut here.
pub const HTTP_WRITE_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a listener that stops waits for the answers it still writes: they are short.
pub const HTTP_FINISH_TIME_MAX: Duration = Duration::from_secs(2);
/// Largest JSON of a Deliver call without the files in it, and largest body of whoever does not
/// present the secret: 20,000 code points of text, four bytes each, and room for JSON escapes.
pub const HTTP_DELIVER_BODY_BYTES_MAX: usize = 1024 * 1024;
/// Largest body of a Deliver call with files: the largest of them takes 134 MiB in base64, and some
/// fit beside it. It lies on disk until it is decoded, so it is for whoever has the secret.
pub const DELIVER_BODY_BYTES_MAX: usize = 200 * 1024 * 1024;
/// How long such a body may take: it comes from the same host or network, over two megabytes a
/// second.
pub const DELIVER_BODY_TIME_MAX: Duration = Duration::from_secs(120);
/// Largest body on the control and consent listeners.
pub const HTTP_SMALL_BODY_BYTES_MAX: usize = 64 * 1024;
/// Worker threads of the Deliver, control and consent listeners. No handler waits for the
/// portal on them (answers that must wait are sent later by other threads), so few suffice; files
/// in calls are decoded on them, as fast as the disk takes them.
pub const HTTP_DELIVER_WORKERS: usize = 4;
/// See [`HTTP_DELIVER_WORKERS`]; one of them may wait for the portal while an agent is looked at, one at
/// a time.
pub const HTTP_CONTROL_WORKERS: usize = 3;
/// See [`HTTP_DELIVER_WORKERS`]; consent exchanges a code on its worker, hence more than one, and
/// [`CONSENT_CALLBACKS_MAX`].
pub const HTTP_CONSENT_WORKERS: usize = 4;

// ---- process --------------------------------------------------------------------------------

/// How long work in flight may take to finish after a stop was asked for.
pub const STOP_GRACE: Duration = Duration::from_secs(20);
/// How long before the end of that time calls that still run are cut, so that their threads can
/// record it.
pub const STOP_CUT: Duration = Duration::from_secs(1);

// ---- settings -------------------------------------------------------------------------------

/// Shortest poll interval a setting may ask for; tests use it, portals are not polled that often
/// because the limiter rules.
pub const POLL_INTERVAL_MIN: Duration = Duration::from_millis(10);
/// Longest poll interval: beyond it nobody would call the agent reachable.
pub const POLL_INTERVAL_MAX: Duration = Duration::from_secs(600);

// ---- command line ---------------------------------------------------------------------------

/// How long a verb waits for the running service at each step; it answers from its database.
pub const CONTROL_CLIENT_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer a verb reads; lists are paged far below it.
pub const CONTROL_CLIENT_BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long `doctor` looks in all before it leaves out the rest: a person waits.
pub const DOCTOR_TIME_MAX: Duration = Duration::from_secs(120);
/// How long it waits for each that it asks. What is slower than that is not well.
pub const DOCTOR_PROBE_TIME_MAX: Duration = Duration::from_secs(10);
/// How long it waits for the service to look at one agent: [`CHECKUP_TIME_MAX`] and one slow call.
pub const DOCTOR_CHECK_TIME_MAX: Duration = Duration::from_secs(40);
/// Authorization servers that are looked at; the vendor has two.
pub const DOCTOR_SERVERS_MAX: usize = 8;
/// Free room below which it warns: files of some deliveries, and a day of messages, fit in it.
pub const DISK_LOW_BYTES: u64 = 1024 * 1024 * 1024;
/// Free room below which it is a problem: less than one large delivery takes.
pub const DISK_FULL_BYTES: u64 = 100 * 1024 * 1024;
/// How far the clocks of this machine and the portal may differ before it warns: far more than an
/// exchange takes, far less than a token lives.
pub const CLOCK_OFF_MAX: Duration = Duration::from_secs(60);

// ---- store ----------------------------------------------------------------------------------

/// Write jobs that may wait for the writer: far more than threads that write, so it fills only
/// when the disk hangs.
pub const STORE_QUEUE_MAX: usize = 1024;
/// Write jobs in one transaction. Larger groups gain nothing and delay the first of them.
pub const STORE_GROUP_MAX: usize = 256;
/// Idle reading connections that are kept.
pub const STORE_READERS_MAX: usize = 8;
/// Page cache of each of them. Every commit empties it, so the 2 MB that SQLite would take are
/// memory without a use.
pub const STORE_READER_CACHE_KIB: i32 = 256;
/// How long a write waits for a place in the queue, and SQLite for a lock somebody else holds.
pub const STORE_BUSY_MAX: Duration = Duration::from_secs(10);
/// How long to wait after the database refused, before asking it again.
pub const STORE_RETRY: Duration = Duration::from_secs(1);
/// Pages in the write-ahead log before SQLite copies them into the database.
pub const STORE_CHECKPOINT_PAGES: u32 = 1000;

// ---- gateway (gateway/) ---------------------------------------------------------------------

/// How long resolving and connecting to the gateway may take, TLS included. It usually runs on
/// the same host or network.
pub const GATEWAY_CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// How long one POST to the gateway may take in all. The answer is an acknowledgement, not the
/// agent's reply, so it comes quickly; a gateway that needs longer is treated as away.
pub const GATEWAY_POST_TIME_MAX: Duration = Duration::from_secs(30);
/// How long telling the gateway of an agent's state may take in all: best effort, on a relay
/// thread that has messages to carry.
pub const GATEWAY_STATUS_TIME_MAX: Duration = Duration::from_secs(2);
/// How long the rest of an answer may take once its status is there: the status has decided, the
/// rest only names an error and frees the connection.
pub const GATEWAY_ANSWER_TIME_MAX: Duration = Duration::from_secs(2);
/// Bytes of the gateway's answer that are read. Only a short error object is looked at; a longer
/// answer costs its connection, nothing else.
pub const GATEWAY_ANSWER_BYTES_MAX: u64 = 16 * 1024;
/// Longest error code of the gateway that is kept for logs and dead letters.
pub const GATEWAY_CODE_CHARS_MAX: usize = 64;
/// Longest `Retry-After` that is honoured; beyond it the gateway is probed anyway, because a
/// wrong clock must not silence the agents for days.
pub const GATEWAY_RETRY_AFTER_MAX: Duration = Duration::from_secs(15 * 60);

// ---- names (base/) --------------------------------------------------------------------------

/// How long the addresses of a name are used before they are asked for again: what a moved portal
/// costs, against a lookup for every call.
pub const NAME_KEPT: Duration = Duration::from_secs(30);
/// Names kept: portal, authorization servers, gateway.
pub const NAMES_MAX: usize = 32;
/// Addresses of one name that are tried; ureq takes no more.
pub const NAME_ADDRESSES_MAX: usize = 16;

// ---- portal and authorization servers (bitrix/) ----------------------------------------------

/// Name resolution.
pub const PORTAL_RESOLVE_MAX: Duration = Duration::from_secs(10);
/// Connection and TLS handshake.
pub const PORTAL_CONNECT_MAX: Duration = Duration::from_secs(10);
/// Sending a request, and receiving a body once it began.
pub const PORTAL_SEND_MAX: Duration = Duration::from_secs(30);
/// Waiting for an answer: the cloud cuts requests after 60 s (b24: transport §3.3), plus a margin.
pub const PORTAL_ANSWER_MAX: Duration = Duration::from_secs(65);
/// One call in all, so that no phase adds to another without end.
pub const PORTAL_CALL_MAX: Duration = Duration::from_secs(90);
/// The slowest line on which a file still reaches the portal; one more second to send it for so
/// many bytes.
pub const PORTAL_UPLOAD_BYTES_PER_S_MIN: u64 = 256 * 1024;
/// Sending a call with a file in all: the largest file that a portal takes, in base64, needs nine
/// minutes on the slowest line (b24: messenger §9.1).
pub const PORTAL_UPLOAD_MAX: Duration = Duration::from_secs(600);
/// From this length on a body is sent only when the portal agrees to it. Below it, asking costs
/// more than sending in vain.
pub const PORTAL_EXPECT_BYTES_MIN: u64 = 1024 * 1024;
/// Longest `Retry-After` of a portal, or of what stands before it, that is honoured: nobody should
/// wait an hour because of a wrong maintenance page.
pub const PORTAL_RETRY_AFTER_MAX: Duration = Duration::from_secs(300);
/// Largest answer: a page of 1,000 events of long messages stays below it.
pub const PORTAL_BODY_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Largest answer of an authorization server: a token pair has less than two kilobytes.
pub const OAUTH_BODY_BYTES_MAX: u64 = 64 * 1024;
/// Idle connections kept to one host; as many as callers at most.
pub const PORTAL_IDLE_CONNECTIONS_MAX: usize = 16;
/// Which part of the portal's burst only answers of agents may use, so that background polling
/// never makes a person wait (b24: transport §6 rule 16): one in this many requests.
pub const LIMITER_RESERVE_DIVISOR: u32 = 5;
/// How long a call waits for its turn at the limiter before it is refused as rate limited.
pub const LIMITER_WAIT_MAX: Duration = Duration::from_secs(60);
/// How long a waiting call lets others go before it: a call of a lower lane then goes before
/// replies now and then, so that a backlog of replies never stops the polling altogether; and a
/// call whose method has no time left for longer is refused, so that its thread can do others.
pub const LIMITER_PATIENCE: Duration = Duration::from_secs(5);
/// So many replies in a row go before one call of a lower lane that has waited long: with two
/// requests a second, one in two seconds is left for polling.
pub const LIMITER_REPLIES_IN_ROW: u32 = 3;
/// A waiting call looks again at least that often: nobody is told when its patience is over, or
/// when a method has time again.
pub const LIMITER_LOOK: Duration = Duration::from_millis(250);
/// How much later than another a call may arrive that left with it: so much of the burst is left
/// free that calls which arrive bunched do not go over it.
pub const LIMITER_LATE_MAX: Duration = Duration::from_secs(2);
/// The part of the portal's rate that is used: its clock may be slower than ours by a hundredth, and
/// no burst would make up for that in the long run.
pub const LIMITER_RATE_USED: f64 = 0.98;
/// The pause of all callers after the portal refused as too many; the dice take up to half of it
/// away, and the portal wants one second (b24: transport §3.5).
pub const LIMITER_PAUSE_FIRST: Duration = Duration::from_secs(2);
/// The longest such pause, when refusals follow each other: another program takes everything.
pub const LIMITER_PAUSE_MOST: Duration = Duration::from_secs(60);
/// The part of the rate that is used at least between those pauses: each refusal halves the part,
/// and with another program that takes nine tenths there is as much left.
pub const LIMITER_SHARE_LEAST: f64 = 1.0 / 16.0;
/// In this time without a refusal the used part doubles: two to five refusals a minute is what finding
/// the right one costs, and three minutes after the other program stopped all of it is used again.
pub const LIMITER_SHARE_DOUBLES: Duration = Duration::from_secs(30);
/// Operating time of a method in ten minutes: what the portal's source has; documents say more
/// (b24: transport §3.2).
pub const METHOD_TIME_MAX: Duration = Duration::from_secs(420);
/// The part of it above which polling and upkeep call a method less often
/// (b24: transport §6 rule 18).
pub const METHOD_TIME_SLOW: f64 = 0.8;
/// The part of it that polling and upkeep use up at most.
pub const METHOD_TIME_MOST: f64 = 0.9;
/// The same two for replies.
pub const METHOD_TIME_SLOW_REPLY: f64 = 0.9;
/// See above. What is left is for a call that takes longer than those before it.
pub const METHOD_TIME_MOST_REPLY: f64 = 0.95;
/// What a call is taken to cost at least, in seconds: shorter ones are not counted by the portal.
pub const METHOD_COST_LEAST: f64 = 0.1;
/// How far apart the reset of one and the same minute may look in two answers.
pub const METHOD_RESET_BLUR: Duration = Duration::from_secs(20);
/// How long a method stays parked when the portal did not say (b24: transport §3.5).
pub const METHOD_PARKED_DEFAULT: Duration = Duration::from_secs(60);
/// Longest parking believed: the portal counts over ten minutes.
pub const METHOD_PARKED_MAX: Duration = Duration::from_secs(660);

// ---- identities (agents/) --------------------------------------------------------------------

/// How often one refresh token is asked with when answers get lost.
pub const REFRESH_ATTEMPTS_MAX: u32 = 4;
/// Delay after the first lost answer.
pub const REFRESH_RETRY_FIRST: Duration = Duration::from_millis(200);
/// Longest delay between two of those attempts; the callers of the agent wait with it.
pub const REFRESH_RETRY_MOST: Duration = Duration::from_secs(2);
/// How long a token is not renewed again after a renewal failed, whoever asks: an authorization
/// server that is away, or blocks those who ask too often, is not asked by every caller anew.
pub const REFRESH_REST_FIRST: Duration = Duration::from_secs(1);
/// The longest such rest: what a person waits at most for the first answer after the server came
/// back.
pub const REFRESH_REST_MOST: Duration = Duration::from_secs(30);
/// How often a redirect to another host may cost a renewal that tells the portal's new address. A
/// page of a proxy redirects too, and changes nothing.
pub const PORTAL_MOVED_EVERY: Duration = Duration::from_secs(15 * 60);
/// How often the licence is asked for again: a plan may change while the connector runs.
pub const LICENCE_EVERY: Duration = Duration::from_secs(24 * 3600);
/// Longest name of a person that is kept for pages and lists.
pub const PERSON_NAME_CHARS_MAX: usize = 100;
/// How long a caller waits for another's renewal of the same token.
pub const REFRESH_WAIT_MAX: Duration = Duration::from_secs(120);
/// An idle chain is renewed after this long; the shortest documented lifetime is 28 days.
pub const REFRESH_IDLE_MAX: Duration = Duration::from_secs(20 * 24 * 3600);
/// How often the timetable is looked at.
pub const REFRESH_TICK: Duration = Duration::from_secs(30);
/// How long looking at an agent goes on before its next call: the caller waits on a worker of the
/// control listener.
pub const CHECKUP_TIME_MAX: Duration = Duration::from_secs(20);
/// How often a lost identity is probed, and an idle chain looked at: a renewal that is refused for
/// good is not asked for more often either.
pub const AGENT_PROBE_EVERY: Duration = Duration::from_secs(15 * 60);
/// Unfinished deliveries that one request to forget an agent drops at most: each is a commit, and the
/// caller waits. More take another request.
pub const FORGET_DELIVERIES_MAX: usize = 1_000;
/// How often old rows are looked for.
pub const UPKEEP_EVERY: Duration = Duration::from_secs(3600);
/// Rows that one commit looks at, and removes at most: a commit of so many takes some milliseconds.
pub const PRUNE_ROWS: u32 = 200;
/// Between two of them, so that whoever delivers waits for one at most.
pub const PRUNE_PAUSE: Duration = Duration::from_millis(50);
/// The shortest retention: the gateway may repeat a call for a month.
pub const RETENTION_DAYS_MIN: u64 = 31;
/// The longest: ten years.
pub const RETENTION_DAYS_MAX: u64 = 3_653;
/// What is read of a master key's text: base64 of 32 bytes is 44 characters.
pub const KEY_TEXT_BYTES_MAX: u64 = 1024;
/// Hints of agents that work again which may wait for the delivery schedule: more agents than any
/// portal here has.
pub const MENDINGS_MAX: usize = 256;
/// How long an agent leaves a portal alone whose licence is over (b24: transport §3.5).
pub const LICENCE_REST: Duration = Duration::from_secs(15 * 60);
/// The same of an application that was blocked for load (b24: transport §3.5).
pub const OVERLOAD_REST: Duration = Duration::from_secs(3600);
/// The same of a portal that is closed: a self-hosted one may be back in minutes.
pub const PORTAL_CLOSED_REST: Duration = Duration::from_secs(5 * 60);
/// Calls in a row without an answer before the agent is called degraded.
pub const AGENT_TROUBLE_STREAK: u32 = 3;
/// How long a consent link, and an authorization begun from it, can be used.
pub const CONSENT_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// Authorizations begun from one link that can still come back: a person tries a few times.
pub const CONSENT_STATES_MAX: u32 = 16;
/// Identities waiting for their person's confirmation; more means somebody plays.
pub const CONSENT_PENDING_MAX: usize = 64;
/// Callbacks that are carried out at once; one more is told to come back. Each holds a worker of the
/// consent listener while it asks the portal, and one is left for pages and health.
pub const CONSENT_CALLBACKS_MAX: usize = HTTP_CONSENT_WORKERS - 1;
/// When whoever was told so may come back: the code of an authorization lives 30 s.
pub const CONSENT_BUSY_RETRY_S: u32 = 5;
/// After this long nothing more is asked for the page that says who was connected: the browser has
/// given up, and other people's consents wait for the thread.
pub const CONSENT_PAGE_MAX: Duration = Duration::from_secs(60);
/// How long an authorization code lives (b24: transport §1.6), within which a lost exchange is
/// repeated.
pub const CONSENT_CODE_LIFETIME: Duration = Duration::from_secs(30);

// ---- directory (directory/) --------------------------------------------------------------------

/// How often the company's structure is read at most: how late a move between departments, a new
/// head or a dismissal is noticed.
pub const DIRECTORY_EVERY: Duration = Duration::from_secs(600);
/// And how much longer for each call that this took, so that a big company costs no more than a
/// twentieth of the slower rate of 2 calls a second.
pub const DIRECTORY_EVERY_CALL: Duration = Duration::from_secs(10);
/// How long a structure is believed when it cannot be read anew. After that nobody may whom the rule
/// needs it for: a day is longer than trouble lasts, and shorter than a dismissed person should talk.
pub const DIRECTORY_FRESH_MAX: Duration = Duration::from_secs(24 * 3600);
/// First delay after the structure could not be read.
pub const DIRECTORY_RETRY_FIRST: Duration = Duration::from_secs(5);
/// Longest delay of those.
pub const DIRECTORY_RETRY_MOST: Duration = Duration::from_secs(600);
/// Pages of each list that are read at most: 100,000 people, which no portal has.
pub const DIRECTORY_PAGES_MAX: usize = 2000;
/// People asked for in one call; a page of the portal's list.
pub const DIRECTORY_ASKED_MAX: usize = 50;
/// How long somebody whom the portal does not show is not asked for again.
pub const DIRECTORY_ABSENT_KEPT: Duration = Duration::from_secs(300);
/// People of whom that is remembered.
pub const DIRECTORY_ABSENT_MAX: usize = 1024;

// ---- deliveries (outbound/) -------------------------------------------------------------------

/// Unfinished deliveries in all; one more is refused as exhausted. The schedule keeps an index of
/// them in memory.
pub const DELIVERIES_UNFINISHED_MAX: usize = 10_000;
/// Callers waiting for an outcome; the listener's connections bound them first.
pub const DELIVERY_WAITERS_MAX: usize = 1024;
/// Longest text of a delivery in bytes: a gateway that sends more has lost its mind, and twenty
/// messages in a row are enough for anybody.
pub const DELIVERY_TEXT_BYTES_MAX: usize = 300_000;
/// Files of one delivery: each is a message of its own, and nobody looks through more.
pub const MEDIA_FILES_MAX: usize = 10;
/// Largest file: one byte less than 100 MiB, as the portal has it (b24: messenger §9.1).
pub const MEDIA_BYTES_MAX: u64 = 104_857_599;
/// Most messages that one delivery may become. Markup makes a text longer, at worst a few times.
pub const DELIVERY_PARTS_MAX: usize = 100;
/// How long a caller waits when it does not say.
pub const DELIVERY_WAIT_DEFAULT: Duration = Duration::from_secs(25);
/// Longest wait granted.
pub const DELIVERY_WAIT_MAX: Duration = Duration::from_secs(120);
/// What a refused caller is told to wait when the queue is full.
pub const DELIVERY_FULL_RETRY_S: u32 = 5;
/// Delay after the first failure that passes by itself.
pub const DELIVERY_RETRY_FIRST: Duration = Duration::from_millis(200);
/// Longest delay between attempts at something that passes by itself.
pub const DELIVERY_RETRY_MOST: Duration = Duration::from_secs(60);
/// Delay after the first failure that a person has to mend.
pub const DELIVERY_MEND_FIRST: Duration = Duration::from_secs(10);
/// Longest delay of those.
pub const DELIVERY_MEND_MOST: Duration = Duration::from_secs(300);
/// Delay after the portal first said that a UUID is not linked yet (b24: messenger R21).
pub const DELIVERY_LINK_FIRST: Duration = Duration::from_secs(5);
/// Longest delay of those.
pub const DELIVERY_LINK_MOST: Duration = Duration::from_secs(300);
/// The furthest away that any delivery is ever due: the end of a claimed UUID.
pub const DELIVERY_DUE_MAX: Duration = UUID_CLAIMED_MAX;
/// First delay between two looks for what an attempt did that may still act; later ones double.
pub const DELIVERY_LOOK_FIRST: Duration = Duration::from_secs(2);
/// How long an attempt may act after it was given up on our side: the cloud cuts requests after
/// 60 s (b24: transport §3.3), and a margin.
pub const DELIVERY_SETTLE: Duration = Duration::from_secs(75);
/// How long the portal refuses a UUID that it claimed and did not link (b24: messenger §6.2), and a
/// margin.
pub const UUID_CLAIMED_MAX: Duration = Duration::from_secs(61 * 60);
/// After this long a message shows its UUID, if the portal keeps any: it is linked by a background
/// job within seconds (b24: messenger §6.2).
pub const UUID_LINKED_MAX: Duration = Duration::from_secs(120);
/// For so long a message shows its UUID at least; the portal forgets it after 31 days.
pub const UUID_KEPT_MIN: Duration = Duration::from_secs(30 * 24 * 3600);
/// How often a dialog is read to learn whether the portal keeps UUIDs, until that is known.
pub const UUID_PROBE_EVERY: Duration = Duration::from_secs(5);
/// Pages of a dialog read at most to find out what an attempt did: a thousand messages since then
/// are more than any dialog gets in an hour.
pub const RECONCILE_PAGES_MAX: usize = 20;
/// How much earlier than its attempt a message may be dated: the portal's clock is known to the
/// second, its answers take a while, and dates have no fractions.
pub const RECONCILE_SLACK: Duration = Duration::from_secs(10);
/// Members of a dialog asked for at once; the portal gives no more (b24: messenger §4.3).
pub const MEMBERS_PAGE: usize = 200;
/// Pages of members read; in a larger dialog no `@Name` is resolved.
pub const MEMBERS_PAGES_MAX: usize = 5;
/// How long the members of a dialog are believed: what a newcomer waits until agents can mention
/// them.
pub const MEMBERS_KEPT: Duration = Duration::from_secs(300);
/// Dialogs whose members are remembered.
pub const MEMBERS_DIALOGS_MAX: usize = 256;
/// For so long after somebody who may has asked an agent something in a group, it may answer there
/// without a question to the portal about who is in it: that was fine a moment ago.
pub const DIALOG_MET_KEPT: Duration = Duration::from_secs(600);
/// Groups of which that is remembered.
pub const DIALOGS_MET_MAX: usize = 1024;
/// How long it is believed how the portal takes an agent's files: a scope may be added.
pub const FILE_WAY_KEPT: Duration = Duration::from_secs(3600);
/// Agents for which that is remembered.
pub const FILE_WAYS_MAX: usize = 1024;
/// Bytes of all files that wait for the portal; one more is refused as exhausted. Twenty of the
/// largest are more than a portal takes in an hour.
pub const SHELF_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// When a delivery with files asks again for a worker.
pub const MEDIA_SLOT_RETRY: Duration = Duration::from_secs(1);
/// Hints of typing that may wait; one more is dropped.
pub const TYPING_QUEUE_MAX: usize = 64;
/// How often the portal is told at most that an agent types in a dialog (b24: messenger R31).
pub const TYPING_EVERY: Duration = Duration::from_secs(10);
/// How often it is told again while an answer is awaited: clients show it for 25 s.
pub const TYPING_AGAIN: Duration = Duration::from_secs(20);
/// How long an agent is shown as typing without an answer: longer work nobody believes.
pub const TYPING_ASKED_MAX: Duration = Duration::from_secs(180);
/// Dialogs in which agents are shown as typing at a time.
pub const TYPING_PLACES_MAX: usize = 256;
/// Messages that may wait to be marked as read; one more is left to the next of its dialog.
pub const READ_MARKS_QUEUE_MAX: usize = 256;
/// How often the portal is told at most how far an agent has read a dialog: people see no sooner.
pub const READ_MARK_EVERY: Duration = Duration::from_secs(2);
/// How long a mark waits for the portal's rate; later it tells nobody anything new.
pub const READ_MARK_PATIENCE: Duration = Duration::from_secs(60);
/// Dialogs of which it is remembered how far they were marked.
pub const READ_MARK_DIALOGS_MAX: usize = 1024;
/// How long an attempt that may have acted is looked for before a person decides: a UUID that the
/// portal has claimed is free again after an hour (b24: messenger §6.2), and a margin.
pub const DELIVERY_DOUBT_MIN: Duration = Duration::from_secs(70 * 60);
/// A delivery older than this is given up: an answer of yesterday helps nobody.
pub const DELIVERY_AGE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Deliveries or inbound messages that a list shows when it is not said how many: what one looks
/// through.
pub const LISTED: u32 = 50;
/// Most of one list; failures are sentences, so it stays below 1 MiB.
pub const LISTED_MAX: u32 = 200;
/// Attempts that are shown of one delivery, the newest: a day of trying makes thousands.
pub const DELIVERY_ATTEMPTS_SHOWN: u32 = 100;
/// How often the schedule looks at the ledger without being told to: a lost kick costs this much.
pub const SCHEDULE_TICK: Duration = Duration::from_secs(1);
/// How exactly a caller's deadline is kept.
pub const DELIVERY_EXPIRY_TICK: Duration = Duration::from_millis(100);
/// Unfinished deliveries read at once.
pub const SCHEDULE_PAGE: u32 = 512;

// ---- media (outbound/media) -------------------------------------------------------------------

/// Longest URL of a file: links with a signature have one or two kilobytes.
pub const MEDIA_URL_BYTES_MAX: usize = 8 * 1024;
/// How long finding a host may take, and then connecting to it, TLS included. A stop cannot cut
/// either, so both together stay below [`STOP_GRACE`].
pub const MEDIA_CONNECT_MAX: Duration = Duration::from_secs(8);
/// How long a host may send nothing, before its answer and in the middle of it.
pub const MEDIA_SILENCE_MAX: Duration = Duration::from_secs(30);
/// How long one file may take in all, redirects included, because it holds a thread of the delivery
/// pool: the largest file a portal takes, 100 MiB, at 3 Mbit/s.
pub const MEDIA_FETCH_MAX: Duration = Duration::from_secs(300);
/// Redirects that are followed; a file behind more of them is a loop.
pub const MEDIA_REDIRECTS_MAX: u32 = 5;
/// Longest `Retry-After` of a file's host that is honoured: a delivery is not held for longer
/// because of a wrong clock.
pub const MEDIA_RETRY_AFTER_MAX: Duration = Duration::from_secs(300);
/// How much of a file is read at once: what it costs in memory.
pub const MEDIA_PIECE_BYTES: usize = 64 * 1024;

// ---- inbound (inbound/) ---------------------------------------------------------------------

/// Relay threads. Each holds one POST at a time, and the gateway only acknowledges, so a few keep
/// any portal's traffic flowing while one dialog's POST is slow.
pub const RELAY_THREADS: usize = 4;
/// Rows one relay thread keeps in its order. Older rows come first, so the head of every dialog
/// in reach is among them; the rest waits in the database.
pub const RELAY_WINDOW_ROWS: usize = 4096;
/// Rows read from the outbox at once.
pub const RELAY_PAGE_ROWS: u32 = 128;
/// How often a relay thread forgets its order and reads the outbox from the start without being
/// asked to: the clock may have jumped. Then the backlog is looked at as well.
pub const RELAY_RELOAD_EVERY: Duration = Duration::from_secs(60);
/// Messages that wait for the gateway above which the log says so, each once while it grows. A busy
/// company writes a thousand to its agents in an hour; the disk holds millions.
pub const OUTBOX_TOLD: [u32; 3] = [1_000, 10_000, 100_000];
/// First delay after a failed POST: a gateway that restarts is back in a moment.
pub const RELAY_RETRY_FIRST: Duration = Duration::from_millis(200);
/// Longest delay between attempts at a gateway that is away: what a person waits at most for the
/// first answer after it came back.
pub const RELAY_RETRY_MAX: Duration = Duration::from_secs(30);
/// First delay when a person has to change something at the gateway first, such as the secret.
pub const RELAY_SLOW_FIRST: Duration = Duration::from_secs(1);
/// Longest delay then: what a person who changed it waits at most.
pub const RELAY_SLOW_MAX: Duration = Duration::from_secs(60);
/// Failures in a row after which the log says that the gateway is away. One refused message among
/// accepted ones stays below it.
pub const RELAY_AWAY_FAILURES: u32 = 3;
/// Agent states that may wait to be told to the gateway; later ones of one agent replace earlier
/// ones. Beyond it the newest is dropped: telling is best effort.
pub const STATUS_NOTES_MAX: usize = 64;
/// Polling threads. One would do for the portal's rate; a few keep an agent whose call hangs, on
/// its portal or on its token, from holding back the others.
pub const POLL_THREADS: usize = 4;
/// How often the polling looks at the list of agents without having been told of a change.
pub const POLL_LOOK_EVERY: Duration = Duration::from_secs(60);
/// Events asked for at once. An event with a long message is a few tens of kilobytes; the portal
/// would give up to 1,000.
pub const EVENT_PAGE_MAX: u32 = 200;
/// Pages read in one turn of an agent, so that one with a long backlog leaves the others theirs.
pub const EVENT_PAGES_PER_TURN_MAX: u32 = 4;
/// How often an agent subscribes again. Subscribing changes nothing when it is subscribed, and
/// heals the loss when somebody else unsubscribed the account (b24: messenger §3.1).
pub const EVENT_SUBSCRIBE_EVERY: Duration = Duration::from_secs(3600);
/// How often a portal without the event log is asked whether it has one by now
/// (b24: messenger §14 R1).
pub const EVENT_METHOD_PROBE_EVERY: Duration = Duration::from_secs(24 * 3600);
/// Messages that are remembered of an agent, of each kind of memory: a few pages of events.
pub const SEEN_MESSAGES_MAX: usize = 1024;
/// How old a message may be that becomes one for the agent by being changed: people mend what they
/// forgot within minutes; what is changed later was finished once.
pub const EDIT_IS_NEWS_MAX: Duration = Duration::from_secs(24 * 3600);
/// How often the dialogs are looked through for what no event told of: one call to list those that
/// changed, and one for each of them. What an event lost on the portal costs a person in time.
pub const LOOK_EVERY: Duration = Duration::from_secs(15 * 60);
/// How soon that is done again when something was found that an event should have told, and how
/// often all is read again where there is no event log.
pub const LOOK_SOON: Duration = Duration::from_secs(60);
/// For so long after a message an older id may still come to light beside it: what writes it takes
/// less.
pub const LOOK_SETTLE: Duration = Duration::from_secs(60);
/// How much before the last look the next one begins: the two clocks of a list and its dialogs.
pub const LOOK_SLACK: Duration = Duration::from_secs(120);
/// Calls of a look in one turn of an agent, so that one with a long past leaves the others theirs.
pub const LOOK_CALLS_PER_TURN: u32 = 20;
/// Chats of one agent of which it is remembered how far they were read, without an event log.
pub const LOOK_CHATS_MAX: usize = 4096;
/// Looks in a row that find what an event should have told, before a person is to look at it: one
/// may be an accident of the portal.
pub const LOOKS_ASTRAY_SUSPECT: u32 = 2;
/// How late an event may be: they are written by a background job, normally within a second
/// (b24: messenger §3.3).
pub const EVENT_LATE_MAX: Duration = Duration::from_secs(30);
/// After a pause of this length the dialogs are looked through before events are read again: the
/// portal keeps those for a day (b24: messenger §3.2 item 8).
pub const EVENTS_GAP_MAX: Duration = Duration::from_secs(20 * 3600);
/// The longest time that the portal lists changed dialogs for, 7 days (b24: messenger §4.1), and a
/// margin.
pub const RECENT_SINCE_MAX: Duration = Duration::from_secs(6 * 24 * 3600);
/// Pages of the recent list read at most: 40,000 dialogs.
pub const RECENT_PAGES_MAX: usize = 200;
/// How often a dialog that cannot be read is tried before it is passed over until the next look.
pub const DIALOG_READ_TRIES: u32 = 3;
/// Calls for what the messages of one page answer; each tells of up to 50.
pub const REPLY_LOOKS_MAX: u32 = 5;
/// Unreadable events that are kept, of all agents: enough to see what is wrong with them.
pub const QUARANTINE_ROWS_MAX: i64 = 1000;
/// Dialogs of the recent list asked for at once; the portal gives no more (b24: messenger §4.1).
pub const RECENT_PAGE: usize = 200;
/// How long after the last message to or from an agent it counts as in conversation. From then on
/// its poll interval grows in proportion to the silence, up to that of an idle one: whoever was
/// silent for six minutes is expected back in minutes, not in a second.
pub const CONVERSATION_LASTS: Duration = Duration::from_secs(180);
/// First delay of an agent whose polling failed; never below its interval in conversation.
pub const POLL_RETRY_FIRST: Duration = Duration::from_millis(200);
/// Longest delay of an agent whose polling fails: what a person waits at most for the first answer
/// after the portal came back.
pub const POLL_RETRY_MAX: Duration = Duration::from_secs(60);
/// Nudges that may wait for the polling thread; one more is dropped, which costs an interval.
pub const NUDGES_MAX: usize = 64;

/// Longest text for who may not talk with an agent: one message, and no essay.
pub const DENIED_REPLY_CHARS_MAX: usize = 1000;

// ---- supervision ------------------------------------------------------------------------------

/// How soon a thread that ended unasked is noticed. A signal is noticed at once.
pub const SUPERVISE_TICK: Duration = Duration::from_millis(500);
/// How long the watchdog waits for our own health at each step; it is answered in milliseconds.
pub const WATCHDOG_TIME_MAX: Duration = Duration::from_secs(5);
/// Connections one address may keep open on the public consent listener: a browser uses six.
pub const HTTP_CONSENT_PER_SOURCE_MAX: usize = 16;
