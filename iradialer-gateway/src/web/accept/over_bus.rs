//! `request_make_call` on the routers' subject: accepted as `makecall` is, by the same code.

use super::{By, accept};
use crate::app::App;
use crate::web::{WebState, error::ApiError};
use axum::http::HeaderMap;
use iradialer_core::live::{Answer, AnswerError, name};
use iradialer_core::router_request::RouterCall;
use iradialer_core::subject;
use iradialer_core::value::FieldError;
use serde_json::{Map, Value, json};

/// What a router accepts calls with.
pub(crate) struct Acceptance(WebState);

impl Acceptance {
    /// Of this process.
    pub(crate) fn new(app: App) -> Self {
        Acceptance(WebState::new(app))
    }

    /// Accepts a call; `id` is the message's, where it has one: the same message again is the same call.
    pub(crate) async fn make_call(&self, call: RouterCall, id: Option<String>) -> Answer {
        let made = match self.objection(&call) {
            Some(mistake) => Err(mistake),
            None => {
                let by = By {
                    tenant_id: &call.tenant_id,
                    event_subject: Some(&call.event_subject),
                    request_id: None,
                    token_id: None,
                };
                let members = members(&call, id);
                accept(&self.0, by, &HeaderMap::new(), members, Vec::new()).await
            }
        };
        match made {
            Ok((accepted, is_replay)) => Answer {
                call_uuid: Some(accepted.call_uuid),
                ..Answer::ok(match is_replay {
                    true => "it was accepted before",
                    false => "it is accepted",
                })
            },
            Err(error) => Answer {
                call_uuid: call.call_uuid,
                ..refused(&error)
            },
        }
    }

    /// What can't be done for a call of this form.
    fn objection(&self, call: &RouterCall) -> Option<ApiError> {
        let begins_with = subject::clients(&self.0.app.config.cluster);
        if !call.event_subject.as_str().starts_with(&begins_with) {
            let expected = format!("a subject that begins with '{begins_with}'");
            let subject = call.event_subject.as_str();
            return Some(FieldError::new("event_subject", expected, subject).into());
        }
        let conference = call
            .conf_uuid
            .as_ref()
            .map(|conf| ("conf_uuid", conf.to_string()));
        let joined = call
            .add_to_conf
            .map(|call| ("add_to_conf", call.to_string()));
        let joins = call.join_conf.then(|| ("join_conf", "true".to_owned()));
        let (field, got) = conference.or(joined).or(joins)?;
        let expected = "nothing: a router chooses the switch when the call is dialled; connect calls that are up \
                        (request_bridge_call)";
        let message = FieldError::new(field, expected, &got).to_string();
        Some(ApiError::LiveRefused {
            name: name::NOT_SUPPORTED.to_owned(),
            message,
            field: Some(field.to_owned()),
            retryable: false,
        })
    }
}

/// The body of a `makecall` that asks for the same.
fn members(call: &RouterCall, id: Option<String>) -> Map<String, Value> {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
    put("campaign_name", json!(call.campaign));
    put("to_number", json!(call.to_number));
    put("from_number", json!(call.from_number));
    put("call_params", json!(call.call_params));
    put("channel_vars", json!(call.channel_vars));
    put("cpa_config", json!(call.cpa_config));
    if let Some(timeout_s) = call.dial_timeout_s {
        put("dial_timeout", json!(timeout_s));
    }
    if let Some(call_uuid) = call.call_uuid {
        put("call_uuid", json!(call_uuid));
    }
    if let Some(id) = id {
        put("idempotency_key", json!(id));
    }
    members
}

/// What HTTP would be told, in the form of the bus.
fn refused(error: &ApiError) -> Answer {
    let (_, told) = error.answer();
    let field = told.error.field.map(|field| match field.as_str() {
        "campaign_name" => "event_data.campaign".to_owned(),
        field => format!("event_data.{field}"),
    });
    let retryable = told.error.retryable;
    Answer {
        status: "ERR".to_owned(),
        status_code: match told.status_code {
            3 => 3,
            _ => 1 + u16::from(retryable),
        },
        error: Some(AnswerError {
            name: told.error.name,
            field,
            expected: told.error.expected,
            got: told.error.got,
            retryable,
        }),
        ..Answer::ok(told.status)
    }
}
