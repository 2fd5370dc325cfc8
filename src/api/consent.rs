//! The consent listener.
