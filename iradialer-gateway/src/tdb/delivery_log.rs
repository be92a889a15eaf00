//! What became of a call's deliveries, try by try.

use super::delivery::values;
use super::row::{get, number, optional_number, parsed, sql_ms};
use super::{Connection, Row, Tdb, TdbError, Tried, Verdict};
use iradialer_core::value::CallUuid;
use serde::Serialize;
use sqlx::AssertSqlSafe;
use std::collections::BTreeMap;

/// Where a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// To be tried, for the first time or again.
    Due,
    /// The receiver took it.
    Delivered,
    /// Given up.
    Dead,
}

/// A delivery and its tries. Times are ms since the Unix epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Noted {
    /// The event's place in the call.
    pub seq: u32,
    /// The event's name, without a prefix.
    pub name: String,
    /// Where to.
    pub url: String,
    /// Where it is.
    pub state: DeliveryState,
    /// When it is tried next, where it is due.
    pub next_ms: Option<u64>,
    /// When the receiver took it or it was given up.
    pub done_ms: Option<u64>,
    /// When somebody last asked for it to be sent again.
    pub replayed_ms: Option<u64>,
    /// Why it failed last, or was given up without a try.
    pub error: Option<String>,
    /// Each try, first to last.
    pub tries: Vec<Try>,
}

/// A try at a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Try {
    /// From 1.
    pub number: u32,
    /// When it began, ms since the Unix epoch.
    pub begun_ms: u64,
    /// How long it took, ms.
    pub took_ms: u64,
    /// Whether the receiver took it.
    pub taken: bool,
    /// The HTTP status, where one came.
    pub status: Option<u16>,
    /// Why it failed, in a sentence.
    pub error: Option<String>,
    /// How the answer began, where one came: up to 1 KiB.
    pub answer: Option<String>,
}

impl DeliveryState {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "due" => DeliveryState::Due,
            "delivered" => DeliveryState::Delivered,
            "dead" => DeliveryState::Dead,
            _ => return None,
        })
    }
}

/// A call's deliveries, page by page, and the tries of a page.
pub(super) const DELIVERIES: &str = "SELECT webhooks.*, call_events.name FROM webhooks
             JOIN call_events ON call_events.call_uuid = webhooks.call_uuid
                 AND call_events.seq = webhooks.seq
             WHERE webhooks.call_uuid = $1 AND webhooks.seq > $2 ORDER BY webhooks.seq LIMIT $3";
pub(super) const TRIES: &str =
    "SELECT * FROM webhook_tries WHERE call_uuid = $1 AND seq > $2 AND seq <= $3
             ORDER BY seq, try_no";

impl Tdb {
    /// The deliveries of the call's events after `after_seq`, in order. The caller has seen whose call it is.
    pub async fn deliveries(
        &self,
        call_uuid: CallUuid,
        after_seq: u32,
        limit: u32,
    ) -> Result<Vec<Noted>, TdbError> {
        let rows = sqlx::query(DELIVERIES)
            .bind(call_uuid.to_string())
            .bind(i64::from(after_seq))
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;
        let mut deliveries = BTreeMap::new();
        for row in &rows {
            let noted = Noted::from_row(row)?;
            deliveries.insert(noted.seq, noted);
        }
        let last = deliveries.keys().next_back().copied().unwrap_or(after_seq);
        let rows = sqlx::query(TRIES)
            .bind(call_uuid.to_string())
            .bind(i64::from(after_seq))
            .bind(i64::from(last))
            .fetch_all(&self.readers)
            .await?;
        for row in &rows {
            if let Some(noted) = deliveries.get_mut(&number(row, "seq")?) {
                noted.tries.push(Try::from_row(row)?);
            }
        }
        Ok(deliveries.into_values().collect())
    }
}

impl Noted {
    fn from_row(row: &Row) -> Result<Self, TdbError> {
        let state = parsed(row, "state", DeliveryState::parse)?;
        let next_ms: u64 = number(row, "next_ms")?;
        Ok(Noted {
            seq: number(row, "seq")?,
            name: get(row, "name")?,
            url: get(row, "url")?,
            state,
            next_ms: (state == DeliveryState::Due).then_some(next_ms),
            done_ms: optional_number(row, "done_ms")?,
            replayed_ms: optional_number(row, "replayed_ms")?,
            error: get(row, "last_error")?,
            tries: Vec::new(),
        })
    }
}

impl Try {
    fn from_row(row: &Row) -> Result<Self, TdbError> {
        Ok(Try {
            number: number(row, "try_no")?,
            begun_ms: number(row, "begun_ms")?,
            took_ms: number(row, "took_ms")?,
            taken: get::<i64>(row, "taken")? != 0,
            status: optional_number(row, "status")?,
            error: get(row, "error")?,
            answer: get(row, "answer")?,
        })
    }
}

/// Writes tries down.
pub(super) async fn note(connection: &mut Connection, tries: &[Tried]) -> Result<(), TdbError> {
    let sql = format!(
        "WITH tried (call_uuid, seq, begun_ms, took_ms, taken, status, error, answer) AS ({})
         INSERT INTO webhook_tries
             (call_uuid, seq, try_no, begun_ms, took_ms, taken, status, error, answer)
         SELECT call_uuid, seq,
             (SELECT COALESCE(MAX(earlier.try_no), 0) + 1 FROM webhook_tries AS earlier
              WHERE earlier.call_uuid = tried.call_uuid AND earlier.seq = tried.seq),
             begun_ms, took_ms, taken, status, error, answer
         FROM tried",
        values(tries.len(), 8)
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for tried in tries {
        query = query
            .bind(tried.call_uuid.to_string())
            .bind(i64::from(tried.seq))
            .bind(sql_ms(tried.begun_ms))
            .bind(sql_ms(tried.took_ms))
            .bind(i64::from(tried.verdict == Verdict::Delivered))
            .bind(tried.status.map(i64::from))
            .bind(tried.error.as_deref())
            .bind(tried.answer.as_deref());
    }
    query.execute(connection).await?;
    Ok(())
}
