//! Flows on their way from the API to a switch, and people who want no more calls.

use super::bench::Bench;
use super::fake_switch::{FakeSwitch, Reaction};
use crate::flows::{delete, flow, goes_to, hangs_up, put};
use crate::gateway::PATIENCE;
use iradialer_core::call::CallState;
use iradialer_core::flow::DncScope;
use iradialer_core::value::{DialNumber, FlowHash, FlowName, TenantId};
use iradialer_core::wire::{CallFlow, DialCommand, FlowOf, FlowRef, FlowReply};
use serde_json::{Value, json};
use std::time::Instant;
use tokio::time::sleep;

fn named(command: &DialCommand) -> &FlowRef {
    match &command.flow {
        Some(CallFlow::Named(named)) => named,
        other => panic!("{other:?}"),
    }
}

/// What the routers give for a hash of the tenant's.
async fn document(switch: &FakeSwitch, tenant: &str, hash: &FlowHash) -> FlowReply {
    let tenant_id = TenantId::parse("tenant_id", tenant).unwrap();
    let hash = hash.clone();
    switch.ask_flow(FlowOf::Hash { tenant_id, hash }).await
}

fn text(flow: &Value) -> FlowReply {
    FlowReply::Document(FlowHash::canonical(flow))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_keeps_the_versions_of_its_acceptance() {
    let bench = Bench::start("").await;
    let (gateway, token) = (bench.gateway(), &bench.token);
    let one = flow("hello", "one.wav", goes_to("bye"));
    let bye = flow("bye", "bye.wav", hangs_up());
    put(gateway, token, "bye", &bye).await;
    put(gateway, token, "hello", &one).await;
    // There is no switch yet.
    let first = bench.make_call("reminders", json!({"ivr": "hello"})).await;
    let two = flow("hello", "two.wav", hangs_up());
    assert_eq!(put(gateway, token, "hello", &two).await.body["version"], 2);
    let second = bench.make_call("reminders", json!({"ivr": "hello"})).await;
    delete(gateway, token, "bye").await;
    delete(gateway, token, "hello").await;

    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &[]).await;
    bench.wait_for_state(&first, CallState::Completed).await;
    bench.wait_for_state(&second, CallState::Completed).await;
    let dialled = switch.dialled();
    let of = |call: &str| {
        let mut commands = dialled.iter().map(|dialled| &dialled.command);
        named(
            commands
                .find(|command| command.call_uuid.to_string() == call)
                .unwrap(),
        )
    };
    let (of_first, of_second) = (of(&first), of(&second));
    assert_eq!((of_first.version, of_second.version), (Some(1), Some(2)));
    assert_eq!(document(&switch, "acme", &of_first.hash).await, text(&one));
    assert_eq!(document(&switch, "acme", &of_second.hash).await, text(&two));
    let others: Vec<_> = of_first.others.iter().collect();
    assert_eq!((others.len(), others[0].0.as_str()), (1, "bye"));
    assert_eq!(document(&switch, "acme", others[0].1).await, text(&bye));
    assert!(of_second.others.is_empty());
    let foreign = document(&switch, "other", &of_first.hash).await;
    assert!(matches!(foreign, FlowReply::Unknown(_)), "{foreign:?}");
    let shown = gateway.get(token, &format!("/api/calls/{first}")).await;
    assert_eq!(
        (&shown.body["flow"], &shown.body["flow_version"]),
        (&json!("hello"), &json!(1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_of_the_request_goes_by_its_hash_and_with_its_facts() {
    let bench = Bench::start("").await;
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &[]).await;
    let own = flow("own", "a.wav", hangs_up());
    let asked = json!({
        "ivr": own, "timezone": "Europe/Paris", "vars": {"first_name": "Ann", "due": 12.5},
        "metadata": {"tier": "gold", "vip": true, "n": 7, "list": [1], "odd name": "x"},
    });
    let call = bench.make_call("reminders", asked).await;
    bench.wait_for_state(&call, CallState::Completed).await;
    let command = switch.dialled()[0].command.clone();
    assert_eq!(named(&command).version, None);
    let given = document(&switch, "acme", &named(&command).hash).await;
    assert_eq!(given, text(&own));
    let given = serde_json::to_value(&command.given).unwrap();
    let expected = json!({
        "timezone": "Europe/Paris", "vars": {"first_name": "Ann", "due": "12.5"},
        "metadata": {"tier": "gold", "vip": "true", "n": "7"},
    });
    assert_eq!(given, expected, "what a template can name");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_numbers_are_looked_up_for_calls_that_come_in() {
    let did = "[[dids]]\nnumber = \"+15005550100\"\ntenant_id = \"acme\"
        campaign = \"reminders\"\nflow = \"welcome\"\n";
    let bench = Bench::start(did).await;
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &[]).await;
    let number = DialNumber::parse("number", "15005550100").unwrap();
    let did = FlowOf::Did { number };
    let none = switch.ask_flow(did.clone()).await;
    assert_eq!(
        none,
        FlowReply::Unknown("there is no flow \"welcome\"".to_owned())
    );

    let welcome = flow("welcome", "a.wav", hangs_up());
    put(bench.gateway(), &bench.token, "welcome", &welcome).await;
    let name = FlowName::parse("name", "welcome").unwrap();
    for (of, of_campaign) in [
        (did, Some("reminders")),
        (
            FlowOf::Name {
                tenant_id: None,
                name,
            },
            None,
        ),
    ] {
        match switch.ask_flow(of).await {
            FlowReply::Found {
                tenant_id,
                campaign_name,
                flow,
            } => {
                assert_eq!(tenant_id.as_str(), "acme");
                assert_eq!(
                    campaign_name.as_ref().map(|name| name.as_str()),
                    of_campaign
                );
                assert_eq!(document(&switch, "acme", &flow.hash).await, text(&welcome));
            }
            other => panic!("{other:?}"),
        }
    }
    let number = DialNumber::parse("number", "+15005550199").unwrap();
    let nobodys = switch.ask_flow(FlowOf::Did { number }).await;
    assert!(matches!(nobodys, FlowReply::Unknown(_)), "{nobodys:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_opts_out_is_not_called_again() {
    let bench = Bench::start("").await;
    let script = [Reaction::Hold];
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &script).await;
    let call = bench.make_call("reminders", json!({})).await;
    let later = jiff::Timestamp::now() + PATIENCE / 8;
    let waits = json!({"not_before": later.to_string()});
    let waiting = bench.make_call("reminders", waits).await;
    let command = switch.wait_for_dials(1).await.remove(0).command;
    switch.opt_out(&command, DncScope::Tenant).await;

    let body = json!({"campaign_name": "reminders", "to_number": "+15005550001"});
    let deadline = Instant::now() + PATIENCE;
    let refused = loop {
        let answer = bench
            .gateway()
            .post(&bench.token, "/api/makecall", &body)
            .await;
        if answer.status != 200 {
            break answer;
        }
        assert!(Instant::now() < deadline);
        sleep(std::time::Duration::from_millis(20)).await;
    };
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(refused.body["error"]["name"], "do_not_call");
    assert_eq!(refused.body["error"]["field"], "to_number");

    bench.wait_for_state(&waiting, CallState::Rejected).await;
    assert_eq!(
        bench.webhook_until_final(&waiting).await,
        ["queued", "rejected"]
    );
    let path = format!("/api/calls/{waiting}/explain");
    let explained = bench.gateway().get(&bench.token, &path).await.body;
    let steps = explained["path"].as_array().unwrap();
    let why = steps
        .iter()
        .find(|step| step["what"] == "do_not_call")
        .unwrap();
    assert_eq!(
        (&why["scope"], &why["listed_in_call"]),
        (&json!("tenant"), &json!(call))
    );
    let dialled = switch.dialled();
    assert!(
        dialled
            .iter()
            .all(|dialled| dialled.command.call_uuid.to_string() != waiting)
    );
}
