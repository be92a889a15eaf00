//! `[license]`: whose licences count, and where one is.

use super::file;
use super::mistake::Mistakes;
use iradialer_core::license::PublicKey;
use std::fs::File;
use std::path::PathBuf;

/// The most keys.
const MAX_KEYS: usize = 16;

/// `[license]`
#[derive(Debug, Clone, Default)]
pub struct LicenseConfig {
    /// A file with a licence, which is installed from there when it is another than before.
    pub file: Option<PathBuf>,
    /// Whose signatures count.
    pub public_keys: Vec<PublicKey>,
}

pub(super) fn check(license: &file::License, mistakes: &mut Mistakes) -> LicenseConfig {
    let keys = &license.public_keys;
    if keys.len() > MAX_KEYS {
        let expected = format!("at most {MAX_KEYS} keys");
        mistakes.refuse("license.public_keys", &expected, &keys.len().to_string());
    }
    let mut public_keys = Vec::new();
    for (index, text) in keys.iter().enumerate() {
        let key = PublicKey::parse(&format!("license.public_keys[{index}]"), text);
        public_keys.extend(mistakes.take(key));
    }
    let file = (!license.file.is_empty()).then(|| PathBuf::from(&license.file));
    if let Some(path) = &file
        && let Err(error) = File::open(path)
    {
        let expected = format!("a file that can be read ({error})");
        mistakes.refuse("license.file", &expected, &license.file);
    }
    LicenseConfig { file, public_keys }
}
