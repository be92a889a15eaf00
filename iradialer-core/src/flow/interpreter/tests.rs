//! Runs in virtual time.

mod collect;

mod outside;
mod steps;

use super::*;
use crate::flow::check::{MAX_DIGITS, MAX_RETRIES};
use crate::flow::leg::Heard;
use crate::flow::scripted_leg::{FILE_MS, Ran, ScriptedLeg, flow, ran};
use serde_json::{Value, json};

/// A menu that is asked up to three times, with a word for each mistake.
fn menu() -> Flow {
    flow(
        "ask",
        json!({
            "ask": {"menu": {
                "prompt": [{"file": "menu.wav"}],
                "choices": {"1": "one", "2": "@hangup", "9": "ask"},
                "timeout_ms": 3000, "retries": 2,
                "no_input": [{"file": "still_there.wav"}], "invalid": [{"file": "sorry.wav"}],
                "exhausted": "given_up", "var": "choice"
            }},
            "one": {"play": [{"file": "one.wav"}], "next": "@hangup"},
            "given_up": {"hangup": {}}
        }),
    )
}

/// `keys`, the first at `first_ms` and then one every `every_ms`.
fn typed(keys: &str, first_ms: u64, every_ms: u64) -> ScriptedLeg {
    let times = (0..).map(|place| first_ms + place * every_ms);
    ScriptedLeg::pressing(&times.zip(keys.chars()).collect::<Vec<_>>())
}

fn played(node: &str, prompt: &str, played_ms: u64, interrupted_by: Option<char>) -> Report {
    let (node, prompt) = (node.to_owned(), prompt.to_owned());
    Report::PlayDone {
        node,
        prompt,
        played_ms,
        interrupted_by,
    }
}

fn collected(node: &str, var: &str, digits: &str, valid: bool, tries: u32) -> Report {
    let (node, var_name, digits) = (node.to_owned(), var.to_owned(), digits.to_owned());
    Report::DtmfCollected {
        node,
        var_name,
        digits,
        valid,
        tries,
    }
}

fn variables(ran: &Ran) -> Vec<(&str, &str)> {
    let variables = ran.end.variables.iter();
    variables
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

/// The one menu or collect that ended: digits, whether valid, tries.
fn answer(ran: &Ran) -> (&str, bool, u32) {
    let mut answers = ran.notes.reports.iter().filter_map(|report| match report {
        Report::DtmfCollected {
            digits,
            valid,
            tries,
            ..
        } => Some((digits.as_str(), *valid, *tries)),
        _ => None,
    });
    let answer = answers.next().expect("nothing was collected");
    assert_eq!(answers.next(), None);
    answer
}

#[test]
fn plays_prompts_in_order_and_hangs_up() {
    let flow = flow(
        "a",
        json!({
            "a": {"play": [{"silence": 300}, {"file": "a.wav"}, {"tone": {"hz": [440, 480], "ms": 200}}], "next": "b"},
            "b": {"hangup": {}}
        }),
    );
    let ran = ran(&flow, ScriptedLeg::default());
    assert_eq!(ran.end.why, FlowEndWhy::Done);
    assert_eq!(ran.end.node, "b");
    assert_eq!(ran.notes.nodes, ["a", "b"]);
    let prompt = "silence:300ms+a.wav+tone:440,480Hz:200ms";
    assert_eq!(
        ran.notes.reports,
        [played("a", prompt, FILE_MS + 500, None)]
    );
}

#[test]
fn a_menu_goes_where_the_key_leads() {
    let ran = ran(&menu(), typed("1", 2_500, 0));
    assert_eq!(ran.end.node, "one");
    assert_eq!(variables(&ran), [("choice", "1")]);
    assert_eq!(
        ran.notes.reports,
        [
            played("ask", "menu.wav", FILE_MS, None),
            collected("ask", "choice", "1", true, 1),
            played("one", "one.wav", FILE_MS, None),
        ]
    );
    assert_eq!(ran.leg.now_ms, 2_500 + FILE_MS);
}

#[test]
fn a_key_cuts_the_prompt_short_and_counts() {
    let ran = ran(&menu(), typed("2", 700, 0));
    assert_eq!(
        ran.notes.reports[0],
        played("ask", "menu.wav", 700, Some('2'))
    );
    assert_eq!(answer(&ran), ("2", true, 1));
    assert_eq!(ran.leg.now_ms, 700);
}

#[test]
fn a_wrong_key_is_asked_again_after_a_word() {
    let ran = ran(
        &menu(),
        ScriptedLeg::pressing(&[(2_100, '5'), (6_200, '2')]),
    );
    assert_eq!(
        ran.notes.reports,
        [
            played("ask", "menu.wav", FILE_MS, None),
            played("ask", "sorry.wav", FILE_MS, None),
            played("ask", "menu.wav", FILE_MS, None),
            collected("ask", "choice", "2", true, 2),
        ]
    );
}

#[test]
fn silence_uses_the_tries_up() {
    let ran = ran(&menu(), ScriptedLeg::default());
    assert_eq!(ran.end.why, FlowEndWhy::Done);
    assert_eq!(ran.end.node, "given_up");
    assert_eq!(variables(&ran), [("choice", "")]);
    assert_eq!(answer(&ran), ("", false, 3));
    let prompts: Vec<_> = ran.notes.reports.iter().filter_map(prompt_of).collect();
    assert_eq!(
        prompts,
        [
            "menu.wav",
            "still_there.wav",
            "menu.wav",
            "still_there.wav",
            "menu.wav"
        ]
    );
    assert_eq!(ran.leg.now_ms, 5 * FILE_MS + 3 * 3_000);
}

fn prompt_of(report: &Report) -> Option<&str> {
    match report {
        Report::PlayDone { prompt, .. } => Some(prompt),
        _ => None,
    }
}

#[test]
fn the_last_wrong_key_is_kept() {
    let ran = ran(&menu(), typed("5D7", 100, 100));
    assert_eq!(answer(&ran), ("7", false, 3));
    assert_eq!(variables(&ran), [("choice", "7")]);
    assert_eq!(ran.end.node, "given_up");
}

#[test]
fn a_menu_without_a_variable_keeps_the_key_under_its_own_name() {
    let menu =
        json!({"prompt": [{"silence": 1}], "choices": {"*": "@hangup"}, "exhausted": "@hangup"});
    let ran = ran(&flow("m", json!({"m": {"menu": menu}})), typed("*", 10, 0));
    assert_eq!(variables(&ran), [("m", "*")]);
}

#[test]
fn a_choice_may_lead_to_its_own_menu() {
    let ran = ran(&menu(), typed("992", 2_500, 3_000));
    assert_eq!(ran.notes.nodes, ["ask", "ask", "ask"]);
    assert_eq!(variables(&ran), [("choice", "2")]);
}

#[test]
fn back_goes_the_way_one_came() {
    let submenu = |back: &str, on: &str| {
        json!({"menu": {"prompt": [{"silence": 10}], "choices": {"*": back, "1": on, "0": "@hangup"},
                        "exhausted": "@hangup"}})
    };
    let flow = flow(
        "a",
        json!({"a": submenu("@hangup", "b"), "b": submenu("@back", "c"), "c": submenu("@back", "c")}),
    );
    let nodes = |keys: &str| ran(&flow, typed(keys, 0, 1_000)).notes.nodes.concat();
    assert_eq!(nodes("11**0"), "abcba");
    // Hearing a menu again leaves no trace on the way back.
    assert_eq!(nodes("1111**0"), "abcccba");
    // Having gone back, the way back is the one from there.
    assert_eq!(nodes("1*11**0"), "ababcba");
}

#[test]
fn keys_typed_ahead_answer_the_questions_to_come() {
    let flow = flow(
        "hello",
        json!({
            "hello": {"play": [{"file": "hello.wav"}], "next": "ask"},
            "ask": {"menu": {"prompt": [{"file": "menu.wav"}], "choices": {"2": "enter"}, "exhausted": "@hangup"}},
            "enter": {"collect": {"prompt": [{"file": "enter.wav"}], "var": "code", "max_digits": 8,
                      "terminators": "#", "exhausted": "@hangup"}, "next": "@hangup"}
        }),
    );
    let ran = ran(&flow, typed("2321#", 100, 50));
    assert_eq!(variables(&ran), [("ask", "2"), ("code", "321")]);
    assert_eq!(ran.leg.now_ms, 300, "nothing was waited for");
}

#[test]
fn a_hangup_ends_it_at_once_wherever_it_comes() {
    let flow = flow(
        "hello",
        json!({
            "hello": {"play": [{"file": "hello.wav"}], "next": "ask"},
            "ask": {"menu": {"prompt": [{"file": "menu.wav"}], "choices": {"1": "enter"}, "exhausted": "@hangup"}},
            "enter": {"collect": {"prompt": [{"file": "enter.wav"}], "var": "code", "max_digits": 4,
                      "exhausted": "@hangup"}, "next": "@hangup"}
        }),
    );
    let keys = [(5_000, '1'), (8_000, '4'), (8_500, '3')];
    let expected = [
        (0, "hello", 0),
        (1_999, "hello", 0),
        (3_000, "ask", 0),
        (4_500, "ask", 0),
        (5_000, "ask", 0),
        (6_000, "enter", 1),
        (8_200, "enter", 1),
        (9_000, "enter", 1),
    ];
    for (hangup_ms, node, variables) in expected {
        let mut leg = ScriptedLeg::pressing(&keys);
        leg.hangup_ms = Some(hangup_ms);
        let ran = ran(&flow, leg);
        assert_eq!(ran.end.why, FlowEndWhy::HungUp, "{hangup_ms}");
        assert_eq!(ran.end.node, node, "{hangup_ms}");
        assert_eq!(ran.end.variables.len(), variables, "{hangup_ms}");
        assert_eq!(ran.leg.now_ms, hangup_ms);
    }
}

/// A leg that can do nothing.
struct Broken;

impl Leg for Broken {
    fn play(&mut self, _: &[Sound], _: bool) -> Result<crate::flow::Played, LegEnd> {
        Err(LegEnd::Fault("hello.wav is not there".to_owned()))
    }

    fn listen(&mut self, _: Listen) -> Result<Heard, LegEnd> {
        unreachable!("it was told that the leg is broken")
    }

    fn now(&self) -> u64 {
        0
    }
}

#[test]
fn a_fault_of_the_leg_ends_it() {
    let mut notes = crate::flow::scripted_leg::Notes::default();
    let end = run(&menu(), &CallFacts::default(), &(), &mut Broken, &mut notes);
    assert_eq!(
        end.why,
        FlowEndWhy::Fault("hello.wav is not there".to_owned())
    );
    assert_eq!(end.node, "ask");
    assert_eq!(notes.reports, []);
}

/// Flows the checker would refuse, as they would reach a switch from a gateway that does not check.
#[test]
fn a_flow_with_errors_ends_in_a_fault_that_says_so() {
    let hello = json!([{"silence": 1}]);
    let cases = [
        (json!({"b": {"hangup": {}}}), "no node \"a\""),
        (json!({"a": {"play": hello}}), "\"a\" leads nowhere"),
        (
            json!({"a": {"play": hello, "next": "b"}}),
            "leads to \"b\", which is not there",
        ),
        (
            json!({"a": {"play": hello, "next": "@back"}}),
            "nowhere to go back to",
        ),
        (json!({"a": {"play": hello, "next": "a"}}), "1000 nodes"),
        (
            json!({"a": {"collect": {"prompt": hello, "var": "v", "max_digits": 1, "pattern": "(", "exhausted": "@hangup"}}}),
            "its pattern",
        ),
    ];
    for (nodes, expected) in cases {
        let document = json!({"version": 1, "name": "bad", "start": "a", "nodes": nodes});
        let flow: Flow = serde_json::from_value(document).unwrap();
        match ran(&flow, ScriptedLeg::default()).end.why {
            FlowEndWhy::Fault(fault) => assert!(fault.contains(expected), "{fault}"),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

#[test]
fn figures_out_of_range_do_not_make_it_ask_for_ever() {
    let document = json!({"version": 1, "name": "bad", "start": "a", "nodes": {"a": {
        "collect": {"prompt": [{"silence": 1}], "var": "v", "min_digits": 1, "max_digits": 4_000_000_000_u32,
                    "retries": 4_000_000_000_u32, "exhausted": "@hangup"}, "next": "@hangup"}}});
    let flow: Flow = serde_json::from_value(document).unwrap();
    let silent = ran(&flow, ScriptedLeg::default());
    assert_eq!(answer(&silent), ("", false, MAX_RETRIES + 1));
    let chatty = ran(&flow, typed(&"1".repeat(100), 0, 10));
    assert_eq!(answer(&chatty).0.len(), MAX_DIGITS as usize);
}

/// Two thirds of what a session thread of FreeSWITCH has, for code that is not optimised.
#[test]
fn runs_on_a_small_stack() {
    const STACK: usize = 160 * 1024;
    /// As deep as a pattern may be: a group and its repetition are a level each.
    const NEST: usize = 5;
    let deepest = format!("^{}[0-9]{}$", "(".repeat(NEST), ")?".repeat(NEST));
    for pattern in [
        "^[0-3][0-9][01][0-9]$",
        "^(19|20)?[0-9]{2}(0[1-9]|1[0-2])$",
        &deepest,
    ] {
        let document = json!({"version": 1, "name": "deep", "start": "a", "nodes": {"a": {
            "collect": {"prompt": [{"silence": 1}], "var": "v", "max_digits": 4, "pattern": pattern,
                        "exhausted": "@hangup"}, "next": "@hangup"}}});
        let flow: Flow = serde_json::from_value(document).unwrap();
        let thread = std::thread::Builder::new().stack_size(STACK);
        let ran = thread
            .spawn(move || ran(&flow, typed("2412", 0, 10)))
            .unwrap()
            .join()
            .unwrap();
        assert_eq!(ran.end.why, FlowEndWhy::Done, "{pattern}");
    }
}

/// Looking a zone up for the first time reads its whole history.
#[test]
fn counts_hours_elsewhere_on_a_small_stack() {
    const STACK: usize = 160 * 1024;
    let document = json!({"version": 1, "name": "zones", "start": "a", "nodes": {"a": {
        "branch": {"cases": [
            {"days": "mon-sun", "timezone": "Asia/Tokyo", "next": "b"},
        ], "default": "@hangup"}},
        "b": {"branch": {"cases": [
            {"hours": "00:00-23:59", "timezone": "America/Argentina/Buenos_Aires", "next": "@hangup"},
        ], "default": "@hangup"}}}});
    let flow: Flow = serde_json::from_value(document).unwrap();
    let thread = std::thread::Builder::new().stack_size(STACK);
    let ran = thread.spawn(move || ran(&flow, typed("", 0, 10))).unwrap();
    assert_eq!(ran.join().unwrap().end.node, "b");
}
