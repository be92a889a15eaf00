//! What a licence says, as JSON.

use super::refusal::Time;
use super::{Features, License, Limits};
use crate::fields::Fields;
use crate::value::{ClusterName, FieldError};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::ops::RangeInclusive;
use uuid::Uuid;

/// The longest name of a customer, in characters.
const MAX_CUSTOMER: usize = 100;
/// The highest serial: JSON's readers agree on whole numbers up to it.
const MAX_SERIAL: u64 = (1 << 53) - 1;
const CHANNELS: RangeInclusive<u32> = 1..=1_000_000;
const SWITCHES: RangeInclusive<u32> = 1..=10_000;
const GRACE_S: RangeInclusive<u32> = 60..=2_592_000;
const MAX_CPS: f64 = 100_000.0;

/// The payload of a licence that is signed with the key of that id.
pub(super) fn write(license: &License, key_id: &str) -> Value {
    let limits = &license.limits;
    json!({
        "key_id": key_id,
        "license_id": license.license_id.to_string(),
        "serial": license.serial,
        "customer": license.customer,
        "cluster": license.cluster,
        "issued_at": Time(license.issued_s).to_string(),
        "not_before": Time(license.not_before_s).to_string(),
        "expires_at": Time(license.expires_s).to_string(),
        "max_channels": limits.max_channels,
        "max_cps": limits.max_cps,
        "max_switches": limits.max_switches,
        "features": limits.features,
        "grace_s": limits.grace_s,
    })
}

/// Reads a payload. Every field has to be there, and no other.
///
/// # Errors
/// Names the first field that is wrong.
pub(super) fn read(payload: Map<String, Value>) -> Result<License, FieldError> {
    let mut fields = Fields::with_nulls(payload);
    fields.leave("key_id");
    let license_id = fields.required("license_id", uuid);
    let serial = serial(&mut fields);
    let customer = fields.required("customer", customer);
    let cluster = fields.parsed("cluster", ClusterName::parse);
    let issued_s = fields.required("issued_at", time);
    let not_before_s = fields.required("not_before", time);
    let expires_s = fields.required("expires_at", time);
    let max_channels = number(&mut fields, "max_channels", CHANNELS);
    let max_cps = rate(&mut fields);
    let max_switches = number(&mut fields, "max_switches", SWITCHES);
    let features = features(&mut fields);
    let grace_s = number(&mut fields, "grace_s", GRACE_S);
    if let (Some(from), Some(until)) = (not_before_s, expires_s)
        && until <= from
    {
        let expected = "a time after not_before";
        fields.note(FieldError::new(
            "expires_at",
            expected,
            &Time(until).to_string(),
        ));
    }
    let (mistakes, unknown) = fields.finish();
    if let Some(mistake) = mistakes.into_iter().next() {
        return Err(mistake);
    }
    if let Some(name) = unknown.keys().next() {
        let expected = "a field that this release knows";
        return Err(FieldError::new(name.as_str(), expected, name));
    }
    let read = || {
        Some(License {
            license_id: license_id?,
            serial: serial?,
            customer: customer?,
            cluster,
            issued_s: issued_s?,
            not_before_s: not_before_s?,
            expires_s: expires_s?,
            limits: Limits {
                max_channels: max_channels?,
                max_cps: max_cps?,
                max_switches: max_switches?,
                features: features?,
                grace_s: grace_s?,
            },
        })
    };
    // Whatever is not there was noted.
    read().ok_or_else(|| FieldError::missing("payload", "every field of a licence"))
}

fn uuid(field: &str, text: &str) -> Result<Uuid, FieldError> {
    let uuid = Uuid::try_parse(text).ok();
    uuid.filter(|uuid| uuid.hyphenated().to_string() == text)
        .ok_or_else(|| FieldError::new(field, "a lower-case UUID of 36 characters", text))
}

fn customer(field: &str, text: &str) -> Result<String, FieldError> {
    let fits = (1..=MAX_CUSTOMER).contains(&text.chars().count())
        && text.trim() == text
        && !text.chars().any(char::is_control);
    let expected = "a name of 1 to 100 characters, without control characters and spaces around it";
    fits.then(|| text.to_owned())
        .ok_or_else(|| FieldError::new(field, expected, text))
}

fn time(field: &str, text: &str) -> Result<u64, FieldError> {
    let time = text.parse::<Timestamp>().ok();
    // Up to the second, so that it reads back as it was written.
    time.filter(|time| time.subsec_nanosecond() == 0)
        .and_then(|time| u64::try_from(time.as_second()).ok())
        .ok_or_else(|| {
            FieldError::new(
                field,
                "a time to the second such as 2027-01-31T00:00:00Z",
                text,
            )
        })
}

fn serial(fields: &mut Fields) -> Option<u64> {
    let expected = "a whole number from 1 to 9007199254740991";
    match fields.value("serial") {
        None => missing(fields, "serial", expected),
        Some(value) => match value.as_u64() {
            Some(serial) if (1..=MAX_SERIAL).contains(&serial) => Some(serial),
            _ => fields.refuse("serial", expected, &value),
        },
    }
}

fn number(fields: &mut Fields, name: &str, range: RangeInclusive<u32>) -> Option<u32> {
    if !fields.has(name) {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        return missing(fields, name, &expected);
    }
    let default = *range.start();
    Some(fields.number(name, range, default))
}

fn rate(fields: &mut Fields) -> Option<f64> {
    let expected = "a number above 0, up to 100000";
    match fields.value("max_cps") {
        None => missing(fields, "max_cps", expected),
        Some(value) => match value.as_f64() {
            // Shares of it are kept in thousandths.
            Some(rate) if (0.001..=MAX_CPS).contains(&rate) => Some(rate),
            _ => fields.refuse("max_cps", expected, &value),
        },
    }
}

fn features(fields: &mut Fields) -> Option<Features> {
    let expected = "a list of names";
    match fields.value("features") {
        None => missing(fields, "features", expected),
        Some(Value::Array(list)) => {
            let names: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
            match names {
                Some(names) => fields.take(Features::parse("features", names)),
                None => fields.refuse("features", expected, &Value::from(list.clone())),
            }
        }
        Some(other) => fields.refuse("features", expected, &other),
    }
}

fn missing<T>(fields: &mut Fields, name: &str, expected: &str) -> Option<T> {
    fields.note(FieldError::missing(name, expected));
    None
}
