//! Two gateways on one TDB: one router gives out the calls, also where it stood still meanwhile.

use super::bench::Bench;
use super::fake_switch::{FakeSwitch, Reaction};
use crate::gateway::{Gateway, PATIENCE};
use iradialer_core::call::CallState;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::time::sleep;

const LEADS: &str = "this router gives out the calls";

async fn wait_for_log(gateway: &Gateway, line: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !gateway.site().log_text().contains(line) {
        assert!(Instant::now() < deadline, "{}", gateway.site().log_text());
        sleep(Duration::from_millis(20)).await;
    }
}

/// Stops the gateway, not while it holds the lock of the database file: then nobody could write.
async fn stop_between_two_writes(gateway: &Gateway, other: &Gateway) {
    loop {
        gateway.signal("STOP").await;
        if other.get("", "/readyz").await.status == 200 {
            return;
        }
        gateway.signal("CONT").await;
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_that_was_stopped_past_its_lease_dials_nobody_twice() {
    let bench = Bench::start("").await;
    let first = bench.gateway();
    wait_for_log(first, LEADS).await;
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 1000, &[]).await;
    let second = bench.second_gateway().await;
    let body = json!({
        "campaign_name": "reminders", "to_number": "+15005550001",
        "call_params": { "event_url": bench.webhook.url },
    });
    let mut calls = vec![first.make_call(&bench.token, &body).await];
    bench.webhook_final(&calls[0]).await;
    stop_between_two_writes(first, &second).await;
    for _ in 0..20 {
        calls.push(second.make_call(&bench.token, &body).await);
    }
    wait_for_log(&second, LEADS).await;
    first.signal("CONT").await;
    for gateway in [first, &second] {
        for _ in 0..10 {
            calls.push(gateway.make_call(&bench.token, &body).await);
        }
    }
    for call in &calls {
        bench.wait_for_state(call, CallState::Completed).await;
        let told = bench.webhook_final(call).await;
        assert_eq!(told, super::COMPLETE);
        let dialled = switch.dialled();
        let dialled = dialled
            .iter()
            .map(|dialled| dialled.command.call_uuid.to_string());
        assert_eq!(dialled.filter(|dialled| dialled == call).count(), 1);
    }
    wait_for_log(first, "another router gives out the calls now").await;
}

/// To the others, one that stands still is one that was killed; but its bus lives on.
#[tokio::test(flavor = "multi_thread")]
async fn a_router_that_is_gone_is_replaced_within_five_seconds() {
    let bench = Bench::start("").await;
    let first = bench.gateway();
    wait_for_log(first, LEADS).await;
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 1000, &[]).await;
    let second = bench.second_gateway().await;
    stop_between_two_writes(first, &second).await;
    let gone = Instant::now();
    let body = json!({
        "campaign_name": "reminders", "to_number": "+15005550001",
        "call_params": { "event_url": bench.webhook.url },
    });
    second.make_call(&bench.token, &body).await;
    let dialled = switch.wait_for_dials(1).await;
    let taken_over = dialled[0].at - gone;
    println!("the first dispatch came {taken_over:?} after the router was gone");
    assert!(taken_over < Duration::from_secs(5), "{taken_over:?}");
    first.signal("CONT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_takeover_offers_no_carrier_more_than_before() {
    // The bus and the collector stay: only the router goes.
    let roles = ["--dev", "--roles", "web,collector,dispatcher"];
    let bench = Bench::start_with("", &roles).await;
    let roles = ["--roles", "web,router"];
    let first = bench.second_gateway_with(&roles).await;
    wait_for_log(&first, LEADS).await;
    let second = bench.second_gateway_with(&roles).await;
    let script = vec![Reaction::Declined(404, "Not Found"); 200];
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 1000, &script).await;
    // Only the trunk's rate holds them, 5 a second.
    for _ in 0..40 {
        bench.make_call("news", json!({})).await;
    }
    switch.wait_for_dials(8).await;
    // It gives its lease up, and the other takes it at once.
    first.signal("TERM").await;
    let dialled = switch.wait_for_dials(20).await;
    wait_for_log(&second, LEADS).await;
    let epochs: Vec<u64> = dialled.iter().map(|d| d.command.epoch).collect();
    assert!(epochs[0] < epochs[19], "{epochs:?}");
    for six in dialled.windows(6) {
        // One command may be up to 100 ms longer on its way than another.
        let took = six[5].at - six[0].at;
        assert!(took >= Duration::from_millis(900), "{took:?}");
    }
}
