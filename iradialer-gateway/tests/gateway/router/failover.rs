//! What a carrier refuses before it rang, the whole way.

use super::COMPLETE;
use super::bench::Bench;
use super::fake_switch::{Dialled, FakeSwitch, Reaction};
use iradialer_core::call::CallState;
use iradialer_core::value::CallUuid;
use iradialer_core::wire::EndedAttempt;
use iradialer_gateway::trunk::FIRST_OPEN_MS;
use serde_json::json;
use std::time::Duration;

const BACK_AND_ON: [&str; 7] = [
    "queued", "started", "hangup", "started", "ringing", "answered", "hangup",
];

fn trunks(dialled: &[Dialled]) -> Vec<&str> {
    dialled
        .iter()
        .map(|dialled| dialled.command.trunk.as_str())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_one_trunk_could_not_place_goes_through_the_next() {
    let bench = Bench::start("").await;
    let script = [Reaction::Declined(503, "Service Unavailable")];
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &script).await;
    let call = bench.make_call("either", json!({})).await;
    assert_eq!(bench.webhook_until_final(&call).await, BACK_AND_ON);
    let record = bench.wait_for_state(&call, CallState::Completed).await;
    let dialled = switch.dialled();
    assert_eq!(trunks(&dialled), ["slow", "chime"]);
    assert_eq!(
        (&record["attempt"], &record["trunk"]),
        (&json!(2), &json!("chime"))
    );

    // Of both tries every event is stored: the switch may forget them.
    let ended = |dialled: &Dialled, last_seq| EndedAttempt {
        call_uuid: dialled.command.call_uuid,
        attempt: dialled.command.attempt,
        attempt_id: dialled.command.attempt_id,
        last_seq,
    };
    let asked = vec![
        ended(&dialled[0], 2),
        ended(&dialled[1], 4),
        ended(&dialled[1], 5),
    ];
    let both: Vec<CallUuid> = dialled
        .iter()
        .map(|dialled| dialled.command.attempt_id)
        .collect();
    assert_eq!(switch.confirm(asked).await, both);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_every_trunk_refused_has_one_end() {
    let bench = Bench::start("").await;
    let script = vec![Reaction::Declined(503, "Service Unavailable"); 3];
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &script).await;
    let call = bench.make_call("either", json!({})).await;
    let told = ["queued", "started", "hangup", "started", "hangup"];
    assert_eq!(bench.webhook_until_final(&call).await, told);
    let record = bench.wait_for_state(&call, CallState::Failed).await;
    assert_eq!(record["result"]["sip_status"], 503);
    assert_eq!(trunks(&switch.dialled()), ["slow", "chime"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_too_many_in_a_second_is_made_a_second_later() {
    let bench = Bench::start("").await;
    let script = [Reaction::Declined(503, "Trunk CPS limit exceeded")];
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &script).await;
    let call = bench.make_call("news", json!({})).await;
    assert_eq!(bench.webhook_until_final(&call).await, BACK_AND_ON);
    let dialled = switch.dialled();
    assert_eq!(
        trunks(&dialled),
        ["slow", "slow"],
        "no fault of the trunk's"
    );
    let waited = dialled[1].at - dialled[0].at;
    assert!(waited >= Duration::from_secs(1), "{waited:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_number_is_dialled_once() {
    let bench = Bench::start("").await;
    let script = [Reaction::Declined(404, "Not Found")];
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &script).await;
    let call = bench.make_call("either", json!({})).await;
    let told = ["queued", "started", "hangup"];
    assert_eq!(bench.webhook_until_final(&call).await, told);
    let next = bench.make_call("either", json!({})).await;
    assert_eq!(bench.webhook_until_final(&next).await, COMPLETE);
    let of = |dialled: &Dialled| dialled.command.call_uuid.to_string();
    let dialled: Vec<_> = switch.dialled().iter().map(of).collect();
    assert_eq!(dialled, [call, next]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_that_fails_again_and_again_is_passed_over_until_a_probe_succeeds() {
    let bench = Bench::start("").await;
    let script = vec![Reaction::Declined(503, "Service Unavailable"); 5];
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &script).await;
    for _ in 0..5 {
        let call = bench.make_call("reminders", json!({})).await;
        bench.wait_for_state(&call, CallState::Failed).await;
    }
    bench.wait_for_log("A TRUNK DOES NOT PLACE CALLS").await;
    // It stays open for longer than a slow machine takes for the next lines.
    let site = bench.gateway().site();
    site.set_clock(-100_000).await;
    let waits = bench.make_call("reminders", json!({})).await;
    let trunk = bench.get("/api/trunks/chime").await;
    assert_eq!(
        (&trunk["breaker"], &trunk["accepts"]),
        (&json!("open"), &json!("nothing")),
        "{trunk}"
    );
    assert_eq!(bench.state(&waits).await, "queued");
    // Its time is over. The next call wakes the router.
    site.set_clock(FIRST_OPEN_MS as i64).await;
    let calls = [waits, bench.make_call("reminders", json!({})).await];
    for call in &calls {
        bench.wait_for_state(call, CallState::Completed).await;
    }
    let dialled = switch.dialled();
    assert_eq!(dialled.len(), 7);
    bench.wait_for_log("a trunk places calls again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_with_wrong_credentials_is_passed_over_at_once() {
    let bench = Bench::start("").await;
    let script = [Reaction::Declined(403, "Forbidden")];
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &script).await;
    let first = bench.make_call("either", json!({})).await;
    assert_eq!(bench.webhook_until_final(&first).await, BACK_AND_ON);
    let next = bench.make_call("either", json!({})).await;
    assert_eq!(bench.webhook_until_final(&next).await, COMPLETE);
    assert_eq!(trunks(&switch.dialled()), ["slow", "chime", "chime"]);
    bench.wait_for_log("403 Forbidden").await;
}
