//! Receivers of the benchmark: one that takes whatever comes, on every address of loopback, and one of each kind
//! that does not.

use super::load::call_number;
use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, getsockname, listen, socket,
};
use standardwebhooks::Webhook;
use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener as StdListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// Every so many deliveries the signature is checked.
const SAMPLE: usize = 50;
/// How long a slow receiver takes for its answer.
const SLOW: Duration = Duration::from_secs(8);

/// What has come.
#[derive(Default)]
pub struct Inbox {
    /// `(call, seq, when)`: the last in µs since the Unix epoch, as it came.
    pub came: Vec<(u64, u64, u64)>,
    /// The last event of each call.
    last: HashMap<u64, u64>,
    /// How many came out of their order, or again.
    pub astray: u64,
    /// How many signatures were checked.
    pub checked: u64,
    /// How many of those were wrong.
    pub forged: u64,
}

struct Shared {
    judge: Webhook,
    inbox: Mutex<Inbox>,
    any: AtomicU64,
}

/// A server on `0.0.0.0`, so that each of `127.0.0.1`, `127.0.0.2`, … is a receiver of its own. `/hook` takes
/// everything and keeps when, `/any` everything, `/slow` takes 8 s, `/moved` redirects.
pub struct Receivers {
    shared: Arc<Shared>,
    /// Its port.
    pub port: u16,
    _server: AbortOnDropHandle<()>,
}

impl Receivers {
    /// Starts it. Signatures are those of `secret` (`whsec_…`).
    pub async fn start(secret: &str) -> Result<Self> {
        let listener = TcpListener::bind("0.0.0.0:0").await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            judge: Webhook::new(secret)?,
            inbox: Mutex::default(),
            any: AtomicU64::new(0),
        });
        let app = Router::new()
            .route("/hook", post(take))
            .route("/any", post(take_any))
            .route("/slow", post(take_slowly))
            .route("/moved", post(redirect))
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                eprintln!("webhook receivers: {error}");
            }
        });
        Ok(Receivers {
            shared,
            port,
            _server: AbortOnDropHandle::new(server),
        })
    }

    /// How many events have come to `/hook`.
    pub fn count(&self) -> usize {
        self.lock().came.len()
    }

    /// How many have come to `/any`.
    pub fn any(&self) -> u64 {
        self.shared.any.load(Ordering::Relaxed)
    }

    /// All that has come to `/hook`; it is empty then.
    pub fn take(&self) -> Inbox {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inbox> {
        let inbox = &self.shared.inbox;
        inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let at_us = now.map_or(0, |now| now.as_micros() as u64);
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok());
    let place = id.and_then(|id| {
        let (call, seq) = id.split_once('_')?;
        Some((call_number(call)?, seq.parse::<u64>().ok()?))
    });
    let Some((call, seq)) = place else {
        return StatusCode::BAD_REQUEST;
    };
    let mut inbox = shared.inbox.lock().unwrap_or_else(PoisonError::into_inner);
    let last = inbox.last.insert(call, seq).unwrap_or(0);
    if seq != last + 1 {
        inbox.astray += 1;
    }
    inbox.came.push((call, seq, at_us));
    if inbox.came.len() % SAMPLE == 1 {
        inbox.checked += 1;
        drop(inbox);
        if shared.judge.verify(&body, &headers).is_err() {
            let inbox = shared.inbox.lock();
            inbox.unwrap_or_else(PoisonError::into_inner).forged += 1;
        }
    }
    StatusCode::NO_CONTENT
}

async fn take_any(State(shared): State<Arc<Shared>>, _: Bytes) -> StatusCode {
    shared.any.fetch_add(1, Ordering::Relaxed);
    StatusCode::NO_CONTENT
}

async fn take_slowly(_: Bytes) -> StatusCode {
    tokio::time::sleep(SLOW).await;
    StatusCode::NO_CONTENT
}

async fn redirect(_: Bytes) -> impl IntoResponse {
    (StatusCode::FOUND, [("location", "http://127.0.0.1:1/")])
}

/// A port that nobody listens at.
pub fn closed_port() -> Result<u16> {
    Ok(StdListener::bind("0.0.0.0:0")?.local_addr()?.port())
}

/// A port, on every address of loopback, whose connections are never made: its queue is full, so that what comes is
/// dropped without a word.
pub struct BlackHole {
    /// The port.
    pub port: u16,
    _listener: OwnedFd,
    _queued: Vec<TcpStream>,
}

impl BlackHole {
    /// One on a free port.
    pub fn open() -> Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let listener = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
        bind(listener.as_raw_fd(), &SockaddrIn::new(0, 0, 0, 0, 0))?;
        listen(&listener, Backlog::new(0)?)?;
        let port = getsockname::<SockaddrIn>(listener.as_raw_fd())?.port();
        let mut queued = Vec::new();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            queued.push(stream);
        }
        Ok(BlackHole {
            port,
            _listener: listener,
            _queued: queued,
        })
    }
}
