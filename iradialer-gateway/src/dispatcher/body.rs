//! The body of a webhook: `{event_name, event_data}` and nothing else at the top level.

use crate::tdb::Delivery;
use iradialer_core::value::ClusterName;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

const TIMESTAMP: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// The id of the message, the same at every try. It has no dot, because it is signed together with
/// what follows after one.
pub fn message_id(delivery: &Delivery) -> String {
    format!("{}_{}", delivery.event.call_uuid, delivery.event.seq)
}

/// The JSON of a delivery.
pub fn body(delivery: &Delivery, cluster: &ClusterName, prefix: &str) -> Vec<u8> {
    let name = format!("{prefix}{}", delivery.event.name);
    let data = event_data(delivery, cluster);
    json!({ "event_name": name, "event_data": data })
        .to_string()
        .into_bytes()
}

/// The data of a delivery: what the event itself says, below what every event says. Names of the contract win.
pub fn event_data(delivery: &Delivery, cluster: &ClusterName) -> Value {
    let (call, event) = (&delivery.call, &delivery.event);
    let mut data = event.data.clone();
    let sip_fields = data
        .remove("sip")
        .or_else(|| delivery.answer.as_ref()?.get("sip").cloned())
        .unwrap_or_else(|| json!({}));
    // The trunk of the try the event is of: the call may have gone on to another.
    let trunk = data.remove("trunk");
    let trunk = trunk.or_else(|| call.trunk.as_ref().map(|trunk| json!(trunk)));
    if event.name == "hangup" {
        name_the_failure(&mut data);
    }
    if event.is_final {
        data.insert("final".into(), true.into());
    }
    let direction = call.origin.direction();
    let common = json!({
        "event_id": message_id(delivery),
        "seq": event.seq,
        "timestamp": timestamp(event.at_ms),
        "call_uuid": call.call_uuid,
        "call_params": call.call_params,
        "tenant_id": call.tenant_id,
        "campaign_name": call.campaign_name,
        "call_type": direction,
        "direction": direction,
        "to_number": call.to_number,
        "from_number": call.from_number,
        "gateway": trunk.unwrap_or_else(|| "".into()),
        "dialer_ip": sip_fields.get("dialer_ip").cloned().unwrap_or_else(|| "".into()),
        "network_ip": sip_fields.get("network_ip").cloned().unwrap_or_else(|| "".into()),
        "sip_fields": sip_fields,
        "cluster": cluster,
        "node_id": event.node_id,
        "attempt": if event.attempt == 0 { call.attempt } else { event.attempt },
    });
    if let Value::Object(common) = common {
        data.extend(common);
    }
    if let Some(parent) = call.parent_uuid {
        data.insert("parent_uuid".into(), json!(parent));
    }
    Value::Object(data)
}

/// The published names of how an unanswered call failed, the status as text.
fn name_the_failure(data: &mut Map<String, Value>) {
    let answered = data.get("answered") == Some(&Value::Bool(true));
    let failure = |value: Option<&Value>| match value {
        Some(value) if !answered && !value.is_null() => match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        },
        _ => String::new(),
    };
    let status = failure(data.get("sip_status"));
    let phrase = failure(data.get("sip_phrase"));
    data.insert("failure_status".into(), status.into());
    data.insert("failure_phrase".into(), phrase.into());
}

/// ISO 8601 in UTC, with milliseconds.
pub fn timestamp(at_ms: u64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000);
    // A switch's clock may say anything; the year 10,000 has no such form.
    let at = at.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(TIMESTAMP).unwrap_or_default()
}

#[cfg(test)]
mod tests;
