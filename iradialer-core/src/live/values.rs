//! Values that only live requests have.

use crate::value::{CallUuid, FieldError, checked_string};

/// The most times a prompt is repeated.
pub const MAX_LOOPS: u32 = 100;

checked_string!(
    /// A NATS subject: 1 to 16 tokens of letters, digits, `_` and `-`, up to 200 characters, no wildcard.
    EventSubject, "event_subject"
);

impl EventSubject {
    /// Checks `text`; `field` is the name a refusal speaks of.
    pub fn parse(field: &str, text: &str) -> Result<Self, FieldError> {
        let token = |token: &str| {
            !token.is_empty()
                && token
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        };
        let tokens = text.split('.');
        if text.len() <= 200 && tokens.clone().count() <= 16 && tokens.clone().all(token) {
            return Ok(EventSubject(text.to_owned()));
        }
        let expected =
            "a NATS subject of up to 16 tokens of letters, digits, '_' and '-', without wildcards";
        Err(FieldError::new(field, expected, text))
    }
}

checked_string!(
    /// A conference: `CONF-` and a lower-case UUID.
    ConfUuid, "conf_uuid"
);

impl ConfUuid {
    /// Checks `text`; `field` is the name a refusal speaks of.
    pub fn parse(field: &str, text: &str) -> Result<Self, FieldError> {
        match text.strip_prefix("CONF-") {
            Some(uuid) if CallUuid::parse(field, uuid).is_ok() => Ok(ConfUuid(text.to_owned())),
            _ => {
                let expected = "'CONF-' and a lower-case UUID of 36 characters";
                Err(FieldError::new(field, expected, text))
            }
        }
    }
}

checked_string!(
    /// Keys to be sent: 1 to 64 of `0-9`, `*`, `#`, `A-D`, and the pauses `w` (half a second) and `W` (a
    /// second). Lower-case `a-d` are the keys `A-D`.
    DtmfDigits, "digits"
);

impl DtmfDigits {
    /// The most of them.
    pub const MAX_LEN: usize = 64;

    /// Checks `text`; `field` is the name a refusal speaks of.
    pub fn parse(field: &str, text: &str) -> Result<Self, FieldError> {
        let sent = |b: u8| matches!(b, b'0'..=b'9' | b'*' | b'#' | b'A'..=b'D' | b'a'..=b'd' | b'w' | b'W');
        if (1..=Self::MAX_LEN).contains(&text.len()) && text.bytes().all(sent) {
            let upper = |key: char| match key {
                'a'..='d' => key.to_ascii_uppercase(),
                key => key,
            };
            return Ok(DtmfDigits(text.chars().map(upper).collect()));
        }
        let expected = "1 to 64 keys of 0-9, '*', '#', A-D, and pauses 'w' and 'W'";
        Err(FieldError::new(field, expected, text))
    }
}
