//! The product's published requests to a router, read and written.
//!
//! What the schemas leave open is settled here: fields that are not published are let through, as the schemas let
//! them, and named in the answer; every element of a list is checked, not only the first; `get_queue_params` may
//! come without data; whole numbers may be written `5.0`. What is written has none of these faults.

mod campaigns;
mod gateways;
mod instances;
mod make_call;
mod queue;

pub use campaigns::{AddCampaign, GatewayUse, ManageCampaign};
pub use gateways::{AddGateway, GatewayAction, ManageGateway};
pub use instances::{InstanceAction, InstanceKey, Instances};
pub use make_call::RouterCall;
pub use queue::SetQueueParams;

use crate::fields::Fields;
use crate::live::{MAX_BYTES, Refused, name};
use crate::strict_json::{self, Limits};
use crate::value::{FieldError, TenantId};
use serde_json::{Map, Value, json};
use std::ops::RangeInclusive;

/// How deep a message's JSON may be.
const MAX_DEPTH: usize = 20;
/// How many names that are not known are told of.
const MOST_NAMES: usize = 10;

/// A request to the routers.
#[derive(Debug, Clone, PartialEq)]
pub struct RouterRequest {
    /// What is asked.
    pub body: RouterBody,
    /// Whose campaign it is about, where it says so: not published, as a campaign's name was enough there.
    pub tenant_id: Option<TenantId>,
    /// What is in it and not published: it is left alone.
    pub ignored: Vec<String>,
}

/// What a request to the routers asks.
#[derive(Debug, Clone, PartialEq)]
pub enum RouterBody {
    /// A call (`request_make_call`).
    MakeCall(Box<RouterCall>),
    /// To add a campaign (`request_add_campaign_name`).
    AddCampaign(AddCampaign),
    /// To change one (`request_manage_campaign_name`).
    ManageCampaign(ManageCampaign),
    /// To delete one (`request_delete_campaign_name`).
    DeleteCampaign(String),
    /// To add a trunk (`request_add_sip_gateway`).
    AddGateway(Box<AddGateway>),
    /// To change or delete one (`request_manage_sip_gateway`).
    ManageGateway(ManageGateway),
    /// The trunks of the switch with that address (`request_sip_gateway_list`).
    GatewayList(String),
    /// How many calls wait (`get_queue_size`).
    QueueSize,
    /// How many wait by campaign and trunk, or of one campaign (`get_gateway_queue_size`).
    GatewayQueueSize(Option<String>),
    /// The queue's parameters (`get_queue_params`).
    QueueParams,
    /// To change them (`set_queue_params`).
    SetQueueParams(SetQueueParams),
    /// To take the calls of a campaign, or all, out of the queue (`remove_calls_from_queue`).
    RemoveCalls(Option<String>),
    /// To have switches take calls or none, or to be told of them (`request_activate_instance`,
    /// `request_deactivate_instance`, `request_get_instance_data`).
    Instances(Instances),
}

impl RouterRequest {
    /// Reads a message.
    ///
    /// # Errors
    /// `invalid_json`, `unknown_request` or `invalid_field`, with the first field that is wrong.
    pub fn parse(payload: &[u8]) -> Result<RouterRequest, Refused> {
        let limits = Limits {
            bytes: MAX_BYTES,
            depth: MAX_DEPTH,
        };
        let read = strict_json::read(payload, limits).map_err(|refusal| {
            let field = match refusal.path.as_str() {
                "" => "request",
                path => path,
            };
            let expected = format!("well-formed JSON at most {MAX_DEPTH} deep, each key once");
            let got = refusal.message;
            let field = field.to_owned();
            Refused::field(
                name::INVALID_JSON,
                FieldError {
                    field,
                    expected,
                    got,
                },
            )
        })?;
        let Value::Object(mut message) = read else {
            let mistake = FieldError::new("request", "an object", &read.to_string());
            return Err(Refused::field(name::INVALID_JSON, mistake));
        };
        let event_name = match message.remove("event_name") {
            Some(Value::String(text)) => text,
            other => return Err(Refused::mistake(wrong("event_name", "a text", other))),
        };
        let data = match (message.remove("event_data"), takes_none(&event_name)) {
            (Some(Value::Object(data)), _) => data,
            // Published as required of one, and as of any form; of the other nothing is said.
            (_, true) => Map::new(),
            (other, false) => {
                return Err(Refused::mistake(wrong("event_data", "an object", other)));
            }
        };
        let mut request = Self::of_data(&event_name, data)?;
        request.ignored.extend(names(&message));
        Ok(request)
    }

    fn of_data(event_name: &str, data: Map<String, Value>) -> Result<RouterRequest, Refused> {
        let mut fields = Fields::new(data);
        let campaign = |fields: &mut Fields| {
            fields.rename("campaign_name", "campaign");
            fields.strict("campaign", text_of(1..=60))
        };
        let body = match event_name {
            "request_make_call" => RouterCall::read(&mut fields)
                .map(Box::new)
                .map(RouterBody::MakeCall),
            "request_add_campaign_name" => {
                AddCampaign::read(&mut fields).map(RouterBody::AddCampaign)
            }
            "request_manage_campaign_name" => {
                ManageCampaign::read(&mut fields).map(RouterBody::ManageCampaign)
            }
            "request_delete_campaign_name" => fields
                .required("name", text_of(campaigns::NAME))
                .map(RouterBody::DeleteCampaign),
            "request_add_sip_gateway" => AddGateway::read(&mut fields)
                .map(Box::new)
                .map(RouterBody::AddGateway),
            "request_manage_sip_gateway" => {
                ManageGateway::read(&mut fields).map(RouterBody::ManageGateway)
            }
            "request_sip_gateway_list" => fields
                .required("dialer_ip", text_of(2..=15))
                .map(RouterBody::GatewayList),
            "get_queue_size" => Some(RouterBody::QueueSize),
            "get_gateway_queue_size" => Some(RouterBody::GatewayQueueSize(campaign(&mut fields))),
            "get_queue_params" => Some(RouterBody::QueueParams),
            "set_queue_params" => Some(RouterBody::SetQueueParams(SetQueueParams::read(
                &mut fields,
            ))),
            "remove_calls_from_queue" => Some(RouterBody::RemoveCalls(campaign(&mut fields))),
            "request_activate_instance"
            | "request_deactivate_instance"
            | "request_get_instance_data" => {
                Instances::read(event_name, &mut fields).map(RouterBody::Instances)
            }
            other => {
                let expected = "the name of a request to a router";
                let mistake = FieldError::new("event_name", expected, other);
                return Err(Refused::field(name::UNKNOWN_REQUEST, mistake));
            }
        };
        let tenant_id = match &body {
            Some(RouterBody::MakeCall(_)) => None,
            _ => fields.parsed("tenant_id", TenantId::parse),
        };
        let (mistakes, rest) = fields.finish();
        let within = |mistake: FieldError| Refused::mistake(mistake.within("event_data"));
        let unknown = rest.keys().next();
        match (mistakes.into_iter().next(), body) {
            (Some(mistake), _) => Err(within(mistake)),
            // One that is misspelt would empty more of the queue than was meant.
            (None, Some(RouterBody::RemoveCalls(_))) if unknown.is_some() => {
                let expected = "campaign and tenant_id at the most";
                let unknown = unknown.map_or("", String::as_str);
                Err(within(FieldError::new(unknown, expected, unknown)))
            }
            (None, Some(body)) => Ok(RouterRequest {
                body,
                tenant_id,
                ignored: names(&rest).collect(),
            }),
            (None, None) => Err(within(FieldError::missing("name", "a name"))),
        }
    }

    /// The message, as it is published.
    pub fn to_json(&self) -> Value {
        let one = |name: &str, value: &str| Map::from_iter([(name.to_owned(), json!(value))]);
        let campaign = |campaign: &Option<String>| match campaign {
            Some(campaign) => one("campaign", campaign),
            None => Map::new(),
        };
        let (event_name, mut data) = match &self.body {
            RouterBody::MakeCall(call) => ("request_make_call", call.to_json()),
            RouterBody::AddCampaign(add) => ("request_add_campaign_name", add.to_json()),
            RouterBody::ManageCampaign(of) => ("request_manage_campaign_name", of.to_json()),
            RouterBody::DeleteCampaign(of) => ("request_delete_campaign_name", one("name", of)),
            RouterBody::AddGateway(add) => ("request_add_sip_gateway", add.to_json()),
            RouterBody::ManageGateway(of) => ("request_manage_sip_gateway", of.to_json()),
            RouterBody::GatewayList(of) => ("request_sip_gateway_list", one("dialer_ip", of)),
            RouterBody::QueueSize => ("get_queue_size", Map::new()),
            RouterBody::GatewayQueueSize(of) => ("get_gateway_queue_size", campaign(of)),
            RouterBody::QueueParams => ("get_queue_params", Map::new()),
            RouterBody::SetQueueParams(set) => ("set_queue_params", set.to_json()),
            RouterBody::RemoveCalls(of) => ("remove_calls_from_queue", campaign(of)),
            RouterBody::Instances(of) => (of.action.event_name(), of.to_json()),
        };
        if let Some(tenant) = &self.tenant_id {
            data.insert("tenant_id".to_owned(), json!(tenant));
        }
        json!({ "event_name": event_name, "event_data": data })
    }
}

/// Requests that need no data.
fn takes_none(event_name: &str) -> bool {
    matches!(event_name, "get_queue_size" | "get_queue_params")
}

/// A text of so many characters.
fn text_of(length: RangeInclusive<usize>) -> impl Fn(&str, &str) -> Result<String, FieldError> {
    move |field, text| match length.contains(&text.chars().count()) {
        true => Ok(text.to_owned()),
        false => {
            let expected = format!("{} to {} characters", length.start(), length.end());
            Err(FieldError::new(field, expected, text))
        }
    }
}

/// A whole number in a range, if it is there.
fn whole(fields: &mut Fields, name: &str, range: RangeInclusive<u32>) -> Option<u32> {
    let is_given = fields.has(name);
    let number = fields.number(name, range, 0);
    is_given.then_some(number)
}

/// True or false, if it is there.
fn yes_no(fields: &mut Fields, name: &str) -> Option<bool> {
    let is_given = fields.has(name);
    let yes = fields.bool(name, false);
    is_given.then_some(yes)
}

/// A list of texts, if it is there.
fn texts(
    fields: &mut Fields,
    name: &str,
    check: impl Fn(&str, &str) -> Result<String, FieldError>,
) -> Option<Vec<String>> {
    let value = fields.value(name)?;
    let Value::Array(items) = &value else {
        return fields.refuse(name, "a list of texts", &value);
    };
    let mut texts = Vec::new();
    for (place, item) in items.iter().enumerate() {
        let field = format!("{name}[{place}]");
        match item {
            Value::String(text) => texts.extend(fields.take(check(&field, text))),
            other => drop(fields.refuse::<()>(&field, "a text", other)),
        }
    }
    Some(texts)
}

/// `FIRST-LAST`, 3 to 10 digits each.
fn did_range(field: &str, text: &str) -> Result<String, FieldError> {
    let is_end =
        |end: &str| (3..=10).contains(&end.len()) && end.bytes().all(|b| b.is_ascii_digit());
    match text.split_once('-') {
        Some((first, last)) if is_end(first) && is_end(last) => Ok(text.to_owned()),
        _ => {
            let expected = "FIRST-LAST of 3 to 10 digits each, such as 5550100-5550199";
            Err(FieldError::new(field, expected, text))
        }
    }
}

fn wrong(field: &str, expected: &str, got: Option<Value>) -> FieldError {
    match got {
        None => FieldError::missing(field, expected),
        Some(got) => FieldError::new(field, expected, &got.to_string()),
    }
}

/// The names of some of the members, fit to be shown.
fn names(members: &Map<String, Value>) -> impl Iterator<Item = String> {
    let shown = |name: &String| name.chars().take(60).flat_map(char::escape_debug).collect();
    members.keys().take(MOST_NAMES).map(shown)
}

/// Puts what is there.
fn put(data: &mut Map<String, Value>, name: &str, value: Option<impl serde::Serialize>) {
    if let Some(value) = value {
        data.insert(name.to_owned(), json!(value));
    }
}
