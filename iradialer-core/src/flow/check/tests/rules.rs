//! The rules for the person on the line.

use super::steps::steps;
use super::*;
use crate::flow::{Flow, check_gotos};
use std::collections::BTreeMap;

#[test]
fn what_makes_a_caller_suffer_is_a_warning() {
    let cases = [
        (
            "/nodes/delete/request/timeout_ms",
            json!(20_000),
            "nodes.delete.request.timeout_ms",
            "nothing for 20 s",
        ),
        (
            "/nodes/record/record/beep",
            json!(false),
            "nodes.record.record.prompt",
            "give a prompt or a beep",
        ),
        (
            "/nodes/sure",
            json!({"confirm": {"prompt": [{"silence": 1}]}, "yes_next": "branch", "no_next": "branch"}),
            "nodes.sure.no_next",
            "has not said yes",
        ),
    ];
    for (pointer, value, path, says) in cases {
        let mut document = changed(steps(), pointer, value);
        if path.starts_with("nodes.sure") {
            for gone in ["delete", "say", "record", "agent", "set"] {
                document = changed(document, &format!("/nodes/{gone}"), json!(null));
            }
            document = changed(
                document,
                "/nodes/branch/branch/cases/0/var",
                json!("vars.x"),
            );
        }
        let findings = findings(&document);
        let found = findings.iter().find(|finding| finding.path == path);
        assert!(
            found.is_some_and(|finding| finding.message.contains(says) && !finding.is_error()),
            "{findings:#?}"
        );
    }
}

#[test]
fn what_can_not_be_undone_takes_a_yes() {
    let errors = |pointer: &str, value: Value| {
        let findings = findings(&changed(steps(), pointer, value));
        let errors = findings
            .into_iter()
            .filter(|finding| finding.is_error() && finding.message.contains("be undone"));
        errors.map(|error| error.path).collect::<Vec<_>>()
    };
    let by_key = errors("/nodes/ask/menu/choices/4", json!("delete"));
    assert_eq!(by_key, ["nodes.ask.menu.choices.4"]);
    assert_eq!(
        errors("/nodes/sure/no_next", json!("delete")),
        ["nodes.sure.no_next"]
    );
    assert_eq!(
        errors("/nodes/ask/irreversible", json!(true)),
        ["nodes.ask.irreversible"]
    );
    // Going back would do it again.
    assert_eq!(
        errors("/nodes/say/failed", json!("@back")),
        ["nodes.say.failed"]
    );
}

#[test]
fn loops_that_silence_can_ride_lead_through_any_step() {
    let cases = [
        (
            "/nodes/branch/branch/cases/2/next",
            "branch",
            "branch → branch",
        ),
        ("/nodes/agent/busy", "agent", "agent → agent"),
        (
            "/nodes/delete/request/leads_to/0",
            "delete",
            "delete → delete",
        ),
        ("/nodes/record/failed", "say", "record → say → record"),
        ("/nodes/wait/next", "dnc", "dnc → wait → dnc"),
        ("/nodes/ask/menu/exhausted", "other", "ask → other → ask"),
    ];
    for (pointer, to, ring) in cases {
        // A flow that goes on in itself.
        let document = changed(steps(), "/nodes/other/goto/flow", json!("steps"));
        let findings = findings(&changed(document, pointer, json!(to)));
        let says = |finding: &&Finding| finding.message.contains("goes round for ever");
        let loops: Vec<_> = findings.iter().filter(says).collect();
        assert_eq!(loops.len(), 1, "{pointer}: {findings:#?}");
        // The ring is told from wherever one comes to it first.
        let mut names: Vec<&str> = ring.split(" → ").skip(1).collect();
        let told = (0..names.len()).any(|_| {
            names.rotate_left(1);
            let around = format!("{} → {}", names.join(" → "), names[0]);
            loops[0].message.contains(&around)
        });
        assert!(told, "{pointer}: {}", loops[0]);
    }
}

#[test]
fn somebody_who_is_asked_may_want_to_speak_to_somebody() {
    let ask = |no_agent: Value| {
        let mut document = json!({"version": 1, "name": "n", "start": "a", "nodes": {"a": {"menu":
            {"prompt": [{"silence": 1}], "choices": {"1": "@hangup"}, "exhausted": "@hangup"}}}});
        if !no_agent.is_null() {
            document["no_agent"] = no_agent;
        }
        findings(&document)
    };
    assert_eq!(paths(&ask(json!(null)), Severity::Warning), ["no_agent"]);
    assert_eq!(ask(json!("out of hours")), []);
}

#[test]
fn too_many_patterns_are_an_error() {
    let nodes: serde_json::Map<_, _> = (0..101)
        .map(|n| {
            let next = if n < 100 { format!("n{:03}", n + 1) } else { "@hangup".to_owned() };
            let node = json!({"branch": {"cases": [{"var": "vars.x", "matches": format!("^{n}$"), "next": next}], "default": next}});
            (format!("n{n:03}"), node)
        })
        .collect();
    let findings = findings(&json!({"version": 1, "name": "p", "start": "n000", "nodes": nodes}));
    assert_eq!(
        paths(&findings, Severity::Error),
        ["nodes.n100.branch.cases[0].matches"]
    );
}

fn flow(name: &str, nodes: Value) -> Flow {
    let document =
        json!({"version": 1, "name": name, "start": "a", "no_agent": "a test", "nodes": nodes});
    crate::flow::parse(document.to_string().as_bytes())
        .unwrap_or_else(|findings| panic!("{findings:#?}"))
        .0
}

#[test]
fn gotos_lead_to_flows_that_are_there_and_not_round_in_silence() {
    let goes = |name: &str, to: &str| {
        flow(
            name,
            json!({"a": {"play": [{"silence": 1}], "next": "b"}, "b": {"goto": {"flow": to}}}),
        )
    };
    let asks = |name: &str, to: &str| {
        flow(
            name,
            json!({"a": {"menu": {"prompt": [{"silence": 1}], "choices": {"1": "b"}, "exhausted": "@hangup"}},
                          "b": {"goto": {"flow": to}}}),
        )
    };
    let library = |flows: Vec<Flow>| {
        flows
            .into_iter()
            .map(|flow| (flow.name.clone(), flow))
            .collect::<BTreeMap<_, _>>()
    };
    let one = goes("one", "two");
    let lost = check_gotos(&one, &());
    assert_eq!(paths(&lost, Severity::Error), ["nodes.b.goto.flow"]);
    let ring = check_gotos(
        &one,
        &library(vec![
            one.clone(),
            goes("two", "three"),
            goes("three", "one"),
        ]),
    );
    assert_eq!(paths(&ring, Severity::Error), ["nodes.b.goto"]);
    assert!(
        ring[0].message.contains("one → two → three → one"),
        "{}",
        ring[0]
    );
    assert_eq!(
        check_gotos(
            &one,
            &library(vec![
                one.clone(),
                goes("two", "three"),
                asks("three", "one")
            ])
        ),
        []
    );
    // A ring that it leads into and is no part of is said of those that are.
    assert_eq!(
        check_gotos(
            &one,
            &library(vec![
                one.clone(),
                goes("two", "three"),
                goes("three", "two")
            ])
        ),
        []
    );
}
