//! Calls as a client sees them, where no switch is there: accepted, listed, dropped, expired.

use crate::gateway::{Answer, CONFIG, Gateway, Site};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::time::sleep;

fn body() -> Value {
    json!({ "campaign_name": "reminders", "to_number": "+15005550006" })
}

async fn events(gateway: &Gateway, token: &str, call: &str, query: &str) -> Answer {
    gateway
        .get(token, &format!("/api/calls/{call}/events{query}"))
        .await
}

fn names(answer: &Answer) -> Vec<String> {
    let events = answer.body["events"].as_array().unwrap();
    events
        .iter()
        .map(|event| event["event_name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn an_accepted_call_is_shown_as_it_was_asked_for() {
    let (gateway, token) = Gateway::start().await;
    let mut asked = body();
    asked["call_params"] = json!({ "order": 7, "token": "s3cret" });
    asked["metadata"] = json!({ "batch": "x" });
    asked["channel_vars"] = json!({ "sip_h_X-Order": "7" });
    asked["dial_timeout"] = json!(45);
    asked["ivr"] = json!({ "version": 1, "name": "hello", "start": "a",
        "nodes": { "a": { "play": [{ "file": "hello.wav" }], "next": "@hangup" } } });
    let answer = gateway.post(&token, "/api/makecall", &asked).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["status"], "OK");
    assert_eq!(answer.body["status_code"], 0);
    assert_eq!(answer.body["slowdown"], false);
    assert_eq!(answer.body["cluster"], "ira");
    let call = answer.body["call_uuid"].as_str().unwrap();

    let shown = gateway.get(&token, &format!("/api/calls/{call}")).await;
    assert_eq!(shown.status, 200);
    let shown = shown.body;
    assert_eq!(shown["state"], "queued");
    assert_eq!(shown["to_number"], "+15005550006");
    assert_eq!(
        shown["call_params"],
        json!({ "order": 7 }),
        "its token is not shown"
    );
    assert_eq!(shown["metadata"], asked["metadata"]);
    assert_eq!(shown["channel_vars"], asked["channel_vars"]);
    assert_eq!(
        (&shown["dial_timeout"], &shown["flow"]),
        (&json!(45), &json!("hello"))
    );
    assert_eq!(shown["result"], Value::Null);
    let told = events(&gateway, &token, call, "").await;
    assert_eq!(names(&told), ["iradialer::queued"]);
}

#[tokio::test]
async fn a_queued_call_that_is_dropped_ends_at_once_with_one_final_event() {
    let (gateway, token) = Gateway::start().await;
    let call = gateway.make_call(&token, &body()).await;
    let drop = json!({ "call_uuid": call });
    let dropped = gateway.post(&token, "/api/dropcall", &drop).await;
    assert_eq!(dropped.status, 200, "{dropped:?}");
    assert_eq!(dropped.body["state"], "canceled");
    let again = gateway.post(&token, "/api/dropcall", &drop).await;
    assert_eq!(
        (again.status.as_u16(), &again.body["state"]),
        (200, &json!("canceled"))
    );

    let told = events(&gateway, &token, &call, "").await;
    assert_eq!(names(&told), ["iradialer::queued", "iradialer::canceled"]);
    assert_eq!(told.body["events"][1]["final"], true);
    let rest = events(&gateway, &token, &call, "?after_seq=1").await;
    assert_eq!(names(&rest), ["iradialer::canceled"]);
    let shown = gateway.get(&token, &format!("/api/calls/{call}")).await;
    assert_eq!(shown.body["final"], true);
    assert_eq!(shown.body["result"]["duration_ms"], 0);
}

#[tokio::test]
async fn a_call_that_is_not_dialled_in_time_expires() {
    let (gateway, token) = Gateway::start().await;
    let soon = jiff::Timestamp::now() + Duration::from_secs(3);
    let mut asked = body();
    asked["expires_at"] = json!(soon.to_string());
    let call = gateway.make_call(&token, &asked).await;
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let shown = gateway.get(&token, &format!("/api/calls/{call}")).await;
        if shown.body["state"] == "expired" {
            break;
        }
        assert!(Instant::now() < deadline, "{shown:?}");
        sleep(Duration::from_millis(20)).await;
    }
    let told = events(&gateway, &token, &call, "").await;
    assert_eq!(names(&told), ["iradialer::queued", "iradialer::expired"]);
}

#[tokio::test]
async fn lists_are_filtered_and_go_on_where_they_stopped() {
    let (gateway, token) = Gateway::start().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(gateway.make_call(&token, &body()).await);
    }
    let drop = json!({ "call_uuid": made[2] });
    gateway.post(&token, "/api/dropcall", &drop).await;

    let mut seen = Vec::new();
    let mut path = "/api/calls?limit=2".to_owned();
    loop {
        let page = gateway.get(&token, &path).await.body;
        let calls = page["calls"].as_array().unwrap();
        seen.extend(
            calls
                .iter()
                .map(|call| call["call_uuid"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/api/calls?limit=2&cursor={cursor}");
    }
    made.reverse();
    assert_eq!(seen, made, "newest first, each once");
    let canceled = gateway.get(&token, "/api/calls?state=canceled").await.body;
    assert_eq!(canceled["calls"].as_array().unwrap().len(), 1);
    assert_eq!(canceled["calls"][0]["call_uuid"], drop["call_uuid"]);
    let none = gateway
        .get(&token, "/api/calls?campaign=another")
        .await
        .body;
    assert_eq!(none["calls"], json!([]));
}

#[tokio::test]
async fn a_full_queue_asks_to_slow_down_and_then_refuses() {
    let site = Site::new(&format!(
        "[queue]\nslow_down_above = 1\nrefuse_above = 2\n{CONFIG}"
    ));
    let token = site.token("acme").await;
    let gateway = site.start().await;
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut slow = false;
    let refused = loop {
        let answer = gateway.post(&token, "/api/makecall", &body()).await;
        if answer.status != 200 {
            break answer;
        }
        slow |= answer.body["slowdown"] == true;
        assert!(Instant::now() < deadline, "never refused");
        // The length is counted four times a second.
        sleep(Duration::from_millis(260)).await;
    };
    assert!(slow, "asked to slow down first");
    assert_eq!(refused.status, 429, "{refused:?}");
    assert_eq!(refused.headers["retry-after"], "60");
    assert_eq!(refused.body["slowdown"], true);
    assert_eq!(refused.body["error"]["retryable"], true);
    assert_eq!(gateway.calls(&token).await.len(), 2);
}
