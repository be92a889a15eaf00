//! A gateway with what a test of its inner roles needs around it: fast and slow trunks, a token and a
//! webhook receiver.

use crate::gateway::{Gateway, PATIENCE, Site};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use iradialer_core::call::CallState;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::process::Command;
use tokio::time::sleep;

/// A gateway in development mode, and what a test needs around it. Ends with the test.
pub struct Bench {
    process: Process,
    pub token: String,
    pub webhook: Webhook,
}

/// The gateway, or what a killed one has left.
enum Process {
    Up(Box<Gateway>),
    Down(Site),
    /// On the way from one to the other.
    Between,
}

impl Bench {
    /// A gateway with these lines in its configuration beside [`CAMPAIGNS`].
    pub async fn start(more: &str) -> Bench {
        Bench::start_with(more, &["--dev"]).await
    }

    /// The same with these arguments.
    pub async fn start_with(more: &str, arguments: &[&str]) -> Bench {
        let retries = "[webhooks]\nretry_after_s = [1, 1, 1, 1, 1]\n";
        let web = "[web]\nlisten = \"127.0.0.1:0\"\n";
        let site = Site::new(&format!("{web}{retries}{more}{CAMPAIGNS}"));
        let token = site.token("acme").await;
        Bench {
            process: Process::Up(Box::new(site.start_with(arguments).await)),
            token,
            webhook: Webhook::start().await,
        }
    }

    /// The gateway, which is up.
    pub fn gateway(&self) -> &Gateway {
        match &self.process {
            Process::Up(gateway) => gateway,
            Process::Down(_) | Process::Between => panic!("the gateway is down"),
        }
    }

    /// Starts the gateway again that was killed.
    pub async fn start_gateway(&mut self) {
        if let Process::Down(site) = std::mem::replace(&mut self.process, Process::Between) {
            self.process = Process::Up(Box::new(site.start().await));
        }
    }

    /// `kill -9`.
    pub async fn kill_gateway(&mut self) {
        if let Process::Up(gateway) = std::mem::replace(&mut self.process, Process::Between) {
            self.process = Process::Down(gateway.kill().await);
        }
    }

    /// `kill -9` to the gateway's `nats-server`.
    pub async fn kill_bus(&self) {
        let file = self.gateway().site().data().join("nats/nats-server.pid");
        let pid = std::fs::read_to_string(file).unwrap();
        let killed = Command::new("kill")
            .args(["-s", "KILL", pid.trim()])
            .status();
        assert!(killed.await.unwrap().success());
    }

    /// What the gateway has said so far.
    pub fn log_text(&self) -> String {
        self.gateway().site().log_text()
    }

    /// A second gateway on the same TDB and bus, with every role.
    pub async fn second_gateway(&self) -> Gateway {
        self.second_gateway_with(&[]).await
    }

    /// The same with these arguments.
    pub async fn second_gateway_with(&self, arguments: &[&str]) -> Gateway {
        self.second_gateway_of("", arguments).await
    }

    /// The same with these lines in its configuration.
    pub async fn second_gateway_of(&self, more: &str, arguments: &[&str]) -> Gateway {
        let first = self.gateway().site();
        let nats = first.nats();
        let config = format!(
            "[web]\nlisten = \"127.0.0.1:0\"\n\
             [nats]\nurl = {}\nuser = {}\npassword = {}\n\
             [webhooks]\nallow_addresses = [\"127.0.0.0/8\"]\n{more}{CAMPAIGNS}",
            nats["url"], nats["gateway_user"], nats["gateway_password"],
        );
        let second = Site::new(&config).on(Some(first.database()));
        second.start_with(arguments).await
    }

    /// The bus, for fake switches.
    pub async fn bus(&self) -> async_nats::Client {
        self.gateway().bus().await
    }

    /// Asks for a call of this campaign; its events go to the bench's webhook.
    pub async fn make_call(&self, campaign: &str, more: Value) -> String {
        let mut body = json!({
            "campaign_name": campaign,
            "to_number": "+15005550001",
            "call_params": {"event_url": self.webhook.url},
        });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.gateway().make_call(&self.token, &body).await
    }

    /// Asks for the end of a call.
    pub async fn drop_call(&self, call: &str) -> Value {
        let body = json!({ "call_uuid": call });
        let answer = self.gateway().post(&self.token, "/api/dropcall", &body);
        let answer = answer.await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.body
    }

    /// Asks for the end of a call that may end by itself meanwhile; the HTTP status.
    pub async fn try_to_drop(&self, call: &str) -> StatusCode {
        let body = json!({ "call_uuid": call });
        let answer = self.gateway().post(&self.token, "/api/dropcall", &body);
        answer.await.status
    }

    /// What the API answers to a `GET` of `path`.
    pub async fn get(&self, path: &str) -> Value {
        self.gateway().get(&self.token, path).await.body
    }

    /// The names of the call's events, without the prefix.
    pub async fn events(&self, call: &str) -> Vec<String> {
        let path = format!("/api/calls/{call}/events");
        let answer = self.gateway().get(&self.token, &path).await;
        let events = answer.body["events"].as_array().unwrap();
        events
            .iter()
            .map(|event| bare(event["event_name"].as_str().unwrap()))
            .collect()
    }

    /// Waits until the API shows the call in this state.
    pub async fn wait_for_state(&self, call: &str, state: CallState) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let path = format!("/api/calls/{call}");
            let shown = self.gateway().get(&self.token, &path).await.body;
            if shown["state"] == state.as_str() {
                return shown;
            }
            assert!(
                Instant::now() < deadline,
                "{shown}, not {state}\n{}",
                self.log_text()
            );
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until the gateway's log has this.
    pub async fn wait_for_log(&self, line: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log_text().contains(line) {
            assert!(
                Instant::now() < deadline,
                "no {line:?} in\n{}",
                self.log_text()
            );
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The state that the API shows the call in.
    pub async fn state(&self, call: &str) -> String {
        let path = format!("/api/calls/{call}");
        let shown = self.gateway().get(&self.token, &path).await.body;
        shown["state"].as_str().unwrap().to_owned()
    }

    /// Waits until the webhook has the call's final event, then a little longer, in which nothing may
    /// come. Returns the names of all the call's events that it got.
    pub async fn webhook_until_final(&self, call: &str) -> Vec<String> {
        self.webhook_final(call).await;
        sleep(Duration::from_millis(300)).await;
        self.webhook_final(call).await
    }

    /// Waits until the webhook has the call's final event, which must be the last. Returns the names of
    /// all the call's events that it got.
    pub async fn webhook_final(&self, call: &str) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        let events = loop {
            let events = self.webhook.of(call);
            if events.iter().any(is_final) {
                break events;
            }
            assert!(Instant::now() < deadline, "{events:?}\n{}", self.log_text());
            sleep(Duration::from_millis(10)).await;
        };
        assert_eq!(events.iter().filter(|event| is_final(event)).count(), 1);
        assert!(is_final(events.last().unwrap()), "{events:?}");
        events
            .iter()
            .map(|event| bare(event["event_name"].as_str().unwrap()))
            .collect()
    }
}

/// `reminders` on the trunk `chime`, which is fast and wide, `news` on `slow`, which takes 5 calls a
/// second and 4 at once, and `either` on `slow`, else `chime`.
pub const CAMPAIGNS: &str = r#"
[[trunks]]
name = "chime"
max_cps = 500.0
max_calls = 1000
[[trunks]]
name = "slow"
max_cps = 5.0
max_calls = 4
[[campaigns]]
name = "reminders"
tenant_id = "acme"
trunks = ["chime"]
max_calls = 1000
[[campaigns]]
name = "either"
tenant_id = "acme"
trunks = ["slow", "chime"]
max_calls = 1000
[[campaigns]]
name = "news"
tenant_id = "acme"
trunks = ["slow"]
max_calls = 1000
"#;

fn is_final(event: &Value) -> bool {
    event["event_data"]["final"] == true
}

fn bare(name: &str) -> String {
    name.strip_prefix("iradialer::").unwrap_or(name).to_owned()
}

/// A webhook receiver that takes everything. An event that comes twice is kept once, as its id tells.
pub struct Webhook {
    pub url: String,
    seen: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Webhook {
    async fn start() -> Webhook {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/events", listener.local_addr().unwrap());
        let seen = Arc::default();
        let app = axum::Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&seen));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Webhook { url, seen }
    }

    /// The bodies about a call, in the order they came.
    pub fn of(&self, call: &str) -> Vec<Value> {
        let seen = self.seen.lock().unwrap();
        let bodies = seen.iter().map(|(_, body)| body);
        bodies
            .filter(|body| body["event_data"]["call_uuid"] == call)
            .cloned()
            .collect()
    }
}

/// The deliveries so far, each with its `webhook-id`.
type Received = Arc<Mutex<Vec<(String, Value)>>>;

async fn receive(
    State(seen): State<Received>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> StatusCode {
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let mut seen = seen.lock().unwrap();
    if !seen.iter().any(|(known, _)| *known == id) {
        seen.push((id, body));
    }
    StatusCode::OK
}
