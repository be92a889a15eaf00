//! Live requests as clients of the product send them, and what is wrong with others.

use iradialer_core::live::{Refused, Request, name};
use serde_json::{Value, json};

const UUID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

fn parse(message: &Value) -> Result<Request, Refused> {
    Request::parse(message.to_string().as_bytes())
}

/// A message of each kind, as a client of the product may have sent it.
fn samples() -> Vec<Value> {
    let of = |event_name: &str, data: Value| {
        let mut data = data;
        if data.get("activate").is_none() && data.get("ip_address").is_none() {
            data["call_uuid"] = json!(UUID);
        }
        json!({"event_name": event_name, "event_data": data})
    };
    vec![
        of(
            "request_play_file",
            json!({"filename": "en/hello.wav", "stop_on_key": true, "loop_count": 2}),
        ),
        of(
            "request_play_url",
            json!({"url": "https://prompts.example/hello.wav"}),
        ),
        of(
            "request_play_tts",
            json!({"text": "Hello {{name}}", "tts_voice": "", "tts_engine": ""}),
        ),
        of(
            "request_get_valid_dtmf",
            json!({"var_name": "pin", "audio_type": "tts", "prompt_message": "Your code?",
            "error_message": "Sorry?", "minimum_digits": 4, "maximum_digits": 4, "minimum_tries": 3, "timeout": 5,
            "term_keys": "#", "reg_expr": "^[0-9]{4}$"}),
        ),
        of(
            "request_get_simple_dtmf",
            json!({"var_name": "pin", "digit_count": 4, "timeout": 10, "term_keys": "#"}),
        ),
        of("request_send_dtmf", json!({"digits": "1234#w*"})),
        of(
            "request_bridge_call",
            json!({"conf_uuid": format!("CONF-{UUID}")}),
        ),
        of(
            "request_direct_bridge",
            json!({"gateway": "carrier", "to_number": "+14155550100", "from_number": ""}),
        ),
        of(
            "request_make_call",
            json!({"gateway": "carrier", "to_number": "+14155550100", "from_number": "+14155550101",
            "tenant_id": "acme", "event_subject": "ira.client.app", "dial_timeout": 20, "join_conf": false}),
        ),
        of("request_activation", json!({"activate": false})),
        of(
            "request_create_gateway",
            json!({"gateway": "carrier", "ip_address": "192.0.2.1", "one_way": false}),
        ),
        of("request_drop_call", json!({})),
        of(
            "request_park_call",
            json!({"event_subject": "ira.client.app"}),
        ),
    ]
}

#[test]
fn samples_are_read_and_written_as_they_came() {
    for sample in samples() {
        let request = parse(&sample).unwrap_or_else(|refused| panic!("{sample}: {refused:?}"));
        let written = request.to_json();
        assert_eq!(written["event_name"], sample["event_name"]);
        for (field, value) in sample["event_data"].as_object().unwrap() {
            let known = !matches!(field.as_str(), "ip_address" | "one_way");
            assert!(
                !known || written["event_data"][field] == *value,
                "{field} of {written}"
            );
        }
    }
}

#[test]
fn what_is_not_published_is_let_through_and_named() {
    let message = json!({"event_name": "request_drop_call", "from": "me",
        "event_data": {"call_uuid": UUID, "colour": "red"}});
    assert_eq!(parse(&message).unwrap().ignored, ["colour", "from"]);
}

#[test]
fn a_mistake_is_told_by_its_field() {
    let of = |event_name: &str, data: Value| json!({"event_name": event_name, "event_data": data});
    let uuid = json!(UUID);
    for (message, name, field) in [
        (json!([]), name::INVALID_JSON, "request"),
        (json!({"event_data": {}}), name::INVALID_FIELD, "event_name"),
        (
            json!({"event_name": "request_stop_play"}),
            name::INVALID_FIELD,
            "event_data",
        ),
        (
            of("request_dance", json!({})),
            name::UNKNOWN_REQUEST,
            "event_name",
        ),
        (
            of("request_stop_play", json!({})),
            name::INVALID_FIELD,
            "event_data.call_uuid",
        ),
        (
            of(
                "request_stop_play",
                json!({"call_uuid": UUID.to_uppercase()}),
            ),
            name::INVALID_FIELD,
            "event_data.call_uuid",
        ),
        (
            of("request_play_file", json!({"call_uuid": uuid})),
            name::INVALID_FIELD,
            "event_data.filename",
        ),
        (
            of(
                "request_play_file",
                json!({"call_uuid": uuid, "filename": "../x.wav"}),
            ),
            name::INVALID_FIELD,
            "event_data.filename",
        ),
        (
            of(
                "request_play_file",
                json!({"call_uuid": uuid, "filename": "x.wav", "loop_count": 0}),
            ),
            name::INVALID_FIELD,
            "event_data.loop_count",
        ),
        (
            of(
                "request_play_file",
                json!({"call_uuid": uuid, "filename": "x.wav", "loop_count": 1.5}),
            ),
            name::INVALID_FIELD,
            "event_data.loop_count",
        ),
        (
            of(
                "request_play_url",
                json!({"call_uuid": uuid, "url": "file:///etc/passwd"}),
            ),
            name::INVALID_FIELD,
            "event_data.url",
        ),
        (
            of(
                "request_play_url",
                json!({"call_uuid": uuid, "url": "https://h.example/{{vars.x}}"}),
            ),
            name::INVALID_FIELD,
            "event_data.url",
        ),
        (
            of("request_play_tts", json!({"call_uuid": uuid, "text": " "})),
            name::INVALID_FIELD,
            "event_data.text",
        ),
        (
            of(
                "request_play_tts",
                json!({"call_uuid": uuid, "text": "x", "tts_voice": "|rm"}),
            ),
            name::INVALID_FIELD,
            "event_data.tts_voice",
        ),
        (
            of(
                "request_send_dtmf",
                json!({"call_uuid": uuid, "digits": "12@900"}),
            ),
            name::INVALID_FIELD,
            "event_data.digits",
        ),
        (
            of(
                "request_get_valid_dtmf",
                json!({"call_uuid": uuid, "var_name": "x", "audio_type": "file", "minimum_digits": 5, "maximum_digits": 4}),
            ),
            name::INVALID_FIELD,
            "event_data.maximum_digits",
        ),
        (
            of(
                "request_get_valid_dtmf",
                json!({"call_uuid": uuid, "var_name": "x", "audio_type": "file", "reg_expr": "("}),
            ),
            name::INVALID_FIELD,
            "event_data.reg_expr",
        ),
        (
            of(
                "request_get_valid_dtmf",
                json!({"call_uuid": uuid, "var_name": "x", "audio_type": "file", "reg_expr": "(a{1000}){1000}"}),
            ),
            name::INVALID_FIELD,
            "event_data.reg_expr",
        ),
        (
            of(
                "request_get_simple_dtmf",
                json!({"call_uuid": uuid, "var_name": "x", "timeout": 4}),
            ),
            name::INVALID_FIELD,
            "event_data.timeout",
        ),
        (
            of("request_make_call", json!({"call_uuid": uuid})),
            name::INVALID_FIELD,
            "event_data.gateway",
        ),
        (
            of(
                "request_make_call",
                json!({"call_uuid": uuid, "gateway": "g", "to_number": "+14155550100", "from_number": "",
                    "tenant_id": "acme", "event_subject": "ira.client.x", "conf_uuid": ""}),
            ),
            name::INVALID_FIELD,
            "event_data.conf_uuid",
        ),
        (
            of(
                "request_stop_play",
                json!({"call_uuid": uuid, "event_subject": "ira.>"}),
            ),
            name::INVALID_FIELD,
            "event_data.event_subject",
        ),
    ] {
        let refused = parse(&message).expect_err(&message.to_string());
        let mistake = refused.mistake.expect("a field");
        assert_eq!(
            (refused.name, mistake.field.as_str()),
            (name, field),
            "{message}"
        );
        assert!(!mistake.expected.is_empty());
    }
    let twice =
        br#"{"event_name":"request_stop_play","event_data":{"call_uuid":"a","call_uuid":"b"}}"#;
    assert_eq!(Request::parse(twice).unwrap_err().name, name::INVALID_JSON);
    assert_eq!(
        Request::parse(&vec![b' '; 70_000]).unwrap_err().name,
        name::INVALID_JSON
    );
}
