//! Every kind of bad input: a clear refusal that names the field, and no trace of a call.

use crate::gateway::{Answer, Gateway, send};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

/// A good request, changed in one field.
fn with(field: &str, value: Value) -> Value {
    let mut body = json!({ "campaign_name": "reminders", "to_number": "+15005550006" });
    body[field] = value;
    body
}

/// A flow of one node.
fn flow(node: Value) -> Value {
    with(
        "ivr",
        json!({ "version": 1, "name": "f", "start": "a", "nodes": { "a": node } }),
    )
}

/// A flow that plays a file.
fn playing(file: &str) -> Value {
    flow(json!({ "play": [{ "file": file }], "next": "@hangup" }))
}

/// What every refusal must have; the field is named where a machine and where a person reads.
fn check_refusal(case: &str, answer: &Answer, status: u16, field: &str) {
    assert_eq!(answer.status, status, "{case}: {answer:?}");
    let body = &answer.body;
    let named = body["error"]["field"].as_str().unwrap_or("");
    assert!(
        named == field || named.starts_with(&format!("{field}.")),
        "{case}: expected the field {field}: {body}"
    );
    assert!(
        body["status"].as_str().is_some_and(|text| !text.is_empty()),
        "{case}: {body}"
    );
    assert_ne!(body["status_code"], 0, "{case}: {body}");
    assert!(body["error"]["name"].is_string(), "{case}: {body}");
    assert_eq!(body["error"]["retryable"], false, "{case}: {body}");
    let id = answer.headers["x-request-id"].to_str().unwrap();
    assert_eq!(body["request_id"], id, "{case}");
    if status == 422 {
        let detail = &body["detail"][0];
        assert_eq!(detail["loc"][0], "body", "{case}: {body}");
        assert!(
            detail["msg"].as_str().unwrap().contains("expected"),
            "{case}: {body}"
        );
        assert!(detail["type"].is_string(), "{case}: {body}");
    }
}

async fn check_no_trace(gateway: &Gateway, token: &str) {
    assert_eq!(gateway.calls(token).await, Vec::<Value>::new());
}

/// `{"a":{"a":…}}`, so deep.
fn deep(depth: usize) -> Value {
    (0..depth).fold(json!(1), |inner, _| json!({ "a": inner }))
}

#[tokio::test]
async fn fields() {
    let (gateway, token) = Gateway::start().await;
    let cases = [
        // Numbers that a dial string would read as something else.
        (with("to_number", json!("")), "to_number"),
        (with("to_number", json!("1".repeat(60))), "to_number"),
        (with("to_number", json!("+1415CALLNOW")), "to_number"),
        (with("to_number", json!("+1415{555")), "to_number"),
        (with("to_number", json!("+1415}555")), "to_number"),
        (with("to_number", json!("+1415,+1416")), "to_number"),
        (with("to_number", json!("+1415|+1416")), "to_number"),
        (with("to_number", json!("^^:+1415555")), "to_number"),
        (with("to_number", json!("+1415'555")), "to_number"),
        (with("to_number", json!("+1415\n555")), "to_number"),
        (with("to_number", json!("+1415555\n")), "to_number"),
        (with("to_number", json!("+1415\u{0}555")), "to_number"),
        (with("to_number", json!("%s%s%s%n")), "to_number"),
        (with("to_number", json!("+1415%s555")), "to_number"),
        (with("to_number", json!("１２３４５")), "to_number"),
        (with("to_number", json!(14155550100u64)), "to_number"),
        (with("to_number", json!(["+14155550100"])), "to_number"),
        (with("to_number", Value::Null), "to_number"),
        (json!({ "campaign_name": "reminders" }), "to_number"),
        (json!({ "to_number": "+15005550006" }), "campaign_name"),
        (with("from_number", json!("+1415{555")), "from_number"),
        (with("from_number", json!("\"A\" <sip:a@b>")), "from_number"),
        (with("campaign_name", json!("a.b.>")), "campaign_name"),
        (with("campaign_name", json!("../x")), "campaign_name"),
        (with("tenant_id", json!("other")), "tenant_id"),
        (with("tenant_id", json!("a b")), "tenant_id"),
        // Variables that break a header or run code.
        (
            with("channel_vars", json!({ "x_a": "b\r\nVia: c" })),
            "channel_vars.x_a",
        ),
        (
            with("channel_vars", json!({ "sip_h_X-A": "b\nc" })),
            "channel_vars.sip_h_X-A",
        ),
        (
            with("channel_vars", json!({ "sip_h_X-A\r\nVia": "b" })),
            "channel_vars",
        ),
        (
            with("channel_vars", json!({ "x_a": "${system(id)}" })),
            "channel_vars.x_a",
        ),
        (
            with("channel_vars", json!({ "sip_h_Via": "b" })),
            "channel_vars.sip_h_Via",
        ),
        (
            with("channel_vars", json!({ "origination_uuid": "b" })),
            "channel_vars.origination_uuid",
        ),
        (
            with("channel_vars", json!({ "api_on_answer": "system id" })),
            "channel_vars.api_on_answer",
        ),
        (
            with("channel_vars", json!({ "api_on_answer_1": "x" })),
            "channel_vars.api_on_answer_1",
        ),
        (
            with("channel_vars", json!({ "execute_on_answer": "x" })),
            "channel_vars.execute_on_answer",
        ),
        (
            with("channel_vars", json!({ "execute_on_ring": "x" })),
            "channel_vars.execute_on_ring",
        ),
        (
            with("channel_vars", json!({ "api_hangup_hook": "x" })),
            "channel_vars.api_hangup_hook",
        ),
        (
            with("channel_vars", json!({ "session_in_hangup_hook": "x" })),
            "channel_vars.session_in_hangup_hook",
        ),
        (
            with(
                "channel_vars",
                json!({ "bridge_pre_execute_aleg_app": "x" }),
            ),
            "channel_vars.bridge_pre_execute_aleg_app",
        ),
        (with("channel_vars", json!({ "": "x" })), "channel_vars"),
        (
            with("channel_vars", json!({ "x_a": {} })),
            "channel_vars.x_a",
        ),
        (with("channel_vars", json!("x_a=b")), "channel_vars"),
        // Files that are not below the prompt directory.
        (playing("../secret.wav"), "ivr.nodes.a"),
        (playing("a/../../secret.wav"), "ivr.nodes.a"),
        (playing("/etc/passwd"), "ivr.nodes.a"),
        (playing("/x.wav"), "ivr.nodes.a"),
        (playing("http://evil.example/x.wav"), "ivr.nodes.a"),
        (playing("|cmd"), "ivr.nodes.a"),
        (playing("|cmd.wav"), "ivr.nodes.a"),
        (playing("x.wav|cmd"), "ivr.nodes.a"),
        (playing("tone_stream://%(100,100,440)"), "ivr.nodes.a"),
        (playing(""), "ivr.nodes.a"),
        // Flows that can't be run.
        (
            flow(json!({ "teleport": {}, "next": "@hangup" })),
            "ivr.nodes.a",
        ),
        (
            flow(json!({ "play": [{ "file": "a.wav" }], "next": "nowhere" })),
            "ivr.nodes.a",
        ),
        (
            flow(json!({ "play": [{ "file": "a.wav" }], "next": "@moon" })),
            "ivr.nodes.a",
        ),
        (
            flow(json!({ "play": [{ "shell": "id" }], "next": "@hangup" })),
            "ivr.nodes.a",
        ),
        (
            with(
                "ivr",
                json!({ "version": 1, "name": "f", "start": "a", "nodes": {} }),
            ),
            "ivr",
        ),
        (
            with(
                "ivr",
                json!({ "version": 2, "name": "f", "start": "a", "nodes": {} }),
            ),
            "ivr",
        ),
        (with("ivr", json!({})), "ivr"),
        (with("ivr", json!("no_such_flow")), "ivr"),
        (with("ivr", json!(7)), "ivr"),
        // The rest.
        (
            with("call_params", json!({ "event_url": "file:///etc/passwd" })),
            "call_params.event_url",
        ),
        (
            with("call_params", json!({ "event_url": "http://10.0.0.1/" })),
            "call_params.event_url",
        ),
        (
            with(
                "call_params",
                json!({ "event_url": "http://169.254.169.254/" }),
            ),
            "call_params.event_url",
        ),
        (
            with("call_params", json!({ "token": "a\r\nb" })),
            "call_params.token",
        ),
        (with("call_params", json!("x")), "call_params"),
        (with("cpa_config", json!("default")), "cpa_config"),
        (with("dial_timeout", json!(0)), "dial_timeout"),
        (with("dial_timeout", json!(1e99)), "dial_timeout"),
        (with("max_duration", json!(-1)), "max_duration"),
        (with("priority", json!(10)), "priority"),
        (with("call_uuid", json!("not-a-uuid")), "call_uuid"),
        (
            with("call_uuid", json!("0190A5B2-0000-7000-8000-000000000001")),
            "call_uuid",
        ),
        (with("idempotency_key", json!("")), "idempotency_key"),
        (with("idempotency_key", json!("a\u{0}b")), "idempotency_key"),
        (with("not_before", json!("tomorrow")), "not_before"),
        (
            with("expires_at", json!("2001-01-01T00:00:00Z")),
            "expires_at",
        ),
        (with("timezone", json!("../../etc/passwd")), "timezone"),
        (with("timezone", json!("Mars/Olympus_Mons")), "timezone"),
        (with("timezone", json!("Europe/Berlin\u{0}")), "timezone"),
        (with("timezone", json!("")), "timezone"),
        (with("timezone", json!(1)), "timezone"),
        (with("metadata", json!([])), "metadata"),
        (with("colour", json!("red")), "colour"),
        (with("a\r\nb", json!("x")), "a\\r\\nb"),
    ];
    for (body, field) in cases {
        let case = body.to_string();
        let answer = gateway.post(&token, "/api/makecall", &body).await;
        check_refusal(&case, &answer, 422, field);
    }
    check_no_trace(&gateway, &token).await;
}

#[tokio::test]
async fn bodies() {
    let (gateway, token) = Gateway::start().await;
    let good = r#""campaign_name":"reminders","to_number":"+15005550006""#;
    let big = format!(
        "{{{good},\"metadata\":{{\"a\":\"{}\"}}}}",
        "x".repeat(600_000)
    );
    let number = |bytes: &[u8]| {
        let mut body = br#"{"campaign_name":"reminders","to_number":""#.to_vec();
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\"}");
        body
    };
    let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        ("nothing", b"".to_vec(), 422, "body"),
        ("no JSON", b"to_number=+15005550006".to_vec(), 422, "body"),
        ("cut short", format!("{{{good}").into_bytes(), 422, "body"),
        (
            "something after it",
            format!("{{{good}}} {{}}").into_bytes(),
            422,
            "body",
        ),
        ("a list", format!("[{{{good}}}]").into_bytes(), 422, "body"),
        ("a text", br#""x""#.to_vec(), 422, "body"),
        ("not UTF-8", number(b"+1500\xff\xfe"), 422, "body"),
        ("an overlong NUL", number(b"+1500\xc0\x80"), 422, "body"),
        ("a lone surrogate", number(br"\ud800"), 422, "to_number"),
        ("a raw NUL", number(b"+1500\x00"), 422, "to_number"),
        ("a raw newline", number(b"+1500\n"), 422, "to_number"),
        (
            "a key twice",
            format!("{{{good},\"to_number\":\"+15005550007\"}}").into_bytes(),
            422,
            "to_number",
        ),
        (
            "a key twice further in",
            format!("{{{good},\"channel_vars\":{{\"x_a\":\"1\",\"x_a\":\"2\"}}}}").into_bytes(),
            422,
            "channel_vars.x_a",
        ),
        (
            "too deep",
            with("metadata", deep(30)).to_string().into_bytes(),
            422,
            "metadata",
        ),
        (
            "far too deep",
            format!("{{{good},\"metadata\":{}", "[".repeat(200_000)).into_bytes(),
            422,
            "metadata",
        ),
        ("too large", big.into_bytes(), 413, "body"),
    ];
    for (case, body, status, field) in cases {
        let request = gateway.request("/api/makecall", body).bearer_auth(&token);
        check_refusal_of_body(case, &send(request).await, status, field);
    }
    let form = gateway
        .client
        .post(format!("{}/api/makecall", gateway.url))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body("campaign_name=reminders")
        .bearer_auth(&token);
    let form = send(form).await;
    assert_eq!(form.status, 415, "{form:?}");
    check_no_trace(&gateway, &token).await;
}

/// As [`check_refusal`]; where the reader stopped inside a list the field goes on with `[0]…`.
fn check_refusal_of_body(case: &str, answer: &Answer, status: u16, field: &str) {
    let named = answer.body["error"]["field"].as_str().unwrap_or("");
    let begin = named.split('[').next().unwrap_or(named);
    let begins_there = begin == field || begin.starts_with(&format!("{field}."));
    assert!(
        begins_there,
        "{case}: expected the field {field}: {answer:?}"
    );
    check_refusal(case, answer, status, named);
}

#[tokio::test]
async fn tokens() {
    let (gateway, token) = Gateway::start().await;
    let body = || with("priority", json!(5)).to_string();
    let none = send(gateway.request("/api/makecall", body())).await;
    check_refusal("none", &none, 401, "authorization");
    assert_eq!(
        none.headers["www-authenticate"],
        "Bearer realm=\"iradialer\""
    );

    let wrong = format!("{}x", &token[..token.len() - 1]);
    for (case, header) in [
        ("wrong", format!("Bearer {wrong}")),
        ("cut short", format!("Bearer {}", &token[..token.len() - 1])),
        ("another scheme", format!("Basic {token}")),
        ("no scheme", token.clone()),
        ("an empty one", "Bearer ".to_owned()),
        ("two in one", format!("Bearer {token} {token}")),
        ("SQL", "Bearer ' OR 1=1 --".to_owned()),
        ("very long", format!("Bearer {}", "x".repeat(5_000))),
    ] {
        let header = HeaderValue::from_str(&header).unwrap();
        let request = gateway.request("/api/makecall", body());
        let answer = send(request.header(AUTHORIZATION, header)).await;
        check_refusal(case, &answer, 400, "authorization");
        assert_eq!(answer.body["error"]["name"], "invalid_token", "{case}");
    }
    let bytes = HeaderValue::from_bytes(b"Bearer \xff\xfe").unwrap();
    let request = gateway.request("/api/makecall", body());
    let answer = send(request.header(AUTHORIZATION, bytes)).await;
    check_refusal("not ASCII", &answer, 400, "authorization");
    check_no_trace(&gateway, &token).await;
}

#[tokio::test]
async fn other_requests() {
    let (gateway, token) = Gateway::start().await;
    let drop = |body: Value| {
        let (gateway, token) = (&gateway, &token);
        async move { gateway.post(token, "/api/dropcall", &body).await }
    };
    check_refusal("no call", &drop(json!({})).await, 422, "call_uuid");
    check_refusal(
        "no UUID",
        &drop(json!({ "call_uuid": "x" })).await,
        422,
        "call_uuid",
    );
    let unknown = json!({ "call_uuid": "0190a5b2-0000-7000-8000-000000000001" });
    check_refusal("unknown", &drop(unknown.clone()).await, 404, "call_uuid");
    let mut more = unknown;
    more["force"] = json!(true);
    check_refusal("more", &drop(more).await, 422, "force");

    for (path, status, field) in [
        ("/api/calls/x", 422, Some("path.call_uuid")),
        (
            "/api/calls/0190a5b2-0000-7000-8000-000000000001",
            404,
            Some("call_uuid"),
        ),
        (
            "/api/calls/0190a5b2-0000-7000-8000-000000000001/events",
            404,
            Some("call_uuid"),
        ),
        ("/api/calls?state=gone", 422, Some("query.state")),
        ("/api/calls?limit=100000", 422, Some("query.limit")),
        ("/api/calls?cursor=%00", 422, Some("query.cursor")),
        ("/api/calls?colour=red", 422, Some("query.colour")),
        ("/api/nothing", 404, None),
        ("/api/makecall", 405, None),
        ("/../etc/passwd", 404, None),
    ] {
        let answer = gateway.get(&token, path).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert_eq!(
            answer.body["error"]["field"].as_str(),
            field,
            "{path}: {answer:?}"
        );
        assert!(answer.body["request_id"].is_string(), "{path}");
    }
    let unknown = with("campaign_name", json!("no_such"));
    let answer = gateway.post(&token, "/api/makecall", &unknown).await;
    check_refusal("campaign", &answer, 404, "campaign_name");
    let trunkless = with("campaign_name", json!("trunkless"));
    let answer = gateway.post(&token, "/api/makecall", &trunkless).await;
    check_refusal("trunks", &answer, 409, "campaign_name");
    check_no_trace(&gateway, &token).await;
}
