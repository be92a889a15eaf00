//! What a flow's document is known by.

use super::{FieldError, checked_string};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

checked_string!(
    /// The SHA-256 of a flow's canonical document ([`FlowHash::canonical`]), in 64 lower-case hexadecimal digits.
    FlowHash, "hash"
);

impl FlowHash {
    /// The one form of a document that is hashed, stored and sent: keys in the order of their bytes, no white
    /// space. Documents that differ in these only have the same hash.
    pub fn canonical(document: &Value) -> String {
        // A map of serde_json is sorted by key.
        document.to_string()
    }

    /// Of a canonical document.
    pub fn of(canonical: &str) -> Self {
        let mut text = String::with_capacity(64);
        for byte in Sha256::digest(canonical.as_bytes()) {
            let added = write!(text, "{byte:02x}");
            debug_assert!(added.is_ok(), "a string takes everything");
        }
        FlowHash(text)
    }

    /// Checks `text`; `field` is the name a refusal speaks of.
    pub fn parse(field: &str, text: &str) -> Result<Self, FieldError> {
        let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        match text.len() == 64 && text.bytes().all(is_digit) {
            true => Ok(FlowHash(text.to_owned())),
            false => Err(FieldError::new(
                field,
                "64 lower-case hexadecimal digits",
                text,
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_white_space_make_no_other_flow() {
        let hash = |text| FlowHash::of(&FlowHash::canonical(&serde_json::from_str(text).unwrap()));
        let one: FlowHash = hash(r#"{"b":1,"a":{"d":"x","c":[1,2]}}"#);
        assert_eq!(
            one,
            hash("{ \"a\": {\"c\": [1, 2], \"d\": \"x\"},\n\"b\": 1}")
        );
        assert_ne!(one, hash(r#"{"a":{"c":[2,1],"d":"x"},"b":1}"#));
        assert_eq!(FlowHash::parse("hash", one.as_str()), Ok(one));
    }

    #[test]
    fn known_digest() {
        assert_eq!(
            FlowHash::of("{}").as_str(),
            "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "44", &"g".repeat(64), &"A".repeat(64), &"a".repeat(65)] {
            assert_eq!(FlowHash::parse("hash", text).unwrap_err().field, "hash");
        }
    }
}
