//! Attempts of which it is not known whether they were dialled.

use super::bench::Bench;
use super::fake_switch::{FakeSwitch, Reaction};
use super::{COMPLETE, IMPATIENT};
use crate::gateway::PATIENCE;
use iradialer_core::call::CallState;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// A switch may be lost soon, and is given up late.
const FORGIVING: &str = "
[router]
dispatch_timeout_ms = 300
not_after_ms = 2000
switch_lost_after_ms = 2000
";

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_took_goes_back_on_the_word_of_the_next_life_only() {
    let bench = Bench::start("").await;
    let bus = bench.bus().await;
    let dead = FakeSwitch::start(&bus, "sw1", 10, &[]).await;
    bench.wait_for_log("heard from a switch").await;
    dead.fall_silent();
    let next = dead.die();
    let call = bench.make_call("reminders", json!({})).await;
    bench.wait_for_log("a switch is gone").await;
    let other = FakeSwitch::start(&bus, "sw2", 10, &[]).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.state(&call).await, "assigned");

    let next = next.load(&bus).await;
    assert_eq!(bench.webhook_until_final(&call).await, COMPLETE);
    assert_eq!(next.queries(), 1);
    let dialled = next.dialled().len() + other.dialled().len();
    assert_eq!(dialled, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_comes_back_with_its_journal_tells_the_end() {
    let bench = Bench::start("").await;
    let bus = bench.bus().await;
    let switch = FakeSwitch::start(&bus, "sw1", 10, &[Reaction::Hold]).await;
    let call = bench.make_call("reminders", json!({})).await;
    bench.wait_for_state(&call, CallState::Dialing).await;
    let command = switch.dialled()[0].command.clone();
    let next = switch.die().load(&bus).await;
    let deadline = Instant::now() + PATIENCE;
    while next.queries() == 0 {
        assert!(Instant::now() < deadline, "{}", bench.log_text());
        sleep(Duration::from_millis(20)).await;
    }
    // Longer than the events of a life without a journal are waited for.
    sleep(Duration::from_secs(4)).await;
    assert_eq!(bench.state(&call).await, "dialing");
    next.complete(&command).await;
    assert_eq!(bench.webhook_until_final(&call).await, COMPLETE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_makes_no_call_unknown() {
    let roles = ["--dev", "--roles", "web,router,dispatcher"];
    let bench = Bench::start_with(IMPATIENT, &roles).await;
    let script = [Reaction::HoldSilently, Reaction::Forget];
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &script).await;
    let lost = bench.make_call("reminders", json!({})).await;
    switch.wait_for_dials(1).await;
    let ended = bench.make_call("reminders", json!({})).await;
    let commands = switch.wait_for_dials(2).await;
    let (lost_command, ended_command) = (&commands[0].command, &commands[1].command);
    let told = async {
        // Both are past what a silent switch is waited for.
        sleep(Duration::from_secs(3)).await;
        switch.fall_silent();
        sleep(Duration::from_secs(4)).await;
        for call in [&lost, &ended] {
            assert_eq!(bench.state(call).await, "assigned");
        }
        bench
            .second_gateway_with(&["--roles", "web,collector"])
            .await
    };
    let (_collector, (), ()) = tokio::join!(
        told,
        switch.complete(lost_command),
        switch.complete_wholly(ended_command)
    );
    for call in [&lost, &ended] {
        bench.wait_for_state(call, CallState::Completed).await;
        assert_eq!(bench.webhook_until_final(call).await, COMPLETE);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_stood_still_takes_no_switch_for_gone() {
    let bench = Bench::start(IMPATIENT).await;
    let script = vec![Reaction::HoldSilently; 5];
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &script).await;
    let mut calls = Vec::new();
    for _ in 0..5 {
        calls.push(bench.make_call("reminders", json!({})).await);
    }
    let dialled = switch.wait_for_dials(5).await;
    switch.fall_silent();
    bench.wait_for_log("a switch did not answer").await;
    bench.gateway().signal("STOP").await;
    sleep(Duration::from_secs(5)).await;
    switch.speak_again();
    bench.gateway().signal("CONT").await;
    sleep(Duration::from_secs(1)).await;
    for dialled in &dialled {
        switch.complete(&dialled.command).await;
    }
    for call in &calls {
        bench.wait_for_state(call, CallState::Completed).await;
        assert_eq!(bench.webhook_until_final(call).await, COMPLETE);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_which_nothing_is_known_is_dialled_again_where_its_request_asked_for_it() {
    let bench = Bench::start(IMPATIENT).await;
    let bus = bench.bus().await;
    let lost = FakeSwitch::start(&bus, "sw1", 10, &[Reaction::Hold]).await;
    let call = bench
        .make_call("reminders", json!({"on_unknown": "redial"}))
        .await;
    bench.wait_for_state(&call, CallState::Dialing).await;
    lost.fall_silent();
    let other = FakeSwitch::start(&bus, "sw2", 10, &[Reaction::Hold]).await;
    let dialled = other.wait_for_dials(1).await;
    assert_eq!(dialled[0].command.attempt, 2);

    // The first one rings on: it is dropped, and what is told of it moves the call no more.
    let first = lost.dialled()[0].command.clone();
    lost.hold(&first, CallState::Ringing);
    lost.speak_again();
    let deadline = Instant::now() + PATIENCE;
    while lost.dropped().is_empty() {
        assert!(Instant::now() < deadline, "{}", bench.log_text());
        sleep(Duration::from_millis(20)).await;
    }
    lost.complete(&first).await;
    sleep(Duration::from_millis(500)).await;
    assert_eq!(bench.state(&call).await, "dialing");
    other.complete(&dialled[0].command).await;
    let told = bench.webhook_until_final(&call).await;
    assert_eq!(told[..4], ["queued", "started", "unknown", "started"]);
    let record = bench.wait_for_state(&call, CallState::Completed).await;
    assert_eq!(record["on_unknown"], "redial");
    assert!(other.dropped().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_to_be_live_and_taken_back_then_is_dialled_again() {
    let bench = Bench::start(FORGIVING).await;
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &[Reaction::TakeBackLater]).await;
    let call = bench.make_call("reminders", json!({})).await;
    bench.wait_for_state(&call, CallState::Dialing).await;
    assert_eq!(switch.queries(), 1);
    // It is asked what it holds when it comes back.
    switch.fall_silent();
    sleep(Duration::from_millis(2_500)).await;
    switch.speak_again();
    assert_eq!(bench.webhook_until_final(&call).await, COMPLETE);
    assert_eq!(switch.dialled()[1].command.attempt, 2);
}
