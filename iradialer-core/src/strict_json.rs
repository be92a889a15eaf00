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
