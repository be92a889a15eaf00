//! Start and stop.

use crate::gateway::{CONFIG, Gateway, Site};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;

#[tokio::test]
async fn ready_when_it_says_so_and_gone_without_a_trace() {
    let (gateway, _token) = Gateway::start().await;
    let ready = gateway.get("", "/readyz").await;
    assert_eq!(ready.status, 200, "{ready:?}");
    assert_eq!(ready.body["bus"], "OK");
    assert_eq!(gateway.get("", "/healthz").await.status, 200);
    let (status, site) = gateway.stop().await;
    assert!(status.success(), "{status}");
    for file in ["ready.json", "nats.json", "iradialer.db-wal"] {
        assert!(!site.data().join(file).exists(), "{file}");
    }
    let mode = |file: &str| {
        let metadata = std::fs::metadata(site.data().join(file)).unwrap();
        metadata.permissions().mode() & 0o077
    };
    for file in ["", "iradialer.db", "webhook.secret", "tls/key.pem"] {
        assert_eq!(mode(file), 0, "{file:?} is for its owner only");
    }
}

#[tokio::test]
async fn what_was_accepted_is_there_after_kill_9_and_after_a_stop() {
    let (gateway, token) = Gateway::start().await;
    let body = json!({ "campaign_name": "reminders", "to_number": "+15005550006" });
    let call = gateway.make_call(&token, &body).await;
    let cert = gateway.site().data().join("tls/cert.pem");
    let first_cert = std::fs::read(&cert).unwrap();

    let gateway = gateway.kill().await.start().await;
    let path = format!("/api/calls/{call}");
    assert_eq!(gateway.get(&token, &path).await.body["state"], "queued");
    let (_, site) = gateway.stop().await;
    let gateway = site.start().await;
    assert_eq!(gateway.get(&token, &path).await.body["state"], "queued");
    assert_eq!(std::fs::read(&cert).unwrap(), first_cert);
}

#[tokio::test]
async fn calls_are_accepted_while_the_bus_is_away() {
    let config = format!("[nats]\nurl = \"nats://127.0.0.1:1\"\n{CONFIG}");
    let site = Site::new(&config);
    let token = site.token("acme").await;
    let gateway = site.start_with(&[]).await;
    let body = json!({ "campaign_name": "reminders", "to_number": "+15005550006" });
    gateway.make_call(&token, &body).await;
    let ready = gateway.get("", "/readyz").await;
    assert_eq!(
        (ready.status.as_u16(), &ready.body["bus"]),
        (503, &json!("down"))
    );
    let (status, _site) = gateway.stop().await;
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn a_role_by_itself() {
    let config = format!("[nats]\nurl = \"nats://127.0.0.1:1\"\n{CONFIG}");
    let gateway = Site::new(&config).start_with(&["--roles", "web"]).await;
    assert_eq!(gateway.get("", "/healthz").await.status, 200);
}

#[tokio::test]
async fn a_bad_configuration_is_refused_by_its_keys() {
    let site = Site::new("[web]\nlisten = \"here\"\n[router]\nnot_after_ms = 1\n[wob]\nx = 1\n");
    for command in [vec!["serve", "--dev"], vec!["config", "check", "--dev"]] {
        let refused = site.run(&command).await;
        assert!(!refused.status.success());
        let told = String::from_utf8(refused.stderr).unwrap();
        assert!(told.contains("wob"), "{told}");
    }
    let site = Site::new("[web]\nlisten = \"here\"\n[router]\nnot_after_ms = 1\n");
    let refused = site.run(&["config", "check", "--dev"]).await;
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(
        told.contains("web.listen:") && told.contains("router.not_after_ms:"),
        "{told}"
    );
    assert!(!site.data().exists(), "nothing was made");
}

#[tokio::test]
async fn a_taken_port_is_said_so() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let config = CONFIG.replace("127.0.0.1:0", &address.to_string());
    let refused = Site::new(&config).run(&["serve", "--dev"]).await;
    assert!(!refused.status.success());
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(told.contains(&format!("web.listen: {address}")), "{told}");
}
