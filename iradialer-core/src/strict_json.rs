//! JSON from strangers, read more strictly than JSON has to be.

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// How much a document may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest document, in bytes.
    pub bytes: usize,
    /// How deep objects and arrays may lie in each other; the outermost counts. At most 100.
    pub depth: usize,
}

/// Why a document was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Where in the document, such as `nodes.menu`; empty for the document as a whole.
    pub path: String,
    /// What is wrong with it, in a sentence.
    pub message: String,
}

/// Reads a document that is within `limits` and has no key twice in one object (a reader of the same
/// bytes further on could take the other one).
pub fn read(json: &[u8], limits: Limits) -> Result<Value, Refusal> {
    if json.len() > limits.bytes {
        return Err(Refusal {
            path: String::new(),
            message: format!(
                "expected at most {} bytes of JSON, got {}",
                limits.bytes,
                json.len()
            ),
        });
    }
    let mut place = Place {
        path: Vec::new(),
        depth: limits.depth.min(100),
    };
    let mut reader = serde_json::Deserializer::from_slice(json);
    let read = Reader(&mut place).deserialize(&mut reader);
    let value = read.and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| Refusal {
        path: place.path.concat().trim_start_matches('.').to_owned(),
        message: error.to_string(),
    })
}

/// Where the reader is. The path stays as it is when reading fails, and so says where.
struct Place {
    path: Vec<String>,
    depth: usize,
}

struct Reader<'a>(&'a mut Place);

impl Reader<'_> {
    fn enter<E: de::Error>(&self) -> Result<(), E> {
        if self.0.path.len() < self.0.depth {
            return Ok(());
        }
        let depth = self.0.depth;
        Err(E::custom(format_args!(
            "expected objects and arrays at most {depth} deep, got more"
        )))
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, it: bool) -> Result<Value, E> {
        Ok(Value::from(it))
    }

    fn visit_i64<E>(self, it: i64) -> Result<Value, E> {
        Ok(Value::from(it))
    }

    fn visit_u64<E>(self, it: u64) -> Result<Value, E> {
        Ok(Value::from(it))
    }

    fn visit_f64<E>(self, it: f64) -> Result<Value, E> {
        Ok(Value::from(it))
    }

    fn visit_str<E>(self, it: &str) -> Result<Value, E> {
        Ok(Value::from(it))
    }

    fn visit_string<E>(self, it: String) -> Result<Value, E> {
        Ok(Value::from(it))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut items = Vec::new();
        loop {
            self.0.path.push(format!("[{}]", items.len()));
            let item = access.next_element_seed(Reader(self.0))?;
            self.0.path.pop();
            match item {
                Some(item) => items.push(item),
                None => return Ok(Value::from(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut members = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            self.0.path.push(format!(".{}", shown(&key)));
            if members.contains_key(&key) {
                return Err(de::Error::custom(
                    "expected each key once, got this one twice",
                ));
            }
            let value = access.next_value_seed(Reader(self.0))?;
            self.0.path.pop();
            members.insert(key, value);
        }
        Ok(Value::from(members))
    }
}

/// A key as a path shows it: short, and without control characters.
pub(crate) fn shown(key: &str) -> String {
    let mut shown: String = key.chars().take(64).flat_map(char::escape_debug).collect();
    if key.chars().nth(64).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits {
        bytes: 1_000,
        depth: 3,
    };

    fn refusal(json: &str) -> (String, String) {
        let refusal = read(json.as_bytes(), LIMITS).expect_err(json);
        (refusal.path, refusal.message)
    }

    #[test]
    fn reads_what_json_may_hold() {
        for json in [
            r#"{"a":[1,-2,3.5,true,null,"x"],"b":{"c":{}}}"#,
            "[]",
            "7",
            "\"\\u0041\"",
        ] {
            let expected: Value = serde_json::from_str(json).unwrap();
            assert_eq!(read(json.as_bytes(), LIMITS), Ok(expected));
        }
    }

    #[test]
    fn a_key_twice_is_refused_where_it_is() {
        for (json, path) in [
            (r#"{"a":1,"a":1}"#, "a"),
            (r#"{"a":1,"\u0061":1}"#, "a"),
            (r#"{"a":[{},{"b":1,"c":2,"b":3}]}"#, "a[1].b"),
            (r#"[{"":1,"":2}]"#, "[0]."),
        ] {
            let (at, message) = refusal(json);
            assert_eq!(at, path);
            assert!(message.starts_with("expected each key once"), "{message}");
        }
    }

    #[test]
    fn depth_and_length_are_bounded() {
        assert!(read(b"[[[1]]]", LIMITS).is_ok());
        assert_eq!(refusal("[[[[1]]]]").0, "[0][0][0]");
        assert_eq!(refusal(r#"{"a":{"b":{"c":{}}}}"#).0, "a.b.c");
        let long = format!("\"{}\"", "x".repeat(998));
        assert!(read(long.as_bytes(), LIMITS).is_ok());
        let (path, message) = refusal(&format!("{long} "));
        assert_eq!(
            (path.as_str(), message.as_str()),
            ("", "expected at most 1000 bytes of JSON, got 1001")
        );
    }

    #[test]
    fn a_bound_of_the_caller_cannot_overflow_the_stack() {
        let deep = "[".repeat(100_000);
        let limits = Limits {
            bytes: usize::MAX,
            depth: usize::MAX,
        };
        assert!(
            read(deep.as_bytes(), limits)
                .unwrap_err()
                .message
                .contains("at most 100 deep")
        );
    }

    #[test]
    fn what_is_shown_of_a_key_is_short_and_printable() {
        let key = format!("a\n{}", "x".repeat(100));
        let json = serde_json::json!({ key: [[["deep"]]] }).to_string();
        let (path, _) = refusal(&json);
        assert!(path.starts_with("a\\nxx") && path.len() < 80, "{path}");
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json_but_for_its_refusals(json in r#"[\[\]{}:, "ab0-9.eE+tru\\]{0,40}"#) {
            let lax: Result<Value, _> = serde_json::from_str(&json);
            match read(json.as_bytes(), LIMITS) {
                Ok(value) => prop_assert_eq!(value, lax.unwrap()),
                Err(refusal) => prop_assert!(lax.is_err() || refusal.message.starts_with("expected "), "{}", refusal),
            }
        }
    }
}
