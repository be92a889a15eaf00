//! Flows that mean no good, or would do none: each is refused by name when it is checked, or does no harm when it
//! is run. And the flow that the language was first drawn up with.

use iradialer_core::flow::{CallFacts, FlowEndWhy, MAX_TEXT, Rehearsal, Rehearsed, parse};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn flow(nodes: Value) -> Vec<u8> {
    let flow = json!({"version": 1, "name": "hostile", "start": "first", "no_agent": "a test", "nodes": nodes});
    flow.to_string().into_bytes()
}

fn rehearsed(json: &[u8], keys: &[&str]) -> Rehearsed {
    let (flow, _) = parse(json).unwrap_or_else(|findings| panic!("{findings:#?}"));
    let rehearsal = Rehearsal {
        keys: keys.iter().map(|keys| (*keys).to_owned()).collect(),
        ..Rehearsal::default()
    };
    rehearsal.of(&flow, &CallFacts::default(), &())
}

#[test]
fn a_ring_that_a_silent_caller_could_ride_is_refused_by_its_nodes() {
    let findings = parse(&flow(json!({
        "first": {"play": [{"silence": 100}], "next": "wait"},
        "wait": {"wait": {"ms": 1000, "until_key": true}, "next": "ask"},
        "ask": {"menu": {"prompt": [{"silence": 100}], "choices": {"1": "@hangup"}, "exhausted": "first"}}
    })))
    .unwrap_err();
    let ring = findings
        .iter()
        .find(|it| it.message.contains("goes round for ever"));
    let ring = ring.unwrap_or_else(|| panic!("{findings:#?}"));
    for node in ["first", "wait", "ask"] {
        assert!(ring.message.contains(node), "{}", ring.message);
    }
}

/// What a variable is set to may name it; it is what it was before, and nothing is filled in twice.
#[test]
fn a_variable_that_is_made_of_itself_does_not_grow_for_ever() {
    let nodes = json!({
        "first": {"set": {"a": "x{{vars.b}}", "b": "{{vars.a}}"}, "next": "again"},
        "again": {"menu": {"prompt": [{"silence": 100}], "choices": {"1": "double"}, "exhausted": "@hangup"}},
        "double": {"set": {"a": "{{vars.a}}{{vars.a}}{{{{"}, "next": "again"}
    });
    // Braces that begin no name are a mistake of their own.
    assert!(parse(&flow(nodes.clone())).is_err());
    let mut nodes = nodes;
    nodes["double"]["set"]["a"] = json!("{{vars.a}}{{vars.a}}");
    let end = rehearsed(&flow(nodes), &["1"; 60]).end;
    assert_eq!(end.why, FlowEndWhy::Done);
    assert_eq!(end.variables["a"].chars().count(), MAX_TEXT);
    assert!(end.variables["b"].chars().count() <= MAX_TEXT);
}

#[test]
fn a_pattern_that_would_backtrack_takes_no_time() {
    let digits = "1".repeat(31) + "2";
    for pattern in ["^(1+)+$", "^(1|11|1?1)*$", "^(.*)*3$", "^([0-9]+)*[0-9]*0$"] {
        let nodes = json!({"first": {
            "collect": {"prompt": [{"silence": 100}], "var": "code", "min_digits": 1, "max_digits": 32,
                        "pattern": pattern, "exhausted": "@hangup"},
            "next": "@hangup"}});
        let begun = Instant::now();
        let end = rehearsed(&flow(nodes), &[&digits]).end;
        assert_eq!(
            (end.why, &end.variables["code"]),
            (FlowEndWhy::Done, &digits),
            "{pattern}"
        );
        // Where a pattern is tried out way by way it takes years.
        assert!(begun.elapsed() < Duration::from_secs(10), "{pattern}");
    }
}

/// Groups that refer back to what they matched are what makes matching slow; the language has none.
#[test]
fn patterns_can_not_refer_back_or_look_around() {
    for pattern in [r"^(1)\1$", "^(?=1)1$", "^(?<!0)1$"] {
        let nodes = json!({"first": {
            "collect": {"prompt": [{"silence": 100}], "var": "code", "min_digits": 1, "max_digits": 2,
                        "pattern": pattern, "exhausted": "@hangup"},
            "next": "@hangup"}});
        let findings = parse(&flow(nodes)).unwrap_err();
        assert!(
            findings.iter().any(|it| it.path.contains("pattern")),
            "{pattern}: {findings:#?}"
        );
    }
}

/// The flow that the language was designed by.
const DESIGNED: &str = r##"{
  "version": 1,
  "name": "appointment",
  "start": "hello",
  "nodes": {
    "hello":   {"play": [{"file": "hello.wav"}, {"tts": "Hello {{vars.first_name}}."}], "next": "menu"},
    "menu":    {"menu": {"prompt": [{"file": "menu.wav"}],
                         "choices": {"1": "confirm", "2": "moved", "9": "optout", "0": "agent", "*": "@back"},
                         "timeout_ms": 5000, "retries": 2, "no_input": [{"file": "still_there.wav"}],
                         "invalid": [{"file": "sorry.wav"}], "exhausted": "agent"}},
    "moved":   {"collect": {"prompt": [{"file": "enter_date.wav"}], "var": "date", "min_digits": 4, "max_digits": 4,
                            "terminators": "#", "timeout_ms": 6000, "inter_digit_ms": 2500, "pattern": "^[0-3][0-9][01][0-9]$",
                            "retries": 2, "exhausted": "agent"}, "next": "thanks"},
    "optout":  {"confirm": {"prompt": [{"file": "optout_sure.wav"}], "yes": "1", "timeout_ms": 5000, "retries": 1},
                "irreversible": true, "yes_next": "stop", "no_next": "menu"},
    "stop":    {"dnc": {"scope": "tenant"}, "next": "thanks"},
    "confirm": {"set": {"status": "confirmed"}, "next": "thanks"},
    "agent":   {"transfer": {"destination": "+14155550100", "timeout_s": 25}, "failed": "thanks"},
    "thanks":  {"play": [{"file": "bye.wav"}], "next": "@hangup"}
  }
}"##;

#[test]
fn the_designed_flow_may_be_run() {
    let (_, findings) = parse(DESIGNED.as_bytes()).unwrap_or_else(|errors| panic!("{errors:#?}"));
    // Both ask again without a word to someone who says nothing: true, and no reason to refuse it.
    let silent = ["nodes.moved", "nodes.optout"];
    assert_eq!(findings.len(), silent.len(), "{findings:#?}");
    for (finding, node) in findings.iter().zip(silent) {
        assert!(
            finding.path.starts_with(node) && finding.path.ends_with("no_input"),
            "{finding:?}"
        );
    }
    let moved = rehearsed(DESIGNED.as_bytes(), &["2", "2412"]);
    assert_eq!(moved.end.why, FlowEndWhy::Done);
    assert_eq!(moved.end.variables["date"], "2412");
    assert_eq!(moved.nodes(), ["hello", "menu", "moved", "thanks"]);
    let out = rehearsed(DESIGNED.as_bytes(), &["9", "1"]);
    assert_eq!(out.nodes(), ["hello", "menu", "optout", "stop", "thanks"]);
    let silent = rehearsed(DESIGNED.as_bytes(), &[]);
    assert_eq!(silent.nodes(), ["hello", "menu", "agent"]);
}
