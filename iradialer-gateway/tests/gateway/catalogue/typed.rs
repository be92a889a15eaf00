//! The same at the command line.

use super::Ground;
use crate::tokens::token_with;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// What a command that has to succeed prints.
async fn said(ground: &Ground, command: &[&str]) -> String {
    let output = ground.gateway.site().run(command).await;
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What one that has to fail says.
async fn failed(ground: &Ground, command: &[&str]) -> String {
    let output = ground.gateway.site().run(command).await;
    assert!(!output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_does_the_same_at_the_command_line() {
    let ground = Ground::start().await;
    let add = [
        "trunk",
        "add",
        "twilio",
        "--max-cps",
        "5",
        "--max-calls",
        "9",
        "--param",
        "proxy=sip.example.net",
        "--param",
        "password=s3cret",
        "--caller-range",
        "15005550100-15005550199",
    ];
    assert!(
        said(&ground, &add)
            .await
            .contains("trunk show twilio --xml")
    );
    assert!(
        failed(&ground, &add)
            .await
            .contains("There is a trunk twilio already")
    );
    assert!(
        said(&ground, &["trunk", "show", "twilio", "--xml"])
            .await
            .contains("value=\"s3cret\"")
    );
    let shown = said(&ground, &["trunk", "show", "twilio", "--json"]).await;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(
        (&shown["max_calls"], &shown["params"]["password"]),
        (&json!(9), &json!("***"))
    );
    said(&ground, &["trunk", "set", "chime", "--max-calls", "7"]).await;
    said(&ground, &["trunk", "disable", "chime"]).await;
    let list = said(&ground, &["trunk", "list"]).await;
    let line = list.lines().find(|line| line.starts_with("chime")).unwrap();
    assert!(
        line.contains("disabled") && line.contains(" 7 ") && line.contains("acme/reminders"),
        "{list}"
    );
    said(&ground, &["trunk", "enable", "chime"]).await;
    assert!(
        failed(&ground, &["trunk", "remove", "chime"])
            .await
            .contains("in the configuration file")
    );
    for (option, value, says) in [
        (
            "--param",
            "exec=x",
            "--param: expected one of auth-username",
        ),
        ("--param", "proxy", "--param: expected NAME=VALUE"),
        ("--dtmf", "tones", "--dtmf: expected rfc4733"),
        (
            "--caller-range",
            "2-1",
            "--caller-range: expected FIRST-LAST",
        ),
    ] {
        let wrong = [
            "trunk",
            "add",
            "x",
            "--max-cps",
            "1",
            "--max-calls",
            "1",
            option,
            value,
        ];
        let told = failed(&ground, &wrong).await;
        assert!(told.contains(says), "{told}");
    }
    // A gateway that runs knows it within a second.
    let changed = Instant::now();
    while ground
        .do_it(Method::GET, "/api/trunks/chime", Value::Null, 200)
        .await["max_calls"]
        != 7
    {
        assert!(changed.elapsed() < Duration::from_secs(3));
        sleep(Duration::from_millis(50)).await;
    }
    said(&ground, &["trunk", "remove", "twilio"]).await;
    assert!(
        failed(&ground, &["trunk", "show", "twilio"])
            .await
            .contains("there is no trunk twilio")
    );

    assert!(said(&ground, &["node", "list"]).await.starts_with("SWITCH"));
    assert!(
        failed(&ground, &["node", "maintenance", "sw7"])
            .await
            .contains("there is no switch sw7")
    );
    let admin = token_with(ground.gateway.site(), &["--role", "admin"]).await;
    let audit = ground.gateway.get(&admin, "/api/audit").await;
    let entries = audit.body["entries"].as_array().unwrap();
    let removed = entries
        .iter()
        .find(|entry| entry["action"] == "trunk.delete")
        .unwrap();
    assert_eq!(removed["via"], "command_line");
}
