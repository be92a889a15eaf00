//! The request that makes a call.

use super::values::{ConfUuid, EventSubject};
use crate::fields::Fields;
use crate::value::{CallUuid, CallerNumber, DialNumber, FieldError, TenantId, TrunkName};
use serde_json::{Map, Value, json};

/// How long a phone rings where the request does not say, s.
const DIAL_TIMEOUT_S: u32 = 30;
/// The range of that: the least as it is published.
pub(super) const DIAL_TIMEOUTS_S: std::ops::RangeInclusive<u32> = 5..=600;
/// The most that `call_params` may hold, bytes of JSON.
const MAX_PARAMS: usize = 16 * 1024;

/// `request_make_call`: dials, from this switch, with no gateway asked.
#[derive(Debug, Clone, PartialEq)]
pub struct MakeCall {
    /// The call. The same one twice is refused.
    pub call_uuid: CallUuid,
    /// The trunk.
    pub gateway: TrunkName,
    /// The number to dial.
    pub to_number: DialNumber,
    /// The caller's number, or empty for the trunk's own.
    pub from_number: CallerNumber,
    /// The tenant.
    pub tenant_id: TenantId,
    /// Where the call's events are sent too.
    pub event_subject: EventSubject,
    /// How long it may ring, 5 to 600 s.
    pub dial_timeout_s: u16,
    /// The conference that [`Bridge`] knows the call by.
    pub conf_uuid: Option<ConfUuid>,
    /// The call whose conference it is to join.
    pub add_to_conf: Option<CallUuid>,
    /// Whether it is to join its conference once answered.
    pub join_conf: bool,
    /// The call progress analysis wanted.
    pub cpa_config: Option<String>,
    /// What goes back with every event.
    pub call_params: Map<String, Value>,
}

/// `dial_timeout` of a request, s.
pub(super) fn dial_timeout(fields: &mut Fields) -> u16 {
    // In range, or noted as a mistake.
    fields.number("dial_timeout", DIAL_TIMEOUTS_S, DIAL_TIMEOUT_S) as u16
}

impl MakeCall {
    pub(super) fn read(fields: &mut Fields) -> Option<Self> {
        let call_uuid = fields.required("call_uuid", CallUuid::parse);
        let gateway = fields.required("gateway", TrunkName::parse);
        let to_number = fields.required("to_number", DialNumber::parse);
        let from_number = fields.required("from_number", CallerNumber::parse);
        let tenant_id = fields.required("tenant_id", TenantId::parse);
        let event_subject = fields.required("event_subject", EventSubject::parse);
        let dial_timeout_s = dial_timeout(fields);
        let conf_uuid = fields.strict("conf_uuid", ConfUuid::parse);
        let add_to_conf = fields.strict("add_to_conf", CallUuid::parse);
        let join_conf = fields.bool("join_conf", false);
        let cpa_config = fields.parsed("cpa_config", |field, text| match text.len() <= 60 {
            true => Ok(text.to_owned()),
            false => Err(FieldError::new(field, "up to 60 characters", text)),
        });
        let call_params = fields.object("call_params", MAX_PARAMS);
        Some(MakeCall {
            call_uuid: call_uuid?,
            gateway: gateway?,
            to_number: to_number?,
            from_number: from_number?,
            tenant_id: tenant_id?,
            event_subject: event_subject?,
            dial_timeout_s,
            conf_uuid,
            add_to_conf,
            join_conf,
            cpa_config,
            call_params,
        })
    }

    pub(super) fn to_json(&self) -> Map<String, Value> {
        let mut data = Map::new();
        let mut put = |name: &str, value: Value| drop(data.insert(name.to_owned(), value));
        put("call_uuid", json!(self.call_uuid));
        put("gateway", json!(self.gateway));
        put("to_number", json!(self.to_number));
        put("from_number", json!(self.from_number));
        put("tenant_id", json!(self.tenant_id));
        put("event_subject", json!(self.event_subject));
        put("dial_timeout", json!(self.dial_timeout_s));
        put("join_conf", json!(self.join_conf));
        put("call_params", json!(self.call_params));
        put(
            "cpa_config",
            json!(self.cpa_config.as_deref().unwrap_or("")),
        );
        if let Some(conf) = &self.conf_uuid {
            put("conf_uuid", json!(conf));
        }
        if let Some(call) = &self.add_to_conf {
            put("add_to_conf", json!(call));
        }
        data
    }
}
