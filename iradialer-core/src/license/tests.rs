//! Licences: what is signed reads back, and whatever was changed is refused.

use super::*;
use crate::flow;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;

const DAY_S: u64 = 86_400;
const NOW_S: u64 = 1_790_000_000;

static KEY: LazyLock<SigningKey> = LazyLock::new(fresh_key);

fn fresh_key() -> SigningKey {
    SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap()
}

fn cluster(name: &str) -> ClusterName {
    ClusterName::parse("cluster", name).unwrap()
}

fn license() -> License {
    License {
        license_id: Uuid::from_u128(7),
        serial: 3,
        customer: "Acme & Söhne".to_owned(),
        cluster: None,
        issued_s: NOW_S,
        not_before_s: NOW_S,
        expires_s: NOW_S + 365 * DAY_S,
        limits: Limits {
            max_channels: 500,
            max_cps: 12.5,
            max_switches: 4,
            features: Features::ALL,
            grace_s: 3_600,
        },
    }
}

/// A token of this payload that is signed, whatever it says.
fn signed(payload: &str) -> String {
    let message = format!("IRA1.{}", URL_SAFE_NO_PAD.encode(payload));
    let signature = KEY.sign(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn keys() -> [PublicKey; 1] {
    [KEY.public()]
}

#[test]
fn what_is_issued_reads_back() {
    for cluster in [None, Some(cluster("ira"))] {
        let license = License {
            cluster,
            ..license()
        };
        let token = issue(&license, &KEY).unwrap();
        let other = fresh_key().public();
        let signed = verify(&token, &[other, KEY.public()]).unwrap();
        assert_eq!(signed.license, license);
        assert_eq!(signed.key_id, KEY.public().id());
        assert_eq!(read(&token).unwrap(), signed);
    }
}

#[test]
fn every_changed_byte_is_refused() {
    let token = issue(&license(), &KEY).unwrap();
    let mut reasons = std::collections::BTreeSet::new();
    for place in 0..token.len() {
        for other in ["A", "z", "0", "-", "_", ".", "=", " ", "é", "\0"] {
            if token[place..].starts_with(other) {
                continue;
            }
            let changed = format!("{}{other}{}", &token[..place], &token[place + 1..]);
            let refusal = verify(&changed, &keys()).unwrap_err();
            reasons.insert(refusal.name());
        }
        let shorter = format!("{}{}", &token[..place], &token[place + 1..]);
        verify(&shorter, &keys()).unwrap_err();
    }
    // The payload names its key too: where that name is what was changed, it is some other key's.
    let known = ["changed", "not_a_license", "wrong_key"];
    assert!(
        reasons.iter().all(|name| known.contains(name)),
        "{reasons:?}"
    );
    assert!(reasons.contains("changed"), "{reasons:?}");
}

#[test]
fn another_keys_signature_is_told_from_a_change() {
    let token = issue(&license(), &KEY).unwrap();
    let other = fresh_key().public();
    let refusal = verify(&token, &[other]).unwrap_err();
    assert_eq!(refusal, Refusal::WrongKey(KEY.public().id()));
    assert_eq!(verify(&token, &[]).unwrap_err().name(), "wrong_key");
    // One's signature under another's payload.
    let others = issue(
        &License {
            serial: 4,
            ..license()
        },
        &KEY,
    );
    let (message, _) = token.rsplit_once('.').unwrap();
    let other_signature = others.unwrap();
    let (_, other_signature) = other_signature.rsplit_once('.').unwrap();
    let mixed = format!("{message}.{other_signature}");
    assert_eq!(verify(&mixed, &keys()), Err(Refusal::Changed));
}

#[test]
fn it_holds_from_its_beginning_to_its_end_in_its_cluster() {
    let license = License {
        cluster: Some(cluster("ira")),
        ..license()
    };
    let (from, until) = (license.not_before_s, license.expires_s);
    let at = |at_s| license.check(&cluster("ira"), at_s);
    assert_eq!(at(from - 1), Err(Refusal::NotYetValid(from)));
    assert_eq!((at(from), at(until - 1)), (Ok(()), Ok(())));
    assert_eq!(at(until), Err(Refusal::Expired(until)));
    let elsewhere = license.check(&cluster("other"), from).unwrap_err();
    assert_eq!(
        elsewhere.to_string(),
        "it is for the cluster ira, and this is other"
    );
    assert_eq!(
        at(until).unwrap_err().to_string(),
        "it expired at 2027-09-21T14:13:20Z"
    );
}

#[test]
fn a_field_that_is_wrong_is_named_though_it_is_signed() {
    let good = payload::write(&license(), &KEY.public().id());
    assert!(verify(&signed(&good.to_string()), &keys()).is_ok());
    for (field, value) in [
        ("license_id", json!("x")),
        ("serial", json!(0)),
        ("serial", json!(1.5)),
        ("serial", json!("3")),
        ("serial", json!(u64::MAX)),
        ("customer", json!("")),
        ("customer", json!(" Acme")),
        ("customer", json!("a\nb")),
        ("customer", json!("x".repeat(101))),
        ("cluster", json!("a.b")),
        ("issued_at", json!(5)),
        ("not_before", json!("2026-09-21T14:13:20.5Z")),
        ("expires_at", json!("2020-01-01T00:00:00Z")),
        ("expires_at", json!("soon")),
        ("max_channels", json!(0)),
        ("max_channels", json!(1_000_001)),
        ("max_cps", json!(0)),
        ("max_cps", json!(-1)),
        ("max_cps", json!(1e9)),
        ("max_cps", json!("5")),
        ("max_switches", json!(0)),
        ("features", json!("ivr")),
        ("features", json!(["ivr", "moon"])),
        ("features", json!(["ivr", "ivr"])),
        ("features", json!([1])),
        ("grace_s", json!(59)),
        ("price", json!(1)),
    ] {
        let mut bad = good.clone();
        bad[field] = value.clone();
        match verify(&signed(&bad.to_string()), &keys()) {
            Err(Refusal::Field(error)) => assert_eq!(error.field, field, "{value}"),
            other => panic!("{field} {value}: {other:?}"),
        }
    }
    for field in good.as_object().unwrap().keys() {
        let mut bad = good.clone();
        bad.as_object_mut().unwrap().remove(field);
        let read = verify(&signed(&bad.to_string()), &keys());
        assert_eq!(
            read.is_ok(),
            ["cluster", "key_id"].contains(&&**field),
            "{field}"
        );
    }
}

#[test]
fn what_is_no_licence_is_said_to_be_none() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let twice = payload::write(&license(), "x").to_string();
    let twice = twice.replacen('{', r#"{"serial":1,"#, 1);
    for text in [
        "",
        "IRA1",
        "IRA1..",
        "IRA2.e30.AA",
        "IRA1.e30",
        "hello.there",
        &"x".repeat(MAX_TOKEN_BYTES + 1),
    ] {
        let refusal = verify(text, &keys()).unwrap_err();
        assert!(
            ["not_a_license", "changed"].contains(&refusal.name()),
            "{text}"
        );
    }
    for payload in ["", "[]", "{", "\u{0}", &deep, &twice] {
        let refusal = verify(&signed(payload), &keys()).unwrap_err();
        assert_eq!(refusal.name(), "not_a_license", "{payload}");
    }
}

#[test]
fn keys_are_what_other_tools_write() {
    // As `openssl genpkey -algorithm ed25519` writes one (RFC 8410, section 10.3, the first of its examples).
    let pem = "-----BEGIN PRIVATE KEY-----\n\
               MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
               -----END PRIVATE KEY-----\n";
    let key = SigningKey::from_pem(pem).unwrap();
    // The public key of the same example.
    let public = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
    assert_eq!(key.public().to_string(), public);
    let read = PublicKey::parse("public_keys.0", public).unwrap();
    assert_eq!(read, key.public());
    assert_eq!(read.id().len(), 16);
    for text in ["", "AAAA", "not base64", &public[1..]] {
        let error = PublicKey::parse("public_keys.0", text).unwrap_err();
        assert_eq!(error.field, "public_keys.0");
    }
    for text in [
        "",
        "-----BEGIN PRIVATE KEY-----",
        &pem.replace("MC4", "MC5"),
    ] {
        assert!(SigningKey::from_pem(text).is_err(), "{text}");
    }
}

#[test]
fn nothing_is_issued_that_could_not_be_read() {
    let bad = License {
        expires_s: NOW_S,
        ..license()
    };
    assert_eq!(issue(&bad, &KEY).unwrap_err().field, "expires_at");
}

#[test]
fn what_a_flow_takes() {
    let flow = |nodes: Value, record: Value| {
        let mut flow = json!({"version": 1, "name": "f", "start": "a", "nodes": nodes});
        if !record.is_null() {
            flow["record_call"] = record;
        }
        flow::parse(flow.to_string().as_bytes()).unwrap().0
    };
    let of = |step: Value, record: Value| {
        let nodes = json!({"a": step, "end": {"hangup": {}}});
        Features::of_flow(&flow(nodes, record)).to_string()
    };
    let plain = json!({"play": [{"file": "a.wav"}], "next": "end"});
    assert_eq!(of(plain.clone(), Value::Null), "ivr");
    assert_eq!(of(plain, json!("stereo")), "ivr, recording");
    let spoken = json!({"play": [{"tts": {"text": "hello"}}], "next": "end"});
    assert_eq!(of(spoken, Value::Null), "ivr, tts");
    let record = json!({"record": {"var": "v"}, "next": "end"});
    assert_eq!(of(record, Value::Null), "ivr, recording");
    let transfer = json!({"transfer": {"destination": "+15005550006"}, "failed": "end"});
    assert_eq!(of(transfer, Value::Null), "ivr, transfer");
    let some = Features::NONE.with(Feature::Ivr).with(Feature::Cpa);
    let needs = Features::NONE.with(Feature::Ivr).with(Feature::Tts);
    assert_eq!(some.lacks(needs), Some(Feature::Tts));
    assert_eq!(Features::ALL.lacks(needs), None);
    assert_eq!(serde_json::to_string(&some).unwrap(), r#"["ivr","cpa"]"#);
}

fn any_license() -> impl Strategy<Value = License> {
    let of = (any::<u128>(), 1..=(1u64 << 53) - 1, "[A-Za-z0-9ÄéΩ]{1,30}");
    let when = (
        0u64..4_000_000_000,
        0u64..4_000_000_000,
        1u64..1_000_000_000,
    );
    let how_much = (1u32..=1_000_000, 1u32..=100_000_000, 1u32..=10_000);
    let what = (prop::collection::vec(0usize..6, 0..6), 60u32..=2_592_000);
    let bound = prop::option::of("[a-zA-Z0-9_-]{1,30}");
    (of, when, how_much, what, bound).prop_map(|(of, when, how_much, what, bound)| License {
        license_id: Uuid::from_u128(of.0),
        serial: of.1,
        customer: of.2,
        cluster: bound.map(|name| cluster(&name)),
        issued_s: when.0,
        not_before_s: when.1,
        expires_s: when.1 + when.2,
        limits: Limits {
            max_channels: how_much.0,
            max_cps: f64::from(how_much.1) / 1_000.0,
            max_switches: how_much.2,
            features: what
                .0
                .into_iter()
                .fold(Features::NONE, |all, place| all.with(Feature::ALL[place])),
            grace_s: what.1,
        },
    })
}

proptest! {
    #[test]
    fn any_licence_reads_back_and_no_change_of_it_does(
        license in any_license(), place in any::<prop::sample::Index>(), flip in 1u8..=255,
    ) {
        let token = issue(&license, &KEY).unwrap();
        prop_assert_eq!(&verify(&token, &keys()).unwrap().license, &license);
        let mut bytes = token.into_bytes();
        let place = place.index(bytes.len());
        bytes[place] ^= flip;
        if let Ok(changed) = String::from_utf8(bytes) {
            prop_assert!(verify(&changed, &keys()).is_err());
        }
    }

    #[test]
    fn no_text_breaks_the_reader(text in "\\PC{0,200}", rest in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = verify(&text, &keys());
        let _ = verify(&signed(&text), &keys());
        let _ = verify(&format!("IRA1.{}.AA", URL_SAFE_NO_PAD.encode(&rest)), &keys());
        let _ = SigningKey::from_pem(&text);
    }
}
