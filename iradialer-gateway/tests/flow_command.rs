//! `iradialer-gateway flow check | run | draw`, as they are typed.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs the binary in `dir` with these arguments, parted by spaces.
fn typed(dir: &Path, line: &str) -> Output {
    let arguments = line.split(' ').filter(|argument| !argument.is_empty());
    Command::new(env!("CARGO_BIN_EXE_iradialer-gateway"))
        .args(arguments)
        .current_dir(dir)
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The flows of the page that have a name, in a folder.
fn flows_of_the_page(page: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for block in page.split("```json\n").skip(1) {
        let (json, _) = block.split_once("```").unwrap();
        let flow: serde_json::Value = serde_json::from_str(json).unwrap();
        if let Some(name) = flow.get("version").and(flow["name"].as_str()) {
            std::fs::write(dir.path().join(format!("{name}.json")), json).unwrap();
        }
    }
    dir
}

/// What docs/flows.md says that comes out of a command comes out of it.
#[test]
fn the_page_tells_the_truth() {
    let page = std::fs::read_to_string(repository().join("docs/flows.md")).unwrap();
    let dir = flows_of_the_page(&page);
    let mut commands = 0;
    for block in page.split("```console\n").skip(1) {
        let (block, _) = block.split_once("```").unwrap();
        for command in block.split("$ iradialer-gateway ").skip(1) {
            let (line, expected) = command.split_once('\n').unwrap();
            let output = typed(dir.path(), line);
            assert_eq!(out(&output), expected, "{line}\n{}", err(&output));
            assert_eq!(
                output.status.success(),
                !expected.contains("error at"),
                "{line}"
            );
            commands += 1;
        }
    }
    assert_eq!(commands, 3);
}

#[test]
fn the_examples_are_checked_together_and_their_own_prompts_are_there() {
    let dir = repository();
    let mut line = "flow check --prompts conf/prompts".to_owned();
    let examples = std::fs::read_dir(dir.join("examples/flows")).unwrap();
    let mut names: Vec<_> = examples
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for name in &names {
        line += &format!(" examples/flows/{name}");
    }
    let output = typed(&dir, &line);
    let expected: String = names
        .iter()
        .map(|name| format!("examples/flows/{name}: OK\n"))
        .collect();
    assert_eq!((out(&output), err(&output)), (expected, String::new()));
}

#[test]
fn check_names_what_is_wrong_and_fails() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, nodes: &str| {
        let flow = format!(r#"{{"version": 1, "name": "{name}", "start": "a", "nodes": {nodes}}}"#);
        std::fs::write(dir.path().join(format!("{name}.json")), flow).unwrap();
    };
    write(
        "good",
        r#"{"a": {"play": [{"file": "a.wav"}], "next": "@hangup"}}"#,
    );
    write(
        "bad",
        r#"{"a": {"play": [{"file": "a.wav"}], "next": "b"}, "c": {"dial": {}}}"#,
    );
    write("one", r#"{"a": {"goto": {"flow": "two"}}}"#);
    write("two", r#"{"a": {"goto": {"flow": "one"}}}"#);
    write("lost", r#"{"a": {"goto": {"flow": "nowhere"}}}"#);
    let bad = typed(dir.path(), "flow check good.json bad.json");
    assert_eq!(bad.status.code(), Some(1));
    assert!(
        out(&bad)
            .starts_with("good.json: OK\nbad.json: error at nodes.c.dial: unknown field `dial`"),
        "{}",
        out(&bad)
    );
    assert_eq!(err(&bad), "iradialer-gateway: 1 error\n");
    let shown = typed(dir.path(), "flow check --json good.json bad.json");
    assert_eq!(shown.status.code(), Some(1));
    let shown: Vec<Value> = out(&shown)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (&shown[0]["valid"], &shown[1]["valid"]),
        (&json!(true), &json!(false))
    );
    let finding = &shown[1]["findings"][0];
    assert_eq!(
        (&finding["severity"], &finding["path"]),
        (&json!("error"), &json!("nodes.c.dial"))
    );
    // Where a goto leads is known where all flows are.
    assert!(typed(dir.path(), "flow check lost.json").status.success());
    let lost = typed(dir.path(), "flow check good.json lost.json");
    assert!(
        out(&lost).contains("lost.json: error at nodes.a.goto.flow: there is no flow \"nowhere\""),
        "{}",
        out(&lost)
    );
    let ring = typed(dir.path(), "flow check one.json two.json");
    assert!(out(&ring).contains("one.json: error at nodes.a.goto: someone who presses nothing goes round for ever: one → two → one"), "{}", out(&ring));
    let missing = typed(dir.path(), "flow check good.json --prompts .");
    assert_eq!(
        out(&missing),
        "good.json: error: prompt a.wav is not there\n"
    );
    let unreadable = typed(dir.path(), "flow check none.json");
    assert!(
        err(&unreadable).contains("none.json: "),
        "{}",
        err(&unreadable)
    );
}

#[test]
fn run_plays_what_is_told_of_outside() {
    let dir = repository();
    let answers = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        answers.path(),
        r#"{"check": [{"reply": {"vars": {"name": "Ann"}}}], "to_desk": ["busy"]}"#,
    )
    .unwrap();
    let line = format!(
        "flow run examples/flows/oncall.json --keys 4711#,2 --at 2026-11-20T10:00:00Z --answers {}",
        answers.path().display()
    );
    let output = typed(&dir, &line);
    let said = out(&output);
    for part in [
        "asked   https://duty.example.com/acknowledge",
        "Thank you. Press 1",
        "transfer to +15005550101: busy",
        "transfer to +15005550102: they speak for 60 s",
        "owner = \"passed on\"",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let hung_up = typed(
        &dir,
        "flow run examples/flows/survey.json --keys 1 --hangup-after 12",
    );
    assert!(
        out(&hung_up).contains("the person hangs up") && out(&hung_up).contains("hello = \"1\""),
        "{}",
        out(&hung_up)
    );
    for (arguments, says) in [
        ("--keys 1x", "--keys: expected keys of 0-9"),
        (
            "--timezone Mars",
            "--timezone: expected the name of a time zone",
        ),
        ("--hangup-after=-1", "--hangup-after"),
        ("--var novalue", "expected NAME=VALUE"),
        ("--at noon", "--at"),
    ] {
        let output = typed(
            &dir,
            &format!("flow run examples/flows/survey.json {arguments}"),
        );
        assert!(
            !output.status.success() && err(&output).contains(says),
            "{arguments}: {}",
            err(&output)
        );
    }
}

#[test]
fn draw_makes_an_svg_with_every_node_and_way_out() {
    let dir = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(repository().join("examples/flows")).unwrap() {
        let path = entry.unwrap().path();
        let output = typed(
            dir.path(),
            &format!("flow draw {} -o out.svg", path.display()),
        );
        assert!(output.status.success(), "{}", err(&output));
        let svg = std::fs::read_to_string(dir.path().join("out.svg")).unwrap();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        let (flow, _) = iradialer_core::flow::parse(&std::fs::read(&path).unwrap()).unwrap();
        let exits: usize = flow.nodes.values().map(|node| node.exits().len()).sum();
        assert_eq!(svg.matches("<g><title>").count(), flow.nodes.len());
        assert_eq!(svg.matches("class=\"exit\"").count(), exits);
        for name in flow.nodes.keys() {
            assert!(svg.contains(&format!(">{name}")), "{name}");
        }
        // Each tag that is opened is closed: what is filled in can't break it.
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }
    let bad = typed(dir.path(), "flow draw out.svg");
    assert!(err(&bad).contains("may not be run"), "{}", err(&bad));
}
