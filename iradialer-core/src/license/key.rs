//! The keys that licences are signed with.

use crate::value::FieldError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};
use std::fmt;

const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";
/// How long a line of PEM is.
const PEM_LINE: usize = 64;
/// The longest file that is taken for a key, in bytes.
const MAX_PEM_BYTES: usize = 4_096;

/// A key that signs. It has no `Debug`: it is a secret.
pub struct SigningKey(Ed25519KeyPair);

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The system has no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness,
    /// The text is none.
    #[error("expected an Ed25519 key in PEM (PKCS #8, \"{PEM_BEGIN}\"), got something else")]
    NotAKey,
}

impl SigningKey {
    /// A fresh key, in PEM (PKCS #8): what other tools read too.
    pub fn generate() -> Result<String, KeyError> {
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| KeyError::NoRandomness)?;
        let text = STANDARD.encode(der.as_ref());
        let mut pem = format!("{PEM_BEGIN}\n");
        for line in text.as_bytes().chunks(PEM_LINE) {
            pem.extend(line.iter().map(|byte| char::from(*byte)));
            pem.push('\n');
        }
        Ok(pem + PEM_END + "\n")
    }

    /// Reads one, also as OpenSSL writes it (`openssl genpkey -algorithm ed25519`).
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let inner = pem.trim().strip_prefix(PEM_BEGIN);
        let inner = inner.and_then(|rest| rest.strip_suffix(PEM_END));
        let inner = inner.filter(|_| pem.len() <= MAX_PEM_BYTES);
        let text: String = inner.ok_or(KeyError::NotAKey)?.split_whitespace().collect();
        let der = STANDARD.decode(text).map_err(|_| KeyError::NotAKey)?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der);
        pair.map(SigningKey).map_err(|_| KeyError::NotAKey)
    }

    /// What its signatures are verified with.
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; PublicKey::LEN];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(bytes)
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }
}

/// A key whose signatures count.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; Self::LEN]);

impl PublicKey {
    /// Its length, in bytes.
    const LEN: usize = 32;

    /// Reads the base64 of its 32 bytes.
    ///
    /// # Errors
    /// Names `field`.
    pub fn parse(field: &str, text: &str) -> Result<Self, FieldError> {
        let bytes = STANDARD.decode(text).ok();
        let bytes = bytes.and_then(|bytes| <[u8; Self::LEN]>::try_from(bytes).ok());
        let expected = "the base64 of the 32 bytes of an Ed25519 public key";
        bytes
            .map(PublicKey)
            .ok_or_else(|| FieldError::new(field, expected, text))
    }

    /// What it is called for short: the first 8 bytes of its SHA-256, in hex.
    pub fn id(&self) -> String {
        let hash = Sha256::digest(self.0);
        hash.iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(message, signature)
            .is_ok()
    }
}

/// In base64.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}
