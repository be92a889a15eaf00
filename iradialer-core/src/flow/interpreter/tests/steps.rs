//! The steps beyond play, menu and collect.

use super::*;
use crate::flow::scripted_leg::{Did, ran_with};

/// A flow that begins with `first` and has nodes `a` to `e`, each of which plays its own silence and ends.
pub fn one(first: Value) -> Flow {
    let mut nodes = json!({"first": first});
    let cases =
        ["a", "b", "c", "d", "e"].map(|to| json!({"var": "vars.to", "equals": to, "next": to}));
    let pick = json!({"cases": cases, "default": "@hangup"});
    nodes["menu"] = json!({"menu": {"prompt": [{"silence": 1}], "choices": {"1": "first", "2": "pick"}, "exhausted": "@hangup"}});
    nodes["pick"] = json!({"branch": pick});
    for (name, ms) in [("a", 11), ("b", 12), ("c", 13), ("d", 14), ("e", 15)] {
        nodes[name] = json!({"play": [{"silence": ms}], "next": "@hangup"});
    }
    flow("menu", nodes)
}

pub fn facts() -> CallFacts {
    let pairs = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    };
    let page = "x".repeat(600);
    CallFacts {
        to_number: "+14155550123".to_owned(),
        from_number: "+14155550100".to_owned(),
        call_uuid: "018f-1".to_owned(),
        campaign_name: "autumn".to_owned(),
        timezone: Some("Europe/Berlin".to_owned()),
        metadata: pairs(&[("tier", "gold"), ("order", "A 7/ü")]),
        vars: pairs(&[
            ("name", "Ann"),
            ("amount", "42.5"),
            ("tricky", "{{vars.name}}"),
            ("page", &page),
        ]),
    }
}

/// The nodes come to after `menu` and `first`, of a flow that begins with `first`.
pub fn runs(first: Value, leg: ScriptedLeg) -> Ran {
    let mut leg = leg;
    leg.keys.push_front((0, '1'));
    ran_with(&one(first), &facts(), &(), leg)
}

pub fn ways(ran: &Ran) -> String {
    ran.notes.nodes[2..].concat()
}

#[test]
fn confirm_takes_a_yes_and_takes_silence_for_no() {
    let confirm = |fields: Value| {
        let mut step = json!({"prompt": [{"file": "sure.wav"}], "retries": 1, "no_input": [{"silence": 5}],
                              "timeout_ms": 1000});
        for (field, value) in fields.as_object().unwrap() {
            step[field] = value.clone();
        }
        json!({"confirm": step, "yes_next": "a", "no_next": "b"})
    };
    let cases = [
        (json!({}), "1", "a"),
        (json!({}), "2", "b"),
        (json!({}), "*", "b"),
        (json!({}), "", "b"),
        (json!({"yes": "5"}), "1", "b"),
        (json!({"yes": "5"}), "5", "a"),
        (json!({"no": "2"}), "31", "a"),
        (json!({"no": "2"}), "33", "b"),
        (json!({"no": "2", "exhausted": "c"}), "33", "c"),
        (json!({"exhausted": "c"}), "", "c"),
        (json!({"exhausted": "c"}), "7", "b"),
    ];
    for (fields, keys, way) in cases {
        let ran = runs(confirm(fields.clone()), typed(keys, 500, 500));
        assert_eq!(ways(&ran), way, "{fields} {keys}");
        let last = keys.chars().last().map_or_else(String::new, String::from);
        assert_eq!(ran.end.variables["first"], last);
    }
}

#[test]
fn the_first_case_that_holds_is_taken() {
    let branch = |cases: Value| json!({"branch": {"cases": cases, "default": "e"}});
    // 2026-11-21, a Saturday, 10:30 in Berlin.
    let saturday = ScriptedLeg {
        answered_at_ms: 1_795_253_400_000,
        ..ScriptedLeg::default()
    };
    let cases = [
        (
            json!([{"var": "vars.name", "equals": "Ann", "next": "a"}, {"var": "vars.name", "equals": "Ann", "next": "b"}]),
            "a",
        ),
        (
            json!([{"var": "vars.name", "equals": "ann", "next": "a"}, {"var": "vars.name", "in": ["Bob", "Ann"], "next": "b"}]),
            "b",
        ),
        (
            json!([{"var": "metadata.tier", "matches": "^g", "next": "a"}]),
            "a",
        ),
        (
            json!([{"var": "call.to_number", "matches": "^\\+49", "next": "a"}]),
            "e",
        ),
        (
            json!([{"var": "vars.amount", "min": 42.5, "max": 42.5, "next": "a"}]),
            "a",
        ),
        (
            json!([{"var": "vars.amount", "min": 43, "next": "a"}, {"var": "vars.amount", "max": 43, "next": "b"}]),
            "b",
        ),
        (json!([{"var": "vars.name", "min": 0, "next": "a"}]), "e"),
        (
            json!([{"var": "vars.unheard", "equals": "", "next": "a"}]),
            "a",
        ),
        (json!([{"hours": "10:00-11:00", "next": "a"}]), "a"),
        (json!([{"hours": "10:31-11:00", "next": "a"}]), "e"),
        (json!([{"hours": "09:00-10:30", "next": "a"}]), "e"),
        (
            json!([{"hours": "10:00-11:00", "days": "mon-fri", "next": "a"}, {"days": "sat", "next": "b"}]),
            "b",
        ),
        (
            json!([{"hours": "04:00-05:00", "timezone": "America/New_York", "next": "a"}]),
            "a",
        ),
        (
            json!([{"hours": "22:00-11:00", "days": "fri", "next": "a"}]),
            "a",
        ),
        (
            json!([{"hours": "22:00-11:00", "days": "sat", "next": "a"}]),
            "e",
        ),
        (json!([{"cpa": ["AM", "LV"], "next": "a"}]), "e"),
        (
            json!([{"var": "vars.name", "equals": "Ann", "days": "sun", "next": "a"}]),
            "e",
        ),
    ];
    for (cases, way) in cases {
        let leg = ScriptedLeg {
            answered_at_ms: saturday.answered_at_ms,
            ..ScriptedLeg::default()
        };
        assert_eq!(ways(&runs(branch(cases.clone()), leg)), way, "{cases}");
    }
    let heard = ScriptedLeg {
        cpa: Some("AM".to_owned()),
        ..ScriptedLeg::default()
    };
    assert_eq!(
        ways(&runs(branch(json!([{"cpa": ["AM"], "next": "a"}])), heard)),
        "a"
    );
}

#[test]
fn hours_of_a_callee_whose_zone_is_not_known_do_not_hold() {
    let first =
        json!({"branch": {"cases": [{"hours": "00:00-24:00", "next": "a"}], "default": "b"}});
    let ran = ran_with(&one(first), &CallFacts::default(), &(), typed("1", 0, 0));
    assert_eq!(ways(&ran), "b");
}

#[test]
fn values_are_filled_in_once_and_cut() {
    let first = json!({"set": {
        "greeting": "Hello {{ vars.name }}, {{call.campaign_name}}/{{metadata.tier}}!",
        "once": "{{vars.tricky}}",
        "none": "[{{vars.unheard}}]",
        "long": "{{vars.page}}{{vars.page}}"
    }, "next": "a"});
    let ran = runs(first, ScriptedLeg::default());
    let value = |name: &str| ran.end.variables[name].as_str();
    assert_eq!(value("greeting"), "Hello Ann, autumn/gold!");
    assert_eq!(value("once"), "{{vars.name}}");
    assert_eq!(value("none"), "[]");
    assert_eq!(value("long").len(), 1_000);
    assert_eq!(ran.notes.set, ran.end.variables);
}

#[test]
fn what_the_flow_sets_goes_before_what_the_call_gives_and_that_before_the_default() {
    let document = json!({"version": 1, "name": "v", "start": "a", "vars": {"name": "you", "other": "there"}, "nodes": {
        "a": {"set": {"before": "{{vars.name}} {{vars.other}}", "name2": "{{name}}"}, "next": "b"},
        "b": {"set": {"name": "Zoe"}, "next": "c"},
        "c": {"set": {"after": "{{vars.name}}"}, "next": "@hangup"}}});
    let (flow, _) = crate::flow::parse(document.to_string().as_bytes()).unwrap();
    let ran = ran_with(&flow, &facts(), &(), ScriptedLeg::default());
    assert_eq!(ran.end.variables["before"], "Ann there");
    assert_eq!(ran.end.variables["name2"], "Ann");
    assert_eq!(ran.end.variables["after"], "Zoe");
}

#[test]
fn prompts_are_filled_in_before_they_are_played() {
    let first = json!({"play": [
        {"file": "names/{{vars.name}}.wav"}, {"tts": {"text": "Hello {{vars.name}}.", "voice": "en-us"}},
        {"url": "https://example.com/a/{{metadata.order}}.wav"}
    ], "next": "a"});
    let ran = runs(first.clone(), ScriptedLeg::default());
    let prompt = "names/Ann.wav+tts:Hello Ann.+https://example.com/a/A%207%2F%C3%BC.wav";
    assert_eq!(
        ran.notes.reports[2],
        played("first", prompt, 3 * FILE_MS, None)
    );
    // One that is not there is left out, and told of.
    let missing = || ScriptedLeg {
        missing: vec!["names/Ann.wav".to_owned()],
        ..ScriptedLeg::default()
    };
    let without = runs(first.clone(), missing());
    assert_eq!(ways(&without), "a");
    let what = "prompt names/Ann.wav is not there".to_owned();
    assert_eq!(
        without.notes.reports[2],
        Report::Failed {
            node: "first".to_owned(),
            what
        }
    );
    assert_eq!(without.leg.now_ms, 2 * FILE_MS + 11);
    // With a way out for it nothing is played.
    let mut first = first;
    first["failed"] = json!("b");
    let failed = runs(first, missing());
    assert_eq!((ways(&failed).as_str(), failed.leg.now_ms), ("b", 12));
}

#[test]
fn a_value_can_name_no_other_file() {
    for value in ["", "..", "../secret", "a/b", "a b", "é"] {
        let mut facts = facts();
        facts.vars.insert("name".to_owned(), value.to_owned());
        let flow =
            one(json!({"play": [{"file": "names/{{vars.name}}.wav"}], "next": "a", "failed": "b"}));
        let ran = ran_with(&flow, &facts, &(), typed("1", 0, 0));
        assert_eq!(ways(&ran), "b", "{value:?}");
    }
}

/// What was not known before the call is put together from what was spoken ahead.
#[test]
fn say_speaks_pieces_where_the_whole_is_not_there() {
    let say = json!({"say": {"kind": "number", "value": "{{vars.amount}}", "with": "tts"}, "next": "a", "failed": "b"});
    let lacking = |texts: &[&str]| ScriptedLeg {
        missing: texts.iter().map(|text| format!("tts:{text}")).collect(),
        ..ScriptedLeg::default()
    };
    let whole = "forty two point five";
    let ran = runs(say.clone(), lacking(&[whole]));
    let pieces = "tts:forty+tts:two+tts:point+tts:five";
    assert_eq!(
        ran.notes.reports[2],
        played("first", pieces, 4 * FILE_MS, None)
    );
    let ran = runs(say, lacking(&[whole, "point"]));
    let what = "say: tts:point is not there".to_owned();
    let node = "first".to_owned();
    assert_eq!(ran.notes.reports[2], Report::Failed { node, what });
    assert_eq!(ways(&ran), "b");
}

#[test]
fn what_is_spoken_is_known_ahead_or_in_pieces() {
    let mut document = json!({"version": 1, "name": "f", "start": "code", "language": "de", "nodes": {
        "code": {"collect": {"prompt": [{"tts": "Code?"}], "var": "code", "max_digits": 2, "exhausted": "@hangup"},
                 "next": "said"},
        "said": {"say": {"kind": "number", "value": "{{code}}", "with": "tts"}, "next": "year"},
        "year": {"say": {"kind": "number", "value": "{{vars.year}}", "with": "tts"}, "next": "@hangup"},
    }});
    let ahead = |document: &Value, set: &[&str]| {
        let flow: Flow = serde_json::from_value(document.clone()).unwrap();
        let mut facts = facts();
        facts.vars.insert("year".to_owned(), "21".to_owned());
        flow.sounds_ahead(&facts, &set.iter().copied().collect())
    };
    let spoken = |text: &str, voice: Option<&str>| Sound::Tts {
        text: text.to_owned(),
        voice: voice.map(str::to_owned),
        engine: None,
    };
    let sounds = ahead(&document, &[]);
    for text in ["Code?", "ein und zwanzig", "ein", "zwanzig", "Dezember"] {
        assert!(
            sounds.contains(&spoken(text, Some("de"))),
            "{text}: {sounds:?}"
        );
    }
    // Where another flow may have set it on the way here, nobody knows what it will be.
    assert!(!ahead(&document, &["year"]).contains(&spoken("ein und zwanzig", Some("de"))));
    // The switch's own voice speaks the language of flows that name none.
    document["language"] = json!("en");
    assert!(ahead(&document, &[]).contains(&spoken("twenty one", None)));
}

#[test]
fn say_plays_pieces_or_goes_on() {
    let say = |step: Value| json!({"say": step, "next": "a"});
    let amount = runs(
        say(json!({"kind": "money", "value": "{{vars.amount}}"})),
        ScriptedLeg::default(),
    );
    let pieces = ["forty", "two", "dollars", "and", "fifty", "cents"]
        .map(|piece| format!("say/en/{piece}.wav"));
    assert_eq!(
        amount.notes.reports[2],
        played("first", &pieces.join("+"), 6 * FILE_MS, None)
    );
    let spoken = json!({"kind": "number", "value": "21", "language": "de", "with": "tts"});
    let spoken = runs(say(spoken), ScriptedLeg::default());
    assert_eq!(
        spoken.notes.reports[2],
        played("first", "tts:ein und zwanzig", FILE_MS, None)
    );
    let wrong = runs(
        say(json!({"kind": "number", "value": "{{vars.name}}"})),
        ScriptedLeg::default(),
    );
    assert_eq!(ways(&wrong), "a");
    assert!(
        matches!(&wrong.notes.reports[2], Report::Failed { what, .. } if what.contains("got \"Ann\""))
    );
    let mut with_exit = say(json!({"kind": "number", "value": "{{vars.name}}"}));
    with_exit["failed"] = json!("b");
    assert_eq!(ways(&runs(with_exit, ScriptedLeg::default())), "b");
}

#[test]
fn dnc_wait_and_hangup_do_what_they_say() {
    let first = json!({"dnc": {"scope": "campaign"}, "next": "a"});
    let listed = runs(first, ScriptedLeg::default());
    assert!(
        listed
            .leg
            .did
            .contains(&Did::OptedOut(crate::flow::DncScope::Campaign))
    );
    let first = json!({"hangup": {"cause": "busy"}});
    assert_eq!(
        runs(first, ScriptedLeg::default()).end.cause,
        HangupCause::Busy
    );
    // A key ends one kind of wait and is used up; the other keeps it.
    let first =
        |until_key: bool| json!({"wait": {"ms": 3000, "until_key": until_key}, "next": "menu2"});
    let with_menu = |until_key: bool| {
        let nodes = json!({"first": first(until_key),
            "menu2": {"menu": {"prompt": [{"silence": 10}], "choices": {"7": "@hangup"}, "exhausted": "@hangup"}}});
        ran(&flow("first", nodes), typed("7", 1_000, 0))
    };
    assert_eq!(
        (
            with_menu(true).end.variables["menu2"].as_str(),
            with_menu(true).leg.now_ms
        ),
        ("", 6_010)
    );
    assert_eq!(
        (
            with_menu(false).end.variables["menu2"].as_str(),
            with_menu(false).leg.now_ms
        ),
        ("7", 3_000)
    );
}

#[test]
fn a_prompt_that_no_key_cuts_short_keeps_the_keys() {
    let nodes = json!({
        "code": {"collect": {"prompt": [{"silence": 1}], "var": "code", "max_digits": 2, "terminators": "#",
                 "exhausted": "@hangup"}, "next": "terms"},
        "terms": {"play": [{"file": "terms.wav"}], "next": "ask", "barge_in": false},
        "ask": {"menu": {"prompt": [{"file": "menu.wav"}], "choices": {"1": "@hangup"}, "timeout_ms": 1000,
                "exhausted": "@hangup"}, "barge_in": false}
    });
    // The hash belongs to the code, though it comes in a prompt that is heard out; the 1 is for the menu.
    let ran = ran(&flow("code", nodes), typed("42#1", 10, 100));
    assert_eq!(variables(&ran), [("ask", "1"), ("code", "42")]);
    assert_eq!(ran.leg.now_ms, 110 + 2 * FILE_MS);
}

#[test]
fn goto_goes_on_in_another_flow_with_the_variables() {
    let other = json!({"version": 1, "name": "other", "start": "x", "nodes": {
        "x": {"play": [{"tts": "You are {{vars.who}}."}], "next": "@hangup"}}});
    let (other, _) = crate::flow::parse(other.to_string().as_bytes()).unwrap();
    let library = BTreeMap::from([("other".to_owned(), other)]);
    let flow = flow(
        "a",
        json!({"a": {"set": {"who": "{{vars.name}}"}, "next": "b"}, "b": {"goto": {"flow": "other"}}}),
    );
    let ran = ran_with(&flow, &facts(), &library, ScriptedLeg::default());
    assert_eq!(
        (ran.end.flow.as_str(), ran.end.node.as_str()),
        ("other", "x")
    );
    assert_eq!(
        ran.notes.reports.last(),
        Some(&played("x", "tts:You are Ann.", FILE_MS, None))
    );
    let missing = ran_with(&flow, &facts(), &(), ScriptedLeg::default());
    assert_eq!(
        missing.end.why,
        FlowEndWhy::Fault("there is no flow \"other\" to go on in".to_owned())
    );
}

#[test]
fn a_ring_of_gotos_comes_to_an_end() {
    let document =
        json!({"version": 1, "name": "me", "start": "a", "nodes": {"a": {"goto": {"flow": "me"}}}});
    let flow: Flow = serde_json::from_value(document).unwrap();
    let ran = ran(&flow, ScriptedLeg::default());
    assert!(
        matches!(ran.end.why, FlowEndWhy::Fault(fault) if fault.contains("more than 50 times"))
    );
    assert_eq!(ran.notes.nodes.len(), 51);
}
