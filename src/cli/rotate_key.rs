//! `rotate-key`: another master key, while the service is stopped. Where the operator keeps the key,
//! the new one comes on stdin.

use std::io::Read;

use crate::app::rekey;
use crate::base::secret::Secret;
use crate::cli::Invocation;
use crate::cli::OK;
use crate::cli::complain;
use crate::cli::run::exit_code;
use crate::cli::say;
use crate::limits;

/// Carries the verb out.
pub fn run(invocation: &Invocation) -> u8 {
    if let Some(code) = invocation.refuse_beyond(&[], 0) {
        return code;
    }
    let settings = match invocation.settings() {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    let given = match rekey::operator_keeps_key(&settings) {
        true => match new_key() {
            Ok(key) => Some(key),
            Err(code) => return code,
        },
        false => None,
    };
    match rekey::rotate(&settings, given.as_ref()) {
        Ok(rotated) => {
            let (agents, damaged) = (rotated.rekeyed.agents, rotated.rekeyed.damaged);
            say(&format!("the secrets of {agents} agents are sealed under the new key\n"));
            for name in damaged {
                say(&format!("{name}: its secrets were damaged before; open a new consent link\n"));
            }
            say(match rotated.in_place {
                true => "the key file is replaced; start the service\n",
                false => "put the new key where the former one is, then start the service\n",
            });
            OK
        }
        Err(ended) => exit_code(ended),
    }
}

/// The new key, from stdin: on a command line other users of the machine would see it.
fn new_key() -> Result<Secret, u8> {
    let mut text = String::new();
    let read = std::io::stdin().take(limits::KEY_TEXT_BYTES_MAX).read_to_string(&mut text);
    match read {
        Ok(_) if !text.trim().is_empty() => Ok(Secret::new(text.trim().to_owned())),
        _ => Err(complain(
            "the key is a setting or a credential: give the new one on stdin (openssl rand -base64 \
             32), and put it in its place afterwards",
        )),
    }
}
