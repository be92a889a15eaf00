//! The secret webhooks are signed with, in the form of Standard Webhooks: `whsec_` and Base64.

use super::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::TryRngCore;
use rand::rngs::OsRng;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const PREFIX: &str = "whsec_";
/// How many random bytes a secret of our own has; Standard Webhooks asks for 24 to 64.
const OWN_BYTES: usize = 32;

/// Whether the text is such a secret.
pub(super) fn is_valid(text: &str) -> bool {
    text.strip_prefix(PREFIX)
        .and_then(|encoded| STANDARD.decode(encoded).ok())
        .is_some_and(|bytes| (24..=64).contains(&bytes.len()))
}

/// The secret kept in the file, or a fresh one, kept there from now on for its owner's eyes only.
pub fn kept_in(file: &Path) -> io::Result<Secret> {
    match std::fs::read_to_string(file) {
        Ok(text) if is_valid(text.trim()) => return Ok(Secret::new(text.trim())),
        Ok(_) => {
            let what = format!(
                "{}: expected a secret of the form whsec_BASE64",
                file.display()
            );
            return Err(io::Error::new(ErrorKind::InvalidData, what));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut random = [0u8; OWN_BYTES];
    OsRng
        .try_fill_bytes(&mut random)
        .map_err(io::Error::other)?;
    let secret = Secret::new(format!("{PREFIX}{}", STANDARD.encode(random)));
    let mut made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)?;
    writeln!(made, "{}", secret.reveal())?;
    made.sync_all()?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn made_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("webhook.secret");
        let made = kept_in(&file).unwrap();
        assert!(is_valid(made.reveal()));
        assert_eq!(kept_in(&file).unwrap(), made);
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_spoilt_file_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("webhook.secret");
        std::fs::write(&file, "half").unwrap();
        assert_eq!(kept_in(&file).unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "half");
    }
}
