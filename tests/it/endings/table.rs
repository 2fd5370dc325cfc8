//! The rows of the table of endings: how each is brought about and mended, and what it must look
//! like. The sentences stand here once more, so that a changed one is seen.

use std::collections::BTreeSet;

use aihummer_bitrix24::sim::Fault;
use aihummer_bitrix24::sim::ServerKind;
use aihummer_bitrix24::sim::When;
use aihummer_bitrix24::sim::stage;
use aihummer_bitrix24::sim::switches::Mode;

use super::Cast;
use super::Ending;
use super::FEW;
use super::Hits;
use super::Way;

const DISMISSED: &str =
    "the account is dismissed or inactive: reactivate it, or consent with another account";
const RESTRICTED: &str = "the application is restricted to other users: allow this account in the \
     application's rights";
const DELETED: &str = "the application was deleted in the portal: create it again, set \
     BITRIX24_CLIENT_ID and BITRIX24_CLIENT_SECRET, and consent again";
const SECRET_CHANGED: &str =
    "the application's secret is not the configured one: set BITRIX24_CLIENT_SECRET";
const WEBHOOK_GONE: &str = "the agent's webhook was deleted or changed: make one as the agent's own \
     user and give it to the agent (agents webhook NAME)";
const TOKENS_GONE: &str =
    "the portal does not accept the agent's tokens any more: open a new consent link";
const NO_PLAN: &str = "the portal refuses every call: its plan is over or has no REST, or the \
     account is not confirmed yet";
const OVERLOAD: &str =
    "the portal blocked the application for load: an administrator unblocks it there";
const CLOSED: &str = "the portal is closed: a self-hosted one may be in maintenance";
const NO_CLIENT: &str = "the agent has tokens and the connector no application: set \
     BITRIX24_CLIENT_ID and BITRIX24_CLIENT_SECRET, or give the agent a webhook";
const NOT_ALLOWED: &str = "the agent's authorization server is not in BITRIX24_OAUTH_SERVERS: add \
     it, or open a new consent link";
const NOT_RENEWED: &str = "the authorization server refuses to renew the agent's tokens for now";

fn token_refused(cast: &Cast, status: u16, code: &str) {
    let text = "grant_type=refresh_token".to_owned();
    let server = Some(ServerKind::OAuth);
    let when = When::Matching { server, text, nth: 1, times: u64::MAX };
    cast.scene.network.plan(when, Fault::error(status, code, ""));
    cast.an_hour_later();
}

const LOST: Ending = Ending {
    name: "",
    hits: Hits::Helper,
    cache: true,
    sets: &[],
    happens: |_| {},
    state: "revoked",
    reason: ("", ""),
    calls: 0,
    mend: |_| {},
    way: Way::PauseAndResume,
};

const PASSING: Ending = Ending { state: "degraded", ..LOST };

/// Endings of one agent's identity.
pub(super) fn personal() -> Vec<Ending> {
    vec![
        Ending {
            name: "account dismissed",
            happens: |cast| cast.scene.portal.dismiss(cast.scene.mira),
            reason: (DISMISSED, " (authorization_error)"),
            mend: |cast| cast.account(|user| user.active = true),
            ..LOST
        },
        Ending {
            name: "tokens revoked",
            happens: |cast| {
                cast.scene.portal.revoke_tokens(cast.scene.mira);
                cast.an_hour_later();
            },
            reason: (TOKENS_GONE, " (invalid_grant)"),
            way: Way::Consent,
            ..LOST
        },
        Ending {
            name: "application restricted",
            happens: |cast| cast.app(|app| app.allowed_users = Some(BTreeSet::from([cast.vera]))),
            reason: (RESTRICTED, " (user_access_error)"),
            mend: |cast| cast.app(|app| app.allowed_users = None),
            ..LOST
        },
        Ending {
            name: "restricted, at a renewal",
            happens: |cast| {
                cast.app(|app| app.allowed_users = Some(BTreeSet::from([cast.vera])));
                cast.an_hour_later();
            },
            reason: (RESTRICTED, " (user_access_error)"),
            mend: |cast| cast.app(|app| app.allowed_users = None),
            ..LOST
        },
        Ending {
            name: "account never confirmed",
            happens: |cast| cast.account(|user| user.confirmed = false),
            reason: (NO_PLAN, " (access_denied)"),
            mend: |cast| cast.account(|user| user.confirmed = true),
            ..PASSING
        },
        Ending {
            name: "webhook deleted",
            hits: Hits::Hook,
            happens: |cast| {
                let mut world = cast.scene.portal.world();
                world.webhooks.values_mut().for_each(|hook| hook.active = false);
            },
            reason: (WEBHOOK_GONE, " (invalid_credentials)"),
            way: Way::NewWebhook,
            ..LOST
        },
        Ending {
            name: "webhook over by its date",
            hits: Hits::Hook,
            happens: |cast| {
                let mut world = cast.scene.portal.world();
                let now = world.now();
                world.webhooks.values_mut().for_each(|hook| hook.expires = Some(now));
            },
            reason: (WEBHOOK_GONE, " (invalid_credentials)"),
            way: Way::NewWebhook,
            ..LOST
        },
    ]
}

/// Endings of the application.
pub(super) fn of_the_application() -> Vec<Ending> {
    let lost = || Ending { hits: Hits::Application, ..LOST };
    let passing = || Ending { hits: Hits::Application, ..PASSING };
    let other_application = |cast: &mut Cast| {
        let callback = cast.scene.portal.world().apps[&cast.scene.client_id].redirect_uri.clone();
        let (id, secret) = cast.scene.portal.add_app(&callback, stage::SCOPES);
        cast.scene.set("BITRIX24_CLIENT_ID", &id);
        cast.scene.set("BITRIX24_CLIENT_SECRET", &secret);
    };
    vec![
        Ending {
            name: "application deleted",
            happens: |cast| cast.scene.portal.delete_app(&cast.scene.client_id),
            reason: (DELETED, " (application_not_found)"),
            mend: other_application,
            way: Way::RestartAndConsent,
            ..lost()
        },
        Ending {
            name: "deleted, at a renewal",
            happens: |cast| {
                cast.scene.portal.delete_app(&cast.scene.client_id);
                cast.an_hour_later();
            },
            reason: (DELETED, " (wrong_client)"),
            mend: other_application,
            way: Way::RestartAndConsent,
            ..lost()
        },
        Ending {
            name: "application uninstalled",
            cache: false,
            happens: |cast| cast.app(|app| app.installed = false),
            reason: (DELETED, " (error_oauth)"),
            mend: |cast| cast.app(|app| app.installed = true),
            ..lost()
        },
        Ending {
            name: "uninstalled, at a renewal",
            happens: |cast| {
                cast.app(|app| app.installed = false);
                cast.an_hour_later();
            },
            reason: (DELETED, " (not_installed)"),
            mend: |cast| cast.app(|app| app.installed = true),
            ..lost()
        },
        Ending {
            name: "secret regenerated",
            happens: |cast| {
                cast.scene.portal.regenerate_secret(&cast.scene.client_id).expect("another");
                cast.an_hour_later();
            },
            reason: (SECRET_CHANGED, " (invalid_client)"),
            mend: |cast| {
                let secret =
                    cast.scene.portal.world().apps[&cast.scene.client_id].client_secret.clone();
                cast.scene.set("BITRIX24_CLIENT_SECRET", &secret);
            },
            way: Way::Restart,
            ..lost()
        },
        Ending {
            name: "no application any more",
            sets: &[("BITRIX24_CLIENT_ID", ""), ("BITRIX24_CLIENT_SECRET", "")],
            happens: Cast::an_hour_later,
            reason: (NO_CLIENT, ""),
            calls: FEW,
            mend: |cast| {
                let client = (cast.scene.client_id.clone(), cast.scene.client_secret.clone());
                cast.scene.set("BITRIX24_CLIENT_ID", &client.0);
                cast.scene.set("BITRIX24_CLIENT_SECRET", &client.1);
            },
            way: Way::Restart,
            ..passing()
        },
        Ending {
            name: "server not allowed any more",
            sets: &[("BITRIX24_OAUTH_SERVERS", "oauth.bitrix.info")],
            happens: Cast::an_hour_later,
            reason: (NOT_ALLOWED, ""),
            calls: FEW,
            mend: |cast| {
                let server = format!("http://{}", cast.scene.portal.oauth_host());
                cast.scene.set("BITRIX24_OAUTH_SERVERS", &server);
            },
            way: Way::Restart,
            ..passing()
        },
        Ending {
            name: "scope im taken away",
            happens: |cast| cast.scene.untick("im"),
            reason: ("the application lacks a scope for im.v2.Event.get: add it to its card", ""),
            calls: FEW,
            mend: |cast| cast.app(|app| assert!(app.scopes.insert("im".to_owned()))),
            way: Way::Itself,
            ..passing()
        },
        Ending {
            name: "licence over",
            happens: |cast| {
                cast.mode(Mode::PaymentRequired);
                cast.an_hour_later();
            },
            reason: (NO_PLAN, " (payment_required)"),
            mend: |cast| cast.mode(Mode::Normal),
            ..passing()
        },
        Ending {
            name: "licence check failed",
            happens: |cast| token_refused(cast, 403, "verification_needed"),
            reason: (NO_PLAN, " (verification_needed)"),
            mend: |cast| cast.scene.network.clear_plan(),
            ..passing()
        },
        Ending {
            name: "renewal refused, no idea why",
            happens: |cast| token_refused(cast, 403, "something_new"),
            reason: (NOT_RENEWED, " (something_new)"),
            calls: FEW,
            mend: |cast| cast.scene.network.clear_plan(),
            way: Way::Itself,
            ..passing()
        },
        Ending {
            name: "authorization server away",
            happens: |cast| {
                cast.scene.portal.set_oauth_listening(false).expect("stops listening");
                cast.an_hour_later();
            },
            reason: ("the portal does not answer: oauth_connection_refused", ""),
            calls: FEW,
            mend: |cast| cast.scene.portal.set_oauth_listening(true).expect("listens"),
            way: Way::Itself,
            ..passing()
        },
        Ending {
            name: "portal cannot reach it",
            happens: |cast| {
                cast.mode(Mode::NoOAuthServer);
                cast.an_hour_later();
            },
            reason: ("the portal does not answer: connection_error", ""),
            calls: FEW,
            mend: |cast| cast.mode(Mode::Normal),
            way: Way::Itself,
            ..passing()
        },
    ]
}

/// Endings of the whole portal.
pub(super) fn of_the_portal() -> Vec<Ending> {
    let passing = || Ending { hits: Hits::Everybody, ..PASSING };
    vec![
        Ending {
            name: "plan without REST",
            happens: |cast| cast.mode(Mode::PlanWithoutRest),
            reason: (NO_PLAN, " (access_denied)"),
            mend: |cast| cast.mode(Mode::Normal),
            ..passing()
        },
        Ending {
            name: "wrong licence",
            happens: |cast| {
                let refused = Fault::error(403, "WRONG_LICENSE", "");
                cast.scene.network.plan(When::every("POST /rest/"), refused);
            },
            reason: (NO_PLAN, " (wrong_license)"),
            mend: |cast| cast.scene.network.clear_plan(),
            ..passing()
        },
        Ending {
            name: "portal closed",
            happens: |cast| cast.mode(Mode::SiteClosed),
            reason: (CLOSED, " (portal_deleted)"),
            mend: |cast| cast.mode(Mode::Normal),
            ..passing()
        },
        Ending {
            name: "application blocked for load",
            happens: |cast| cast.mode(Mode::Overload),
            reason: (OVERLOAD, " (overload_limit)"),
            mend: |cast| cast.mode(Mode::Normal),
            ..passing()
        },
        Ending {
            name: "portal redirects, no address",
            happens: |cast| cast.scene.network.plan(When::every("POST /rest/"), Fault::Html(302)),
            reason: ("the portal does not answer: redirected", ""),
            calls: FEW,
            mend: |cast| cast.scene.network.clear_plan(),
            way: Way::Itself,
            ..passing()
        },
    ]
}
