//! What a switch holds, and what the TDB believes.

use super::bench::Bench;
use super::fake_switch::{FakeSwitch, Reaction};
use super::{COMPLETE, IMPATIENT};
use crate::gateway::PATIENCE;
use iradialer_core::call::CallState;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::time::sleep;

async fn wait_until(bench: &Bench, what: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !what() {
        assert!(Instant::now() < deadline, "{}", bench.log_text());
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_starts_again_takes_up_the_calls_that_are_live() {
    let mut bench = Bench::start("").await;
    let script = vec![Reaction::Hold; 5];
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &script).await;
    let mut calls = Vec::new();
    for _ in 0..5 {
        let call = bench.make_call("reminders", json!({})).await;
        bench.wait_for_state(&call, CallState::Dialing).await;
        calls.push(call);
    }
    bench.kill_gateway().await;
    let commands = switch.dialled();
    let said = [
        CallState::Dialing,
        CallState::Ringing,
        CallState::Answered,
        CallState::Ringing,
        CallState::Answered,
    ];
    for (dialled, state) in commands.iter().zip(said) {
        switch.hold(&dialled.command, state);
    }
    bench.start_gateway().await;
    for (dialled, state) in commands.iter().zip(said) {
        let call = dialled.command.call_uuid.to_string();
        bench.wait_for_state(&call, state).await;
    }
    for dialled in &commands {
        switch.complete(&dialled.command).await;
    }
    for call in &calls {
        bench.wait_for_state(call, CallState::Completed).await;
        assert_eq!(bench.webhook_until_final(call).await, COMPLETE);
    }
    assert_eq!(switch.dialled().len(), 5);
    assert!(switch.dropped().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rings_on_for_a_call_that_was_given_up_is_dropped_and_told() {
    let bench = Bench::start(IMPATIENT).await;
    let script = [Reaction::Hold, Reaction::Hold];
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &script).await;
    let mut calls = Vec::new();
    for _ in 0..2 {
        let call = bench.make_call("reminders", json!({})).await;
        bench.wait_for_state(&call, CallState::Dialing).await;
        calls.push(call);
    }
    let of = |call: &str| {
        let mut dialled = switch.dialled().into_iter();
        let of_it = dialled.find(|dialled| dialled.command.call_uuid.to_string() == call);
        of_it.unwrap().command
    };
    let (ringing, answered) = (of(&calls[0]), of(&calls[1]));
    switch.fall_silent();
    for call in &calls {
        bench.wait_for_state(call, CallState::Unknown).await;
    }
    switch.hold(&ringing, CallState::Ringing);
    switch.hold(&answered, CallState::Answered);
    switch.speak_again();
    wait_until(&bench, || !switch.dropped().is_empty()).await;
    bench.wait_for_log("it is left to end there").await;
    assert_eq!(switch.dropped(), [ringing.call_uuid]);

    // There is one end, and what is heard of it later is kept.
    switch.complete(&answered).await;
    let told = ["queued", "started", "unknown"];
    assert_eq!(bench.webhook_until_final(&calls[1]).await, told);
    let kept = bench.events(&calls[1]).await;
    assert_eq!(kept[3..], ["ringing", "answered", "hangup"]);
    let record = bench.wait_for_state(&calls[1], CallState::Unknown).await;
    assert_eq!(
        record["late_end"]["data"]["hangup_cause"],
        "NORMAL_CLEARING"
    );
    assert_eq!(record["result"]["hangup_cause"], json!(null));
    let record = bench.wait_for_state(&calls[0], CallState::Unknown).await;
    assert_eq!(record["late_end"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_a_person_began_at_the_switch_is_left_alone() {
    let bench = Bench::start("").await;
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &[]).await;
    wait_until(&bench, || switch.held_queries() > 0).await;
    switch.hold(&switch.own_command("acme"), CallState::Ringing);
    switch.fall_silent();
    sleep(Duration::from_millis(5_500)).await;
    let asked = switch.held_queries();
    switch.speak_again();
    wait_until(&bench, || switch.held_queries() > asked).await;
    sleep(Duration::from_millis(300)).await;
    assert!(switch.dropped().is_empty());
}
