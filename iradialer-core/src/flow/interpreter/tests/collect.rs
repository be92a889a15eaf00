//! Digits into a variable.

use super::*;

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
