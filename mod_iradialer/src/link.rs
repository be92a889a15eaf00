//! The NATS link: dial commands in, events and heartbeats out, on a runtime of its own that no
//! session's thread ever waits for.

mod commands;
mod confirm;
mod delivery;
mod flows;
mod heartbeat;
mod lease;
mod repeats;
mod transfers;

use crate::engine::Engine;
use crate::host::{Host, Level};
use crate::outbox::Deliveries;
use async_nats::{Client, ConnectOptions, Event, ServerError};
use iradialer_core::subject;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long the last events and the last heartbeat are given to leave.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// How many different refusals of the server are remembered.
const MOST_REFUSED: usize = 16;
/// How long the routers are given to hear that this life leaves: what they have sent until then is
/// refused, which it would not be by nobody.
const LAST_COMMANDS: Duration = Duration::from_millis(100);
/// How long the runtime's threads are given to end.
const RUNTIME_END: Duration = Duration::from_secs(2);

/// What the link is doing, for `iradialer status`.
#[derive(Default)]
pub struct LinkStatus {
    connected: AtomicBool,
    reconnects: AtomicU64,
    last_error: Mutex<Option<String>>,
    refused: Mutex<BTreeSet<String>>,
    twin: AtomicBool,
}

impl LinkStatus {
    /// Whether the NATS server is connected.
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::SeqCst)
    }

    /// How many times it was lost and found again.
    pub fn reconnects(&self) -> u64 {
        self.reconnects.load(Ordering::SeqCst)
    }

    /// The last error the client told.
    pub fn last_error(&self) -> Option<String> {
        self.last_error.lock().clone()
    }

    /// What the server did not let us do, such as `Permissions Violation for Publish to "x"`: the user
    /// of this switch lacks a right. Known until the module is connected anew.
    pub fn refused(&self) -> Vec<String> {
        self.refused.lock().iter().cloned().collect()
    }

    /// Whether another module beats under this switch's node id.
    pub fn has_twin(&self) -> bool {
        self.twin.load(Ordering::SeqCst)
    }

    /// Whether that has changed.
    fn set_twin(&self, twin: bool) -> bool {
        self.twin.swap(twin, Ordering::SeqCst) != twin
    }

    fn note_refusal(&self, text: &str, host: &dyn Host, url: &str) {
        let mut refused = self.refused.lock();
        if refused.len() < MOST_REFUSED && refused.insert(text.to_owned()) {
            let line = format!(
                "{url}: {text}: the NATS user of this switch lacks this right (docs/nats.md)"
            );
            host.log(Level::Error, &line);
        }
    }

    fn note(&self, event: &Event, host: &dyn Host, url: &str) {
        match event {
            Event::Connected => {
                if self.connected.swap(true, Ordering::SeqCst) {
                    return;
                }
                self.refused.lock().clear();
                *self.last_error.lock() = None;
                host.log(Level::Info, &format!("connected to {url}"));
            }
            Event::Disconnected => {
                self.connected.store(false, Ordering::SeqCst);
                self.reconnects.fetch_add(1, Ordering::SeqCst);
                host.log(
                    Level::Warning,
                    &format!("lost {url}; live calls go on, no new call starts"),
                );
            }
            Event::ServerError(ServerError::Other(text))
                if text
                    .to_ascii_lowercase()
                    .starts_with("permissions violation") =>
            {
                self.note_refusal(text, host, url);
            }
            Event::ServerError(_) | Event::ClientError(_) => {
                let text = event.to_string();
                // Repeated with every try while a server is away: once is enough.
                if self.last_error.lock().replace(text.clone()).as_ref() != Some(&text) {
                    host.log(Level::Warning, &format!("{url}: {text}"));
                }
            }
            _ => {}
        }
    }
}

/// The module's own runtime: what waits on others does it there, and no session's thread waits for it.
pub fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        // One: on a quiet switch, waking a second one costs more than it does.
        .worker_threads(1)
        .thread_name("iradialer-nats")
        .enable_all()
        .build()
}

/// The link of one life of the module.
pub struct Link {
    runtime: Mutex<Option<Runtime>>,
    engine: Arc<Engine>,
    stopping: CancellationToken,
    beat_now: Arc<Notify>,
    last_beat: Arc<Notify>,
    /// What it is doing.
    pub status: Arc<LinkStatus>,
}

impl Link {
    /// Starts the link. A server that is away is waited for; nothing here fails for it.
    pub fn start(runtime: Runtime, engine: Arc<Engine>, deliveries: Deliveries) -> Link {
        let status = Arc::new(LinkStatus::default());
        let stopping = CancellationToken::new();
        let (beat_now, last_beat) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let link = Link {
            runtime: Mutex::new(None),
            engine,
            stopping,
            beat_now,
            last_beat,
            status,
        };
        runtime.spawn(link.serve(deliveries));
        Link {
            runtime: Mutex::new(Some(runtime)),
            ..link
        }
    }

    fn serve(&self, deliveries: Deliveries) -> impl Future<Output = ()> + Send + 'static {
        let (engine, status, stopping) = (
            self.engine.clone(),
            self.status.clone(),
            self.stopping.clone(),
        );
        let (beat_now, last_beat) = (self.beat_now.clone(), self.last_beat.clone());
        async move {
            let work = async {
                match connect(&engine, &status).await {
                    Ok(client) => {
                        let cluster = engine.config().cluster;
                        let routers = flows::Routers::new(client.clone(), &cluster);
                        engine.flows.get_from(Arc::new(routers));
                        let serving = Serving {
                            engine,
                            client,
                            status,
                            beat_now,
                            last_beat,
                        };
                        serve_all(serving, deliveries).await;
                    }
                    Err(error) => engine.host.log(Level::Error, &format!("NATS: {error}")),
                }
            };
            stopping.run_until_cancelled(work).await;
        }
    }

    /// Sends a heartbeat at once, for a state that has changed.
    pub fn beat(&self) {
        self.beat_now.notify_one();
    }

    /// Gives the last events and the last heartbeat time to leave, then ends the runtime. Returns how
    /// many events could not be delivered.
    pub fn stop(&self) -> u64 {
        let Some(runtime) = self.runtime.lock().take() else {
            return 0;
        };
        let deadline = Instant::now() + LAST_WORDS;
        while self.status.is_connected()
            && self.engine.outbox.waiting() > 0
            && Instant::now() < deadline
        {
            std::thread::sleep(Duration::from_millis(5));
        }
        if self.status.is_connected() {
            self.beat_now.notify_one();
            let said = self.last_beat.clone();
            runtime
                .block_on(async { tokio::time::timeout(LAST_WORDS, said.notified()).await })
                .ok();
            std::thread::sleep(LAST_COMMANDS);
        }
        self.stopping.cancel();
        runtime.shutdown_timeout(RUNTIME_END);
        self.engine.outbox.waiting()
    }
}

/// What the link's tasks share.
struct Serving {
    engine: Arc<Engine>,
    client: Client,
    status: Arc<LinkStatus>,
    beat_now: Arc<Notify>,
    last_beat: Arc<Notify>,
}

/// Does all that the link does, until it is dropped. Each in a task of its own, so that a message wakes
/// only the one it is for.
async fn serve_all(serving: Serving, deliveries: Deliveries) {
    let it = Arc::new(serving);
    let mut tasks = JoinSet::new();
    let one = it.clone();
    tasks.spawn(async move { commands::serve_dial(&one.engine, &one.client).await });
    let one = it.clone();
    tasks.spawn(async move { commands::serve_queries(&one.engine, &one.client).await });
    let one = it.clone();
    tasks.spawn(async move { commands::serve_held(&one.engine, &one.client).await });
    let one = it.clone();
    tasks.spawn(async move { commands::serve_requests(&one.engine, &one.client).await });
    let one = it.clone();
    tasks.spawn(async move { transfers::ask(&one.engine, &one.client).await });
    let one = it.clone();
    tasks.spawn(async move { lease::keep(&one.engine, &one.client, &one.beat_now).await });
    let one = it.clone();
    tasks.spawn(async move { confirm::confirm(&one.engine, &one.client).await });
    let one = it.clone();
    tasks.spawn(async move {
        heartbeat::beat(&one.engine, &one.client, &one.beat_now, &one.last_beat).await;
    });
    let one = it.clone();
    tasks.spawn(async move {
        heartbeat::watch_for_twin(&one.engine, &one.client, &one.status, &one.beat_now).await;
    });
    tasks.spawn(async move {
        delivery::deliver(&it.engine, &it.client, &it.status, deliveries).await;
    });
    tasks.join_all().await;
}

async fn connect(
    engine: &Arc<Engine>,
    status: &Arc<LinkStatus>,
) -> Result<Client, async_nats::ConnectError> {
    // A library in a host may not be the first: whoever installed a provider before is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = engine.config();
    let (host, url, status) = (engine.host.clone(), config.nats_url.clone(), status.clone());
    let mut options = ConnectOptions::new()
        .name(format!("mod_iradialer {}", config.node_id))
        // The only inboxes that this switch's user may read.
        .custom_inbox_prefix(subject::switch_inbox(&config.cluster, &config.node_id))
        .retry_on_initial_connect()
        .ping_interval(Duration::from_secs(5))
        .event_callback(move |event| {
            status.note(&event, &*host, &url);
            std::future::ready(())
        });
    if !config.nats_user.is_empty() {
        options = options.user_and_password(config.nats_user, config.nats_password.0);
    }
    options.connect(config.nats_url).await
}
