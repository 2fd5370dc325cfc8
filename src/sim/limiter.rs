//! The two limits of a cloud portal: the request rate per source address and the operating time
//! per (client, method). `rest` asks before a call and books after it; no handler knows of it.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use super::call::Client;
use super::switches::RateLimit;
use crate::base::clock::UnixMs;

/// Operating time is kept for ten minutes (b24: transport §3.2).
const OPERATING_WINDOW: Duration = Duration::from_secs(600);
/// In baskets of one minute.
const BASKET: Duration = Duration::from_secs(60);
/// Only calls longer than this count \[source\] (b24: transport §3.2).
const COUNTED_FROM: Duration = Duration::from_millis(100);
/// Source addresses kept; the model sees a handful, a strange client must not grow it.
const ADDRESSES_MAX: usize = 1024;

/// Both limits' memory.
#[derive(Debug, Default)]
pub struct Limiter {
    rate: BTreeMap<IpAddr, Bucket>,
    operating: BTreeMap<(Client, String), VecDeque<Basket>>,
}

#[derive(Debug)]
struct Bucket {
    level: f64,
    at: UnixMs,
}

#[derive(Debug)]
struct Basket {
    /// When the basket's first call came; it drops out ten minutes later.
    first: UnixMs,
    spent: Duration,
}

impl Limiter {
    /// Whether a request from `source` is let in now; a request let in fills the bucket by one
    /// (b24: transport §3.1, sim quirk 18).
    pub fn admits(&mut self, limit: RateLimit, source: IpAddr, now: UnixMs) -> bool {
        let RateLimit::Bucket { drain, threshold, refused_fill, .. } = limit else {
            return true;
        };
        if self.rate.len() >= ADDRESSES_MAX && !self.rate.contains_key(&source) {
            self.rate.clear();
        }
        let bucket = self.rate.entry(source).or_insert(Bucket { level: 0.0, at: now });
        let leaked = now.since(bucket.at).as_secs_f64() * drain;
        bucket.level = (bucket.level - leaked).max(0.0);
        bucket.at = now;
        let admitted = bucket.level + 1.0 <= threshold;
        if admitted || refused_fill {
            bucket.level = (bucket.level + 1.0).min(threshold.max(1.0) * 2.0);
        }
        admitted
    }

    /// Whether a method's operating time is used up; checked before the call
    /// (b24: transport §3.2, sim quirk 19).
    pub fn exhausted(
        &mut self,
        client: &Client,
        method: &str,
        limit: Duration,
        now: UnixMs,
    ) -> bool {
        self.figures(client, method, now).0 >= limit
    }

    /// Books one call. Calls up to 0.1 s are free.
    pub fn book(&mut self, client: &Client, method: &str, cost: Duration, now: UnixMs) {
        if cost <= COUNTED_FROM {
            return;
        }
        let baskets = self.operating.entry((client.clone(), method.to_owned())).or_default();
        match baskets.back_mut() {
            Some(last) if now.since(last.first) < BASKET => last.spent += cost,
            _ => baskets.push_back(Basket { first: now, spent: cost }),
        }
    }

    /// `operating` and, when anything was counted, the moment of `operating_reset_at`: the first
    /// call of the oldest basket and ten minutes.
    pub fn figures(
        &mut self,
        client: &Client,
        method: &str,
        now: UnixMs,
    ) -> (Duration, Option<UnixMs>) {
        let Some(baskets) = self.operating.get_mut(&(client.clone(), method.to_owned())) else {
            return (Duration::ZERO, None);
        };
        while baskets.front().is_some_and(|b| now.since(b.first) >= OPERATING_WINDOW) {
            baskets.pop_front();
        }
        let spent = baskets.iter().map(|basket| basket.spent).sum();
        (spent, baskets.front().map(|basket| basket.first.plus(OPERATING_WINDOW)))
    }
}
