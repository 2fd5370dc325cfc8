//! The change of the master key, while the service is stopped: everything is sealed anew in one
//! commit. A key file that we made is replaced here; a key that the operator keeps is replaced by the
//! operator, with the one given here. Called by the verb `rotate-key`.

use crate::agents::sealed;
use crate::agents::sealed::Rekeyed;
use crate::app::Ended;
use crate::app::build::KEY_CHECK;
use crate::app::build::credentials;
use crate::app::build::failed;
use crate::app::build::not_opened;
use crate::base::secret::Secret;
use crate::base::threads::Exits;
use crate::settings::Settings;
use crate::store::Store;
use crate::vault;
use crate::vault::Vault;
use crate::vault::VaultError;

/// What was done.
pub struct Rotated {
    /// What was sealed anew.
    pub rekeyed: Rekeyed,
    /// Whether the new key is in place, or the operator is to put it there.
    pub in_place: bool,
}

/// Whether the operator keeps the key, and so has to give the next one.
pub fn operator_keeps_key(settings: &Settings) -> bool {
    let credentials = credentials();
    !vault::is_generated(settings.master_key.as_ref(), credentials.as_deref())
}

/// Seals everything under another key: `given`, or a generated one.
///
/// # Errors
/// Why it was not done; then the former key is still the key.
pub fn rotate(settings: &Settings, given: Option<&Secret>) -> Result<Rotated, Ended> {
    let wrong = |why: VaultError| Ended::Settings(why.to_string());
    let credentials = credentials();
    let (dir, key) = (&settings.state_dir, settings.master_key.as_ref());
    let (exits, _ended) = Exits::new();
    let (store, thread) =
        Store::open(dir, &exits).map_err(|why| Ended::Failed(not_opened(dir, &why)))?;
    let Some(check) = store.meta(KEY_CHECK).map_err(failed)? else {
        return Err(Ended::Failed("nothing is sealed yet: there is no key to change".to_owned()));
    };
    let former = Vault::reopen(dir, key, credentials.as_deref(), &check).map_err(wrong)?;
    let next = Vault::next(dir, given).map_err(wrong)?;
    let rekeyed = sealed::rekey(&store, KEY_CHECK, &former, &next).map_err(failed)?;
    thread.stop();
    let in_place = given.is_none();
    if in_place {
        vault::adopt_next(dir).map_err(wrong)?;
    }
    Ok(Rotated { rekeyed, in_place })
}
