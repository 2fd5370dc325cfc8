//! Black-box tests: one binary.
