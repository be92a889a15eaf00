//! Storing an event: its number in the call, its row, its delivery.

use crate::tdb::row::{get, number, parsed, sql_ms, to_json};
use crate::tdb::{Connection, TdbError, delivery};
use iradialer_core::call::CallState;
use iradialer_core::value::{CallUuid, NodeId, TenantId};
use iradialer_core::wire::SwitchEvent;

/// An event to be stored.
pub(in crate::tdb) struct NewEvent {
    call_uuid: CallUuid,
    /// The try and the place in it; the gateway's own are numbered as they come.
    of_attempt: Option<(u32, u32)>,
    name: &'static str,
    at_ms: u64,
    stored_ms: u64,
    node_id: Option<NodeId>,
    data: String,
    is_final: bool,
}

impl NewEvent {
    /// An event of the gateway's own that does not end the call.
    pub(in crate::tdb) fn of_gateway(
        call_uuid: &CallUuid,
        name: &'static str,
        now_ms: u64,
        data: &str,
    ) -> Self {
        NewEvent {
            call_uuid: *call_uuid,
            of_attempt: None,
            name,
            at_ms: now_ms,
            stored_ms: now_ms,
            node_id: None,
            data: data.to_owned(),
            is_final: false,
        }
    }

    /// The same, as the one that ends the call.
    pub(in crate::tdb) fn into_final(mut self) -> Self {
        self.is_final = true;
        self
    }

    pub(super) fn of_switch(
        event: &SwitchEvent,
        is_final: bool,
        now_ms: u64,
    ) -> Result<Self, TdbError> {
        let mut body = serde_json::to_value(&event.body)
            .map_err(|error| TdbError::unwritable("data", &error))?;
        Ok(NewEvent {
            call_uuid: event.call_uuid,
            of_attempt: Some((event.attempt, event.seq)),
            name: event.body.name(),
            at_ms: event.at_ms,
            stored_ms: now_ms,
            node_id: Some(event.node_id.clone()),
            data: to_json("data", &body["data"].take())?,
            is_final,
        })
    }
}

/// Stores an event as the call's next, and a delivery where the call has a webhook and has not ended
/// before: the final event is the last that a webhook hears of a call. Returns its number, and whether
/// there is a delivery.
pub(in crate::tdb) async fn store(
    connection: &mut Connection,
    event: NewEvent,
) -> Result<(u32, bool), TdbError> {
    let row = sqlx::query(
        "UPDATE calls SET last_seq = last_seq + 1 WHERE call_uuid = $1
         RETURNING last_seq, tenant_id, campaign_name, event_url, state, request_id",
    )
    .bind(event.call_uuid.to_string())
    .fetch_one(&mut *connection)
    .await?;
    let seq: u32 = number(&row, "last_seq")?;
    let tenant_id: TenantId = parsed(&row, "tenant_id", |t| TenantId::parse("tenant_id", t).ok())?;
    let campaign_name: String = get(&row, "campaign_name")?;
    let event_url: Option<String> = get(&row, "event_url")?;
    let state: CallState = parsed(&row, "state", CallState::parse)?;

    let (attempt, attempt_seq) = match event.of_attempt {
        Some(place) => place,
        // The gateway's own: a place that no other of them has, since seq has none.
        None => (0, seq),
    };
    let data = match get::<Option<String>>(&row, "request_id")? {
        Some(id) if BEARS_REQUEST_ID.contains(&event.name) => with_request_id(&event.data, id)?,
        _ => event.data,
    };
    // Nobody writes beside this transaction, so the places of a tenant's events are in the order of the commits.
    sqlx::query(
        "INSERT INTO call_events (call_uuid, seq, attempt, attempt_seq, name, at_ms, stored_ms,
             node_id, data, is_final, tenant_id, place)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
             (SELECT COALESCE(MAX(place), 0) + 1 FROM call_events
              WHERE tenant_id = $11 AND place IS NOT NULL))",
    )
    .bind(event.call_uuid.to_string())
    .bind(i64::from(seq))
    .bind(i64::from(attempt))
    .bind(i64::from(attempt_seq))
    .bind(event.name)
    .bind(sql_ms(event.at_ms))
    .bind(sql_ms(event.stored_ms))
    .bind(event.node_id.as_ref().map(NodeId::as_str))
    .bind(&data)
    .bind(i64::from(event.is_final))
    .bind(tenant_id.as_str())
    .execute(&mut *connection)
    .await?;

    let Some(url) = event_url.filter(|_| !state.is_final()) else {
        return Ok((seq, false));
    };
    delivery::insert(
        connection,
        event.call_uuid,
        seq,
        &tenant_id,
        &campaign_name,
        &url,
        event.stored_ms,
    )
    .await?;
    Ok((seq, true))
}

/// The events that say which request the call was asked for with.
const BEARS_REQUEST_ID: [&str; 2] = ["queued", "started"];

fn with_request_id(data: &str, id: String) -> Result<String, TdbError> {
    let mut data: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(data).map_err(|error| TdbError::unwritable("data", &error))?;
    data.insert("request_id".to_owned(), id.into());
    to_json("data", &data)
}
