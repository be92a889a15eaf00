//! `request_make_call`, as a router has it.

use super::{put, text_of, whole, yes_no};
use crate::fields::Fields;
use crate::live::{ConfUuid, EventSubject};
use crate::value::{CallUuid, TenantId};
use serde_json::{Map, Value, json};

/// The most that an object of it may hold, bytes of JSON.
const MAX_OBJECT: usize = 64 * 1024;

/// A call that a router is asked for. What it dials is checked where every call's is.
#[derive(Debug, Clone, PartialEq)]
pub struct RouterCall {
    /// The campaign.
    pub campaign: String,
    /// The call; made where it names none.
    pub call_uuid: Option<CallUuid>,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The number to dial, as it came.
    pub to_number: String,
    /// The caller's number, as it came; empty for the campaign's.
    pub from_number: String,
    /// Where its events go.
    pub event_subject: EventSubject,
    /// The call progress analysis wanted; empty for none.
    pub cpa_config: String,
    /// How long it may ring, s, from 5.
    pub dial_timeout_s: Option<u32>,
    /// Channel variables, as they came.
    pub channel_vars: Map<String, Value>,
    /// What goes back with every event.
    pub call_params: Map<String, Value>,
    /// The conference it is to be known by.
    pub conf_uuid: Option<ConfUuid>,
    /// The call whose conference it is to join.
    pub add_to_conf: Option<CallUuid>,
    /// Whether it is to join its conference once answered.
    pub join_conf: bool,
}

impl RouterCall {
    pub(super) fn read(fields: &mut Fields) -> Option<Self> {
        fields.rename("campaign_name", "campaign");
        let campaign = fields.required("campaign", text_of(2..=60));
        let call_uuid = fields.strict("call_uuid", CallUuid::parse);
        let tenant_id = fields.required("tenant_id", |field, text| {
            text_of(2..=20)(field, text)?;
            TenantId::parse(field, text)
        });
        let to_number = fields.required("to_number", text_of(3..=25));
        let from_number = fields.strict("from_number", text_of(0..=25));
        let event_subject = fields.required("event_subject", |field, text| {
            text_of(2..=50)(field, text)?;
            EventSubject::parse(field, text)
        });
        let cpa_config = fields.strict("cpa_config", text_of(0..=15));
        let dial_timeout_s = whole(fields, "dial_timeout", 5..=u32::MAX);
        let channel_vars = fields.object("channel_vars", MAX_OBJECT);
        let call_params = fields.object("call_params", MAX_OBJECT);
        let conf_uuid = fields.strict("conf_uuid", ConfUuid::parse);
        let add_to_conf = fields.strict("add_to_conf", CallUuid::parse);
        let join_conf = yes_no(fields, "join_conf");
        Some(RouterCall {
            campaign: campaign?,
            call_uuid,
            tenant_id: tenant_id?,
            to_number: to_number?,
            from_number: from_number.unwrap_or_default(),
            event_subject: event_subject?,
            cpa_config: cpa_config.unwrap_or_default(),
            dial_timeout_s,
            channel_vars,
            call_params,
            conf_uuid,
            add_to_conf,
            join_conf: join_conf.unwrap_or(false),
        })
    }

    pub(super) fn to_json(&self) -> Map<String, Value> {
        let mut data = Map::new();
        put(&mut data, "campaign", Some(&self.campaign));
        put(&mut data, "call_uuid", self.call_uuid);
        put(&mut data, "tenant_id", Some(&self.tenant_id));
        put(&mut data, "to_number", Some(&self.to_number));
        put(&mut data, "from_number", Some(&self.from_number));
        put(&mut data, "event_subject", Some(&self.event_subject));
        put(&mut data, "cpa_config", Some(&self.cpa_config));
        put(&mut data, "dial_timeout", self.dial_timeout_s);
        put(&mut data, "channel_vars", Some(&self.channel_vars));
        put(&mut data, "call_params", Some(&self.call_params));
        put(&mut data, "conf_uuid", self.conf_uuid.as_ref());
        put(&mut data, "add_to_conf", self.add_to_conf);
        data.insert("join_conf".to_owned(), json!(self.join_conf));
        data
    }
}
