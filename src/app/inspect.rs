//! A look at what a stopped service would start with: its database and its master key, proven against
//! each other. Changes nothing. Called by the verb `doctor`; a running service has proven both.

use crate::app::build::KEY_CHECK;
use crate::app::build::credentials;
use crate::settings::Settings;
use crate::store;
use crate::store::examine;
use crate::store::examine::Examined;
use crate::vault;
use crate::vault::VaultError;

/// What was seen.
pub struct Inspected {
    /// The database, if there is one that this version can use.
    pub database: Result<Option<Examined>, store::Error>,
    /// Whether the key is proven; `false` when nothing is sealed that would prove it.
    pub key: Result<bool, VaultError>,
}

/// Looks at database and key.
pub fn inspect(settings: &Settings) -> Inspected {
    let database = examine::examine(&settings.state_dir, KEY_CHECK);
    let credentials = credentials();
    let (dir, key) = (&settings.state_dir, settings.master_key.as_ref());
    let sealed = database.as_ref().ok().and_then(|found| found.as_ref()?.meta.as_deref());
    let key = match sealed {
        Some(check) => vault::examine(dir, key, credentials.as_deref(), check).map(|()| true),
        None => Ok(false),
    };
    Inspected { database, key }
}
