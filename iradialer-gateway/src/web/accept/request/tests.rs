//! Bodies right and wrong.

use super::*;
use iradialer_core::value::CallUuid;
use serde_json::json;

const NOW: u64 = 1_790_000_000_000;

fn read_body(body: Value) -> Result<MakeCall, Vec<FieldError>> {
    let Value::Object(members) = body else {
        panic!("not an object")
    };
    let tenant = TenantId::parse("tenant_id", "acme").unwrap();
    let mut fields = Fields::new(members);
    // What is looked at before all the others.
    idempotency_key(&HeaderMap::new(), &mut fields);
    fields.parsed("call_uuid", CallUuid::parse);
    read(fields, &tenant, 30, NOW)
}

fn with(field: &str, value: Value) -> Result<MakeCall, Vec<FieldError>> {
    let mut body = json!({ "campaign_name": "reminders", "to_number": "+15005550006" });
    body[field] = value;
    read_body(body)
}

#[test]
fn the_least_and_its_defaults() {
    let asked = read_body(json!({ "campaign_name": "r", "to_number": "+15005550006" })).unwrap();
    assert_eq!(
        (asked.dial_timeout_s, asked.priority, asked.max_duration_s),
        (30, 5, 3_600)
    );
    assert!(asked.from_number.is_none() && asked.ivr.is_none() && asked.expires_ms.is_none());
    let aliased =
        read_body(json!({ "campaign": "r", "to_number": "100", "from_number": "" })).unwrap();
    assert_eq!(aliased.campaign_name.as_str(), "r");
}

#[test]
fn everything() {
    let asked = read_body(json!({
        "campaign_name": "reminders", "campaign": "reminders", "to_number": "+15005550006",
        "from_number": "+15005550100", "tenant_id": "acme", "dial_timeout": 45, "priority": 9,
        "call_params": { "event_url": "https://hooks.example/x", "token": "s3cret", "order": 7 },
        "channel_vars": { "sip_h_X-Order": "7", "x_n": 7, "x_b": true },
        "cpa_config": "", "max_duration": 60, "metadata": { "a": [1, 2] },
        "vars": { "first_name": "Ann", "amount": 12.5, "vip": true }, "timezone": "Europe/Paris",
        "not_before": "2026-09-21T15:13:20Z", "expires_at": "2026-09-21T16:13:20Z",
        "ivr": { "version": 1, "name": "hello", "start": "a",
                 "nodes": { "a": { "play": [{ "file": "hello.wav" }], "next": "@hangup" } } },
    }))
    .unwrap();
    assert_eq!(asked.event_url.as_deref(), Some("https://hooks.example/x"));
    let vars: Vec<_> = asked.channel_vars.iter().collect();
    assert_eq!(
        vars,
        [("sip_h_X-Order", "7"), ("x_b", "true"), ("x_n", "7")]
    );
    assert!(matches!(asked.ivr, Some(Ivr::Document(own)) if own.flow.name == "hello"));
    assert_eq!(asked.not_before_ms, Some(NOW + 3_600_000));
    let vars: Vec<_> = asked.vars.iter().collect();
    let expected = [("amount", "12.5"), ("first_name", "Ann"), ("vip", "true")];
    assert!(
        vars.into_iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .eq(expected)
    );
}

#[test]
fn each_mistake_names_its_field() {
    for (field, value, named) in [
        ("to_number", json!(""), "to_number"),
        ("to_number", json!(null), "to_number"),
        ("to_number", json!(15005550006u64), "to_number"),
        ("from_number", json!("anonymous"), "from_number"),
        ("campaign_name", json!("a.b"), "campaign_name"),
        ("campaign", json!("another"), "campaign_name"),
        ("tenant_id", json!("other"), "tenant_id"),
        ("dial_timeout", json!(4), "dial_timeout"),
        ("dial_timeout", json!(601), "dial_timeout"),
        ("dial_timeout", json!("30"), "dial_timeout"),
        ("dial_timeout", json!(30.5), "dial_timeout"),
        ("priority", json!(-1), "priority"),
        ("max_duration", json!(0), "max_duration"),
        ("call_params", json!([]), "call_params"),
        (
            "call_params",
            json!({ "x": "y".repeat(17_000) }),
            "call_params",
        ),
        (
            "call_params",
            json!({ "event_url": "ftp://x" }),
            "call_params.event_url",
        ),
        (
            "call_params",
            json!({ "event_url": 7 }),
            "call_params.event_url",
        ),
        (
            "call_params",
            json!({ "token": "a\r\nb" }),
            "call_params.token",
        ),
        ("channel_vars", json!("x"), "channel_vars"),
        ("channel_vars", json!({ "x_a": {} }), "channel_vars.x_a"),
        (
            "channel_vars",
            json!({ "api_on_answer": "x" }),
            "channel_vars.api_on_answer",
        ),
        (
            "channel_vars",
            json!({ "x_a": "b\r\nc" }),
            "channel_vars.x_a",
        ),
        ("cpa_config", json!("default"), "cpa_config"),
        ("ivr", json!(7), "ivr"),
        ("ivr", json!({}), "ivr"),
        ("ivr", json!("a b"), "ivr"),
        ("vars", json!([]), "vars"),
        ("vars", json!({"a b": "x"}), "vars.a b"),
        ("vars", json!({"a": {}}), "vars.a"),
        ("vars", json!({"a": "x".repeat(1_001)}), "vars.a"),
        ("not_before", json!("soon"), "not_before"),
        ("not_before", json!("2030-01-01T00:00:00Z"), "not_before"),
        ("expires_at", json!("2026-09-21T14:13:20Z"), "expires_at"),
        ("timezone", json!("Mars/Olympus"), "timezone"),
        ("on_unknown", json!("again"), "on_unknown"),
        ("on_unknown", json!(true), "on_unknown"),
        ("metadata", json!("x"), "metadata"),
        ("colour", json!("red"), "colour"),
    ] {
        let mistakes = with(field, value.clone()).expect_err(&format!("{field}: {value}"));
        assert!(
            mistakes[0].field == named || mistakes[0].field.starts_with(&format!("{named}.")),
            "{field}: {value}: {mistakes:?}"
        );
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let mistakes = read_body(json!({ "dial_timeout": 1, "colour": "red" })).unwrap_err();
    let fields: Vec<_> = mistakes
        .iter()
        .map(|mistake| mistake.field.as_str())
        .collect();
    assert_eq!(
        fields,
        ["campaign_name", "to_number", "dial_timeout", "colour"]
    );
}

#[test]
fn a_secret_is_not_shown_in_a_refusal() {
    let mistakes = with("call_params", json!({ "token": "s3cret\n" })).unwrap_err();
    assert!(!mistakes[0].to_string().contains("s3cret"));
}

#[test]
fn a_key_comes_from_the_header_or_the_body() {
    let key = |header: Option<&'static str>, body: Value| {
        let mut headers = HeaderMap::new();
        if let Some(text) = header {
            headers.insert("idempotency-key", HeaderValue::from_static(text));
        }
        let mut fields = Fields::new(body.as_object().unwrap().clone());
        let key = idempotency_key(&headers, &mut fields);
        (key, fields.finish("").is_ok())
    };
    assert_eq!(key(None, json!({})), (None, true));
    assert_eq!(key(Some("a"), json!({})), (Some("a".into()), true));
    assert_eq!(
        key(None, json!({ "idempotency_key": "b" })),
        (Some("b".into()), true)
    );
    assert!(!key(Some("a"), json!({ "idempotency_key": "b" })).1);
    assert!(!key(Some(""), json!({})).1);
    assert!(!key(None, json!({ "idempotency_key": "é" })).1);
}
