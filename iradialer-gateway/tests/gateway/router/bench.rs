//! The gateway as a process, with its own `nats-server`, its API over HTTPS and a webhook receiver.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use iradialer_core::call::CallState;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::time::sleep;

const GATEWAY: &str = env!("CARGO_BIN_EXE_iradialer-gateway");
/// How long anything may take that is waited for.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway in development mode, and what a test needs around it. Ends with the test.
pub struct Bench {
    dir: TempDir,
    gateway: Option<Child>,
    token: String,
    https: String,
    client: reqwest::Client,
    pub webhook: Webhook,
}

impl Bench {
    /// A gateway with these lines in its configuration beside the campaign `reminders` on the trunk
    /// `chime`, which is fast and wide, `news` on `slow`, which takes 5 calls a second and 4 at once, and
    /// `either` on `slow`, else `chime`.
    pub async fn start(more: &str) -> Bench {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let config = format!(
            r#"
[web]
listen = "127.0.0.1:0"
[webhooks]
retry_after_s = [1, 1, 1, 1, 1]
{more}
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
"#
        );
        std::fs::write(dir.path().join("gateway.toml"), config).unwrap();
        let mut bench = Bench {
            token: String::new(),
            https: String::new(),
            client: reqwest::Client::new(),
            webhook: Webhook::start().await,
            gateway: None,
            dir,
        };
        bench.token = bench.make_token();
        bench.start_gateway().await;
        bench
    }

    fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn command(&self, verb: &[&str]) -> Command {
        // The gateway goes with the test, however that ends.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", GATEWAY])
            .args(verb)
            .arg("--config")
            .arg(self.dir.path().join("gateway.toml"))
            .arg("--data-dir")
            .arg(self.data_dir());
        command
    }

    fn make_token(&self) -> String {
        let output = self
            .command(&["token", "create", "--tenant", "acme"])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Starts the gateway and waits until it is ready.
    pub async fn start_gateway(&mut self) {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap();
        let child = self
            .command(&["serve", "--dev"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let pid = child.id();
        self.gateway = Some(child);
        let ready = self.wait_until_ready(pid).await;
        let cert = std::fs::read(ready["cert"].as_str().unwrap()).unwrap();
        self.https = ready["https"].as_str().unwrap().to_owned();
        self.client = reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(&cert).unwrap()])
            .no_proxy()
            .build()
            .unwrap();
    }

    async fn wait_until_ready(&mut self, pid: u32) -> Value {
        let file = self.data_dir().join("ready.json");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ready: Option<Value> = std::fs::read(&file)
                .ok()
                .and_then(|text| serde_json::from_slice(&text).ok());
            // The file of a gateway that was killed is still there.
            if let Some(ready) = ready
                && ready["pid"] == pid
            {
                return ready;
            }
            let ended = self.gateway.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}\n{}", self.log_text());
            assert!(Instant::now() < deadline, "not ready\n{}", self.log_text());
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// `kill -9`.
    pub fn kill_gateway(&mut self) {
        let mut gateway = self.gateway.take().unwrap();
        gateway.kill().unwrap();
        gateway.wait().unwrap();
    }

    /// `kill -9` to the gateway's `nats-server`.
    pub fn kill_bus(&self) {
        let pid = std::fs::read_to_string(self.data_dir().join("nats/nats-server.pid")).unwrap();
        let killed = Command::new("/bin/sh")
            .args(["-c", &format!("kill -9 {}", pid.trim())])
            .status()
            .unwrap();
        assert!(killed.success());
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("gateway.log")
    }

    /// What the gateway has said so far.
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// The bus, as a switch sees it.
    pub async fn bus(&self) -> async_nats::Client {
        let text = std::fs::read(self.data_dir().join("nats.json")).unwrap();
        let nats: Value = serde_json::from_slice(&text).unwrap();
        let text = |name: &str| nats[name].as_str().unwrap().to_owned();
        async_nats::ConnectOptions::new()
            .user_and_password(text("switch_user"), text("switch_password"))
            .reconnect_delay_callback(|_| Duration::from_millis(50))
            .connect(text("url"))
            .await
            .unwrap()
    }

    async fn request(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.try_request(method, path, body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    }

    async fn try_request(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.https))
            .bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        (status, response.json().await.unwrap())
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
        let answer = self
            .request(reqwest::Method::POST, "/api/makecall", Some(body))
            .await;
        answer["call_uuid"].as_str().unwrap().to_owned()
    }

    /// Asks for the end of a call.
    pub async fn drop_call(&self, call: &str) -> Value {
        let body = json!({ "call_uuid": call });
        self.request(reqwest::Method::POST, "/api/dropcall", Some(body))
            .await
    }

    /// The names of the call's events, without the prefix.
    pub async fn events(&self, call: &str) -> Vec<String> {
        let path = format!("/api/calls/{call}/events");
        let answer = self.request(reqwest::Method::GET, &path, None).await;
        let events = answer["events"].as_array().unwrap();
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
            let (_, shown) = self.try_request(reqwest::Method::GET, &path, None).await;
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

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(mut gateway) = self.gateway.take() {
            let _ = gateway.kill();
            let _ = gateway.wait();
        }
    }
}

fn is_final(event: &Value) -> bool {
    event["event_data"]["final"] == true
}

fn bare(name: &str) -> String {
    name.strip_prefix("iradialer::").unwrap_or(name).to_owned()
}

/// A webhook receiver that takes everything. An event that comes twice is kept once, as its id tells.
pub struct Webhook {
    url: String,
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
