//! What can be wrong with a PostgreSQL server, at start and while it is used.

mod cut;

use crate::tdb::test_support::postgres::{For, Postgres};
use crate::tdb::test_support::*;
use crate::tdb::{Accepted, DatabaseUrl, NewCall, Tdb, TdbError};
use cut::{Cut, Proxy};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::time::sleep;

fn url(text: &str) -> DatabaseUrl {
    DatabaseUrl::parse(text).unwrap()
}

async fn refused(text: &str) -> TdbError {
    match Tdb::open_within(&url(text), Duration::ZERO).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

fn keyed(key: usize) -> NewCall {
    NewCall {
        idempotency_key: Some(key.to_string()),
        ..new_call()
    }
}

/// As a client would: the same request until it is answered. Returns the answer, and how often there was none.
/// A process that gets no processor for 2 s within a transaction loses it.
async fn accepted(tdb: &Tdb, call: &NewCall) -> (String, u32) {
    let mut failed = 0;
    loop {
        match tdb.accept(call.clone()).await {
            Ok(Accepted::New) => return (call.answer.clone(), failed),
            Ok(Accepted::Replay(answer)) => return (answer, failed),
            Ok(other) => panic!("{other:?}"),
            Err(error) => assert!(error.is_outage(), "{error}"),
        }
        failed += 1;
    }
}

#[tokio::test]
async fn what_is_wrong_at_the_start_is_named() {
    let Some(server) = Postgres::start(For::Tests) else {
        return;
    };
    server.psql("postgres", "CREATE ROLE guarded LOGIN PASSWORD 's3cret'");
    let error = refused(&server.url_as("guarded:wr0ng", "postgres")).await;
    let said = error.to_string();
    assert!(
        said.contains("password authentication failed for user \"guarded\""),
        "{said}"
    );
    assert!(!said.contains("wr0ng"), "{said}");

    let said = refused(&server.url("nowhere")).await.to_string();
    assert!(
        said.contains("database \"nowhere\" does not exist"),
        "{said}"
    );

    let read_only = server.create("readonly");
    Tdb::open(&url(&read_only)).await.unwrap().close().await;
    server.psql(
        "postgres",
        "ALTER DATABASE readonly SET default_transaction_read_only = on",
    );
    let error = refused(&read_only).await;
    assert!(matches!(error, TdbError::ReadOnly(_)), "{error}");

    server.psql(
        "postgres",
        "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'",
    );
    let error = refused(&server.url("latin")).await;
    assert!(
        matches!(&error, TdbError::Encoding(of) if of == "LATIN1"),
        "{error}"
    );

    let error = refused("postgres://ira:s3cret@127.0.0.1:1/tdb").await;
    let said = error.to_string();
    assert!(matches!(error, TdbError::Away(_)), "{said}");
    assert!(
        said.contains("refused") && !said.contains("s3cret"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_that_start_together_take_turns_at_the_schema() {
    let Some(server) = Postgres::start(For::Tests) else {
        return;
    };
    let url = url(&server.create("tdb"));
    let opened = futures::future::join_all((0..6).map(|_| Tdb::open(&url))).await;
    for tdb in opened {
        let tdb = tdb.unwrap();
        accepted(&tdb, &new_call()).await;
        tdb.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_under_load_loses_nothing_it_answered() {
    let Some(mut server) = Postgres::start(For::Tests) else {
        return;
    };
    let tdb = Tdb::open(&url(&server.create("tdb"))).await.unwrap();
    let (next, stop) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let clients = (0..16).map(|_| {
        let (tdb, next, stop) = (tdb.clone(), next.clone(), stop.clone());
        tokio::spawn(async move {
            let (mut answered, mut failed) = (HashMap::new(), 0);
            while !stop.load(Ordering::Relaxed) {
                let call = keyed(next.fetch_add(1, Ordering::Relaxed));
                let key = call.idempotency_key.clone().unwrap();
                let (answer, failures) = accepted(&tdb, &call).await;
                failed += failures;
                answered.insert(key, answer);
            }
            (answered, failed)
        })
    });
    let clients: Vec<_> = clients.collect();
    for _ in 0..3 {
        sleep(Duration::from_millis(400)).await;
        server.kill();
        sleep(Duration::from_millis(200)).await;
        server.start_again();
    }
    sleep(Duration::from_millis(400)).await;
    stop.store(true, Ordering::Relaxed);

    let (mut answered, mut failed) = (HashMap::new(), 0);
    for client in clients {
        let (of_client, failures) = client.await.unwrap();
        answered.extend(of_client);
        failed += failures;
    }
    assert!(failed > 0, "the server was never missed");
    for (key, answer) in &answered {
        let tenant = tenant();
        let kept = tdb.accepted_before(&tenant, Some(key), None, "hash");
        assert_eq!(kept.await.unwrap(), Some(Accepted::Replay(answer.clone())));
    }
    let calls = server.psql("tdb", "SELECT COUNT(*) FROM calls");
    assert_eq!(calls, answered.len().to_string(), "one call for each key");
    tdb.check().await.unwrap();
    tdb.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_an_answer_is_not_known_and_a_repetition_tells() {
    let Some(server) = Postgres::start(For::Tests) else {
        return;
    };
    server.create("tdb");
    let proxy = Proxy::start(server.socket()).await;
    let through = format!("postgres://iradialer@{}/tdb", proxy.address);
    let tdb = Tdb::open(&url(&through)).await.unwrap();
    for (key, cut, then) in [
        (1, Cut::Answer, Accepted::Replay(String::new())),
        (2, Cut::Commit, Accepted::New),
    ] {
        let call = keyed(key);
        proxy.cut_at_the_next_commit(cut);
        let error = tdb.accept(call.clone()).await.unwrap_err();
        assert!(
            matches!(error, TdbError::CommitUnknown(_)),
            "{cut:?}: {error}"
        );
        let expected = match then {
            Accepted::Replay(_) => Accepted::Replay(call.answer.clone()),
            other => other,
        };
        assert_eq!(tdb.accept(call).await.unwrap(), expected, "{cut:?}");
    }
    tdb.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_stands_still_does_not_hold_the_others() {
    let Some(server) = Postgres::start(For::Tests) else {
        return;
    };
    let url = url(&server.create("tdb"));
    let (still, other) = (
        Tdb::open(&url).await.unwrap(),
        Tdb::open(&url).await.unwrap(),
    );
    let stands = tokio::spawn({
        let still = still.clone();
        async move {
            let write = still.writer.write(|connection| {
                Box::pin(async move {
                    sleep(Duration::from_secs(4)).await;
                    sqlx::query("SELECT 1").execute(connection).await?;
                    Ok(())
                })
            });
            write.await
        }
    });
    sleep(Duration::from_millis(300)).await;
    let begun = Instant::now();
    assert_eq!(other.accept(new_call()).await.unwrap(), Accepted::New);
    assert!(
        begun.elapsed() < Duration::from_millis(3_500),
        "{:?}",
        begun.elapsed()
    );
    let error = stands.await.unwrap().unwrap_err();
    assert!(error.is_outage(), "{error}");
    assert_eq!(still.accept(new_call()).await.unwrap(), Accepted::New);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_becomes_read_only_says_so_and_recovers() {
    let Some(server) = Postgres::start(For::Tests) else {
        return;
    };
    let tdb = Tdb::open(&url(&server.create("tdb"))).await.unwrap();
    let drop_writer = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                       WHERE application_name = 'iradialer writer'";
    let set = "ALTER DATABASE tdb SET default_transaction_read_only = on";
    server.psql("postgres", set);
    server.psql("postgres", drop_writer);
    // The first only finds that the connection is gone.
    assert!(tdb.accept(new_call()).await.unwrap_err().is_outage());
    let error = tdb.accept(new_call()).await.unwrap_err();
    assert!(matches!(error, TdbError::ReadOnly(_)), "{error}");
    // psql's own session is read-only as well.
    server.psql(
        "postgres",
        "ALTER DATABASE tdb RESET default_transaction_read_only",
    );
    assert_eq!(tdb.accept(new_call()).await.unwrap(), Accepted::New);
}
