//! A licence as a line of text: signed, and verified.

use super::payload;
use super::{License, PublicKey, Refusal, SigningKey};
use crate::strict_json::{self, Limits as JsonLimits};
use crate::value::FieldError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// The longest licence that is read, in bytes.
pub const MAX_TOKEN_BYTES: usize = 4_096;
/// What a licence of this form begins with.
const FORM: &str = "IRA1";
const JSON: JsonLimits = JsonLimits {
    bytes: MAX_TOKEN_BYTES,
    depth: 2,
};

/// A licence and the id of the key that signed it.
#[derive(Debug, Clone, PartialEq)]
pub struct Signed {
    /// The licence.
    pub license: License,
    /// The key.
    pub key_id: String,
}

/// The line of text of a licence.
///
/// # Errors
/// Where a value of it is out of range: nothing is signed that could not be read.
pub fn issue(license: &License, key: &SigningKey) -> Result<String, FieldError> {
    let written = payload::write(license, &key.public().id());
    if let Value::Object(members) = written.clone() {
        payload::read(members)?;
    }
    let message = format!("{FORM}.{}", URL_SAFE_NO_PAD.encode(written.to_string()));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()));
    let token = format!("{message}.{signature}");
    match token.len() <= MAX_TOKEN_BYTES {
        true => Ok(token),
        false => Err(FieldError::new(
            "customer",
            "a shorter name",
            &license.customer,
        )),
    }
}

/// Reads a licence that one of these keys has signed. Whether it holds now and here is for
/// [`License::check`] to say.
///
/// # Errors
/// With why it does not count.
pub fn verify(token: &str, keys: &[PublicKey]) -> Result<Signed, Refusal> {
    let parts = Parts::of(token)?;
    let signer = keys
        .iter()
        .find(|key| key.has_signed(parts.message.as_bytes(), &parts.signature));
    let Some(signer) = signer else {
        // Only to say what is wrong: nothing of it is believed.
        let named = parts.members().ok().and_then(|members| named_key(&members));
        return Err(match named {
            Some(named) if !keys.iter().any(|key| key.id() == named) => Refusal::WrongKey(named),
            _ => Refusal::Changed,
        });
    };
    Ok(Signed {
        license: payload::read(parts.members()?)?,
        key_id: signer.id(),
    })
}

/// What a licence says, whoever has signed it: to show it, and for nothing else.
///
/// # Errors
/// Where it can't be read.
pub fn read(token: &str) -> Result<Signed, Refusal> {
    let members = Parts::of(token)?.members()?;
    let key_id = named_key(&members).unwrap_or_default();
    Ok(Signed {
        license: payload::read(members)?,
        key_id,
    })
}

/// The key that a payload names, if it may be one's id.
fn named_key(members: &Map<String, Value>) -> Option<String> {
    let id = members.get("key_id")?.as_str()?;
    let is_id = id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| id.to_owned())
}

/// A licence taken apart.
struct Parts<'t> {
    /// What is signed.
    message: &'t str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'t> Parts<'t> {
    fn of(token: &'t str) -> Result<Self, Refusal> {
        let none = |got: String| Refusal::NotALicense(got);
        if token.len() > MAX_TOKEN_BYTES {
            return Err(none(format!("more than {MAX_TOKEN_BYTES} bytes")));
        }
        let (message, signature) = token
            .rsplit_once('.')
            .ok_or_else(|| none("a text without a '.'".to_owned()))?;
        let payload = message
            .strip_prefix(FORM)
            .and_then(|rest| rest.strip_prefix('.'))
            .ok_or_else(|| none(format!("one that does not begin with {FORM}")))?;
        let decoded = |name: &str, text: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(text);
            bytes.map_err(|_| none(format!("a {name} that is not base64 for URLs")))
        };
        Ok(Parts {
            message,
            payload: decoded("payload", payload)?,
            signature: decoded("signature", signature)?,
        })
    }

    fn members(&self) -> Result<Map<String, Value>, Refusal> {
        match strict_json::read(&self.payload, JSON) {
            Ok(Value::Object(members)) => Ok(members),
            Ok(_) => Err(Refusal::NotALicense("a payload that is no object".into())),
            Err(error) => {
                let got = format!("a payload that can't be read: {error}");
                Err(Refusal::NotALicense(got))
            }
        }
    }
}
