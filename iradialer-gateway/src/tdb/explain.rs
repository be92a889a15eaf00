//! What was decided of a call, and why: for those who ask afterwards, or while it waits.

use super::row::{get, json, number, optional_number, parsed, sql_ms, to_json};
use super::{Call, Connection, Row, Tdb, TdbError};
use iradialer_core::value::{CallUuid, NodeId, TrunkName};
use iradialer_core::wire::SwitchState;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A try as it was given to a switch, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptRecord {
    /// Which try, from 1.
    pub attempt: u32,
    /// The try's UUID.
    pub attempt_id: String,
    /// The trunk it went through.
    pub trunk: TrunkName,
    /// The switch it was given to.
    pub node_id: NodeId,
    /// Of the router's lease.
    pub epoch: u64,
    /// When it was assigned, ms since the Unix epoch.
    pub assigned_ms: u64,
    /// The switch must not dial after this.
    pub not_after_ms: u64,
    /// What the router considered.
    pub why: Value,
    /// `not_dialled`, `queued_again`, `ended` or `given_up`; none while it is open.
    pub outcome: Option<String>,
    /// What the carrier, the switch or the gateway said.
    pub outcome_reason: Option<String>,
    /// When.
    pub outcome_ms: Option<u64>,
}

/// A decision that leaves no other trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// When, ms since the Unix epoch.
    pub at_ms: u64,
    /// The try it is about.
    pub attempt: u32,
    /// `put_off` or `asked_switch`.
    pub what: String,
    /// With what.
    pub data: Value,
}

/// What a switch has said last, as a router has noted it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeardNode {
    /// The switch.
    pub node_id: NodeId,
    /// The life of its module.
    pub incarnation: CallUuid,
    /// Whether it takes calls, by itself.
    pub state: SwitchState,
    /// Whether it was not heard for as long as makes a switch lost.
    pub silent: bool,
    /// When it was last heard, ms since the Unix epoch.
    pub heard_ms: u64,
    /// Calls that it holds.
    pub calls: u32,
    /// Calls that are being set up.
    pub setups: u32,
    /// The most calls that it holds.
    pub max_calls: u32,
    /// The most calls a second that it takes.
    pub max_cps: f64,
    /// Its module's version.
    pub version: String,
    /// Its host's version.
    pub host: String,
    /// Since its module was loaded, s.
    pub uptime_s: u64,
}

/// What a router has noted of the switches it hears.
#[derive(Debug, Clone, PartialEq)]
pub struct SwitchView {
    /// The region whose switches they are.
    pub region: String,
    /// What each has said.
    pub nodes: Vec<HeardNode>,
    /// When, ms since the Unix epoch.
    pub at_ms: u64,
    /// Each switch with its verdict.
    pub switches: Value,
}

impl Tdb {
    /// Every try at the call, the first one first.
    pub async fn attempts(&self, call_uuid: CallUuid) -> Result<Vec<AttemptRecord>, TdbError> {
        let rows = sqlx::query("SELECT * FROM attempts WHERE call_uuid = $1 ORDER BY attempt")
            .bind(call_uuid.to_string())
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(AttemptRecord::from_row).collect()
    }

    /// The key its request came with, unless it was forgotten since.
    pub async fn idempotency_key(&self, call_uuid: CallUuid) -> Result<Option<String>, TdbError> {
        let row = sqlx::query("SELECT idempotency_key FROM calls WHERE call_uuid = $1")
            .bind(call_uuid.to_string())
            .fetch_optional(&self.readers)
            .await?;
        row.map_or(Ok(None), |row| get(&row, "idempotency_key"))
    }

    /// The call's decisions that leave no other trace, the first one first.
    pub async fn decisions(&self, call_uuid: CallUuid) -> Result<Vec<Decision>, TdbError> {
        let rows = sqlx::query(
            "SELECT at_ms, attempt, what, data FROM decisions WHERE call_uuid = $1
             ORDER BY at_ms LIMIT 1000",
        )
        .bind(call_uuid.to_string())
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Decision {
                    at_ms: number(row, "at_ms")?,
                    attempt: number(row, "attempt")?,
                    what: get(row, "what")?,
                    data: json(row, "data")?,
                })
            })
            .collect()
    }

    /// Notes what a switch that was asked said of an attempt, if that was not noted before.
    pub async fn note_asked(
        &self,
        call_uuid: CallUuid,
        attempt: u32,
        data: Value,
        now_ms: u64,
    ) -> Result<(), TdbError> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let what = "asked_switch";
                    if is_noted(connection, call_uuid, attempt, what, &data).await? {
                        return Ok(());
                    }
                    note(connection, call_uuid, attempt, what, &data, now_ms).await
                })
            })
            .await
    }

    /// How many calls of its campaign that may be dialled now go before a queued call, counted up to
    /// `at_most`.
    pub async fn calls_ahead(
        &self,
        call: &Call,
        at_most: u32,
        now_ms: u64,
    ) -> Result<u32, TdbError> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS ahead FROM (
                 SELECT 1 FROM calls
                 WHERE state = 'queued' AND tenant_id = $1 AND campaign_name = $2
                   AND not_before_ms <= $3
                   AND (priority > $4 OR (priority = $4 AND created_ms < $5)
                        OR (priority = $4 AND created_ms = $5 AND call_uuid < $6))
                 LIMIT $7) AS earlier",
        )
        .bind(call.tenant_id.as_str())
        .bind(call.campaign_name.as_str())
        .bind(sql_ms(now_ms))
        .bind(i64::from(call.priority))
        .bind(sql_ms(call.created_ms))
        .bind(call.call_uuid.to_string())
        .bind(i64::from(at_most))
        .fetch_one(&self.readers)
        .await?;
        number(&row, "ahead")
    }

    /// Until when a router has the lease of the region, ms since the Unix epoch; none: nobody ever had.
    pub async fn lease_ends_ms(&self, region: &str) -> Result<Option<u64>, TdbError> {
        let row = sqlx::query("SELECT expires_ms FROM router_leases WHERE region = $1")
            .bind(region)
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| number(&row, "expires_ms")).transpose()
    }

    /// Keeps what the router of a region thinks of its switches.
    pub async fn keep_switch_view(
        &self,
        region: &str,
        switches: Value,
        nodes: Vec<HeardNode>,
        now_ms: u64,
    ) -> Result<(), TdbError> {
        let region = region.to_owned();
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    sqlx::query(
                        "INSERT INTO switch_views (region, at_ms, switches, nodes) VALUES ($1, $2, $3, $4)
                         ON CONFLICT (region) DO UPDATE SET at_ms = $2, switches = $3, nodes = $4",
                    )
                    .bind(region)
                    .bind(sql_ms(now_ms))
                    .bind(to_json("switches", &switches)?)
                    .bind(to_json("nodes", &nodes)?)
                    .execute(connection)
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// What was kept of it.
    pub async fn switch_view(&self, region: &str) -> Result<Option<SwitchView>, TdbError> {
        let row = sqlx::query("SELECT * FROM switch_views WHERE region = $1")
            .bind(region)
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| SwitchView::from_row(&row)).transpose()
    }

    /// The same of every region.
    pub async fn switch_views(&self) -> Result<Vec<SwitchView>, TdbError> {
        let rows = sqlx::query("SELECT * FROM switch_views ORDER BY region")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(SwitchView::from_row).collect()
    }
}

impl SwitchView {
    fn from_row(row: &Row) -> Result<Self, TdbError> {
        Ok(SwitchView {
            region: get(row, "region")?,
            nodes: json(row, "nodes")?,
            at_ms: number(row, "at_ms")?,
            switches: json(row, "switches")?,
        })
    }
}

/// Notes a decision, in the transaction that carries it out.
pub(super) async fn note(
    connection: &mut Connection,
    call_uuid: CallUuid,
    attempt: u32,
    what: &'static str,
    data: &Value,
    now_ms: u64,
) -> Result<(), TdbError> {
    sqlx::query(
        "INSERT INTO decisions (call_uuid, at_ms, attempt, what, data) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(call_uuid.to_string())
    .bind(sql_ms(now_ms))
    .bind(i64::from(attempt))
    .bind(what)
    .bind(to_json("data", data)?)
    .execute(connection)
    .await?;
    Ok(())
}

async fn is_noted(
    connection: &mut Connection,
    call_uuid: CallUuid,
    attempt: u32,
    what: &str,
    data: &Value,
) -> Result<bool, TdbError> {
    let row = sqlx::query(
        "SELECT at_ms FROM decisions
         WHERE call_uuid = $1 AND attempt = $2 AND what = $3 AND data = $4",
    )
    .bind(call_uuid.to_string())
    .bind(i64::from(attempt))
    .bind(what)
    .bind(to_json("data", data)?)
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

impl AttemptRecord {
    fn from_row(row: &Row) -> Result<Self, TdbError> {
        Ok(AttemptRecord {
            attempt: number(row, "attempt")?,
            attempt_id: get(row, "attempt_id")?,
            trunk: parsed(row, "trunk", |t| TrunkName::parse("trunk", t).ok())?,
            node_id: parsed(row, "node_id", |t| NodeId::parse("node_id", t).ok())?,
            epoch: number(row, "epoch")?,
            assigned_ms: number(row, "assigned_ms")?,
            not_after_ms: number(row, "not_after_ms")?,
            why: json(row, "why")?,
            outcome: get(row, "outcome")?,
            outcome_reason: get(row, "outcome_reason")?,
            outcome_ms: optional_number(row, "outcome_ms")?,
        })
    }
}
