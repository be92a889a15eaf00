//! Deliveries that were given up: listed, and sent again when somebody asks.

use super::audit::{self, Author, Change};
use super::row::{get, number, optional_number, parsed, sql_ms};
use super::{Connection, Row, Tdb, TdbError};
use iradialer_core::value::{CallUuid, TenantId};
use serde_json::json;
use sqlx::AssertSqlSafe;

/// A delivery that was given up. Times are ms since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The call.
    pub call_uuid: CallUuid,
    /// The event's place in it.
    pub seq: u32,
    /// The call's campaign; empty for a call begun at a switch.
    pub campaign_name: String,
    /// The event's name, without a prefix.
    pub name: String,
    /// Where it was to go.
    pub url: String,
    /// How often it was tried since it was last asked for.
    pub tries: u32,
    /// The HTTP status of the last try, where one came.
    pub status: Option<u16>,
    /// Why it was given up, in a sentence.
    pub error: String,
    /// When the event was stored.
    pub created_ms: u64,
    /// When it was given up.
    pub dead_ms: u64,
    /// When somebody last asked for it to be sent again.
    pub replayed_ms: Option<u64>,
}

/// A place in the list of dead letters: when it was given up, its call, its place in the call.
pub type Place = (u64, CallUuid, u32);

/// Which dead letters to list: those that were given up last come first.
#[derive(Debug, Clone, Default)]
pub struct DeadLetterFilter {
    /// Only of this campaign.
    pub campaign_name: Option<String>,
    /// Only those given up at or after this time.
    pub from_ms: Option<u64>,
    /// Only after this one in the list.
    pub after: Option<Place>,
    /// The most to return.
    pub limit: u32,
}

/// Which of a call's deliveries to make again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redeliver {
    /// Those that were given up; those that wait to be tried again are tried now.
    Missing,
    /// That of this event, whatever became of it.
    One(u32),
    /// That of this event if it was given up.
    Dead(u32),
    /// All of them.
    All,
}

/// Which dead letters to send again, the oldest first.
#[derive(Debug, Clone)]
pub struct Replay {
    /// Only of this campaign.
    pub campaign_name: Option<String>,
    /// Only those given up at or after this time, ms since the Unix epoch.
    pub from_ms: Option<u64>,
    /// Only those given up before this time.
    pub until_ms: Option<u64>,
    /// The most to send.
    pub limit: u32,
}

/// What a replay came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// So many are due again.
    pub deliveries: u64,
    /// Whether there are others that fit, beyond the limit.
    pub more: bool,
}

/// A page of a tenant's dead letters, newest first: $7 is the campaign, where they are of one. What chooses them asks
/// for nothing that is not in the index that is meant, so that it is taken.
pub(super) fn listing(of_campaign: bool) -> String {
    let of_campaign = if of_campaign {
        "AND campaign_name = $7"
    } else {
        ""
    };
    format!(
        "WITH page AS (
             SELECT done_ms, call_uuid, seq FROM webhooks
             WHERE tenant_id = $1 AND state = 'dead' AND done_ms >= $2
               AND (done_ms, call_uuid, seq) < ($3, $4, $5) {of_campaign}
             ORDER BY done_ms DESC, call_uuid DESC, seq DESC LIMIT $6)
         SELECT webhooks.*, call_events.name FROM page
         JOIN webhooks ON webhooks.call_uuid = page.call_uuid AND webhooks.seq = page.seq
         JOIN call_events ON call_events.call_uuid = page.call_uuid AND call_events.seq = page.seq
         ORDER BY page.done_ms DESC, page.call_uuid DESC, page.seq DESC"
    )
}

/// The dead letters that a replay takes, the oldest first: $5 is the campaign, where they are of one.
pub(super) fn chosen(of_campaign: bool) -> String {
    let of_campaign = if of_campaign {
        "AND campaign_name = $5"
    } else {
        ""
    };
    format!(
        "SELECT call_uuid, seq FROM webhooks
         WHERE tenant_id = $1 AND state = 'dead' AND done_ms >= $2 AND done_ms < $3 {of_campaign}
         ORDER BY done_ms, call_uuid, seq LIMIT $4"
    )
}

impl Tdb {
    /// The tenant's dead letters that fit, newest first.
    pub async fn dead_letters(
        &self,
        tenant: &TenantId,
        filter: &DeadLetterFilter,
    ) -> Result<Vec<DeadLetter>, TdbError> {
        let (at_ms, call, seq) = match filter.after {
            Some((at_ms, call, seq)) => (sql_ms(at_ms), call.to_string(), i64::from(seq)),
            None => (i64::MAX, String::new(), 0),
        };
        let sql = listing(filter.campaign_name.is_some());
        let mut query = sqlx::query(AssertSqlSafe(sql))
            .bind(tenant.as_str())
            .bind(sql_ms(filter.from_ms.unwrap_or(0)))
            .bind(at_ms)
            .bind(call)
            .bind(seq)
            .bind(i64::from(filter.limit));
        if let Some(campaign) = &filter.campaign_name {
            query = query.bind(campaign.as_str());
        }
        let rows = query.fetch_all(&self.readers).await?;
        rows.iter().map(DeadLetter::from_row).collect()
    }

    /// Makes deliveries of a call again, at once and from the start of the schedule. Returns the events, in order;
    /// none where the tenant has no such call.
    pub async fn redeliver(
        &self,
        tenant: &TenantId,
        call_uuid: CallUuid,
        which: Redeliver,
        author: Author,
        now_ms: u64,
    ) -> Result<Vec<u32>, TdbError> {
        let tenant_id = tenant.clone();
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let events =
                        redeliver(connection, &tenant_id, call_uuid, which, now_ms).await?;
                    if !events.is_empty() {
                        let change = Change {
                            tenant_id,
                            action: "webhook.redeliver",
                            subject: call_uuid.to_string(),
                            was: None,
                            became: Some(json!({ "events": events })),
                            at_ms: now_ms,
                        };
                        audit::note(connection, &author, change).await?;
                    }
                    Ok(events)
                })
            })
            .await
    }

    /// Sends one dead letter again; false where the tenant has no such.
    pub async fn replay_one(
        &self,
        tenant: &TenantId,
        call_uuid: CallUuid,
        seq: u32,
        author: Author,
        now_ms: u64,
    ) -> Result<bool, TdbError> {
        let which = Redeliver::Dead(seq);
        let events = self
            .redeliver(tenant, call_uuid, which, author, now_ms)
            .await?;
        Ok(!events.is_empty())
    }

    /// Sends dead letters again, at once and from the start of the schedule.
    pub async fn replay(
        &self,
        tenant: &TenantId,
        which: Replay,
        author: Author,
        now_ms: u64,
    ) -> Result<Replayed, TdbError> {
        let tenant_id = tenant.clone();
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let replayed = replay(connection, &tenant_id, &which, now_ms).await?;
                    if replayed.deliveries > 0 {
                        let times = json!({
                            "deliveries": replayed.deliveries,
                            "from_ms": which.from_ms,
                            "until_ms": which.until_ms,
                        });
                        let change = Change {
                            tenant_id,
                            action: "webhook.replay",
                            subject: which.campaign_name.unwrap_or_else(|| "-".to_owned()),
                            was: None,
                            became: Some(times),
                            at_ms: now_ms,
                        };
                        audit::note(connection, &author, change).await?;
                    }
                    Ok(replayed)
                })
            })
            .await
    }
}

async fn redeliver(
    connection: &mut Connection,
    tenant: &TenantId,
    call_uuid: CallUuid,
    which: Redeliver,
    now_ms: u64,
) -> Result<Vec<u32>, TdbError> {
    const EVERY: (i64, i64) = (0, i64::MAX);
    let only = |seq| (i64::from(seq), i64::from(seq));
    let ((first, last), states) = match which {
        Redeliver::Missing => (EVERY, ["dead", "due", ""]),
        Redeliver::One(seq) => (only(seq), ["dead", "due", "delivered"]),
        Redeliver::Dead(seq) => (only(seq), ["dead", "", ""]),
        Redeliver::All => (EVERY, ["dead", "due", "delivered"]),
    };
    // One that waits goes on in its schedule: it is tried now, and no oftener.
    let rows = sqlx::query(
        "UPDATE webhooks SET state = 'due', tries = CASE WHEN state = 'due' THEN tries ELSE 0 END,
             next_ms = $8, done_ms = NULL, replayed_ms = $8
         WHERE call_uuid = $1 AND tenant_id = $2 AND seq >= $3 AND seq <= $4 AND state IN ($5, $6, $7)
         RETURNING seq",
    )
    .bind(call_uuid.to_string())
    .bind(tenant.as_str())
    .bind(first)
    .bind(last)
    .bind(states[0])
    .bind(states[1])
    .bind(states[2])
    .bind(sql_ms(now_ms))
    .fetch_all(&mut *connection)
    .await?;
    let mut events = rows
        .iter()
        .map(|row| number(row, "seq"))
        .collect::<Result<Vec<u32>, _>>()?;
    events.sort_unstable();
    if !events.is_empty() {
        // Whoever wanted no more is asked once more.
        sqlx::query("UPDATE webhooks SET is_gone = 0 WHERE call_uuid = $1 AND is_gone = 1")
            .bind(call_uuid.to_string())
            .execute(connection)
            .await?;
    }
    Ok(events)
}

async fn replay(
    connection: &mut Connection,
    tenant: &TenantId,
    which: &Replay,
    now_ms: u64,
) -> Result<Replayed, TdbError> {
    let chosen = chosen(which.campaign_name.is_some());
    let gone = format!(
        "UPDATE webhooks SET is_gone = 0 WHERE is_gone = 1 AND call_uuid IN (
             SELECT chosen.call_uuid FROM ({chosen}) AS chosen)"
    );
    let limit = i64::from(which.limit);
    let now = if which.campaign_name.is_some() {
        "$6"
    } else {
        "$5"
    };
    let due = format!(
        "UPDATE webhooks SET state = 'due', tries = 0, next_ms = {now}, done_ms = NULL,
             replayed_ms = {now}
         WHERE (call_uuid, seq) IN (SELECT chosen.call_uuid, chosen.seq FROM ({chosen}) AS chosen)"
    );
    let bound = |sql: String, limit: i64| {
        let query = sqlx::query(AssertSqlSafe(sql))
            .bind(tenant.as_str().to_owned())
            .bind(sql_ms(which.from_ms.unwrap_or(0)))
            .bind(which.until_ms.map_or(i64::MAX, sql_ms))
            .bind(limit);
        match &which.campaign_name {
            Some(campaign) => query.bind(campaign.clone()),
            None => query,
        }
    };
    bound(gone, limit).execute(&mut *connection).await?;
    let replayed = bound(due, limit)
        .bind(sql_ms(now_ms))
        .execute(&mut *connection)
        .await?;
    let more = bound(chosen, 1).fetch_optional(connection).await?;
    Ok(Replayed {
        deliveries: replayed.rows_affected(),
        more: more.is_some(),
    })
}

impl DeadLetter {
    fn from_row(row: &Row) -> Result<Self, TdbError> {
        Ok(DeadLetter {
            call_uuid: parsed(row, "call_uuid", |t| CallUuid::parse("call_uuid", t).ok())?,
            seq: number(row, "seq")?,
            campaign_name: get(row, "campaign_name")?,
            name: get(row, "name")?,
            url: get(row, "url")?,
            tries: number(row, "tries")?,
            status: optional_number(row, "last_status")?,
            error: get::<Option<String>>(row, "last_error")?.unwrap_or_default(),
            created_ms: number(row, "created_ms")?,
            dead_ms: number(row, "done_ms")?,
            replayed_ms: optional_number(row, "replayed_ms")?,
        })
    }
}
