use super::*;
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

/// A collect whose fields `changes` overrides.
fn collect(changes: Value) -> Flow {
    let mut step = json!({
        "prompt": [{"file": "enter.wav"}], "var": "code", "min_digits": 4, "max_digits": 4,
        "terminators": "#", "timeout_ms": 5000, "inter_digit_ms": 2000, "retries": 1,
        "no_input": [{"file": "still_there.wav"}], "invalid": [{"file": "sorry.wav"}],
        "exhausted": "given_up"
    });
    for (field, value) in changes.as_object().unwrap() {
        step[field] = value.clone();
    }
    flow(
        "enter",
        json!({
            "enter": {"collect": step, "next": "thanks"},
            "thanks": {"play": [{"file": "thanks.wav"}], "next": "@hangup"},
            "given_up": {"play": [{"file": "bye.wav"}], "next": "@hangup"}
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
        Report::PlayDone { .. } => None,
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
        Report::DtmfCollected { .. } => None,
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
fn a_collect_ends_at_the_most_digits() {
    let ran = ran(&collect(json!({})), typed("4321", 2_500, 300));
    assert_eq!(answer(&ran), ("4321", true, 1));
    assert_eq!(variables(&ran), [("code", "4321")]);
    assert_eq!(ran.end.node, "thanks");
    assert_eq!(ran.leg.now_ms, 2_500 + 3 * 300 + FILE_MS);
}

#[test]
fn a_terminator_ends_it_before() {
    let flow = collect(json!({"min_digits": 2, "max_digits": 8}));
    let ran = ran(&flow, typed("42#", 2_500, 300));
    assert_eq!(answer(&ran), ("42", true, 1));
    assert_eq!(ran.leg.now_ms, 3_100 + FILE_MS);
}

#[test]
fn digits_that_stop_coming_end_it() {
    let flow = collect(json!({"min_digits": 2, "max_digits": 8, "terminators": ""}));
    let ran = ran(&flow, typed("421", 2_500, 300));
    assert_eq!(answer(&ran), ("421", true, 1));
    assert_eq!(ran.leg.now_ms, 3_100 + 2_000 + FILE_MS);
}

#[test]
fn the_first_digit_has_its_own_time() {
    // 4.9 s after the prompt is within 5 s, though the inter-digit time is 2 s; then 1.9 s is, 2.1 s is not.
    let keys = [(6_900, '1'), (8_800, '2'), (10_700, '3'), (12_800, '4')];
    let ran = ran(
        &collect(json!({"retries": 0})),
        ScriptedLeg::pressing(&keys),
    );
    assert_eq!(answer(&ran), ("123", false, 1));
}

#[test]
fn too_few_digits_are_invalid_and_none_is_no_input() {
    for (keys, word) in [
        ("12#", "sorry.wav"),
        ("#", "still_there.wav"),
        ("", "still_there.wav"),
    ] {
        let ran = ran(&collect(json!({})), typed(keys, 2_500, 300));
        assert_eq!(
            ran.notes.reports[1],
            played("enter", word, FILE_MS, None),
            "{keys}"
        );
        assert_eq!(answer(&ran), ("", false, 2), "{keys}");
        assert_eq!(ran.end.node, "given_up");
    }
}

#[test]
fn the_pattern_decides() {
    let flow = collect(json!({"pattern": "^[0-3][0-9][01][0-9]$"}));
    let run = ran(
        &flow,
        ScriptedLeg::pressing(&[
            (0, '9'),
            (1, '9'),
            (2, '9'),
            (3, '9'),
            (4_000, '2'),
            (4_001, '4'),
            (4_002, '1'),
            (4_003, '2'),
        ]),
    );
    assert_eq!(answer(&run), ("2412", true, 2));
    assert_eq!(variables(&run), [("code", "2412")]);
}

#[test]
fn the_pattern_is_anchored_as_it_is_written() {
    for (pattern, valid) in [
        ("23", true),
        ("^23", false),
        ("^12", true),
        ("34$", true),
        ("12$", false),
    ] {
        let flow = collect(json!({"pattern": pattern, "retries": 0}));
        assert_eq!(
            answer(&ran(&flow, typed("1234", 0, 100))).1,
            valid,
            "{pattern}"
        );
    }
}

#[test]
fn keys_that_are_no_digits_need_a_pattern_that_takes_them() {
    for (pattern, valid) in [(Value::Null, false), (json!("^[0-9*]+$"), true)] {
        let flow = collect(json!({"pattern": pattern, "retries": 0}));
        assert_eq!(
            answer(&ran(&flow, typed("1*34", 0, 100))),
            ("1*34", valid, 1)
        );
    }
}

#[test]
fn invalid_digits_are_kept_at_the_end() {
    let ran = ran(&collect(json!({"retries": 0})), typed("123", 0, 100));
    assert_eq!(answer(&ran), ("123", false, 1));
    assert_eq!(variables(&ran), [("code", "123")]);
    assert_eq!(ran.end.node, "given_up");
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
fn a_terminator_after_the_last_digit_does_not_cut_the_next_prompt_short() {
    let ran = ran(&collect(json!({})), typed("4321#", 2_500, 300));
    assert_eq!(answer(&ran), ("4321", true, 1));
    // Thanks is begun at 3,400, begun anew when the terminator comes at 3,700, and heard to its end.
    let thanks = played("thanks", "thanks.wav", 300 + FILE_MS, None);
    assert_eq!(ran.notes.reports.last(), Some(&thanks));
    assert_eq!(ran.leg.taken(), "4321#");
}

#[test]
fn a_terminator_long_after_the_last_digit_is_a_key_like_any_other() {
    let flow = flow(
        "enter",
        json!({
            "enter": {"collect": {"prompt": [{"silence": 1}], "var": "code", "max_digits": 1, "terminators": "#",
                      "inter_digit_ms": 1000, "exhausted": "@hangup"}, "next": "ask"},
            "ask": {"menu": {"prompt": [{"file": "menu.wav"}], "choices": {"#": "@hangup", "1": "@hangup"},
                    "exhausted": "@hangup"}}
        }),
    );
    let menu_answer =
        |keys: &[(u64, char)]| ran(&flow, ScriptedLeg::pressing(keys)).end.variables["ask"].clone();
    assert_eq!(menu_answer(&[(0, '7'), (900, '#'), (1_000, '1')]), "1");
    assert_eq!(menu_answer(&[(0, '7'), (1_100, '#')]), "#");
    assert_eq!(
        menu_answer(&[(0, '7'), (500, '#'), (600, '#')]),
        "#",
        "only one belongs to the digits"
    );
}

#[test]
fn a_terminator_after_another_answer_is_a_key_like_any_other() {
    let flow = flow(
        "enter",
        json!({
            "enter": {"collect": {"prompt": [{"silence": 1}], "var": "code", "max_digits": 1, "terminators": "#",
                      "exhausted": "@hangup"}, "next": "ask"},
            "ask": {"menu": {"prompt": [{"silence": 1}], "choices": {"1": "thanks"}, "exhausted": "@hangup"}},
            "thanks": {"play": [{"file": "thanks.wav"}], "next": "@hangup"}
        }),
    );
    let ran = ran(
        &flow,
        ScriptedLeg::pressing(&[(0, '7'), (100, '1'), (200, '#')]),
    );
    assert_eq!(
        ran.notes.reports.last(),
        Some(&played("thanks", "thanks.wav", 100, Some('#')))
    );
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
    fn play(&mut self, _: &[Prompt], _: bool) -> Result<crate::flow::Played, LegEnd> {
        Err(LegEnd::Fault("hello.wav is not there".to_owned()))
    }

    fn listen(&mut self, _: Listen) -> Result<Heard, LegEnd> {
        unreachable!("it was told that the leg is broken")
    }
}

#[test]
fn a_fault_of_the_leg_ends_it() {
    let mut notes = crate::flow::scripted_leg::Notes::default();
    let end = run(&menu(), &mut Broken, &mut notes);
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
