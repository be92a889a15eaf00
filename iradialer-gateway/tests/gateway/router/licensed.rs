//! The limit of a licence in the whole cluster: two gateways, the routers of two regions, four switches that keep to
//! their leases and lose every third answer, and far more calls than the licence allows.

use super::bench::Bench;
use super::fake_switch::{FakeSwitch, World};
use crate::gateway::PATIENCE;
use crate::license::Issuer;
use iradialer_core::call::CallState;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::time::sleep;

const CHANNELS: u32 = 12;
const REGIONS: &str = r#"
[[nodes]]
node_id = "eu1"
region = "eu"
[[nodes]]
node_id = "eu2"
region = "eu"
[[trunks]]
name = "of_eu"
max_cps = 500.0
max_calls = 1000
[[campaigns]]
name = "eu"
tenant_id = "acme"
region = "eu"
trunks = ["of_eu"]
max_calls = 1000
"#;

#[tokio::test(flavor = "multi_thread")]
async fn never_more_than_the_licence_allows_and_all_of_it_with_two_routers() {
    let issuer = Issuer::new().await;
    let more = ["--channels", "12", "--cps", "1000", "--grace", "600"];
    let file = issuer.file("license", &issuer.issue(1, &more).await);
    let config = format!("{}file = \"{file}\"\n{REGIONS}", issuer.config());
    let bench = Bench::start(&config).await;
    let second = bench.second_gateway_of(&config, &["--region", "eu"]).await;
    let bus = bench.bus().await;
    let world = Arc::new(World::default());
    let lasts = Duration::from_millis(1_500);
    let mut switches = Vec::new();
    for node in ["sw1", "sw2", "eu1", "eu2"] {
        switches.push(FakeSwitch::start_leased(&bus, node, 100, &world, lasts).await);
    }
    let mut calls = Vec::new();
    for _ in 0..45 {
        for campaign in ["reminders", "eu"] {
            let body = json!({"campaign_name": campaign, "to_number": "+15005550001"});
            let gateway = [bench.gateway(), &second][calls.len() % 2];
            calls.push(gateway.make_call(&bench.token, &body).await);
        }
    }
    let mut full = 0;
    let deadline = Instant::now() + 3 * PATIENCE;
    loop {
        let live = world.live();
        assert!(live <= CHANNELS, "{live}");
        full += u32::from(live == CHANNELS);
        let dialled = switches.iter().map(|switch| switch.dialled());
        let taken = dialled.flatten().filter(|dialled| {
            matches!(
                dialled.reaction,
                super::fake_switch::Reaction::CompleteAfter(_)
            )
        });
        if taken.count() == calls.len() {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "stuck: {live}\n{}",
            bench.log_text()
        );
        sleep(Duration::from_millis(5)).await;
    }
    for call in &calls {
        bench.wait_for_state(call, CallState::Completed).await;
    }
    assert_eq!(world.most(), CHANNELS, "never more, and no less");
    let (lost, answers) = (
        world.lost.load(Ordering::SeqCst),
        world.answers.load(Ordering::SeqCst),
    );
    println!("{answers} answers, {lost} of them lost; full {full} times");
    assert!(lost > 10, "{lost} of {answers}");
    for campaign in ["chime", "of_eu"] {
        let of = |switch: &FakeSwitch| {
            let dialled = switch.dialled();
            dialled
                .iter()
                .any(|dialled| dialled.command.trunk.as_str() == campaign)
        };
        assert!(switches.iter().any(of), "{campaign}");
    }
    // Who holds what is told.
    let shown = issuer_view(&bench).await;
    let leases = shown["leases"].as_array().unwrap();
    assert_eq!(leases.len(), 4, "{shown}");
    let held: u64 = leases
        .iter()
        .map(|lease| lease["channels"].as_u64().unwrap())
        .sum();
    assert!(held <= u64::from(CHANNELS), "{shown}");
}

async fn issuer_view(bench: &Bench) -> serde_json::Value {
    let arguments = ["license", "show", "--json"];
    let shown = bench.gateway().site().run(&arguments).await;
    serde_json::from_slice(&shown.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_without_a_licence_is_evaluated_on_two_switches() {
    let bench = Bench::start("").await;
    let bus = bench.bus().await;
    let world = Arc::new(World::default());
    let lasts = Duration::from_millis(2_000);
    let mut switches = Vec::new();
    for node in ["sw1", "sw2", "sw3"] {
        switches.push(FakeSwitch::start_leased(&bus, node, 100, &world, lasts).await);
        // In this order.
        sleep(Duration::from_millis(600)).await;
    }
    let mut calls = Vec::new();
    for _ in 0..30 {
        calls.push(bench.make_call("reminders", json!({})).await);
    }
    for call in &calls {
        bench.wait_for_state(call, CallState::Completed).await;
    }
    assert_eq!(world.most(), 10);
    assert_eq!(switches[2].dialled().len(), 0, "the third is one too many");

    // One dies, and its operator says so.
    switches.remove(0).kill();
    let free = async |node| {
        let arguments = ["license", "free", node, "--watch-s", "2", "--json"];
        bench.gateway().site().run(&arguments).await
    };
    for (node, why) in [("sw2", "is alive"), ("sw9", "holds nothing")] {
        let refused = free(node).await;
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains(why), "{said}");
    }
    let freed = free("sw1").await;
    assert!(freed.status.success(), "{freed:?}");
    let told: serde_json::Value = serde_json::from_slice(&freed.stdout).unwrap();
    assert_eq!(told["node_id"], "sw1");
    assert!(told["channels"].as_u64().unwrap() > 0, "{told}");
    let deadline = Instant::now() + PATIENCE;
    while switches[1].dialled().is_empty() {
        assert!(Instant::now() < deadline, "{}", issuer_view(&bench).await);
        // One may be given to the switch that is gone, and waits for it.
        bench.make_call("reminders", json!({})).await;
        sleep(Duration::from_millis(200)).await;
    }
}
