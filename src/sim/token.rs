//! Codes and tokens of the authorization server: their text form, their life, their rotation.
//! `oauth` issues and exchanges them, `auth` has access tokens checked. Knows no HTTP.

use std::collections::HashMap;

use super::switches::TokenForm;
use crate::base::clock::UnixMs;
use crate::base::crypto;

/// Grants kept before those long expired are swept out.
const SWEEP_FROM: usize = 10_000;

/// What a secret text is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An authorization code.
    Code,
    /// An access token.
    Access,
    /// A refresh token.
    Refresh,
}

/// One issued code or token.
#[derive(Clone, Debug)]
pub struct Grant {
    /// See [`Kind`].
    pub kind: Kind,
    /// The application it was issued to.
    pub client_id: String,
    /// The user it acts as.
    pub user: u64,
    /// When it ends.
    pub expires: UnixMs,
    /// Which pair it belongs to: access and refresh token of one answer share it.
    pub pair: u64,
    /// Used up (strict rotation only) or revoked.
    pub dead: bool,
}

/// All grants of the authorization server.
#[derive(Debug, Default)]
pub struct Tokens {
    grants: HashMap<String, Grant>,
    issued: u64,
}

impl Tokens {
    /// The number for the next pair.
    pub fn next_pair(&mut self) -> u64 {
        self.issued += 1;
        self.issued
    }

    /// Makes a code or token of `grant` in the given form and remembers it.
    pub fn issue(
        &mut self,
        form: TokenForm,
        app_id: u32,
        secret: &str,
        offset_minutes: i32,
        grant: Grant,
        now: UnixMs,
    ) -> String {
        if self.grants.len() >= SWEEP_FROM {
            // A day's grace keeps the "expired" answers of recent tokens.
            let day = std::time::Duration::from_secs(86_400);
            self.grants.retain(|_, grant| grant.expires.plus(day) > now);
        }
        self.issued += 1;
        let text = match form {
            TokenForm::Hex70 => hex_form(&grant, app_id, secret, offset_minutes, self.issued),
            TokenForm::Short32 => crypto::hex(&crypto::random::<16>()),
        };
        self.grants.insert(text.clone(), grant);
        text
    }

    /// The text of everything that was issued, so that a test can look for where it went.
    pub fn texts(&self) -> Vec<String> {
        self.grants.keys().cloned().collect()
    }

    /// The grant behind a text.
    pub fn find(&self, text: &str) -> Option<&Grant> {
        self.grants.get(text)
    }

    /// Everything that was issued for a user is worth nothing any more.
    pub fn kill_all_of(&mut self, user: u64) {
        let grants = self.grants.values_mut().filter(|grant| grant.user == user);
        grants.for_each(|grant| grant.dead = true);
    }

    /// Strict rotation: the grant is used up, and with a refresh token the access token of the
    /// same pair dies (b24: transport §1.8, sim quirk 6).
    pub fn kill(&mut self, text: &str) {
        let Some(grant) = self.grants.get_mut(text) else { return };
        grant.dead = true;
        let (kind, pair) = (grant.kind, grant.pair);
        if kind == Kind::Refresh {
            let siblings = self.grants.values_mut().filter(|other| other.pair == pair);
            siblings.for_each(|other| other.dead = true);
        }
    }
}

/// The layout of b24: transport §1.7: 35 bytes, 34 for a code. The last 16 bytes are an HMAC-MD5
/// in the original; here a cut HMAC-SHA-256 over the same bytes and a serial number, so that two
/// tokens of one second differ.
fn hex_form(grant: &Grant, app_id: u32, secret: &str, offset_minutes: i32, serial: u64) -> String {
    let seconds = u32::try_from(grant.expires.0.div_euclid(1000)).unwrap_or(u32::MAX);
    let user = u32::try_from(grant.user).unwrap_or(u32::MAX);
    let offset = i16::try_from(offset_minutes.saturating_mul(60) / 60).unwrap_or(0);
    let mut bytes = Vec::with_capacity(35);
    bytes.extend_from_slice(&seconds.to_le_bytes());
    bytes.extend_from_slice(&app_id.to_be_bytes());
    bytes.extend_from_slice(&(app_id ^ 0x0070_0000).to_be_bytes());
    bytes.extend_from_slice(&user.to_be_bytes());
    bytes.extend_from_slice(&offset.to_le_bytes());
    let kind: &[u8] = match grant.kind {
        Kind::Code => b"code",
        Kind::Access => b"access",
        Kind::Refresh => b"refresh",
    };
    if grant.kind != Kind::Code {
        bytes.push(if grant.kind == Kind::Access { 7 } else { 9 });
    }
    let mut signed = bytes.clone();
    signed.extend_from_slice(&serial.to_be_bytes());
    let signature = crypto::hmac_sha256(&[kind, secret.as_bytes()].concat(), &signed);
    bytes.extend_from_slice(&signature[..16]);
    crypto::hex(&bytes)
}
