//! What the trunks have shown of themselves, for every router and through a takeover.

use super::call::uuid;
use super::row::{get, number, optional_number, parsed, sql_ms};
use super::{Connection, Row, Tdb, TdbError};
use crate::trunk::{Breaker, Evidence, Gate, Learned, Observed, TrunkState, evidence};
use iradialer_core::value::{CallUuid, TrunkName};
use iradialer_core::wire::EventBody;
use std::collections::HashMap;

/// A second, in which carriers count.
const SECOND_MS: u64 = 1_000;

/// How an event has changed what is known of a trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkNews {
    /// The trunk.
    pub trunk: TrunkName,
    /// Before the event.
    pub before: TrunkState,
    /// After it.
    pub after: TrunkState,
}

impl Tdb {
    /// The trunks that have ever shown anything but that they work.
    pub async fn trunk_states(&self) -> Result<HashMap<TrunkName, TrunkState>, TdbError> {
        let rows = sqlx::query("SELECT * FROM trunk_states")
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| {
                let name = parsed(row, "trunk", |t| TrunkName::parse("trunk", t).ok())?;
                Ok((name, from_row(row)?))
            })
            .collect()
    }

    /// The last tries the trunk was given of which something was sent, or may yet be: those assigned after
    /// `after_ms`, ms since the Unix epoch, and at most the last `limit` of them. What was given under a
    /// lease is complete once the next one is taken.
    pub async fn recent_starts(
        &self,
        trunk: &TrunkName,
        after_ms: u64,
        limit: u32,
    ) -> Result<Vec<Start>, TdbError> {
        let rows = sqlx::query(RECENT_STARTS)
            .bind(trunk.as_str())
            .bind(sql_ms(after_ms))
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(Start::from_row).collect()
    }
}

const RECENT_STARTS: &str = "
    SELECT attempts.call_uuid AS call_uuid, attempts.attempt AS attempt,
        CASE WHEN begun.stored_ms < attempts.not_after_ms
             THEN begun.stored_ms ELSE attempts.not_after_ms END AS begun_ms
    FROM attempts LEFT JOIN call_events AS begun
        ON begun.call_uuid = attempts.call_uuid AND begun.attempt = attempts.attempt
           AND begun.name = 'started'
    WHERE attempts.trunk = $1 AND attempts.assigned_ms > $2
      AND (attempts.outcome IS NULL OR attempts.outcome <> 'not_dialled')
    ORDER BY attempts.assigned_ms DESC LIMIT $3";

/// A try that a trunk was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The call.
    pub call_uuid: CallUuid,
    /// Which try at it.
    pub attempt: u32,
    /// By when its switch had begun it, as its event shows, or begins it at the latest: ms since the Unix
    /// epoch.
    pub begun_ms: u64,
}

impl Start {
    fn from_row(row: &Row) -> Result<Self, TdbError> {
        Ok(Start {
            call_uuid: parsed(row, "call_uuid", uuid)?,
            attempt: number(row, "attempt")?,
            begun_ms: number(row, "begun_ms")?,
        })
    }
}

/// Keeps what an event says of the trunk its call went through, in the transaction that stores the event.
/// A trunk that works and is known to costs one look at it.
pub(super) async fn learn(
    connection: &mut Connection,
    trunk: &TrunkName,
    body: &EventBody,
    assigned_ms: u64,
    now_ms: u64,
) -> Result<Option<Box<TrunkNews>>, TdbError> {
    let Some(evidence) = evidence(body) else {
        return Ok(None);
    };
    let before = read(connection, trunk).await?;
    let mut seen = Observed {
        assigned_ms,
        in_second: 1,
        now_ms,
    };
    if evidence == Evidence::TooFast {
        seen.in_second = starts_in_second(connection, trunk, assigned_ms).await?;
    }
    let after = before.after(&evidence, seen);
    if after == before {
        return Ok(None);
    }
    write(connection, trunk, &after).await?;
    let trunk = trunk.clone();
    Ok(Some(Box::new(TrunkNews {
        trunk,
        before,
        after,
    })))
}

/// Whether a call may be given to the trunk as its probe, as of now: another router, or another look of
/// this one, may have sent one.
pub(super) async fn may_probe(
    connection: &mut Connection,
    trunk: &TrunkName,
    now_ms: u64,
) -> Result<bool, TdbError> {
    let gate = read(connection, trunk).await?.gate(now_ms);
    Ok(!matches!(gate, Gate::Shut(..)))
}

/// Notes that a probe is on its way, unless the breaker has closed meanwhile.
pub(super) async fn note_probe(
    connection: &mut Connection,
    trunk: &TrunkName,
    now_ms: u64,
) -> Result<(), TdbError> {
    let state = read(connection, trunk).await?;
    match state.gate(now_ms) {
        Gate::Probe => write(connection, trunk, &state.probing(now_ms)).await,
        Gate::Open | Gate::Shut(..) => Ok(()),
    }
}

/// Lets the next probe go where the one on its way was not dialled.
pub(super) async fn forget_probe(
    connection: &mut Connection,
    trunk: &TrunkName,
    assigned_ms: u64,
    now_ms: u64,
) -> Result<(), TdbError> {
    let state = read(connection, trunk).await?;
    let seen = Observed {
        assigned_ms,
        in_second: 1,
        now_ms,
    };
    let after = state.after(&Evidence::Nothing, seen);
    match after == state {
        true => Ok(()),
        false => write(connection, trunk, &after).await,
    }
}

async fn starts_in_second(
    connection: &mut Connection,
    trunk: &TrunkName,
    at_ms: u64,
) -> Result<u32, TdbError> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS starts FROM attempts
         WHERE trunk = $1 AND assigned_ms > $2 AND assigned_ms <= $3",
    )
    .bind(trunk.as_str())
    .bind(sql_ms(at_ms.saturating_sub(SECOND_MS)))
    .bind(sql_ms(at_ms))
    .fetch_one(connection)
    .await?;
    number(&row, "starts")
}

async fn read(connection: &mut Connection, trunk: &TrunkName) -> Result<TrunkState, TdbError> {
    let row = sqlx::query("SELECT * FROM trunk_states WHERE trunk = $1")
        .bind(trunk.as_str())
        .fetch_optional(connection)
        .await?;
    row.map_or_else(|| Ok(TrunkState::default()), |row| from_row(&row))
}

fn from_row(row: &Row) -> Result<TrunkState, TdbError> {
    let cps_milli = optional_number(row, "learned_cps_milli")?;
    let learned_ms = optional_number(row, "learned_ms")?;
    Ok(TrunkState {
        learned: cps_milli
            .zip(learned_ms)
            .map(|(cps_milli, at_ms)| Learned { cps_milli, at_ms }),
        wait_until_ms: optional_number(row, "wait_until_ms")?,
        breaker: parsed(row, "breaker", Breaker::parse)?,
        breaker_until_ms: optional_number(row, "breaker_until_ms")?.unwrap_or(0),
        breaker_reason: get(row, "breaker_reason")?,
        failures: number(row, "failures")?,
        updated_ms: number(row, "updated_ms")?,
    })
}

async fn write(
    connection: &mut Connection,
    trunk: &TrunkName,
    state: &TrunkState,
) -> Result<(), TdbError> {
    sqlx::query(
        "INSERT INTO trunk_states (trunk, learned_cps_milli, learned_ms, wait_until_ms, breaker,
             breaker_until_ms, breaker_reason, failures, updated_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (trunk) DO UPDATE
         SET learned_cps_milli = $2, learned_ms = $3, wait_until_ms = $4, breaker = $5,
             breaker_until_ms = $6, breaker_reason = $7, failures = $8, updated_ms = $9",
    )
    .bind(trunk.as_str())
    .bind(state.learned.map(|learned| sql_ms(learned.cps_milli)))
    .bind(state.learned.map(|learned| sql_ms(learned.at_ms)))
    .bind(state.wait_until_ms.map(sql_ms))
    .bind(state.breaker.as_str())
    .bind(sql_ms(state.breaker_until_ms))
    .bind(state.breaker_reason.as_deref())
    .bind(i64::from(state.failures))
    .bind(sql_ms(state.updated_ms))
    .execute(connection)
    .await?;
    Ok(())
}
