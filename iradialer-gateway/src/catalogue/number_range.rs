//! A range of numbers that calls may show as the caller's.

use iradialer_core::value::FieldError;
use serde::{Deserialize, Serialize};

/// All numbers of a prefix and then as many digits as both ends have, from one to the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberRange {
    /// Digits before each; may be empty.
    #[serde(default)]
    pub prefix: String,
    /// The first, digits.
    pub first: String,
    /// The last, as many digits.
    pub last: String,
}

impl NumberRange {
    /// `FIRST-LAST`, 3 to 10 digits each, after `prefix`.
    pub fn parse(field: &str, prefix: &str, text: &str) -> Result<Self, FieldError> {
        let is_end = |end: &str| {
            (3..=10).contains(&end.len()) && end.bytes().all(|digit| digit.is_ascii_digit())
        };
        match text.split_once('-') {
            Some((first, last))
                if is_end(first) && is_end(last) && first.len() == last.len() && first <= last =>
            {
                Ok(NumberRange {
                    prefix: prefix.to_owned(),
                    first: first.to_owned(),
                    last: last.to_owned(),
                })
            }
            _ => {
                let expected = "FIRST-LAST, both of the same 3 to 10 digits in length, such as 5550100-5550199";
                Err(FieldError::new(field, expected, text))
            }
        }
    }

    /// `FIRST-LAST`, 3 to 15 digits each, whole numbers with or without a `+`.
    pub fn parse_long(field: &str, text: &str) -> Result<Self, FieldError> {
        let plain = text.replace('+', "");
        let ends = plain.split_once('-').unwrap_or(("", ""));
        let is_end = |end: &str| {
            (3..=15).contains(&end.len()) && end.bytes().all(|digit| digit.is_ascii_digit())
        };
        if !(is_end(ends.0) && is_end(ends.1) && ends.0.len() == ends.1.len() && ends.0 <= ends.1) {
            let expected = "FIRST-LAST, both of the same 3 to 15 digits in length, such as 15005550100-15005550199";
            return Err(FieldError::new(field, expected, text));
        }
        Ok(NumberRange {
            prefix: String::new(),
            first: ends.0.to_owned(),
            last: ends.1.to_owned(),
        })
    }

    /// A prefix: an optional `+` and up to 14 digits.
    pub fn parse_prefix(field: &str, text: &str) -> Result<String, FieldError> {
        let digits = super::digits(text);
        match digits.len() <= 14 && digits.bytes().all(|digit| digit.is_ascii_digit()) {
            true => Ok(digits.to_owned()),
            false => Err(FieldError::new(
                field,
                "an optional '+' and up to 14 digits",
                text,
            )),
        }
    }

    /// Whether the number, digits alone, is one of these.
    pub fn has(&self, number: &str) -> bool {
        number
            .strip_prefix(self.prefix.as_str())
            .is_some_and(|rest| {
                rest.len() == self.first.len() && (&*self.first..=&*self.last).contains(&rest)
            })
    }

    /// `FIRST-LAST`, with the prefix.
    pub fn shown(&self) -> String {
        format!("{0}{1}-{0}{2}", self.prefix, self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nonsense_is_refused_by_its_field() {
        for text in [
            "",
            "100",
            "100-",
            "199-100",
            "100-1999",
            "10-20",
            "abc-abd",
            "100-200-300",
        ] {
            let refused = NumberRange::parse("did_range[0]", "", text).unwrap_err();
            assert_eq!(refused.field, "did_range[0]", "{text}");
        }
    }

    proptest! {
        #[test]
        fn it_has_what_lies_between_its_ends(first in 0..1_000u32, more in 0..1_000u32, number in 0..3_000u32) {
            let last = (first + more).min(999);
            let text = format!("{first:03}-{last:03}");
            let range = NumberRange::parse("range", "1555", &text).unwrap();
            let lies = (first..=last).contains(&number);
            prop_assert_eq!(range.has(&format!("1555{number:03}")), lies);
            let bare = format!("{number:03}");
            prop_assert!(!range.has(&bare));
        }
    }
}
