//! Takes the data of a request apart, field by field. Every mistake is noted.

use crate::value::FieldError;
use serde_json::{Map, Value};
#[cfg(debug_assertions)]
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// What was not taken yet, and the mistakes so far.
pub struct Fields {
    members: Map<String, Value>,
    mistakes: Vec<FieldError>,
    null_is_nothing: bool,
    #[cfg(debug_assertions)]
    asked: BTreeSet<String>,
}

impl Fields {
    /// Of the members of an object.
    pub fn new(members: Map<String, Value>) -> Self {
        Fields {
            members,
            mistakes: Vec::new(),
            null_is_nothing: false,
            #[cfg(debug_assertions)]
            asked: BTreeSet::new(),
        }
    }

    /// The same, where a field that is `null` counts as one that is not there.
    pub fn with_nulls(members: Map<String, Value>) -> Self {
        Fields {
            null_is_nothing: true,
            ..Self::new(members)
        }
    }

    /// The field as it came.
    pub fn value(&mut self, name: &str) -> Option<Value> {
        self.note_asked(name);
        let value = self.members.remove(name)?;
        (!self.null_is_nothing || !value.is_null()).then_some(value)
    }

    /// Whether it is there and not taken yet.
    pub fn has(&self, name: &str) -> bool {
        let value = self.members.get(name);
        value.is_some_and(|value| !self.null_is_nothing || !value.is_null())
    }

    /// Whether everything was taken.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Takes a field that nothing is done with.
    pub fn leave(&mut self, name: &str) {
        self.note_asked(name);
        self.members.remove(name);
    }

    /// Lets `name` come as `alias`. Both may be there if they say the same.
    pub fn rename(&mut self, alias: &str, name: &str) {
        let Some(came) = self.value(alias) else {
            return;
        };
        let other = self.members.get(name).filter(|_| self.has(name)).cloned();
        match other.filter(|other| *other != came) {
            Some(other) => {
                let expected = format!("the same as {alias} ({came}), or one of them");
                self.refuse::<()>(name, &expected, &other);
            }
            None => {
                self.members.insert(name.to_owned(), came);
            }
        }
    }

    /// The names that were asked for so far, in a debug build: those that the request may have.
    #[cfg(debug_assertions)]
    pub fn asked(&self) -> &BTreeSet<String> {
        &self.asked
    }

    fn note_asked(&mut self, _name: &str) {
        #[cfg(debug_assertions)]
        self.asked.insert(_name.to_owned());
    }

    /// Notes a mistake.
    pub fn note(&mut self, mistake: FieldError) {
        self.mistakes.push(mistake);
    }

    /// Notes that a field is not what was expected.
    pub fn refuse<T>(&mut self, name: &str, expected: &str, got: &Value) -> Option<T> {
        let got = match got {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        self.note(FieldError::new(name, expected, &got));
        None
    }

    /// A text, if it is there.
    pub fn text(&mut self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::String(text) => Some(text),
            other => self.refuse(name, "a text", &other),
        }
    }

    /// A text that `parse` makes a value of, also of an empty one.
    pub fn strict<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str, &str) -> Result<T, FieldError>,
    ) -> Option<T> {
        let text = self.text(name)?;
        self.take(parse(name, &text))
    }

    /// A text that `parse` makes a value of. An empty one counts as none.
    pub fn parsed<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str, &str) -> Result<T, FieldError>,
    ) -> Option<T> {
        let text = self.text(name).filter(|text| !text.is_empty())?;
        self.take(parse(name, &text))
    }

    /// The same for one that must be there, and may be empty if `parse` says so.
    pub fn required<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str, &str) -> Result<T, FieldError>,
    ) -> Option<T> {
        if !self.has(name) {
            // What is expected is what `parse` says of an empty one.
            let expected = parse(name, "").err().map(|mistake| mistake.expected);
            let expected = expected.unwrap_or_else(|| "a text".to_owned());
            self.note(FieldError::missing(name, expected));
            self.note_asked(name);
            return None;
        }
        let text = self.text(name)?;
        self.take(parse(name, &text))
    }

    /// A whole number in a range, or `default`. `5.0` is one.
    pub fn number(&mut self, name: &str, range: RangeInclusive<u32>, default: u32) -> u32 {
        let Some(value) = self.value(name) else {
            return default;
        };
        match whole(&value).filter(|number| range.contains(number)) {
            Some(number) => number,
            None => {
                let expected = format!("a whole number from {} to {}", range.start(), range.end());
                self.refuse::<()>(name, &expected, &value);
                default
            }
        }
    }

    /// `true` or `false`, or `default`.
    pub fn bool(&mut self, name: &str, default: bool) -> bool {
        match self.value(name) {
            None => default,
            Some(Value::Bool(value)) => value,
            Some(other) => self
                .refuse(name, "true or false", &other)
                .unwrap_or(default),
        }
    }

    /// The same for one that must be there.
    pub fn required_bool(&mut self, name: &str) -> Option<bool> {
        match self.value(name) {
            None => {
                self.note(FieldError::missing(name, "true or false"));
                None
            }
            Some(Value::Bool(value)) => Some(value),
            Some(other) => self.refuse(name, "true or false", &other),
        }
    }

    /// An object of at most `max_bytes` of JSON, empty if it is not there.
    pub fn object(&mut self, name: &str, max_bytes: usize) -> Map<String, Value> {
        let value = self.value(name);
        match value {
            None => Map::new(),
            Some(Value::Object(members)) => {
                let bytes = Value::from(members.clone()).to_string().len();
                if bytes > max_bytes {
                    let expected = format!("an object of at most {max_bytes} bytes of JSON");
                    self.note(FieldError::new(name, expected, &format!("{bytes} bytes")));
                }
                members
            }
            Some(other) => self.refuse(name, "an object", &other).unwrap_or_default(),
        }
    }

    /// The value, or `None` and a note.
    pub fn take<T>(&mut self, result: Result<T, FieldError>) -> Option<T> {
        result.map_err(|mistake| self.note(mistake)).ok()
    }

    /// The mistakes, and what was not taken.
    pub fn finish(self) -> (Vec<FieldError>, Map<String, Value>) {
        (self.mistakes, self.members)
    }
}

fn whole(value: &Value) -> Option<u32> {
    let number = value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        (number.fract() == 0.0 && (0.0..4e9).contains(&number)).then_some(number as u64)
    })?;
    u32::try_from(number).ok()
}
