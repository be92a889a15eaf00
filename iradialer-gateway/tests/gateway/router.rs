//! Router, collector and dispatcher together, in a real gateway process with a real `nats-server`,
//! against a switch that does what real ones do at the worst moment.

mod bench;
mod cancel;
mod destinations;
mod explain;
mod failover;
pub mod fake_switch;
mod flows;
mod licensed;
mod live;
mod nodes;
mod reconcile;
mod regions;
mod requests;
mod settle;
mod two_routers;

use crate::gateway::PATIENCE;
use bench::Bench;
use fake_switch::{FakeSwitch, Reaction};
use iradialer_core::call::CallState;
use iradialer_core::wire::RefusalReason;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::time::sleep;

const COMPLETE: [&str; 5] = ["queued", "started", "ringing", "answered", "hangup"];
/// A switch is given up soon, so that the tests need not wait.
const IMPATIENT: &str = "
[router]
dispatch_timeout_ms = 300
not_after_ms = 2000
switch_lost_after_ms = 2000
switch_unknown_after_ms = 2000
";

/// A switch may take its time to answer.
const PATIENT: &str = "
[router]
dispatch_timeout_ms = 15000
not_after_ms = 20000
";

#[tokio::test(flavor = "multi_thread")]
async fn a_call_comes_to_its_final_record_and_webhook() {
    let bench = Bench::start("").await;
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &[]).await;
    let call = bench.make_call("reminders", json!({})).await;
    let record = bench.wait_for_state(&call, CallState::Completed).await;
    assert_eq!(bench.webhook_until_final(&call).await, COMPLETE);
    assert_eq!(bench.events(&call).await, COMPLETE);

    let command = &switch.dialled()[0].command;
    assert_eq!(command.call_uuid.to_string(), call);
    assert_eq!(command.attempt, 1);
    assert_eq!(command.trunk.as_str(), "chime");
    assert_eq!(record["attempt"], 1);
    let last = bench.webhook.of(&call).pop().unwrap();
    assert_eq!(last["event_data"]["hangup_cause"], "NORMAL_CLEARING");
    assert_eq!(last["event_data"]["node_id"], "sw1");
    // The call's first events say which request it was asked for with, and the others do not.
    let said = |event: &Value| event["event_data"]["request_id"].clone();
    let said: Vec<Value> = bench.webhook.of(&call).iter().map(said).collect();
    assert!(said[0].is_string() && said[0] == said[1], "{said:?}");
    assert_eq!(said[0], record["request_id"]);
    assert!(said[2..].iter().all(Value::is_null), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn how_long_a_call_may_ring_and_last_is_in_the_command_to_the_switch() {
    let bench = Bench::start("").await;
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &[]).await;
    let asked = json!({
        "dial_timeout": 45, "max_duration": 90, "channel_vars": { "sip_h_X-Order": "7" },
    });
    bench.make_call("reminders", asked.clone()).await;
    let command = switch.wait_for_dials(1).await.remove(0).command;
    assert_eq!((command.dial_timeout_s, command.max_duration_s), (45, 90));
    let vars = serde_json::to_value(&command.channel_vars).unwrap();
    assert_eq!(vars, asked["channel_vars"]);

    bench.make_call("reminders", json!({})).await;
    let command = switch.wait_for_dials(2).await.remove(1).command;
    assert_eq!(
        (command.dial_timeout_s, command.max_duration_s),
        (30, 3_600)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_reaches_the_switch_within_milliseconds() {
    let bench = Bench::start("").await;
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 100, &[]).await;
    let warm_up = bench.make_call("reminders", json!({})).await;
    bench.wait_for_state(&warm_up, CallState::Completed).await;
    let mut delays = Vec::new();
    for _ in 0..20 {
        let asked = Instant::now();
        bench.make_call("reminders", json!({})).await;
        let dialled = switch.wait_for_dials(delays.len() + 2).await;
        delays.push(dialled.last().unwrap().at - asked);
    }
    delays.sort();
    // The aim is 15 ms; a machine that tests several things at once gets some slack. A poll of the
    // queue anywhere on the way would take more.
    let median = delays[delays.len() / 2];
    println!("request to dial command, sorted: {delays:?}");
    assert!(median < Duration::from_millis(100), "{delays:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_switch_is_tried_again_under_the_next_attempt() {
    let bench = Bench::start("").await;
    let script = [Reaction::Refuse(RefusalReason::Busy)];
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &script).await;
    let call = bench.make_call("reminders", json!({})).await;
    assert_eq!(bench.webhook_until_final(&call).await, COMPLETE);
    let dialled = switch.dialled();
    let attempts: Vec<_> = dialled
        .iter()
        .map(|dialled| dialled.command.attempt)
        .collect();
    assert_eq!(attempts, [1, 2]);
    assert_ne!(
        dialled[0].command.attempt_id, dialled[1].command.attempt_id,
        "each attempt has a UUID of its own"
    );
    assert_eq!(bench.webhook.of(&call)[4]["event_data"]["attempt"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_not_ready_waits_and_holds_up_no_other() {
    let bench = Bench::start("").await;
    let script = [Reaction::Refuse(RefusalReason::NotReady)];
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &script).await;
    let waits = bench.make_call("reminders", json!({})).await;
    let asked = std::time::Instant::now();
    while switch.dialled().is_empty() {
        assert!(asked.elapsed() < Duration::from_secs(10));
        sleep(Duration::from_millis(1)).await;
    }
    let other = bench.make_call("reminders", json!({})).await;
    assert_eq!(bench.webhook_until_final(&other).await, COMPLETE);
    assert_eq!(bench.webhook_until_final(&waits).await, COMPLETE);
    let dialled = switch.dialled();
    let of_first = dialled
        .iter()
        .filter(|dialled| dialled.command.call_uuid.to_string() == waits);
    let times: Vec<_> = of_first.map(|dialled| dialled.at).collect();
    assert_eq!(times.len(), 2);
    assert!(
        times[1] - times[0] >= Duration::from_millis(500),
        "{times:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_switch_takes_what_the_first_refuses() {
    let bench = Bench::start("").await;
    let bus = bench.bus().await;
    let refuse = vec![Reaction::Refuse(RefusalReason::Draining); 100];
    let first = FakeSwitch::start(&bus, "sw1", 10, &refuse).await;
    let second = FakeSwitch::start(&bus, "sw2", 10, &[]).await;
    // Both are known by now; of two that are alike the first by name is chosen.
    sleep(Duration::from_millis(300)).await;
    let call = bench.make_call("reminders", json!({})).await;
    assert_eq!(bench.webhook_until_final(&call).await, COMPLETE);
    // A heartbeat in between gives the first another chance.
    let refused = first.dialled().len();
    assert!(refused > 0);
    let accepted = second.dialled();
    assert_eq!(accepted.len(), 1);
    assert_eq!(accepted[0].command.attempt as usize, refused + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_trunk_is_taken_when_one_is_down() {
    let bench = Bench::start("").await;
    let script = [Reaction::Refuse(RefusalReason::TrunkUnavailable)];
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &script).await;
    let call = bench.make_call("either", json!({})).await;
    assert_eq!(bench.webhook_until_final(&call).await, COMPLETE);
    let dialled = switch.dialled();
    let trunks: Vec<_> = dialled
        .iter()
        .map(|dialled| dialled.command.trunk.as_str())
        .collect();
    assert_eq!(trunks, ["slow", "chime"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_whose_epoch_is_old_takes_a_new_one() {
    let bench = Bench::start("").await;
    let script = [Reaction::Refuse(RefusalReason::StaleEpoch)];
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &script).await;
    let call = bench.make_call("reminders", json!({})).await;
    bench.wait_for_state(&call, CallState::Completed).await;
    let next = bench.make_call("reminders", json!({})).await;
    bench.wait_for_state(&next, CallState::Completed).await;
    let dialled = switch.dialled();
    let last = dialled.last().unwrap();
    assert!(last.command.epoch > dialled[0].command.epoch);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_switch_will_take_ends_with_the_reason() {
    let bench = Bench::start("").await;
    let script = [Reaction::Refuse(RefusalReason::BadRequest)];
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &script).await;
    let call = bench.make_call("reminders", json!({})).await;
    bench.wait_for_state(&call, CallState::Failed).await;
    assert_eq!(
        bench.webhook_until_final(&call).await,
        ["queued", "rejected"]
    );
    let last = bench.webhook.of(&call).pop().unwrap();
    assert_eq!(last["event_data"]["reason"], "as the test wants it");
    assert_eq!(switch.dialled().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_was_never_dialled_is_repeated() {
    let bench = Bench::start(IMPATIENT).await;
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &[Reaction::Ignore]).await;
    let call = bench.make_call("reminders", json!({})).await;
    assert_eq!(bench.webhook_until_final(&call).await, COMPLETE);
    let dialled = switch.dialled();
    assert_eq!(dialled.len(), 2);
    assert_eq!(dialled[1].command.attempt, 2);
    assert_eq!(switch.queries(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_was_dialled_without_a_word_is_not_repeated() {
    let bench = Bench::start(IMPATIENT).await;
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &[Reaction::HoldSilently]).await;
    let call = bench.make_call("reminders", json!({})).await;
    bench.wait_for_state(&call, CallState::Dialing).await;
    let deadline = Instant::now() + PATIENCE;
    while switch.queries() == 0 {
        assert!(Instant::now() < deadline);
        sleep(Duration::from_millis(10)).await;
    }
    switch.complete(&switch.dialled()[0].command).await;
    assert_eq!(bench.webhook_until_final(&call).await, COMPLETE);
    assert_eq!(switch.dialled().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_switch_never_comes_back_ends_as_unknown() {
    let bench = Bench::start(IMPATIENT).await;
    let bus = bench.bus().await;
    let switch = FakeSwitch::start(&bus, "sw1", 10, &[Reaction::Ignore]).await;
    let call = bench.make_call("reminders", json!({})).await;
    switch.wait_for_dials(1).await;
    switch.fall_silent();
    let other = FakeSwitch::start(&bus, "sw2", 10, &[]).await;
    bench.wait_for_state(&call, CallState::Unknown).await;
    assert_eq!(
        bench.webhook_until_final(&call).await,
        ["queued", "unknown"]
    );
    assert_eq!(switch.dialled().len(), 1);
    assert!(other.dialled().is_empty(), "it may have been dialled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_call_ends_as_unknown_when_its_switch_starts_anew() {
    let bench = Bench::start("").await;
    let bus = bench.bus().await;
    let old = FakeSwitch::start(&bus, "sw1", 10, &[Reaction::Hold]).await;
    let call = bench.make_call("reminders", json!({})).await;
    bench.wait_for_state(&call, CallState::Dialing).await;
    let command = old.dialled()[0].command.clone();
    old.kill();
    let new = FakeSwitch::start(&bus, "sw1", 10, &[]).await;
    bench.wait_for_state(&call, CallState::Unknown).await;
    assert_eq!(
        bench.webhook_until_final(&call).await,
        ["queued", "started", "unknown"]
    );

    // The new life takes calls, and what it reports late of the old one changes nothing any more.
    new.complete(&command).await;
    let next = bench.make_call("reminders", json!({})).await;
    bench.wait_for_state(&next, CallState::Completed).await;
    assert_eq!(new.dialled().len(), 1);
    bench.wait_for_state(&call, CallState::Unknown).await;
    assert_eq!(bench.webhook_until_final(&call).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_end_is_never_told_ends_as_unknown() {
    let bench = Bench::start(IMPATIENT).await;
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &[Reaction::Forget]).await;
    let call = bench.make_call("reminders", json!({})).await;
    assert_eq!(
        bench.webhook_until_final(&call).await,
        ["queued", "unknown"]
    );
    assert_eq!(switch.dialled().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_begun_at_a_switch_ends_with_it() {
    let bench = Bench::start(IMPATIENT).await;
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &[]).await;
    let call = switch.originate("acme").await;
    bench.wait_for_state(&call, CallState::Dialing).await;
    switch.kill();
    bench.wait_for_state(&call, CallState::Unknown).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_that_was_killed_loses_no_call() {
    let bench = Bench::start("").await;
    let script = [Reaction::Hold];
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &script).await;
    let live = bench.make_call("reminders", json!({})).await;
    bench.wait_for_state(&live, CallState::Dialing).await;
    bench.kill_bus().await;
    let waiting = bench.make_call("reminders", json!({})).await;
    switch.complete(&switch.dialled()[0].command).await;
    for call in [&live, &waiting] {
        bench.wait_for_state(call, CallState::Completed).await;
        assert_eq!(bench.webhook_until_final(call).await, COMPLETE);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_come_twice_and_late_are_told_once_and_in_order() {
    let bench = Bench::start("").await;
    let script = [Reaction::CompleteUntidily];
    let _switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &script).await;
    let call = bench.make_call("reminders", json!({})).await;
    assert_eq!(bench.webhook_until_final(&call).await, COMPLETE);
    let seqs: Vec<_> = bench
        .webhook
        .of(&call)
        .iter()
        .map(|event| event["event_data"]["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_killed_in_the_middle_of_a_call_has_its_end_later() {
    let mut bench = Bench::start("").await;
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &[Reaction::Hold]).await;
    let call = bench.make_call("reminders", json!({})).await;
    bench.wait_for_state(&call, CallState::Dialing).await;
    bench.kill_gateway().await;
    let command = switch.dialled()[0].command.clone();
    // The nats-server of the development mode has gone with the gateway: the switch's events wait
    // in the switch until both are back.
    tokio::join!(switch.complete(&command), bench.start_gateway());
    assert_eq!(bench.webhook_until_final(&call).await, COMPLETE);
    bench.wait_for_state(&call, CallState::Completed).await;
    assert_eq!(switch.dialled().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_killed_before_the_answer_asks_after_its_restart() {
    let mut bench = Bench::start("").await;
    let script = [Reaction::Ignore, Reaction::HoldSilently];
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &script).await;
    let never_dialled = bench.make_call("reminders", json!({})).await;
    switch.wait_for_dials(1).await;
    let dialled = bench.make_call("reminders", json!({})).await;
    let command = switch.wait_for_dials(2).await[1].command.clone();
    bench.kill_gateway().await;
    bench.start_gateway().await;

    assert_eq!(bench.webhook_until_final(&never_dialled).await, COMPLETE);
    switch.complete(&command).await;
    assert_eq!(bench.webhook_until_final(&dialled).await, COMPLETE);
    let of = |call: &str| {
        let dials = switch.dialled();
        dials
            .iter()
            .filter(|dialled| dialled.command.call_uuid.to_string() == call)
            .count()
    };
    assert_eq!(of(&never_dialled), 2, "the first was fenced");
    assert_eq!(of(&dialled), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn accepted_calls_outlive_a_kill() {
    let mut bench = Bench::start("").await;
    let mut calls = Vec::new();
    for _ in 0..10 {
        calls.push(bench.make_call("reminders", json!({})).await);
    }
    bench.kill_gateway().await;
    bench.start_gateway().await;
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 100, &[]).await;
    for call in &calls {
        assert_eq!(bench.webhook_until_final(call).await, COMPLETE);
    }
    assert_eq!(switch.dialled().len(), calls.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_at_once_are_each_dialled_once() {
    let bench = Bench::start("").await;
    let script: Vec<_> = (0..300)
        .map(|n| match n % 10 {
            3 => Reaction::Refuse(RefusalReason::Busy),
            7 => Reaction::CompleteUntidily,
            _ => Reaction::Complete,
        })
        .collect();
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 1000, &script).await;
    let begun = Instant::now();
    let asking = (0..200).map(|_| bench.make_call("reminders", json!({})));
    let calls = futures::future::join_all(asking).await;
    for call in &calls {
        bench.wait_for_state(call, CallState::Completed).await;
    }
    println!("200 calls asked for and completed in {:?}", begun.elapsed());
    for call in &calls {
        let told = bench.webhook_final(call).await;
        assert_eq!(told, COMPLETE);
        let dialled = switch.dialled();
        let accepted = dialled
            .iter()
            .filter(|dialled| dialled.command.call_uuid.to_string() == *call)
            .filter(|dialled| !matches!(dialled.reaction, Reaction::Refuse(_)));
        assert_eq!(accepted.count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunks_rate_is_kept() {
    let bench = Bench::start("").await;
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 100, &[]).await;
    for _ in 0..15 {
        bench.make_call("news", json!({})).await;
    }
    let dialled = switch.wait_for_dials(15).await;
    // By the gateway's clock there are never more than 5 in a second. The commit on the way to the
    // switch takes one call longer than another, which over two seconds matters little.
    for window in dialled.windows(11) {
        let took = window[10].at - window[0].at;
        assert!(took >= Duration::from_millis(1_700), "{took:?} for 10");
    }
    let took = dialled[14].at - dialled[0].at;
    assert!(
        took < Duration::from_secs(6),
        "{took:?} for 14 at 5 a second"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunks_capacity_is_kept() {
    let bench = Bench::start("").await;
    let script = vec![Reaction::Hold; 20];
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 100, &script).await;
    let mut calls = Vec::new();
    for _ in 0..6 {
        calls.push(bench.make_call("news", json!({})).await);
    }
    switch.wait_for_dials(4).await;
    sleep(Duration::from_millis(700)).await;
    assert_eq!(switch.dialled().len(), 4);
    switch.complete(&switch.dialled()[0].command).await;
    switch.wait_for_dials(5).await;
    sleep(Duration::from_millis(500)).await;
    assert_eq!(switch.dialled().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_hangs_delays_no_other() {
    let bench = Bench::start(PATIENT).await;
    let bus = bench.bus().await;
    let script = vec![Reaction::HoldSilently; 100];
    let hanging = FakeSwitch::start(&bus, "sw1", 1000, &script).await;
    let quick = FakeSwitch::start(&bus, "sw2", 1000, &[]).await;
    sleep(Duration::from_millis(300)).await;
    let mut calls = Vec::new();
    for _ in 0..20 {
        calls.push(bench.make_call("reminders", json!({})).await);
    }
    let asked = Instant::now();
    let deadline = asked + PATIENCE;
    while hanging.dialled().len() + quick.dialled().len() < calls.len() {
        assert!(Instant::now() < deadline);
        sleep(Duration::from_millis(5)).await;
    }
    // A dial command is waited for 15 s.
    assert!(asked.elapsed() < Duration::from_secs(10));
    assert!(!hanging.dialled().is_empty() && !quick.dialled().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_nobody_takes_expires() {
    let bench = Bench::start("").await;
    let soon = std::time::SystemTime::now() + Duration::from_secs(2);
    let expires_at = time::OffsetDateTime::from(soon)
        .format(&time::format_description::well_known::Rfc3339)
        .unwrap();
    let call = bench
        .make_call("reminders", json!({ "expires_at": expires_at }))
        .await;
    bench.wait_for_state(&call, CallState::Expired).await;
    assert_eq!(
        bench.webhook_until_final(&call).await,
        ["queued", "expired"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_a_call() {
    let bench = Bench::start("").await;
    let queued = bench.make_call("reminders", json!({})).await;
    bench.drop_call(&queued).await;
    assert_eq!(
        bench.webhook_until_final(&queued).await,
        ["queued", "canceled"]
    );

    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &[Reaction::Hold]).await;
    let live = bench.make_call("reminders", json!({})).await;
    bench.wait_for_state(&live, CallState::Dialing).await;
    bench.drop_call(&live).await;
    let dropped: Vec<_> = switch.dropped().iter().map(ToString::to_string).collect();
    assert_eq!(dropped, std::slice::from_ref(&live));
    switch.complete(&switch.dialled()[0].command).await;
    bench.wait_for_state(&live, CallState::Completed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_missed_the_wish_to_drop_a_call_is_told_again() {
    let bench = Bench::start("").await;
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &[Reaction::Hold]).await;
    let call = bench.make_call("reminders", json!({})).await;
    bench.wait_for_state(&call, CallState::Dialing).await;
    switch.deaf_to_requests(true);
    let drop = json!({ "call_uuid": call });
    let told = bench.gateway().post(&bench.token, "/api/dropcall", &drop);
    let told = told.await;
    assert_eq!(told.status, 503, "{told:?}");
    assert_eq!(told.body["error"]["name"], "unreachable");
    switch.deaf_to_requests(false);
    let deadline = Instant::now() + PATIENCE;
    while switch.dropped().is_empty() {
        assert!(Instant::now() < deadline, "{}", bench.log_text());
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_most_urgent_call_is_dialled_first() {
    let bench = Bench::start("").await;
    let mut calls = Vec::new();
    for priority in [1, 9, 5] {
        let call = bench
            .make_call("news", json!({ "priority": priority }))
            .await;
        calls.push(call);
    }
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &[]).await;
    let dialled = switch.wait_for_dials(3).await;
    let order: Vec<_> = dialled
        .iter()
        .map(|dialled| dialled.command.call_uuid.to_string())
        .collect();
    assert_eq!(order, [&calls[1], &calls[2], &calls[0]].map(String::clone));
}
