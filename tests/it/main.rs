//! Black-box tests in one binary: the real executable on port 0 against the model portal and
//! gateway of `aihummer_bitrix24::sim`, by HTTP. `tidy` reads the sources instead.

mod support;

mod conversation;
mod counting;
mod demo;
mod tidy;
