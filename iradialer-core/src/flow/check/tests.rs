mod rules;
mod steps;
mod ways;

use super::*;
use crate::flow::parse;
use serde_json::{Value, json};

/// A flow of every kind of node that nothing is wrong with.
fn good() -> Value {
    json!({
        "version": 1, "name": "good", "start": "hello", "no_agent": "a test",
        "nodes": {
            "hello": {"play": [{"file": "hello.wav"}], "next": "menu"},
            "menu": {"menu": {"prompt": [{"file": "menu.wav"}], "choices": {"1": "code", "9": "@back"},
                     "timeout_ms": 5000, "retries": 1, "no_input": [{"silence": 100}], "exhausted": "bye"}},
            "code": {"collect": {"prompt": [{"tone": {"hz": [440], "ms": 100}}], "var": "code", "min_digits": 4,
                     "max_digits": 4, "terminators": "#*", "pattern": "^[0-9]{4}$", "retries": 1,
                     "no_input": [{"silence": 100}], "exhausted": "bye"}, "next": "bye"},
            "bye": {"hangup": {}}
        }
    })
}

/// `document` with the value at `pointer` replaced, added, or removed where `value` is null.
fn changed(mut document: Value, pointer: &str, value: Value) -> Value {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    let parent = document
        .pointer_mut(parent)
        .unwrap_or_else(|| panic!("{pointer}"));
    match (parent, value) {
        (Value::Object(members), Value::Null) => drop(members.remove(field)),
        (Value::Object(members), value) => drop(members.insert(field.to_owned(), value)),
        (Value::Array(items), value) => items[field.parse::<usize>().unwrap()] = value,
        (other, _) => panic!("{pointer}: {other}"),
    }
    document
}

fn findings(document: &Value) -> Vec<Finding> {
    match parse(document.to_string().as_bytes()) {
        Ok((_, warnings)) => warnings,
        Err(findings) => findings,
    }
}

/// The paths of the errors or warnings.
fn paths(findings: &[Finding], severity: Severity) -> Vec<&str> {
    let of_severity = findings
        .iter()
        .filter(|finding| finding.severity == severity);
    of_severity.map(|finding| finding.path.as_str()).collect()
}

/// `document` has one error, at `path`, whose message says this.
fn has_one_error(document: &Value, path: &str, says: &str) {
    let findings = findings(document);
    let errors = paths(&findings, Severity::Error);
    assert_eq!(errors, [path], "{says}: {findings:#?}");
    let message = &findings[0].message;
    assert!(message.contains(says), "{path}: {message}");
}

#[test]
fn a_good_flow_has_no_findings() {
    assert_eq!(findings(&good()), []);
}

/// One change to the good flow, the path of the one error it makes, and what the message has to say.
#[test]
fn each_mistake_is_one_error_with_its_path() {
    let long = "x".repeat(65);
    let cases = [
        ("/version", json!(2), "version", "expected version 1, got 2"),
        ("/name", json!(""), "name", "1 to 64 letters"),
        ("/name", json!("a b"), "name", "got \"a b\""),
        ("/name", json!(long), "name", "1 to 64 letters"),
        (
            "/nodes/menu/menu/choices/9",
            json!("gone"),
            "nodes.menu.menu.choices.9",
            "no node \"gone\"",
        ),
        (
            "/nodes/menu/menu/exhausted",
            json!("gone"),
            "nodes.menu.menu.exhausted",
            "no node \"gone\"",
        ),
        (
            "/nodes/code/next",
            json!("gone"),
            "nodes.code.next",
            "no node \"gone\"",
        ),
        (
            "/nodes/hello/next",
            json!("menu\u{0}"),
            "nodes.hello.next",
            "menu\\0",
        ),
        ("/nodes/code/next", json!(null), "nodes.code.next", "stuck"),
        (
            "/nodes/menu/next",
            json!("bye"),
            "nodes.menu.next",
            "leave 'next' out",
        ),
        (
            "/nodes/bye/next",
            json!("@hangup"),
            "nodes.bye.next",
            "leave 'next' out",
        ),
        (
            "/nodes/lost",
            json!({"hangup": {}}),
            "nodes.lost",
            "no way from the start",
        ),
        (
            "/nodes/hello/play",
            json!([]),
            "nodes.hello.play",
            "at least one prompt",
        ),
        (
            "/nodes/menu/menu/prompt",
            json!([]),
            "nodes.menu.menu.prompt",
            "at least one prompt",
        ),
        (
            "/nodes/code/collect/prompt",
            json!([]),
            "nodes.code.collect.prompt",
            "at least one prompt",
        ),
        (
            "/nodes/hello/play/0",
            json!({"silence": 0}),
            "nodes.hello.play[0].silence",
            "1 to 60000 ms, got 0",
        ),
        (
            "/nodes/hello/play/0",
            json!({"silence": 60001}),
            "nodes.hello.play[0].silence",
            "got 60001",
        ),
        (
            "/nodes/hello/play/0",
            json!({"tone": {"hz": [], "ms": 9}}),
            "nodes.hello.play[0].tone.hz",
            "1 or 2",
        ),
        (
            "/nodes/hello/play/0",
            json!({"tone": {"hz": [50, 60, 70], "ms": 9}}),
            "nodes.hello.play[0].tone.hz",
            "got 3",
        ),
        (
            "/nodes/hello/play/0",
            json!({"tone": {"hz": [50, 49], "ms": 9}}),
            "nodes.hello.play[0].tone.hz[1]",
            "50 to 3400 Hz",
        ),
        (
            "/nodes/hello/play/0",
            json!({"tone": {"hz": [50], "ms": 0}}),
            "nodes.hello.play[0].tone.ms",
            "1 to 60000 ms",
        ),
        (
            "/nodes/menu/menu/choices/A",
            json!("bye"),
            "nodes.menu.menu.choices.A",
            "0-9, '*' or '#'",
        ),
        (
            "/nodes/menu/menu/choices/11",
            json!("bye"),
            "nodes.menu.menu.choices.11",
            "one key",
        ),
        (
            "/nodes/menu/menu/choices/",
            json!("bye"),
            "nodes.menu.menu.choices.",
            "one key",
        ),
        (
            "/nodes/menu/menu/timeout_ms",
            json!(499),
            "nodes.menu.menu.timeout_ms",
            "500 to 60000 ms, got 499",
        ),
        (
            "/nodes/menu/menu/timeout_ms",
            json!(60001),
            "nodes.menu.menu.timeout_ms",
            "got 60001",
        ),
        (
            "/nodes/menu/menu/retries",
            json!(10),
            "nodes.menu.menu.retries",
            "0 to 9 times, got 10",
        ),
        (
            "/nodes/menu/menu/var",
            json!("a.b"),
            "nodes.menu.menu.var",
            "a variable's name",
        ),
        (
            "/nodes/menu/menu/no_input/0",
            json!({"silence": 0}),
            "nodes.menu.menu.no_input[0].silence",
            "got 0",
        ),
        (
            "/nodes/menu/menu/invalid",
            json!([{"silence": 0}]),
            "nodes.menu.menu.invalid[0].silence",
            "got 0",
        ),
        (
            "/nodes/code/collect/var",
            json!(""),
            "nodes.code.collect.var",
            "a variable's name",
        ),
        (
            "/nodes/code/collect/min_digits",
            json!(0),
            "nodes.code.collect.min_digits",
            "1 to 64 digits, got 0",
        ),
        (
            "/nodes/code/collect/min_digits",
            json!(5),
            "nodes.code.collect.max_digits",
            "5 to 64 digits, got 4",
        ),
        (
            "/nodes/code/collect/max_digits",
            json!(65),
            "nodes.code.collect.max_digits",
            "4 to 64 digits, got 65",
        ),
        (
            "/nodes/code/collect/terminators",
            json!("##"),
            "nodes.code.collect.terminators",
            "'#' twice",
        ),
        (
            "/nodes/code/collect/terminators",
            json!("5"),
            "nodes.code.collect.terminators",
            "got \"5\"",
        ),
        (
            "/nodes/code/collect/terminators",
            json!("é#"),
            "nodes.code.collect.terminators",
            "'*', '#'",
        ),
        (
            "/nodes/code/collect/timeout_ms",
            json!(60001),
            "nodes.code.collect.timeout_ms",
            "500 to 60000",
        ),
        (
            "/nodes/code/collect/inter_digit_ms",
            json!(30001),
            "nodes.code.collect.inter_digit_ms",
            "500 to 30000",
        ),
        (
            "/nodes/code/collect/retries",
            json!(10),
            "nodes.code.collect.retries",
            "0 to 9",
        ),
        (
            "/nodes/code/collect/pattern",
            json!("^[0-9$"),
            "nodes.code.collect.pattern",
            "regular expression: unclosed",
        ),
        (
            "/nodes/code/collect/pattern",
            json!("^(?=1)$"),
            "nodes.code.collect.pattern",
            "look-around",
        ),
        (
            "/nodes/code/collect/pattern",
            json!(format!("^{}$", "1".repeat(199))),
            "nodes.code.collect.pattern",
            "200",
        ),
        (
            "/nodes/code/collect/pattern",
            json!("^((([0-9]{99}){99}){99}){99}$"),
            "nodes.code.collect.pattern",
            "fewer repetitions",
        ),
        (
            "/nodes/code/collect/pattern",
            json!(format!("^{}1{}$", "(".repeat(90), ")".repeat(90))),
            "nodes.code.collect.pattern",
            "nested",
        ),
    ];
    for (pointer, value, path, says) in cases {
        has_one_error(&changed(good(), pointer, value), path, says);
    }
}

#[test]
fn a_start_that_is_not_there_is_said_once() {
    let findings = findings(&changed(good(), "/start", json!("gone")));
    assert_eq!(paths(&findings, Severity::Error), ["start"]);
}

#[test]
fn a_node_named_badly_is_said_where_it_is() {
    let document = changed(good(), "/nodes/a b", json!({"hangup": {}}));
    assert_eq!(findings(&document)[0].path, "nodes.a b");
}

#[test]
fn a_menu_needs_a_choice() {
    let document = json!({"version": 1, "name": "m", "start": "m", "nodes": {"m": {"menu":
        {"prompt": [{"silence": 1}], "choices": {}, "exhausted": "@hangup"}}}});
    assert_eq!(
        paths(&findings(&document), Severity::Error),
        ["nodes.m.menu.choices"]
    );
}

#[test]
fn mistakes_are_all_said_at_once_and_errors_first() {
    let document = changed(good(), "/nodes/menu/menu/no_input", json!([]));
    let document = changed(document, "/nodes/menu/menu/retries", json!(11));
    let document = changed(document, "/nodes/hello/next", json!("gone"));
    let findings = findings(&document);
    let errors = paths(&findings, Severity::Error);
    assert_eq!(errors, ["nodes.menu.menu.retries", "nodes.hello.next"]);
    assert_eq!(findings.last().unwrap().path, "nodes.menu.menu.no_input");
}

#[test]
fn silence_without_a_word_is_a_warning() {
    for step in ["menu/menu", "code/collect"] {
        let document = changed(good(), &format!("/nodes/{step}/no_input"), json!(null));
        let path = format!("nodes.{}.no_input", step.replace('/', "."));
        assert_eq!(paths(&findings(&document), Severity::Warning), [path]);
        let document = changed(document, &format!("/nodes/{step}/retries"), json!(0));
        assert_eq!(findings(&document), []);
    }
}

#[test]
fn a_pattern_without_anchors_is_a_warning() {
    for pattern in ["[0-9]{4}", "^[0-9]{4}", "[0-9]{4}$"] {
        let document = changed(good(), "/nodes/code/collect/pattern", json!(pattern));
        assert_eq!(
            paths(&findings(&document), Severity::Warning),
            ["nodes.code.collect.pattern"]
        );
    }
}

#[test]
fn what_can_not_be_known_ahead_is_neither_spoken_nor_fetched() {
    let play = |prompt| json!([{"file": "hello.wav"}, prompt]);
    for (prompt, warned) in [
        (json!({"tts": "You typed {{code}}."}), true),
        (
            json!({"url": "https://example.com/{{vars.code}}.wav"}),
            true,
        ),
        (
            json!({"tts": "Hello {{vars.name}}, {{call.to_number}}."}),
            false,
        ),
        (json!({"file": "{{code}}.wav"}), false),
    ] {
        let document = changed(good(), "/nodes/hello/play", play(prompt.clone()));
        let found = findings(&document);
        let expected: &[&str] = if warned {
            &["nodes.hello.play[1]"]
        } else {
            &[]
        };
        assert_eq!(paths(&found, Severity::Warning), expected, "{prompt}");
    }
}

#[test]
fn a_finding_reads_as_a_sentence() {
    let finding = &findings(&changed(
        good(),
        "/nodes/menu/menu/choices/9",
        json!("gone"),
    ))[0];
    assert_eq!(
        finding.to_string(),
        "error at nodes.menu.menu.choices.9: there is no node \"gone\""
    );
}

/// A flow with far too many nodes is not looked into: what each pattern costs would add up to seconds.
#[test]
fn too_many_nodes_are_all_that_is_said() {
    let nodes: serde_json::Map<_, _> = (0..=MAX_NODES)
        .map(|n| {
            let node = json!({"collect": {"prompt": [], "var": "v", "max_digits": 9, "pattern": "[", "exhausted": "x"}});
            (format!("n{n}"), node)
        })
        .collect();
    let flow = json!({"version": 1, "name": "f", "start": "n0", "nodes": nodes});
    let findings = check(&serde_json::from_value(flow).unwrap());
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].path, "nodes");
}
