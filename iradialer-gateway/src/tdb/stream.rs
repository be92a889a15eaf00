//! A tenant's events in the order in which they were committed, for those who follow them.
//!
//! An event's place is given in its transaction, and one transaction writes at a time in the whole cluster. So whoever
//! has seen a place has seen all before it, and none comes later.

use super::event::CallEvent;
use super::row::{number, sql_ms};
use super::{Call, Delivery, Row, Tdb, TdbError};
use iradialer_core::value::{CallUuid, TenantId};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// An event, with its call as it is now, and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Streamed {
    /// From 1 for each tenant.
    pub place: u64,
    /// The call.
    pub call: Call,
    /// The event.
    pub event: CallEvent,
}

/// A tenant's events after a place.
pub(super) const AFTER: &str = "
    SELECT * FROM call_events WHERE tenant_id = $1 AND place > $2 ORDER BY place LIMIT $3";
/// The last place that was given.
pub(super) const LAST: &str = "
    SELECT COALESCE(MAX(place), 0) AS place FROM call_events
    WHERE tenant_id = $1 AND place IS NOT NULL";
/// The calls of the events between two places.
pub(super) const CALLS: &str = "
    SELECT * FROM calls WHERE call_uuid IN (
        SELECT call_uuid FROM call_events WHERE tenant_id = $1 AND place > $2 AND place <= $3)";

impl Tdb {
    /// The place of the tenant's last event; 0: it has none.
    pub async fn last_place(&self, tenant: &TenantId) -> Result<u64, TdbError> {
        let row = sqlx::query(LAST)
            .bind(tenant.as_str())
            .fetch_one(&self.readers)
            .await?;
        number(&row, "place")
    }

    /// The tenant's events after a place, at most `limit`.
    pub async fn events_after(
        &self,
        tenant: &TenantId,
        place: u64,
        limit: u32,
    ) -> Result<Vec<Streamed>, TdbError> {
        let rows: Vec<Row> = sqlx::query(AFTER)
            .bind(tenant.as_str())
            .bind(sql_ms(place))
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;
        let Some(last) = rows.last() else {
            return Ok(Vec::new());
        };
        let calls = sqlx::query(CALLS)
            .bind(tenant.as_str())
            .bind(sql_ms(place))
            .bind(number::<i64>(last, "place")?)
            .fetch_all(&self.readers)
            .await?;
        let mut by_uuid: HashMap<CallUuid, Call> = HashMap::new();
        for row in &calls {
            let call = Call::from_row(row)?;
            by_uuid.insert(call.call_uuid, call);
        }
        let mut streamed = Vec::with_capacity(rows.len());
        for row in &rows {
            let event = CallEvent::from_row(row)?;
            // An event has its call: the schema holds that.
            if let Some(call) = by_uuid.get(&event.call_uuid) {
                streamed.push(Streamed {
                    place: number(row, "place")?,
                    call: call.clone(),
                    event,
                });
            }
        }
        Ok(streamed)
    }
}

impl Streamed {
    /// As a webhook would have it, but for the secret that is for a webhook's receiver alone.
    ///
    /// `answer` is what the call's `answered` event has said before this one.
    pub fn into_delivery(mut self, answer: Option<Map<String, Value>>) -> Delivery {
        self.call.request.call_params.remove("token");
        Delivery {
            call: self.call.into(),
            event: self.event,
            answer,
            url: String::new(),
            tries: 0,
            is_gone: false,
        }
    }
}
