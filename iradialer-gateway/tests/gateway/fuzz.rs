//! Requests that nobody thought of, against the running gateway: each is refused in the form of a
//! refusal or makes exactly one call, and the gateway lives.

use crate::gateway::{Answer, Gateway, send};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use serde_json::{Value, json};

/// How many requests of each kind.
const REQUESTS: usize = 300;
const FIELDS: &[&str] = &[
    "campaign_name",
    "campaign",
    "to_number",
    "from_number",
    "call_params",
    "channel_vars",
    "cpa_config",
    "dial_timeout",
    "tenant_id",
    "call_uuid",
    "idempotency_key",
    "ivr",
    "not_before",
    "expires_at",
    "timezone",
    "priority",
    "max_duration",
    "metadata",
];

/// Texts that have made trouble somewhere.
const TROUBLE: &[&str] = &[
    "",
    " ",
    "\0",
    "\r\n",
    "%s%n",
    "${x}",
    "'; DROP TABLE calls;--",
    "../x",
    "|id",
    "^^:",
    "\u{feff}+15005550006",
    "+1500555000\u{661}",
    "\u{202e}6000555",
    "1e3",
    "+",
    "null",
    "@hangup",
    "9999999999999999999",
    "-1",
    "0x10",
    "2026-13-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "-009999-01-01T00:00:00Z",
    "Europe/Paris\0",
    "http://[::1]:0/",
    "https://a@b/",
];

fn runner() -> TestRunner {
    TestRunner::new(Config {
        rng_seed: RngSeed::Fixed(7),
        ..Config::default()
    })
}

/// The next value of a strategy.
fn draw<T: std::fmt::Debug>(runner: &mut TestRunner, of: &impl Strategy<Value = T>) -> T {
    of.new_tree(runner).unwrap().current()
}

/// One of those, a number, or any text.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(TROUBLE).prop_map(str::to_owned),
        ".{0,40}",
        "[+0-9]{0,20}",
    ]
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-3i64..700).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(text(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Whether a call was made. Anything but a call or a refusal that says why fails the test.
fn is_call(case: &str, answer: &Answer) -> bool {
    let body = &answer.body;
    let told = |name: &str| body[name].as_str().is_some_and(|text| !text.is_empty());
    match answer.status.as_u16() {
        200 => {
            assert!(told("call_uuid"), "{case}: {answer:?}");
            assert!(
                !answer.headers.contains_key("idempotency-replayed"),
                "{case}"
            );
            true
        }
        400..=422 => {
            assert!(told("status") && told("request_id"), "{case}: {answer:?}");
            assert!(body["error"]["name"].is_string(), "{case}: {answer:?}");
            assert_eq!(body["error"]["retryable"], false, "{case}: {answer:?}");
            false
        }
        _ => panic!("{case}: {answer:?}"),
    }
}

/// The gateway has made as many calls as it said.
async fn check_calls(gateway: &Gateway, token: &str, made: usize) {
    let answer = gateway.get(token, "/api/calls?limit=1000").await;
    assert_eq!(answer.body["calls"].as_array().unwrap().len(), made);
    assert_eq!(gateway.get("", "/readyz").await.body["database"], "OK");
    let log = gateway.site().log_text();
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_value_in_any_field() {
    let (gateway, token) = Gateway::start().await;
    let mut runner = runner();
    let field = proptest::sample::select(FIELDS);
    let (mut made, mut refused) = (0, 0);
    for _ in 0..REQUESTS {
        let mut body = json!({ "campaign_name": "reminders", "to_number": "+15005550006" });
        for _ in 0..draw(&mut runner, &(1usize..3)) {
            body[draw(&mut runner, &field)] = draw(&mut runner, &json_value());
        }
        let answer = gateway.post(&token, "/api/makecall", &body).await;
        match is_call(&body.to_string(), &answer) {
            true => made += 1,
            false => refused += 1,
        }
    }
    assert!(made > 0 && refused > REQUESTS / 2, "{made} and {refused}");
    check_calls(&gateway, &token, made).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_request_with_any_bytes_changed() {
    let (gateway, token) = Gateway::start().await;
    let mut runner = runner();
    let good = json!({
        "campaign_name": "reminders", "to_number": "+15005550006", "priority": 7,
        "channel_vars": { "x_a": "b" }, "metadata": { "n": [1, 2.5, null] },
    })
    .to_string();
    let paths = proptest::sample::select(&["/api/makecall", "/api/dropcall"]);
    let mut made = 0;
    for turn in 0..REQUESTS {
        let mut body = good.clone().into_bytes();
        for _ in 0..draw(&mut runner, &(1usize..4)) {
            let at = draw(&mut runner, &(0..body.len()));
            match draw(&mut runner, &(0..4)) {
                0 => body[at] = draw(&mut runner, &any::<u8>()),
                1 => body.insert(at, draw(&mut runner, &any::<u8>())),
                2 => drop(body.remove(at)),
                _ => body.truncate(at.max(1)),
            }
        }
        let case = String::from_utf8_lossy(&body).into_owned();
        let path = draw(&mut runner, &paths);
        // Every other one comes in pieces, of which nothing says how long they are in all.
        let body = match turn % 2 {
            0 => reqwest::Body::from(body),
            _ => {
                let pieces: Vec<_> = body.chunks(7).map(<[u8]>::to_vec).collect();
                let pieces = pieces.into_iter().map(Ok::<_, std::io::Error>);
                reqwest::Body::wrap_stream(futures::stream::iter(pieces))
            }
        };
        let answer = send(gateway.request(path, body).bearer_auth(&token)).await;
        made += usize::from(is_call(&case, &answer));
    }
    check_calls(&gateway, &token, made).await;
}

#[tokio::test]
async fn bodies_in_other_forms() {
    let (gateway, token) = Gateway::start().await;
    let good = r#"{"campaign_name":"reminders","to_number":"+15005550006"}"#;
    for (case, body) in [
        ("a BOM", format!("\u{feff}{good}").into_bytes()),
        ("UTF-16", good.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("a NUL after it", format!("{good}\0").into_bytes()),
        ("a comment", format!("/**/{good}").into_bytes()),
        ("NaN", br#"{"campaign_name":"reminders","to_number":"+1500","priority":NaN}"#.to_vec()),
        ("1e400", br#"{"campaign_name":"reminders","to_number":"+1500","priority":1e400}"#.to_vec()),
        (
            "a long number",
            format!(r#"{{"campaign_name":"reminders","priority":{}}}"#, "9".repeat(400)).into_bytes(),
        ),
        (
            "a key twice, once escaped",
            br#"{"campaign_name":"reminders","to_number":"+15005550006","to_numbe\u0072":"+15005550007"}"#
                .to_vec(),
        ),
    ] {
        let answer = send(gateway.request("/api/makecall", body).bearer_auth(&token)).await;
        assert_eq!(answer.status, 422, "{case}: {answer:?}");
        assert!(!is_call(case, &answer));
    }
    let too_long = (0..20).map(|_| Ok::<_, std::io::Error>(vec![b' '; 64 * 1024]));
    let too_long = reqwest::Body::wrap_stream(futures::stream::iter(too_long));
    let answer = send(
        gateway
            .request("/api/makecall", too_long)
            .bearer_auth(&token),
    )
    .await;
    assert_eq!(answer.status, 413, "{answer:?}");
    check_calls(&gateway, &token, 0).await;
}
