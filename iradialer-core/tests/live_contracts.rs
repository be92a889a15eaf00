//! Live requests against the product's published schemas, both ways: what a schema takes within the ranges
//! of the documentation is read, what is read the schema takes, and so it does what is written.
//!
//! The schemas are no part of this repository. `EPICODE_CONTRACTS` names their folder; without it one is
//! looked for at `shared/contracts/epicode` next to the repository. Where there is none the tests that need
//! them say so and do nothing. What is known without them is in `live_requests.rs`.

use iradialer_core::live::{Body, Request};
use jsonschema::Validator;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::BoxedStrategy;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const UUID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

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

/// The validators of the schemas of requests to a switch, by the name of the request.
fn validators() -> Option<BTreeMap<String, Validator>> {
    let folder = contracts()?.join("dialer");
    let mut validators = BTreeMap::new();
    for file in std::fs::read_dir(&folder).expect("the folder of the dialer's schemas") {
        let path = file.unwrap().path();
        let schema: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let names = schema["properties"]["event_name"]["enum"].as_array();
        for event_name in names.into_iter().flatten().filter_map(Value::as_str) {
            // One that a switch is sent; a router's answer is in this folder too.
            if event_name.starts_with("request_") {
                let validator = jsonschema::draft7::new(&schema).unwrap();
                validators.insert(event_name.to_owned(), validator);
            }
        }
    }
    Some(validators)
}

/// The fields of a request: name, whether it is required, and values that are in range.
type FieldOf = (&'static str, bool, BoxedStrategy<Value>);

fn text(values: &'static [&'static str]) -> BoxedStrategy<Value> {
    select(values).prop_map(Value::from).boxed()
}

fn matching(pattern: &'static str) -> BoxedStrategy<Value> {
    proptest::string::string_regex(pattern)
        .unwrap()
        .prop_map(Value::from)
        .boxed()
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

fn uuid() -> BoxedStrategy<Value> {
    matching("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
}

const FILE: &str = "[a-zA-Z0-9_]{1,20}(/[a-z0-9][a-z0-9._-]{0,20}){0,2}\\.wav";
const ADDRESS: &str = "https://[a-z]{1,10}\\.example(/[a-z0-9%._~-]{0,20}){0,3}(\\?[a-z=&]{0,20})?";
const SPEECH: &str = "[A-Za-z0-9{][ -~äöü]{0,200}";

/// Every request and its fields, as the documentation has them.
fn requests() -> Vec<(&'static str, Vec<FieldOf>)> {
    let subject = || {
        (
            "event_subject",
            false,
            matching("[a-z]{1,10}(\\.[A-Za-z0-9_-]{1,10}){1,5}"),
        )
    };
    let call = || ("call_uuid", true, uuid());
    let play = |what: FieldOf| {
        vec![
            call(),
            what,
            ("stop_on_key", false, yes_no()),
            ("loop_count", false, number(1..=100)),
            subject(),
        ]
    };
    let speaks = || {
        [
            ("tts_voice", false, text(&["", "en-us+f3", "default"])),
            ("tts_engine", false, text(&["", "espeak"])),
        ]
    };
    let asks = || {
        vec![
            call(),
            ("var_name", true, matching("[a-zA-Z_][a-zA-Z0-9_-]{0,63}")),
            ("timeout", false, number(5..=60)),
            ("term_keys", false, matching("[0-9*#A-D]{0,16}")),
            subject(),
        ]
    };
    let dials = || {
        vec![
            call(),
            ("gateway", true, matching("[a-zA-Z0-9_-]{1,60}")),
            ("to_number", true, matching("\\+?[0-9]{3,15}")),
            ("from_number", true, matching("(\\+?[0-9]{3,15})?")),
            ("dial_timeout", false, number(5..=600)),
        ]
    };
    let mut spoken = play(("text", true, matching(SPEECH)));
    spoken.extend(speaks());
    let mut valid = asks();
    valid.extend(speaks());
    valid.extend([
        ("minimum_digits", false, number(1..=8)),
        ("maximum_digits", false, number(8..=64)),
        ("minimum_tries", false, number(1..=10)),
        (
            "reg_expr",
            false,
            text(&["", "^[0-9]{4}$", "1|2", "^(19|20)\\d\\d$"]),
        ),
        ("audio_type", true, text(&["file"])),
        ("prompt_message", false, matching(FILE)),
        ("error_message", false, matching(FILE)),
    ]);
    let mut simple = asks();
    simple.push(("digit_count", false, number(1..=64)));
    let mut make = dials();
    make.extend([
        ("tenant_id", true, matching("[a-zA-Z0-9_-]{1,20}")),
        ("event_subject", true, text(&["ira.client.x"])),
        (
            "conf_uuid",
            false,
            text(&["CONF-0f8fad5b-d9cb-469f-a165-70867728950e"]),
        ),
        ("add_to_conf", false, uuid()),
        ("join_conf", false, yes_no()),
        ("cpa_config", false, text(&["", "default"])),
        (
            "call_params",
            false,
            text(&["x"])
                .prop_map(|value| json!({"order": value}))
                .boxed(),
        ),
    ]);
    let mut requests = vec![
        (
            "request_play_file",
            play(("filename", true, matching(FILE))),
        ),
        ("request_play_url", play(("url", true, matching(ADDRESS)))),
        ("request_play_tts", spoken),
        ("request_get_valid_dtmf", valid),
        ("request_get_simple_dtmf", simple),
        (
            "request_send_dtmf",
            vec![call(), ("digits", true, matching("[0-9*#A-DwW]{1,64}"))],
        ),
        (
            "request_bridge_call",
            vec![
                call(),
                (
                    "conf_uuid",
                    true,
                    text(&["CONF-0f8fad5b-d9cb-469f-a165-70867728950e"]),
                ),
                subject(),
            ],
        ),
        ("request_direct_bridge", dials()),
        ("request_make_call", make),
        ("request_activation", vec![("activate", true, yes_no())]),
        (
            "request_create_gateway",
            vec![
                ("gateway", true, matching("[a-z]{1,20}")),
                ("ip_address", true, text(&["192.0.2.1"])),
                ("one_way", true, yes_no()),
            ],
        ),
        (
            "request_add_sip_gateway_def",
            vec![
                ("name", true, matching("[a-z]{2,30}")),
                ("sip_profile", true, matching("[a-z]{2,15}")),
                ("gateway_definition", true, text(&["<gateway/>"])),
                (
                    "dialer_ip_list",
                    true,
                    text(&["192.0.2.1"]).prop_map(|ip| json!([ip])).boxed(),
                ),
            ],
        ),
        (
            "request_delete_sip_gateway",
            vec![
                ("name", true, matching("[a-z]{2,30}")),
                ("sip_profile", true, matching("[a-z]{2,15}")),
            ],
        ),
    ];
    for event_name in [
        "request_drop_call",
        "request_stop_play",
        "request_get_call_details",
        "request_mute_call",
        "request_unmute_call",
        "request_earmuff_on",
        "request_earmuff_off",
        "request_deaf_call",
        "request_undeaf_call",
        "request_hold_call",
        "request_unhold_call",
        "request_park_call",
    ] {
        requests.push((event_name, vec![call(), subject()]));
    }
    requests
}

/// A message of any request that is in range, with the name of one of its fields.
fn messages() -> impl Strategy<Value = (String, Value, String)> {
    let each = requests().into_iter().map(|(event_name, fields)| {
        let names: Vec<_> = fields
            .iter()
            .map(|(field, ..)| (*field).to_owned())
            .collect();
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
            (
                event_name.to_owned(),
                json!({"event_name": event_name, "event_data": data}),
                picked,
            )
        })
    });
    proptest::strategy::Union::new(each.map(Strategy::boxed))
}

/// What may be put in a field's place.
fn anything() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!([])),
        Just(json!({"a": 1})),
        Just(json!(true)),
        Just(json!("")),
        Just(json!("x")),
        Just(json!(UUID.to_uppercase())),
        any::<i64>().prop_map(Value::from),
        (-2.0..200.0f64).prop_map(Value::from),
        "\\PC{0,40}".prop_map(Value::from),
    ]
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

fn parse(message: &Value) -> Result<Request, iradialer_core::live::Refused> {
    Request::parse(message.to_string().as_bytes())
}

#[test]
fn every_published_request_is_known_here_and_every_one_here_is_published() {
    let Some(validators) = validators() else {
        return;
    };
    // A router's, which lies in the dialer's folder.
    let published: Vec<_> = validators
        .keys()
        .filter(|name| *name != "request_queue")
        .collect();
    let mut known: Vec<_> = requests()
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    known.sort();
    assert_eq!(known.iter().collect::<Vec<_>>(), published);
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn what_is_in_range_is_read_and_what_is_written_is_published((event_name, message, _) in messages()) {
        let request = parse(&message).map_err(|refused| TestCaseError::fail(format!("{message}: {refused:?}")))?;
        prop_assert!(request.ignored.is_empty());
        let written = request.to_json();
        prop_assert_eq!(&written["event_name"], &json!(event_name));
        let again = parse(&written).unwrap();
        // Of a gateway only the name is kept, as nothing is done with it.
        if !matches!(request.body, Body::Gateway(..)) {
            prop_assert_eq!(again, request);
        }
    }

    #[test]
    fn nothing_at_all_makes_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Request::parse(&bytes);
    }
}

#[test]
fn the_schemas_take_what_is_read_and_what_is_written() {
    let Some(validators) = validators() else {
        return;
    };
    proptest!(cases(3_000), |(
        (event_name, message, field) in messages(),
        instead in anything(),
        leave_out in any::<bool>(),
    )| {
        let validator = &validators[&event_name];
        prop_assert!(validator.is_valid(&message), "{}", message);
        let request = parse(&message).unwrap();
        if !matches!(request.body, Body::Gateway(..)) {
            prop_assert!(validator.is_valid(&request.to_json()), "{}", request.to_json());
        }
        // Spoiled in one place it is refused, or the schema takes it too.
        let mut spoiled = message;
        let data = spoiled["event_data"].as_object_mut().unwrap();
        match leave_out {
            true => drop(data.remove(&field)),
            false => drop(data.insert(field.clone(), instead)),
        }
        match parse(&spoiled) {
            // Nothing is done with the rest of one about a gateway, which is refused.
            Ok(request) if matches!(request.body, Body::Gateway(..)) => {}
            Ok(_) => prop_assert!(validator.is_valid(&spoiled), "{} was read", spoiled),
            Err(refused) => {
                let field = refused.mistake.as_ref().map_or("", |mistake| &mistake.field);
                prop_assert!(field.starts_with("event_data."), "{}: {:?}", spoiled, refused);
            }
        }
    });
}
