//! Takes a request apart field by field. Every mistake is noted, and what was not asked for is refused
//! by its name: a field that is silently ignored is a call that is not what its sender meant.

use iradialer_core::value::FieldError;
use serde_json::{Map, Value};
use std::ops::RangeInclusive;

/// The fields of a request that were not taken yet, and the mistakes so far.
pub(super) struct Fields {
    members: Map<String, Value>,
    mistakes: Vec<FieldError>,
}

impl Fields {
    /// Of the members of a JSON object.
    pub fn new(members: Map<String, Value>) -> Self {
        Fields {
            members,
            mistakes: Vec::new(),
        }
    }

    /// The field as it came; `null` counts as nothing.
    pub fn value(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name).filter(|value| !value.is_null())
    }

    /// A text, if it is there.
    pub fn text(&mut self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::String(text) => Some(text),
            other => self.refuse(name, "a text", &other),
        }
    }

    /// A text that `parse` makes a checked value of.
    pub fn parsed<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str, &str) -> Result<T, FieldError>,
    ) -> Option<T> {
        let text = self.text(name)?;
        self.take(parse(name, &text))
    }

    /// The same for a field that must be there.
    pub fn required<T>(
        &mut self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str, &str) -> Result<T, FieldError>,
    ) -> Option<T> {
        if self.members.get(name).is_none_or(Value::is_null) {
            self.members.remove(name);
            self.note(FieldError::missing(name, expected));
            return None;
        }
        self.parsed(name, parse)
    }

    /// A whole number in a range, or `default`.
    pub fn number(&mut self, name: &str, range: RangeInclusive<u32>, default: u32) -> u32 {
        let Some(value) = self.value(name) else {
            return default;
        };
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        match number.filter(|number| range.contains(number)) {
            Some(number) => number,
            None => {
                let expected = format!("a whole number from {} to {}", range.start(), range.end());
                self.refuse::<()>(name, &expected, &value);
                default
            }
        }
    }

    /// An object of at most `max_bytes` of JSON, empty if it is not there.
    pub fn object(&mut self, name: &str, max_bytes: usize) -> Map<String, Value> {
        match self.value(name) {
            None => Map::new(),
            Some(Value::Object(members)) => {
                let bytes = Value::from(members.clone()).to_string().len();
                if bytes > max_bytes {
                    let expected = format!("an object of at most {max_bytes} bytes of JSON");
                    let got = format!("{bytes} bytes");
                    self.note(FieldError::new(name, expected, &got));
                }
                members
            }
            Some(other) => {
                self.refuse::<()>(name, "an object", &other);
                Map::new()
            }
        }
    }

    /// The value, or `None` and a note.
    pub fn take<T>(&mut self, result: Result<T, FieldError>) -> Option<T> {
        result.map_err(|mistake| self.note(mistake)).ok()
    }

    /// Notes a mistake.
    pub fn note(&mut self, mistake: FieldError) {
        self.mistakes.push(mistake);
    }

    /// Notes that a field is not what was expected.
    pub fn refuse<T>(&mut self, name: &str, expected: &str, got: &Value) -> Option<T> {
        let shown = match got {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        self.note(FieldError::new(name, expected, &shown));
        None
    }

    /// Refuses what was not taken. The mistakes, if there are any.
    pub fn finish(mut self, known: &str) -> Result<(), Vec<FieldError>> {
        for name in self.members.keys() {
            let shown: String = name.chars().take(64).flat_map(char::escape_debug).collect();
            let expected = format!("one of the fields {known}");
            self.mistakes.push(FieldError::new(shown, expected, name));
        }
        match self.mistakes.is_empty() {
            true => Ok(()),
            false => Err(self.mistakes),
        }
    }
}
