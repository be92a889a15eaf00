//! The `branch` step: where to go by what is known.

use super::target::Target;
use crate::flow::template::Name;
use crate::value::FieldError;
use serde::{Deserialize, Serialize};

/// The codes of call progress analysis that a case may ask for.
pub const CPA_CODES: [&str; 11] = [
    "LV", "AM", "FX", "BP", "IBP", "BPSL", "SL", "SIT", "EAM", "CS", "TO",
];

/// A `branch` node: leads where the first of its cases leads that holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// The cases in order, 1 to 64.
    pub cases: Vec<Case>,
    /// Where to go when none holds.
    pub default: Target,
}

/// A case: it holds when all that it says does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What `equals`, `in`, `matches`, `min` and `max` look at: a name as in a template, without braces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub var: Option<Name>,
    /// It is this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<String>,
    /// It is one of these, 1 to 64.
    #[serde(default, rename = "in", skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<String>>,
    /// It matches this regular expression (RE2 syntax, up to 200 characters).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<String>,
    /// It is a number, and at least this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// It is a number, and at most this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The time of day is in this span.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
    /// It is one of these days; in a span of hours that goes over midnight, the day on which it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<Days>,
    /// Where it is that time and day: a name of the IANA time zone database, such as `Europe/Berlin`. The
    /// callee's where it is left out; where that is not known either, the case does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Call progress analysis has said one of these, of [`CPA_CODES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpa: Option<Vec<String>>,
    /// Where the case leads.
    pub next: Target,
}

impl Case {
    /// Whether something is asked of `var`.
    pub(in super::super) fn tests_var(&self) -> bool {
        self.equals.is_some()
            || self.one_of.is_some()
            || self.matches.is_some()
            || self.min.is_some()
            || self.max.is_some()
    }
}

/// A span of the day, `HH:MM-HH:MM`: from its first minute up to, and without, its last. One that ends
/// before it begins goes over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hours {
    from: u16,
    to: u16,
}

impl Hours {
    /// Parses `HH:MM-HH:MM`, 00:00 to 24:00.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        let refuse = || FieldError::new("hours", "a span of the day such as '09:00-17:30'", text);
        let (from, to) = text.split_once('-').ok_or_else(refuse)?;
        let hours = Hours {
            from: minute_of_day(from).ok_or_else(refuse)?,
            to: minute_of_day(to).ok_or_else(refuse)?,
        };
        match hours.from != hours.to && hours.from < 24 * 60 {
            true => Ok(hours),
            false => Err(refuse()),
        }
    }

    /// Whether the minute of the day (0 to 1,439) is in the span; `Some(true)` where it is in the part after
    /// midnight of a span that began the day before.
    pub fn contains(&self, minute: u16) -> Option<bool> {
        if self.from < self.to {
            (self.from..self.to).contains(&minute).then_some(false)
        } else if minute >= self.from {
            Some(false)
        } else {
            (minute < self.to).then_some(true)
        }
    }
}

fn minute_of_day(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !two_digits(hour) || !two_digits(minute) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= 24 * 60).then_some(total)
}

impl TryFrom<String> for Hours {
    type Error = FieldError;
    fn try_from(text: String) -> Result<Self, FieldError> {
        Hours::parse(&text)
    }
}

impl From<Hours> for String {
    fn from(hours: Hours) -> String {
        let show = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        format!("{}-{}", show(hours.from), show(hours.to))
    }
}

/// Days of the week, written as `mon-fri` or `mon,wed,sat-sun`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Days([bool; 7]);

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Days {
    /// Parses days and spans of days, parted by commas. A span may go over the weekend: `sat-mon`.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        let refuse =
            || FieldError::new("days", "days such as 'mon-fri' or 'mon,wed,sat-sun'", text);
        let day = |name: &str| DAYS.iter().position(|day| *day == name).ok_or_else(refuse);
        let mut days = [false; 7];
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (day(first)?, day(last)?);
            for place in 0..=(last + 7 - first) % 7 {
                days[(first + place) % 7] = true;
            }
        }
        Ok(Days(days))
    }

    /// Whether the day is one of them; Monday is 0, and days are counted round.
    pub fn contains(&self, day: usize) -> bool {
        self.0[day % 7]
    }
}

impl TryFrom<String> for Days {
    type Error = FieldError;
    fn try_from(text: String) -> Result<Self, FieldError> {
        Days::parse(&text)
    }
}

impl From<Days> for String {
    fn from(days: Days) -> String {
        let named: Vec<&str> = DAYS
            .into_iter()
            .zip(days.0)
            .filter_map(|(name, is_one)| is_one.then_some(name))
            .collect();
        named.join(",")
    }
}

/// Whether there is a time zone of that name.
pub fn known_timezone(name: &str) -> bool {
    crate::flow::zones::zone(name).is_some()
}
