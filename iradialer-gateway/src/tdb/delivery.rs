//! Deliveries of events to webhooks: in order per call, and tracked until done or dead.

use super::call::uuid;
use super::row::{
    get, json, number, optional_json, optional_number, optional_parsed, parsed, sql_ms,
};
use super::{Call, CallEvent, Connection, Origin, Row, Tdb, TdbError};
use iradialer_core::value::{CallUuid, TenantId, TrunkName};
use serde::Deserialize;
use serde_json::{Map, Value};
use sqlx::AssertSqlSafe;
use std::collections::HashMap;

/// An event that its webhook is to get now.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its call, as it is now.
    pub call: CallFacts,
    /// The event.
    pub event: CallEvent,
    /// What the try that the event is of has reported with its answer, if it was answered before.
    pub answer: Option<Map<String, Value>>,
    /// Where to.
    pub url: String,
    /// How often it was tried.
    pub tries: u32,
    /// Whether the receiver has answered 410 to an event of the call, and nothing of it was asked to be sent again
    /// since.
    pub is_gone: bool,
}

/// What a webhook says of its call.
#[derive(Debug, Clone, PartialEq)]
pub struct CallFacts {
    /// Its UUID.
    pub call_uuid: CallUuid,
    /// The call that waits to be connected with it.
    pub parent_uuid: Option<CallUuid>,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Its campaign; empty for a call begun at a switch.
    pub campaign_name: String,
    /// How it came to be.
    pub origin: Origin,
    /// The number dialled.
    pub to_number: String,
    /// The caller's number, or empty.
    pub from_number: String,
    /// What the request asked to be echoed.
    pub call_params: Map<String, Value>,
    /// The try under way or next, from 1.
    pub attempt: u32,
    /// The trunk, once assigned.
    pub trunk: Option<TrunkName>,
}

impl From<Call> for CallFacts {
    fn from(call: Call) -> Self {
        CallFacts {
            call_uuid: call.call_uuid,
            parent_uuid: call.parent_uuid,
            tenant_id: call.tenant_id,
            campaign_name: call.campaign_name,
            origin: call.origin,
            to_number: call.to_number,
            from_number: call.from_number,
            call_params: call.request.call_params,
            attempt: call.attempt,
            trunk: call.trunk,
        }
    }
}

impl Delivery {
    /// `scheme://host:port` of where it goes, as it is written.
    pub fn origin(&self) -> String {
        origin(&self.url)
    }
}

/// A receiver that has deliveries to get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueReceiver {
    /// `TENANT scheme://host:port`, the latter as in the URLs.
    pub receiver: String,
    /// When the last of those that are due was due, ms since the Unix epoch.
    pub newest_ms: Option<u64>,
    /// When the first of those is that are not due yet.
    pub later_ms: Option<u64>,
}

/// Every receiver that has a delivery to get. From one to the next by the index: a receiver with a long backlog
/// costs no more than another.
const RECEIVERS: &str = "RECURSIVE receivers (receiver) AS (
        SELECT MIN(receiver) FROM webhooks WHERE state = 'due'
        UNION ALL
        SELECT (SELECT MIN(webhooks.receiver) FROM webhooks
                WHERE state = 'due' AND webhooks.receiver > receivers.receiver)
        FROM receivers WHERE receivers.receiver IS NOT NULL)";

/// What `receivers` have to get.
const DUE_OF_RECEIVERS: &str = "
    SELECT receiver,
        (SELECT MAX(next_ms) FROM webhooks
         WHERE state = 'due' AND webhooks.receiver = receivers.receiver AND next_ms <= $1) AS newest_ms,
        (SELECT MIN(next_ms) FROM webhooks
         WHERE state = 'due' AND webhooks.receiver = receivers.receiver AND next_ms > $1) AS later_ms
    FROM receivers WHERE receiver IS NOT NULL";

/// The query for what every receiver is to get.
pub(super) fn due_receivers() -> String {
    format!("WITH {RECEIVERS} {DUE_OF_RECEIVERS}")
}

/// The query for what so many receivers are to get.
pub(super) fn due_of(receivers: usize) -> String {
    let names = values_from(2, receivers, 1);
    format!("WITH receivers (receiver) AS ({names}) {DUE_OF_RECEIVERS}")
}

/// Of a receiver, the first event of each call that is due.
pub(super) const DUE: &str = "
    SELECT call_uuid, seq FROM webhooks
    WHERE receiver = $1 AND state = 'due' AND next_ms <= $2 AND NOT EXISTS (
        SELECT 1 FROM webhooks AS earlier
        WHERE earlier.call_uuid = webhooks.call_uuid AND earlier.state = 'due'
          AND earlier.seq < webhooks.seq)
    ORDER BY next_ms, call_uuid LIMIT $3";

/// All that a delivery says, of those that `chosen` names by call and event.
const FACTS: &str = "
    SELECT webhooks.url, webhooks.tries,
        calls.call_uuid, calls.parent_uuid, calls.tenant_id, calls.campaign_name, calls.origin, calls.to_number,
        calls.from_number, calls.request, calls.attempt AS attempt_now, calls.trunk,
        call_events.seq, call_events.attempt, call_events.attempt_seq, call_events.name, call_events.at_ms,
        call_events.node_id, call_events.data, call_events.is_final,
        (SELECT answers.data FROM call_events AS answers
         WHERE answers.call_uuid = call_events.call_uuid AND answers.attempt = call_events.attempt
           AND answers.name = 'answered' AND answers.seq < call_events.seq
         ORDER BY answers.seq DESC LIMIT 1) AS answer,
        (SELECT gone.is_gone FROM webhooks AS gone
         WHERE gone.call_uuid = webhooks.call_uuid AND gone.is_gone = 1 LIMIT 1) AS is_gone
    FROM chosen
    JOIN webhooks ON webhooks.call_uuid = chosen.call_uuid AND webhooks.seq = chosen.seq
    JOIN call_events ON call_events.call_uuid = chosen.call_uuid AND call_events.seq = chosen.seq
    JOIN calls ON calls.call_uuid = chosen.call_uuid";

/// The query for so many deliveries.
pub(super) fn facts(deliveries: usize) -> String {
    format!(
        "WITH chosen (call_uuid, seq) AS ({}) {FACTS}",
        values(deliveries, 2)
    )
}

/// Deliveries that a clock has put off which was ahead: those that nobody has tried and that were made by it, and those
/// that are to be tried again later than any is. Where it was ahead by less than that, they wait.
const AHEAD: &str =
    "state = 'due' AND ((tries = 0 AND created_ms > $1 AND next_ms > $1) OR next_ms > $2)";
/// How much two clocks may differ without a word, ms: so long a delivery just waits.
const CLOCKS_DIFFER_MS: u64 = 2_000;

impl Tdb {
    /// The receivers that have a delivery to get.
    pub async fn due_receivers(&self, now_ms: u64) -> Result<Vec<DueReceiver>, TdbError> {
        let query = sqlx::query(AssertSqlSafe(due_receivers())).bind(sql_ms(now_ms));
        let rows = query.fetch_all(&self.readers).await?;
        rows.iter().map(DueReceiver::from_row).collect()
    }

    /// What these receivers have to get; of one that has nothing neither time is there.
    pub async fn due_of(
        &self,
        receivers: &[String],
        now_ms: u64,
    ) -> Result<Vec<DueReceiver>, TdbError> {
        let mut due = Vec::with_capacity(receivers.len());
        for some in in_statements(receivers) {
            let mut query = sqlx::query(AssertSqlSafe(due_of(some.len()))).bind(sql_ms(now_ms));
            for receiver in some {
                query = query.bind(receiver);
            }
            for row in query.fetch_all(&self.readers).await? {
                due.push(DueReceiver::from_row(&row)?);
            }
        }
        Ok(due)
    }

    /// The deliveries a receiver is to get now, longest due first: of each call only the first event that is
    /// waiting, of the first `limit` such calls those that `is_wanted` says. Those being tried at this moment are
    /// still due; the caller knows which.
    pub async fn due_deliveries(
        &self,
        receiver: &str,
        limit: u32,
        now_ms: u64,
        mut is_wanted: impl FnMut(&CallUuid) -> bool,
    ) -> Result<Vec<Delivery>, TdbError> {
        let due = sqlx::query(DUE)
            .bind(receiver)
            .bind(sql_ms(now_ms))
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;
        let mut wanted = Vec::with_capacity(due.len());
        for row in &due {
            let place: (CallUuid, u32) = (parsed(row, "call_uuid", uuid)?, number(row, "seq")?);
            if is_wanted(&place.0) {
                wanted.push(place);
            }
        }
        let mut found = HashMap::with_capacity(wanted.len());
        for some in in_statements(&wanted) {
            let mut query = sqlx::query(AssertSqlSafe(facts(some.len())));
            for (call_uuid, seq) in some {
                query = query.bind(call_uuid.to_string()).bind(i64::from(*seq));
            }
            for row in query.fetch_all(&self.readers).await? {
                let delivery = Delivery::from_row(&row)?;
                found.insert(delivery.call.call_uuid, delivery);
            }
        }
        let in_order = wanted.iter().filter_map(|(call, _)| found.remove(call));
        Ok(in_order.collect())
    }

    /// Makes deliveries due that wait, and with them all that follows in their calls, only because a gateway's
    /// clock was ahead when it stored their event. Returns how many it were.
    /// `longest_ms`: for how long one may wait for its next try.
    pub async fn mend_deliveries(&self, longest_ms: u64, now_ms: u64) -> Result<u64, TdbError> {
        let ahead_ms = sql_ms(now_ms.saturating_add(CLOCKS_DIFFER_MS));
        let too_late_ms = sql_ms(now_ms.saturating_add(longest_ms + CLOCKS_DIFFER_MS));
        // Looked for where nobody waits: there is hardly ever one.
        let any = format!("SELECT call_uuid FROM webhooks WHERE {AHEAD} LIMIT 1");
        let any = sqlx::query(AssertSqlSafe(any))
            .bind(ahead_ms)
            .bind(too_late_ms);
        if any.fetch_optional(&self.readers).await?.is_none() {
            return Ok(0);
        }
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let mend = format!("UPDATE webhooks SET next_ms = $3 WHERE {AHEAD}");
                    let mended = sqlx::query(AssertSqlSafe(mend))
                        .bind(ahead_ms)
                        .bind(too_late_ms)
                        .bind(sql_ms(now_ms))
                        .execute(connection)
                        .await?;
                    Ok(mended.rows_affected())
                })
            })
            .await
    }
}

impl DueReceiver {
    fn from_row(row: &Row) -> Result<Self, TdbError> {
        Ok(DueReceiver {
            receiver: get(row, "receiver")?,
            newest_ms: optional_number(row, "newest_ms")?,
            later_ms: optional_number(row, "later_ms")?,
        })
    }
}

impl Delivery {
    fn from_row(row: &Row) -> Result<Self, TdbError> {
        #[derive(Deserialize)]
        struct Request {
            #[serde(default)]
            call_params: Map<String, Value>,
        }
        let Request { call_params } = json(row, "request")?;
        Ok(Delivery {
            call: CallFacts {
                call_uuid: parsed(row, "call_uuid", uuid)?,
                parent_uuid: optional_parsed(row, "parent_uuid", uuid)?,
                tenant_id: parsed(row, "tenant_id", |t| TenantId::parse("tenant_id", t).ok())?,
                campaign_name: get(row, "campaign_name")?,
                origin: parsed(row, "origin", Origin::parse)?,
                to_number: get(row, "to_number")?,
                from_number: get(row, "from_number")?,
                call_params,
                attempt: number(row, "attempt_now")?,
                trunk: optional_parsed(row, "trunk", |t| TrunkName::parse("trunk", t).ok())?,
            },
            event: CallEvent::from_row(row)?,
            answer: optional_json(row, "answer")?,
            url: get(row, "url")?,
            tries: number(row, "tries")?,
            is_gone: get::<Option<i64>>(row, "is_gone")?.is_some(),
        })
    }
}

/// The most rows of one statement, a power of two.
const MOST_ROWS: usize = 64;

/// Cuts a list in parts for statements of several rows: of 64, 32, 16 rows and so on, so that there are few
/// statements to prepare.
pub(super) fn in_statements<T>(mut list: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let rows = 1 << list.len().checked_ilog2()?;
        let (some, rest) = list.split_at(rows.min(MOST_ROWS));
        list = rest;
        Some(some)
    })
}

/// `VALUES ($1, $2), ($3, $4), …`
pub(super) fn values(rows: usize, columns: usize) -> String {
    values_from(1, rows, columns)
}

/// As `values`, from the parameter `first` on.
fn values_from(first: usize, rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let parameters =
            (row * columns..(row + 1) * columns).map(|number| format!("${}", first + number));
        format!("({})", parameters.collect::<Vec<_>>().join(", "))
    };
    format!(
        "VALUES {}",
        (0..rows).map(row).collect::<Vec<_>>().join(", ")
    )
}

/// A delivery of an event that has just been stored.
pub(super) async fn insert(
    connection: &mut Connection,
    call_uuid: CallUuid,
    seq: u32,
    tenant_id: &TenantId,
    campaign_name: &str,
    url: &str,
    now_ms: u64,
) -> Result<(), TdbError> {
    sqlx::query(
        "INSERT INTO webhooks (call_uuid, seq, tenant_id, campaign_name, url, origin, receiver, state, tries,
             created_ms, next_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'due', 0, $8, $8)",
    )
    .bind(call_uuid.to_string())
    .bind(i64::from(seq))
    .bind(tenant_id.as_str())
    .bind(campaign_name)
    .bind(url)
    .bind(origin(url))
    .bind(format!("{tenant_id} {}", origin(url)))
    .bind(sql_ms(now_ms))
    .execute(connection)
    .await?;
    Ok(())
}

/// `scheme://host:port` of a URL as it is written: up to the first slash after the host.
fn origin(url: &str) -> String {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..]
        .find(['/', '?', '#'])
        .map_or(url.len(), |at| host + at);
    let origin = url[..end].to_ascii_lowercase();
    let usual_port = match origin.starts_with("https:") {
        true => ":443",
        false => ":80",
    };
    origin
        .strip_suffix(usual_port)
        .map_or_else(|| origin.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        assert_eq!(origin("https://a.example/x?y"), "https://a.example");
        assert_eq!(origin("http://127.0.0.1:80?x"), "http://127.0.0.1");
        assert_eq!(origin("http://127.0.0.1:443?x"), "http://127.0.0.1:443");
        assert_eq!(origin("HTTPS://A.Example:443/X"), "https://a.example");
        assert_eq!(origin("http://[::80]/"), "http://[::80]");
        assert_eq!(origin("https://a.example:8443"), "https://a.example:8443");
    }

    #[test]
    fn a_list_is_cut_in_few_sizes() {
        let sizes = |length| -> Vec<usize> {
            let list = vec![0; length];
            in_statements(&list).map(<[i32]>::len).collect()
        };
        assert_eq!(sizes(0), [0; 0]);
        assert_eq!(sizes(13), [8, 4, 1]);
        assert_eq!(sizes(150), [64, 64, 16, 4, 2]);
        assert_eq!(values(2, 3), "VALUES ($1, $2, $3), ($4, $5, $6)");
    }
}
