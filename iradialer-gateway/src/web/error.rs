//! What a request can be refused for, and the one place that makes an HTTP answer of it.

use super::flows::show_findings;
use super::timestamp;
use crate::destinations::Refused;
use crate::tdb::TdbError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use iradialer_core::flow::{DncScope, Finding};
use iradialer_core::live::name;
use iradialer_core::value::{CallerNumber, CampaignName, FieldError};
use serde_json::{Map, Value, json};

/// How long a client should wait before it tries again when the queue is full or a part is down, s.
const RETRY_AFTER_S: u32 = 60;
/// The same after a fault that is usually over soon.
const RETRY_SOON_S: u32 = 5;

/// A refusal.
#[derive(Debug, Clone)]
pub(super) enum ApiError {
    /// There is no token.
    NoToken,
    /// The token is malformed, unknown or revoked.
    BadToken,
    /// The token's time is over: since when, ms since the Unix epoch.
    ExpiredToken(u64),
    /// The token may not do this: why.
    Forbidden(String),
    /// The token has made too many requests; how long to wait, s.
    TooManyRequests(u32),
    /// The body is not the JSON it has to be: where, and why.
    BadJson(FieldError),
    /// Fields are wrong; at least one.
    BadFields(Vec<FieldError>),
    /// The body is larger than allowed, in bytes.
    TooLarge(usize),
    /// The body did not come in time.
    TooSlow,
    /// The body is said to be something other than JSON.
    NotJson(String),
    /// The tenant has no such campaign.
    UnknownCampaign(String),
    /// The campaign has no trunks.
    NoTrunks(String),
    /// The campaign may not call at this time; its hours.
    OutsideHours(String),
    /// The field was used before, for another request.
    Conflict(&'static str),
    /// The queue is full.
    QueueFull,
    /// The tenant has no such call.
    UnknownCall(String),
    /// The tenant has no such dead letter.
    UnknownDeadLetter(String),
    /// The tenant has no such flow, or not that version of it.
    UnknownFlow(String, Option<u32>),
    /// What is wrong with a flow; at least one error.
    BadFlow(Vec<Finding>),
    /// The number is on the do-not-call list, of the tenant or of the campaign.
    DoNotCall(DncScope),
    /// The number, in that field, may not be called.
    Destination(&'static str, Refused),
    /// The tenant has no such token.
    UnknownToken(String),
    /// Calls of that campaign may not show that number as the caller's.
    CallerNumber(CallerNumber, CampaignName),
    /// There is no such trunk among those the tenant uses.
    UnknownTrunk(String),
    /// The switch did not take the request; it may be repeated.
    SwitchUnreachable(String),
    /// The switch refused the request.
    SwitchRefused(String),
    /// The switch, or the state of the call, refuses a live request.
    LiveRefused {
        /// One of [`iradialer_core::live::name`].
        name: String,
        /// Why, for a person.
        message: String,
        /// The field, where it is one's fault.
        field: Option<String>,
        /// Whether it may be taken later.
        retryable: bool,
    },
    /// There is nothing at that path.
    NoSuchPath(String),
    /// The path does not know that method.
    NoSuchMethod(String, String),
    /// Our own fault; what it was is in the log.
    Unavailable,
}

impl From<TdbError> for ApiError {
    fn from(error: TdbError) -> Self {
        match error.is_outage() {
            // The TDB names it once, and when it is over.
            true => tracing::debug!(%error, "a request failed"),
            false => tracing::error!(%error, "a request failed"),
        }
        ApiError::Unavailable
    }
}

impl From<FieldError> for ApiError {
    fn from(mistake: FieldError) -> Self {
        ApiError::BadFields(vec![mistake])
    }
}

/// What the client is told; the request's id is added where it is known.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    /// The JSON body.
    pub body: Map<String, Value>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let told = self.told();
        let mut body = Map::new();
        body.insert("status".to_owned(), Value::from(told.message));
        body.insert("status_code".to_owned(), Value::from(told.status_code));
        let mut error = json!({ "name": told.name, "retryable": told.retry_after_s.is_some() });
        if let Some(field) = told.field {
            error["field"] = Value::from(field);
        }
        if let Some(seconds) = told.retry_after_s {
            error["retry_after_s"] = Value::from(seconds);
        }
        if let Some(mistake) = self.mistakes().first() {
            error["expected"] = Value::from(mistake.expected.as_str());
            error["got"] = Value::from(mistake.got.as_str());
        }
        if let ApiError::Destination(_, refused) = &self {
            error["rule"] = Value::from(refused.rule.as_str());
            error["kind"] = Value::from(refused.kind.as_str());
        }
        body.insert("error".to_owned(), error);
        if !self.mistakes().is_empty() {
            let detail: Vec<Value> = self.mistakes().iter().map(detail).collect();
            body.insert("detail".to_owned(), Value::from(detail));
        }
        if let ApiError::BadFlow(findings) = &self {
            body.insert("findings".to_owned(), show_findings(findings));
        }
        if matches!(self, ApiError::QueueFull | ApiError::TooManyRequests(_)) {
            body.insert("slowdown".to_owned(), Value::from(true));
        }
        let mut response = told.status.into_response();
        if let Some(seconds) = told.retry_after_s {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if matches!(self, ApiError::NoToken) {
            let challenge = HeaderValue::from_static("Bearer realm=\"iradialer\"");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        response.extensions_mut().insert(Refusal { body });
        response
    }
}

/// One mistake in the form that the published API gives: `{loc, msg, type}`.
fn detail(mistake: &FieldError) -> Value {
    let is_elsewhere = ["query.", "path.", "header."]
        .iter()
        .any(|place| mistake.field.starts_with(place));
    let body = (!is_elsewhere && mistake.field != "body").then_some("body");
    let loc: Vec<&str> = body.into_iter().chain(mistake.field.split('.')).collect();
    let kind = if mistake.got == "nothing" {
        "missing"
    } else {
        "value_error"
    };
    json!({
        "loc": loc,
        "msg": format!("expected {}, got {}", mistake.expected, mistake.got),
        "type": kind,
    })
}

/// The HTTP status of a live request that was refused.
fn live_status(name: &str) -> StatusCode {
    match name {
        name::INVALID_FIELD | name::PROMPT_UNAVAILABLE => StatusCode::UNPROCESSABLE_ENTITY,
        name::NOT_READY | name::BUSY => StatusCode::SERVICE_UNAVAILABLE,
        name::NOT_YET | name::NOT_SUPPORTED | name::UNKNOWN_REQUEST => StatusCode::NOT_IMPLEMENTED,
        _ => StatusCode::CONFLICT,
    }
}

struct Told {
    status: StatusCode,
    /// The published API's code: 2 for no service, 3 for outside hours, 1 for everything else.
    status_code: u8,
    name: String,
    message: String,
    field: Option<String>,
    retry_after_s: Option<u32>,
}

impl ApiError {
    fn mistakes(&self) -> &[FieldError] {
        match self {
            ApiError::BadJson(mistake) => std::slice::from_ref(mistake),
            ApiError::BadFields(mistakes) => mistakes,
            _ => &[],
        }
    }

    fn told(&self) -> Told {
        use StatusCode as S;
        let told = |status, name: &str, message: String| Told {
            status,
            status_code: 1,
            name: name.to_owned(),
            message,
            field: None,
            retry_after_s: None,
        };
        let of = |field: &str, told: Told| Told {
            field: Some(field.to_owned()),
            ..told
        };
        let again = |seconds, told: Told| Told {
            retry_after_s: Some(seconds),
            ..told
        };
        match self {
            ApiError::NoToken => {
                let message = "A token is required: Authorization: Bearer TOKEN";
                of(
                    "authorization",
                    told(S::UNAUTHORIZED, "no_token", message.into()),
                )
            }
            ApiError::BadToken => {
                let message = "Invalid token".to_owned();
                of(
                    "authorization",
                    told(S::BAD_REQUEST, "invalid_token", message),
                )
            }
            ApiError::ExpiredToken(since_ms) => {
                let message = format!(
                    "Invalid token: it expired at {}",
                    timestamp::show(*since_ms)
                );
                of(
                    "authorization",
                    told(S::BAD_REQUEST, "invalid_token", message),
                )
            }
            ApiError::Forbidden(why) => of(
                "authorization",
                told(S::FORBIDDEN, "forbidden", why.clone()),
            ),
            ApiError::TooManyRequests(wait_s) => {
                let message = "Too many requests with this token".to_owned();
                again(*wait_s, told(S::TOO_MANY_REQUESTS, "rate_limited", message))
            }
            ApiError::BadJson(mistake) => {
                let message = format!("The body can't be read: {mistake}");
                let told = told(S::UNPROCESSABLE_ENTITY, "invalid_json", message);
                of(&mistake.field, told)
            }
            ApiError::BadFields(mistakes) => {
                let message = match mistakes.first() {
                    Some(first) => first.to_string(),
                    None => "Bad fields".to_owned(),
                };
                let field = mistakes.first().map(|first| first.field.clone());
                Told {
                    field,
                    ..told(S::UNPROCESSABLE_ENTITY, "invalid_field", message)
                }
            }
            ApiError::TooLarge(limit) => {
                let message = format!("body: expected at most {limit} bytes, got more");
                of("body", told(S::PAYLOAD_TOO_LARGE, "too_large", message))
            }
            ApiError::TooSlow => {
                let message = "The body did not come in time".to_owned();
                of("body", told(S::REQUEST_TIMEOUT, "too_slow", message))
            }
            ApiError::NotJson(got) => {
                let message = format!("content-type: expected application/json, got {got}");
                let told = told(S::UNSUPPORTED_MEDIA_TYPE, "not_json", message);
                of("content-type", told)
            }
            ApiError::UnknownCampaign(name) => {
                let message = format!("There is no campaign \"{name}\"");
                of(
                    "campaign_name",
                    told(S::NOT_FOUND, "unknown_campaign", message),
                )
            }
            ApiError::NoTrunks(name) => {
                let message = format!("The campaign \"{name}\" has no trunks");
                of("campaign_name", told(S::CONFLICT, "no_trunks", message))
            }
            ApiError::OutsideHours(hours) => {
                let message =
                    format!("This campaign is not allowed outside of production hours {hours}");
                Told {
                    status_code: 3,
                    ..of(
                        "campaign_name",
                        told(S::FORBIDDEN, "outside_hours", message),
                    )
                }
            }
            ApiError::Conflict(field) => {
                let message = format!("This {field} was used before, for another request");
                of(field, told(S::CONFLICT, "conflict", message))
            }
            ApiError::QueueFull => {
                let message = "The queue is full".to_owned();
                again(
                    RETRY_AFTER_S,
                    told(S::TOO_MANY_REQUESTS, "queue_full", message),
                )
            }
            ApiError::UnknownDeadLetter(id) => {
                let message = format!("There is no dead letter {id}");
                let told = told(S::NOT_FOUND, "unknown_deadletter", message);
                of("webhook_id", told)
            }
            ApiError::UnknownFlow(name, version) => {
                let message = match version {
                    None => format!("There is no flow \"{name}\""),
                    Some(version) => format!("There is no version {version} of a flow \"{name}\""),
                };
                of("name", told(S::NOT_FOUND, "unknown_flow", message))
            }
            ApiError::BadFlow(findings) => {
                let first = findings.iter().find(|finding| finding.is_error());
                let message = first.map_or_else(|| "Bad flow".to_owned(), ToString::to_string);
                let told = told(S::UNPROCESSABLE_ENTITY, "invalid_flow", message);
                Told {
                    field: first.map(|first| first.path.clone()),
                    ..told
                }
            }
            ApiError::DoNotCall(scope) => {
                let message = match scope {
                    DncScope::Tenant => "This number is on the do-not-call list".to_owned(),
                    DncScope::Campaign => {
                        "This number is on the do-not-call list of this campaign".to_owned()
                    }
                };
                of("to_number", told(S::FORBIDDEN, "do_not_call", message))
            }
            ApiError::Destination(field, refused) => of(
                field,
                told(S::FORBIDDEN, "destination_refused", refused.to_string()),
            ),
            ApiError::CallerNumber(number, campaign) => {
                let message = format!(
                    "from_number: expected the campaign {campaign}'s, or one of the tenant's from_numbers, got {number}"
                );
                let told = told(S::FORBIDDEN, "caller_number_refused", message);
                of("from_number", told)
            }
            ApiError::UnknownTrunk(name) => {
                let message = format!("There is no trunk {name}");
                of("name", told(S::NOT_FOUND, "unknown_trunk", message))
            }
            ApiError::UnknownToken(id) => {
                let message = format!("There is no token {id}");
                of("token_id", told(S::NOT_FOUND, "unknown_token", message))
            }
            ApiError::UnknownCall(call) => {
                let message = format!("There is no call {call}");
                of("call_uuid", told(S::NOT_FOUND, "unknown_call", message))
            }
            ApiError::SwitchUnreachable(why) => Told {
                status_code: 2,
                ..again(
                    RETRY_SOON_S,
                    told(S::SERVICE_UNAVAILABLE, "unreachable", why.clone()),
                )
            },
            ApiError::SwitchRefused(why) => told(S::CONFLICT, "refused", why.clone()),
            ApiError::LiveRefused {
                name,
                message,
                field,
                retryable,
            } => Told {
                field: field.clone(),
                retry_after_s: retryable.then_some(RETRY_SOON_S),
                ..told(live_status(name), name, message.clone())
            },
            ApiError::NoSuchPath(path) => told(
                S::NOT_FOUND,
                "no_such_path",
                format!("There is nothing at {path}"),
            ),
            ApiError::NoSuchMethod(method, path) => {
                let message = format!("{path} does not know {method}");
                told(S::METHOD_NOT_ALLOWED, "no_such_method", message)
            }
            ApiError::Unavailable => {
                let message = "The service is not available".to_owned();
                Told {
                    status_code: 2,
                    ..again(
                        RETRY_SOON_S,
                        told(S::SERVICE_UNAVAILABLE, "unavailable", message),
                    )
                }
            }
        }
    }
}
