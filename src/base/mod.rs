//! Rank 0: what the standard library might have had. Knows nothing of Bitrix24 or messages, and
//! imports nothing of ours; everything else may use it.

pub mod clock;
pub mod crypto;
pub mod json;
pub mod log;
pub mod metrics;
pub mod names;
pub mod percent;
pub mod secret;
pub mod sys;
pub mod systemd;
pub mod threads;
