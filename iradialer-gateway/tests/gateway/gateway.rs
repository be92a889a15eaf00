//! A gateway of a test's own: a process with its data in a temporary directory, on free loopback
//! ports, gone when the test is.

use crate::{described, postgres};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Certificate, Client, RequestBuilder, StatusCode};
use serde_json::Value;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::sleep;

/// How long anything may take that is waited for.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A trunk and two tenants with a campaign each; the port is free to choose.
pub const CONFIG: &str = r#"
[web]
listen = "127.0.0.1:0"

[[trunks]]
name = "chime"
max_cps = 100.0
max_calls = 100

[[campaigns]]
name = "reminders"
tenant_id = "acme"
trunks = ["chime"]

[[campaigns]]
name = "trunkless"
tenant_id = "acme"
trunks = []

[[campaigns]]
name = "reminders"
tenant_id = "other"
trunks = ["chime"]
"#;

/// Says that the gateways of this process are to use PostgreSQL: its URL, without a database.
pub const POSTGRES: &str = "IRADIALER_TEST_POSTGRES";

/// The data of a gateway, which may outlive it.
pub struct Site {
    dir: TempDir,
    /// Where its database is, if not in its directory.
    database: Option<String>,
    /// What its processes find in their environment.
    environment: Vec<(&'static str, String)>,
}

/// A running gateway.
pub struct Gateway {
    child: Child,
    pub url: String,
    pub client: Client,
    site: Site,
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Site {
    /// A directory with this configuration.
    pub fn new(config: &str) -> Site {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("gateway.toml"), config).unwrap();
        let database = std::env::var(POSTGRES).ok().map(|server| {
            let name = dir.path().file_name().unwrap().to_str().unwrap();
            postgres::create(&server, name.trim_start_matches('.'))
        });
        Site {
            dir,
            database,
            environment: Vec::new(),
        }
    }

    /// The same with this in the environment.
    pub fn with(mut self, name: &'static str, value: &str) -> Site {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// The same on this database.
    pub fn on(mut self, database: Option<String>) -> Site {
        self.database = database;
        self
    }

    /// Where its database is.
    pub fn database(&self) -> String {
        let file = || format!("sqlite://{}", self.data().join("iradialer.db").display());
        self.database.clone().unwrap_or_else(file)
    }

    pub fn config(&self) -> PathBuf {
        self.dir.path().join("gateway.toml")
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Runs a command of the binary to its end.
    pub async fn run(&self, command: &[&str]) -> Output {
        self.command(command).output().await.unwrap()
    }

    /// A token of the tenant.
    pub async fn token(&self, tenant: &str) -> String {
        let made = self.run(&["token", "create", "--tenant", tenant]).await;
        assert!(made.status.success(), "{made:?}");
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    }

    /// Starts a gateway with every role and a `nats-server` of its own.
    pub async fn start(self) -> Gateway {
        self.start_with(&["--dev"]).await
    }

    /// Starts one with these arguments to `serve`.
    pub async fn start_with(self, arguments: &[&str]) -> Gateway {
        let mut command = vec!["serve"];
        command.extend(arguments);
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log());
        let mut child = self
            .command(&command)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.unwrap())
            .spawn()
            .unwrap();
        let ready = self.wait_for_ready(&mut child).await;
        let cert = ready["cert"].as_str().unwrap();
        Gateway {
            url: ready["https"].as_str().unwrap().to_owned(),
            client: client(Path::new(cert)),
            child,
            site: self,
        }
    }

    /// Sets the wall clock of the gateways of this site so many ms ahead of ours, or back.
    pub async fn set_clock(&self, ahead_ms: i64) {
        // Never read half written.
        let new = self.dir.path().join("clock.new");
        std::fs::write(&new, ahead_ms.to_string()).unwrap();
        std::fs::rename(new, self.clock()).unwrap();
        // They look at it every 20 ms.
        sleep(Duration::from_millis(50)).await;
    }

    fn clock(&self) -> PathBuf {
        self.dir.path().join("clock")
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("gateway.log")
    }

    /// What the gateways of this site have said so far.
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// What the gateway's `nats.json` says: the bus and who may use it.
    pub fn nats(&self) -> Value {
        let text = std::fs::read(self.data().join("nats.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    async fn wait_for_ready(&self, child: &mut Child) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(text) = std::fs::read(self.data().join("ready.json")) {
                let ready: Value = serde_json::from_slice(&text).unwrap();
                // A gateway that was killed leaves its file behind.
                if ready["pid"] == child.id().unwrap() {
                    return ready;
                }
            }
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}\n{}", self.log_text());
            assert!(Instant::now() < deadline, "not ready\n{}", self.log_text());
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Has its gateways listen where one of them did, whose URL this is.
    pub fn listen_at(&mut self, url: &str) {
        let address = url.trim_start_matches("https://");
        let config = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), config.replace("127.0.0.1:0", address)).unwrap();
    }

    /// A command of the binary.
    pub fn command(&self, arguments: &[&str]) -> Command {
        // It is to die with the test even where nothing of the test is left to end it.
        let mut command = Command::new("setpriv");
        command
            .args([
                "--pdeathsig",
                "KILL",
                env!("CARGO_BIN_EXE_iradialer-gateway"),
            ])
            .args(arguments)
            .arg("--config")
            .arg(self.config())
            .arg("--data-dir")
            .arg(self.data())
            .env("IRADIALER_CLOCK_FILE", self.clock())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .kill_on_drop(true);
        if let Some(database) = &self.database {
            command.env("IRADIALER_DATABASE_URL", database);
        }
        command
    }
}

impl Gateway {
    /// A gateway with [`CONFIG`], and a token of the tenant `acme`.
    pub async fn start() -> (Gateway, String) {
        let site = Site::new(CONFIG);
        let token = site.token("acme").await;
        (site.start().await, token)
    }

    pub fn site(&self) -> &Site {
        &self.site
    }

    /// The bus. With the gateway's own user, because fake switches of several names share it.
    pub async fn bus(&self) -> async_nats::Client {
        let nats = self.site.nats();
        let text = |name: &str| nats[name].as_str().unwrap().to_owned();
        async_nats::ConnectOptions::new()
            .user_and_password(text("gateway_user"), text("gateway_password"))
            .reconnect_delay_callback(|_| Duration::from_millis(50))
            .connect(text("url"))
            .await
            .unwrap()
    }

    pub async fn get(&self, token: &str, path: &str) -> Answer {
        let request = self.client.get(format!("{}{path}", self.url));
        send(request.bearer_auth(token)).await
    }

    pub async fn post(&self, token: &str, path: &str, body: &Value) -> Answer {
        send(self.request(path, body.to_string()).bearer_auth(token)).await
    }

    /// A request to be completed.
    pub fn request(&self, path: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.client
            .post(format!("{}{path}", self.url))
            .header(CONTENT_TYPE, "application/json")
            .body(body)
    }

    /// Asks for a call and returns its UUID.
    pub async fn make_call(&self, token: &str, body: &Value) -> String {
        let answer = self.post(token, "/api/makecall", body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["call_uuid"].as_str().unwrap().to_owned()
    }

    /// Every call of the token's tenant.
    pub async fn calls(&self, token: &str) -> Vec<Value> {
        let answer = self.get(token, "/api/calls").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["calls"].as_array().unwrap().clone()
    }

    /// Asks it to stop, and waits until it has.
    pub async fn stop(mut self) -> (ExitStatus, Site) {
        self.signal("TERM").await;
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        (ended.expect("it did not stop").unwrap(), self.site)
    }

    /// Ends it without a warning.
    pub async fn kill(mut self) -> Site {
        self.child.kill().await.unwrap();
        self.site
    }

    /// The memory it holds, KiB.
    pub fn memory_kib(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id().unwrap());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.unwrap().split_whitespace().nth(1).unwrap();
        number.parse().unwrap()
    }

    /// Sends it a signal.
    pub async fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().await;
        assert!(sent.unwrap().success());
    }
}

/// Sends the request and reads the answer, which has to be as the gateway describes it.
pub async fn send(request: RequestBuilder) -> Answer {
    let (client, request) = request.build_split();
    let request = request.unwrap();
    let (method, url) = (request.method().clone(), request.url().clone());
    let response = client.execute(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let described = described::described(&client, &url).await;
    let kind = headers[CONTENT_TYPE].to_str().unwrap();
    described.check(&method, url.path(), status.as_u16(), kind, &body);
    if url.path() != "/api/openapi.json" {
        assert_eq!(
            text,
            body.to_string(),
            "fields are in the order of their names"
        );
    }
    assert!(headers.contains_key("x-request-id"), "{method} {url}");
    Answer {
        status,
        headers,
        body,
    }
}

/// A client that trusts this certificate and no other.
fn client(cert: &Path) -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cert = Certificate::from_pem(&std::fs::read(cert).unwrap()).unwrap();
    Client::builder()
        .tls_certs_only([cert])
        .no_proxy()
        .timeout(PATIENCE)
        .build()
        .unwrap()
}
