//! Takes a request apart field by field. Every mistake is noted, and what was not asked for is refused
//! by its name: a field that is silently ignored is a call that is not what its sender meant.

use super::error::ApiError;
use super::openapi::described;
use super::query::in_query;
use iradialer_core::fields;
use iradialer_core::value::FieldError;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut, RangeInclusive};
use utoipa::{IntoParams, ToSchema};

/// The fields of a request that were not taken yet, and the mistakes so far. Stricter than a live request's:
/// an empty text is one, and `5.0` is no whole number; but `null` counts as nothing.
pub(super) struct Fields(fields::Fields);

impl Deref for Fields {
    type Target = fields::Fields;
    fn deref(&self) -> &fields::Fields {
        &self.0
    }
}

impl DerefMut for Fields {
    fn deref_mut(&mut self) -> &mut fields::Fields {
        &mut self.0
    }
}

impl Fields {
    /// Of the members of a JSON object.
    pub fn new(members: Map<String, Value>) -> Self {
        Fields(fields::Fields::with_nulls(members))
    }

    /// A text that `parse` makes a checked value of.
    pub fn parsed<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str, &str) -> Result<T, FieldError>,
    ) -> Option<T> {
        self.strict(name, parse)
    }

    /// The same for a field that must be there.
    pub fn required<T>(
        &mut self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str, &str) -> Result<T, FieldError>,
    ) -> Option<T> {
        if !self.has(name) {
            self.leave(name);
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

    /// Refuses what was not taken of a body that is described as `T`. The mistakes, if there are any.
    pub fn finish_body<T: ToSchema>(self) -> Result<(), Vec<FieldError>> {
        self.finish_as(described::properties::<T>)
    }

    /// The same of a query.
    pub fn finish_query<T: IntoParams>(self) -> Result<(), ApiError> {
        self.finish_as(described::parameters::<T>).map_err(in_query)
    }

    /// A description that is not of what is read is our own mistake, which a debug build does not forgive.
    fn finish_as(self, described: fn() -> BTreeSet<String>) -> Result<(), Vec<FieldError>> {
        #[cfg(debug_assertions)]
        assert_eq!(*self.0.asked(), described(), "asked for, and described");
        match self.0.is_empty() {
            true => self.finish(""),
            false => {
                let names: Vec<String> = described().into_iter().collect();
                self.finish(&names.join(", "))
            }
        }
    }

    /// Refuses what was not taken. The mistakes, if there are any.
    pub fn finish(self, known: &str) -> Result<(), Vec<FieldError>> {
        let (mut mistakes, unknown) = self.0.finish();
        for name in unknown.keys() {
            let shown: String = name.chars().take(64).flat_map(char::escape_debug).collect();
            let expected = format!("one of the fields {known}");
            mistakes.push(FieldError::new(shown, expected, name));
        }
        match mistakes.is_empty() {
            true => Ok(()),
            false => Err(mistakes),
        }
    }
}
