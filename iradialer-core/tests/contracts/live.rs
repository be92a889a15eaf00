//! Live requests against the published schemas.

use super::{
    FieldOf, Requests, UUID, anything, cases, matching, messages, names, number, spoiled,
    validators, yes_no,
};
use iradialer_core::live::{Body, Request};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::BoxedStrategy;
use serde_json::{Value, json};

fn text(values: &'static [&'static str]) -> BoxedStrategy<Value> {
    select(values).prop_map(Value::from).boxed()
}

const FILE: &str = "[a-zA-Z0-9_]{1,20}(/[a-z0-9][a-z0-9._-]{0,20}){0,2}\\.wav";
const ADDRESS: &str = "https://[a-z]{1,10}\\.example(/[a-z0-9%._~-]{0,20}){0,3}(\\?[a-z=&]{0,20})?";
const SPEECH: &str = "[A-Za-z0-9{][ -~äöü]{0,200}";

/// Every request and its fields, as the documentation has them.
fn requests() -> Requests {
    let subject = || {
        (
            "event_subject",
            false,
            matching("[a-z]{1,10}(\\.[A-Za-z0-9_-]{1,10}){1,5}"),
        )
    };
    let call = || ("call_uuid", true, matching(UUID));
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
        ("add_to_conf", false, matching(UUID)),
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

fn parse(message: &Value) -> Result<Request, iradialer_core::live::Refused> {
    Request::parse(message.to_string().as_bytes())
}

#[test]
fn every_published_request_is_known_here_and_every_one_here_is_published() {
    let Some(validators) = validators("dialer") else {
        return;
    };
    // `request_queue` is a router's, though it lies in the dialer's folder.
    let published: Vec<_> = validators
        .keys()
        .filter(|name| name.starts_with("request_") && *name != "request_queue")
        .collect();
    assert_eq!(names(&requests()), published);
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn what_is_in_range_is_read_and_what_is_written_is_published((event_name, message, _) in messages(requests())) {
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
    let Some(validators) = validators("dialer") else {
        return;
    };
    proptest!(cases(3_000), |(
        (event_name, message, field) in messages(requests()),
        instead in proptest::option::of(anything()),
    )| {
        let validator = &validators[&event_name];
        prop_assert!(validator.is_valid(&message), "{}", message);
        let request = parse(&message).unwrap();
        if !matches!(request.body, Body::Gateway(..)) {
            prop_assert!(validator.is_valid(&request.to_json()), "{}", request.to_json());
        }
        // Spoiled in one place it is refused, or the schema takes it too.
        let spoiled = spoiled(message, field, instead);
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
