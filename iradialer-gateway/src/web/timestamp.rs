//! Times as the API writes and reads them: RFC 3339, in UTC with ms where we write them.

use iradialer_core::value::FieldError;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// A time in UTC, to the ms, such as 2026-11-21T10:00:00.000Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, format = DateTime)]
pub(super) struct Time(u64);

impl Time {
    /// Of ms since the Unix epoch.
    pub fn of(ms: u64) -> Self {
        Time(ms)
    }

    /// One for an example.
    pub fn example() -> Self {
        Time(1_795_256_531_120)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&show(self.0))
    }
}

/// `2026-11-21T10:00:00.000Z`.
pub(crate) fn show(ms: u64) -> String {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .map_or_else(|| ms.to_string(), |time| format!("{time:.3}"))
}

/// The time in ms since the Unix epoch.
pub(super) fn parse(field: &str, text: &str) -> Result<u64, FieldError> {
    let time = text.parse::<Timestamp>().ok();
    time.and_then(|time| u64::try_from(time.as_millisecond()).ok())
        .ok_or_else(|| {
            let expected = "a time such as 2026-11-21T10:00:00Z or 2026-11-21T10:00:00+01:00";
            FieldError::new(field, expected, text)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        assert_eq!(show(1_790_000_000_007), "2026-09-21T14:13:20.007Z");
        assert_eq!(
            parse("t", "2026-09-21T16:13:20.007+02:00").unwrap(),
            1_790_000_000_007
        );
        assert_eq!(parse("t", &show(0)).unwrap(), 0);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "now",
            "2026-09-21",
            "2026-09-21T16:13:20",
            "1790000000",
            "1960-01-01T00:00:00Z",
        ] {
            assert!(parse("expires_at", text).is_err(), "{text}");
        }
    }
}
