//! Accepting a call: one transaction writes the call, its idempotency key and its first event.

use super::event::{NewEvent, store};
use super::flow::{FlowDocument, keep_document};
use super::row::{get, number, sql_ms, to_json};
use super::{CallRequest, Connection, Tdb, TdbError};
use iradialer_core::call::CallState;
use iradialer_core::value::{CallUuid, CallerNumber, CampaignName, DialNumber, TenantId};

/// A validated request for a call.
#[derive(Debug, Clone)]
pub struct NewCall {
    /// Its UUID: the client's or a fresh one.
    pub call_uuid: CallUuid,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Its campaign.
    pub campaign_name: CampaignName,
    /// The number to dial.
    pub to_number: DialNumber,
    /// The caller's number.
    pub from_number: CallerNumber,
    /// What else was asked for.
    pub request: CallRequest,
    /// The flows it names that are of no stored version.
    pub documents: Vec<FlowDocument>,
    /// Where its events go.
    pub event_url: Option<String>,
    /// 0 to 9; a higher one is dialled first.
    pub priority: u8,
    /// Now, ms since the Unix epoch.
    pub created_ms: u64,
    /// Not to be dialled before.
    pub not_before_ms: u64,
    /// To be given up if it has not been dialled by then.
    pub expires_ms: Option<u64>,
    /// The client's key for this request.
    pub idempotency_key: Option<String>,
    /// The id of the request, for its first events.
    pub request_id: Option<String>,
    /// The id of the token that asks for it.
    pub token_id: Option<String>,
    /// A hash of the request, which tells a repetition from a clash.
    pub body_hash: String,
    /// The answer to give, now and whenever the request is repeated.
    pub answer: String,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// The call is in the queue.
    New,
    /// The same request was accepted before; this was its answer.
    Replay(String),
    /// The field (`idempotency_key` or `call_uuid`) was used before for another request.
    Conflict(&'static str),
}

impl Tdb {
    /// Accepts a call, or finds that it was accepted before. On return it is on the disk.
    pub async fn accept(&self, call: NewCall) -> Result<Accepted, TdbError> {
        self.writer
            .write(|connection| Box::pin(accept(connection, call)))
            .await
    }

    /// What became of an earlier request with this key or this call's UUID, if there was one.
    pub async fn accepted_before(
        &self,
        tenant: &TenantId,
        idempotency_key: Option<&str>,
        call_uuid: Option<CallUuid>,
        body_hash: &str,
    ) -> Result<Option<Accepted>, TdbError> {
        let asked = Asked {
            tenant,
            idempotency_key,
            call_uuid,
            body_hash,
        };
        self.readers
            .read(async |reader| earlier(reader, asked).await)
            .await
    }

    /// Forgets the idempotency keys of calls accepted before that hour, the oldest first and at most `limit`, so that
    /// other writes need not wait long. The calls stay, and so does the use of their UUIDs. Returns how many it forgot.
    pub async fn forget_keys(&self, before_hour: u64, limit: u32) -> Result<u64, TdbError> {
        self.forget(FORGET_KEYS, before_hour, limit).await
    }

    /// The hour that keys are accepted in now: how many hours some gateway has run.
    pub async fn key_hour(&self) -> Result<u64, TdbError> {
        let row = sqlx::query("SELECT hour FROM key_hours");
        number(&row.fetch_one(&self.readers).await?, "hour")
    }

    /// That hour is over, unless somebody has said so before.
    pub async fn end_key_hour(&self, hour: u64) -> Result<(), TdbError> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    sqlx::query("UPDATE key_hours SET hour = hour + 1 WHERE hour = $1")
                        .bind(sql_ms(hour))
                        .execute(connection)
                        .await?;
                    Ok(())
                })
            })
            .await
    }
}

/// Looks for keys from the oldest on, in an index that holds no others.
const FORGET_KEYS: &str = "
    UPDATE calls SET idempotency_key = NULL WHERE call_uuid IN (
        SELECT call_uuid FROM calls
        WHERE idempotency_key IS NOT NULL AND key_hour < $1
        ORDER BY key_hour LIMIT $2)";

async fn accept(connection: &mut Connection, call: NewCall) -> Result<Accepted, TdbError> {
    if !insert(connection, &call).await? {
        let asked = Asked {
            tenant: &call.tenant_id,
            idempotency_key: call.idempotency_key.as_deref(),
            call_uuid: Some(call.call_uuid),
            body_hash: &call.body_hash,
        };
        // The insert met a row, so there is one.
        let earlier = earlier(connection, asked).await?;
        return Ok(earlier.unwrap_or(Accepted::Conflict("call_uuid")));
    }
    for document in &call.documents {
        keep_document(connection, &call.tenant_id, document, call.created_ms).await?;
    }
    let queued = NewEvent::of_gateway(&call.call_uuid, "queued", call.created_ms, "{}");
    store(connection, queued).await?;
    Ok(Accepted::New)
}

/// Whether it was inserted; if not, its UUID or its idempotency key is in use.
async fn insert(connection: &mut Connection, call: &NewCall) -> Result<bool, TdbError> {
    let inserted = sqlx::query(
        "INSERT INTO calls (call_uuid, tenant_id, campaign_name, origin, to_number, from_number,
             request, event_url, priority, created_ms, not_before_ms, expires_ms,
             idempotency_key, body_hash, answer, state, request_id, token_id, attempt,
             last_seq, key_hour)
         VALUES ($1, $2, $3, 'api', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, 1, 0,
             (SELECT hour FROM key_hours))
         ON CONFLICT DO NOTHING",
    )
    .bind(call.call_uuid.to_string())
    .bind(call.tenant_id.as_str())
    .bind(call.campaign_name.as_str())
    .bind(call.to_number.as_str())
    .bind(call.from_number.as_str())
    .bind(to_json("request", &call.request)?)
    .bind(call.event_url.as_deref())
    .bind(i64::from(call.priority))
    .bind(sql_ms(call.created_ms))
    .bind(sql_ms(call.not_before_ms))
    .bind(call.expires_ms.map(sql_ms))
    .bind(call.idempotency_key.as_deref())
    .bind(&call.body_hash)
    .bind(&call.answer)
    .bind(CallState::Queued.as_str())
    .bind(call.request_id.as_deref())
    .bind(call.token_id.as_deref())
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// What names a request.
struct Asked<'a> {
    tenant: &'a TenantId,
    idempotency_key: Option<&'a str>,
    call_uuid: Option<CallUuid>,
    body_hash: &'a str,
}

/// What became of an earlier request of that name. The key comes first: a repeated request with a key
/// has got a fresh UUID, unless the client gave one.
async fn earlier(
    connection: &mut Connection,
    asked: Asked<'_>,
) -> Result<Option<Accepted>, TdbError> {
    if let Some(key) = asked.idempotency_key {
        let by_key = sqlx::query(
            "SELECT body_hash, answer FROM calls WHERE tenant_id = $1 AND idempotency_key = $2",
        )
        .bind(asked.tenant.as_str())
        .bind(key)
        .fetch_optional(&mut *connection)
        .await?;
        if let Some(row) = by_key {
            let same = get::<String>(&row, "body_hash")? == asked.body_hash;
            return Ok(Some(match same {
                true => Accepted::Replay(get(&row, "answer")?),
                false => Accepted::Conflict("idempotency_key"),
            }));
        }
    }
    let Some(call_uuid) = asked.call_uuid else {
        return Ok(None);
    };
    let by_uuid = sqlx::query(
        "SELECT tenant_id, idempotency_key, body_hash, answer FROM calls WHERE call_uuid = $1",
    )
    .bind(call_uuid.to_string())
    .fetch_optional(connection)
    .await?;
    let Some(row) = by_uuid else { return Ok(None) };
    // Another tenant's call is a conflict like any other, and says no more than that.
    let same = get::<String>(&row, "tenant_id")? == asked.tenant.as_str()
        && get::<Option<String>>(&row, "idempotency_key")?.as_deref() == asked.idempotency_key
        && get::<String>(&row, "body_hash")? == asked.body_hash;
    Ok(Some(match same {
        true => Accepted::Replay(get(&row, "answer")?),
        false => Accepted::Conflict("call_uuid"),
    }))
}
