//! JSON by chance, made of the words of the language: much of it is nearly a flow.

use crate::flow::Step;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const FIELDS: [&str; 44] = [
    "prompt",
    "choices",
    "exhausted",
    "var",
    "max_digits",
    "pattern",
    "retries",
    "no_input",
    "invalid",
    "yes",
    "no",
    "cases",
    "default",
    "kind",
    "value",
    "language",
    "currency",
    "with",
    "max_ms",
    "terminators",
    "beep",
    "url",
    "send",
    "sets",
    "leads_to",
    "timeout_ms",
    "destination",
    "whisper",
    "deflect",
    "scope",
    "ms",
    "until_key",
    "cause",
    "flow",
    "next",
    "failed",
    "error",
    "yes_next",
    "no_next",
    "file",
    "tts",
    "silence",
    "tone",
    "hz",
];

fn leaf() -> impl Strategy<Value = Value> {
    let words = vec![
        "a",
        "b",
        "@back",
        "@hangup",
        "1",
        "#",
        "hello.wav",
        "{{vars.x}}",
        "{{",
        "{{a}}",
        "https://example.com/",
        "en",
        "number",
        "money",
        "2026-11-21",
        "tenant",
        "^(a+)+$",
        "((((",
        "09:00-17:00",
        "mon-fri",
        "",
    ];
    prop_oneof![
        6 => prop::sample::select(words).prop_map(Value::from),
        2 => (-1_i64..100_000).prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => "\\PC{0,20}".prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 40, 6, |inner| {
        let key = prop::sample::select(FIELDS.to_vec());
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((key, inner), 0..6).prop_map(object),
        ]
    })
}

fn object(members: Vec<(&'static str, Value)>) -> Value {
    let members: Map<String, Value> = members
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    Value::Object(members)
}

/// Any JSON, or a flow of nodes with anything in them.
pub fn any_json() -> impl Strategy<Value = Value> {
    let exits = vec(
        (
            prop::sample::select(vec!["next", "failed", "error", "yes_next"]),
            leaf(),
        ),
        0..3,
    );
    let node = (prop::sample::select(Step::NAMES.to_vec()), value(), exits).prop_map(
        |(step, value, exits)| {
            let mut node = object(exits);
            node[step] = value;
            node
        },
    );
    let flow = vec(node, 1..4).prop_map(|nodes| {
        let nodes: Map<String, Value> = nodes
            .into_iter()
            .zip(["a", "b", "c"])
            .map(|(node, name)| (name.to_owned(), node))
            .collect();
        json!({"version": 1, "name": "any", "start": "a", "nodes": nodes})
    });
    prop_oneof![3 => flow, 1 => value()]
}
