//! `nats-config`, and a real server that takes what it writes.

use crate::gateway::{CONFIG, Site};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A `nats-server` that dies with the test.
pub struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a server with this file on a free port, and returns its URL.
pub async fn start_server(config: &Path) -> (Server, String) {
    let dir = config.parent().unwrap();
    let text = std::fs::read_to_string(config).unwrap();
    let text = text
        .replace("127.0.0.1:4222", "127.0.0.1:-1")
        .replace("/var/lib/nats", dir.join("store").to_str().unwrap());
    let run = dir.join("run.conf");
    std::fs::write(&run, format!("ports_file_dir: {:?}\n{text}", dir)).unwrap();
    let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
    let child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "nats-server", "-c"])
        .arg(&run)
        .env("PATH", path)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let ports = dir.join(format!("nats-server_{}.ports", child.id()));
    let server = Server(child);
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        let read = std::fs::read(&ports).unwrap_or_default();
        if let Ok(ports) = serde_json::from_slice::<serde_json::Value>(&read) {
            return (server, ports["nats"][0].as_str().unwrap().to_owned());
        }
        assert!(Instant::now() < deadline, "nats-server did not start");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The value of a parameter in a switch's file.
fn param(text: &str, name: &str) -> String {
    let (_, rest) = text
        .split_once(&format!("name=\"{name}\" value=\""))
        .unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_what_a_real_server_takes() {
    let site = Site::new(CONFIG);
    let out = site.config().parent().unwrap().join("nats");
    let out_text = out.to_str().unwrap();
    let arguments = [
        "nats-config",
        "--node",
        "sw1",
        "--node",
        "sw2",
        "--out",
        out_text,
    ];
    let made = site.run(&arguments).await;
    assert!(made.status.success(), "{made:?}");
    for name in ["nats-server.conf", "gateway.toml", "sw1.xml", "sw2.xml"] {
        let mode = std::fs::metadata(out.join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let again = site.run(&arguments).await;
    assert!(!again.status.success(), "passwords in use were overwritten");

    let (_server, url) = start_server(&out.join("nats-server.conf")).await;
    let switch = std::fs::read_to_string(out.join("sw1.xml")).unwrap();
    let conf = std::fs::read_to_string(out.join("nats-server.conf")).unwrap();
    let password = param(&switch, "nats-password");
    assert!(!conf.contains(&password), "a password in plain text");
    let log_on = |user: String, password: String| {
        async_nats::ConnectOptions::with_user_and_password(user, password).connect(url.clone())
    };
    log_on(param(&switch, "nats-user"), password.clone())
        .await
        .unwrap();
    log_on("node.sw2".to_owned(), password).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_must_be_named() {
    let site = Site::new(CONFIG);
    let out = site.config().with_file_name("nats");
    for arguments in [&["--node", "a.b"][..], &[]] {
        let out = out.to_str().unwrap();
        let command = [&["nats-config", "--out", out], arguments].concat();
        let made = site.run(&command).await;
        let said = String::from_utf8(made.stderr).unwrap();
        assert!(
            !made.status.success() && said.contains("--node: expected"),
            "{said}"
        );
    }
    assert!(!out.exists());
}
