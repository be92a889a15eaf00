//! What switches hold of the licence. Each decision is one transaction, and on both databases no other writer runs
//! beside it: two gateways never give the same share twice.

use super::audit::{self, Author, Change};
use super::row::{number, parsed, sql_ms};
use super::{Connection, Row, Tdb, TdbError};
use crate::license::shares::{Share, give};
use iradialer_core::license::Limits;
use iradialer_core::value::{CallUuid, NodeId, TenantId};
use iradialer_core::wire::LeaseAsk;
use serde_json::json;

/// The least of a rate that is worth giving, thousandths of a call a second.
const RATE_STEP: u32 = 1_000;

/// What one life of a switch holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLease {
    /// The switch.
    pub node_id: NodeId,
    /// The life of its module.
    pub incarnation: CallUuid,
    /// Its journal.
    pub journal_id: CallUuid,
    /// The order they came in.
    pub place: u64,
    /// The last question that was answered.
    pub ask: u64,
    /// How long after it the switch may go by what it was told, ms.
    pub good_for_ms: u64,
    /// Calls at once.
    pub channels: Share,
    /// Calls begun a second, in thousandths.
    pub rate: Share,
}

impl HeldLease {
    /// What tells a lease that stands still from one that is renewed.
    pub fn key(&self) -> (NodeId, CallUuid) {
        (self.node_id.clone(), self.incarnation)
    }
}

/// What a switch is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leased {
    /// So many calls at once, and so many thousandths of a call a second.
    Given {
        /// Calls at once.
        channels: u32,
        /// Calls begun a second, in thousandths.
        rate: u32,
    },
    /// As many switches as the licence allows hold leases: these.
    TooManySwitches(Vec<NodeId>),
    /// Nothing: the question is older than one that was answered, or the switch leaves.
    Nothing,
}

impl Tdb {
    /// What switches hold, in the order they came.
    pub async fn license_leases(&self) -> Result<Vec<HeldLease>, TdbError> {
        let rows = sqlx::query(ALL).fetch_all(&self.readers).await?;
        rows.iter().map(from_row).collect()
    }

    /// Answers a switch. `limits`: what the licence allows; none where it lets no new call be begun. `over`: leases
    /// that have run out, each with its last question, if that is its last still.
    pub async fn lease_license(
        &self,
        ask: LeaseAsk,
        limits: Option<Limits>,
        good_for_ms: u64,
        over: Vec<(NodeId, CallUuid, u64)>,
    ) -> Result<Leased, TdbError> {
        self.writer
            .write(move |connection| {
                Box::pin(async move { lease(connection, ask, limits, good_for_ms, over).await })
            })
            .await
    }

    /// Forgets leases of switches that are gone for good, each that was not renewed since it was read. Returns those
    /// that are forgotten; each has its entry in the audit log.
    pub async fn free_license_leases(
        &self,
        leases: Vec<HeldLease>,
        tenant_id: TenantId,
        author: Author,
        now_ms: u64,
    ) -> Result<Vec<HeldLease>, TdbError> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let mut freed = Vec::new();
                    for lease in leases {
                        if !forget_unless_renewed(connection, &lease).await? {
                            continue;
                        }
                        let change = Change {
                            tenant_id: tenant_id.clone(),
                            action: "license.free",
                            subject: lease.node_id.to_string(),
                            was: Some(json!({
                                "channels": lease.channels.height,
                                "cps": f64::from(lease.rate.height) / 1_000.0,
                            })),
                            became: None,
                            at_ms: now_ms,
                        };
                        audit::note(connection, &author, change).await?;
                        freed.push(lease);
                    }
                    Ok(freed)
                })
            })
            .await
    }
}

const ALL: &str = "SELECT * FROM license_leases ORDER BY place, node_id";

async fn lease(
    connection: &mut Connection,
    ask: LeaseAsk,
    limits: Option<Limits>,
    good_for_ms: u64,
    over: Vec<(NodeId, CallUuid, u64)>,
) -> Result<Leased, TdbError> {
    let rows = sqlx::query(ALL).fetch_all(&mut *connection).await?;
    let rows = rows.iter().map(from_row).collect::<Result<Vec<_>, _>>()?;
    let mut held = Vec::new();
    for lease in rows {
        let key = (lease.node_id.clone(), lease.incarnation, lease.ask);
        match over.contains(&key) || has_replaced(&ask, &lease) {
            true => forget(connection, &lease.node_id, &lease.incarnation).await?,
            false => held.push(lease),
        }
    }
    let own = held
        .iter()
        .position(|lease| lease.node_id == ask.node_id && lease.incarnation == ask.incarnation);
    if own.is_some_and(|own| ask.ask <= held[own].ask) {
        return Ok(Leased::Nothing);
    }
    if ask.leaves {
        forget(connection, &ask.node_id, &ask.incarnation).await?;
        return Ok(Leased::Nothing);
    }
    let place = held.iter().map(|lease| lease.place).max().unwrap_or(0) + 1;
    let mut new = HeldLease {
        node_id: ask.node_id.clone(),
        incarnation: ask.incarnation,
        journal_id: ask.journal_id,
        place: own.map_or(place, |own| held[own].place),
        ask: ask.ask,
        // It may go by the lease that it holds until it gets this one.
        good_for_ms: good_for_ms.max(ask.left_ms),
        channels: Share::said(ask.channels),
        rate: Share::said(ask.rate),
    };
    let own = match own {
        Some(own) => {
            held[own] = new.clone();
            own
        }
        None => {
            held.push(new.clone());
            held.len() - 1
        }
    };
    let max_switches = limits.map_or(0, |limits| limits.max_switches);
    let let_in = first_switches(&held, max_switches);
    let leased = match limits {
        Some(limits) if let_in.contains(&ask.node_id) => {
            let mut channels: Vec<Share> = held.iter().map(|lease| lease.channels).collect();
            let mut rates: Vec<Share> = held.iter().map(|lease| lease.rate).collect();
            let max_rate = (limits.max_cps * 1_000.0) as u32;
            let given = Leased::Given {
                channels: give(limits.max_channels, &mut channels, own, 1),
                rate: give(max_rate, &mut rates, own, RATE_STEP),
            };
            (new.channels, new.rate) = (channels[own], rates[own]);
            given
        }
        Some(_) if new.channels.height == 0 => {
            // One that was not let in and has no calls holds nothing.
            forget(connection, &ask.node_id, &ask.incarnation).await?;
            return Ok(Leased::TooManySwitches(let_in));
        }
        Some(_) => Leased::TooManySwitches(let_in),
        None => Leased::Given {
            channels: 0,
            rate: 0,
        },
    };
    store(connection, &new).await?;
    Ok(leased)
}

/// Whether a lease's life of a switch is over, because the one that asks has its journal: one module has that at a
/// time. Where the clock was set back between the two nobody can tell which is the later; then both count.
fn has_replaced(ask: &LeaseAsk, lease: &HeldLease) -> bool {
    lease.node_id == ask.node_id
        && lease.journal_id == ask.journal_id
        && lease.incarnation < ask.incarnation
}

/// The switches that the licence allows: those that came first.
fn first_switches(held: &[HeldLease], most: u32) -> Vec<NodeId> {
    let mut first: Vec<NodeId> = Vec::new();
    let mut in_order: Vec<&HeldLease> = held.iter().collect();
    in_order.sort_by_key(|lease| lease.place);
    for lease in in_order {
        if first.len() < most as usize && !first.contains(&lease.node_id) {
            first.push(lease.node_id.clone());
        }
    }
    first
}

async fn forget(
    connection: &mut Connection,
    node: &NodeId,
    incarnation: &CallUuid,
) -> Result<(), TdbError> {
    sqlx::query("DELETE FROM license_leases WHERE node_id = $1 AND incarnation = $2")
        .bind(node.as_str())
        .bind(incarnation.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

async fn forget_unless_renewed(
    connection: &mut Connection,
    lease: &HeldLease,
) -> Result<bool, TdbError> {
    let forgotten = sqlx::query(
        "DELETE FROM license_leases WHERE node_id = $1 AND incarnation = $2 AND ask = $3",
    )
    .bind(lease.node_id.as_str())
    .bind(lease.incarnation.to_string())
    .bind(sql_ms(lease.ask))
    .execute(connection)
    .await?;
    Ok(forgotten.rows_affected() > 0)
}

async fn store(connection: &mut Connection, lease: &HeldLease) -> Result<(), TdbError> {
    let (channels, rate) = (&lease.channels, &lease.rate);
    sqlx::query(
        "INSERT INTO license_leases (node_id, incarnation, journal_id, place, ask, good_for_ms,
             channels_using, channels_has, channels_most, channels_height,
             rate_using, rate_has, rate_most, rate_height)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         ON CONFLICT (node_id, incarnation) DO UPDATE SET
             ask = $5, good_for_ms = $6,
             channels_using = $7, channels_has = $8, channels_most = $9, channels_height = $10,
             rate_using = $11, rate_has = $12, rate_most = $13, rate_height = $14",
    )
    .bind(lease.node_id.as_str())
    .bind(lease.incarnation.to_string())
    .bind(lease.journal_id.to_string())
    .bind(sql_ms(lease.place))
    .bind(sql_ms(lease.ask))
    .bind(sql_ms(lease.good_for_ms))
    .bind(i64::from(channels.using))
    .bind(i64::from(channels.has))
    .bind(i64::from(channels.most))
    .bind(i64::from(channels.height))
    .bind(i64::from(rate.using))
    .bind(i64::from(rate.has))
    .bind(i64::from(rate.most))
    .bind(i64::from(rate.height))
    .execute(connection)
    .await?;
    Ok(())
}

fn from_row(row: &Row) -> Result<HeldLease, TdbError> {
    let uuid = |column| parsed(row, column, |text| CallUuid::parse(column, text).ok());
    Ok(HeldLease {
        node_id: parsed(row, "node_id", |text| NodeId::parse("node_id", text).ok())?,
        incarnation: uuid("incarnation")?,
        journal_id: uuid("journal_id")?,
        place: number(row, "place")?,
        ask: number(row, "ask")?,
        good_for_ms: number(row, "good_for_ms")?,
        channels: Share {
            using: number(row, "channels_using")?,
            has: number(row, "channels_has")?,
            most: number(row, "channels_most")?,
            height: number(row, "channels_height")?,
        },
        rate: Share {
            using: number(row, "rate_using")?,
            has: number(row, "rate_has")?,
            most: number(row, "rate_most")?,
            height: number(row, "rate_height")?,
        },
    })
}
