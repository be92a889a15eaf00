//! The rules for steps beyond play, menu and collect.

use super::*;
use std::collections::BTreeMap;

/// A flow of every further step that nothing is wrong with.
pub fn steps() -> Value {
    json!({
        "version": 1, "name": "steps", "start": "ask", "nodes": {
            "ask": {"menu": {"prompt": [{"tts": "Hello {{vars.name}}"}], "choices": {"1": "sure", "2": "branch", "3": "other"},
                    "exhausted": "end"}},
            "sure": {"confirm": {"prompt": [{"url": "https://example.com/{{call.call_uuid}}.wav"}], "no": "2", "exhausted": "end"},
                     "irreversible": true, "yes_next": "delete", "no_next": "end"},
            "delete": {"request": {"url": "https://example.com/", "send": {"who": "{{ask}}"}, "sets": ["x"], "leads_to": ["end"]},
                       "irreversible": true, "next": "say", "error": "end"},
            "say": {"say": {"kind": "date", "value": "2026-11-21"}, "next": "record", "failed": "end"},
            "record": {"record": {"var": "message"}, "next": "set", "failed": "end"},
            "set": {"set": {"y": "{{x}} {{message}}"}, "next": "agent"},
            "agent": {"transfer": {"destination": "+1{{vars.agent}}"}, "busy": "wait", "failed": "end"},
            "branch": {"branch": {"cases": [
                {"var": "x", "min": 1, "max": 2, "next": "wait"},
                {"hours": "09:00-17:00", "days": "mon-fri", "timezone": "Europe/Berlin", "next": "wait"},
                {"cpa": ["AM"], "next": "wait"}], "default": "dnc"}},
            "dnc": {"dnc": {"scope": "tenant"}, "next": "wait"},
            "wait": {"wait": {"ms": 500}, "next": "end"},
            "other": {"goto": {"flow": "next"}},
            "end": {"hangup": {"cause": "busy"}}
        }
    })
}

#[test]
fn good_steps_have_no_findings() {
    assert_eq!(findings(&steps()), []);
}

#[test]
fn each_mistake_is_one_error_with_its_path() {
    let long = "x".repeat(65);
    let many: BTreeMap<String, String> =
        (0..33).map(|n| (format!("v{n}"), String::new())).collect();
    let cases = [
        ("/language", json!("xx"), "language", "de, en, got \"xx\""),
        ("/no_agent", json!(" "), "no_agent", "1 to 200 characters"),
        (
            "/nodes/sure/confirm/yes",
            json!("12"),
            "nodes.sure.confirm.yes",
            "one key",
        ),
        (
            "/nodes/sure/confirm/no",
            json!("12"),
            "nodes.sure.confirm.no",
            "other keys than the one for yes",
        ),
        (
            "/nodes/sure/confirm/no",
            json!(""),
            "nodes.sure.confirm.no",
            "at least one key",
        ),
        (
            "/nodes/sure/confirm/prompt",
            json!([]),
            "nodes.sure.confirm.prompt",
            "at least one prompt",
        ),
        (
            "/nodes/sure/yes_next",
            json!(null),
            "nodes.sure.yes_next",
            "where yes leads",
        ),
        (
            "/nodes/sure/no_next",
            json!(null),
            "nodes.sure.no_next",
            "where no leads",
        ),
        (
            "/nodes/sure/next",
            json!("end"),
            "nodes.sure.next",
            "leave 'next' out",
        ),
        (
            "/nodes/delete/error",
            json!(null),
            "nodes.delete.error",
            "no answer that can be used",
        ),
        (
            "/nodes/delete/request/timeout_ms",
            json!(99),
            "nodes.delete.request.timeout_ms",
            "100 to 30000 ms, got 99",
        ),
        (
            "/nodes/delete/request/sets",
            json!(["a b", "x"]),
            "nodes.delete.request.sets[0]",
            "a variable's name",
        ),
        (
            "/nodes/delete/request/send",
            json!(many),
            "nodes.delete.request.send",
            "at most 32 variables, got 33",
        ),
        (
            "/nodes/delete/request/leads_to",
            json!(["gone"]),
            "nodes.delete.request.leads_to[0]",
            "no node \"gone\"",
        ),
        (
            "/nodes/delete/request/send/who",
            json!("{{unset}}"),
            "nodes.delete.request.send.who",
            "no node sets variable \"unset\"",
        ),
        (
            "/nodes/say/say/value",
            json!("2026-02-30"),
            "nodes.say.say.value",
            "a day from",
        ),
        (
            "/nodes/say/say/language",
            json!("xx"),
            "nodes.say.say.language",
            "de, en",
        ),
        (
            "/nodes/say/say/currency",
            json!("USD"),
            "nodes.say.say.currency",
            "leave it out",
        ),
        (
            "/nodes/say/say",
            json!({"kind": "money", "value": "1", "currency": "XXX"}),
            "nodes.say.say.currency",
            "one of EUR, GBP, JPY, USD",
        ),
        (
            "/nodes/say/busy",
            json!("end"),
            "nodes.say.busy",
            "no way out of that name",
        ),
        (
            "/nodes/record/record/max_ms",
            json!(999),
            "nodes.record.record.max_ms",
            "1000 to 600000",
        ),
        (
            "/nodes/record/record/silence_ms",
            json!(499),
            "nodes.record.record.silence_ms",
            "500 to 30000",
        ),
        (
            "/nodes/record/record/terminators",
            json!("#A"),
            "nodes.record.record.terminators",
            "keys of 0-9",
        ),
        (
            "/nodes/set/set",
            json!({}),
            "nodes.set.set",
            "at least one variable",
        ),
        (
            "/nodes/set/set",
            json!({long: "1"}),
            "nodes.set.set.xxx",
            "a variable's name",
        ),
        (
            "/nodes/agent/transfer/destination",
            json!("sip:a@b"),
            "nodes.agent.transfer.destination",
            "3 to 15 digits",
        ),
        (
            "/nodes/agent/transfer/destination",
            json!("{{vars.agent}}@b"),
            "nodes.agent.transfer.destination",
            "3 to 15 digits",
        ),
        (
            "/nodes/agent/transfer/timeout_s",
            json!(4),
            "nodes.agent.transfer.timeout_s",
            "5 to 120 s, got 4",
        ),
        (
            "/nodes/agent/failed",
            json!(null),
            "nodes.agent.failed",
            "nobody could be reached",
        ),
        (
            "/nodes/agent/transfer",
            json!({"destination": "+14155550100", "deflect": true, "whisper": [{"silence": 1}]}),
            "nodes.agent.transfer.whisper",
            "nobody whispers",
        ),
        (
            "/nodes/branch/branch/cases/0/var",
            json!(null),
            "nodes.branch.branch.cases[0].var",
            "what is looked at",
        ),
        (
            "/nodes/branch/branch/cases/0/var",
            json!("unset"),
            "nodes.branch.branch.cases[0].var",
            "no node sets",
        ),
        (
            "/nodes/branch/branch/cases/0/min",
            json!(3),
            "nodes.branch.branch.cases[0].max",
            "3 or more, got 2",
        ),
        (
            "/nodes/branch/branch/cases/0",
            json!({"next": "wait"}),
            "nodes.branch.branch.cases[0]",
            "a condition",
        ),
        (
            "/nodes/branch/branch/cases/0",
            json!({"var": "x", "next": "wait"}),
            "nodes.branch.branch.cases[0].var",
            "along with 'var'",
        ),
        (
            "/nodes/branch/branch/cases/0",
            json!({"var": "x", "matches": "(", "next": "wait"}),
            "nodes.branch.branch.cases[0].matches",
            "unclosed",
        ),
        (
            "/nodes/branch/branch/cases/0",
            json!({"var": "x", "in": [], "next": "wait"}),
            "nodes.branch.branch.cases[0].in",
            "1 to 64 texts",
        ),
        (
            "/nodes/branch/branch/cases/1/timezone",
            json!("Mars/Olympus"),
            "nodes.branch.branch.cases[1].timezone",
            "time zone",
        ),
        (
            "/nodes/branch/branch/cases/2/cpa",
            json!(["XX"]),
            "nodes.branch.branch.cases[2].cpa[0]",
            "one of LV, AM",
        ),
        (
            "/nodes/branch/branch/default",
            json!("gone"),
            "nodes.branch.branch.default",
            "no node \"gone\"",
        ),
        (
            "/nodes/wait/wait/ms",
            json!(0),
            "nodes.wait.wait.ms",
            "1 to 60000 ms",
        ),
        (
            "/nodes/wait/barge_in",
            json!(true),
            "nodes.wait.barge_in",
            "plays nothing",
        ),
        (
            "/nodes/other/goto/flow",
            json!("a b"),
            "nodes.other.goto.flow",
            "a flow's name",
        ),
        (
            "/nodes/other/next",
            json!("end"),
            "nodes.other.next",
            "nothing comes after a goto",
        ),
        (
            "/nodes/ask/menu/prompt/0/tts",
            json!(" "),
            "nodes.ask.menu.prompt[0].tts",
            "a text of 1 to 1000",
        ),
        (
            "/nodes/ask/menu/prompt/0/tts",
            json!({"text": "x", "voice": "../x"}),
            "nodes.ask.menu.prompt[0].tts.voice",
            "a voice",
        ),
        (
            "/nodes/ask/menu/prompt/0/tts",
            json!({"text": "x", "engine": "a b"}),
            "nodes.ask.menu.prompt[0].tts.engine",
            "an engine",
        ),
        (
            "/vars",
            json!({"agent": "1"}),
            "nodes.ask.menu.prompt[0]",
            "is listed in 'vars'",
        ),
        (
            "/vars",
            json!({"agent": "1", "name": "", "a b": ""}),
            "vars.a b",
            "a variable's name",
        ),
    ];
    for (pointer, value, path, says) in cases {
        let findings = findings(&changed(steps(), pointer, value.clone()));
        let found = paths(&findings, Severity::Error);
        assert!(
            found.len() == 1 && found[0].starts_with(path),
            "{pointer} {value}: {findings:#?}"
        );
        assert!(
            findings[0].message.contains(says),
            "{pointer} {value}: {}",
            findings[0]
        );
    }
}

/// What is wrong with the form of a value is said when it is read.
#[test]
fn values_of_their_own_are_read_strictly() {
    let cases = [
        (
            "/nodes/ask/menu/prompt/0/tts",
            json!("{{"),
            "nodes.ask.menu.prompt[0].tts",
            "expected '}}'",
        ),
        (
            "/nodes/ask/menu/prompt/0/tts",
            json!("{{call.secret}}"),
            "nodes.ask.menu.prompt[0].tts",
            "one of to_number",
        ),
        (
            "/nodes/ask/menu/prompt/0/tts",
            json!(7),
            "nodes.ask.menu.prompt[0].tts",
            "a text, or an object",
        ),
        (
            "/nodes/ask/menu/prompt/0",
            json!({"file": "../{{vars.x}}.wav"}),
            "nodes.ask.menu.prompt[0].file",
            "without '..'",
        ),
        (
            "/nodes/ask/menu/prompt/0",
            json!({"file": "{{vars.x}}"}),
            "nodes.ask.menu.prompt[0].file",
            ".wav",
        ),
        (
            "/nodes/delete/request/url",
            json!("http://example.com/"),
            "nodes.delete.request.url",
            "begins with 'https://'",
        ),
        (
            "/nodes/delete/request/url",
            json!("https://{{vars.host}}/"),
            "nodes.delete.request.url",
            "without anything to be filled in",
        ),
        (
            "/nodes/delete/request/url",
            json!("https://user@example.com/"),
            "nodes.delete.request.url",
            "a host's name",
        ),
        (
            "/nodes/delete/request/url",
            json!("https://example.com:0/"),
            "nodes.delete.request.url",
            "a host's name",
        ),
        (
            "/nodes/delete/request/url",
            json!("https://example.com/a b"),
            "nodes.delete.request.url",
            "percent-encoded",
        ),
        (
            "/nodes/delete/request/url",
            json!("file:///etc/passwd"),
            "nodes.delete.request.url",
            "a host's name",
        ),
        (
            "/nodes/branch/branch/cases/1/hours",
            json!("9-17"),
            "nodes.branch.branch.cases[1].hours",
            "09:00-17:30",
        ),
        (
            "/nodes/branch/branch/cases/1/hours",
            json!("09:00-09:00"),
            "nodes.branch.branch.cases[1].hours",
            "09:00-17:30",
        ),
        (
            "/nodes/branch/branch/cases/1/days",
            json!("monday"),
            "nodes.branch.branch.cases[1].days",
            "mon-fri",
        ),
        (
            "/nodes/branch/branch/cases/0/var",
            json!("x y"),
            "nodes.branch.branch.cases[0].var",
            "expected a name",
        ),
        (
            "/nodes/say/say/kind",
            json!("weather"),
            "nodes.say.say.kind",
            "unknown variant",
        ),
        (
            "/nodes/dnc/dnc/scope",
            json!("world"),
            "nodes.dnc.dnc.scope",
            "unknown variant",
        ),
    ];
    for (pointer, value, path, says) in cases {
        has_one_error(&changed(steps(), pointer, value), path, says);
    }
}

#[test]
fn http_is_for_loopback_and_a_warning() {
    for url in [
        "http://127.0.0.1:8080/x",
        "http://localhost/",
        "http://[::1]:9/",
    ] {
        let document = changed(steps(), "/nodes/delete/request/url", json!(url));
        assert_eq!(
            paths(&findings(&document), Severity::Warning),
            ["nodes.delete.request.url"],
            "{url}"
        );
    }
}
