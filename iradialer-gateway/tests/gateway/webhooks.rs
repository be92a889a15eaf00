//! Webhooks as a client of the API sees them: what became of each, and what was given up sent again.

use crate::gateway::{Answer, CONFIG, Gateway, PATIENCE, Site};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::time::sleep;

/// Nothing is tried twice unless somebody asks for it.
const ONE_TRY: &str = "[webhooks]\nretry_after_s = []\n";

/// A receiver that answers as it is told.
struct Receiver {
    url: String,
    answer: Arc<AtomicU16>,
    seen: Arc<Mutex<Vec<Value>>>,
}

type Told = (Arc<AtomicU16>, Arc<Mutex<Vec<Value>>>);

impl Receiver {
    async fn start(status: u16) -> Receiver {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Receiver {
            url: format!("http://{}/hook", listener.local_addr().unwrap()),
            answer: Arc::new(AtomicU16::new(status)),
            seen: Arc::default(),
        };
        let told: Told = (Arc::clone(&receiver.answer), Arc::clone(&receiver.seen));
        let app = Router::new().fallback(receive).with_state(told);
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        receiver
    }

    fn answers(&self, status: u16) {
        self.answer.store(status, Ordering::SeqCst);
    }

    /// The names of the events that came.
    async fn names(&self) -> Vec<String> {
        let seen = self.seen.lock().await;
        let names = seen.iter().map(|body| body["event_name"].as_str().unwrap());
        names.map(str::to_owned).collect()
    }
}

async fn receive(State((answer, seen)): State<Told>, body: String) -> (StatusCode, &'static str) {
    seen.lock().await.push(serde_json::from_str(&body).unwrap());
    let status = answer.load(Ordering::SeqCst);
    (StatusCode::from_u16(status).unwrap(), "so it said")
}

async fn start() -> (Gateway, String) {
    let site = Site::new(&format!("{ONE_TRY}{CONFIG}"));
    let token = site.token("acme").await;
    (site.start().await, token)
}

/// A call that was canceled at once: two events for this webhook.
pub async fn canceled_call(gateway: &Gateway, token: &str, url: &str) -> String {
    let body = json!({
        "campaign_name": "reminders", "to_number": "+15005550006",
        "call_params": { "event_url": url },
    });
    let call = gateway.make_call(token, &body).await;
    let drop = json!({ "call_uuid": call });
    let dropped = gateway.post(token, "/api/dropcall", &drop).await;
    assert_eq!(dropped.status, 200, "{dropped:?}");
    call
}

/// What became of the call's webhooks.
pub async fn deliveries(gateway: &Gateway, token: &str, call: &str) -> Answer {
    gateway
        .get(token, &format!("/api/calls/{call}/deliveries"))
        .await
}

/// Waits until each delivery of a [`canceled_call`] is in this state.
pub async fn settled(gateway: &Gateway, token: &str, call: &str, state: &str) -> Vec<Value> {
    all_settled(gateway, token, call, (2, state)).await
}

/// Waits until the call has so many deliveries, each in this state.
pub async fn all_settled(
    gateway: &Gateway,
    token: &str,
    call: &str,
    (count, state): (usize, &str),
) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = deliveries(gateway, token, call).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let deliveries = answer.body["deliveries"].as_array().unwrap();
        if deliveries.len() == count && deliveries.iter().all(|each| each["state"] == state) {
            return deliveries.clone();
        }
        assert!(Instant::now() < deadline, "{answer:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn dead_letters(gateway: &Gateway, token: &str, query: &str) -> Vec<Value> {
    let path = format!("/api/webhooks/deadletters{query}");
    let answer = gateway.get(token, &path).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["deadletters"].as_array().unwrap().clone()
}

#[tokio::test]
async fn what_was_given_up_is_listed_with_why_and_comes_when_it_is_asked_for() {
    let (gateway, token) = start().await;
    let receiver = Receiver::start(503).await;
    let call = canceled_call(&gateway, &token, &receiver.url).await;
    let dead = settled(&gateway, &token, &call, "dead").await;
    let tried = &dead[0]["tries"][0];
    assert_eq!(
        (&tried["status"], &tried["answer"], &tried["delivered"]),
        (&json!(503), &json!("so it said"), &json!(false))
    );
    assert!(tried["ms"].is_u64(), "{tried}");
    assert_eq!(dead[0]["event_name"], "iradialer::queued");
    let letters = dead_letters(&gateway, &token, "").await;
    assert_eq!(letters.len(), 2);
    assert_eq!(letters[0]["webhook_id"], format!("{call}_2"));
    assert_eq!(letters[0]["url"], receiver.url);
    assert_eq!(
        (&letters[1]["status"], &letters[1]["campaign_name"]),
        (&json!(503), &json!("reminders"))
    );

    receiver.answers(200);
    let path = format!("/api/calls/{call}/redeliver");
    let answer = gateway.post(&token, &path, &json!({})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["redelivered"], json!([1, 2]));
    let done = settled(&gateway, &token, &call, "delivered").await;
    assert_eq!(done[0]["tries"].as_array().unwrap().len(), 2);
    assert_eq!(done[0]["tries"][1]["status"], 200);
    assert!(done[0]["replayed_at"].is_string());
    let names = ["queued", "canceled"].map(|name| format!("iradialer::{name}"));
    assert_eq!(receiver.names().await[2..], names, "in order");
    assert!(dead_letters(&gateway, &token, "").await.is_empty());
}

#[tokio::test]
async fn one_event_or_all_of_a_call_can_be_sent_again_though_it_was_taken() {
    let (gateway, token) = start().await;
    let receiver = Receiver::start(200).await;
    let call = canceled_call(&gateway, &token, &receiver.url).await;
    settled(&gateway, &token, &call, "delivered").await;
    let path = format!("/api/calls/{call}/redeliver");
    let redelivered = async |body: Value| {
        let answer = gateway.post(&token, &path, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["redelivered"].clone()
    };
    assert_eq!(redelivered(json!({})).await, json!([]));
    assert_eq!(redelivered(json!({ "seq": 2 })).await, json!([2]));
    settled(&gateway, &token, &call, "delivered").await;
    assert_eq!(receiver.names().await.len(), 3);
    assert_eq!(redelivered(json!({ "all": true })).await, json!([1, 2]));
    settled(&gateway, &token, &call, "delivered").await;
    assert_eq!(receiver.names().await.len(), 5);

    let unknown = gateway.post(&token, &path, &json!({ "seq": 3 })).await;
    assert_eq!(unknown.status, 422);
    assert_eq!(unknown.body["error"]["field"], "seq");
    // Also without a body, as it may well be asked from a shell.
    let bare = gateway.client.post(format!("{}{path}", gateway.url));
    let bare = bare.bearer_auth(&token).send().await.unwrap();
    assert_eq!(bare.status(), 200);
}

#[tokio::test]
async fn dead_letters_are_filtered_paged_and_sent_again_by_filter_or_id() {
    let (gateway, token) = start().await;
    let receiver = Receiver::start(500).await;
    let first = canceled_call(&gateway, &token, &receiver.url).await;
    settled(&gateway, &token, &first, "dead").await;
    let second = canceled_call(&gateway, &token, &receiver.url).await;
    settled(&gateway, &token, &second, "dead").await;
    let all = dead_letters(&gateway, &token, "").await;
    assert_eq!(all.len(), 4);

    let mut paged = Vec::new();
    let mut path = "/api/webhooks/deadletters?limit=3&campaign=reminders".to_owned();
    loop {
        let page = gateway.get(&token, &path).await.body;
        paged.extend(page["deadletters"].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/api/webhooks/deadletters?limit=3&campaign=reminders&cursor={cursor}");
    }
    assert_eq!(paged, all);
    let from = all[1]["dead_at"].as_str().unwrap();
    let late = dead_letters(&gateway, &token, &format!("?from={from}")).await;
    assert_eq!(late, all[..2]);
    assert!(
        dead_letters(&gateway, &token, "?campaign=trunkless")
            .await
            .is_empty()
    );

    receiver.answers(204);
    let replay = "/api/webhooks/deadletters/replay";
    let one = json!({ "webhook_id": format!("{first}_2") });
    let answer = gateway.post(&token, replay, &one).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["replayed"], 1);
    let deadline = Instant::now() + PATIENCE;
    while receiver.names().await.len() < 5 {
        assert!(Instant::now() < deadline);
        sleep(Duration::from_millis(20)).await;
    }
    let again = gateway.post(&token, replay, &one).await;
    assert_eq!(again.status, 404, "{again:?}");
    assert_eq!(again.body["error"]["name"], "unknown_deadletter");

    let few = json!({ "campaign": "reminders", "limit": 1 });
    let answer = gateway.post(&token, replay, &few).await;
    assert_eq!(
        (&answer.body["replayed"], &answer.body["more"]),
        (&json!(1), &json!(true))
    );
    let rest = json!({ "campaign": "reminders" });
    let answer = gateway.post(&token, replay, &rest).await;
    assert_eq!(
        (&answer.body["replayed"], &answer.body["more"]),
        (&json!(2), &json!(false))
    );
    for call in [&first, &second] {
        settled(&gateway, &token, call, "delivered").await;
    }
}

#[tokio::test]
async fn another_tenants_webhooks_are_neither_seen_nor_sent_again() {
    let (gateway, token) = start().await;
    let other = gateway.site().token("other").await;
    let receiver = Receiver::start(500).await;
    let call = canceled_call(&gateway, &token, &receiver.url).await;
    settled(&gateway, &token, &call, "dead").await;
    assert_eq!(deliveries(&gateway, &other, &call).await.status, 404);
    let path = format!("/api/calls/{call}/redeliver");
    assert_eq!(gateway.post(&other, &path, &json!({})).await.status, 404);
    assert!(dead_letters(&gateway, &other, "").await.is_empty());
    let replay = "/api/webhooks/deadletters/replay";
    let one = json!({ "webhook_id": format!("{call}_1") });
    assert_eq!(gateway.post(&other, replay, &one).await.status, 404);
    let those = json!({ "campaign": "reminders" });
    let answer = gateway.post(&other, replay, &those).await;
    assert_eq!(answer.body["replayed"], 0, "{answer:?}");
    assert_eq!(receiver.names().await.len(), 2);
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused_by_its_name() {
    let (gateway, token) = start().await;
    for (query, field) in [
        ("?cursor=x", "query.cursor"),
        ("?from=yesterday", "query.from"),
        ("?limit=0", "query.limit"),
        ("?campaign=a%20b", "query.campaign"),
        ("?state=dead", "query.state"),
    ] {
        let path = format!("/api/webhooks/deadletters{query}");
        let answer = gateway.get(&token, &path).await;
        assert_eq!(answer.status, 422, "{query}: {answer:?}");
        assert_eq!(answer.body["error"]["field"], field);
    }
    let replay = "/api/webhooks/deadletters/replay";
    for (body, field) in [
        (json!({}), "webhook_id"),
        (json!({ "webhook_id": "x_1" }), "webhook_id"),
        (json!({ "until": "tomorrow" }), "until"),
    ] {
        let answer = gateway.post(&token, replay, &body).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        assert_eq!(answer.body["error"]["field"], field);
    }
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_not_asked() {
    let proxy = Receiver::start(200).await;
    let mut site = Site::new(&format!("{ONE_TRY}{CONFIG}"));
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        site = site.with(name, proxy.url.trim_end_matches("/hook"));
    }
    let token = site.token("acme").await;
    let gateway = site.start().await;
    let receiver = Receiver::start(200).await;
    let call = canceled_call(&gateway, &token, &receiver.url).await;
    settled(&gateway, &token, &call, "delivered").await;
    assert_eq!(receiver.names().await.len(), 2);
    assert!(proxy.names().await.is_empty());
}

/// What a command of the binary prints; it has to succeed.
async fn said(gateway: &Gateway, command: &[&str]) -> String {
    let output = gateway.site().run(command).await;
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn an_operator_lists_shows_and_replays_them_at_the_command_line() {
    let (gateway, token) = start().await;
    let receiver = Receiver::start(503).await;
    let call = canceled_call(&gateway, &token, &receiver.url).await;
    settled(&gateway, &token, &call, "dead").await;

    let list = said(&gateway, &["webhook", "list", "--tenant", "acme"]).await;
    assert_eq!(list.lines().count(), 3, "{list}");
    assert!(list.contains(&format!("{call}_2")) && list.contains(&receiver.url));
    let list = [
        "webhook", "list", "--tenant", "acme", "--json", "--limit", "1",
    ];
    let letter: Value = serde_json::from_str(&said(&gateway, &list).await).unwrap();
    assert_eq!(
        (&letter["webhook_id"], &letter["status"]),
        (&json!(format!("{call}_2")), &json!(503))
    );
    let other = ["webhook", "list", "--tenant", "other", "--json"];
    assert_eq!(said(&gateway, &other).await, "");
    let show = ["webhook", "show", "--tenant", "acme", &call];
    let shown = said(&gateway, &show).await;
    assert!(shown.contains("dead") && shown.contains("503 Service Unavailable"));

    receiver.answers(200);
    let replay = [
        "webhook",
        "replay",
        "--tenant",
        "acme",
        "--campaign",
        "reminders",
    ];
    assert_eq!(said(&gateway, &replay).await, "2 will be sent again\n");
    settled(&gateway, &token, &call, "delivered").await;
    let again = ["webhook", "replay", "--tenant", "acme", "--call", &call];
    assert_eq!(said(&gateway, &again).await, "0 will be sent again\n");
    let all = [&again[..], &["--all"]].concat();
    assert_eq!(said(&gateway, &all).await, "2 will be sent again\n");
    let deadline = Instant::now() + PATIENCE;
    while receiver.names().await.len() < 6 {
        assert!(Instant::now() < deadline);
        sleep(Duration::from_millis(20)).await;
    }

    for (command, named) in [
        (vec!["webhook", "list", "--tenant", "a.b"], "--tenant"),
        (
            vec!["webhook", "replay", "--tenant", "acme", "--from", "now"],
            "--from",
        ),
        (
            vec!["webhook", "replay", "--tenant", "acme", "--all"],
            "--call",
        ),
        (
            vec!["webhook", "show", "--tenant", "other", &call],
            "other has no call",
        ),
    ] {
        let refused = gateway.site().run(&command).await;
        assert!(!refused.status.success());
        let told = String::from_utf8(refused.stderr).unwrap();
        assert!(told.contains(named), "{told}");
    }
}

#[tokio::test]
async fn receivers_are_shown_with_what_became_of_their_webhooks() {
    let (gateway, token) = start().await;
    let (good, bad) = (Receiver::start(200).await, Receiver::start(500).await);
    let taken = canceled_call(&gateway, &token, &good.url).await;
    settled(&gateway, &token, &taken, "delivered").await;
    for _ in 0..3 {
        let call = canceled_call(&gateway, &token, &bad.url).await;
        settled(&gateway, &token, &call, "dead").await;
    }
    let deadline = Instant::now() + PATIENCE;
    let shown = loop {
        let answer = gateway.get(&token, "/api/webhooks").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let receivers = answer.body["receivers"].as_array().unwrap().clone();
        // The breaker's state is written beside what tries came to.
        if receivers.iter().any(|each| each["breaker"] == "open") {
            break receivers;
        }
        assert!(Instant::now() < deadline, "{answer:?}");
        sleep(Duration::from_millis(20)).await;
    };
    let of = |receiver: &Receiver| {
        let origin = receiver.url.trim_end_matches("/hook");
        let found = shown.iter().find(|each| each["origin"] == origin);
        found.unwrap().clone()
    };
    let figures = |shown: Value| {
        ["waiting", "in_retry", "given_up", "delivered"].map(|name| shown[name].as_u64().unwrap())
    };
    assert_eq!(figures(of(&good)), [0, 0, 0, 2]);
    assert_eq!(figures(of(&bad)), [0, 0, 6, 0]);
    assert_eq!(of(&good)["breaker"], "closed");
    assert!(of(&bad)["breaker_open_since"].is_string());

    let first = gateway.get(&token, "/api/webhooks?limit=1").await.body;
    let cursor = first["next_cursor"].as_str().unwrap();
    let path = format!("/api/webhooks?limit=1&cursor={cursor}");
    let second = gateway.get(&token, &path).await.body;
    assert_ne!(first["receivers"], second["receivers"]);
    let refused = gateway.get(&token, "/api/webhooks?cursor=x").await;
    assert_eq!(refused.status, 422, "{refused:?}");
}
