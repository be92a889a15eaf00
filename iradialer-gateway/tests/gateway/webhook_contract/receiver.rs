//! A receiver of webhooks that keeps all that came, and answers as a test wants it.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use serde_json::Value;
use standardwebhooks::Webhook;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    pub at: Instant,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Received {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn name(&self) -> String {
        self.json()["event_name"].as_str().unwrap().to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// Whether the signature is one with this secret, by the library that receivers would use.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let judge = Webhook::new(secret).unwrap();
        judge.verify(&self.body, &self.headers).is_ok()
    }
}

type Answer =
    Arc<dyn Fn(usize, Received) -> Pin<Box<dyn Future<Output = Response> + Send>> + Send + Sync>;

#[derive(Clone)]
struct Behaviour {
    seen: Arc<Mutex<Vec<Received>>>,
    answer: Answer,
}

/// A server on loopback. Gone when dropped.
pub struct Receiver {
    pub url: String,
    seen: Arc<Mutex<Vec<Received>>>,
    server: JoinHandle<()>,
}

impl Receiver {
    /// One that gives its nth request (from 0) this answer.
    pub async fn start<F, R>(answer: F) -> Receiver
    where
        F: Fn(usize, Received) -> R + Send + Sync + 'static,
        R: Future<Output = Response> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        Receiver::serve(listener, url, answer)
    }

    /// One that always answers so.
    pub async fn always(status: StatusCode) -> Receiver {
        Receiver::start(move |_, _| async move { status.into_response() }).await
    }

    /// One that listens there.
    pub fn serve<L, F, R>(listener: L, url: String, answer: F) -> Receiver
    where
        L: Listener<Addr: std::fmt::Debug>,
        F: Fn(usize, Received) -> R + Send + Sync + 'static,
        R: Future<Output = Response> + Send + 'static,
    {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let app = Router::new().fallback(receive).with_state(Behaviour {
            seen: Arc::clone(&seen),
            answer: Arc::new(move |count, request| Box::pin(answer(count, request))),
        });
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Receiver { url, seen, server }
    }

    /// All that came so far.
    pub fn seen(&self) -> Vec<Received> {
        self.seen.lock().unwrap().clone()
    }

    /// The names of the events that came.
    pub fn names(&self) -> Vec<String> {
        self.seen().iter().map(Received::name).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(
    State(behaviour): State<Behaviour>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let received = Received {
        at: Instant::now(),
        path: uri.path().to_owned(),
        headers,
        body: body.to_vec(),
    };
    let count = {
        let mut seen = behaviour.seen.lock().unwrap();
        seen.push(received.clone());
        seen.len() - 1
    };
    (behaviour.answer)(count, received).await
}
