//! The few cryptographic functions the connector needs, over `ring`: digests, HMAC, AEAD, random
//! bytes, hex. Knows no keys of its own; `vault` owns the master key.

use std::fmt;

use ring::aead;
use ring::digest;
use ring::hmac;
use ring::rand::SecureRandom;
use ring::rand::SystemRandom;

/// Bytes of an AEAD key.
pub const KEY_BYTES: usize = 32;

/// SHA-256.
pub fn sha256(data: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
    out
}

/// SHA-256 of what comes piece by piece.
pub struct Digest(digest::Context);

impl Digest {
    /// Of nothing yet.
    pub fn new() -> Digest {
        Digest(digest::Context::new(&digest::SHA256))
    }

    /// And of this.
    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// The hash.
    pub fn finish(self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(self.0.finish().as_ref());
        out
    }
}

impl Default for Digest {
    fn default() -> Digest {
        Digest::new()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest")
    }
}

/// HMAC-SHA-256.
pub fn hmac_sha256(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref());
    out
}

/// `N` random bytes of the operating system.
///
/// # Panics
/// When the operating system has no randomness to give: no secret must be made then.
pub fn random<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    SystemRandom::new().fill(&mut out).expect("the operating system gives random bytes");
    out
}

/// Seals `plain` under `key`, bound to `context` (where it is stored): nonce, then ciphertext
/// and tag.
pub fn seal(key: &[u8; KEY_BYTES], context: &[u8], plain: &[u8]) -> Vec<u8> {
    let nonce: [u8; 12] = random();
    let mut body = plain.to_vec();
    aead_key(key)
        .seal_in_place_append_tag(
            aead::Nonce::assume_unique_for_key(nonce),
            aead::Aad::from(context),
            &mut body,
        )
        .expect("a text of a few kilobytes is below the AEAD's limit");
    let mut out = nonce.to_vec();
    out.append(&mut body);
    out
}

/// Opens what [`seal`] made; `None` when key, context or bytes are not the ones it was made with.
pub fn open(key: &[u8; KEY_BYTES], context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, body) = sealed.split_at_checked(12)?;
    let mut body = body.to_vec();
    let nonce = aead::Nonce::try_assume_unique_for_key(nonce).ok()?;
    let plain_len =
        aead_key(key).open_in_place(nonce, aead::Aad::from(context), &mut body).ok()?.len();
    body.truncate(plain_len);
    Some(body)
}

fn aead_key(key: &[u8; KEY_BYTES]) -> aead::LessSafeKey {
    let unbound = aead::UnboundKey::new(&aead::CHACHA20_POLY1305, key)
        .expect("KEY_BYTES is the algorithm's key length");
    aead::LessSafeKey::new(unbound)
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::hex;
    use super::hmac_sha256;
    use super::open;
    use super::random;
    use super::seal;
    use super::sha256;

    #[test]
    fn known_vectors() {
        assert_eq!(
            hex(&sha256(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        // RFC 4231, test case 2.
        assert_eq!(
            hex(&hmac_sha256(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn opens_only_with_the_same_key_context_and_bytes() {
        let key: [u8; 32] = random();
        let sealed = seal(&key, b"agents/mira/access", b"token");
        assert_eq!(open(&key, b"agents/mira/access", &sealed).as_deref(), Some(&b"token"[..]));
        assert_eq!(open(&key, b"agents/olaf/access", &sealed), None);
        assert_eq!(open(&random(), b"agents/mira/access", &sealed), None);
        let mut changed = sealed.clone();
        changed[13] ^= 1;
        assert_eq!(open(&key, b"agents/mira/access", &changed), None);
        assert_eq!(open(&key, b"agents/mira/access", &sealed[..5]), None);
        assert_ne!(sealed, seal(&key, b"agents/mira/access", b"token"), "fresh nonce each time");
    }
}
