//! Where the reference is uncertain, or portals differ, the model has a switch; this file is the
//! list of those the core reads. Defaults are the newest cloud portal as its source shows it. The
//! messenger has its own list in `messenger`.

use std::collections::BTreeMap;
use std::time::Duration;

/// What happens to a refresh token that was used (b24: transport §1.8, sim quirk 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Tokens are signed and never stored: the old pair works until it expires, a code works
    /// twice.
    Stateless,
    /// A refresh token and a code work once; with the refresh token dies the access token issued
    /// beside it. A portal that has that token's verdict cached does not notice before
    /// [`Switches::token_cache`] is over.
    Strict,
}

/// The text form of tokens and codes (b24: transport §1.7, sim quirk 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenForm {
    /// 70 hex digits (68 for a code) with the expiry in front.
    Hex70,
    /// 32 letters and digits, as in the documentation's examples.
    Short32,
}

/// `scope` of a token response (b24: transport §1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenScope {
    /// The literal `app`, as in real samples.
    App,
    /// The comma list of the application's scopes, as in the documentation.
    List,
}

/// How the authorization server refuses an expired code or refresh token (b24: transport §1.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiredGrant {
    /// 401 `expired_token` with a description, as the server's source has it.
    ExpiredToken,
    /// 400 `invalid_grant`, as the documentation has it.
    InvalidGrant,
}

/// What a refresh of a dismissed user's token gives (b24: transport §8 item 6, unknown).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DismissedRefresh {
    /// A new pair, which the portal then refuses.
    Works,
    /// 400 `invalid_grant`.
    InvalidGrant,
    /// 403 `USER_ACCESS_ERROR`.
    UserAccessError,
}

/// Which of the disagreeing sources gives the HTTP status of an error code
/// (b24: transport §1.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusTable {
    /// PHP source of the portal.
    Source,
    /// The documentation's table of system errors.
    Docs,
    /// What the live tests of b24pysdk saw.
    Sdk,
}

/// How the request rate is limited (b24: transport §3.1, sim quirk 18).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RateLimit {
    /// Not at all, as on most self-hosted portals.
    Off,
    /// A leaky bucket per source address.
    Bucket {
        /// Requests that leak out per second.
        drain: f64,
        /// Requests the bucket holds; one more is refused.
        threshold: f64,
        /// The body of the refusal is an nginx page and not JSON.
        html: bool,
        /// Refused requests fill the bucket too (not documented).
        refused_fill: bool,
    },
}

impl RateLimit {
    /// The limit of every cloud plan but Enterprise: 2 per second, 50 at once.
    pub const CLOUD: RateLimit =
        RateLimit::Bucket { drain: 2.0, threshold: 50.0, html: false, refused_fill: false };
    /// The Enterprise limit: 5 per second, 250 at once.
    pub const ENTERPRISE: RateLimit =
        RateLimit::Bucket { drain: 5.0, threshold: 250.0, html: false, refused_fill: false };
}

/// The whole portal's condition (b24: transport §1.10, sim quirk 30).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Open for business.
    Normal,
    /// Closed for maintenance: `PORTAL_DELETED`, a temporary state on a self-hosted portal.
    SiteClosed,
    /// Licence or trial over: `PAYMENT_REQUIRED` from the authorization server.
    PaymentRequired,
    /// A plan without REST: `ACCESS_DENIED` "REST is available only on commercial plans."
    PlanWithoutRest,
    /// The portal cannot reach the authorization server: `CONNECTION_ERROR` for every token whose
    /// check is not cached.
    NoOAuthServer,
    /// An administrator of Bitrix24 blocked the application for load: `OVERLOAD_LIMIT`.
    Overload,
}

/// `UF_DEPARTMENT` of an extranet user in `user.get` (b24: transport §4.2, unknown).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoDepartments {
    /// `[]`
    EmptyList,
    /// `false`
    False,
    /// The key is missing.
    Absent,
}

/// The switches of the core.
#[derive(Clone, Debug)]
pub struct Switches {
    /// The token endpoint reads a POST form too.
    pub token_post: bool,
    /// See [`Rotation`].
    pub rotation: Rotation,
    /// Life of a refresh token: 180 days in current documents, 28 or 30 elsewhere
    /// (b24: transport §1.6).
    pub refresh_lifetime: Duration,
    /// See [`TokenForm`].
    pub token_form: TokenForm,
    /// See [`TokenScope`].
    pub token_scope: TokenScope,
    /// The token response has `expires`.
    pub token_expires: bool,
    /// The token response has `user_id`.
    pub token_user_id: bool,
    /// See [`ExpiredGrant`].
    pub expired_grant: ExpiredGrant,
    /// See [`DismissedRefresh`].
    pub dismissed_refresh: DismissedRefresh,
    /// The error of a token request without `client_id`: `invalid_client`, or
    /// `unauthorized_client` when set.
    pub missing_client_unauthorized: bool,
    /// The `Authorization` header reaches PHP. Off imitates Apache with FastCGI.
    pub bearer: bool,
    /// How long the portal keeps the authorization server's verdict on a token, good or bad
    /// (b24: transport §1.10, sim quirk 9). Zero asks at every call.
    pub token_cache: Duration,
    /// See [`StatusTable`].
    pub status_table: StatusTable,
    /// HTTP status per lower-case error code; wins over the table.
    pub status_overrides: BTreeMap<String, u16>,
    /// Incoming webhooks are refused because the model speaks plain HTTP (a real portal insists on
    /// https, b24: transport §1.16). Off, so that webhooks can be used in tests.
    pub webhook_needs_https: bool,
    /// `time.start` is an integer and `processing` 0 or 1, as in the newest source.
    pub integer_time: bool,
    /// `time.operating` and `operating_reset_at` are there (cloud) and the limit below is enforced.
    pub operating: bool,
    /// Operating seconds per ten minutes and method: 480 in documents, 420 in the source.
    pub operating_limit: Duration,
    /// How much operating time one call of a (lower-case) method costs; zero when not named.
    pub operating_costs: BTreeMap<String, Duration>,
    /// Non-ASCII text is written as `\u` and four hexadecimal digits.
    pub escape_unicode: bool,
    /// See [`RateLimit`].
    pub rate_limit: RateLimit,
    /// See [`Mode`].
    pub mode: Mode,
    /// A department without a head has `UF_HEAD` `"0"` instead of none.
    pub zero_head: bool,
    /// See [`NoDepartments`].
    pub no_departments: NoDepartments,
    /// `im.user.*` objects lack `type`, `website`, `email`, `bot_data`, as on older portals.
    pub old_im_user: bool,
    /// `im.user.list.get` without one valid id answers `[]` (b24: transport §4.3) and not 400
    /// `INVALID_FORMAT` (b24: messenger §4.3).
    pub lenient_user_list: bool,
    /// Texts of errors follow the documentation where it differs from the source.
    pub docs_texts: bool,
    /// `LICENSE` of `app.info`, with a language in front: `en_pro100`, `en_ent250`,
    /// `en_selfhosted`.
    pub licence: String,
    /// Methods this portal lacks (lower-case), as an older self-hosted one would.
    pub missing_methods: Vec<String>,
}

impl Default for Switches {
    fn default() -> Switches {
        Switches {
            token_post: true,
            rotation: Rotation::Stateless,
            refresh_lifetime: Duration::from_secs(180 * 86_400),
            token_form: TokenForm::Hex70,
            token_scope: TokenScope::App,
            token_expires: true,
            token_user_id: true,
            expired_grant: ExpiredGrant::ExpiredToken,
            dismissed_refresh: DismissedRefresh::Works,
            missing_client_unauthorized: false,
            bearer: true,
            token_cache: Duration::from_secs(3600),
            status_table: StatusTable::Source,
            status_overrides: BTreeMap::new(),
            webhook_needs_https: false,
            integer_time: true,
            operating: true,
            operating_limit: Duration::from_secs(480),
            operating_costs: BTreeMap::new(),
            escape_unicode: false,
            rate_limit: RateLimit::CLOUD,
            mode: Mode::Normal,
            zero_head: false,
            no_departments: NoDepartments::EmptyList,
            old_im_user: false,
            lenient_user_list: false,
            docs_texts: false,
            licence: "en_pro100".to_owned(),
            missing_methods: Vec::new(),
        }
    }
}

impl Switches {
    /// A self-hosted portal: no rate limit, no operating figures, an older licence name.
    pub fn self_hosted() -> Switches {
        Switches {
            rate_limit: RateLimit::Off,
            operating: false,
            licence: "en_selfhosted".to_owned(),
            ..Switches::default()
        }
    }
}
