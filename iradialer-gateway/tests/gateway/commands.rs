//! `call` and `calls`, as they are typed.

use crate::gateway::{CONFIG, Gateway, PATIENCE, Site};
use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::{sleep, timeout};

/// A gateway whose commands have a token of `acme`.
async fn start() -> Gateway {
    let site = Site::new(CONFIG);
    let token = site.token("acme").await;
    site.with("IRADIALER_TOKEN", &token).start().await
}

/// What a command prints, or what it fails with.
async fn typed(gateway: &Gateway, command: &[&str]) -> Result<String, String> {
    let output = gateway.site().run(command).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    match output.status.success() {
        true => Ok(text(output.stdout)),
        false => Err(text(output.stderr)),
    }
}

/// Those of a line each.
fn json_lines(text: &str) -> Vec<Value> {
    let lines = text.lines().map(serde_json::from_str);
    lines.map(Result::unwrap).collect()
}

const CALL: [&str; 5] = ["call", "+15005550006", "--campaign", "reminders", "--var"];

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_asked_for_listed_explained_and_dropped() {
    let gateway = start().await;
    let command = [
        &CALL[..],
        &["name=Ada", "--priority", "7", "--key", "order-1"],
    ]
    .concat();
    let call = typed(&gateway, &command).await.unwrap().trim().to_owned();
    assert_eq!(
        typed(&gateway, &command).await.unwrap().trim(),
        call,
        "the same key"
    );

    let shown = typed(&gateway, &["calls", "show", &call]).await.unwrap();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(
        (&shown["vars"]["name"], &shown["priority"]),
        (&"Ada".into(), &7.into())
    );
    let why = typed(&gateway, &["calls", "explain", &call]).await.unwrap();
    assert!(why.contains("no_switch"), "{why}");

    for (filter, found) in [("queued", 1), ("completed", 0)] {
        let command = [
            "calls",
            "list",
            "--json",
            "--state",
            filter,
            "--campaign",
            "reminders",
        ];
        let listed = typed(&gateway, &command).await.unwrap();
        assert_eq!(json_lines(&listed).len(), found, "{filter}: {listed}");
    }
    let dropped = typed(&gateway, &["calls", "drop", &call]).await.unwrap();
    assert!(!dropped.trim().is_empty());
    let events = typed(&gateway, &["calls", "events", &call]).await.unwrap();
    let lines: Vec<&str> = events.lines().collect();
    assert!(
        lines[0].starts_with("TIME") && lines[1].contains("queued"),
        "{events}"
    );
    assert!(lines.last().unwrap().contains("canceled"), "{events}");
    let table = typed(&gateway, &["calls", "list"]).await.unwrap();
    assert!(
        table.lines().nth(1).unwrap().contains("canceled"),
        "{table}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_watched_tells_its_end() {
    let gateway = start().await;
    let command = [&CALL[..], &["a=1", "--watch", "--json"]].concat();
    let watching = typed(&gateway, &command);
    let dropping = async {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let listed = typed(&gateway, &["calls", "list", "--json"]).await.unwrap();
            if let Some(call) = json_lines(&listed).first() {
                let call = call["call_uuid"].as_str().unwrap();
                return typed(&gateway, &["calls", "drop", call]).await.unwrap();
            }
            assert!(Instant::now() < deadline, "it was not asked for");
            sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let (watched, _) = tokio::join!(watching, dropping);
    assert!(watched.unwrap_err().contains("the call is canceled"));
    let listed = typed(&gateway, &["calls", "list", "--json"]).await.unwrap();
    let call = json_lines(&listed)[0]["call_uuid"]
        .as_str()
        .unwrap()
        .to_owned();
    let output = gateway.site().run(&["tail", &call, "--json"]).await;
    let told = json_lines(&String::from_utf8(output.stdout).unwrap());
    let names: Vec<_> = told
        .iter()
        .map(|event| event["event_name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["iradialer::queued", "iradialer::canceled"]);
    assert!(!output.status.success(), "it was not completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_shows_what_happens_and_goes_on_where_the_gateway_was_restarted() {
    let gateway = start().await;
    let url = gateway.url.clone();
    let mut tail = gateway.site().command(&["tail", "--json"]);
    let mut tail = tail
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    // It shows what happens from when it has begun to follow on.
    let mut told = None;
    let deadline = Instant::now() + PATIENCE;
    while told.is_none() {
        assert!(Instant::now() < deadline, "nothing is shown");
        typed(&gateway, &[&CALL[..], &["a=1"]].concat())
            .await
            .unwrap();
        let next = timeout(Duration::from_secs(1), lines.next_line());
        told = next.await.ok().map(|line| line.unwrap().unwrap());
    }
    let told: Value = serde_json::from_str(&told.unwrap()).unwrap();
    assert_eq!(told["event_name"], "iradialer::queued");
    assert_eq!(told["event_data"]["to_number"], "+15005550006");

    let call = told["event_data"]["call_uuid"].as_str().unwrap().to_owned();
    let mut site = gateway.kill().await;
    site.listen_at(&url);
    let gateway = site.start().await;
    typed(&gateway, &["calls", "drop", &call]).await.unwrap();
    loop {
        let line = timeout(PATIENCE, lines.next_line())
            .await
            .expect("it went on");
        let told: Value = serde_json::from_str(&line.unwrap().unwrap()).unwrap();
        if told["event_name"] == "iradialer::canceled" {
            assert_eq!(told["event_data"]["call_uuid"], call.as_str());
            break;
        }
    }
    tail.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_told_in_a_sentence() {
    let gateway = start().await;
    for (command, said) in [
        (
            &["call", "12", "--campaign", "reminders"][..],
            "to_number: expected",
        ),
        (
            &["call", "+15005550006", "--campaign", "nobody"],
            "There is no campaign \"nobody\"",
        ),
        (
            &[
                "call",
                "+15005550006",
                "--campaign",
                "reminders",
                "--var",
                "x",
            ],
            "--var: expected NAME=VALUE",
        ),
        (
            &[
                "call",
                "+15005550006",
                "--campaign",
                "reminders",
                "--flow",
                "/none.json",
            ],
            "--flow: /none.json",
        ),
        (&["calls", "show", "../tokens"], "CALL_UUID: expected"),
        (&["calls", "list", "--state", "gone"], "state: expected"),
        (
            &["calls", "list", "--tenant", "other"],
            "acts for its own tenant only",
        ),
        (
            &["calls", "list", "--token-file", "/none"],
            "--token-file: /none",
        ),
        (
            &[
                "calls",
                "list",
                "--url",
                "https://127.0.0.1:9",
                "--ca",
                "/none",
            ],
            "/none: ",
        ),
    ] {
        let refused = typed(&gateway, command).await.unwrap_err();
        assert!(refused.contains(said), "{command:?}: {refused}");
    }
    let (status, site) = gateway.stop().await;
    assert!(status.success());
    let output = site.run(&["calls", "list"]).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("no gateway runs with the data directory"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_shown_and_brought_up_to_date() {
    let site = Site::new(CONFIG);
    let check = site.run(&["migrate", "--check", "--json"]).await;
    let steps = json_lines(&String::from_utf8(check.stdout).unwrap());
    assert!(!check.status.success() && steps.len() >= 11);
    assert!(
        steps.iter().all(|step| step["state"] == "missing"),
        "{steps:?}"
    );
    assert!(site.run(&["migrate"]).await.status.success());
    let check = site.run(&["migrate", "--check", "--json"]).await;
    let after = json_lines(&String::from_utf8(check.stdout).unwrap());
    assert!(check.status.success() && after.len() == steps.len());
    assert!(
        after.iter().all(|step| step["state"] == "applied"),
        "{after:?}"
    );
}

#[test]
fn shells_and_readers_are_told_of_every_command() {
    let output = |arguments: &[&str]| {
        let program = env!("CARGO_BIN_EXE_iradialer-gateway");
        let output = Command::new(program).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    for shell in ["bash", "zsh", "fish"] {
        let script = output(&["completion", shell]);
        let knows = script.contains("doctor") && script.contains("freeswitch-prefix");
        assert!(knows, "{shell}: {script}");
    }
    let page = output(&["man"]);
    assert!(
        page.contains(".TH iradialer") && page.contains("doctor"),
        "{page}"
    );
}
