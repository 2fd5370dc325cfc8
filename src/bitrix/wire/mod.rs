//! The portal's JSON, read leniently into domain values: numbers as strings, `[]` for an empty
//! object, missing keys, unknown types (b24: transport §6 rule 23, messenger R10).

pub mod chat;
pub mod dialog;
pub mod event;
pub mod history;
pub mod people;
pub mod recent;
