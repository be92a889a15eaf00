//! Requests to a router against the published schemas.

use super::{
    Requests, UUID, anything, cases, matching, messages, names, number, spoiled, validators, yes_no,
};
use iradialer_core::router_request::{RouterBody, RouterRequest};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::BoxedStrategy;
use serde_json::{Value, json};

fn list(of: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    proptest::collection::vec(of, 0..4)
        .prop_map(Value::from)
        .boxed()
}

fn object() -> BoxedStrategy<Value> {
    select(vec![
        json!({}),
        json!({"proxy": "sip.example.net"}),
        json!({"order": 7, "x": [1]}),
    ])
    .boxed()
}

const DID_RANGE: &str = "[0-9]{3,10}-[0-9]{3,10}";

/// Every request and its fields, as the documentation has them.
fn requests() -> Requests {
    let name = || ("name", true, matching("[a-zA-Z0-9_-]{2,30}"));
    let campaign = || ("campaign", false, matching("[a-zA-Z0-9_-]{1,60}"));
    let gateway = || {
        let range = list(matching(DID_RANGE));
        (matching("[a-z]{1,20}"), proptest::option::of(range))
            .prop_map(|(name, range)| match range {
                Some(range) => json!({"name": name, "did_range": range}),
                None => json!({ "name": name }),
            })
            .boxed()
    };
    let instances = || {
        vec![
            (
                "event_subject",
                false,
                matching("[a-z]{1,10}(\\.[A-Za-z0-9_-]{1,10}){1,5}"),
            ),
            ("key", true, matching("pod_id|ip_address|machine_id|any")),
            ("key_data", false, matching("[ -~]{0,30}")),
            ("password", true, matching("[ -~]{0,30}")),
        ]
    };
    vec![
        (
            "request_make_call",
            vec![
                ("campaign", true, matching("[a-zA-Z0-9_-]{2,60}")),
                ("call_uuid", false, matching(UUID)),
                ("tenant_id", true, matching("[a-zA-Z0-9_-]{2,20}")),
                ("to_number", true, matching("\\+?[0-9]{3,15}")),
                ("from_number", false, matching("(\\+?[0-9]{3,15})?")),
                (
                    "event_subject",
                    true,
                    matching("ira\\.client\\.[a-z]{1,20}"),
                ),
                ("cpa_config", false, matching("[a-z]{0,15}")),
                ("dial_timeout", false, number(5..=600)),
                ("channel_vars", false, object()),
                ("call_params", false, object()),
                (
                    "conf_uuid",
                    false,
                    matching("CONF-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
                ),
                ("add_to_conf", false, matching(UUID)),
                ("join_conf", false, yes_no()),
            ],
        ),
        (
            "request_add_campaign_name",
            vec![
                ("name", true, matching("[a-zA-Z0-9_-]{2,55}")),
                ("active", false, yes_no()),
                ("max_limit", true, number(1..=100_000)),
                ("gateways", true, list(gateway())),
            ],
        ),
        (
            "request_manage_campaign_name",
            vec![
                ("name", true, matching("[a-zA-Z0-9_-]{2,55}")),
                ("active", false, yes_no()),
                ("max_limit", false, number(1..=100_000)),
            ],
        ),
        (
            "request_delete_campaign_name",
            vec![("name", true, matching("[a-zA-Z0-9_-]{2,55}"))],
        ),
        (
            "request_add_sip_gateway",
            vec![
                name(),
                ("sip_profile", false, matching("[a-z]{2,15}")),
                ("enable", true, yes_no()),
                ("capacity", true, number(1..=10_000)),
                ("cps", true, number(1..=1_000)),
                ("params", true, object()),
                ("variables", false, object()),
                ("disable_after", false, number(0..=1_000)),
                ("hop_count", false, number(0..=100)),
                (
                    "dialer_ip_list",
                    true,
                    list(matching("192\\.0\\.2\\.[0-9]")),
                ),
                ("did_prefix", false, matching("\\+?[0-9]{2,10}")),
                ("did_range", false, list(matching(DID_RANGE))),
            ],
        ),
        (
            "request_manage_sip_gateway",
            vec![
                name(),
                ("sip_profile", false, matching("[a-z]{2,15}")),
                (
                    "action",
                    true,
                    matching("delete|enable|disable|clear|resize"),
                ),
                // Required where the action is to resize.
                ("new_size", true, number(1..=10_000)),
                ("hop_count", false, number(0..=100)),
            ],
        ),
        (
            "request_sip_gateway_list",
            vec![("dialer_ip", true, matching("192\\.0\\.2\\.[0-9]"))],
        ),
        ("get_queue_size", vec![]),
        ("get_gateway_queue_size", vec![campaign()]),
        ("get_queue_params", vec![]),
        (
            "set_queue_params",
            vec![
                ("max_total_queue_size", false, number(1..=200_000)),
                ("short_delay", false, number(5..=10)),
                ("long_delay", false, number(20..=100)),
                (
                    "cps_percent",
                    false,
                    (0.1..=1.0f64).prop_map(Value::from).boxed(),
                ),
                ("enable_firing_calls", false, yes_no()),
                ("dial_timeout", false, number(10..=100)),
                (
                    "working_hours",
                    false,
                    matching("([01][0-9]|2[0-3])[0-5][0-9]-([01][0-9]|2[0-3])[0-5][0-9]"),
                ),
            ],
        ),
        ("remove_calls_from_queue", vec![campaign()]),
        ("request_activate_instance", instances()),
        ("request_deactivate_instance", instances()),
        ("request_get_instance_data", instances()),
    ]
}

fn parse(message: &Value) -> Result<RouterRequest, iradialer_core::live::Refused> {
    RouterRequest::parse(message.to_string().as_bytes())
}

#[test]
fn every_published_request_is_known_here_and_every_one_here_is_published() {
    let Some(validators) = validators("router") else {
        return;
    };
    assert_eq!(names(&requests()), validators.keys().collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn what_is_in_range_is_read_and_what_is_written_is_read_again((event_name, message, _) in messages(requests())) {
        let request = parse(&message).map_err(|refused| TestCaseError::fail(format!("{message}: {refused:?}")))?;
        prop_assert!(request.ignored.is_empty());
        let written = request.to_json();
        prop_assert_eq!(&written["event_name"], &json!(event_name));
        prop_assert_eq!(parse(&written).unwrap(), request);
    }

    #[test]
    fn nothing_at_all_makes_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = RouterRequest::parse(&bytes);
    }
}

#[test]
fn the_schemas_take_what_is_read_and_what_is_written() {
    let Some(validators) = validators("router") else {
        return;
    };
    proptest!(cases(4_000), |(
        (event_name, message, field) in messages(requests()),
        instead in proptest::option::of(anything()),
    )| {
        let validator = &validators[&event_name];
        prop_assert!(validator.is_valid(&message), "{}", message);
        let request = parse(&message).unwrap();
        prop_assert!(validator.is_valid(&request.to_json()), "{}", request.to_json());
        // Spoiled in one place it is refused, or the schema takes it too.
        let spoiled = spoiled(message, field, instead);
        match parse(&spoiled) {
            Ok(_) => prop_assert!(validator.is_valid(&spoiled), "{} was read", spoiled),
            Err(refused) => {
                let field = refused.mistake.as_ref().map_or("", |mistake| &mistake.field);
                prop_assert!(field.starts_with("event_data."), "{}: {:?}", spoiled, refused);
            }
        }
    });
}

#[test]
fn the_published_faults_are_borne_and_not_repeated() {
    // In draft-07 `items: [{…}]` looks at the first alone.
    let lists = |gateways: Value| {
        json!({"event_name": "request_add_campaign_name", "event_data": {
            "name": "surveys", "max_limit": 5, "gateways": gateways}})
    };
    let second = lists(json!([{"name": "a"}, {"name": "b", "did_range": ["100-200", "x"]}]));
    let refused = parse(&second).unwrap_err();
    assert_eq!(
        refused.mistake.unwrap().field,
        "event_data.gateways[1].did_range[1]"
    );
    let no_name = lists(json!([{"name": "a"}, {}]));
    assert_eq!(
        parse(&no_name).unwrap_err().mistake.unwrap().field,
        "event_data.gateways[1].name"
    );
    if let Some(validators) = validators("router") {
        for message in [&second, &no_name] {
            assert!(
                validators["request_add_campaign_name"].is_valid(message),
                "{message}"
            );
        }
    }
    // Required there, of any form; and not there where nothing is to be said.
    for data in [json!(null), json!({}), json!(7), json!("")] {
        let message = json!({"event_name": "get_queue_params", "event_data": data});
        assert_eq!(parse(&message).unwrap().body, RouterBody::QueueParams);
    }
    let bare = json!({"event_name": "get_queue_params"});
    assert_eq!(parse(&bare).unwrap().body, RouterBody::QueueParams);
    assert!(parse(&json!({"event_name": "get_queue_size"})).is_ok());
    // What is not published is told, and whose campaign it is may be said.
    let more = json!({"event_name": "request_delete_campaign_name",
        "event_data": {"name": "surveys", "tenant_id": "acme", "colour": "red"}, "sender": 7});
    let request = parse(&more).unwrap();
    assert_eq!(request.ignored, ["colour", "sender"]);
    assert_eq!(request.tenant_id.unwrap().as_str(), "acme");
}

#[test]
fn a_campaign_has_two_names_and_a_third_one_empties_no_queue() {
    let remove = |data: Value| {
        parse(&json!({"event_name": "remove_calls_from_queue", "event_data": data}))
            .map(|request| request.body)
            .map_err(|refused| refused.mistake.unwrap().field)
    };
    let of_surveys = RouterBody::RemoveCalls(Some("surveys".to_owned()));
    for data in [
        json!({"campaign": "surveys"}),
        json!({"campaign_name": "surveys"}),
        json!({"campaign": "surveys", "campaign_name": "surveys"}),
    ] {
        assert_eq!(remove(data).as_ref(), Ok(&of_surveys));
    }
    for (data, field) in [
        (
            json!({"campaign": "surveys", "campaign_name": "news"}),
            "event_data.campaign",
        ),
        (json!({"campain": "surveys"}), "event_data.campain"),
    ] {
        assert_eq!(remove(data).as_ref().map_err(String::as_str), Err(field));
    }
    assert_eq!(remove(json!({})), Ok(RouterBody::RemoveCalls(None)));
    let size =
        json!({"event_name": "get_gateway_queue_size", "event_data": {"campaign_name": "news"}});
    let of_news = RouterBody::GatewayQueueSize(Some("news".to_owned()));
    assert_eq!(parse(&size).unwrap().body, of_news);
}

#[test]
fn a_password_is_not_shown() {
    let message = json!({"event_name": "request_activate_instance",
        "event_data": {"key": "any", "password": "s3cret"}});
    assert!(!format!("{:?}", parse(&message).unwrap()).contains("s3cret"));
}
