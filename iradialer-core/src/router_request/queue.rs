//! The queue's parameters.

use super::{put, whole, yes_no};
use crate::fields::Fields;
use serde_json::{Map, Value};

/// `set_queue_params`: what is not named stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SetQueueParams {
    /// From this many queued calls on, new ones are refused; 1 to 200,000.
    pub max_total_queue_size: Option<u32>,
    /// 5 to 10 s.
    pub short_delay: Option<u32>,
    /// 20 to 100 s.
    pub long_delay: Option<u32>,
    /// How much of the trunks' rates is used, 0.1 to 1.
    pub cps_percent: Option<f64>,
    /// Whether calls are dialled.
    pub enable_firing_calls: Option<bool>,
    /// How long a phone rings where a request does not say, 10 to 100 s.
    pub dial_timeout: Option<u32>,
    /// `HHMM-HHMM`, from 0000 to 2359.
    pub working_hours: Option<String>,
}

impl SetQueueParams {
    /// Takes its fields, wherever they came in.
    pub fn read(fields: &mut Fields) -> Self {
        SetQueueParams {
            max_total_queue_size: whole(fields, "max_total_queue_size", 1..=200_000),
            short_delay: whole(fields, "short_delay", 5..=10),
            long_delay: whole(fields, "long_delay", 20..=100),
            cps_percent: share(fields),
            enable_firing_calls: yes_no(fields, "enable_firing_calls"),
            dial_timeout: whole(fields, "dial_timeout", 10..=100),
            working_hours: fields.strict("working_hours", |field, text| {
                let is_time = |time: &str| {
                    let number = time.parse::<u32>().ok().filter(|_| time.len() == 4);
                    time.bytes().all(|b| b.is_ascii_digit())
                        && number.is_some_and(|number| number < 2_400 && number % 100 < 60)
                };
                match text.split_once('-') {
                    Some((from, to)) if is_time(from) && is_time(to) => Ok(text.to_owned()),
                    _ => {
                        let expected = "HHMM-HHMM from 0000 to 2359, such as 0900-1900";
                        Err(crate::value::FieldError::new(field, expected, text))
                    }
                }
            }),
        }
    }

    pub(super) fn to_json(&self) -> Map<String, Value> {
        let mut data = Map::new();
        put(&mut data, "max_total_queue_size", self.max_total_queue_size);
        put(&mut data, "short_delay", self.short_delay);
        put(&mut data, "long_delay", self.long_delay);
        put(&mut data, "cps_percent", self.cps_percent);
        put(&mut data, "enable_firing_calls", self.enable_firing_calls);
        put(&mut data, "dial_timeout", self.dial_timeout);
        put(&mut data, "working_hours", self.working_hours.as_ref());
        data
    }
}

fn share(fields: &mut Fields) -> Option<f64> {
    let value = fields.value("cps_percent")?;
    let number = value.as_f64();
    match number.filter(|share| (0.1..=1.0).contains(share)) {
        Some(share) => Some(share),
        None => fields.refuse("cps_percent", "a number from 0.1 to 1", &value),
    }
}
