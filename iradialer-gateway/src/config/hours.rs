//! The hours a campaign may call in.

use iradialer_core::value::FieldError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A span of the day such as `0900-1900`: from its first minute up to, and without, its last. A span
/// that ends before it begins goes over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hours {
    from: u16,
    to: u16,
}

impl Hours {
    /// Parses `HHMM-HHMM`, 0000 to 2400; `None` where it is not that, or is empty (`0900-0900`).
    pub fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('-')?;
        let hours = Hours {
            from: minute_of_day(from)?,
            to: minute_of_day(to)?,
        };
        (hours.from != hours.to && hours.from < 24 * 60).then_some(hours)
    }

    /// Whether the minute of the day (0 to 1,439) is in the span.
    pub fn contains(&self, minute: u16) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }

    /// How many minutes it takes from that minute of the day to the next beginning of the span, 1 to 1,440.
    pub fn minutes_to_next(&self, minute: u16) -> u16 {
        let day = 24 * 60;
        match (self.from + day - minute % day) % day {
            0 => day,
            minutes => minutes,
        }
    }
}

impl TryFrom<String> for Hours {
    type Error = FieldError;
    fn try_from(text: String) -> Result<Self, FieldError> {
        let expected = "HHMM-HHMM such as 0900-1900";
        Hours::parse(&text).ok_or_else(|| FieldError::new("hours", expected, &text))
    }
}

impl From<Hours> for String {
    fn from(hours: Hours) -> String {
        hours.to_string()
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |minute: u16| format!("{:02}{:02}", minute / 60, minute % 60);
        write!(f, "{}-{}", show(self.from), show(self.to))
    }
}

fn minute_of_day(text: &str) -> Option<u16> {
    if text.len() != 4 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hour, minute): (u16, u16) = (text[..2].parse().ok()?, text[2..].parse().ok()?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= 24 * 60).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        let day = Hours::parse("0900-1900").unwrap();
        assert!(day.contains(9 * 60));
        assert!(day.contains(18 * 60 + 59));
        assert!(!day.contains(19 * 60));
        assert!(!day.contains(8 * 60 + 59));
        let night = Hours::parse("2200-0600").unwrap();
        assert!(night.contains(23 * 60) && night.contains(0) && !night.contains(6 * 60));
        let all = Hours::parse("0000-2400").unwrap();
        assert!(all.contains(0) && all.contains(1_439));
        assert_eq!(day.to_string(), "0900-1900");
        assert_eq!(day.minutes_to_next(8 * 60 + 59), 1);
        assert_eq!(day.minutes_to_next(19 * 60), 14 * 60);
        assert_eq!(day.minutes_to_next(9 * 60), 24 * 60);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "9-19",
            "0900",
            "0900-0900",
            "2500-2600",
            "0960-1000",
            "09:00-19:00",
            "2400-0100",
        ] {
            assert_eq!(Hours::parse(text), None, "{text}");
        }
    }
}
