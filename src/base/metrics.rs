//! Counters of the process, a closed list, and their Prometheus text. Whoever decides something
//! worth counting adds one here; nothing reads a counter to decide.

use std::fmt::Write;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident $name:literal $help:literal;)*) => {
        /// Every counter.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Counter {
            $($(#[$doc])* $variant,)*
        }

        const NAMES: &[(&str, &str)] = &[$(($name, $help),)*];
        static VALUES: [AtomicU64; NAMES.len()] = [const { AtomicU64::new(0) }; NAMES.len()];
    };
}

counters! {
    /// See its help text; likewise below.
    EventsReceived "aihummer_events_received_total" "Events taken from the portal's event log.";
    EventsUndecodable "aihummer_events_undecodable_total" "Events that could not be read and were passed over.";
    MessagesQueued "aihummer_messages_queued_total" "Inbound messages committed to the outbox.";
    IgnoredSystem "aihummer_messages_ignored_total{rule=\"system\"}" "Inbound messages not forwarded, by rule.";
    IgnoredOwn "aihummer_messages_ignored_total{rule=\"own\"}" "Inbound messages not forwarded, by rule.";
    IgnoredOtherAgent "aihummer_messages_ignored_total{rule=\"other_agent\"}" "Inbound messages not forwarded, by rule.";
    IgnoredBot "aihummer_messages_ignored_total{rule=\"bot\"}" "Inbound messages not forwarded, by rule.";
    IgnoredExternalSender "aihummer_messages_ignored_total{rule=\"external_sender\"}" "Inbound messages not forwarded, by rule.";
    IgnoredOpenLine "aihummer_messages_ignored_total{rule=\"open_line\"}" "Inbound messages not forwarded, by rule.";
    IgnoredChannel "aihummer_messages_ignored_total{rule=\"channel\"}" "Inbound messages not forwarded, by rule.";
    IgnoredComment "aihummer_messages_ignored_total{rule=\"comment\"}" "Inbound messages not forwarded, by rule.";
    IgnoredNotification "aihummer_messages_ignored_total{rule=\"notification\"}" "Inbound messages not forwarded, by rule.";
    IgnoredUnknownChat "aihummer_messages_ignored_total{rule=\"unknown_chat\"}" "Inbound messages not forwarded, by rule.";
    IgnoredExternalChat "aihummer_messages_ignored_total{rule=\"external_chat\"}" "Inbound messages not forwarded, by rule.";
    IgnoredGroupsOff "aihummer_messages_ignored_total{rule=\"groups_off\"}" "Inbound messages not forwarded, by rule.";
    IgnoredNotAddressed "aihummer_messages_ignored_total{rule=\"not_addressed\"}" "Inbound messages not forwarded, by rule.";
    IgnoredNoText "aihummer_messages_ignored_total{rule=\"no_text\"}" "Inbound messages not forwarded, by rule.";
    IgnoredDepartment "aihummer_messages_ignored_total{rule=\"department\"}" "Inbound messages not forwarded, by rule.";
    MessagesEdited "aihummer_messages_edited_total" "Inbound messages changed by their authors before the gateway had them.";
    MessagesWithdrawn "aihummer_messages_withdrawn_total" "Inbound messages deleted by their authors before the gateway had them.";
    MessagesCaughtUp "aihummer_messages_caught_up_total" "Inbound messages found in the dialogs themselves that no event had told of.";
    MessagesRelayed "aihummer_messages_relayed_total" "Inbound messages the gateway accepted.";
    MessagesDead "aihummer_messages_dead_total" "Inbound messages the gateway refused for good.";
    DeliveriesAccepted "aihummer_deliveries_accepted_total" "Deliveries committed to the ledger.";
    DeliveriesReplayed "aihummer_deliveries_replayed_total" "Repeated Deliver calls answered from the ledger.";
    DeliveriesDelivered "aihummer_deliveries_delivered_total" "Deliveries the portal shows.";
    DeliveriesFailed "aihummer_deliveries_failed_total" "Deliveries rejected, dead or unknown.";
    PortalCalls "aihummer_portal_calls_total" "REST calls sent to the portal.";
    PortalFailures "aihummer_portal_failures_total" "REST calls that failed.";
    PortalRateLimited "aihummer_portal_rate_limited_total" "REST calls the portal refused as too many.";
    PortalMethodsParked "aihummer_portal_methods_parked_total" "REST calls the portal refused because their method had used up its time.";
    TokensRefreshed "aihummer_tokens_refreshed_total" "Access tokens renewed.";
    HandlerPanics "aihummer_handler_panics_total" "Request handlers or jobs that panicked.";
}

/// Adds `n` to a counter.
pub fn add(counter: Counter, n: u64) {
    VALUES[counter as usize].fetch_add(n, Ordering::Relaxed);
}

/// Adds one to a counter.
pub fn count(counter: Counter) {
    add(counter, 1);
}

/// The Prometheus text exposition of every counter.
pub fn render() -> String {
    let mut out = String::new();
    let mut last = "";
    for ((name, help), value) in NAMES.iter().zip(&VALUES) {
        let family = name.split('{').next().unwrap_or(name);
        // Counters that differ by their label stand together and are described once. Writing into
        // a String cannot fail.
        if family != last {
            let _ = write!(out, "# HELP {family} {help}\n# TYPE {family} counter\n");
            last = family;
        }
        let _ = writeln!(out, "{name} {}", value.load(Ordering::Relaxed));
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Counter;

    #[test]
    fn every_counter_is_exposed_and_every_family_described_once() {
        super::add(Counter::HandlerPanics, 2);
        let text = super::render();
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        assert_eq!(samples.count(), super::NAMES.len());
        let family = |name: &str| name.split('{').next().expect("a name").to_owned();
        let families: HashSet<String> = super::NAMES.iter().map(|(name, _)| family(name)).collect();
        assert_eq!(text.matches("# TYPE").count(), families.len());
        assert_eq!(text.matches("# HELP").count(), families.len());
        let line = text.lines().find(|line| line.starts_with("aihummer_handler_panics_total "));
        let value: u64 =
            line.expect("listed").rsplit(' ').next().expect("value").parse().expect("n");
        assert!(value >= 2);
    }
}
