//! Rank 2: HTTP listeners made safe for strangers. `server` wraps the hardened tiny_http in
//! `vendor/` (what it differs in and why: `vendor/PATCHES.md`) and is the only file that names it;
//! `request` and `reply` are what handlers see. Limits come from `limits`.

mod reply;
mod request;
mod server;

pub use reply::Reply;
pub use request::Body;
pub use request::Method;
pub use request::Request;
pub use server::Answer;
pub use server::Bound;
pub use server::Handler;
pub use server::Larger;
pub use server::Listen;
pub use server::Patience;
pub use server::Server;

#[cfg(test)]
mod tests;
