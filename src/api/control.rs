//! The control listener.
