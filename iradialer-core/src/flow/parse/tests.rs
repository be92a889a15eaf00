use super::*;
use serde_json::json;

const GOOD: &str = r##"{"version": 1, "name": "good", "start": "hello", "no_agent": "a test", "nodes": {
    "hello": {"play": [{"file": "hello.wav"}, {"silence": 200}, {"tone": {"hz": [440, 480], "ms": 300}}], "next": "menu"},
    "menu": {"menu": {"prompt": [{"file": "menu.wav"}], "choices": {"1": "code", "*": "@back", "#": "@hangup"},
             "retries": 2, "no_input": [{"file": "still_there.wav"}], "exhausted": "bye", "var": "choice"}},
    "code": {"collect": {"prompt": [{"file": "enter_code.wav"}], "var": "code", "max_digits": 4,
             "terminators": "#", "pattern": "^[0-9]{4}$", "exhausted": "bye"}, "next": "bye"},
    "bye": {"hangup": {}}}}"##;

#[test]
fn a_flow_survives_the_way_through_json() {
    let (flow, findings) = parse(GOOD.as_bytes()).unwrap();
    assert_eq!(findings, []);
    let json = serde_json::to_vec(&flow).unwrap();
    assert_eq!(parse(&json).unwrap().0, flow);
    assert_eq!(serde_json::from_slice::<Flow>(&json).unwrap(), flow);
}

#[test]
fn what_is_left_out_has_its_default() {
    let flow = serde_json::to_value(parse(GOOD.as_bytes()).unwrap().0).unwrap();
    let at = |pointer: &str| flow.pointer(pointer).cloned();
    assert_eq!(at("/nodes/menu/menu/timeout_ms"), Some(json!(5_000)));
    assert_eq!(at("/nodes/code/collect/timeout_ms"), Some(json!(5_000)));
    assert_eq!(at("/nodes/code/collect/inter_digit_ms"), Some(json!(2_500)));
    assert_eq!(at("/nodes/code/collect/min_digits"), Some(json!(1)));
    assert_eq!(at("/nodes/code/collect/retries"), Some(json!(0)));
}

/// A text of the good document, what it is replaced by, the path of the error, and what it says.
#[test]
fn bad_documents_are_refused_with_the_path() {
    let deep = "[".repeat(200) + &"]".repeat(200);
    let just_too_deep = r#"{"play": [[[[[[[[[[1]]]]]]]]]], "next""#;
    let cases = [
        // Not JSON.
        ("{\"version\"", "[\"version\"", "[1]", "expected `,` or `]`"),
        ("\"hangup\": {}}}}", "\"hangup\": {}", "nodes.bye", "EOF"),
        (
            "{\"hangup\": {}}}}",
            "{\"hangup\": {}}}} x",
            "",
            "trailing characters",
        ),
        ("\"good\"", "\"go\nod\"", "name", "control character"),
        ("\"good\"", "1e999", "name", "out of range"),
        ("\"good\"", "NaN", "name", "expected"),
        // Too deep.
        (
            "\"good\"",
            &deep,
            "name[0][0][0][0][0][0][0][0][0][0][0]",
            "at most 12 deep",
        ),
        (
            "{\"play\": [{\"file\": \"hello.wav\"}, {\"silence\": 200}, {\"tone\": {\"hz\": [440, 480], \"ms\": 300}}], \"next\"",
            just_too_deep,
            "nodes.hello.play[0][0][0][0][0][0][0][0][0]",
            "at most 12 deep",
        ),
        // Keys twice.
        (
            "\"name\": \"good\"",
            "\"name\": \"good\", \"name\": \"bad\"",
            "name",
            "this one twice",
        ),
        (
            "\"bye\": {\"hangup\": {}}",
            "\"bye\": {\"hangup\": {}}, \"bye\": {\"hangup\": {}}",
            "nodes.bye",
            "twice",
        ),
        (
            "\"1\": \"code\"",
            "\"1\": \"code\", \"1\": \"bye\"",
            "nodes.menu.menu.choices.1",
            "twice",
        ),
        (
            "\"1\": \"code\"",
            "\"1\": \"code\", \"\\u0031\": \"bye\"",
            "nodes.menu.menu.choices.1",
            "twice",
        ),
        (
            "\"ms\": 300",
            "\"ms\": 300, \"ms\": 300",
            "nodes.hello.play[2].tone.ms",
            "twice",
        ),
        // Not known.
        (
            "\"version\": 1",
            "\"version\": 1, \"extra\": 1",
            "extra",
            "unknown field",
        ),
        (
            "{\"hangup\": {}}",
            "{\"hangup\": {}, \"extra\": 1}",
            "nodes.bye.extra",
            "unknown field",
        ),
        (
            "{\"hangup\": {}}",
            "{\"hangup\": {\"why\": 17}}",
            "nodes.bye.hangup.why",
            "unknown field",
        ),
        (
            "{\"hangup\": {}}",
            "{\"teleport\": {}}",
            "nodes.bye.teleport",
            "unknown field `teleport`, expected one of `play`",
        ),
        (
            "\"var\": \"choice\"",
            "\"vars\": \"choice\"",
            "nodes.menu.menu.vars",
            "unknown field `vars`",
        ),
        (
            "\"var\": \"code\"",
            "\"var\": \"code\", \"x\": 1",
            "nodes.code.collect.x",
            "unknown field `x`",
        ),
        (
            "{\"file\": \"menu.wav\"}",
            "{\"video\": \"Hello\"}",
            "nodes.menu.menu.prompt[0]",
            "unknown variant `video`",
        ),
        (
            "\"ms\": 300",
            "\"ms\": 300, \"db\": 1",
            "nodes.hello.play[2].tone.db",
            "unknown field",
        ),
        // Not as many steps as one.
        (
            "{\"hangup\": {}}",
            "{}",
            "nodes.bye",
            "exactly one step of play, menu, collect, confirm, branch, set, say, record, request, transfer, dnc, wait, hangup, goto, got none",
        ),
        (
            "{\"hangup\": {}}",
            "{\"next\": \"menu\"}",
            "nodes.bye",
            "got none",
        ),
        (
            "{\"hangup\": {}}",
            "{\"hangup\": {}, \"play\": []}",
            "nodes.bye",
            "got both play and hangup",
        ),
        // Left out.
        ("\"version\": 1, ", "", "", "missing field `version`"),
        ("\"start\": \"hello\", ", "", "", "missing field `start`"),
        (
            "\"exhausted\": \"bye\", \"var\"",
            "\"var\"",
            "nodes.menu.menu",
            "missing field `exhausted`",
        ),
        (
            "\"max_digits\": 4,",
            "",
            "nodes.code.collect",
            "missing field `max_digits`",
        ),
        // Of another type, or out of its type.
        (
            "\"version\": 1",
            "\"version\": \"1\"",
            "version",
            "invalid type",
        ),
        (
            "\"version\": 1",
            "\"version\": -1",
            "version",
            "invalid value",
        ),
        (
            "\"retries\": 2",
            "\"retries\": 2.5",
            "nodes.menu.menu.retries",
            "invalid type",
        ),
        (
            "\"retries\": 2",
            "\"retries\": 99999999999",
            "nodes.menu.menu.retries",
            "invalid value",
        ),
        (
            "{\"silence\": 200}",
            "{\"silence\": -1}",
            "nodes.hello.play[1].silence",
            "invalid value",
        ),
        (
            "{\"silence\": 200}",
            "{\"silence\": 1, \"file\": \"a.wav\"}",
            "nodes.hello.play[1]",
            "expected",
        ),
        (
            "{\"silence\": 200}",
            "\"hello.wav\"",
            "nodes.hello.play[1]",
            "unknown variant",
        ),
        (
            "{\"hangup\": {}}",
            "\"hangup\"",
            "nodes.bye",
            "invalid type",
        ),
        ("{\"hangup\": {}}", "null", "nodes.bye", "invalid type"),
        // Values of their own.
        (
            "\"menu.wav\"",
            "\"../menu.wav\"",
            "nodes.menu.menu.prompt[0].file",
            "../menu.wav",
        ),
        (
            "\"menu.wav\"",
            "\"/etc/passwd\"",
            "nodes.menu.menu.prompt[0].file",
            "/etc/passwd",
        ),
        (
            "\"menu.wav\"",
            "\"http://h/menu.wav\"",
            "nodes.menu.menu.prompt[0].file",
            "http://h",
        ),
        (
            "\"menu.wav\"",
            "\"|cmd\"",
            "nodes.menu.menu.prompt[0].file",
            "|cmd",
        ),
        (
            "\"@back\"",
            "\"@home\"",
            "nodes.menu.menu.choices.*",
            "'@back' or '@hangup'",
        ),
        (
            "\"next\": \"menu\"",
            "\"next\": \"@\"",
            "nodes.hello.next",
            "'@back' or '@hangup'",
        ),
    ];
    let mut wrong = Vec::new();
    for (was, is, path, says) in cases {
        assert!(GOOD.contains(was), "{was}");
        let document = GOOD.replacen(was, is, 1);
        let finding = &parse(document.as_bytes()).expect_err(is)[0];
        if finding.path != path || !finding.message.contains(says) || !finding.is_error() {
            wrong.push(format!("{is}: {finding}; expected {path}: {says}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_no_flow_at_all_is_refused() {
    let cases: [&[u8]; 8] = [
        b"",
        b" ",
        b"null",
        b"7",
        b"\"flow\"",
        b"[]",
        b"{}",
        b"\xff\xfe",
    ];
    for json in cases {
        let findings = parse(json).unwrap_err();
        assert_eq!(findings[0].path, "", "{json:?}: {}", findings[0]);
    }
    let not_text = GOOD
        .replace("good", "\u{1}")
        .into_bytes()
        .iter()
        .map(|b| if *b == 1 { 0xff } else { *b })
        .collect::<Vec<_>>();
    let findings = parse(&not_text).unwrap_err();
    assert!(
        findings[0]
            .to_string()
            .starts_with("error at name: invalid unicode"),
        "{}",
        findings[0]
    );
}

#[test]
fn a_document_may_be_so_long_and_no_longer() {
    let padded = |bytes: usize| GOOD.to_owned() + &" ".repeat(bytes - GOOD.len());
    assert!(parse(padded(MAX_FLOW_BYTES).as_bytes()).is_ok());
    let findings = parse(padded(MAX_FLOW_BYTES + 1).as_bytes()).unwrap_err();
    assert_eq!(
        findings[0].message,
        "expected at most 262144 bytes of JSON, got 262145"
    );
}

#[test]
fn a_mistake_in_one_node_does_not_hide_that_in_another() {
    let document = GOOD
        .replace("\"silence\": 200", "\"silence\": \"long\"")
        .replace("\"hangup\": {}", "\"stop\": {}");
    let paths: Vec<_> = parse(document.as_bytes())
        .unwrap_err()
        .into_iter()
        .map(|finding| finding.path)
        .collect();
    assert_eq!(paths, ["nodes.bye.stop", "nodes.hello.play[1].silence"]);
}

/// The wire takes a flow by its derived reader; what `parse` refuses there must not pass either.
#[test]
fn nodes_are_read_as_strictly_within_a_message() {
    for node in [
        json!({}),
        json!({"hangup": {}, "play": []}),
        json!({"hangup": {}, "extra": 1}),
        json!({"teleport": {}}),
    ] {
        assert!(
            serde_json::from_value::<Node>(node.clone()).is_err(),
            "{node}"
        );
    }
}
