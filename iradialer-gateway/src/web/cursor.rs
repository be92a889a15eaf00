//! Where a list goes on: opaque to the client.

use crate::tdb::Place;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use iradialer_core::value::{CallUuid, FieldError};

/// The cursor after a call.
pub(super) fn show(created_ms: u64, call_uuid: CallUuid) -> String {
    URL_SAFE_NO_PAD.encode(format!("{created_ms}:{call_uuid}"))
}

/// The cursor after an event of a call.
pub(super) fn show_with_seq((at_ms, call_uuid, seq): Place) -> String {
    URL_SAFE_NO_PAD.encode(format!("{at_ms}:{call_uuid}:{seq}"))
}

/// The call a cursor is of.
pub(super) fn parse(field: &str, text: &str) -> Result<(u64, CallUuid), FieldError> {
    decoded(field, text, |plain| {
        let (ms, uuid) = plain.split_once(':')?;
        Some((ms.parse().ok()?, CallUuid::parse(field, uuid).ok()?))
    })
}

/// The event of a call that a cursor is of.
pub(super) fn parse_with_seq(field: &str, text: &str) -> Result<Place, FieldError> {
    decoded(field, text, |plain| {
        let (ms, rest) = plain.split_once(':')?;
        let (uuid, seq) = rest.split_once(':')?;
        let call_uuid = CallUuid::parse(field, uuid).ok()?;
        Some((ms.parse().ok()?, call_uuid, seq.parse().ok()?))
    })
}

fn decoded<T>(
    field: &str,
    text: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T, FieldError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|plain| read(&plain))
        .ok_or_else(|| FieldError::new(field, "the next_cursor of an earlier answer", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_nonsense() {
        let call = CallUuid::fresh();
        assert_eq!(parse("cursor", &show(7, call)).unwrap(), (7, call));
        let place = (7, call, 3);
        let shown = show_with_seq(place);
        assert_eq!(parse_with_seq("cursor", &shown).unwrap(), place);
        assert!(parse("cursor", &shown).is_err(), "of another list");
        assert!(parse_with_seq("cursor", &show(7, call)).is_err());
        assert!(parse("cursor", "x").is_err());
        assert!(parse("cursor", "").is_err());
    }
}
