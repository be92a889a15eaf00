//! The gateway on PostgreSQL: every test here once more, but for a few, and a server that goes away.

use crate::gateway::{CONFIG, PATIENCE, POSTGRES, Site, send};
use crate::postgres::{For, Postgres};
use serde_json::json;
use std::process::Command;
use std::time::Instant;

/// What is not run again, by a part of its name. Whatever is added to this binary runs on both databases.
const NOT_AGAIN: &[&str] = &[
    // They start servers of their own, and this one would start itself.
    "on_postgresql::",
    // What floods and slow clients can make the process hold, before anything reaches a database.
    "bounded::",
    "connections::",
    // Pages in a browser; files for a NATS.
    "docs::",
    "nats_config::",
    // Looks at the modes of SQLite's files.
    "lifecycle::ready_when_it_says_so_and_gone_without_a_trace",
];

/// Some of what has to have been run: a name that was changed is not to go unnoticed.
const AMONG_OTHERS: &[&str] = &[
    "bad_input",
    "hours",
    "idempotency",
    "lifecycle",
    "router::explain",
    "router::live",
    "router::regions",
    "router::requests",
    "surface",
    "webhook_contract",
    "webhooks",
];

#[test]
fn every_test_once_more() {
    let Some(server) = Postgres::start(For::Tests) else {
        return;
    };
    let skipped = NOT_AGAIN.iter().flat_map(|name| ["--skip", *name]);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(skipped)
        .env(POSTGRES, server.url(""))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "on PostgreSQL:\n{said}");
    for module in AMONG_OTHERS {
        let passed = said.lines().any(|line| {
            let name = line
                .strip_prefix("test ")
                .and_then(|line| line.strip_suffix(" ... ok"));
            name.is_some_and(|name| name.starts_with(&format!("{module}::")))
        });
        assert!(passed, "{module} was not run on PostgreSQL:\n{said}");
    }
    let passed = said
        .lines()
        .filter(|line| line.ends_with(" ... ok"))
        .count();
    assert!(passed > 180, "{passed} on PostgreSQL:\n{said}");
    // They were there, and not in files.
    let databases = server.psql("postgres", "SELECT COUNT(*) FROM pg_database");
    assert!(databases.parse::<u32>().unwrap() > 150, "{databases}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_is_named_and_what_was_asked_meanwhile_may_be_repeated() {
    let Some(mut server) = Postgres::start(For::Tests) else {
        return;
    };
    let site = Site::new(CONFIG).on(Some(server.create("tdb")));
    let token = site.token("acme").await;
    let gateway = site.start().await;
    let make_call = async |key: &str| {
        let body = json!({ "campaign_name": "reminders", "to_number": "+15005550006" });
        let request = gateway.request("/api/makecall", body.to_string());
        send(request.bearer_auth(&token).header("Idempotency-Key", key)).await
    };
    assert_eq!(make_call("before").await.status, 200);

    server.kill();
    for _ in 0..3 {
        let answer = make_call("meanwhile").await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
        assert_eq!(answer.body["error"]["retryable"], true);
    }
    let ready = gateway.get(&token, "/readyz").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.body["database"], "down");

    server.start_again();
    let deadline = Instant::now() + PATIENCE;
    while make_call("meanwhile").await.status != 200 {
        assert!(Instant::now() < deadline, "{}", gateway.site().log_text());
    }
    assert_eq!(gateway.get(&token, "/readyz").await.status, 200);
    assert_eq!(
        make_call("before").await.headers["idempotency-replayed"],
        "true"
    );
    assert_eq!(gateway.calls(&token).await.len(), 2);

    let log = gateway.site().log_text();
    for said in [
        "the database can't be written, trying until it can",
        "the database can be written again",
    ] {
        assert!(log.contains(said), "{said}\n{log}");
    }
    assert!(!log.contains("a request failed"), "{log}");
}

#[tokio::test]
async fn a_gateway_that_may_not_use_it_ends_at_once_and_says_why() {
    let Some(server) = Postgres::start(For::Tests) else {
        return;
    };
    server.psql("postgres", "CREATE ROLE guarded LOGIN PASSWORD 's3cret'");
    let wrong = server.url_as("guarded:wr0ng", "postgres");
    let site = Site::new(CONFIG).on(Some(wrong));
    let begun = Instant::now();
    let output = site.run(&["serve", "--dev"]).await;
    assert!(!output.status.success());
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("password authentication failed for user \"guarded\""),
        "{said}"
    );
    assert!(
        said.contains("postgres://guarded@") && !said.contains("wr0ng"),
        "{said}"
    );
}
