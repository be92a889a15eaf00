//! What the router reads at every step of every call must not grow with the calls that are over, or
//! with those that wait for the morning.

use crate::tdb::call_listing::listing;
use crate::tdb::catalogue::CALLS_OF;
use crate::tdb::delivery::{DUE, due_of, due_receivers, facts};
use crate::tdb::delivery_log::{DELIVERIES, TRIES};
use crate::tdb::do_not_call::list;
use crate::tdb::ending::{QUEUED_OF_CAMPAIGN, QUEUED_OF_TENANT};
use crate::tdb::event::EVENTS;
use crate::tdb::queue::{
    CALLS_SINCE, COUNTS_OF_TENANT, LIVE_COUNTS, NEXT_CHANGE, PICK_WAITED_FOR, pick,
};
use crate::tdb::stream;
use crate::tdb::test_support::{POSTGRES, connected, open, url_of};
use crate::tdb::{
    CallFilter, Connection, DatabaseUrl, audit, dead_letter, flow, receiver_list, row, token,
};
use iradialer_core::call::CallState;
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

/// An event of each, so that a plan that reads all of them would be a mistake as well.
const QUEUED: &str = "
    INSERT INTO call_events (call_uuid, seq, attempt, attempt_seq, name, at_ms, stored_ms, data, is_final, tenant_id,
        place)
    SELECT call_uuid, 1, 1, 1, 'queued', created_ms, created_ms, '{}', 0, tenant_id, created_ms FROM calls";

/// How the database goes about a query, a line for each step. It has looked at what is in its tables, as PostgreSQL does
/// by itself and SQLite never.
async fn plan(sql: &str, values: &[&str]) -> (Vec<String>, TempDir) {
    plan_with("ANALYZE", sql, values).await
}

/// The same with both: with figures of what is in the tables, and, where that may be, without.
async fn plans(sql: &str, values: &[&str]) -> Vec<Vec<String>> {
    let mut plans = vec![plan(sql, values).await.0];
    if std::env::var(POSTGRES).is_err() {
        plans.push(plan_with("SELECT 1", sql, values).await.0);
    }
    plans
}

async fn plan_with(analyze: &'static str, sql: &str, values: &[&str]) -> (Vec<String>, TempDir) {
    let (tdb, dir) = open().await;
    tdb.close().await;
    let mut connection = connected(&dir).await;
    run(&mut connection, CALLS).await;
    run(&mut connection, QUEUED).await;
    run(&mut connection, analyze).await;
    let on_sqlite = matches!(url_of(&dir), DatabaseUrl::File(_));
    let mut explained = match on_sqlite {
        true => format!("EXPLAIN QUERY PLAN {sql}"),
        false => format!("EXPLAIN {sql}"),
    };
    for (name, value) in (1..)
        .zip(values)
        .collect::<Vec<(u32, &&str)>>()
        .into_iter()
        .rev()
    {
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
        "SCAN audit\n",
        "SCAN tokens",
        "SCAN flows",
        "SCAN call_events",
    ] {
        assert!(!all.contains(not), "{not}: {all}");
    }
}

#[tokio::test]
async fn what_is_queued_of_a_tenant_is_counted_and_taken_out_by_index() {
    let of = ["'acme'", "'reminders'", "10"];
    // Where all calls are one tenant's PostgreSQL takes any index of what is queued.
    for (sql, values, indexes) in [
        (COUNTS_OF_TENANT, &of[..1], &[][..]),
        (QUEUED_OF_CAMPAIGN, &of, &[]),
        (QUEUED_OF_TENANT, &["'acme'", "10"], &[]),
        (CALLS_OF, &of[..2], &[]),
        (
            PICK_WAITED_FOR,
            &["'acme'", "'reminders'", "99999", "64"],
            &["calls_waited_for"],
        ),
        (CALLS_SINCE, &["'acme'", "5000", "100"], &["calls_listing"]),
    ] {
        // With figures SQLite would know that no call here has a parent; it never has any.
        let analyze = match std::env::var(POSTGRES) {
            Ok(_) => "ANALYZE",
            Err(_) => "SELECT 1",
        };
        let (steps, _dir) = plan_with(analyze, sql, values).await;
        assert_by(indexes, &steps);
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

/// Every page of calls that can be asked for.
fn pages_of_calls() -> Vec<(CallFilter, &'static str)> {
    let mut pages = Vec::new();
    for state in [None, Some(CallState::Completed), Some(CallState::Unknown)] {
        for campaign in [None, Some("surveys"), Some("none")] {
            let index = match (state, campaign) {
                (None, None) => "calls_listing",
                (Some(_), None) => "calls_by_state",
                (_, Some(_)) => "calls_by_campaign",
            };
            let filter = CallFilter {
                state,
                campaign_name: campaign.map(str::to_owned),
                ..CallFilter::default()
            };
            pages.push((filter, index));
        }
    }
    pages
}

#[tokio::test]
async fn a_page_of_calls_is_read_from_its_place_in_the_list() {
    for (filter, index) in pages_of_calls() {
        for (from, before, call) in [
            ("0", "9223372036854775807", "''"),
            ("4000", "5000", "'call 5000'"),
        ] {
            let mut values = vec!["'acme'", from, before, call, "10"];
            let asked = match (&filter.campaign_name, filter.state) {
                (Some(campaign), _) => Some(format!("'{campaign}'")),
                (None, state) => state.map(|state| format!("'{}'", state.as_str())),
            };
            values.extend(asked.as_deref());
            for steps in plans(&listing(&filter), &values).await {
                // PostgreSQL reads the whole list where most of it fits, and may.
                let may_be_most = steps.iter().any(|step| step.contains("cost="))
                    && filter.campaign_name.as_deref() != Some("none")
                    && filter.state != Some(CallState::Unknown);
                match may_be_most {
                    true => assert_by(&["calls_"], &steps),
                    false => assert_by(&[index], &steps),
                }
                let bitmaps = steps.iter().any(|step| step.contains("Bitmap"));
                assert!(!bitmaps, "{filter:?}: {steps:?}");
            }
        }
    }
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
async fn dead_letters_are_read_from_their_place_in_the_list() {
    for (of_campaign, index) in [
        (false, "webhooks_dead "),
        (true, "webhooks_dead_of_campaign"),
    ] {
        let mut page = vec!["'acme'", "0", "5000", "'call 5000'", "3", "10"];
        let mut replayed = vec!["'acme'", "0", "5000", "10"];
        if of_campaign {
            page.push("'surveys'");
            replayed.push("'surveys'");
        }
        for (sql, values) in [
            (dead_letter::listing(of_campaign), page),
            (dead_letter::chosen(of_campaign), replayed),
        ] {
            for steps in plans(&sql, &values).await {
                assert_by(&[index], &steps);
            }
        }
    }
}

#[tokio::test]
async fn what_the_dispatcher_asks_for_is_read_by_indexes() {
    let (steps, _dir) = plan(&due_receivers(), &["5000"]).await;
    assert_by(&["webhooks_due "], &steps);
    let (steps, _dir) = plan(&due_of(2), &["5000", "'a x'", "'b y'"]).await;
    assert_by(&["webhooks_due "], &steps);
    let values = ["'call 5'", "1", "'call 6'", "1"];
    let (steps, _dir) = plan(&facts(2), &values).await;
    assert_by(&["call_events_answers", "webhooks_gone"], &steps);
}

#[tokio::test]
async fn what_belongs_to_one_call_is_read_by_it() {
    for (sql, values) in [
        (EVENTS, vec!["'call 5'", "0", "10"]),
        (DELIVERIES, vec!["'call 5'", "0", "10"]),
        (TRIES, vec!["'call 5'", "0", "10"]),
    ] {
        let (steps, _dir) = plan(sql, &values).await;
        assert_by(&["call_uuid"], &steps);
    }
}

#[tokio::test]
async fn lists_of_other_things_are_read_from_their_place() {
    for (sql, values, index) in [
        (audit::LISTING, vec!["'b'", "0", "10"], "audit"),
        (
            audit::LISTING_OF_TENANT,
            vec!["'b'", "0", "10", "'acme'"],
            "audit_by_tenant",
        ),
        (token::OF_TENANT, vec!["'acme'"], "tokens_by_tenant"),
        (
            receiver_list::FIGURES,
            vec!["'acme'", "''", "10"],
            "webhook_receivers_by_tenant",
        ),
        (flow::LISTING, vec!["'acme'", "'a'", "10"], "flows_"),
    ] {
        for steps in plans(sql, &values).await {
            assert_by(&[index], &steps);
        }
    }
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
