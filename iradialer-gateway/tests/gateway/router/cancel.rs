//! A wish to end a call, wherever the call is: one outcome, one final event.

use super::bench::Bench;
use super::fake_switch::{FakeSwitch, Reaction};
use super::{COMPLETE, IMPATIENT};
use iradialer_core::call::CallState;
use iradialer_core::wire::RefusalReason;
use serde_json::json;
use std::time::Duration;
use tokio::time::sleep;

#[tokio::test(flavor = "multi_thread")]
async fn assigned_and_not_with_the_switch_yet() {
    let bench = Bench::start("").await;
    let later = Reaction::HoldAfter(Duration::from_secs(1));
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &[later]).await;
    switch.hangs_up_when_asked();
    let call = bench.make_call("reminders", json!({})).await;
    bench.wait_for_state(&call, CallState::Assigned).await;
    let answer = bench.drop_call(&call).await;
    assert_eq!(answer["state"], "assigned");
    assert_eq!(switch.dropped().len(), 1, "it did not have it then");
    bench.wait_for_state(&call, CallState::Canceled).await;
    let told = bench.webhook_until_final(&call).await;
    assert_eq!(told, ["queued", "started", "hangup"]);
    assert_eq!(switch.dialled().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn assigned_and_refused_then() {
    let bench = Bench::start(IMPATIENT).await;
    // One that never comes, and one that the switch has no room for.
    for reaction in [Reaction::Ignore, Reaction::Refuse(RefusalReason::Busy)] {
        let script = vec![reaction; 50];
        let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &script).await;
        switch.hangs_up_when_asked();
        let call = bench.make_call("reminders", json!({})).await;
        switch.wait_for_dials(1).await;
        bench.drop_call(&call).await;
        bench.wait_for_state(&call, CallState::Canceled).await;
        let told = bench.webhook_until_final(&call).await;
        assert_eq!(told, ["queued", "canceled"]);
        let dialled = switch.dialled().len();
        sleep(Duration::from_millis(500)).await;
        assert_eq!(switch.dialled().len(), dialled);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn live_and_answered() {
    let bench = Bench::start("").await;
    let script = [Reaction::Hold, Reaction::Hold];
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &script).await;
    switch.hangs_up_when_asked();
    let calls = [
        bench.make_call("reminders", json!({})).await,
        bench.make_call("reminders", json!({})).await,
    ];
    for call in &calls {
        bench.wait_for_state(call, CallState::Dialing).await;
    }
    let mut dialled = switch.dialled().into_iter();
    let answered = dialled.find(|dialled| dialled.command.call_uuid.to_string() == calls[1]);
    let answered = answered.unwrap().command;
    switch.answer(&answered).await;
    bench.wait_for_state(&calls[1], CallState::Answered).await;
    for call in &calls {
        // A wish that comes twice is one.
        let (first, second) = tokio::join!(bench.try_to_drop(call), bench.try_to_drop(call));
        assert!(first == 200 || second == 200, "{first} {second}");
    }
    bench.wait_for_state(&calls[0], CallState::Canceled).await;
    bench.wait_for_state(&calls[1], CallState::Completed).await;
    let told = bench.webhook_until_final(&calls[0]).await;
    assert_eq!(told, ["queued", "started", "hangup"]);
    let told = bench.webhook_until_final(&calls[1]).await;
    assert_eq!(told, ["queued", "started", "answered", "hangup"]);
}

/// The wish comes anywhere between the request and the confirmation.
#[tokio::test(flavor = "multi_thread")]
async fn racing_the_assignment() {
    let bench = Bench::start("").await;
    let script: Vec<_> = (0..200)
        .map(|n| match n % 4 {
            0 => Reaction::HoldAfter(Duration::from_millis(n % 7)),
            1 => Reaction::Refuse(RefusalReason::Busy),
            _ => Reaction::Hold,
        })
        .collect();
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 1_000, &script).await;
    switch.hangs_up_when_asked();
    bench.wait_for_log("heard from a switch").await;
    let canceling = (0..60u64).map(async |n| {
        let call = bench.make_call("reminders", json!({})).await;
        sleep(Duration::from_micros(n * n * 7)).await;
        let status = bench.try_to_drop(&call).await;
        assert!(status == 200 || status == 409, "{status}");
        call
    });
    let calls = futures::future::join_all(canceling).await;
    let mut on_a_switch = 0;
    for call in &calls {
        bench.wait_for_state(call, CallState::Canceled).await;
        let told = bench.webhook_final(call).await;
        match told.last().unwrap().as_str() {
            "canceled" => assert_eq!(told, ["queued", "canceled"]),
            _ => {
                on_a_switch += 1;
                assert_eq!(told, ["queued", "started", "hangup"]);
            }
        }
    }
    println!("{on_a_switch} of {} had been dialled", calls.len());
    let mut begun: Vec<_> = switch
        .dialled()
        .into_iter()
        .filter(|dialled| !matches!(dialled.reaction, Reaction::Refuse(_)))
        .map(|dialled| dialled.command.call_uuid.to_string())
        .collect();
    begun.sort();
    let all = begun.len();
    begun.dedup();
    assert_eq!((begun.len(), all), (on_a_switch, on_a_switch));
}

/// The wish comes while the far end answers and hangs up by itself.
#[tokio::test(flavor = "multi_thread")]
async fn racing_the_answer_and_the_end() {
    let bench = Bench::start("").await;
    let script = vec![Reaction::Hold; 20];
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 100, &script).await;
    let mut calls = Vec::new();
    for _ in 0..20 {
        calls.push(bench.make_call("reminders", json!({})).await);
    }
    let dialled = switch.wait_for_dials(20).await;
    for call in &calls {
        bench.wait_for_state(call, CallState::Dialing).await;
    }
    let racing = dialled.iter().enumerate().map(async |(n, dialled)| {
        let call = dialled.command.call_uuid.to_string();
        let canceling = async {
            sleep(Duration::from_millis(n as u64)).await;
            bench.try_to_drop(&call).await
        };
        tokio::join!(canceling, switch.complete(&dialled.command))
    });
    for (status, ()) in futures::future::join_all(racing).await {
        assert_eq!(status, 200);
    }
    for call in &calls {
        bench.wait_for_state(call, CallState::Completed).await;
        assert_eq!(bench.webhook_final(call).await, COMPLETE);
    }
}
