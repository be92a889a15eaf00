use super::*;
use crate::bus::{connect, stream};
use async_nats::Client;
use iradialer_core::subject;
use iradialer_core::value::{CallUuid, NodeId, TenantId};
use std::os::unix::fs::PermissionsExt;

fn cluster() -> ClusterName {
    ClusterName::parse("cluster", "ira").unwrap()
}

fn node(id: &str) -> NodeId {
    NodeId::parse("node_id", id).unwrap()
}

fn nodes() -> [NodeId; 2] {
    [node("sw1"), node("sw2")]
}

/// A switch's connection, as the module makes it.
async fn log_on(server: &DevServer, id: &str) -> Client {
    let link = server.switch_link(&node(id)).unwrap();
    crate::bus::users::test_support::log_on(&link, &node(id))
        .await
        .0
}

#[tokio::test(flavor = "multi_thread")]
async fn comes_up_with_a_stream_and_goes_without_a_trace() {
    let dir = tempfile::tempdir().unwrap();
    let server = DevServer::start(dir.path(), &cluster(), &nodes())
        .await
        .unwrap();
    let pid = server.process.pid();
    let public = dir.path().join("nats.json");
    let mode = std::fs::metadata(&public).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let gateway = connect(&server.gateway_link(), "test").await.unwrap();
    let jetstream = async_nats::jetstream::new(gateway.clone());
    stream::ensure(&jetstream, &cluster()).await.unwrap();
    stream::ensure(&jetstream, &cluster()).await.unwrap();

    let switch = log_on(&server, "sw1").await;
    let call = CallUuid::fresh();
    let tenant = TenantId::parse("tenant_id", "acme").unwrap();
    let ack = async_nats::jetstream::new(switch.clone())
        .publish(
            subject::events(&cluster(), &node("sw1"), &tenant, &call),
            "{}".into(),
        )
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
    let server = DevServer::start(dir.path(), &cluster(), &nodes())
        .await
        .unwrap();
    crate::bus::users::test_support::check_isolation(
        &server.gateway_link(),
        &server.switch_link(&node("sw1")).unwrap(),
        &server.switch_link(&node("sw2")).unwrap(),
    )
    .await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_is_not_configured_has_no_user() {
    let dir = tempfile::tempdir().unwrap();
    let both = DevServer::start(dir.path(), &cluster(), &nodes())
        .await
        .unwrap();
    let gone = both.switch_link(&node("sw2")).unwrap();
    both.stop().await;
    let one = DevServer::start(dir.path(), &cluster(), &[node("sw1")])
        .await
        .unwrap();
    log_on(&one, "sw1").await;
    let error = connect(&gone, "test").await.unwrap_err().to_string();
    assert!(error.contains("refuses the user \"node.sw2\""), "{error}");
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_said_so() {
    let dir = tempfile::tempdir().unwrap();
    let server = DevServer::start(dir.path(), &cluster(), &nodes())
        .await
        .unwrap();
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
    let server = DevServer::start(dir.path(), &cluster(), &nodes())
        .await
        .unwrap();
    let link = server.switch_link(&node("sw1")).unwrap();
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

    let again = DevServer::start(dir.path(), &cluster(), &nodes())
        .await
        .unwrap();
    assert_eq!(again.switch_link(&node("sw1")).unwrap().url, link.url);
    assert_eq!(
        again.switch_link(&node("sw1")).unwrap().password,
        link.password
    );
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_gateway_on_the_same_data_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let server = DevServer::start(dir.path(), &cluster(), &nodes())
        .await
        .unwrap();
    let error = DevServer::start(dir.path(), &cluster(), &nodes())
        .await
        .err()
        .unwrap();
    assert!(matches!(error, DevServerError::InUse { .. }), "{error}");
    server.stop().await;
}
