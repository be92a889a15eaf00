//! What happens to calls, a line for each event, in columns for a person.

use crate::webhook::Delivery;
use serde_json::Value;
use std::time::Instant;

/// The head of the columns.
pub const HEAD: &str = "    time  call      event            details";

/// The line of an event that came at its own time after `start`.
pub fn line(start: Instant, event: &Delivery) -> String {
    let at = event.at.saturating_duration_since(start).as_secs_f64();
    let call = event.call();
    // Calls begun in the same second share the first half of their UUID; the last digits differ.
    let short = &call[call.len().saturating_sub(8)..];
    format!("{at:8.3}  {short:8}  {:15}  {}", event.name, details(event))
        .trim_end()
        .to_owned()
}

fn details(event: &Delivery) -> String {
    let data = &event.data;
    let text = |name: &str| shown(&data[name]);
    match event.name.as_str() {
        "queued" => format!("to {}", text("to_number")),
        "started" => format!(
            "to {} from {} through {}",
            text("to_number"),
            text("from_number"),
            text("gateway")
        ),
        "ringing" if data["early_media"] == true => {
            format!("after {} ms, with early media", text("after_ms"))
        }
        "ringing" => format!("after {} ms", text("after_ms")),
        "answered" => format!("after {} ms", text("after_ms")),
        "dtmf" => format!("key {} ({})", text("digit"), text("source")),
        "play_done" => {
            let cut = match data["interrupted_by"].as_str() {
                Some(key) => format!(", cut short by {key}"),
                None => String::new(),
            };
            format!(
                "{}: {} for {} ms{cut}",
                text("node"),
                text("prompt"),
                text("played_ms")
            )
        }
        "dtmf_collected" => {
            let verdict = if data["valid"] == true {
                ""
            } else {
                ", not what was asked for"
            };
            format!(
                "{}: {} = '{}'{verdict}",
                text("node"),
                text("var_name"),
                text("digits")
            )
        }
        "recording_ready" => format!(
            "{}, {} ms, ended by {}",
            text("name"),
            text("duration_ms"),
            text("ended_by")
        ),
        "hangup" => ending(data),
        _ => String::new(),
    }
}

fn ending(data: &Value) -> String {
    let sip = match (data["sip_status"].as_u64(), data["sip_phrase"].as_str()) {
        (Some(status), phrase) => format!(", SIP {status} {}", phrase.unwrap_or_default()),
        (None, _) => String::new(),
    };
    let seconds = |name: &str| data[name].as_f64().unwrap_or_default() / 1_000.0;
    format!(
        "{}{}, ended by {}, {:.1} s in all, {:.1} s answered",
        shown(&data["hangup_cause"]),
        sip.trim_end(),
        shown(&data["by"]),
        seconds("duration_ms"),
        seconds("billsec_ms")
    )
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_hangup_says_how() {
        let data = json!({"call_uuid": "01a1fbdd-2298-73cb-9f05-59bdf4d622b7", "hangup_cause": "USER_BUSY",
            "sip_status": 486, "sip_phrase": "Busy Here", "by": "callee", "duration_ms": 210, "billsec_ms": 0});
        let at = Instant::now();
        let event = Delivery {
            at,
            id: String::new(),
            authorization: String::new(),
            name: "hangup".into(),
            data,
        };
        assert_eq!(
            line(at, &event),
            "   0.000  f4d622b7  hangup           USER_BUSY, SIP 486 Busy Here, ended by callee, 0.2 s in all, 0.0 s answered"
        );
    }
}
