//! What live requests are answered with. Fields are in the order of their names.

use crate::web::openapi::{example, sorted};
use iradialer_core::live::CallDetails;
use iradialer_core::value::CallUuid;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The switch has taken the request, and has at hand what it plays; an event says when it is done.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(Taken::example())))]
pub(in crate::web) struct Taken {
    #[schema(value_type = uuid::Uuid)]
    pub call_uuid: CallUuid,
    /// The cluster that has the call.
    pub cluster: String,
    /// What the switch says, in a sentence.
    pub message: String,
    pub status: &'static str,
    pub status_code: u8,
}

/// The calls will be connected.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(Bridging::example())))]
pub(in crate::web) struct Bridging {
    /// The cluster that has the calls.
    pub cluster: String,
    #[schema(value_type = uuid::Uuid)]
    pub first_uuid: CallUuid,
    /// What the switch says, in a sentence.
    pub message: String,
    #[schema(value_type = uuid::Uuid)]
    pub second_uuid: CallUuid,
    pub status: &'static str,
    pub status_code: u8,
}

/// What the switch knows of a call.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(Details::example())))]
pub(in crate::web) struct Details {
    #[serde(serialize_with = "sorted")]
    #[schema(value_type = Option<ShownDetails>)]
    pub call_details: Option<CallDetails>,
    #[schema(value_type = uuid::Uuid)]
    pub call_uuid: CallUuid,
    /// The cluster that has the call.
    pub cluster: String,
    pub status: &'static str,
    pub status_code: u8,
}

/// A call, as its switch sees it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the fields of CallDetails")]
pub(in crate::web) struct ShownDetails {
    /// `flow`, `desk` (waits for requests, or works them off), `bridge`; null before the answer.
    at: Option<String>,
    /// Which try at the call it is.
    attempt: u32,
    /// The try's UUID, which is the channel's.
    attempt_id: uuid::Uuid,
    /// Ms since the answer; 0 before.
    billsec_ms: u64,
    /// Whether a request is being done.
    busy: bool,
    campaign_name: String,
    /// The conference it is known by.
    conf_uuid: Option<String>,
    /// Whether the far end hears nothing.
    deaf: bool,
    /// Ms since it was begun.
    duration_ms: u64,
    /// The flow it runs.
    flow: Option<String>,
    /// The caller's number, or empty.
    from_number: String,
    /// The trunk.
    gateway: String,
    /// Whether it is on hold.
    held: bool,
    /// Whether nobody hears the far end.
    muted: bool,
    /// The node it is at.
    node: Option<String>,
    /// `dialing`, `ringing`, `answered` or `ended`.
    state: String,
    tenant_id: String,
    to_number: String,
    /// The variables set so far.
    variables: BTreeMap<String, String>,
    /// How many more requests wait.
    waiting: u32,
}

impl Taken {
    fn example() -> Self {
        Taken {
            call_uuid: example::uuid(),
            cluster: "ira".to_owned(),
            message: "playing".to_owned(),
            status: "OK",
            status_code: 0,
        }
    }
}

impl Bridging {
    fn example() -> Self {
        Bridging {
            cluster: "ira".to_owned(),
            first_uuid: example::uuid(),
            message: "connecting".to_owned(),
            second_uuid: example::uuid(),
            status: "OK",
            status_code: 0,
        }
    }
}

impl Details {
    fn example() -> Self {
        Details {
            call_details: Some(CallDetails {
                state: "answered".to_owned(),
                tenant_id: "acme".to_owned(),
                campaign_name: "reminders".to_owned(),
                to_number: "+15005550006".to_owned(),
                from_number: "+15005550009".to_owned(),
                gateway: "chime".to_owned(),
                attempt: 1,
                attempt_id: example::uuid(),
                conf_uuid: None,
                duration_ms: 7_140,
                billsec_ms: 2_480,
                flow: None,
                node: None,
                variables: BTreeMap::new(),
                at: Some("desk".to_owned()),
                busy: false,
                waiting: 0,
                muted: false,
                deaf: false,
                held: false,
            }),
            call_uuid: example::uuid(),
            cluster: "ira".to_owned(),
            status: "OK",
            status_code: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use utoipa::PartialSchema;

    #[test]
    fn details_are_described_as_they_are() {
        let shown = json!(Details::example());
        let described = json!(ShownDetails::schema());
        let names = |value: &serde_json::Value| -> Vec<String> {
            value.as_object().unwrap().keys().cloned().collect()
        };
        assert_eq!(
            names(&shown["call_details"]),
            names(&described["properties"])
        );
    }
}
