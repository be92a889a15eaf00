//! Which numbers may be called: when a call is accepted, when its turn comes, and whom calls are transferred to.

use super::bench::Bench;
use super::fake_switch::{FakeSwitch, Reaction};
use iradialer_core::call::CallState;
use iradialer_core::wire::TransferReply;
use serde_json::json;

const RULES: &str = r#"
[destinations]
default_region = "FR"
allow = ["+", "36"]
deny = ["+4470", "+1415"]

[[tenants]]
tenant_id = "acme"
allow = ["+1415555"]
deny = ["+44"]
allow_any_kind = ["+1900555"]
from_numbers = ["+15005550100"]
"#;

/// A rule, and numbers that it refuses.
const REFUSED: [(&str, &str); 6] = [
    ("destinations.deny: +1415", "+14156660100"),
    ("tenants.acme.deny: +44", "+442012345678"),
    ("destinations.refused_kinds: premium_rate", "+19006661234"),
    ("destinations.refused_kinds: premium_rate", "0899123456"),
    ("destinations.refused_kinds: satellite", "00881612345678"),
    ("destinations.allow: no prefix of it", "112"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_may_not_be_called_is_refused_by_its_rule() {
    let bench = Bench::start(RULES).await;
    let (gateway, token) = (bench.gateway(), &bench.token);
    for (rule, number) in REFUSED {
        let body = json!({"campaign_name": "reminders", "to_number": number});
        let refused = gateway.post(token, "/api/makecall", &body).await;
        assert_eq!(refused.status, 403, "{number}: {refused:?}");
        let error = &refused.body["error"];
        assert_eq!(error["name"], "destination_refused", "{refused:?}");
        assert_eq!(error["field"], "to_number");
        assert_eq!(
            (&error["rule"], &error["retryable"]),
            (&json!(rule), &json!(false))
        );
        let said = refused.body["status"].as_str().unwrap();
        assert!(said.contains(rule), "{said}");
    }
    assert!(gateway.calls(token).await.is_empty());
    for (number, dialled) in [
        ("+14155550100", "+14155550100"),
        ("+19005551234", "+19005551234"),
        ("0612345678", "+33612345678"),
        ("3624", "3624"),
    ] {
        let call = bench
            .make_call("reminders", json!({"to_number": number}))
            .await;
        let shown = gateway.get(token, &format!("/api/calls/{call}")).await;
        assert_eq!(shown.body["to_number"], dialled);
    }
    // The do-not-call list knows a number however it is written.
    let body = json!({"numbers": ["06 12 34 56 78".replace(' ', "")]});
    assert_eq!(gateway.post(token, "/api/dnc", &body).await.status, 200);
    for number in ["0612345678", "0033612345678", "+33612345678"] {
        let body = json!({"campaign_name": "reminders", "to_number": number});
        let refused = gateway.post(token, "/api/makecall", &body).await;
        assert_eq!(refused.body["error"]["name"], "do_not_call", "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_when_the_rules_change_ends_and_says_by_which() {
    let roles = ["--dev", "--roles", "web,collector,dispatcher"];
    let bench = Bench::start_with("", &roles).await;
    let refused = bench.make_call("reminders", json!({})).await;
    let allowed = json!({"to_number": "+14155550100"});
    let allowed = bench.make_call("reminders", allowed).await;

    let rules = "[destinations]\ndeny = [\"+1500555\"]\n";
    let second = bench.second_gateway_of(rules, &["--roles", "web"]).await;
    let path = format!("/api/calls/{refused}/explain");
    let explained = second.get(&bench.token, &path).await.body;
    let reasons = explained["waiting"]["reasons"].as_array().unwrap();
    let by = json!({"reason": "destination_refused", "rule": "destinations.deny: +1500555",
        "kind": "personal_number"});
    assert!(reasons.contains(&by), "{explained}");

    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &[]).await;
    let _router = bench
        .second_gateway_of(rules, &["--roles", "web,router"])
        .await;
    bench.wait_for_state(&allowed, CallState::Completed).await;
    let ended = bench.wait_for_state(&refused, CallState::Rejected).await;
    assert_eq!(ended["result"]["fault"], "the number may not be called");
    assert_eq!(
        bench.webhook_until_final(&refused).await,
        ["queued", "rejected"]
    );
    let explained = bench.gateway().get(&bench.token, &path).await.body;
    let path = explained["path"].as_array().unwrap();
    let step = path
        .iter()
        .find(|step| step["what"] == "destination_refused");
    let step = step.unwrap_or_else(|| panic!("{explained}"));
    assert_eq!(step["rule"], "destinations.deny: +1500555");
    assert_eq!(switch.dialled().len(), 1, "it was given to no switch");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_transferred_to_whom_the_tenant_may_not_call() {
    let bench = Bench::start(RULES).await;
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &[Reaction::Hold]).await;
    let call = json!({"to_number": "+15005550001"});
    let call = bench.make_call("reminders", call).await;
    bench.wait_for_state(&call, CallState::Dialing).await;
    let parent = &switch.dialled()[0].command;
    switch.answer(parent).await;
    bench.wait_for_state(&call, CallState::Answered).await;
    for (rule, number) in REFUSED {
        // As its switch asks, for a flow or for whoever asked the switch.
        for reply in [
            switch.ask_transfer(parent, number, None).await,
            switch.ask_refer(parent, number).await,
        ] {
            let TransferReply::Refused { detail } = &reply else {
                panic!("{number}: {reply:?}");
            };
            assert!(
                detail.contains("to_number") && detail.contains(rule),
                "{detail}"
            );
        }
        for deflect in [false, true] {
            let body = json!({"call_uuid": call, "destination": number, "deflect": deflect});
            let refused = bench
                .gateway()
                .post(&bench.token, "/api/transfercall", &body);
            let refused = refused.await;
            assert_eq!(refused.status, 403, "{refused:?}");
            assert_eq!(refused.body["error"]["name"], "destination_refused");
            assert_eq!(refused.body["error"]["field"], "destination");
            assert_eq!(refused.body["error"]["rule"], rule);
        }
    }
    let listed = json!({ "numbers": ["+33612345677"] });
    let gateway = bench.gateway();
    let added = gateway.post(&bench.token, "/api/dnc", &listed).await;
    assert_eq!(added.status, 200, "{added:?}");
    for deflect in [false, true] {
        let body = json!({"call_uuid": call, "destination": "0612345677", "deflect": deflect});
        let refused = gateway.post(&bench.token, "/api/transfercall", &body).await;
        assert_eq!(refused.status, 403, "{refused:?}");
        assert_eq!(refused.body["error"]["name"], "do_not_call");
        assert_eq!(refused.body["error"]["field"], "destination");
    }
    let refused = switch.ask_refer(parent, "0612345677").await;
    assert!(
        matches!(refused, TransferReply::Refused { .. }),
        "{refused:?}"
    );
    let permitted = switch.ask_refer(parent, "0612345678").await;
    let to_number = iradialer_core::value::DialNumber::parse("to_number", "+33612345678").unwrap();
    assert_eq!(permitted, TransferReply::Permitted { to_number });
    assert!(switch.asked().is_empty(), "the switch heard nothing of it");
    assert_eq!(bench.gateway().calls(&bench.token).await.len(), 1);
    let refused = switch.ask_transfer(parent, "0612345678", Some("+15005550199"));
    let TransferReply::Refused { detail } = refused.await else {
        panic!("it was taken");
    };
    assert!(detail.contains("from_number: expected"), "{detail}");
    let own = Some("+15005550100");
    let taken = switch.ask_transfer(parent, "0612345678", own).await;
    assert!(matches!(taken, TransferReply::Taken { .. }), "{taken:?}");
    let dialled = switch.wait_for_dials(2).await;
    assert_eq!(dialled[1].command.to_number.as_str(), "+33612345678");
    assert_eq!(dialled[1].command.from_number.as_str(), "+15005550100");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_shows_a_number_of_its_campaign_or_its_tenant() {
    let bench = Bench::start(RULES).await;
    let gateway = bench.gateway();
    for (campaign, from, shown) in [
        ("reminders", "", ""),
        ("reminders", "+15005550100", "+15005550100"),
        ("reminders", "15005550100", "15005550100"),
    ] {
        let call = bench
            .make_call(campaign, json!({"from_number": from}))
            .await;
        let path = format!("/api/calls/{call}");
        let call = gateway.get(&bench.token, &path).await;
        assert_eq!(call.body["from_number"], shown);
    }
    let count = gateway.calls(&bench.token).await.len();
    for from in ["+15005550101", "+1500555010", "911"] {
        let body =
            json!({"campaign_name": "reminders", "to_number": "+15005550006", "from_number": from});
        let refused = gateway.post(&bench.token, "/api/makecall", &body).await;
        assert_eq!(refused.status, 403, "{refused:?}");
        assert_eq!(refused.body["error"]["name"], "caller_number_refused");
        assert_eq!(refused.body["error"]["field"], "from_number");
    }
    assert_eq!(gateway.calls(&bench.token).await.len(), count);
}
