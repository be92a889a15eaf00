//! Events of calls, a line for each, for a person.

use super::terminal::plain;
use serde_json::Value;

/// What a person wants to see of an event, where it has it, in this order.
const SHOWN: [&str; 22] = [
    "to_number",
    "from_number",
    "gateway",
    "early_media",
    "after_ms",
    "node",
    "prompt",
    "played_ms",
    "interrupted_by",
    "digit",
    "source",
    "var_name",
    "digits",
    "valid",
    "name",
    "reason",
    "sip_status",
    "sip_phrase",
    "hangup_cause",
    "ended_by",
    "billsec_ms",
    "duration_ms",
];

/// The head of the columns.
pub(super) const HEAD: &str = "TIME                      CALL      EVENT              DETAILS";

/// An event as the API lists it: `{seq, event_name, timestamp, data}`, of that call.
pub(super) fn line(call_uuid: &str, event: &Value) -> String {
    let text = |name: &str| event[name].as_str().unwrap_or_default();
    let name = text("event_name");
    let name = name.rsplit("::").next().unwrap_or(name);
    // Calls begun in the same second share the first half of their UUID; the last digits differ.
    let short = &call_uuid[call_uuid.len().saturating_sub(8)..];
    let data = &event["data"];
    let details = SHOWN.iter().filter_map(|name| {
        let value = match &data[*name] {
            Value::Null | Value::Object(_) | Value::Array(_) => return None,
            Value::String(text) if text.is_empty() => return None,
            Value::String(text) => plain(text),
            other => other.to_string(),
        };
        Some(format!("{name}={value}"))
    });
    let details: Vec<String> = details.collect();
    format!(
        "{:<24}  {short:<8}  {:<17}  {}",
        text("timestamp"),
        plain(name),
        details.join(" ")
    )
    .trim_end()
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_has_what_matters_and_nothing_that_steers_a_terminal() {
        let event = json!({
            "seq": 3, "event_name": "iradialer::hangup", "timestamp": "2026-11-21T10:00:00.000Z",
            "data": {"sip_status": 486, "sip_phrase": "Busy\u{1b}[2J", "variables": {"a": "b"}, "ended_by": "carrier"},
        });
        assert_eq!(
            line("01a1fbed-2f6d-753a-ae2a-395b06b6826c", &event),
            "2026-11-21T10:00:00.000Z  06b6826c  hangup             sip_status=486 sip_phrase=Busy [2J \
             ended_by=carrier"
        );
    }
}
