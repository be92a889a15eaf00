//! Messages against the product's published schemas, both ways: what a schema takes within the ranges of the
//! documentation is read, what is read the schema takes, and so it does what is written.
//!
//! The schemas are no part of this repository. `EPICODE_CONTRACTS` names their folder; without it one is looked for at
//! `shared/contracts/epicode` next to the repository. Where there is none the tests that need them say so and do
//! nothing. What is known of live requests without them is in `tests/live_requests.rs`.

mod live;
mod router;

use jsonschema::Validator;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::BoxedStrategy;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What the UUID of a call looks like.
const UUID: &str = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";

/// The fields of a request: name, whether it is required, and values that are in range.
type FieldOf = (&'static str, bool, BoxedStrategy<Value>);
/// Every request of a program, with its fields.
type Requests = Vec<(&'static str, Vec<FieldOf>)>;

fn contracts() -> Option<PathBuf> {
    let found = match std::env::var_os("EPICODE_CONTRACTS") {
        Some(folder) => Some(PathBuf::from(folder)),
        None => Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .map(|folder| folder.join("shared/contracts/epicode"))
            .find(|folder| folder.is_dir()),
    };
    if found.is_none() {
        eprintln!("SKIPPED: no published schemas: set EPICODE_CONTRACTS to their folder");
    }
    found
}

/// The validators of the messages in a folder of the schemas, by the name of the message.
fn validators(folder: &str) -> Option<BTreeMap<String, Validator>> {
    let folder = contracts()?.join(folder);
    let mut validators = BTreeMap::new();
    for file in std::fs::read_dir(&folder).expect("a folder of schemas") {
        let path = file.unwrap().path();
        let schema: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let names = schema["properties"]["event_name"]["enum"].as_array();
        for event_name in names.into_iter().flatten().filter_map(Value::as_str) {
            let validator = jsonschema::draft7::new(&schema).unwrap();
            validators.insert(event_name.to_owned(), validator);
        }
    }
    Some(validators)
}

/// The names of requests, in order.
fn names(requests: &Requests) -> Vec<&str> {
    let mut names: Vec<_> = requests.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names
}

fn matching(pattern: &'static str) -> BoxedStrategy<Value> {
    let texts = proptest::string::string_regex(pattern).unwrap();
    texts.prop_map(Value::from).boxed()
}

fn number(range: std::ops::RangeInclusive<u32>) -> BoxedStrategy<Value> {
    // A whole number may be written with a fraction of nothing.
    prop_oneof![
        range.clone().prop_map(Value::from),
        range.prop_map(|number| Value::from(f64::from(number))),
    ]
    .boxed()
}

fn yes_no() -> BoxedStrategy<Value> {
    any::<bool>().prop_map(Value::from).boxed()
}

/// A message of any request that is in range, with the name of one of its fields where it has any.
fn messages(requests: Requests) -> impl Strategy<Value = (String, Value, String)> {
    let each = requests.into_iter().map(|(event_name, fields)| {
        let mut names: Vec<_> = fields
            .iter()
            .map(|(field, ..)| (*field).to_owned())
            .collect();
        if names.is_empty() {
            names.push("not_published".to_owned());
        }
        let values: Vec<_> = fields
            .into_iter()
            .map(|(field, required, values)| {
                let values = match required {
                    true => values.prop_map(Some).boxed(),
                    false => proptest::option::weighted(0.6, values).boxed(),
                };
                (Just(field), values)
            })
            .collect();
        (values, select(names)).prop_map(move |(values, picked)| {
            let given = values
                .into_iter()
                .filter_map(|(field, value)| Some((field.to_owned(), value?)));
            let data = Value::Object(Map::from_iter(given));
            let message = json!({"event_name": event_name, "event_data": data});
            (event_name.to_owned(), message, picked)
        })
    });
    proptest::strategy::Union::new(each.map(Strategy::boxed))
}

/// What may be put in a field's place.
fn anything() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!([])),
        Just(json!([7])),
        Just(json!([{"name": 7}])),
        Just(json!({"a": 1})),
        Just(json!(true)),
        Just(json!("")),
        Just(json!("x")),
        Just(json!("0F8FAD5B-D9CB-469F-A165-70867728950E")),
        any::<i64>().prop_map(Value::from),
        (-2.0..200.0f64).prop_map(Value::from),
        "\\PC{0,70}".prop_map(Value::from),
    ]
}

/// The message with something else in a field's place, or without that field.
fn spoiled(mut message: Value, field: String, instead: Option<Value>) -> Value {
    let data = message["event_data"].as_object_mut().unwrap();
    match instead {
        Some(instead) => drop(data.insert(field, instead)),
        None => drop(data.remove(&field)),
    }
    message
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}
