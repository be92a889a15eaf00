//! The ways through a flow.

use super::*;

fn nodes(start: &str, nodes: Value) -> Vec<Finding> {
    findings(
        &json!({"version": 1, "name": "n", "start": start, "no_agent": "a test", "nodes": nodes}),
    )
}

fn play(next: &str) -> Value {
    json!({"play": [{"silence": 1}], "next": next})
}

/// A menu where someone who presses nothing goes to `exhausted`.
fn menu(choices: Value, exhausted: &str) -> Value {
    json!({"menu": {"prompt": [{"silence": 1}], "choices": choices, "exhausted": exhausted}})
}

#[test]
fn loops_that_silence_can_ride_are_errors() {
    let collect = json!({"collect": {"prompt": [{"silence": 1}], "var": "v", "max_digits": 4, "exhausted": "a"},
                         "next": "@hangup"});
    let cases = [
        (json!({"a": play("a")}), "nodes.a.next", "a → a"),
        (
            json!({"a": play("b"), "b": play("a")}),
            "nodes.a.next",
            "a → b → a",
        ),
        (
            json!({"a": play("b"), "b": play("c"), "c": play("b")}),
            "nodes.b.next",
            "b → c → b",
        ),
        (
            json!({"a": menu(json!({"1": "@hangup"}), "a")}),
            "nodes.a.menu.exhausted",
            "a → a",
        ),
        (
            json!({"a": play("b"), "b": collect}),
            "nodes.a.next",
            "a → b → a",
        ),
        // Comes to by a key only, and a ring all the same.
        (
            json!({"a": menu(json!({"1": "b"}), "@hangup"), "b": play("c"), "c": play("b")}),
            "nodes.b.next",
            "b → c → b",
        ),
        // Back and forth.
        (
            json!({"a": play("b"), "b": play("@back")}),
            "nodes.a.next",
            "a → b → a",
        ),
        (
            json!({"a": play("b"), "b": menu(json!({"1": "@hangup"}), "@back")}),
            "nodes.a.next",
            "a → b → a",
        ),
    ];
    for (document, path, ring) in cases {
        let findings = nodes("a", document);
        assert_eq!(paths(&findings, Severity::Error), [path], "{findings:#?}");
        assert!(findings[0].message.contains(ring), "{}", findings[0]);
    }
}

#[test]
fn loops_that_take_a_key_are_none() {
    for document in [
        json!({"a": menu(json!({"1": "a"}), "@hangup")}),
        json!({"a": play("b"), "b": menu(json!({"1": "a", "2": "b", "*": "@back"}), "@hangup")}),
        // Help that goes back to where it was asked for.
        json!({"a": menu(json!({"1": "help", "2": "b"}), "@hangup"), "help": play("@back"),
               "b": menu(json!({"1": "help", "*": "@back"}), "@hangup")}),
    ] {
        assert_eq!(
            paths(&nodes("a", document), Severity::Error),
            [] as [&str; 0]
        );
    }
}

#[test]
fn the_start_has_nowhere_to_go_back_to() {
    for (node, path) in [
        (play("@back"), "nodes.a.next"),
        (
            menu(json!({"1": "@hangup"}), "@back"),
            "nodes.a.menu.exhausted",
        ),
        (
            menu(json!({"*": "@back"}), "@hangup"),
            "nodes.a.menu.choices.*",
        ),
    ] {
        assert_eq!(
            paths(&nodes("a", json!({"a": node})), Severity::Error),
            [path]
        );
    }
}

#[test]
fn a_submenu_without_a_way_back_is_a_warning() {
    let sub = |choices: Value| {
        nodes(
            "a",
            json!({"a": menu(json!({"1": "intro"}), "@hangup"), "intro": play("b"), "b": menu(choices, "@hangup"),
                   "up": play("a"), "end": {"hangup": {}}, "c": menu(json!({"1": "up", "2": "end"}), "@hangup")}),
        )
        .into_iter()
        .filter(|finding| finding.path.starts_with("nodes.b"))
        .collect::<Vec<_>>()
    };
    let stuck = sub(json!({"1": "c", "2": "b"}));
    assert_eq!(paths(&stuck, Severity::Warning), ["nodes.b.menu.choices"]);
    for way_out in ["@back", "@hangup", "a", "up", "end"] {
        assert_eq!(sub(json!({"1": "c", "2": way_out})), [], "{way_out}");
    }
}

/// The largest flow there may be: a chain in which each node's `@back` and loops are looked at.
#[test]
fn five_hundred_nodes_are_checked() {
    let chain = |count: usize| {
        let name = |place: usize| format!("n{place:03}");
        let nodes: serde_json::Map<String, Value> = (0..count)
            .map(|place| {
                let next = if place + 1 < count {
                    name(place + 1)
                } else {
                    "@hangup".to_owned()
                };
                let choices = json!({"1": next, "2": name(count - 1), "0": "@hangup"});
                (name(place), menu(choices, &next))
            })
            .collect();
        json!({"version": 1, "name": "long", "start": "n000", "no_agent": "a test", "nodes": nodes})
    };
    assert_eq!(findings(&chain(MAX_NODES)), []);
    assert_eq!(
        paths(&findings(&chain(MAX_NODES + 1)), Severity::Error),
        ["nodes"]
    );
    let ring = changed(
        chain(MAX_NODES),
        "/nodes/n499/menu/exhausted",
        json!("n000"),
    );
    assert_eq!(
        paths(&findings(&ring), Severity::Error),
        ["nodes.n000.menu.exhausted"]
    );
}
