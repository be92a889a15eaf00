//! Deliveries of events to webhooks: in order per call, and tracked until done or dead.

use super::row::{get, number, optional_number, sql_ms};
use super::{Call, CallEvent, Connection, Tdb, TdbError, delivery_log, receiver};
use iradialer_core::value::{CallUuid, TenantId};
use sqlx::AssertSqlSafe;
use std::collections::HashMap;

/// An event that its webhook is to get now.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The call, as it is now.
    pub call: Call,
    /// The event.
    pub event: CallEvent,
    /// Where to.
    pub url: String,
    /// How often it was tried.
    pub tries: u32,
}

impl Delivery {
    /// `scheme://host:port` of where it goes, as it is written.
    pub fn origin(&self) -> &str {
        origin(&self.url)
    }
}

/// A receiver that has deliveries to get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueReceiver {
    /// `TENANT scheme://host:port`, the latter as in the URLs.
    pub receiver: String,
    /// When its next delivery is due, ms since the Unix epoch.
    pub next_ms: u64,
}

/// How a try at a delivery went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// What follows from it.
    pub verdict: Verdict,
    /// The HTTP status, where one came.
    pub status: Option<u16>,
    /// Why it failed, in a sentence.
    pub error: Option<String>,
    /// How the answer began, where one came: up to 1 KiB.
    pub answer: Option<String>,
    /// When it began, ms since the Unix epoch.
    pub begun_ms: u64,
    /// How long it took, ms.
    pub took_ms: u64,
}

/// What follows from a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The receiver took it.
    Delivered,
    /// It failed, and is to be tried again.
    Again {
        /// When, ms since the Unix epoch.
        next_ms: u64,
    },
    /// It failed, and is given up. The call's later events are still delivered.
    Dead,
    /// The receiver wants nothing more of the call: what waits of it is given up as well.
    Gone,
}

/// Of a receiver, the first event of each call that is due.
pub(super) const DUE: &str = "
    SELECT call_uuid, seq, url, tries FROM webhooks
    WHERE receiver = $1 AND state = 'due' AND next_ms <= $2 AND NOT EXISTS (
        SELECT 1 FROM webhooks AS earlier
        WHERE earlier.call_uuid = webhooks.call_uuid AND earlier.state = 'due'
          AND earlier.seq < webhooks.seq)
    ORDER BY next_ms, call_uuid LIMIT $3";

/// Deliveries that nobody has tried and that were made by a clock that was ahead. Those of a receiver that is
/// tried again were made before.
const AHEAD: &str = "state = 'due' AND tries = 0 AND created_ms > $1 AND next_ms > $1";
/// How much two clocks may differ without a word, ms: so long a delivery just waits.
const CLOCKS_DIFFER_MS: u64 = 2_000;

impl Tdb {
    /// The receivers that have a delivery to get, each with the time of its next.
    pub async fn due_receivers(&self) -> Result<Vec<DueReceiver>, TdbError> {
        // From one to the next by the index: a receiver with a long backlog costs no more than another.
        let rows = sqlx::query(
            "WITH RECURSIVE receivers (receiver) AS (
                 SELECT MIN(receiver) FROM webhooks WHERE state = 'due'
                 UNION ALL
                 SELECT (SELECT MIN(webhooks.receiver) FROM webhooks
                         WHERE state = 'due' AND webhooks.receiver > receivers.receiver)
                 FROM receivers WHERE receivers.receiver IS NOT NULL)
             SELECT receiver, (SELECT MIN(next_ms) FROM webhooks
                               WHERE state = 'due' AND webhooks.receiver = receivers.receiver) AS next_ms
             FROM receivers WHERE receiver IS NOT NULL",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(DueReceiver {
                    receiver: get(row, "receiver")?,
                    next_ms: number(row, "next_ms")?,
                })
            })
            .collect()
    }

    /// The deliveries a receiver is to get now, longest due first: of each call only the first event
    /// that is waiting. Those being tried at this moment are among them; the caller knows which.
    pub async fn due_deliveries(
        &self,
        receiver: &str,
        limit: u32,
        now_ms: u64,
    ) -> Result<Vec<Delivery>, TdbError> {
        let due = sqlx::query(DUE)
            .bind(receiver)
            .bind(sql_ms(now_ms))
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;
        let mut deliveries = Vec::with_capacity(due.len());
        let mut calls: HashMap<String, Call> = HashMap::new();
        for row in &due {
            let call_uuid: String = get(row, "call_uuid")?;
            let seq: i64 = get(row, "seq")?;
            let call = match calls.remove(&call_uuid) {
                Some(call) => call,
                None => {
                    let row = sqlx::query("SELECT * FROM calls WHERE call_uuid = $1")
                        .bind(&call_uuid)
                        .fetch_one(&self.readers)
                        .await?;
                    Call::from_row(&row)?
                }
            };
            let event = sqlx::query("SELECT * FROM call_events WHERE call_uuid = $1 AND seq = $2")
                .bind(&call_uuid)
                .bind(seq)
                .fetch_one(&self.readers)
                .await?;
            deliveries.push(Delivery {
                call,
                event: CallEvent::from_row(&event)?,
                url: get(row, "url")?,
                tries: number(row, "tries")?,
            });
        }
        Ok(deliveries)
    }

    /// Makes deliveries due that wait, and with them all that follows in their calls, only because a gateway's
    /// clock was ahead when it stored their event. Returns how many it were.
    pub async fn mend_deliveries(&self, now_ms: u64) -> Result<u64, TdbError> {
        let ahead_ms = sql_ms(now_ms.saturating_add(CLOCKS_DIFFER_MS));
        // Looked for where nobody waits: there is hardly ever one.
        let any = format!("SELECT call_uuid FROM webhooks WHERE {AHEAD} LIMIT 1");
        let any = sqlx::query(AssertSqlSafe(any)).bind(ahead_ms);
        if any.fetch_optional(&self.readers).await?.is_none() {
            return Ok(0);
        }
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let mend = format!("UPDATE webhooks SET next_ms = $2 WHERE {AHEAD}");
                    let mended = sqlx::query(AssertSqlSafe(mend))
                        .bind(ahead_ms)
                        .bind(sql_ms(now_ms))
                        .execute(connection)
                        .await?;
                    Ok(mended.rows_affected())
                })
            })
            .await
    }

    /// Notes how a try went. Returns when the call's next event is due, if it has one waiting.
    pub async fn delivery_tried(
        &self,
        call_uuid: CallUuid,
        seq: u32,
        tried: Tried,
        now_ms: u64,
    ) -> Result<Option<u64>, TdbError> {
        self.writer
            .write(move |connection| {
                Box::pin(delivery_tried(connection, call_uuid, seq, tried, now_ms))
            })
            .await
    }
}

async fn delivery_tried(
    connection: &mut Connection,
    call_uuid: CallUuid,
    seq: u32,
    tried: Tried,
    now_ms: u64,
) -> Result<Option<u64>, TdbError> {
    let (state, next_ms) = match tried.verdict {
        Verdict::Delivered => ("delivered", None),
        Verdict::Again { next_ms } => ("due", Some(next_ms)),
        Verdict::Dead | Verdict::Gone => ("dead", None),
    };
    sqlx::query(
        "UPDATE webhooks SET state = $3, tries = tries + 1, next_ms = COALESCE($4, next_ms),
             last_status = $5, last_error = $6,
             done_ms = CASE WHEN $3 = 'due' THEN NULL ELSE $7 END
         WHERE call_uuid = $1 AND seq = $2 AND state = 'due'",
    )
    .bind(call_uuid.to_string())
    .bind(i64::from(seq))
    .bind(state)
    .bind(next_ms.map(sql_ms))
    .bind(tried.status.map(i64::from))
    .bind(tried.error.as_deref())
    .bind(sql_ms(now_ms))
    .execute(&mut *connection)
    .await?;
    delivery_log::note(connection, call_uuid, seq, &tried).await?;
    if tried.verdict == Verdict::Gone {
        receiver::is_gone_from(connection, call_uuid, now_ms).await?;
        return Ok(None);
    }
    // The call's later events wait with the one that failed, so that looking for what is due does not
    // come upon them again and again; and the next is due at once when it is done.
    let sql = match next_ms {
        Some(_) => {
            "UPDATE webhooks SET next_ms = $2
             WHERE call_uuid = $1 AND state = 'due' AND next_ms < $2"
        }
        None => {
            "UPDATE webhooks SET next_ms = $2
             WHERE call_uuid = $1 AND state = 'due' AND next_ms > $2"
        }
    };
    sqlx::query(sql)
        .bind(call_uuid.to_string())
        .bind(sql_ms(next_ms.unwrap_or(now_ms)))
        .execute(&mut *connection)
        .await?;
    let row = sqlx::query(
        "SELECT next_ms FROM webhooks WHERE call_uuid = $1 AND state = 'due' ORDER BY seq LIMIT 1",
    )
    .bind(call_uuid.to_string())
    .fetch_optional(connection)
    .await?;
    row.map_or(Ok(None), |row| optional_number(&row, "next_ms"))
}

/// A delivery of an event that has just been stored.
pub(super) async fn insert(
    connection: &mut Connection,
    call_uuid: CallUuid,
    seq: u32,
    tenant_id: &TenantId,
    url: &str,
    now_ms: u64,
) -> Result<(), TdbError> {
    sqlx::query(
        "INSERT INTO webhooks (call_uuid, seq, tenant_id, url, origin, receiver, state, tries,
             created_ms, next_ms)
         VALUES ($1, $2, $3, $4, $5, $6, 'due', 0, $7, $7)",
    )
    .bind(call_uuid.to_string())
    .bind(i64::from(seq))
    .bind(tenant_id.as_str())
    .bind(url)
    .bind(origin(url))
    .bind(format!("{tenant_id} {}", origin(url)))
    .bind(sql_ms(now_ms))
    .execute(connection)
    .await?;
    Ok(())
}

/// `scheme://host:port` of a URL as it is written: up to the first slash after the host.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..]
        .find(['/', '?', '#'])
        .map_or(url.len(), |at| host + at);
    &url[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        assert_eq!(origin("https://a.example/x?y"), "https://a.example");
        assert_eq!(origin("http://127.0.0.1:80?x"), "http://127.0.0.1:80");
        assert_eq!(origin("https://a.example:8443"), "https://a.example:8443");
    }
}
