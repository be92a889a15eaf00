//! What the router reads at every step of every call must not grow with the calls that are over, or
//! with those that wait for the morning.

use crate::tdb::call::LISTING;
use crate::tdb::dead_letter;
use crate::tdb::delivery::DUE;
use crate::tdb::do_not_call::list;
use crate::tdb::queue::{LIVE_COUNTS, NEXT_CHANGE, pick};
use crate::tdb::stream;
use crate::tdb::test_support::{connected, open, url_of};
use crate::tdb::{Connection, DatabaseUrl, row};
use sqlx::{AssertSqlSafe, Row as _};
use tempfile::TempDir;

/// Calls of all kinds, so many that a plan that reads all of them would be a mistake.
const CALLS: &str = "
    INSERT INTO calls (call_uuid, tenant_id, campaign_name, origin, to_number, from_number, request,
        priority, created_ms, not_before_ms, expires_ms, body_hash, answer, state, attempt, last_seq,
        node_id, trunk)
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 20000)
    SELECT 'call ' || n, 'acme', CASE WHEN n % 3 = 0 THEN 'reminders' ELSE 'surveys' END, 'api', '+1', '',
        '{}', n % 10, n, n, n + 1000000, '', '',
        CASE WHEN n % 2 = 0 THEN 'queued' WHEN n % 51 = 0 THEN 'ringing' ELSE 'completed' END, 1, 0,
        'switch-1', 'chime'
    FROM numbers";

/// How the database goes about a query, a line for each step.
async fn plan(sql: &str, values: &[&str]) -> (Vec<String>, TempDir) {
    let (tdb, dir) = open().await;
    tdb.close().await;
    let mut connection = connected(&dir).await;
    run(&mut connection, CALLS).await;
    run(&mut connection, "ANALYZE").await;
    let on_sqlite = matches!(url_of(&dir), DatabaseUrl::File(_));
    let mut explained = match on_sqlite {
        true => format!("EXPLAIN QUERY PLAN {sql}"),
        false => format!("EXPLAIN {sql}"),
    };
    for (name, value) in (1..).zip(values) {
        explained = explained.replace(&format!("${name}"), value);
    }
    if !on_sqlite {
        // The tables are small, some empty: a scan is taken only where there is no other way.
        run(&mut connection, "SET enable_seqscan = off").await;
    }
    let query = sqlx::query(AssertSqlSafe(explained));
    let rows = query.fetch_all(&mut connection).await.unwrap();
    let step = |row| match on_sqlite {
        true => row::get::<String>(row, "detail").unwrap(),
        false => row.get::<String, _>(0),
    };
    (rows.iter().map(step).collect(), dir)
}

async fn run(connection: &mut Connection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

#[tokio::test]
async fn live_calls_are_counted_without_those_that_are_over() {
    let (steps, _dir) = plan(LIVE_COUNTS, &[]).await;
    let all = steps.join("\n");
    // PostgreSQL may take either index of the live calls, and then sorts those.
    assert!(
        all.contains("calls_live") || all.contains("calls_open"),
        "{all}"
    );
    assert!(!all.contains("Seq Scan"), "{all}");
}

#[tokio::test]
async fn the_queue_is_read_in_its_order() {
    let (steps, _dir) = plan(&pick::sql(64), &["'acme'", "'reminders'", "99999"]).await;
    let all = steps.join("\n");
    let by_index = |name: &str| {
        let places = steps.iter().enumerate();
        let found = places.filter(|(_, step)| step.contains(name));
        found.map(|(place, _)| place).collect::<Vec<_>>()
    };
    // Each priority from its place in the index on, and what came back from another.
    let (first, retried) = (by_index(" calls_queue "), by_index(" calls_retried "));
    assert_eq!((first.len(), retried.len()), (10, 1), "{all}");
    for not in ["Seq Scan", "Bitmap", "SCAN calls"] {
        assert!(!all.contains(not), "{all}");
    }
    // In the index's order up to the limit: what is sorted is no more than the short lists.
    for place in first.into_iter().chain(retried) {
        let sorts = match all.contains("SEARCH") {
            true => steps[place + 1].contains("TEMP B-TREE"),
            false => !steps[place - 1].contains("Limit"),
        };
        assert!(!sorts, "{place}: {all}");
    }
}

/// Each step of the plan is answered from one of these, and no table is read through.
fn assert_by(indexes: &[&str], steps: &[String]) {
    let all = steps.join("\n");
    for index in indexes {
        assert!(all.contains(index), "{index}: {all}");
    }
    for not in [
        "Seq Scan",
        "SCAN calls",
        "SCAN webhooks",
        "SCAN do_not_call",
    ] {
        assert!(!all.contains(not), "{not}: {all}");
    }
}

#[tokio::test]
async fn the_next_change_of_the_queue_is_the_first_of_two_indexes() {
    let (steps, _dir) = plan(NEXT_CHANGE, &["5000"]).await;
    assert_by(&["calls_later", "calls_expiry"], &steps);
}

#[tokio::test]
async fn what_a_receiver_is_to_get_is_read_without_what_it_has() {
    let (steps, _dir) = plan(DUE, &["'acme https://a.example'", "5000", "10"]).await;
    assert_by(&["webhooks_due "], &steps);
}

#[tokio::test]
async fn a_page_of_calls_is_read_from_its_place_in_the_list() {
    let values = [
        "'acme'",
        "NULL",
        "NULL",
        "NULL",
        "5000",
        "'call 5000'",
        "10",
    ];
    let (steps, _dir) = plan(LISTING, &values).await;
    assert_by(&["calls_listing"], &steps);
}

#[tokio::test]
async fn a_page_of_the_do_not_call_list_is_read_from_its_place() {
    for (sql, values) in [
        (list::LISTING, vec!["'acme'", "'1500'", "''", "10"]),
        (
            list::BY_NUMBER,
            vec!["'acme'", "'1500'", "''", "''", "NULL", "10"],
        ),
        (
            list::BY_CAMPAIGN,
            vec!["'acme'", "'surveys'", "'1500'", "10"],
        ),
    ] {
        let (steps, _dir) = plan(sql, &values).await;
        // PostgreSQL takes either of the two for a table that is empty.
        assert_by(&["do_not_call_"], &steps);
    }
}

#[tokio::test]
async fn a_page_of_dead_letters_is_read_from_its_place_in_the_list() {
    let values = ["'acme'", "0", "5000", "'call 5000'", "3", "NULL", "10"];
    let (steps, _dir) = plan(dead_letter::LISTING, &values).await;
    assert_by(&["webhooks_dead"], &steps);
}

#[tokio::test]
async fn who_follows_a_tenant_s_events_reads_no_others() {
    for (sql, values) in [
        (stream::AFTER, &["'acme'", "5", "100"][..]),
        (stream::CALLS, &["'acme'", "5", "105"]),
        (stream::LAST, &["'acme'"]),
    ] {
        let (steps, _dir) = plan(sql, values).await;
        assert_by(&["call_events_stream"], &steps);
        let all = steps.join("\n");
        assert!(!all.contains("SCAN call_events"), "{all}");
    }
}
