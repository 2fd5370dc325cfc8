//! Black-box tests in one binary: the real executable on port 0 against the model portal and
//! gateway of `aihummer_bitrix24::sim`, by HTTP. `tidy` and `vendor` read the repository instead.

#![allow(clippy::print_stdout)] // what a failed test shows

mod support;

mod attacks;
mod conversation;
mod counting;
mod demo;
mod tidy;
mod vendor;
mod watchdog;
