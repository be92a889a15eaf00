//! Switches as they are seen and told over the API.

use super::bench::Bench;
use super::fake_switch::FakeSwitch;
use crate::gateway::{PATIENCE, send};
use crate::tokens::token_with;
use iradialer_core::call::CallState;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::time::sleep;

const NODES: &str =
    "[[nodes]]\nnode_id = \"sw1\"\n[[nodes]]\nnode_id = \"sw9\"\naddress = \"192.0.2.9\"\n";

async fn ask(bench: &Bench, token: &str, method: Method, path: &str) -> Value {
    let gateway = bench.gateway();
    let request = gateway
        .client
        .request(method, format!("{}{path}", gateway.url));
    let answer = send(request.bearer_auth(token)).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.body
}

#[tokio::test(flavor = "multi_thread")]
async fn switches_are_shown_and_do_as_they_are_told() {
    let bench = Bench::start(NODES).await;
    let operator = token_with(bench.gateway().site(), &["--role", "operator"]).await;
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &[]).await;
    let deadline = Instant::now() + PATIENCE;
    let node = loop {
        let node = ask(&bench, &operator, Method::GET, "/api/nodes/sw1").await;
        if node["state"] == "active" {
            break node;
        }
        assert!(Instant::now() < deadline, "{node}");
        sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(
        (&node["up"], &node["registered"], &node["max_calls"]),
        (&json!("1/1"), &json!(true), &json!(10))
    );
    let silent = ask(&bench, &operator, Method::GET, "/api/nodes/sw9").await;
    assert_eq!(
        (&silent["up"], &silent["state"]),
        (&json!("0/1"), &json!("silent"))
    );
    assert!(
        silent["reason"].is_string() && silent["hint"].is_string(),
        "{silent}"
    );
    let regions = ask(&bench, &operator, Method::GET, "/api/regions").await;
    assert_eq!(
        regions["regions"][0]["nodes"],
        json!(["sw1", "sw9"]),
        "{regions}"
    );
    assert_eq!(regions["regions"][0]["has_router"], true);

    let off = ask(&bench, &operator, Method::POST, "/api/nodes/sw1/disable").await;
    assert_eq!(
        (&off["told"], &off["node"]["state"]),
        (&json!(false), &json!("disabled")),
        "{off}"
    );
    // The router has to have looked.
    sleep(Duration::from_millis(1_500)).await;
    let waits = bench.make_call("reminders", json!({})).await;
    sleep(Duration::from_millis(1_500)).await;
    assert_eq!(bench.state(&waits).await, "queued");
    assert!(
        switch.asked().is_empty(),
        "one that is disabled is not told"
    );
    let on = ask(&bench, &operator, Method::POST, "/api/nodes/sw1/resume").await;
    assert_eq!(on["told"], true);
    bench.wait_for_state(&waits, CallState::Completed).await;
    // It takes calls: nothing is wanted of it any more.
    let deadline = Instant::now() + PATIENCE;
    while !ask(&bench, &operator, Method::GET, "/api/nodes/sw1").await["wish"].is_null() {
        assert!(Instant::now() < deadline);
        sleep(Duration::from_millis(100)).await;
    }
    let ends = ask(&bench, &operator, Method::POST, "/api/nodes/sw1/shutdown").await;
    assert_eq!(
        (&ends["told"], &ends["node"]["wish"]),
        (&json!(true), &json!("shutdown"))
    );
    assert!(
        ends["note"]
            .as_str()
            .unwrap()
            .contains("nothing here ends FreeSWITCH"),
        "{ends}"
    );
    let look = ask(&bench, &operator, Method::GET, "/api/overview").await;
    assert_eq!(look["calls_today"]["completed"], 1, "{look}");
    assert_eq!(
        (&look["asr"], &look["switches"]["silent"]),
        (&json!(1.0), &json!(1)),
        "{look}"
    );
    assert!(
        look["warnings"]
            .to_string()
            .contains("the switch sw9 is silent"),
        "{look}"
    );

    let site = bench.gateway().site();
    let list = site.run(&["node", "list"]).await;
    let list = String::from_utf8(list.stdout).unwrap();
    let line = list.lines().find(|line| line.starts_with("sw9")).unwrap();
    assert!(line.contains("0/1") && line.contains("silent"), "{list}");
    let told = site.run(&["node", "resume", "sw1"]).await;
    assert!(told.status.success(), "{told:?}");
    let shown = site.run(&["node", "show", "sw1", "--json"]).await;
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(
        (&shown["node_id"], &shown["wish"]),
        (&json!("sw1"), &json!("resume")),
        "{shown}"
    );

    let gateway = bench.gateway();
    for (path, status) in [
        ("/api/nodes/nowhere/disable", 404),
        ("/api/nodes/sw1/explode", 404),
    ] {
        let request = gateway.client.post(format!("{}{path}", gateway.url));
        assert_eq!(send(request.bearer_auth(&operator)).await.status, status);
    }
    let refused = gateway.get(&bench.token, "/api/nodes").await;
    assert_eq!(refused.status, 403);
}

/// What a `GET` is answered, by who has the answer with this tag: the status, and the tag of what there is now.
async fn asked_again(bench: &Bench, token: &str, path: &str, tag: &str) -> (u16, String) {
    let gateway = bench.gateway();
    let request = gateway.client.get(format!("{}{path}", gateway.url));
    let request = request.bearer_auth(token).header("if-none-match", tag);
    let answer = request.send().await.unwrap();
    let tag = answer.headers()["etag"].to_str().unwrap().to_owned();
    (answer.status().as_u16(), tag)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_seen_them_is_sent_them_again_when_they_have_changed() {
    let bench = Bench::start(NODES).await;
    let operator = token_with(bench.gateway().site(), &["--role", "operator"]).await;
    // From then on nothing changes by itself: no switch is there, and the region has its router.
    let deadline = Instant::now() + PATIENCE;
    while ask(&bench, &operator, Method::GET, "/api/regions").await["regions"][0]["has_router"]
        != true
    {
        assert!(Instant::now() < deadline, "{}", bench.log_text());
        sleep(Duration::from_millis(20)).await;
    }
    let mut tags = Vec::new();
    for path in ["/api/nodes", "/api/nodes/sw1", "/api/regions"] {
        let (status, tag) = asked_again(&bench, &operator, path, "\"none\"").await;
        assert_eq!(status, 200, "{path}");
        let again = asked_again(&bench, &operator, path, &tag).await;
        assert_eq!(again, (304, tag.clone()), "{path}");
        tags.push((path, tag));
    }
    ask(&bench, &operator, Method::POST, "/api/nodes/sw1/disable").await;
    for (path, tag) in tags {
        let (status, now) = asked_again(&bench, &operator, path, &tag).await;
        // A region names its switches, and not what is wanted of them.
        match path {
            "/api/regions" => assert_eq!((status, now), (304, tag), "{path}"),
            _ => assert!(status == 200 && now != tag, "{path}: {status}"),
        }
    }
}
