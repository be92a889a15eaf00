//! What a request can be refused for, and the one place that makes an HTTP answer of it.

mod answer;
mod examples;

pub(crate) use answer::FlowFinding;
pub(super) use answer::{Detail, ErrorAnswer, ErrorFacts};

use super::timestamp;
use crate::destinations::Refused;
use crate::license::NotAllowed;
use crate::operations;
use crate::tdb::TdbError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use iradialer_core::flow::{DncScope, Finding};
use iradialer_core::license;
use iradialer_core::live::name;
use iradialer_core::value::{CallerNumber, CampaignName, FieldError};

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
    /// The licence does not allow it.
    License(NotAllowed),
    /// A licence that is not installed: why.
    BadLicense(license::Refusal),
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
    /// The body is compressed.
    Encoded(String),
    /// As many streams are open as may be.
    TooManyStreams,
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
    DoNotCall(&'static str, DncScope),
    /// The number, in that field, may not be called.
    Destination(&'static str, Refused),
    /// The tenant has no such token.
    UnknownToken(String),
    /// Calls of that campaign may not show that number as the caller's.
    CallerNumber(CallerNumber, CampaignName),
    /// There is no such trunk among those the tenant uses.
    UnknownTrunk(String),
    /// That cluster is none that can be reached from here.
    ClustersUnreachable(String),
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
    /// There is no such thing, under that name of a refusal, field and sentence.
    Unknown(&'static str, &'static str, String),
    /// As things are it can't be: the same.
    InTheWay(&'static str, &'static str, String),
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

impl From<NotAllowed> for ApiError {
    fn from(why: NotAllowed) -> Self {
        ApiError::License(why)
    }
}

impl From<operations::Refusal> for ApiError {
    fn from(refusal: operations::Refusal) -> Self {
        match refusal {
            operations::Refusal::Fields(mistakes) => ApiError::BadFields(mistakes),
            operations::Refusal::Unknown(why) => {
                ApiError::Unknown(why.name, why.field, why.message)
            }
            operations::Refusal::Conflict(why) => {
                ApiError::InTheWay(why.name, why.field, why.message)
            }
            operations::Refusal::Forbidden(why) => ApiError::Forbidden(why),
            operations::Refusal::Busy => ApiError::Unavailable,
            operations::Refusal::Tdb(error) => error.into(),
        }
    }
}

impl From<FieldError> for ApiError {
    fn from(mistake: FieldError) -> Self {
        ApiError::BadFields(vec![mistake])
    }
}

/// What the client is told; the request's id is added where it is known.
#[derive(Debug, Clone)]
pub(super) struct Refusal(pub ErrorAnswer);

impl ApiError {
    /// What the client is told, but for the request's id.
    pub fn answer(&self) -> (StatusCode, ErrorAnswer) {
        let told = self.told();
        let first = self.mistakes().first();
        let error = ErrorFacts {
            expected: first.map(|mistake| mistake.expected.clone()),
            field: told.field,
            got: first.map(|mistake| mistake.got.clone()),
            retry_after_s: told.retry_after_s,
            retryable: told.retry_after_s.is_some(),
            ..ErrorFacts::named(told.name)
        };
        let answer = ErrorAnswer {
            detail: self.mistakes().iter().map(Detail::of).collect(),
            error: match self {
                ApiError::Destination(_, refused) => error.by(refused),
                ApiError::License(why) => error.because(why.reason),
                ApiError::BadLicense(why) => error.because(why.name()),
                _ => error,
            },
            findings: match self {
                ApiError::BadFlow(findings) => FlowFinding::of_all(findings),
                _ => Vec::new(),
            },
            request_id: String::new(),
            slowdown: (told.status == StatusCode::TOO_MANY_REQUESTS).then_some(true),
            status: told.message,
            status_code: told.status_code,
        };
        (told.status, answer)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, answer) = self.answer();
        let mut response = status.into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = answer.error.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if matches!(self, ApiError::NoToken) {
            let challenge = HeaderValue::from_static("Bearer realm=\"iradialer\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response.extensions_mut().insert(Refusal(answer));
        response
    }
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
            ApiError::License(why) => told(S::PAYMENT_REQUIRED, "license", why.message.clone()),
            ApiError::BadLicense(why) => {
                let (status, name) = match why {
                    license::Refusal::Older { .. } => (S::CONFLICT, "license_older"),
                    _ => (S::UNPROCESSABLE_ENTITY, "license_refused"),
                };
                let message = format!("license: {why}");
                of("license", told(status, name, message))
            }
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
            ApiError::Encoded(got) => {
                let message = format!("content-encoding: expected none, got {got}");
                let told = told(S::UNSUPPORTED_MEDIA_TYPE, "encoded", message);
                of("content-encoding", told)
            }
            ApiError::TooManyStreams => {
                let message = "As many streams are open as may be".to_owned();
                again(
                    RETRY_AFTER_S,
                    told(S::TOO_MANY_REQUESTS, "too_many_streams", message),
                )
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
            ApiError::DoNotCall(field, scope) => {
                let message = match scope {
                    DncScope::Tenant => "This number is on the do-not-call list".to_owned(),
                    DncScope::Campaign => {
                        "This number is on the do-not-call list of this campaign".to_owned()
                    }
                };
                of(field, told(S::FORBIDDEN, "do_not_call", message))
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
            ApiError::ClustersUnreachable(name) => {
                let message = format!("Clusters unreachable: {name}");
                let told = told(S::SERVICE_UNAVAILABLE, "clusters_unreachable", message);
                Told {
                    status_code: 2,
                    ..again(RETRY_AFTER_S, of("cluster", told))
                }
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
            ApiError::Unknown(name, field, message) => {
                of(field, told(S::NOT_FOUND, name, message.clone()))
            }
            ApiError::InTheWay(name, field, message) => {
                of(field, told(S::CONFLICT, name, message.clone()))
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
