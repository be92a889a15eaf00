//! The published requests to the routers, asked by a program with a user of its own on the bus.

use super::bench::Bench;
use super::fake_switch::{FakeSwitch, Reaction};
use crate::gateway::PATIENCE;
use async_nats::header::{HeaderMap, NATS_MESSAGE_ID};
use async_nats::{Client, ConnectOptions, Subscriber};
use futures::StreamExt;
use iradialer_core::call::CallState;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

const SUBJECT: &str = "ira.router.request";
const PASSWORD: &str = "[router]\ninstance_password = \"open sesame\"\n";

/// A program that may ask the routers, and nothing else.
struct Program(Client);

impl Program {
    async fn of(bench: &Bench) -> Program {
        let nats = bench.gateway().site().nats();
        let text = |name: &str| nats[name].as_str().unwrap().to_owned();
        let client = ConnectOptions::new()
            .user_and_password(text("client_user"), text("client_password"))
            .custom_inbox_prefix("ira.client.inbox")
            .connect(text("url"))
            .await
            .unwrap();
        Program(client)
    }

    async fn ask(&self, event_name: &str, data: Value) -> Value {
        let message = json!({"event_name": event_name, "event_data": data});
        self.ask_with(message, HeaderMap::new()).await
    }

    async fn ask_with(&self, message: Value, headers: HeaderMap) -> Value {
        let payload = message.to_string().into();
        let request = async_nats::Request::new().payload(payload).headers(headers);
        let answer = self.0.send_request(SUBJECT, request).await.unwrap();
        serde_json::from_slice(&answer.payload).unwrap()
    }

    /// The same of what is done.
    async fn has_done(&self, event_name: &str, data: Value) -> Value {
        let answer = self.ask(event_name, data).await;
        assert_eq!(
            (&answer["status"], &answer["status_code"]),
            (&json!("OK"), &json!(0)),
            "{answer}"
        );
        answer
    }

    /// The same of what is refused: the name and the field.
    async fn is_refused(&self, event_name: &str, data: Value) -> (String, String) {
        let answer = self.ask(event_name, data).await;
        assert_eq!(answer["status"], "ERR", "{answer}");
        let of = |field: &str| {
            answer["error"][field]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        (of("name"), of("field"))
    }

    async fn hears(&self, subject: &str) -> Subscriber {
        let heard = self.0.subscribe(subject.to_owned()).await.unwrap();
        self.0.flush().await.unwrap();
        heard
    }
}

fn call(campaign: &str) -> Value {
    json!({"campaign": campaign, "tenant_id": "acme", "to_number": "+15005550001",
        "event_subject": "ira.client.app", "call_params": {"order": 7}})
}

/// The names of the call's events, up to the final one.
async fn events(heard: &mut Subscriber, call: &str) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        let message = timeout(PATIENCE, heard.next()).await.unwrap().unwrap();
        let event: Value = serde_json::from_slice(&message.payload).unwrap();
        if event["event_data"]["call_uuid"] != call {
            continue;
        }
        assert_eq!(event["event_data"]["call_params"], json!({"order": 7}));
        assert_eq!(event["event_data"]["seq"], names.len() + 1, "{event}");
        let name = event["event_name"].as_str().unwrap();
        names.push(name.trim_start_matches("iradialer::").to_owned());
        if event["event_data"]["final"] == true {
            return names;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_accepted_and_its_events_go_to_its_subject() {
    let bench = Bench::start("").await;
    let program = Program::of(&bench).await;
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &[]).await;
    // It may ask the routers only.
    let ask = json!({"event_name": "request_activation", "event_data": {"activate": false}});
    let subject = "ira.dialer.sw1.request";
    program
        .0
        .publish(subject, ask.to_string().into())
        .await
        .unwrap();
    program.0.flush().await.unwrap();
    let mut heard = program.hears("ira.client.app").await;
    let answer = program
        .has_done("request_make_call", call("reminders"))
        .await;
    let uuid = answer["call_uuid"].as_str().unwrap().to_owned();
    let names = events(&mut heard, &uuid).await;
    assert_eq!(
        names,
        ["queued", "started", "ringing", "answered", "hangup"]
    );
    let shown = bench.wait_for_state(&uuid, CallState::Completed).await;
    assert_eq!(shown["tenant_id"], "acme");
    assert!(switch.asked().is_empty());
    // Where they went is told as of any webhook.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let told = bench.get(&format!("/api/calls/{uuid}/deliveries")).await;
        let deliveries = told["deliveries"].as_array().unwrap().clone();
        let done = |it: &Value| it["state"] == "delivered" && it["url"] == "nats:ira.client.app";
        if deliveries.len() == 5 && deliveries.iter().all(done) {
            break;
        }
        assert!(Instant::now() < deadline, "{told}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_done_is_refused_by_its_name() {
    let bench = Bench::start("").await;
    let program = Program::of(&bench).await;
    let with = |field: &str, value: Value| {
        let mut data = call("reminders");
        data[field] = value;
        data
    };
    let uuid = "0f8fad5b-d9cb-469f-a165-70867728950e";
    for (data, name, field) in [
        (
            with("campaign", json!("nowhere")),
            "unknown_campaign",
            "campaign",
        ),
        (
            with("tenant_id", json!("other")),
            "unknown_campaign",
            "campaign",
        ),
        (
            with("to_number", json!("+1500{555")),
            "invalid_field",
            "to_number",
        ),
        (
            with("to_number", json!("+4470000000")),
            "destination_refused",
            "to_number",
        ),
        (
            with("from_number", json!("+15005559999")),
            "caller_number_refused",
            "from_number",
        ),
        (
            with("event_subject", json!("ira.dialer.sw1.request")),
            "invalid_field",
            "event_subject",
        ),
        (
            with("cpa_config", json!("default")),
            "invalid_field",
            "cpa_config",
        ),
        (
            with("conf_uuid", json!(format!("CONF-{uuid}"))),
            "not_supported",
            "conf_uuid",
        ),
        (
            with("add_to_conf", json!(uuid)),
            "not_supported",
            "add_to_conf",
        ),
        (with("join_conf", json!(true)), "not_supported", "join_conf"),
        (
            with("dial_timeout", json!(601)),
            "invalid_field",
            "dial_timeout",
        ),
        (
            with("channel_vars", json!({"api_hangup_hook": "x"})),
            "invalid_field",
            "channel_vars.api_hangup_hook",
        ),
    ] {
        let (refused, at) = program.is_refused("request_make_call", data).await;
        assert_eq!(
            (refused.as_str(), at.as_str()),
            (name, format!("event_data.{field}").as_str())
        );
    }
    assert_eq!(
        program.is_refused("request_moon", json!({})).await.0,
        "unknown_request"
    );
    assert!(
        bench.gateway().calls(&bench.token).await.is_empty(),
        "nothing is left of them"
    );

    // The same message again is the same call.
    let mut headers = HeaderMap::new();
    headers.insert(NATS_MESSAGE_ID, "message-7");
    let message = json!({"event_name": "request_make_call", "event_data": call("reminders")});
    let first = program.ask_with(message.clone(), headers.clone()).await;
    let again = program.ask_with(message, headers).await;
    assert_eq!(first["status"], "OK", "{first}");
    assert_eq!(first["call_uuid"], again["call_uuid"]);
    assert_eq!(bench.gateway().calls(&bench.token).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_and_its_trunk_come_and_go_while_calls_are_made() {
    let bench = Bench::start("[[nodes]]\nnode_id = \"sw1\"\naddress = \"192.0.2.1\"\n").await;
    let program = Program::of(&bench).await;
    let script = [Reaction::Hold];
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &script).await;
    let gateway = |changes: Value| {
        let mut data = json!({"name": "twilio", "enable": true, "capacity": 5, "cps": 50,
            "params": {"proxy": "sip.example.net", "password": "s3cret"}, "dialer_ip_list": ["192.0.2.1"],
            "did_prefix": "1500", "did_range": ["5550100-5550199"]});
        data.as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        data
    };
    for (changes, name, field) in [
        (
            json!({"dialer_ip_list": ["192.0.2.9"]}),
            "invalid_field",
            "dialer_ip_list[0]",
        ),
        (json!({"hop_count": 3}), "not_supported", "hop_count"),
        (
            json!({"disable_after": 3}),
            "not_supported",
            "disable_after",
        ),
        (
            json!({"params": {"exec": 1}}),
            "invalid_field",
            "params.exec",
        ),
        (
            json!({"did_range": ["100-200", "300-200"]}),
            "invalid_field",
            "did_range[1]",
        ),
    ] {
        let (refused, at) = program
            .is_refused("request_add_sip_gateway", gateway(changes))
            .await;
        assert_eq!(
            (refused.as_str(), at.as_str()),
            (name, format!("event_data.{field}").as_str())
        );
    }
    let added = program
        .has_done("request_add_sip_gateway", gateway(json!({})))
        .await;
    assert!(
        added["gateway_definition"]
            .as_str()
            .unwrap()
            .contains("<gateway name=\"twilio\">")
    );
    let again = program
        .is_refused("request_add_sip_gateway", gateway(json!({})))
        .await;
    assert_eq!(again.0, "trunk_exists");
    let listed = program
        .has_done(
            "request_sip_gateway_list",
            json!({"dialer_ip": "192.0.2.1"}),
        )
        .await;
    let names: Vec<_> = listed["gateways"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["name"])
        .collect();
    assert_eq!(names, ["chime", "slow", "twilio"]);
    assert!(!listed.to_string().contains("s3cret"), "{listed}");

    let campaign = json!({"name": "surveys", "max_limit": 3, "gateways": [{"name": "twilio"}]});
    program
        .has_done("request_add_campaign_name", campaign.clone())
        .await;
    assert_eq!(
        program
            .is_refused("request_add_campaign_name", campaign)
            .await
            .0,
        "campaign_exists"
    );
    // A number of the trunk's range.
    let mut data = call("surveys");
    data["from_number"] = json!("+15005550150");
    let held = program.has_done("request_make_call", data).await;
    let dialled = switch.wait_for_dials(1).await;
    assert_eq!(dialled[0].command.trunk.as_str(), "twilio");

    let off = json!({"name": "surveys", "active": false});
    program.has_done("request_manage_campaign_name", off).await;
    let waits = program.has_done("request_make_call", call("surveys")).await;
    let waits = waits["call_uuid"].as_str().unwrap().to_owned();
    sleep(Duration::from_millis(1_500)).await;
    assert_eq!(bench.state(&waits).await, "queued");
    assert_eq!(
        bench.state(held["call_uuid"].as_str().unwrap()).await,
        "dialing",
        "it goes on"
    );
    assert_eq!(
        program
            .is_refused("request_delete_campaign_name", json!({"name": "surveys"}))
            .await
            .0,
        "has_calls"
    );
    let refused = program.is_refused(
        "request_manage_sip_gateway",
        json!({"name": "twilio", "action": "delete"}),
    );
    assert_eq!(refused.await.0, "trunk_in_use");

    // Active, but its trunk is disabled: it waits on.
    program
        .has_done(
            "request_manage_sip_gateway",
            json!({"name": "twilio", "action": "disable"}),
        )
        .await;
    program
        .has_done(
            "request_manage_campaign_name",
            json!({"name": "surveys", "active": true}),
        )
        .await;
    sleep(Duration::from_millis(1_200)).await;
    assert_eq!(bench.state(&waits).await, "queued");
    for action in ["enable", "clear"] {
        program
            .has_done(
                "request_manage_sip_gateway",
                json!({"name": "twilio", "action": action}),
            )
            .await;
    }
    let resize = json!({"name": "twilio", "action": "resize", "new_size": 7});
    program.has_done("request_manage_sip_gateway", resize).await;
    bench.wait_for_state(&waits, CallState::Completed).await;

    switch.complete(&dialled[0].command).await;
    bench
        .wait_for_state(held["call_uuid"].as_str().unwrap(), CallState::Completed)
        .await;
    program
        .has_done("request_delete_campaign_name", json!({"name": "surveys"}))
        .await;
    program
        .has_done(
            "request_manage_sip_gateway",
            json!({"name": "twilio", "action": "delete"}),
        )
        .await;
    assert_eq!(
        program
            .is_refused("request_make_call", call("surveys"))
            .await
            .0,
        "unknown_campaign"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_told_held_and_emptied() {
    let bench = Bench::start("").await;
    let program = Program::of(&bench).await;
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &[]).await;
    let set = json!({"enable_firing_calls": false, "max_total_queue_size": 2, "short_delay": 7,
        "cps_percent": 0.5, "dial_timeout": 45});
    let answer = program.has_done("set_queue_params", set).await;
    assert_eq!(answer["queue_params"]["cps_percent"], 0.5);
    let params = program.has_done("get_queue_params", json!({})).await["queue_params"].clone();
    assert_eq!(
        (&params["short_delay"], &params["max_total_queue_size"]),
        (&json!(7), &json!(2))
    );
    let refused = program
        .is_refused("set_queue_params", json!({"cps_percent": 2}))
        .await;
    assert_eq!(refused.1, "event_data.cps_percent");

    for campaign in ["reminders", "news"] {
        program.has_done("request_make_call", call(campaign)).await;
        sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(
        program
            .is_refused("request_make_call", call("news"))
            .await
            .0,
        "queue_full"
    );
    let size = program
        .ask_with(json!({"event_name": "get_queue_size"}), HeaderMap::new())
        .await;
    assert_eq!(size["queue_size"], 2, "{size}");
    let size = program.has_done("get_gateway_queue_size", json!({})).await;
    let gateways = json!([{"name": "chime", "queue_size": 1}, {"name": "slow", "queue_size": 1}]);
    assert_eq!(size["gateways"], gateways, "{size}");
    let size = program
        .has_done("get_gateway_queue_size", json!({"campaign": "news"}))
        .await;
    assert_eq!(
        size["gateways"],
        json!([{"name": "slow", "queue_size": 1}]),
        "{size}"
    );
    sleep(Duration::from_millis(1_500)).await;
    assert!(switch.dialled().is_empty(), "nothing is fired");

    let removed = program
        .has_done("remove_calls_from_queue", json!({"campaign": "news"}))
        .await;
    assert_eq!(
        (&removed["removed"], &removed["more"]),
        (&json!(1), &json!(false))
    );
    program
        .has_done("set_queue_params", json!({"enable_firing_calls": true}))
        .await;
    let dialled = switch.wait_for_dials(1).await;
    assert_eq!(dialled[0].command.dial_timeout_s, 45);
    assert_eq!(
        program.has_done("remove_calls_from_queue", json!({})).await["removed"],
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_are_drained_and_resumed_with_the_password_alone() {
    let bench = Bench::start(PASSWORD).await;
    let program = Program::of(&bench).await;
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &[]).await;
    let warm_up = bench.make_call("reminders", json!({})).await;
    bench.wait_for_state(&warm_up, CallState::Completed).await;
    let of = |password: &str, key: &str, data: &str| json!({"password": password, "key": key, "key_data": data});
    let wrong = program
        .is_refused("request_deactivate_instance", of("guess", "any", ""))
        .await;
    assert_eq!(
        wrong,
        ("forbidden".to_owned(), "event_data.password".to_owned())
    );
    let none = program
        .is_refused(
            "request_deactivate_instance",
            of("open sesame", "pod_id", "sw9"),
        )
        .await;
    assert_eq!(none.0, "unknown_node");
    let done = program
        .has_done(
            "request_deactivate_instance",
            of("open sesame", "pod_id", "sw1"),
        )
        .await;
    assert_eq!(done["instances"], json!([{"node_id": "sw1", "told": true}]));

    // It says that it is active still: it is told again, and gets no calls meanwhile.
    let waits = bench.make_call("reminders", json!({})).await;
    let told = || {
        switch
            .asked()
            .iter()
            .filter(|it| it["event_data"]["activate"] == false)
            .count()
    };
    let deadline = Instant::now() + PATIENCE;
    while told() < 2 {
        assert!(Instant::now() < deadline, "{:?}", switch.asked());
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(bench.state(&waits).await, "queued");
    let data = program
        .has_done("request_get_instance_data", of("open sesame", "any", ""))
        .await;
    let node = &data["instances"][0];
    assert_eq!(
        (&node["node_id"], &node["wish"]),
        (&json!("sw1"), &json!("maintenance")),
        "{data}"
    );

    program
        .has_done("request_activate_instance", of("open sesame", "any", ""))
        .await;
    bench.wait_for_state(&waits, CallState::Completed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_password_nobody_has_a_say_over_instances() {
    let bench = Bench::start("").await;
    let program = Program::of(&bench).await;
    let data = json!({"password": "", "key": "any"});
    let refused = program
        .is_refused("request_deactivate_instance", data)
        .await;
    assert_eq!(refused.0, "not_supported");
}
