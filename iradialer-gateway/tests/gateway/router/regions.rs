//! Two regions on one TDB and bus, each with a router of its own.

use super::bench::Bench;
use super::fake_switch::FakeSwitch;
use crate::gateway::Gateway;
use iradialer_core::call::CallState;
use serde_json::json;

const REGIONS: &str = r#"
[[nodes]]
node_id = "eu1"
region = "eu"

[[nodes]]
node_id = "us1"
region = "us"

[[trunks]]
name = "of_eu"
max_cps = 100.0
max_calls = 100

[[trunks]]
name = "of_us"
max_cps = 100.0
max_calls = 100

[[campaigns]]
name = "eu"
tenant_id = "acme"
region = "eu"
trunks = ["of_eu"]

[[campaigns]]
name = "us"
tenant_id = "acme"
region = "us"
trunks = ["of_us"]
"#;

async fn router(bench: &Bench, region: &str) -> Gateway {
    let arguments = ["--roles", "web,router", "--region", region];
    bench.second_gateway_of(REGIONS, &arguments).await
}

async fn call_and_wait(bench: &Bench, campaign: &str) -> String {
    let call = bench.make_call(campaign, json!({})).await;
    bench.wait_for_state(&call, CallState::Completed).await;
    call
}

/// What the switch was given: each of this campaign and attempt 1; the calls and the epochs.
fn given(switch: &FakeSwitch, campaign: &str) -> (Vec<String>, Vec<u64>) {
    let dialled = switch.dialled();
    for dialled in &dialled {
        assert_eq!(dialled.command.campaign_name.as_str(), campaign);
        assert_eq!(dialled.command.trunk.as_str(), format!("of_{campaign}"));
        assert_eq!(dialled.command.attempt, 1);
    }
    let calls = dialled.iter().map(|d| d.command.call_uuid.to_string());
    (
        calls.collect(),
        dialled.iter().map(|d| d.command.epoch).collect(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn each_region_is_led_by_itself() {
    let roles = ["--dev", "--roles", "web,collector,dispatcher"];
    let bench = Bench::start_with(REGIONS, &roles).await;
    let bus = bench.bus().await;
    let eu1 = FakeSwitch::start(&bus, "eu1", 1000, &[]).await;
    let us1 = FakeSwitch::start(&bus, "us1", 1000, &[]).await;
    let eu = router(&bench, "eu").await;
    let us = router(&bench, "us").await;

    let (mut of_eu, mut of_us) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        of_eu.push(call_and_wait(&bench, "eu").await);
        of_us.push(call_and_wait(&bench, "us").await);
    }
    assert_eq!(given(&eu1, "eu").0, of_eu);
    assert_eq!(given(&us1, "us").0, of_us);
    for (router, region) in [(&eu, "eu"), (&us, "us")] {
        let log = router.site().log_text();
        assert!(log.contains("this router gives out the calls"), "{log}");
        assert!(log.contains(region), "{log}");
    }

    // The other region goes on while this one has no router.
    drop(eu.kill().await);
    let waiting = bench.make_call("eu", json!({})).await;
    for _ in 0..5 {
        of_us.push(call_and_wait(&bench, "us").await);
    }
    assert_eq!(bench.state(&waiting).await, "queued");
    let path = format!("/api/calls/{waiting}/explain");
    let explained = bench.gateway().get(&bench.token, &path).await.body;
    assert_eq!(explained["waiting"]["region"], "eu");
    let considered = &explained["waiting"]["switches"]["considered"];
    assert_eq!(considered.as_array().unwrap().len(), 1, "{explained}");
    assert_eq!(considered[0]["node"], "eu1");
    let trunk = bench.gateway().get(&bench.token, "/api/trunks/of_us").await;
    assert_eq!(trunk.body["region"], "us");

    let second = router(&bench, "eu").await;
    bench.wait_for_state(&waiting, CallState::Completed).await;
    of_eu.push(waiting);
    of_us.push(call_and_wait(&bench, "us").await);
    let (calls, epochs) = given(&eu1, "eu");
    assert_eq!(calls, of_eu);
    assert!(epochs[4] < epochs[5], "{epochs:?}");
    let (calls, epochs) = given(&us1, "us");
    assert_eq!(calls, of_us);
    assert_eq!(epochs[0], epochs[10], "nobody has taken it over");
    assert!(!us.site().log_text().contains("eu1 refused"));
    drop(second);
}
