//! Calls that are dialled for another one: placed at the word of the switch that holds that one, given to
//! that life of that switch alone, and given up when nobody waits for them any more.

use super::call::uuid;
use super::ending::{GatewayEnd, end_from};
use super::event::{NewEvent, store};
use super::row::{get, json, optional_parsed, parsed, sql_ms, to_json};
use super::{CallRequest, Connection, OnUnknown, Origin, Row, Tdb, TdbError};
use iradialer_core::call::CallState;
use iradialer_core::value::{CallUuid, CallerNumber, CampaignName, ChannelVars, NodeId, TenantId};
use iradialer_core::wire::TransferOrder;
use std::collections::BTreeMap;

/// Somebody waits on the line for such a call: nothing but another one comes before it.
const PRIORITY: u8 = 9;
/// The longest an answered call of a parent that does not say may last, s.
const MAX_DURATION_S: u32 = 14_400;

/// One life of one switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The switch.
    pub node_id: NodeId,
    /// The life of its module.
    pub incarnation: CallUuid,
}

/// A call that a switch wants dialled for one it holds.
#[derive(Debug, Clone)]
pub struct NewTransfer {
    /// Its UUID, which the switch has made.
    pub call_uuid: CallUuid,
    /// The call that waits.
    pub parent_uuid: CallUuid,
    /// The switch that asks.
    pub asked_by: Pin,
    /// Whom to dial.
    pub order: TransferOrder,
    /// Now, ms since the Unix epoch.
    pub now_ms: u64,
    /// It is given up if it has not been dialled by then.
    pub expires_ms: u64,
}

/// What became of a [`NewTransfer`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// It is in the queue, or was placed before: where it is now.
    At(CallState),
    /// It will not be dialled, as the sentence says.
    Refused(String),
    /// Of the call that waits nothing is known yet: its first event is on its way.
    NotYet,
}

impl Tdb {
    /// Whose a call is, and its campaign, if it is of one; `None` for a call of which nothing is known yet.
    pub async fn campaign_of(
        &self,
        call_uuid: CallUuid,
    ) -> Result<Option<(TenantId, Option<CampaignName>)>, TdbError> {
        let row = sqlx::query("SELECT tenant_id, campaign_name FROM calls WHERE call_uuid = $1")
            .bind(call_uuid.to_string())
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let tenant = parsed(&row, "tenant_id", |t| TenantId::parse("tenant_id", t).ok())?;
        let name: String = get(&row, "campaign_name")?;
        let campaign = CampaignName::parse("campaign_name", &name).ok();
        Ok(Some((tenant, campaign)))
    }

    /// The call that waits for this one, where one does.
    pub async fn parent_of(&self, call_uuid: CallUuid) -> Result<Option<CallUuid>, TdbError> {
        let row = sqlx::query("SELECT parent_uuid FROM calls WHERE call_uuid = $1")
            .bind(call_uuid.to_string())
            .fetch_optional(&self.readers)
            .await?;
        row.map_or(Ok(None), |row| optional_parsed(&row, "parent_uuid", uuid))
    }

    /// Places a call for one that the asking life of the asking switch holds, or says where it is if it was
    /// placed before. On return it is on the disk.
    pub async fn place_transfer(&self, transfer: NewTransfer) -> Result<Placed, TdbError> {
        self.writer
            .write(move |connection| Box::pin(async move { place(connection, &transfer).await }))
            .await
    }
}

async fn place(connection: &mut Connection, transfer: &NewTransfer) -> Result<Placed, TdbError> {
    if let Some(placed) = placed_before(connection, transfer).await? {
        return Ok(placed);
    }
    let row = sqlx::query(
        "SELECT tenant_id, campaign_name, from_number, request, event_url, state, node_id, incarnation
         FROM calls WHERE call_uuid = $1",
    )
    .bind(transfer.parent_uuid.to_string())
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else {
        return Ok(Placed::NotYet);
    };
    let parent = Parent::from_row(&row)?;
    match parent.objection(&transfer.asked_by) {
        Some(why) => Ok(Placed::Refused(why)),
        None => insert(connection, transfer, parent).await,
    }
}

/// What became of the same request before, if there was one.
async fn placed_before(
    connection: &mut Connection,
    transfer: &NewTransfer,
) -> Result<Option<Placed>, TdbError> {
    let row = sqlx::query(
        "SELECT state, parent_uuid, pinned_incarnation FROM calls WHERE call_uuid = $1",
    )
    .bind(transfer.call_uuid.to_string())
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let parent: Option<CallUuid> = optional_parsed(&row, "parent_uuid", uuid)?;
    let asked_by: Option<CallUuid> = optional_parsed(&row, "pinned_incarnation", uuid)?;
    let is_same =
        parent == Some(transfer.parent_uuid) && asked_by == Some(transfer.asked_by.incarnation);
    Ok(Some(match is_same {
        true => Placed::At(parsed(&row, "state", CallState::parse)?),
        false => Placed::Refused("call_uuid: it is another call's".to_owned()),
    }))
}

/// The call that waits.
struct Parent {
    tenant_id: TenantId,
    campaign_name: String,
    from_number: CallerNumber,
    request: CallRequest,
    event_url: Option<String>,
    state: CallState,
    node_id: Option<NodeId>,
    incarnation: Option<CallUuid>,
}

impl Parent {
    fn from_row(row: &Row) -> Result<Self, TdbError> {
        Ok(Parent {
            tenant_id: parsed(row, "tenant_id", |t| TenantId::parse("tenant_id", t).ok())?,
            campaign_name: get(row, "campaign_name")?,
            from_number: parsed(row, "from_number", |t| {
                CallerNumber::parse("from_number", t).ok()
            })?,
            request: json(row, "request")?,
            event_url: get(row, "event_url")?,
            state: parsed(row, "state", CallState::parse)?,
            node_id: optional_parsed(row, "node_id", |t| NodeId::parse("node_id", t).ok())?,
            incarnation: optional_parsed(row, "incarnation", uuid)?,
        })
    }

    /// A switch asks for calls that it holds, and for no other's.
    fn objection(&self, asked_by: &Pin) -> Option<String> {
        if self.state.is_final() {
            return Some(format!(
                "parent_uuid: that call has ended as {}",
                self.state
            ));
        }
        let is_there = self.node_id.as_ref() == Some(&asked_by.node_id)
            && self.incarnation == Some(asked_by.incarnation);
        (!is_there).then(|| {
            let node = &asked_by.node_id;
            format!("parent_uuid: expected a call that {node} holds in this life")
        })
    }
}

async fn insert(
    connection: &mut Connection,
    transfer: &NewTransfer,
    parent: Parent,
) -> Result<Placed, TdbError> {
    let order = &transfer.order;
    let max_duration_s = match parent.request.max_duration_s {
        0 => MAX_DURATION_S,
        asked_s => asked_s,
    };
    let request = CallRequest {
        call_params: parent.request.call_params,
        channel_vars: ChannelVars::default(),
        dial_timeout_s: order.dial_timeout_s,
        max_duration_s,
        ivr: None,
        flow: None,
        vars: BTreeMap::new(),
        timezone: None,
        on_unknown: OnUnknown::End,
        metadata: parent.request.metadata,
        trunk: order.trunk.clone(),
        whisper: order.whisper.clone(),
        license: None,
    };
    let from_number = order.from_number.as_ref().unwrap_or(&parent.from_number);
    sqlx::query(
        "INSERT INTO calls (call_uuid, tenant_id, campaign_name, origin, to_number, from_number,
             request, event_url, priority, created_ms, not_before_ms, expires_ms,
             body_hash, answer, state, attempt, last_seq,
             parent_uuid, pinned_node, pinned_incarnation)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, '', '', $12, 1, 0, $13, $14, $15)",
    )
    .bind(transfer.call_uuid.to_string())
    .bind(parent.tenant_id.as_str())
    .bind(parent.campaign_name.as_str())
    .bind(Origin::Api.as_str())
    .bind(order.to_number.as_str())
    .bind(from_number.as_str())
    .bind(to_json("request", &request)?)
    .bind(parent.event_url.as_deref())
    .bind(i64::from(PRIORITY))
    .bind(sql_ms(transfer.now_ms))
    .bind(sql_ms(transfer.expires_ms))
    .bind(CallState::Queued.as_str())
    .bind(transfer.parent_uuid.to_string())
    .bind(transfer.asked_by.node_id.as_str())
    .bind(transfer.asked_by.incarnation.to_string())
    .execute(&mut *connection)
    .await?;
    let queued = NewEvent::of_gateway(&transfer.call_uuid, "queued", transfer.now_ms, "{}");
    store(connection, queued).await?;
    Ok(Placed::At(CallState::Queued))
}

/// A call has ended: those that were to be dialled for it are not any more. What a switch has of them it
/// ends itself.
pub(super) async fn end_children(
    connection: &mut Connection,
    parent: CallUuid,
    now_ms: u64,
) -> Result<(), TdbError> {
    let rows = sqlx::query(
        "UPDATE calls SET cancel_requested_ms = COALESCE(cancel_requested_ms, $2)
         WHERE parent_uuid = $1 AND state IN ('queued', 'assigned', 'dialing', 'ringing')
         RETURNING call_uuid",
    )
    .bind(parent.to_string())
    .bind(sql_ms(now_ms))
    .fetch_all(&mut *connection)
    .await?;
    for row in &rows {
        let call_uuid = parsed(row, "call_uuid", uuid)?;
        let (from, end) = ([CallState::Queued], GatewayEnd::Canceled);
        let reason = "the call that it was to be connected with has ended";
        end_from(connection, call_uuid, None, &from, end, reason, now_ms).await?;
    }
    Ok(())
}
