//! Live requests: the product's published `request_*` messages to a switch, read and written.
//!
//! What is read here has been checked field by field; what the published schemas let through and a switch
//! can't do (a file name that leads out of its folder, a timeout of an hour) is refused by its name. Fields
//! that are not published are let through, as the schemas let them, and named in the answer.

mod answer;
mod ask;
mod call_request;
mod connect;
mod make_call;
mod values;

pub use answer::{Answer, AnswerError, CallDetails, Refused, name};
pub use ask::{AudioType, MAX_TIMEOUT_S, SimpleDtmf, Spoken, ValidDtmf};
pub use call_request::{CallRequest, Play};
pub use connect::{Bridge, DirectBridge, TransferCall};
pub use make_call::MakeCall;
pub use values::{ConfUuid, DtmfDigits, EventSubject, MAX_LOOPS};

use crate::fields::Fields;
use crate::strict_json::{self, Limits};
use crate::value::{CallUuid, FieldError};
use serde_json::{Map, Value, json};

/// The largest message, bytes.
pub const MAX_BYTES: usize = 64 * 1024;
/// How deep its JSON may be.
const MAX_DEPTH: usize = 20;
/// How many names that are not known are told of.
const MOST_NAMES: usize = 10;

/// A live request.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Where its events, and an answer that has nowhere else to go, are sent too.
    pub event_subject: Option<EventSubject>,
    /// What is asked.
    pub body: Body,
    /// What is in it and not published: it is left alone.
    pub ignored: Vec<String>,
}

/// What a live request asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Something of a call that is up.
    Call(CallUuid, CallRequest),
    /// To dial (`request_make_call`).
    MakeCall(Box<MakeCall>),
    /// To take calls, or no more of them (`request_activation`).
    Activation(bool),
    /// To add or remove a SIP gateway (`request_create_gateway`, `request_add_sip_gateway_def`,
    /// `request_delete_sip_gateway`): which of them, and the gateway's name.
    Gateway(&'static str, String),
}

/// The names of the requests about gateways.
const GATEWAYS: [(&str, &str); 3] = [
    ("request_create_gateway", "gateway"),
    ("request_add_sip_gateway_def", "name"),
    ("request_delete_sip_gateway", "name"),
];

impl Request {
    /// Reads a message.
    ///
    /// # Errors
    /// `invalid_json`, `unknown_request` or `invalid_field`, with the first field that is wrong.
    pub fn parse(payload: &[u8]) -> Result<Request, Refused> {
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
            Refused::field(
                name::INVALID_JSON,
                FieldError {
                    field: field.to_owned(),
                    expected,
                    got: refusal.message,
                },
            )
        })?;
        let Value::Object(mut message) = read else {
            let mistake = FieldError::new("request", "an object", &read.to_string());
            return Err(Refused::field(name::INVALID_JSON, mistake));
        };
        let event_name = match message.remove("event_name") {
            Some(Value::String(text)) => text,
            other => {
                return Err(Refused::mistake(wrong(
                    "event_name",
                    "a text",
                    other.as_ref(),
                )));
            }
        };
        match message.remove("event_data") {
            Some(Value::Object(data)) => Self::of_data(&event_name, data)
                .map_err(|mistake| match mistake.field.as_str() {
                    "event_name" => Refused::field(name::UNKNOWN_REQUEST, mistake),
                    _ => Refused::mistake(mistake.within("event_data")),
                })
                .map(|request| request.ignoring(&message)),
            other => Err(Refused::mistake(wrong(
                "event_data",
                "an object",
                other.as_ref(),
            ))),
        }
    }

    /// Reads the data of a request about a call, `call_uuid` with it, as HTTP has it: there is no
    /// `event_subject`, and what is not known is refused.
    ///
    /// # Errors
    /// Every mistake, at least one.
    pub fn read_strictly(
        event_name: &str,
        data: Map<String, Value>,
    ) -> Result<(CallUuid, CallRequest), Vec<FieldError>> {
        let mut fields = Fields::new(data);
        let call_uuid = fields.required("call_uuid", CallUuid::parse);
        let request = CallRequest::read(event_name, &mut fields);
        let (mut mistakes, unknown) = fields.finish();
        let refuse = |name: String| FieldError::new(&name, "a field of this request", &name);
        mistakes.extend(names(&unknown).map(refuse));
        match (mistakes.is_empty(), call_uuid, request) {
            (true, Some(call_uuid), Some(request)) => Ok((call_uuid, request)),
            (true, ..) => Err(vec![FieldError::new("event_name", "a request", event_name)]),
            (false, ..) => Err(mistakes),
        }
    }

    /// The fields that [`Self::read_strictly`] reads, in a debug build.
    #[cfg(debug_assertions)]
    pub fn field_names(event_name: &str) -> std::collections::BTreeSet<String> {
        // What a message is made of decides how it is read.
        let members = Map::from_iter([("audio_type".to_owned(), json!("tts"))]);
        let mut fields = Fields::new(members);
        fields.required("call_uuid", CallUuid::parse);
        CallRequest::read(event_name, &mut fields);
        fields.asked().clone()
    }

    fn ignoring(mut self, rest: &Map<String, Value>) -> Self {
        self.ignored.extend(names(rest));
        self
    }

    fn of_data(event_name: &str, data: Map<String, Value>) -> Result<Request, FieldError> {
        let mut fields = Fields::new(data);
        let body = match event_name {
            "request_make_call" => MakeCall::read(&mut fields)
                .map(Box::new)
                .map(Body::MakeCall),
            "request_activation" => fields.required_bool("activate").map(Body::Activation),
            other => match GATEWAYS.iter().find(|(name, _)| *name == other) {
                Some((name, field)) => read_gateway(&mut fields, name, field)
                    .map(|gateway| Body::Gateway(name, gateway)),
                None => {
                    // Known by its name before anything of it is looked at.
                    CallRequest::known(other)?;
                    let call_uuid = fields.required("call_uuid", CallUuid::parse);
                    let request = CallRequest::read(other, &mut fields);
                    call_uuid
                        .zip(request)
                        .map(|(call_uuid, request)| Body::Call(call_uuid, request))
                }
            },
        };
        let event_subject = match &body {
            Some(Body::Activation(_) | Body::Gateway(..)) => None,
            _ => fields.parsed("event_subject", EventSubject::parse),
        };
        let (mistakes, rest) = fields.finish();
        match (mistakes.into_iter().next(), body) {
            (Some(mistake), _) => Err(mistake),
            (None, Some(body)) => Ok(Request {
                event_subject,
                body,
                ignored: names(&rest).collect(),
            }),
            (None, None) => Err(FieldError::missing("call_uuid", "the call's UUID")),
        }
    }

    /// The message, as it is published.
    pub fn to_json(&self) -> Value {
        let (event_name, mut data) = match &self.body {
            Body::Call(call_uuid, request) => {
                let (name, mut data) = request.to_json();
                data.insert("call_uuid".into(), json!(call_uuid));
                (name, data)
            }
            Body::MakeCall(make) => ("request_make_call", make.to_json()),
            Body::Activation(activate) => {
                let data = Map::from_iter([("activate".to_owned(), json!(activate))]);
                ("request_activation", data)
            }
            Body::Gateway(event_name, gateway) => {
                let field = GATEWAYS.iter().find(|(name, _)| name == event_name);
                let field = field.map_or("name", |(_, field)| field);
                (
                    *event_name,
                    Map::from_iter([(field.to_owned(), json!(gateway))]),
                )
            }
        };
        if let Some(subject) = &self.event_subject {
            data.insert("event_subject".into(), json!(subject));
        }
        json!({ "event_name": event_name, "event_data": data })
    }
}

fn read_gateway(fields: &mut Fields, event_name: &str, name: &str) -> Option<String> {
    let gateway = fields.required(name, |field, text| match text.len() {
        1..=60 => Ok(text.to_owned()),
        _ => Err(FieldError::new(
            field,
            "a gateway's name of 1 to 60 characters",
            text,
        )),
    });
    let others: &[&str] = match event_name {
        "request_create_gateway" => &["ip_address", "one_way"],
        "request_add_sip_gateway_def" => &[
            "sip_profile",
            "gateway_definition",
            "sip_proxy",
            "dialer_ip_list",
        ],
        _ => &["sip_profile"],
    };
    // Nothing is done with them; they are known.
    for other in others {
        fields.leave(other);
    }
    gateway
}

fn wrong(field: &str, expected: &str, got: Option<&Value>) -> FieldError {
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
