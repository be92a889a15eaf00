//! Where a list goes on: opaque to the client.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use iradialer_core::value::{CallUuid, FieldError};

/// The cursor after a call.
pub(super) fn show(created_ms: u64, call_uuid: CallUuid) -> String {
    URL_SAFE_NO_PAD.encode(format!("{created_ms}:{call_uuid}"))
}

/// The call a cursor is of.
pub(super) fn parse(field: &str, text: &str) -> Result<(u64, CallUuid), FieldError> {
    let decoded = URL_SAFE_NO_PAD.decode(text).ok();
    decoded
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|plain| {
            let (ms, uuid) = plain.split_once(':')?;
            Some((ms.parse().ok()?, CallUuid::parse(field, uuid).ok()?))
        })
        .ok_or_else(|| FieldError::new(field, "the next_cursor of an earlier answer", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_nonsense() {
        let call = CallUuid::fresh();
        assert_eq!(parse("cursor", &show(7, call)).unwrap(), (7, call));
        assert!(parse("cursor", "x").is_err());
        assert!(parse("cursor", "").is_err());
    }
}
