//! The README's first command: the demo must hold, and must say so.

use std::process::Command;

use crate::support::scene::BINARY;

#[test]
fn the_demo_holds_and_says_so() {
    let output = Command::new(BINARY).args(["demo", "--once"]).output().expect("the demo runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("\n20 claims held, 0 did not\n"), "{told}");
}
