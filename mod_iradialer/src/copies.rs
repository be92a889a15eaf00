//! Copies of events for who asked for them by `event_subject`: sent once, and lost where NATS is away. What
//! counts is in the event stream.

use bytes::Bytes;
use iradialer_core::live::EventSubject;
use iradialer_core::wire::SwitchEvent;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// How many may wait to be sent; further ones are lost.
const MOST_WAITING: usize = 10_000;
/// What the names of events begin with, as the gateway's do unless it is configured otherwise.
const PREFIX: &str = "iradialer::";

/// Where copies wait to be sent.
pub struct Copies {
    sender: mpsc::Sender<(EventSubject, Bytes)>,
    receiver: Mutex<Option<mpsc::Receiver<(EventSubject, Bytes)>>>,
    lost: AtomicU64,
}

impl Default for Copies {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(MOST_WAITING);
        Copies {
            sender,
            receiver: Mutex::new(Some(receiver)),
            lost: AtomicU64::new(0),
        }
    }
}

impl Copies {
    /// Leaves a message to be sent. Never blocks.
    pub fn send(&self, to: EventSubject, payload: Bytes) {
        if self.sender.try_send((to, payload)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The end that sends them, once.
    pub fn receiver(&self) -> Option<mpsc::Receiver<(EventSubject, Bytes)>> {
        self.receiver.lock().take()
    }

    /// How many were lost because too many waited.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// An event in the published form: `{event_name, event_data}`.
pub fn published(event: &SwitchEvent, call_params: Option<&Map<String, Value>>) -> Bytes {
    let mut data = match serde_json::to_value(&event.body) {
        Ok(Value::Object(mut body)) => match body.remove("data") {
            Some(Value::Object(data)) => data,
            _ => Map::new(),
        },
        _ => Map::new(),
    };
    let common = json!({
        "call_uuid": event.call_uuid,
        "tenant_id": event.tenant_id,
        "node_id": event.node_id,
        "attempt": event.attempt,
        "attempt_seq": event.seq,
        "at_ms": event.at_ms,
    });
    if let Value::Object(common) = common {
        data.extend(common);
    }
    if let Some(params) = call_params {
        data.insert("call_params".to_owned(), Value::Object(params.clone()));
    }
    let name = format!("{PREFIX}{}", event.body.name());
    json!({ "event_name": name, "event_data": data })
        .to_string()
        .into()
}
