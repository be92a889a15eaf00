use super::*;
use crate::bus::{connect, stream};
use futures::StreamExt;
use iradialer_core::subject;
use iradialer_core::value::{CallUuid, NodeId, TenantId};
use std::os::unix::fs::PermissionsExt;

fn cluster() -> ClusterName {
    ClusterName::parse("cluster", "ira").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn comes_up_with_a_stream_and_goes_without_a_trace() {
    let dir = tempfile::tempdir().unwrap();
    let server = DevServer::start(dir.path(), &cluster()).await.unwrap();
    let pid = server.process.pid();
    let public = dir.path().join("nats.json");
    let mode = std::fs::metadata(&public).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let gateway = connect(&server.gateway_link(), "test").await.unwrap();
    let jetstream = async_nats::jetstream::new(gateway.clone());
    stream::ensure(&jetstream, &cluster()).await.unwrap();
    stream::ensure(&jetstream, &cluster()).await.unwrap();

    let switch = connect(&server.switch_link(), "switch").await.unwrap();
    let call = CallUuid::fresh();
    let tenant = TenantId::parse("tenant_id", "acme").unwrap();
    let ack = async_nats::jetstream::new(switch.clone())
        .publish(subject::events(&cluster(), &tenant, &call), "{}".into())
        .await
        .unwrap()
        .await
        .unwrap();
    assert_eq!(ack.sequence, 1);

    server.stop().await;
    assert!(!public.exists());
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_may_do_only_what_a_switch_needs() {
    let dir = tempfile::tempdir().unwrap();
    let server = DevServer::start(dir.path(), &cluster()).await.unwrap();
    let gateway = connect(&server.gateway_link(), "test").await.unwrap();
    let switch = connect(&server.switch_link(), "switch").await.unwrap();
    let node = NodeId::parse("node_id", "sw1").unwrap();
    let mut all = gateway.subscribe("ira.>").await.unwrap();
    gateway.flush().await.unwrap();

    // Refused: a command to another switch, JetStream's API. Then one that is allowed, to know
    // that the refused ones were dealt with.
    let dial = subject::dial(&cluster(), &node, &CallUuid::fresh());
    switch.publish(dial, "forged".into()).await.unwrap();
    let heartbeat = subject::switch_heartbeat(&cluster(), &node);
    switch
        .publish(heartbeat.clone(), "alive".into())
        .await
        .unwrap();
    switch.flush().await.unwrap();
    let first = all.next().await.unwrap();
    assert_eq!(first.subject.as_str(), heartbeat);
    let api = async_nats::Request::new().timeout(Some(Duration::from_millis(300)));
    assert!(switch.send_request("$JS.API.INFO", api).await.is_err());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_said_so() {
    let dir = tempfile::tempdir().unwrap();
    let server = DevServer::start(dir.path(), &cluster()).await.unwrap();
    let mut link = server.gateway_link();
    link.password = Secret::new("wrong");
    let error = connect(&link, "test").await.unwrap_err().to_string();
    assert!(error.contains("refuses the user \"gateway\""), "{error}");
    assert!(!error.contains("wrong"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn comes_back_on_the_same_port_after_a_crash_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let server = DevServer::start(dir.path(), &cluster()).await.unwrap();
    let link = server.switch_link();
    let first = server.process.pid();
    let client = connect(&link, "switch").await.unwrap();
    std::process::Command::new(find_server().unwrap())
        .args(["--signal", &format!("stop={first}")])
        .status()
        .unwrap();
    let deadline = Instant::now() + START_TIMEOUT;
    while server.process.pid() == first {
        assert!(Instant::now() < deadline, "not started again");
        sleep(LOOK_INTERVAL).await;
    }
    tokio::time::timeout(START_TIMEOUT, client.flush())
        .await
        .unwrap()
        .unwrap();
    server.stop().await;

    let again = DevServer::start(dir.path(), &cluster()).await.unwrap();
    assert_eq!(again.switch_link().url, link.url);
    assert_eq!(again.switch_link().password, link.password);
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_gateway_on_the_same_data_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let server = DevServer::start(dir.path(), &cluster()).await.unwrap();
    let error = DevServer::start(dir.path(), &cluster())
        .await
        .err()
        .unwrap();
    assert!(matches!(error, DevServerError::InUse { .. }), "{error}");
    server.stop().await;
}
