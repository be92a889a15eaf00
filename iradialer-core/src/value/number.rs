//! Telephone numbers as they are dialled and shown.

use super::{FieldError, checked_string};

checked_string!(
    /// The number to dial: an optional `+`, then 3 to 15 digits (E.164 allows 15).
    DialNumber, "to_number"
);

impl DialNumber {
    /// Checks `text`; `field` is the name a refusal speaks of.
    pub fn parse(field: &str, text: &str) -> Result<Self, FieldError> {
        if is_number(text) {
            Ok(DialNumber(text.to_owned()))
        } else {
            Err(FieldError::new(
                field,
                "an optional '+' and 3 to 15 digits",
                text,
            ))
        }
    }
}

checked_string!(
    /// The caller's number: as [`DialNumber`], or empty for the trunk's own.
    #[derive(Default)]
    CallerNumber, "from_number"
);

impl CallerNumber {
    /// Checks `text`; `field` is the name a refusal speaks of.
    pub fn parse(field: &str, text: &str) -> Result<Self, FieldError> {
        if text.is_empty() || is_number(text) {
            Ok(CallerNumber(text.to_owned()))
        } else {
            let expected = "nothing, or an optional '+' and 3 to 15 digits";
            Err(FieldError::new(field, expected, text))
        }
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    (3..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_a_dial_string_would_read() {
        for text in [
            "",
            "+",
            "12",
            "1".repeat(60).as_str(),
            "+1415555a",
            "1{2}3456",
            "123,456",
            "123|456",
            "^^:1234",
            "123'456",
            "123\n456",
            "123\x00456",
            "123%s456",
            "++123456",
            "123 456",
            "١٢٣٤٥",
        ] {
            let refusal = DialNumber::parse("to_number", text).unwrap_err();
            assert_eq!(refusal.field, "to_number");
        }
    }

    proptest! {
        #[test]
        fn accepts_only_plus_and_digits(text in "\\PC*") {
            if let Ok(number) = DialNumber::parse("n", &text) {
                prop_assert!(number.as_str().bytes().all(|b| b == b'+' || b.is_ascii_digit()));
            }
        }
    }
}
