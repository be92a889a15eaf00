//! A webhook receiver that checks every signature and keeps every event.

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use standardwebhooks::Webhook;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// An event as it was delivered.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// When it came.
    pub at: Instant,
    /// Its `webhook-id`: the same each time it is tried.
    pub id: String,
    /// The `Authorization` header.
    pub authorization: String,
    /// The event's name without the prefix.
    pub name: String,
    /// Its data.
    pub data: Value,
}

impl Delivery {
    /// The call it is of.
    pub fn call(&self) -> &str {
        self.data["call_uuid"].as_str().unwrap_or_default()
    }

    /// Whether it is the last of its call.
    pub fn is_final(&self) -> bool {
        self.data["final"] == true
    }
}

/// The receiver. Dropping it stops it.
pub struct Receiver {
    shared: Arc<Shared>,
    url: String,
    _server: AbortOnDropHandle<()>,
}

struct Shared {
    secret: OnceLock<Webhook>,
    inbox: Mutex<Inbox>,
    arrivals: watch::Sender<usize>,
}

#[derive(Default)]
struct Inbox {
    events: Vec<Delivery>,
    ids: HashSet<String>,
    /// Why deliveries were turned away: a bad signature, a body that is no event.
    refused: Vec<String>,
    /// How many came again under an id already seen.
    repeats: usize,
}

impl Receiver {
    /// Starts one on a free port of loopback. Until [`Receiver::trust`] it answers 503.
    pub async fn start() -> Result<Self> {
        let shared = Arc::new(Shared {
            secret: OnceLock::new(),
            inbox: Mutex::default(),
            arrivals: watch::Sender::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/events", listener.local_addr()?);
        let app = Router::new()
            .route("/events", axum::routing::post(take))
            .with_state(shared.clone());
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                eprintln!("webhook receiver: {error}");
            }
        });
        Ok(Receiver {
            shared,
            url,
            _server: AbortOnDropHandle::new(server),
        })
    }

    /// Takes events that are signed with `secret` (`whsec_…`) from now on.
    pub fn trust(&self, secret: &str) -> Result<()> {
        let webhook = Webhook::new(secret).context("the gateway's webhook secret")?;
        if self.shared.secret.set(webhook).is_err() {
            bail!("the receiver already trusts a secret");
        }
        Ok(())
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Every event so far, each once, in the order they came.
    pub fn events(&self) -> Vec<Delivery> {
        self.shared.inbox().events.clone()
    }

    /// The events of a call so far.
    pub fn events_of(&self, call: &str) -> Vec<Delivery> {
        let inbox = self.shared.inbox();
        inbox
            .events
            .iter()
            .filter(|event| event.call() == call)
            .cloned()
            .collect()
    }

    /// Why deliveries were turned away.
    pub fn refused(&self) -> Vec<String> {
        self.shared.inbox().refused.clone()
    }

    /// How many deliveries came more than once.
    pub fn repeats(&self) -> usize {
        self.shared.inbox().repeats
    }

    /// Waits until the events of `call` satisfy `enough`, at most so long, and gives them.
    pub async fn wait_for(
        &self,
        call: &str,
        what: &str,
        within: Duration,
        enough: impl Fn(&[Delivery]) -> bool,
    ) -> Result<Vec<Delivery>> {
        let mut arrivals = self.shared.arrivals.subscribe();
        let wait = async {
            loop {
                let events = self.events_of(call);
                if enough(&events) {
                    return events;
                }
                // The sender lives in `self`, so a change is all that can come.
                let _ = arrivals.changed().await;
            }
        };
        match tokio::time::timeout(within, wait).await {
            Ok(events) => Ok(events),
            Err(_) => bail!(
                "no {what} within {within:?}; came: {:?}, refused: {:?}",
                self.events_of(call)
                    .iter()
                    .map(|event| &event.name)
                    .collect::<Vec<_>>(),
                self.refused()
            ),
        }
    }

    /// Waits until `call` has had its last event, and gives all of them.
    pub async fn wait_for_end(&self, call: &str, within: Duration) -> Result<Vec<Delivery>> {
        let ended = |events: &[Delivery]| events.iter().any(Delivery::is_final);
        self.wait_for(call, "final event", within, ended).await
    }

    /// Tells of every arrival by how many there have been.
    pub fn arrivals(&self) -> watch::Receiver<usize> {
        self.shared.arrivals.subscribe()
    }
}

impl Shared {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn refuse(&self, why: String, status: StatusCode) -> StatusCode {
        self.inbox().refused.push(why);
        status
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let Some(secret) = shared.secret.get() else {
        return StatusCode::SERVICE_UNAVAILABLE;
    };
    if let Err(error) = secret.verify(&body, &headers) {
        return shared.refuse(format!("{error}: {headers:?}"), StatusCode::UNAUTHORIZED);
    }
    let Some(delivery) = read(&headers, &body) else {
        let why = format!("not an event: {}", String::from_utf8_lossy(&body));
        return shared.refuse(why, StatusCode::BAD_REQUEST);
    };
    let mut inbox = shared.inbox();
    if inbox.ids.insert(delivery.id.clone()) {
        inbox.events.push(delivery);
    } else {
        inbox.repeats += 1;
    }
    drop(inbox);
    shared.arrivals.send_modify(|count| *count += 1);
    StatusCode::NO_CONTENT
}

/// The event in a body of exactly `event_name` and `event_data`.
fn read(headers: &HeaderMap, body: &[u8]) -> Option<Delivery> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let mut body: Value = serde_json::from_slice(body).ok()?;
    let fields = body.as_object_mut()?;
    let name = fields.remove("event_name")?.as_str()?.to_owned();
    let data = fields.remove("event_data")?;
    if !fields.is_empty() {
        return None;
    }
    Some(Delivery {
        at: Instant::now(),
        id: header("webhook-id")?.to_owned(),
        authorization: header("authorization").unwrap_or_default().to_owned(),
        name: name.strip_prefix("iradialer::")?.to_owned(),
        data,
    })
}
