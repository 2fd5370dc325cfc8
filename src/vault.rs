//! Rank 2: the master key, and sealing under it. Finds the key (setting, systemd credential, or a
//! generated file), proves that it is the one the database was sealed with, and hands out nothing
//! but `seal` and `open`. Every sealed value is bound to the row it belongs to by its context.

use std::fmt;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::base::crypto;
use crate::base::crypto::KEY_BYTES;
use crate::base::secret::Secret;

/// Name of a generated key file, and of the systemd credential.
pub const KEY_FILE: &str = "master.key";
/// The key that is to be next, beside the key file, while everything is sealed anew.
const NEXT_FILE: &str = "master.key.next";
/// Where a configured key came from.
const SETTING: &str = "BITRIX24_MASTER_KEY";
/// Context and text of the value that proves the key.
const CHECK_CONTEXT: &[u8] = b"vault/check";
const CHECK_TEXT: &[u8] = b"aihummer-bitrix24";

/// Why there is no usable key. Nothing is destroyed in any case.
#[derive(Debug, PartialEq, Eq)]
pub enum VaultError {
    /// The key's text is not base64 of 32 bytes. Where it came from.
    Malformed(String),
    /// It is a key, but not the one the stored tokens are sealed with. Where it came from.
    Wrong(String),
    /// There are stored tokens and no key. Where it should be.
    Missing(String),
    /// A key file cannot be read or written.
    File(String),
    /// A sealed value does not open: it belongs elsewhere or is damaged.
    Sealed,
}

impl fmt::Display for VaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VaultError::Malformed(source) => write!(
                f,
                "{source} is not base64 of 32 bytes; make one with: openssl rand -base64 32"
            ),
            VaultError::Wrong(source) => write!(
                f,
                "{source} is not the key the stored tokens are sealed with; bring back the former \
                 key, or move the state directory away and let every agent consent again"
            ),
            VaultError::Missing(path) => write!(
                f,
                "{path} is missing, and the stored tokens are sealed with it; bring it back, or \
                 move the state directory away and let every agent consent again"
            ),
            VaultError::File(problem) => f.write_str(problem),
            VaultError::Sealed => f.write_str("it is damaged, or belongs elsewhere"),
        }
    }
}

impl std::error::Error for VaultError {}

/// The master key in use.
pub struct Vault {
    key: Zeroizing<[u8; KEY_BYTES]>,
    source: String,
}

impl Vault {
    /// Finds the key: `configured` (BITRIX24_MASTER_KEY), else `master.key` in the credentials
    /// directory, else in the state directory, where it is generated at the first start.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub fn open(
        state_dir: &Path,
        configured: Option<&Secret>,
        credentials_dir: Option<&Path>,
    ) -> Result<Vault, VaultError> {
        if let Some(text) = configured {
            return Vault::from_text(text, SETTING.to_owned());
        }
        if credential(credentials_dir).is_none() && !state_dir.join(KEY_FILE).exists() {
            generate(&state_dir.join(KEY_FILE))?;
        }
        Vault::from_file(state_dir, credentials_dir)
    }

    /// The same where something is sealed already: no key is made up, and the one that is found is
    /// proven by the `check_value` that was stored beside what is sealed.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub fn reopen(
        state_dir: &Path,
        configured: Option<&Secret>,
        credentials_dir: Option<&Path>,
        check_value: &[u8],
    ) -> Result<Vault, VaultError> {
        let vault = match configured {
            Some(text) => Vault::from_text(text, SETTING.to_owned())?,
            None => Vault::from_file(state_dir, credentials_dir)?,
        };
        let wrong = match vault.prove(check_value) {
            Ok(()) => return Ok(vault),
            Err(wrong) => wrong,
        };
        // A change of key that was cut after everything was sealed anew is finished here.
        let own = is_generated(configured, credentials_dir);
        let next = state_dir.join(NEXT_FILE);
        if !own || !next.exists() {
            return Err(wrong);
        }
        let text = read_private(&next).map_err(VaultError::File)?;
        let next = Vault::from_text(&text, next.display().to_string())?;
        if next.prove(check_value).is_err() {
            return Err(wrong);
        }
        adopt_next(state_dir)?;
        Ok(next)
    }

    /// The key that everything is to be sealed under next: `given`, or a new one beside the key file,
    /// which [`adopt_next`] makes the key once that is done.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub fn next(state_dir: &Path, given: Option<&Secret>) -> Result<Vault, VaultError> {
        if let Some(text) = given {
            return Vault::from_text(text, "the new key".to_owned());
        }
        let path = state_dir.join(NEXT_FILE);
        // What is left of a change that was cut before anything was sealed anew was never used.
        generate(&path)?;
        let text = read_private(&path).map_err(VaultError::File)?;
        Vault::from_text(&text, path.display().to_string())
    }

    /// The credential if there is one, else the file in the state directory.
    fn from_file(state_dir: &Path, credentials_dir: Option<&Path>) -> Result<Vault, VaultError> {
        if let Some(path) = credential(credentials_dir) {
            // Its mode is the credential store's matter.
            let text = fs::read_to_string(&path)
                .map_err(|why| VaultError::File(format!("{}: {why}", path.display())))?;
            return Vault::from_text(&Secret::new(text), path.display().to_string());
        }
        let path = state_dir.join(KEY_FILE);
        if !path.exists() {
            return Err(VaultError::Missing(path.display().to_string()));
        }
        let text = read_private(&path).map_err(VaultError::File)?;
        Vault::from_text(&text, path.display().to_string())
    }

    fn from_text(text: &Secret, source: String) -> Result<Vault, VaultError> {
        let key = decode(text).ok_or(VaultError::Malformed(source.clone()))?;
        Ok(Vault { key, source })
    }

    /// A value that [`Vault::prove`] accepts, to be stored beside what is sealed.
    pub fn check_value(&self) -> Vec<u8> {
        crypto::seal(&self.key, CHECK_CONTEXT, CHECK_TEXT)
    }

    /// Whether this is the key that made `check_value`.
    ///
    /// # Errors
    /// [`VaultError::Wrong`].
    pub fn prove(&self, check_value: &[u8]) -> Result<(), VaultError> {
        match crypto::open(&self.key, CHECK_CONTEXT, check_value) {
            Some(text) if text == CHECK_TEXT => Ok(()),
            _ => Err(VaultError::Wrong(self.source.clone())),
        }
    }

    /// Seals a secret for the row that `context` names.
    pub fn seal(&self, context: &str, secret: &Secret) -> Vec<u8> {
        crypto::seal(&self.key, context.as_bytes(), secret.expose().as_bytes())
    }

    /// Opens what was sealed for that row.
    ///
    /// # Errors
    /// [`VaultError::Sealed`].
    pub fn open_sealed(&self, context: &str, sealed: &[u8]) -> Result<Secret, VaultError> {
        let plain =
            crypto::open(&self.key, context.as_bytes(), sealed).ok_or(VaultError::Sealed)?;
        String::from_utf8(plain).map(Secret::new).map_err(|_| VaultError::Sealed)
    }
}

/// Whether a start would find the key that made `check_value`. Changes nothing: a change of key that
/// was cut is looked through, not finished.
///
/// # Errors
/// See [`VaultError`].
pub fn examine(
    state_dir: &Path,
    configured: Option<&Secret>,
    credentials_dir: Option<&Path>,
    check_value: &[u8],
) -> Result<(), VaultError> {
    let vault = match configured {
        Some(text) => Vault::from_text(text, SETTING.to_owned())?,
        None => Vault::from_file(state_dir, credentials_dir)?,
    };
    let wrong = match vault.prove(check_value) {
        Ok(()) => return Ok(()),
        Err(wrong) => wrong,
    };
    let next = state_dir.join(NEXT_FILE);
    if !is_generated(configured, credentials_dir) || !next.exists() {
        return Err(wrong);
    }
    let text = read_private(&next).map_err(VaultError::File)?;
    let next = Vault::from_text(&text, next.display().to_string())?;
    next.prove(check_value).map_err(|_| wrong)
}

/// Whether the key is a file that we made, and not the operator's matter.
pub fn is_generated(configured: Option<&Secret>, credentials_dir: Option<&Path>) -> bool {
    configured.is_none() && credential(credentials_dir).is_none()
}

/// Makes the next key the key.
///
/// # Errors
/// [`VaultError::File`]; the next start does it then.
pub fn adopt_next(state_dir: &Path) -> Result<(), VaultError> {
    let (next, key) = (state_dir.join(NEXT_FILE), state_dir.join(KEY_FILE));
    let adopted = fs::rename(&next, &key).and_then(|()| fs::File::open(state_dir)?.sync_all());
    adopted.map_err(|why| VaultError::File(format!("{}: {why}", next.display())))
}

/// Whether a text is one of a key.
pub fn is_key(text: &Secret) -> bool {
    decode(text).is_some()
}

fn decode(text: &Secret) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let bytes = STANDARD.decode(text.expose().trim()).map(Zeroizing::new).ok()?;
    <[u8; KEY_BYTES]>::try_from(bytes.as_slice()).ok().map(Zeroizing::new)
}

fn credential(credentials_dir: Option<&Path>) -> Option<PathBuf> {
    credentials_dir.map(|dir| dir.join(KEY_FILE)).filter(|path| path.exists())
}

/// Writes a new key under a temporary name, makes it durable, then gives it its name: a half
/// written key can never be taken for one.
fn generate(path: &Path) -> Result<(), VaultError> {
    let text = Zeroizing::new(STANDARD.encode(crypto::random::<KEY_BYTES>()));
    write_private(path, &text).map_err(|why| VaultError::File(format!("{}: {why}", path.display())))
}

/// Writes a file with mode 0600 so that it is either absent or complete and durable.
///
/// # Errors
/// What the operating system says.
pub fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let temporary = PathBuf::from(format!("{}.new", path.display()));
    // A leftover of an interrupted start was never used.
    let _ = fs::remove_file(&temporary);
    let mut file =
        fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&temporary)?;
    // The umask may have taken bits away that we need to read it again.
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    match path.parent() {
        // The rename itself is durable only once the directory is.
        Some(dir) => fs::File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

/// Reads what [`write_private`] wrote. A secret that everybody on the machine can read is refused,
/// because nobody knows who did; one that a group can read is told only, because volumes of
/// container platforms are opened to a group of their own.
///
/// # Errors
/// A text for the operator: what is wrong with the file, and the remedy.
pub fn read_private(path: &Path) -> Result<Secret, String> {
    let told = |why: std::io::Error| format!("{}: {why}", path.display());
    let mode = fs::metadata(path).map_err(told)?.permissions().mode() & 0o777;
    if mode & 0o007 != 0 {
        return Err(format!(
            "{0} can be read by every user of this machine (mode {mode:03o}); make a new one if \
             somebody may have, then: chmod 600 {0}",
            path.display()
        ));
    }
    if mode & 0o070 != 0 {
        log::warn!("secret_open_to_group mode={mode:03o} file={:?}", path.file_name());
    }
    fs::read_to_string(path).map(Secret::new).map_err(told)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::KEY_FILE;
    use super::Vault;
    use super::VaultError;
    use crate::base::secret::Secret;

    fn temp_dir(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("vault-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).expect("temporary directory");
        dir
    }

    #[test]
    fn a_look_at_the_key_finishes_nothing() {
        let dir = temp_dir("examined");
        let check = |vault: &Vault| vault.check_value();
        let missing = super::examine(&dir, None, None, b"x");
        assert!(matches!(missing, Err(VaultError::Missing(_))));
        assert!(!dir.join(KEY_FILE).exists(), "none is made up");
        let former = check(&Vault::open(&dir, None, None).expect("a key"));
        let next = check(&Vault::next(&dir, None).expect("a key"));
        for proof in [&former, &next] {
            assert_eq!(super::examine(&dir, None, None, proof), Ok(()));
        }
        assert!(dir.join(super::NEXT_FILE).exists(), "the change of key is not finished");
        let wrong = super::examine(&dir, None, None, b"something else");
        assert!(matches!(wrong, Err(VaultError::Wrong(_))));
        let _ = fs::remove_dir_all(dir);
    }

    #[test]
    fn a_generated_key_is_private_and_found_again() {
        let dir = temp_dir("generated");
        let vault = Vault::open(&dir, None, None).expect("generates");
        let mode = fs::metadata(dir.join(KEY_FILE)).expect("written").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let sealed = vault.seal("agents/mira/access", &Secret::new("token".into()));
        let check = vault.check_value();
        let again = Vault::open(&dir, None, None).expect("found");
        again.prove(&check).expect("the same key");
        let opened = again.open_sealed("agents/mira/access", &sealed).expect("opens");
        assert_eq!(opened.expose(), "token");
        assert_eq!(
            again.open_sealed("agents/olaf/access", &sealed).map(|_| ()),
            Err(VaultError::Sealed)
        );
        let _ = fs::remove_dir_all(&dir);
    }

    #[test]
    fn a_wrong_or_malformed_key_is_told_and_destroys_nothing() {
        let dir = temp_dir("wrong");
        let check = Vault::open(&dir, None, None).expect("generates").check_value();
        let before = fs::read(dir.join(KEY_FILE)).expect("there");
        let other = Secret::new("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".into());
        let vault = Vault::open(&dir, Some(&other), None).expect("a key");
        let wrong = vault.prove(&check).expect_err("another key");
        assert!(wrong.to_string().contains("BITRIX24_MASTER_KEY"));
        let none = temp_dir("none");
        let missing = Vault::reopen(&none, None, None, &check).err().expect("no key");
        assert!(matches!(missing, VaultError::Missing(_)));
        assert!(!none.join(KEY_FILE).exists(), "a key that opens nothing was made up");
        let _ = fs::remove_dir_all(&none);
        for malformed in ["", "short", "AAAA", "not base64 at all!"] {
            let malformed = Secret::new(malformed.into());
            let error = Vault::open(&dir, Some(&malformed), None).err().expect("refused");
            assert!(matches!(error, VaultError::Malformed(_)));
            assert!(error.to_string().contains("openssl rand -base64 32"));
        }
        assert_eq!(fs::read(dir.join(KEY_FILE)).expect("still there"), before);
        let _ = fs::remove_dir_all(&dir);
    }

    #[test]
    fn a_credential_comes_before_the_state_directory() {
        let (state, credentials) = (temp_dir("state"), temp_dir("credentials"));
        let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        fs::write(credentials.join(KEY_FILE), key).expect("credential");
        let vault = Vault::open(&state, None, Some(&credentials)).expect("credential");
        assert!(!state.join(KEY_FILE).exists());
        let same = Vault::open(&state, Some(&Secret::new(key.into())), None).expect("setting");
        same.prove(&vault.check_value()).expect("the same key");
        let _ = (fs::remove_dir_all(&state), fs::remove_dir_all(&credentials));
    }

    #[test]
    fn a_key_that_everybody_can_read_is_refused_and_one_of_a_group_is_not() {
        let dir = temp_dir("modes");
        drop(Vault::open(&dir, None, None).expect("generates"));
        let path = dir.join(KEY_FILE);
        for (mode, accepted) in [(0o400, true), (0o640, true), (0o604, false), (0o666, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("changed");
            match Vault::open(&dir, None, None) {
                Ok(_) => assert!(accepted, "{mode:o}"),
                Err(why) => {
                    assert!(!accepted, "{mode:o}");
                    assert!(why.to_string().contains(&format!("chmod 600 {}", path.display())));
                }
            }
        }
        let _ = fs::remove_dir_all(&dir);
    }
}
