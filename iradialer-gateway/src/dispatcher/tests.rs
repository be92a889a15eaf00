//! Deliveries to real receivers on loopback.

mod again;
mod certificates;
mod failing;
mod hostile;
mod two;

use super::receivers::PER_RECEIVER;
use super::*;
use crate::app::{SwitchRequestError, SwitchRequests, Wake};
use crate::catalogue::Catalogues;
use crate::clock::Clock;
use crate::config::{Config, Sources};
use crate::license::Licensing;
use crate::tdb::test_support::{
    self, REGION, answered, assignment, event, hangup, new_call, open, started,
};
use crate::tdb::{OutOfOrder, Tdb};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;
use iradialer_core::live::{self, CallRequest};
use iradialer_core::value::NodeId;
use serde_json::Value;
use sqlx::{Connection as _, Row};
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Mutex;
use std::time::Instant;
use tempfile::TempDir;
use tokio::time::sleep;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

/// A request as it came.
#[derive(Clone)]
struct Received {
    at: Instant,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Received {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn name(&self) -> String {
        self.json()["event_name"].as_str().unwrap().to_owned()
    }
}

type Answer = dyn Fn(usize) -> Pin<Box<dyn Future<Output = Response> + Send>> + Send + Sync;

/// An HTTP server that answers its nth request (from 0) as it is told.
struct Receiver {
    url: String,
    seen: Arc<Mutex<Vec<Received>>>,
    server: tokio::task::JoinHandle<()>,
}

#[derive(Clone)]
struct Behaviour {
    seen: Arc<Mutex<Vec<Received>>>,
    answer: Arc<Answer>,
}

impl Receiver {
    async fn start<F, R>(answer: F) -> Receiver
    where
        F: Fn(usize) -> R + Send + Sync + 'static,
        R: Future<Output = Response> + Send + 'static,
    {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let behaviour = Behaviour {
            seen: Arc::clone(&seen),
            answer: Arc::new(move |count| Box::pin(answer(count))),
        };
        let app = axum::Router::new().fallback(receive).with_state(behaviour);
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Receiver { url, seen, server }
    }

    async fn always(status: StatusCode) -> Receiver {
        Receiver::start(move |_| async move { status.into_response() }).await
    }

    fn seen(&self) -> Vec<Received> {
        self.seen.lock().unwrap().clone()
    }

    fn names(&self) -> Vec<String> {
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
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Response {
    let count = {
        let mut seen = behaviour.seen.lock().unwrap();
        seen.push(Received {
            at: Instant::now(),
            headers,
            body: body.to_vec(),
        });
        seen.len() - 1
    };
    (behaviour.answer)(count).await
}

pub(crate) struct NoSwitches;

impl SwitchRequests for NoSwitches {
    fn drop_call(&self, _: NodeId, _: CallUuid) -> BoxFuture<'_, Result<(), SwitchRequestError>> {
        Box::pin(async { Err(SwitchRequestError::Unreachable("a test".into())) })
    }

    fn ask(
        &self,
        _: NodeId,
        _: CallUuid,
        _: CallRequest,
    ) -> BoxFuture<'_, Result<live::Answer, SwitchRequestError>> {
        Box::pin(async { Err(SwitchRequestError::Unreachable("a test".into())) })
    }

    fn activate(&self, _: NodeId, _: bool) -> BoxFuture<'_, Result<(), SwitchRequestError>> {
        Box::pin(async { Err(SwitchRequestError::Unreachable("a test".into())) })
    }

    fn publish(
        &self,
        _: String,
        _: String,
        _: Vec<u8>,
    ) -> BoxFuture<'_, Result<(), SwitchRequestError>> {
        Box::pin(async { Err(SwitchRequestError::Unreachable("a test".into())) })
    }

    fn is_connected(&self) -> bool {
        false
    }
}

/// With short waits between tries, and loopback let through.
fn config(data_dir: &Path) -> Config {
    let mut config = Config::load(&Sources {
        data_dir: Some(data_dir.to_owned()),
        dev: true,
        ..Sources::default()
    })
    .unwrap();
    config.webhooks.retry_after = [40, 80].map(Duration::from_millis).to_vec();
    config.webhooks.timeout = Duration::from_secs(2);
    config
}

/// A dispatcher at work on a database of its own.
struct Bench {
    app: App,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
    dir: TempDir,
}

impl Bench {
    async fn start() -> Bench {
        Bench::start_with(|_| {}).await
    }

    /// With what `change` makes of the usual configuration.
    async fn start_with(change: impl FnOnce(&mut Config)) -> Bench {
        let (tdb, dir) = open().await;
        let mut config = config(dir.path());
        change(&mut config);
        let app = App {
            license: Licensing::new(&config, Clock::system(), tdb.clone()),
            catalogues: Catalogues::new(Arc::clone(&config.catalogue)),
            config: Arc::new(config),
            clock: Clock::system(),
            tdb,
            wake: Wake::default(),
            switches: Arc::new(NoSwitches),
        };
        let stop = CancellationToken::new();
        let dispatcher = Dispatcher::new(app.clone(), &Secret::new(SECRET)).unwrap();
        let running = tokio::spawn(dispatcher.run(stop.clone()));
        Bench {
            app,
            stop,
            running,
            dir,
        }
    }

    fn tdb(&self) -> &Tdb {
        &self.app.tdb
    }

    /// A call that has ended, with four events for this webhook.
    async fn ended_call(&self, url: &str) -> CallUuid {
        let call = self.queued_call(url).await;
        self.end(call).await;
        call
    }

    /// A call with one event for this webhook.
    async fn queued_call(&self, url: &str) -> CallUuid {
        let mut call = new_call();
        call.event_url = Some(url.to_owned());
        call.created_ms = 0;
        call.request
            .call_params
            .insert("token".to_owned(), "open sesame".into());
        let call_uuid = call.call_uuid;
        self.tdb().accept(call).await.unwrap();
        self.app.wake.dispatcher.notify_one();
        call_uuid
    }

    /// Starts, answers and ends the call: three more events.
    async fn end(&self, call: CallUuid) {
        let assigned = assignment(call, 1);
        self.tdb()
            .assign(REGION, assigned.clone(), 0)
            .await
            .unwrap();
        let events = [started(), answered(), hangup(true, Some(200))];
        for (seq, body) in (1..).zip(events) {
            let event = event(&assigned, seq, body);
            let applied = self
                .tdb()
                .apply_event(event, OutOfOrder::Hold, &test_support::trunks(&[]), 0)
                .await;
            applied.unwrap();
        }
        self.app.wake.dispatcher.notify_one();
    }

    /// `(state, tries, last_status, last_error)` of each delivery of the call.
    async fn deliveries(&self, call: CallUuid) -> Vec<(String, i64, Option<i64>, Option<String>)> {
        let mut connection = test_support::connected(&self.dir).await;
        let rows = sqlx::query("SELECT * FROM webhooks WHERE call_uuid = $1 ORDER BY seq")
            .bind(call.to_string())
            .fetch_all(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        rows.iter()
            .map(|row| {
                (
                    row.get("state"),
                    row.get("tries"),
                    row.get("last_status"),
                    row.get("last_error"),
                )
            })
            .collect()
    }

    /// Waits until each delivery of the call is done or dead.
    async fn settled(&self, call: CallUuid) -> Vec<(String, i64, Option<i64>, Option<String>)> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let deliveries = self.deliveries(call).await;
            if deliveries.iter().all(|(state, ..)| state != "due") {
                return deliveries;
            }
            assert!(Instant::now() < deadline, "{deliveries:?}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
        self.app.tdb.close().await;
    }
}

const NAMES: [&str; 4] = [
    "iradialer::queued",
    "iradialer::started",
    "iradialer::answered",
    "iradialer::hangup",
];

#[tokio::test(flavor = "multi_thread")]
async fn events_arrive_signed_and_in_order() {
    let bench = Bench::start().await;
    let receiver = Receiver::always(StatusCode::NO_CONTENT).await;
    let call = bench.ended_call(&receiver.url).await;
    for (state, tries, status, _) in bench.settled(call).await {
        assert_eq!((state.as_str(), tries, status), ("delivered", 1, Some(204)));
    }
    assert_eq!(receiver.names(), NAMES);
    let judge = standardwebhooks::Webhook::new(SECRET).unwrap();
    for (seq, received) in (1..).zip(receiver.seen()) {
        judge.verify(&received.body, &received.headers).unwrap();
        assert_eq!(received.header("webhook-id"), format!("{call}_{seq}"));
        assert_eq!(received.header("authorization"), "Bearer open sesame");
        assert_eq!(received.header("content-type"), "application/json");
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_own_secrets_sign_and_no_other_does() {
    let own = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDRjZ2v2oFwEc=";
    let before = "whsec_ZGV2ZWxvcGVyIG9mIHRoZSB5ZWFyIDIwMjYh";
    let bench = Bench::start_with(|config| {
        let secrets = [own, before].map(|text| Secret::new(text.to_owned()));
        let of_acme = (test_support::tenant(), secrets.to_vec());
        config.webhooks.secrets_of_tenants = [of_acme].into();
    })
    .await;
    let receiver = Receiver::always(StatusCode::NO_CONTENT).await;
    let call = bench.queued_call(&receiver.url).await;
    bench.settled(call).await;
    let seen = receiver.seen();
    let verifies = |secret| {
        let judge = standardwebhooks::Webhook::new(secret).unwrap();
        judge.verify(&seen[0].body, &seen[0].headers).is_ok()
    };
    assert_eq!([own, before, SECRET].map(verifies), [true, true, false]);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_try_is_repeated_before_the_next_event() {
    let bench = Bench::start().await;
    let receiver = Receiver::start(|count| async move {
        match count {
            0 => (StatusCode::INTERNAL_SERVER_ERROR, "x".repeat(100_000)).into_response(),
            _ => StatusCode::OK.into_response(),
        }
    })
    .await;
    let call = bench.ended_call(&receiver.url).await;
    let deliveries = bench.settled(call).await;
    assert_eq!(deliveries[0].1, 2);
    assert!(deliveries.iter().all(|(state, ..)| state == "delivered"));
    let seen = receiver.seen();
    assert_eq!(receiver.names()[..2], ["iradialer::queued"; 2]);
    assert_eq!(receiver.names()[1..], NAMES);
    assert_eq!(seen[0].header("webhook-id"), seen[1].header("webhook-id"));
    assert!(seen[1].at - seen[0].at >= Duration::from_millis(36));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_never_answers_delays_no_other() {
    let bench = Bench::start_with(|config| config.webhooks.timeout = Duration::from_secs(30)).await;
    let hanging = Receiver::start(|_| std::future::pending()).await;
    for _ in 0..PER_RECEIVER + 4 {
        bench.ended_call(&hanging.url).await;
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    while hanging.seen().len() < PER_RECEIVER {
        assert!(Instant::now() < deadline, "{}", hanging.seen().len());
        sleep(Duration::from_millis(10)).await;
    }
    let quick = Receiver::always(StatusCode::OK).await;
    let call = bench.ended_call(&quick.url).await;
    assert!(
        bench
            .settled(call)
            .await
            .iter()
            .all(|(state, ..)| state == "delivered")
    );
    assert_eq!(
        hanging.seen().len(),
        PER_RECEIVER,
        "no more than its places at once"
    );
    bench.stop.cancel();
    bench.running.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_receiver_is_given_up() {
    let bench = Bench::start().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let call = bench.ended_call(&url).await;
    for (state, tries, status, error) in bench.settled(call).await {
        assert_eq!((state.as_str(), tries, status), ("dead", 3, None));
        let error = error.unwrap();
        assert!(error.starts_with("no connection"), "{error}");
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gone_is_gone() {
    let bench = Bench::start().await;
    let receiver = Receiver::always(StatusCode::GONE).await;
    let call = bench.queued_call(&receiver.url).await;
    bench.settled(call).await;
    assert_eq!(receiver.seen().len(), 1);
    // Nor does it get what comes later.
    bench.end(call).await;
    let deliveries = bench.settled(call).await;
    assert_eq!(deliveries.len(), 4);
    for (state, _, status, _) in deliveries {
        assert_eq!((state.as_str(), status), ("dead", Some(410)));
    }
    assert_eq!(receiver.seen().len(), 1);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let bench = Bench::start_with(|config| config.webhooks.retry_after.truncate(1)).await;
    let target = Receiver::always(StatusCode::OK).await;
    let location = target.url.clone();
    let receiver = Receiver::start(move |_| {
        let location = location.clone();
        async move { (StatusCode::TEMPORARY_REDIRECT, [("location", location)]).into_response() }
    })
    .await;
    let call = bench.ended_call(&receiver.url).await;
    for (state, tries, status, _) in bench.settled(call).await {
        assert_eq!((state.as_str(), tries, status), ("dead", 2, Some(307)));
    }
    assert!(target.seen().is_empty());
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_honoured() {
    let bench = Bench::start().await;
    let receiver = Receiver::start(|count| async move {
        match count {
            0 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")]).into_response(),
            _ => StatusCode::OK.into_response(),
        }
    })
    .await;
    let call = bench.ended_call(&receiver.url).await;
    bench.settled(call).await;
    let seen = receiver.seen();
    assert_eq!(seen.len(), 5);
    assert!(seen[1].at - seen[0].at >= Duration::from_millis(990));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_address_is_refused_by_number_and_by_name() {
    let bench = Bench::start_with(|config| {
        config.webhooks.allow_addresses.clear();
        config.webhooks.retry_after.clear();
    })
    .await;
    let receiver = Receiver::always(StatusCode::OK).await;
    for url in [
        receiver.url.clone(),
        receiver.url.replace("127.0.0.1", "localhost"),
    ] {
        let call = bench.ended_call(&url).await;
        for (state, tries, _, error) in bench.settled(call).await {
            assert_eq!((state.as_str(), tries), ("dead", 1));
            let error = error.unwrap();
            assert!(error.contains("webhooks.allow_addresses"), "{error}");
        }
    }
    assert!(receiver.seen().is_empty());
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_due_at_the_end_is_delivered_after_a_restart() {
    let bench = Bench::start_with(|config| {
        config.webhooks.retry_after = vec![Duration::from_millis(300); 2];
    })
    .await;
    let receiver = Receiver::start(|count| async move {
        match count {
            0 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            _ => StatusCode::OK.into_response(),
        }
    })
    .await;
    let call = bench.ended_call(&receiver.url).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while receiver.seen().is_empty() || bench.deliveries(call).await[0].1 == 0 {
        assert!(Instant::now() < deadline);
        sleep(Duration::from_millis(5)).await;
    }
    let Bench {
        app,
        stop,
        running,
        dir,
    } = bench;
    stop.cancel();
    running.await.unwrap();

    let stop = CancellationToken::new();
    let dispatcher = Dispatcher::new(app.clone(), &Secret::new(SECRET)).unwrap();
    let running = tokio::spawn(dispatcher.run(stop.clone()));
    let bench = Bench {
        app,
        stop,
        running,
        dir,
    };
    let deliveries = bench.settled(call).await;
    assert!(deliveries.iter().all(|(state, ..)| state == "delivered"));
    bench.stop().await;
}
