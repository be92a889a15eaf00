//! Live requests over HTTP, up to what the switch is sent and what becomes of its answer.

use super::bench::Bench;
use super::fake_switch::{FakeSwitch, Reaction};
use crate::tokens::token_with;
use iradialer_core::call::CallState;
use iradialer_core::live::{Answer, Refused, Request, name};
use serde_json::{Value, json};

/// Each path with a body that is right, and the request the switch gets.
fn requests() -> Vec<(&'static str, Value, &'static str)> {
    let ask = json!({"var_name": "pin", "audio_type": "tts", "prompt_message": "Your code?", "minimum_digits": 4,
        "maximum_digits": 4, "minimum_tries": 2, "timeout": 10, "term_keys": "#", "reg_expr": "^[0-9]+$"});
    vec![
        ("stopplay", json!({}), "request_stop_play"),
        ("holdcall", json!({}), "request_hold_call"),
        ("unholdcall", json!({}), "request_unhold_call"),
        ("mutecall", json!({}), "request_mute_call"),
        ("unmutecall", json!({}), "request_unmute_call"),
        (
            "playfile",
            json!({"filename": "hello.wav", "loop_count": 2}),
            "request_play_file",
        ),
        (
            "playurl",
            json!({"url": "https://prompts.example/a.wav", "stop_on_key": true}),
            "request_play_url",
        ),
        (
            "playtts",
            json!({"text": "Hello", "tts_voice": null}),
            "request_play_tts",
        ),
        ("getvaliddtmf", ask, "request_get_valid_dtmf"),
        (
            "getsimpledtmf",
            json!({"var_name": "pin", "digit_count": 4}),
            "request_get_simple_dtmf",
        ),
        ("senddtmf", json!({"digits": "12#"}), "request_send_dtmf"),
        (
            "startrecord",
            json!({"channels": 2}),
            "request_start_record",
        ),
        ("stoprecord", json!({}), "request_stop_record"),
        (
            "transfercall",
            json!({"destination": "+15005550032", "deflect": true}),
            "request_transfer_call",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_reaches_the_switch_of_its_call() {
    let bench = Bench::start("").await;
    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &[Reaction::Hold]).await;
    let call = bench.make_call("reminders", json!({})).await;
    bench.wait_for_state(&call, CallState::Dialing).await;
    switch.answer(&switch.dialled()[0].command).await;
    bench.wait_for_state(&call, CallState::Answered).await;
    for (path, mut body, event_name) in requests() {
        body["call_uuid"] = json!(call);
        let path = format!("/api/{path}");
        let told = bench.gateway().post(&bench.token, &path, &body).await;
        assert_eq!(
            (told.status.as_u16(), &told.body["status"]),
            (200, &json!("OK")),
            "{path}: {told:?}"
        );
        let asked = switch.asked().pop().unwrap();
        assert_eq!(asked["event_name"], event_name);
        assert_eq!(asked["event_data"]["call_uuid"], json!(call));
        // What a switch can't read would never be done.
        Request::parse(asked.to_string().as_bytes()).unwrap();
    }
    let before = switch.asked().len();
    let admin = token_with(bench.gateway().site(), &["--role", "admin"]).await;
    let log = bench.gateway().get(&admin, "/api/audit").await;
    let entries = log.body["entries"].as_array().unwrap().iter().rev();
    let asked = entries.filter(|entry| entry["action"] == "call.ask" && entry["subject"] == call);
    let noted: Vec<_> = asked
        .map(|entry| entry["after"]["request"].clone())
        .collect();
    let expected: Vec<_> = requests()
        .iter()
        .map(|(_, _, event_name)| json!(event_name))
        .collect();
    assert_eq!(noted, expected);
    for (path, body, field) in [
        ("playfile", json!({"call_uuid": call}), "filename"),
        (
            "playfile",
            json!({"call_uuid": call, "filename": "/etc/passwd"}),
            "filename",
        ),
        (
            "playfile",
            json!({"call_uuid": call, "filename": "a.wav", "colour": "red"}),
            "colour",
        ),
        ("playfile", json!({"filename": "a.wav"}), "call_uuid"),
        (
            "getsimpledtmf",
            json!({"call_uuid": call, "var_name": "x", "timeout": 1}),
            "timeout",
        ),
    ] {
        let told = bench
            .gateway()
            .post(&bench.token, &format!("/api/{path}"), &body)
            .await;
        assert_eq!(
            (told.status.as_u16(), &told.body["error"]["field"]),
            (422, &json!(field)),
            "{told:?}"
        );
    }
    assert_eq!(switch.asked().len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_by_name_and_status() {
    let bench = Bench::start("").await;
    let queued = bench.make_call("reminders", json!({})).await;
    let refusal = async |call: &str| {
        let body = json!({"call_uuid": call, "filename": "a.wav"});
        let told = bench
            .gateway()
            .post(&bench.token, "/api/playfile", &body)
            .await;
        let error = &told.body["error"];
        (
            told.status.as_u16(),
            error["name"].clone(),
            error["retryable"].clone(),
        )
    };
    assert_eq!(
        refusal(&queued).await,
        (409, json!("not_answered"), json!(true))
    );
    let unknown = "0f8fad5b-d9cb-469f-a165-70867728950e";
    assert_eq!(
        refusal(unknown).await,
        (404, json!("unknown_call"), json!(false))
    );

    let switch = FakeSwitch::start(&bench.bus().await, "sw1", 10, &[Reaction::Hold]).await;
    bench.wait_for_state(&queued, CallState::Dialing).await;
    for (refused, status) in [
        (Refused::for_now(name::NOT_ANSWERED, "it rings"), 409),
        (Refused::new(name::FLOW_RUNNING, "it runs its flow"), 409),
        (Refused::for_now(name::DESK_FULL, "16 wait"), 409),
        (
            Refused::new(name::PROMPT_UNAVAILABLE, "a.wav is not there"),
            422,
        ),
        (Refused::for_now(name::NOT_READY, "it is slow"), 503),
        (Refused::new(name::NOT_YET, "not yet"), 501),
    ] {
        let (name, retryable) = (refused.name, refused.retryable);
        switch.answers(Answer::refused(refused));
        assert_eq!(
            refusal(&queued).await,
            (status, json!(name), json!(retryable))
        );
    }
    let path = format!("/api/calls/{queued}/details");
    assert_eq!(bench.get(&path).await["status"], "OK");
    assert_eq!(
        switch.asked().pop().unwrap()["event_name"],
        "request_get_call_details"
    );
    switch.deaf_to_requests(true);
    assert_eq!(
        refusal(&queued).await,
        (503, json!("unreachable"), json!(true))
    );
    switch.deaf_to_requests(false);
    switch.complete(&switch.dialled()[0].command).await;
    bench.wait_for_state(&queued, CallState::Completed).await;
    assert_eq!(
        refusal(&queued).await,
        (409, json!("call_ended"), json!(false))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_calls_are_connected_on_their_switch_and_not_on_two() {
    let bench = Bench::start("").await;
    let bus = bench.bus().await;
    let one = FakeSwitch::start(&bus, "sw1", 2, &[Reaction::Hold, Reaction::Hold]).await;
    let mut calls = Vec::new();
    for n in 0..2 {
        calls.push(bench.make_call("reminders", json!({})).await);
        bench.wait_for_state(&calls[n], CallState::Dialing).await;
        one.answer(&one.dialled()[n].command).await;
        bench.wait_for_state(&calls[n], CallState::Answered).await;
    }
    // It has as many as it takes.
    let two = FakeSwitch::start(&bus, "sw2", 2, &[Reaction::Hold]).await;
    let elsewhere = bench.make_call("reminders", json!({})).await;
    bench.wait_for_state(&elsewhere, CallState::Dialing).await;
    two.answer(&two.dialled()[0].command).await;
    bench.wait_for_state(&elsewhere, CallState::Answered).await;

    let bridge = async |first: &str, second: &str| {
        let body = json!({"first_uuid": first, "second_uuid": second});
        let told = bench
            .gateway()
            .post(&bench.token, "/api/bridgecalls", &body)
            .await;
        (told.status.as_u16(), told.body["error"]["name"].clone())
    };
    assert_eq!(bridge(&calls[0], &calls[1]).await, (200, json!(null)));
    let asked = one.asked().pop().unwrap();
    assert_eq!(asked["event_name"], "request_bridge_calls");
    let named = json!({"call_uuid": calls[0], "second_uuid": calls[1]});
    assert_eq!(asked["event_data"], named);
    Request::parse(asked.to_string().as_bytes()).unwrap();

    let other_switch = (409, json!("other_switch"));
    assert_eq!(bridge(&calls[0], &elsewhere).await, other_switch);
    assert_eq!(bridge(&elsewhere, &calls[0]).await, other_switch);
    let unknown = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let nobody = (404, json!("unknown_call"));
    assert_eq!(bridge(&calls[0], unknown).await, nobody);
    assert_eq!(bridge("me", &calls[0]).await.0, 422);
    assert_eq!((one.asked().len(), two.asked().len()), (1, 0));
}
