//! Standard Webhooks signatures (<https://www.standardwebhooks.com>): `v1,` and the base64 of the
//! HMAC-SHA256 over `id.timestamp.body`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What a secret starts with; the rest is base64.
const PREFIX: &str = "whsec_";
/// The fewest and most bytes a secret has, by the specification.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A secret that can't sign.
#[derive(Debug, thiserror::Error)]
#[error("webhooks.secret: expected whsec_ and the base64 of 24 to 64 bytes, got {got}")]
pub struct BadSecret {
    got: &'static str,
}

/// Signs webhooks with one secret.
#[derive(Clone)]
pub struct Signer {
    keyed: Hmac<Sha256>,
}

impl Signer {
    /// A signer with a secret in its written form (`whsec_…`).
    pub fn new(secret: &str) -> Result<Signer, BadSecret> {
        let coded = secret.strip_prefix(PREFIX).ok_or(BadSecret {
            got: "one that does not start so",
        })?;
        let key = STANDARD.decode(coded).map_err(|_| BadSecret {
            got: "one that is not base64",
        })?;
        if !KEY_BYTES.contains(&key.len()) {
            return Err(BadSecret {
                got: "one of another length",
            });
        }
        let keyed = Hmac::new_from_slice(&key).expect("HMAC takes a key of any length");
        Ok(Signer { keyed })
    }

    /// The `webhook-signature` of a body sent as message `id` at `timestamp_s` (Unix time).
    pub fn sign(&self, id: &str, timestamp_s: u64, body: &[u8]) -> String {
        let mut mac = self.keyed.clone();
        mac.update(format!("{id}.{timestamp_s}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_the_reference_implementation_does() {
        let secret = format!("{PREFIX}{}", STANDARD.encode([7u8; 32]));
        let ours = Signer::new(&secret).unwrap();
        let theirs = standardwebhooks::Webhook::new(&secret).unwrap();
        for body in ["", "{}", "{\"event_name\":\"iradialer::hangup\",\"é\":1}"] {
            let signature = ours.sign("call_7", 1_795_000_000, body.as_bytes());
            assert_eq!(
                signature,
                theirs
                    .sign("call_7", 1_795_000_000, body.as_bytes())
                    .unwrap()
            );
        }
    }

    #[test]
    fn a_bad_secret_is_not_shown() {
        let short = format!("{PREFIX}{}", STANDARD.encode([7u8; 23]));
        for secret in ["", "hunter2", "whsec_!!", short.as_str()] {
            let error = Signer::new(secret).err().unwrap().to_string();
            assert!(error.starts_with("webhooks.secret: expected whsec_"));
            assert!(secret.is_empty() || !error.contains(&format!("got {secret}")));
        }
    }
}
