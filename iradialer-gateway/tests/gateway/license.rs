//! Licences as they are given out, installed and enforced: by the command line, over HTTPS, and over time.

use crate::flows::{flow, hangs_up};
use crate::gateway::{Answer, CONFIG, Gateway, PATIENCE, Site, send};
use axum::Router;
use axum::extract::State;
use reqwest::Method;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::time::sleep;

const DAY_MS: i64 = 86_400_000;

/// Who gives licences out.
pub struct Issuer {
    dir: tempfile::TempDir,
    pub public_key: String,
}

impl Issuer {
    /// With a fresh key, made as an operator makes one.
    pub async fn new() -> Issuer {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("key.pem");
        let made = command(&["license", "keygen", "--out", key.to_str().unwrap()]).await;
        Issuer {
            dir,
            public_key: said(&made),
        }
    }

    fn key(&self) -> PathBuf {
        self.dir.path().join("key.pem")
    }

    /// A licence of that serial with these arguments, and 100 channels, 50 calls a second and 4 switches otherwise.
    pub async fn issue(&self, serial: u32, more: &[&str]) -> String {
        let (key, serial) = (self.key(), serial.to_string());
        let mut arguments = vec!["license", "issue", "--key", key.to_str().unwrap()];
        arguments.extend(["--customer", "Acme", "--serial", &serial]);
        for (name, usual) in [
            ("--channels", "100"),
            ("--cps", "50"),
            ("--switches", "4"),
            ("--expires", "400d"),
        ] {
            if !more.contains(&name) {
                arguments.extend([name, usual]);
            }
        }
        arguments.extend(more);
        said(&command(&arguments).await)
    }

    /// A file with this in it.
    pub fn file(&self, name: &str, text: &str) -> String {
        let file = self.dir.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    }

    /// The configuration that counts its signatures.
    pub fn config(&self) -> String {
        format!("[license]\npublic_keys = [\"{}\"]\n", self.public_key)
    }
}

/// Runs a command that needs no site.
async fn command(arguments: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_iradialer-gateway"));
    command.args(arguments).output().await.unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone())
        .unwrap()
        .trim()
        .to_owned()
}

async fn put(gateway: &Gateway, token: &str, license: &str) -> Answer {
    let request = gateway
        .client
        .request(Method::PUT, format!("{}/api/license", gateway.url));
    let request = request.json(&json!({ "license": license }));
    send(request.bearer_auth(token)).await
}

async fn operator(site: &Site) -> String {
    let arguments = ["token", "create", "--tenant", "acme", "--role", "operator"];
    said(&site.run(&arguments).await)
}

fn call() -> Value {
    json!({ "campaign_name": "reminders", "to_number": "+15005550006" })
}

#[tokio::test]
async fn a_licence_from_its_key_to_its_verdict() {
    let issuer = Issuer::new().await;
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(issuer.key()).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    let again = command(&["license", "keygen", "--out", issuer.key().to_str().unwrap()]).await;
    assert!(!again.status.success(), "a key was overwritten");

    let token = issuer
        .issue(7, &["--features", "ivr,tts", "--cluster", "ira"])
        .await;
    let file = issuer.file("license", &token);
    let shown = said(&command(&["license", "inspect", &file, "--json"]).await);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["serial"], 7);
    assert_eq!(shown["limits"]["features"], json!(["ivr", "tts"]));
    assert_eq!(
        (
            &shown["limits"]["max_channels"],
            &shown["limits"]["max_cps"]
        ),
        (&json!(100), &json!(50.0))
    );
    let text = said(&command(&["license", "inspect", &file]).await);
    assert!(
        text.contains("customer       Acme") && text.contains("features       ivr, tts"),
        "{text}"
    );

    let other = Issuer::new().await;
    let changed = issuer.file("changed", &token.replacen("IRA1.e", "IRA1.f", 1));
    let expires = ["--expires", "1s"];
    let short = issuer.file("short", &issuer.issue(8, &expires).await);
    sleep(Duration::from_millis(1_100)).await;
    for (file, key, name) in [
        (&file, &issuer.public_key, None),
        (&file, &other.public_key, Some("wrong_key")),
        (&changed, &issuer.public_key, Some("changed")),
        (&short, &issuer.public_key, Some("expired")),
    ] {
        let arguments = ["license", "verify", file, "--public-key", key, "--json"];
        let verdict = command(&arguments).await;
        let told: Value = serde_json::from_slice(&verdict.stdout).unwrap();
        assert_eq!(verdict.status.success(), name.is_none(), "{told}");
        assert_eq!(told["valid"], name.is_none());
        assert_eq!(told["reason"]["name"].as_str(), name);
    }
    for bad in [
        &["--channels", "0"][..],
        &["--cps", "-1"],
        &["--features", "moon"],
        &["--expires", "yesterday"],
        &["--cluster", "a.b"],
        &["--grace", "5"],
    ] {
        let key = issuer.key();
        let mut arguments = vec!["license", "issue", "--key", key.to_str().unwrap()];
        arguments.extend(["--customer", "Acme"]);
        for (name, usual) in [
            ("--channels", "1"),
            ("--cps", "1"),
            ("--switches", "1"),
            ("--expires", "1d"),
        ] {
            if bad[0] != name {
                arguments.extend([name, usual]);
            }
        }
        arguments.extend(bad);
        let refused = command(&arguments).await;
        assert!(!refused.status.success(), "{bad:?}");
        let why = String::from_utf8_lossy(&refused.stderr).into_owned();
        let field = bad[0].trim_start_matches('-');
        let names = [
            field,
            &format!("max_{field}"),
            "grace_s",
            "a value is required",
        ];
        assert!(
            names.iter().any(|name| why.contains(name)),
            "{bad:?}: {why}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_installed_is_enforced_and_nothing_older_comes_back() {
    let issuer = Issuer::new().await;
    let site = Site::new(&format!("{}{CONFIG}", issuer.config()));
    let (owner, token) = (site.token("acme").await, operator(&site).await);
    let gateway = site.start().await;
    let shown = gateway.get(&token, "/api/license").await;
    assert_eq!(shown.status, 200, "{shown:?}");
    assert_eq!(shown.body["state"], "evaluation");
    assert_eq!(shown.body["limits"]["max_channels"], 10);
    assert_eq!(gateway.get(&owner, "/api/license").await.status, 403);

    let first = issuer.issue(1, &["--features", "ivr"]).await;
    let other = Issuer::new().await;
    for (license, reason, status) in [
        ("hello", "not_a_license", 422),
        (&other.issue(1, &[]).await, "wrong_key", 422),
        (&first.replacen("IRA1.e", "IRA1.f", 1), "changed", 422),
        (
            &issuer.issue(1, &["--cluster", "elsewhere"]).await,
            "other_cluster",
            422,
        ),
        (
            &issuer.issue(1, &["--not-before", "1d"]).await,
            "not_yet_valid",
            422,
        ),
    ] {
        let refused = put(&gateway, &token, license).await;
        assert_eq!(refused.status, status, "{reason}: {refused:?}");
        assert_eq!(refused.body["error"]["name"], "license_refused");
        assert_eq!(refused.body["error"]["field"], "license");
        assert_eq!(refused.body["error"]["reason"], reason);
    }
    for body in [
        json!({}),
        json!({"license": 5}),
        json!({"license": "", "x": 1}),
    ] {
        let request = gateway.client.put(format!("{}/api/license", gateway.url));
        let refused = send(request.json(&body).bearer_auth(&token)).await;
        assert_eq!(refused.status, 422, "{body}");
    }
    let installed = put(&gateway, &token, &first).await;
    assert_eq!(installed.status, 200, "{installed:?}");
    assert_eq!(
        (
            &installed.body["installed"],
            &installed.body["standing"]["state"]
        ),
        (&json!(true), &json!("active"))
    );
    assert_eq!(put(&gateway, &token, &first).await.body["installed"], false);

    // A call that takes no more than it allows, and others that take more.
    let accepted = gateway.make_call(&owner, &call()).await;
    let mut spoken = call();
    spoken["ivr"] = flow("hello", "a.wav", hangs_up());
    assert_eq!(
        gateway.post(&owner, "/api/makecall", &spoken).await.status,
        200
    );
    spoken["ivr"]["record_call"] = json!("mixed");
    let refused = gateway.post(&owner, "/api/makecall", &spoken).await;
    assert_eq!(refused.status, 402, "{refused:?}");
    assert_eq!(refused.body["error"]["name"], "license");
    assert_eq!(refused.body["error"]["reason"], "feature");
    assert_eq!(
        refused.body["status"],
        "The licence does not allow recording"
    );
    for (path, more) in [
        ("/api/transfercall", json!({"destination": "+15005550007"})),
        ("/api/playtts", json!({"text": "hello"})),
        ("/api/startrecord", json!({})),
    ] {
        let mut body = json!({ "call_uuid": accepted });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let refused = gateway.post(&owner, path, &body).await;
        assert_eq!(refused.status, 402, "{path}: {refused:?}");
    }
    let explained = gateway
        .get(&owner, &format!("/api/calls/{accepted}/explain"))
        .await;
    let path = explained.body["path"].as_array().unwrap();
    let step = &path[0];
    assert_eq!(step["what"], "accepted");
    assert!(
        step["license"].as_str().unwrap().ends_with("serial 1"),
        "{step}"
    );

    let second = issuer.issue(2, &[]).await;
    assert_eq!(put(&gateway, &token, &second).await.body["installed"], true);
    assert_eq!(
        gateway.post(&owner, "/api/makecall", &spoken).await.status,
        200
    );
    let older = put(&gateway, &token, &first).await;
    assert_eq!(
        (older.status.as_u16(), &older.body["error"]["reason"]),
        (409, &json!("older"))
    );

    // Also after a restart, by the command line, and with an expiry that is further off.
    let (_, site) = gateway.stop().await;
    let file = issuer.file("older", &issuer.issue(1, &["--expires", "4000d"]).await);
    let refused = site.run(&["license", "install", &file]).await;
    assert!(!refused.status.success());
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("its serial is 1, and 2 was"), "{why}");
    let verdict = site.run(&["license", "verify", &file]).await;
    assert!(!verdict.status.success());
    let gateway = site.start().await;
    let older = put(&gateway, &token, &first).await;
    assert_eq!(older.body["error"]["reason"], "older");
    let third = issuer.file("third", &issuer.issue(3, &[]).await);
    said(&gateway.site().run(&["license", "install", &third]).await);
    let shown = said(&gateway.site().run(&["license", "show", "--json"]).await);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(
        (&shown["state"], &shown["license"]["serial"]),
        (&json!("active"), &json!(3))
    );
    let text = said(&gateway.site().run(&["license", "show"]).await);
    assert!(text.starts_with("state          active"), "{text}");

    let admin = ["token", "create", "--tenant", "acme", "--role", "admin"];
    let admin = said(&gateway.site().run(&admin).await);
    let log = gateway.get(&admin, "/api/audit").await;
    let installs = log.body["entries"].as_array().unwrap().iter();
    let installs: Vec<_> = installs
        .filter(|entry| entry["action"] == "license.install")
        .collect();
    let serials: Vec<_> = installs
        .iter()
        .map(|entry| &entry["after"]["serial"])
        .collect();
    assert_eq!(serials, [&json!(3), &json!(2), &json!(1)]);
    assert_eq!(installs[0]["via"], "command_line");
}

type Told = Arc<Mutex<Vec<Value>>>;

/// The operator's own webhook.
async fn alert_receiver() -> (String, Told) {
    async fn receive(State(told): State<Told>, body: String) {
        told.lock()
            .unwrap()
            .push(serde_json::from_str(&body).unwrap());
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/alert", listener.local_addr().unwrap());
    let told = Told::default();
    let app = Router::new()
        .fallback(receive)
        .with_state(Arc::clone(&told));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, told)
}

async fn wait_for(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "{what}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_end_is_told_before_and_then_no_call_is_taken_and_no_clock_brings_it_back() {
    let (url, told) = alert_receiver().await;
    let issuer = Issuer::new().await;
    let file = issuer.file("license", &issuer.issue(1, &["--expires", "40d"]).await);
    let webhooks = format!("[webhooks]\nalert_url = \"{url}\"\n");
    let license = format!("{}file = \"{file}\"\n", issuer.config());
    let site = Site::new(&format!("{webhooks}{license}{CONFIG}"));
    let (owner, token) = (site.token("acme").await, operator(&site).await);
    let gateway = site.start().await;
    wait_for("it is installed from the file", async || {
        gateway.get(&token, "/api/license").await.body["state"] == "active"
    })
    .await;
    let waits = gateway.make_call(&owner, &call()).await;
    for (day, days_left) in [(11, 30), (34, 7), (39, 1)] {
        gateway.site().set_clock(day * DAY_MS + 3_600_000).await;
        wait_for("the operator is told", async || {
            told.lock()
                .unwrap()
                .iter()
                .any(|told| told["event_data"]["days_left"] == days_left)
        })
        .await;
        let shown = gateway.get(&token, "/api/license").await;
        let warning = &shown.body["warnings"][0];
        assert_eq!(
            (&warning["name"], &warning["days_left"]),
            (&json!("expires_soon"), &json!(days_left))
        );
    }
    assert_eq!(
        gateway.post(&owner, "/api/makecall", &call()).await.status,
        200
    );
    gateway.site().set_clock(41 * DAY_MS).await;
    let refused = gateway.post(&owner, "/api/makecall", &call()).await;
    assert_eq!(refused.status, 402, "{refused:?}");
    assert_eq!(refused.body["error"]["reason"], "expired");
    wait_for("the operator is told of the end", async || {
        told.lock()
            .unwrap()
            .iter()
            .any(|told| told["event_name"] == "iradialer::license_expired")
    })
    .await;

    // The clock is set back, and the gateway started again.
    let (_, site) = gateway.stop().await;
    site.set_clock(0).await;
    let gateway = site.start().await;
    let shown = gateway.get(&token, "/api/license").await;
    assert_eq!(shown.body["state"], "expired", "{shown:?}");
    assert!(shown.body["clock_set_back_s"].as_u64().unwrap() > 40 * 86_400);
    wait_for("the log says so", async || {
        gateway
            .site()
            .log_text()
            .contains("The clock of this machine was set back")
    })
    .await;
    let refused = gateway.post(&owner, "/api/makecall", &call()).await;
    assert_eq!(refused.body["error"]["reason"], "expired");
    // What was accepted before waits, and says for what.
    let explained = gateway
        .get(&owner, &format!("/api/calls/{waits}/explain"))
        .await;
    let state = explained.body["state"].as_str().unwrap();
    assert!(["queued", "expired"].contains(&state), "{explained:?}");

    let next = issuer.issue(2, &["--expires", "60d"]).await;
    let installed = put(&gateway, &token, &next).await;
    assert_eq!(
        installed.body["standing"]["state"], "active",
        "{installed:?}"
    );
    assert_eq!(installed.body["standing"]["clock_set_back_s"], 0);
    assert_eq!(
        gateway.post(&owner, "/api/makecall", &call()).await.status,
        200
    );
    // Each was told once, though all were seen by two processes.
    let told: Vec<_> = told
        .lock()
        .unwrap()
        .iter()
        .map(|told| told["event_data"]["days_left"].clone())
        .collect();
    assert_eq!(told, [json!(30), json!(7), json!(1), json!(0)]);
}
