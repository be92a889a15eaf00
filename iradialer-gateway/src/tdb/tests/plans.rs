//! What the router reads at every step of every call must not grow with the calls that are over, or
//! with those that wait for the morning.

use crate::tdb::queue::{LIVE_COUNTS, PICK};
use crate::tdb::test_support::open;
use crate::tdb::{Tdb, row};

/// How SQLite goes about a query, a line for each step.
async fn plan(tdb: &Tdb, sql: &str) -> Vec<String> {
    let explained = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let rows = sqlx::query(explained).fetch_all(&tdb.readers).await;
    let detail = |step| row::get::<String>(step, "detail").unwrap();
    rows.unwrap().iter().map(detail).collect()
}

#[tokio::test]
async fn live_calls_are_counted_without_those_that_are_over() {
    let (tdb, _dir) = open().await;
    let steps = plan(&tdb, LIVE_COUNTS).await;
    assert_eq!(steps.len(), 1, "{steps:?}");
    assert!(steps[0].contains("calls_live"), "{steps:?}");
}

#[tokio::test]
async fn the_queue_is_read_in_its_order() {
    let (tdb, _dir) = open().await;
    let steps = plan(&tdb, PICK).await;
    assert_eq!(steps.len(), 1, "nothing is sorted: {steps:?}");
    assert!(steps[0].contains("calls_queue (tenant_id"), "{steps:?}");
}
