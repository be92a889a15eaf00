//! Why a call went the way it went, and why one that waits does.

use super::bench::Bench;
use super::fake_switch::{FakeSwitch, Reaction};
use crate::gateway::PATIENCE;
use iradialer_core::call::CallState;
use iradialer_core::wire::RefusalReason;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::time::sleep;

async fn explained(bench: &Bench, call: &str) -> Value {
    let path = format!("/api/calls/{call}/explain");
    let answer = bench.gateway().get(&bench.token, &path).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

fn names(explained: &Value) -> Vec<&str> {
    let path = explained["path"].as_array().unwrap();
    path.iter()
        .map(|step| step["what"].as_str().unwrap())
        .collect()
}

fn reasons(explained: &Value) -> Vec<&str> {
    let reasons = explained["waiting"]["reasons"].as_array().unwrap();
    reasons
        .iter()
        .map(|reason| reason["reason"].as_str().unwrap())
        .collect()
}

/// Waits until the call waits for this.
async fn wait_for_reason(bench: &Bench, call: &str, reason: &str) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let explained = explained(bench, call).await;
        if reasons(&explained).contains(&reason) {
            return explained;
        }
        assert!(Instant::now() < deadline, "{explained}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_came_by_a_failing_trunk_and_a_busy_switch() {
    let bench = Bench::start("").await;
    let script = [
        Reaction::Declined(503, "Service Unavailable"),
        Reaction::Refuse(RefusalReason::Busy),
    ];
    let _switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &script).await;
    let call = bench.make_call("either", json!({})).await;
    bench.wait_for_state(&call, CallState::Completed).await;
    let explained = explained(&bench, &call).await;
    let expected = [
        "accepted",
        "assigned",
        "started",
        "hangup",
        "queued_again",
        "assigned",
        "not_dialled",
        "assigned",
        "started",
        "ringing",
        "answered",
        "hangup",
        "ended",
    ];
    assert_eq!(names(&explained), expected, "{explained}");
    let path = &explained["path"];
    assert_eq!(path[0]["campaign_name"], "either");
    let refused = path[6]["reason"].as_str().unwrap();
    assert!(refused.starts_with("sw1 refused it: Busy"), "{refused}");
    assert_eq!(path[4]["reason"], "503 Service Unavailable");
    let (first, last) = (&path[1]["why"], &path[7]["why"]);
    assert_eq!(
        first["trunks"],
        json!([{"name": "slow", "verdict": "chosen", "reason": null}])
    );
    assert_eq!(first["switch"]["considered"][0]["verdict"], "room");
    assert_eq!(first["trunk"]["cps"], 5.0);
    assert_eq!(
        last["trunks"],
        json!([
            {"name": "slow", "verdict": "passed_over", "reason": "refused_this_call"},
            {"name": "chime", "verdict": "chosen", "reason": null},
        ])
    );
    assert_eq!(explained["waiting"], Value::Null);

    // Another tenant has no such call, and no such trunk.
    let other = bench.gateway().site().token("other").await;
    let path = format!("/api/calls/{call}/explain");
    let answer = bench.gateway().get(&other, &path).await;
    assert_eq!(answer.status, 404);
    let answer = bench.gateway().get(&other, "/api/trunks").await;
    assert_eq!(answer.body, json!({"trunks": []}));
    let answer = bench.gateway().get(&other, "/api/trunks/chime").await;
    assert_eq!(answer.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_queued_call_waits_for() {
    let bench = Bench::start("").await;
    let call = bench.make_call("news", json!({})).await;
    wait_for_reason(&bench, &call, "no_switch_heard").await;
    let in_a_day = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
    let later = json!({ "not_before": in_a_day.to_string() });
    let later = bench.make_call("news", later).await;
    let explained = wait_for_reason(&bench, &later, "not_before").await;
    assert!(reasons(&explained).contains(&"others_first"), "{explained}");

    // One trunk that is misused: nothing goes through it.
    let script = [Reaction::Declined(403, "Forbidden")];
    let _switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &script).await;
    bench.wait_for_state(&call, CallState::Rejected).await;
    let next = bench.make_call("news", json!({})).await;
    let explained = wait_for_reason(&bench, &next, "no_trunk_with_room").await;
    let trunk = &explained["waiting"]["trunks"][0];
    assert_eq!(trunk["verdict"], "breaker_open", "{explained}");
    assert_eq!(trunk["answer"], "403 Forbidden");
    assert!(trunk["until"].is_string());

    let shown = bench.gateway().get(&bench.token, "/api/trunks/slow").await;
    assert_eq!(shown.body["breaker"], "open");
    assert_eq!(shown.body["breaker_reason"], "403 Forbidden");
    assert_eq!(shown.body["accepts"], "nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_learned_rate_is_seen() {
    let bench = Bench::start("").await;
    let script = [Reaction::Declined(503, "Trunk CPS limit exceeded")];
    let _switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &script).await;
    let call = bench.make_call("news", json!({})).await;
    bench.wait_for_log("fewer calls a second").await;
    let shown = bench.gateway().get(&bench.token, "/api/trunks").await.body;
    let trunks = shown["trunks"].as_array().unwrap();
    let of = |name: &str| trunks.iter().find(|trunk| trunk["name"] == name).unwrap();
    assert_eq!(of("chime")["learned_cps"], Value::Null);
    assert_eq!(of("chime")["cps"], 500.0);
    let learned = of("slow")["learned_cps"].as_f64().unwrap();
    assert!((0.5..0.6).contains(&learned), "{shown}");
    assert_eq!(of("slow")["cps"], of("slow")["learned_cps"]);
    assert_eq!(of("slow")["max_cps"], 5.0);
    bench.wait_for_state(&call, CallState::Completed).await;
    let explained = explained(&bench, &call).await;
    let second = &explained["path"].as_array().unwrap()[5]["why"];
    let cps = second["trunk"]["cps"].as_f64().unwrap();
    assert!((0.5..0.6).contains(&cps), "{explained}");
}
