//! The AiHummer connector for Bitrix24: an AI agent as a colleague in the company messenger.
//!
//! A library of private modules that exports one function, [`main`], for the tiny binary beside
//! it, and [`sim`], the model portal and gateway that demo, tests and benches talk to.
//! ARCHITECTURE.md is the map; the modules below stand in reading order, lowest rank first.

#![deny(unsafe_code)]

mod base;
mod limits;

mod domain;
mod markup;

mod bitrix;
mod gateway;
mod http;
mod store;
mod upkeep;
mod vault;

mod agents;
mod directory;

mod inbound;
mod outbound;

mod api;

mod app;
mod settings;

mod cli;

#[cfg(feature = "sim")]
pub mod sim;

pub use cli::main;
