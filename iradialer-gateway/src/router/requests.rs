//! The published requests to the routers, on `{cluster}.router.request`: what HTTP has too, done by the same code.
//!
//! Who may ask is NATS's to say (docs/nats.md): whoever may publish there acts for the operator and every tenant.

mod act;

use super::shared::Shared;
use crate::operations::{Desk, Refusal};
use crate::tdb::{Author, Via};
use crate::web::Acceptance;
use async_nats::Message;
use async_nats::header::NATS_MESSAGE_ID;
use futures::StreamExt;
use iradialer_core::live::{Answer, AnswerError, Refused, name};
use iradialer_core::router_request::{RouterBody, RouterRequest};
use iradialer_core::subject;
use iradialer_core::value::FieldError;
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::sleep;

/// How long to wait before subscribing again.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// How many are worked on at once; the others wait in the subscription.
const AT_ONCE: usize = 256;
/// The queue group.
const GROUP: &str = "router";

/// An answer, with what was asked for.
#[derive(Debug, Serialize)]
pub(super) struct Answered {
    #[serde(flatten)]
    answer: Answer,
    #[serde(flatten)]
    data: Map<String, Value>,
}

impl Answered {
    fn ok(message: impl Into<String>) -> Self {
        Answer::ok(message).into()
    }

    /// With what a JSON object has.
    fn with(mut self, data: Value) -> Self {
        if let Value::Object(members) = data {
            self.data.extend(members);
        }
        self
    }
}

impl From<Answer> for Answered {
    fn from(answer: Answer) -> Self {
        Answered {
            answer,
            data: Map::new(),
        }
    }
}

impl From<Refused> for Answered {
    fn from(refused: Refused) -> Self {
        Answer::refused(refused).into()
    }
}

impl From<Refusal> for Answered {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Fields(mistakes) => match mistakes.into_iter().next() {
                Some(mistake) => Refused::mistake(mistake.within("event_data")).into(),
                None => refused("invalid_field", None, "A field is wrong".to_owned(), false),
            },
            Refusal::Unknown(why) | Refusal::Conflict(why) => {
                refused(why.name, Some(why.field), why.message, false)
            }
            Refusal::Forbidden(why) => refused("forbidden", None, why, false),
            Refusal::Busy => refused("busy", None, Refusal::Busy.to_string(), true),
            Refusal::Tdb(error) => {
                tracing::error!(%error, "a request on the bus failed");
                let message = "The service is not available".to_owned();
                refused("unavailable", None, message, true)
            }
        }
    }
}

/// A refusal of that name, in the form of the others.
fn refused(name: &str, field: Option<&str>, message: String, retryable: bool) -> Answered {
    let error = AnswerError {
        name: name.to_owned(),
        field: field.map(|field| format!("event_data.{field}")),
        expected: None,
        got: None,
        retryable,
    };
    Answer {
        status: "ERR".to_owned(),
        status_code: 1 + u16::from(retryable),
        error: Some(error),
        ..Answer::ok(message)
    }
    .into()
}

/// What can't be done here.
fn not_supported(field: &str, expected: &str, got: &str) -> Answered {
    let field = format!("event_data.{field}");
    Refused::field(name::NOT_SUPPORTED, FieldError::new(field, expected, got)).into()
}

/// Answers until the router stops.
pub(super) async fn serve(shared: Arc<Shared>) {
    let stop = shared.stop.clone();
    stop.run_until_cancelled(serve_for_ever(shared)).await;
}

async fn serve_for_ever(shared: Arc<Shared>) {
    let subject = subject::router_request(&shared.app.config.cluster);
    let acceptance = Arc::new(Acceptance::new(shared.app.clone()));
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let subscribed = shared
            .client
            .queue_subscribe(subject.clone(), GROUP.to_owned());
        match subscribed.await {
            Ok(mut requests) => {
                while let Some(message) = requests.next().await {
                    let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                        return;
                    };
                    let (shared, acceptance) = (Arc::clone(&shared), Arc::clone(&acceptance));
                    shared.clone().tasks.spawn(async move {
                        answer(&shared, &acceptance, message).await;
                        drop(place);
                    });
                }
            }
            Err(error) => tracing::error!(%error, "requests to the routers can't be listened to"),
        }
        sleep(RETRY_DELAY).await;
    }
}

async fn answer(shared: &Shared, acceptance: &Acceptance, message: Message) {
    let id = message
        .headers
        .as_ref()
        .and_then(|headers| headers.get(NATS_MESSAGE_ID));
    let id = id.map(|id| id.as_str().to_owned());
    let (answered, elsewhere) = match RouterRequest::parse(&message.payload) {
        Ok(request) => {
            let elsewhere = elsewhere(shared, &request.body);
            let ignored = request.ignored.clone();
            let mut answered = act::act(shared, acceptance, request, id).await;
            answered.answer.ignored.extend(ignored);
            (answered, elsewhere)
        }
        Err(refused) => (refused.into(), None),
    };
    let Some(to) = message.reply.map(|reply| reply.to_string()).or(elsewhere) else {
        return;
    };
    let payload = serde_json::to_vec(&answered).unwrap_or_default();
    if let Err(error) = shared.client.publish(to, payload.into()).await {
        tracing::warn!(%error, "a request on the bus was not answered");
    }
}

/// Where an answer goes that nobody waits for.
fn elsewhere(shared: &Shared, body: &RouterBody) -> Option<String> {
    let subject = match body {
        RouterBody::MakeCall(call) => Some(&call.event_subject),
        RouterBody::Instances(of) => of.event_subject.as_ref(),
        _ => None,
    };
    let begins_with = subject::clients(&shared.app.config.cluster);
    let subject = subject.map(|subject| subject.as_str().to_owned());
    subject.filter(|subject| subject.starts_with(&begins_with))
}

/// Where the bus has the catalogue changed.
fn desk(shared: &Shared, request_id: Option<String>) -> Desk<'_> {
    Desk {
        tdb: &shared.app.tdb,
        catalogues: &shared.app.catalogues,
        author: Author {
            via: Via::Nats,
            actor: "router.request".to_owned(),
            request_id,
        },
        now_ms: shared.now_ms(),
    }
}
