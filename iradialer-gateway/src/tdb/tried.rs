//! What tries at deliveries came to, noted for many at once: one flush to the disk, and a few statements.

use super::delivery::{in_statements, values};
use super::row::sql_ms;
use super::{Connection, Tdb, TdbError, delivery_log, receiver, receiver_list};
use iradialer_core::value::{CallUuid, TenantId};
use sqlx::AssertSqlSafe;

/// How a try at a delivery went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The call.
    pub call_uuid: CallUuid,
    /// The event's place in it.
    pub seq: u32,
    /// Whose it is, and `scheme://host:port` of where it went: the receiver.
    pub tenant_id: TenantId,
    /// As above.
    pub origin: String,
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

impl Verdict {
    fn state(self) -> &'static str {
        match self {
            Verdict::Delivered => "delivered",
            Verdict::Again { .. } => "due",
            Verdict::Dead | Verdict::Gone => "dead",
        }
    }

    /// When it is tried again, ms since the Unix epoch.
    pub fn next_ms(self) -> Option<u64> {
        match self {
            Verdict::Again { next_ms } => Some(next_ms),
            _ => None,
        }
    }
}

impl Tdb {
    /// Notes how tries went, all or none of them; at most one of each call.
    pub async fn deliveries_tried(&self, tries: Vec<Tried>, now_ms: u64) -> Result<(), TdbError> {
        self.writer
            .write(move |connection| Box::pin(note_all(connection, tries, now_ms)))
            .await
    }
}

async fn note_all(
    connection: &mut Connection,
    tries: Vec<Tried>,
    now_ms: u64,
) -> Result<(), TdbError> {
    for some in in_statements(&tries) {
        settle(connection, some, now_ms).await?;
        delivery_log::note(connection, some).await?;
    }
    receiver_list::count(connection, &tries, now_ms).await?;
    // What comes after those that are over is due at once.
    let is_over = |tried: &&Tried| matches!(tried.verdict, Verdict::Delivered | Verdict::Dead);
    let over: Vec<&Tried> = tries.iter().filter(is_over).collect();
    for some in in_statements(&over) {
        let sql = format!(
            "WITH ended (call_uuid) AS ({})
             UPDATE webhooks SET next_ms = ${now} FROM ended
             WHERE webhooks.call_uuid = ended.call_uuid AND webhooks.state = 'due'
               AND webhooks.next_ms > ${now}",
            values(some.len(), 1),
            now = some.len() + 1
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for tried in some {
            query = query.bind(tried.call_uuid.to_string());
        }
        query.bind(sql_ms(now_ms)).execute(&mut *connection).await?;
    }
    for tried in &tries {
        match tried.verdict {
            Verdict::Again { next_ms } => wait_for(connection, tried.call_uuid, next_ms).await?,
            Verdict::Gone => receiver::is_gone_from(connection, tried.call_uuid, now_ms).await?,
            Verdict::Delivered | Verdict::Dead => {}
        }
    }
    Ok(())
}

/// Moves the deliveries to where their tries have brought them.
async fn settle(connection: &mut Connection, tries: &[Tried], now_ms: u64) -> Result<(), TdbError> {
    let sql = format!(
        "WITH tried (call_uuid, seq, state, next_ms, status, error) AS ({})
         UPDATE webhooks SET state = tried.state, tries = webhooks.tries + 1,
             next_ms = COALESCE(tried.next_ms, webhooks.next_ms),
             last_status = tried.status, last_error = tried.error,
             done_ms = CASE WHEN tried.state = 'due' THEN NULL ELSE ${} END
         FROM tried
         WHERE webhooks.call_uuid = tried.call_uuid AND webhooks.seq = tried.seq
           AND webhooks.state = 'due'",
        values(tries.len(), 6),
        tries.len() * 6 + 1
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for tried in tries {
        query = query
            .bind(tried.call_uuid.to_string())
            .bind(i64::from(tried.seq))
            .bind(tried.verdict.state())
            .bind(tried.verdict.next_ms().map(sql_ms))
            .bind(tried.status.map(i64::from))
            .bind(tried.error.as_deref());
    }
    query.bind(sql_ms(now_ms)).execute(connection).await?;
    Ok(())
}

/// The call's later events wait with the one that failed, so that looking for what is due does not come upon them
/// again and again.
async fn wait_for(
    connection: &mut Connection,
    call_uuid: CallUuid,
    next_ms: u64,
) -> Result<(), TdbError> {
    sqlx::query(
        "UPDATE webhooks SET next_ms = $2
         WHERE call_uuid = $1 AND state = 'due' AND next_ms < $2",
    )
    .bind(call_uuid.to_string())
    .bind(sql_ms(next_ms))
    .execute(connection)
    .await?;
    Ok(())
}
