//! Events: stored once, numbered without gaps, and the state of the call moved forward with them.

mod store;

pub(super) use store::{NewEvent, store};

use super::attempt::record::{AttemptOutcome, set_outcome};
use super::call::uuid;
use super::do_not_call::opt_out;
use super::failover::{TrunksOf, queue_again, try_again_from};
use super::redial::may_redial;
use super::row::{get, json, number, optional_number, optional_parsed, parsed, sql_ms, to_json};
use super::transfer::end_children;
use super::trunk::{TrunkNews, learn};
use super::{Connection, Origin, Row, Tdb, TdbError};
use iradialer_core::call::{CallState, Direction, Ending, final_state};
use iradialer_core::value::{CallUuid, NodeId, TrunkName};
use iradialer_core::wire::{EventBody, Hangup, SwitchEvent};

/// What to do with an event whose predecessors have not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutOfOrder {
    /// Do not store it: it will come again after them.
    Hold,
    /// Store it all the same: they are lost, or have been waited for long enough.
    Store,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// It is stored as the call's event `seq`.
    Stored {
        /// Its place in the call.
        seq: u32,
        /// The call's state after it.
        state: CallState,
        /// Whether this event ended the call.
        ended: bool,
        /// Whether a webhook wants it.
        webhook: bool,
        /// What it has changed of what is known of the call's trunk.
        trunk: Option<Box<TrunkNews>>,
    },
    /// It was stored before.
    Duplicate,
    /// It was held back ([`OutOfOrder::Hold`]): the event of the attempt with this number is missing.
    Early {
        /// The number of the missing event.
        expected: u32,
    },
}

/// A stored event.
#[derive(Debug, Clone, PartialEq)]
pub struct CallEvent {
    /// The call.
    pub call_uuid: CallUuid,
    /// Its place in the call, from 1 without gaps.
    pub seq: u32,
    /// The try it is of; 0 for the gateway's own.
    pub attempt: u32,
    /// Its place in the try.
    pub attempt_seq: u32,
    /// Its name, without a prefix.
    pub name: String,
    /// When it happened, ms since the Unix epoch.
    pub at_ms: u64,
    /// The switch it is from; none for the gateway's own.
    pub node_id: Option<NodeId>,
    /// What it says.
    pub data: serde_json::Map<String, serde_json::Value>,
    /// Whether it ended the call.
    pub is_final: bool,
}

/// A call's events, page by page.
pub(super) const EVENTS: &str =
    "SELECT * FROM call_events WHERE call_uuid = $1 AND seq > $2 ORDER BY seq LIMIT $3";

impl Tdb {
    /// Stores what a switch reports, moves the call's state forward, writes the final record where it
    /// is a `hangup`, and hands it to the webhook, in one transaction. May be repeated. A call that a
    /// carrier refused before it rang goes back into the queue instead, where one of `trunks_of` its
    /// campaign may still place it.
    pub async fn apply_event(
        &self,
        event: SwitchEvent,
        out_of_order: OutOfOrder,
        trunks_of: &TrunksOf,
        now_ms: u64,
    ) -> Result<Applied, TdbError> {
        self.apply_event_told(event, out_of_order, trunks_of, None, now_ms)
            .await
    }

    /// As [`Tdb::apply_event`]; where it is the first of a call that came in, that call's events go to
    /// `event_url`.
    pub async fn apply_event_told(
        &self,
        event: SwitchEvent,
        out_of_order: OutOfOrder,
        trunks_of: &TrunksOf,
        event_url: Option<String>,
        now_ms: u64,
    ) -> Result<Applied, TdbError> {
        let trunks_of = TrunksOf::clone(trunks_of);
        self.writer
            .write(move |connection| {
                let event_url = event_url.clone();
                Box::pin(apply(
                    connection,
                    event,
                    out_of_order,
                    trunks_of,
                    event_url,
                    now_ms,
                ))
            })
            .await
    }

    /// The call's events after `after_seq`, in order.
    pub async fn events(
        &self,
        call_uuid: CallUuid,
        after_seq: u32,
        limit: u32,
    ) -> Result<Vec<CallEvent>, TdbError> {
        let rows = sqlx::query(EVENTS)
            .bind(call_uuid.to_string())
            .bind(i64::from(after_seq))
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(CallEvent::from_row).collect()
    }
}

impl CallEvent {
    pub(super) fn from_row(row: &Row) -> Result<Self, TdbError> {
        Ok(CallEvent {
            call_uuid: parsed(row, "call_uuid", uuid)?,
            seq: number(row, "seq")?,
            attempt: number(row, "attempt")?,
            attempt_seq: number(row, "attempt_seq")?,
            name: get(row, "name")?,
            at_ms: number(row, "at_ms")?,
            node_id: optional_parsed(row, "node_id", |t| NodeId::parse("node_id", t).ok())?,
            data: json(row, "data")?,
            is_final: get::<i64>(row, "is_final")? != 0,
        })
    }
}

async fn apply(
    connection: &mut Connection,
    event: SwitchEvent,
    out_of_order: OutOfOrder,
    trunks_of: TrunksOf,
    event_url: Option<String>,
    now_ms: u64,
) -> Result<Applied, TdbError> {
    let call = match Head::read(connection, event.call_uuid).await? {
        Some(call) => call,
        None => begin_at_switch(connection, &event, event_url.as_deref(), now_ms).await?,
    };
    let last = last_of_attempt(connection, &event).await?;
    if event.seq <= last && is_stored(connection, &event).await? {
        return Ok(Applied::Duplicate);
    }
    if event.seq > last + 1 && out_of_order == OutOfOrder::Hold {
        return Ok(Applied::Early { expected: last + 1 });
    }

    if let EventBody::OptedOut { scope, number, .. } = &event.body {
        opt_out(connection, event.call_uuid, number, *scope, event.at_ms).await?;
    }

    // An event of a try that was given up tells what happened, and no longer moves the call.
    let current = event.attempt == call.attempt;
    let next = next_state(&event.body).filter(|next| current && call.state.may_become(*next));
    let ended = next.is_some_and(CallState::is_final);
    let trunk = match &call.trunk {
        Some(trunk) if current && !call.state.is_final() => {
            let assigned_ms = call.assigned_ms.unwrap_or(now_ms);
            learn(connection, trunk, &event.body, assigned_ms, now_ms).await?
        }
        _ => None,
    };
    // Only with nothing missing before it: what is missing may say that it rang.
    let again_from_ms = match ended && event.seq == last + 1 {
        true => match try_again_from(connection, &call, &event, &trunks_of, now_ms).await? {
            None if next == Some(CallState::Unknown) && !was_answered(&event.body) => {
                let redial = may_redial(connection, event.call_uuid, event.attempt, now_ms);
                redial.await?.then_some(now_ms)
            }
            from_ms => from_ms,
        },
        false => None,
    };
    if let Some(from_ms) = again_from_ms {
        let (seq, webhook) = store(connection, NewEvent::of_switch(&event, false, now_ms)?).await?;
        queue_again(connection, event.call_uuid, from_ms).await?;
        let said = last_words(&event.body);
        let outcome = AttemptOutcome::QueuedAgain;
        end_attempt(connection, &event, outcome, said.as_deref(), now_ms).await?;
        return Ok(Applied::Stored {
            seq,
            state: CallState::Queued,
            ended: false,
            webhook,
            trunk,
        });
    }
    let (seq, webhook) = store(connection, NewEvent::of_switch(&event, ended, now_ms)?).await?;
    mark_time(connection, &event).await?;
    if let Some(next) = next {
        set_state(connection, event.call_uuid, next).await?;
    }
    if let (true, EventBody::Hangup(hangup)) = (ended, &event.body) {
        write_final_record(connection, &event, hangup).await?;
        let state = next.map(CallState::as_str);
        end_attempt(connection, &event, AttemptOutcome::Ended, state, now_ms).await?;
        end_children(connection, event.call_uuid, now_ms).await?;
    }
    Ok(Applied::Stored {
        seq,
        state: next.unwrap_or(call.state),
        ended,
        webhook,
        trunk,
    })
}

fn was_answered(body: &EventBody) -> bool {
    matches!(body, EventBody::Hangup(hangup) if hangup.answered)
}

/// What the far end said of a call that it did not take, or else why the switch could not place it.
fn last_words(body: &EventBody) -> Option<String> {
    let EventBody::Hangup(hangup) = body else {
        return None;
    };
    Some(match hangup.sip_status {
        Some(status) => format!("{status} {}", hangup.sip_phrase.as_deref().unwrap_or("")),
        None => hangup.hangup_cause.clone(),
    })
}

async fn end_attempt(
    connection: &mut Connection,
    event: &SwitchEvent,
    outcome: AttemptOutcome,
    reason: Option<&str>,
    now_ms: u64,
) -> Result<(), TdbError> {
    let (call, attempt) = (event.call_uuid, event.attempt);
    let set = set_outcome(connection, call, attempt, outcome, reason, now_ms);
    set.await.map(drop)
}

/// Where the event would take the call.
fn next_state(body: &EventBody) -> Option<CallState> {
    match body {
        EventBody::Started { .. } => Some(CallState::Dialing),
        EventBody::Ringing { .. } => Some(CallState::Ringing),
        EventBody::Answered { .. } => Some(CallState::Answered),
        EventBody::Dtmf { .. }
        | EventBody::PlayDone { .. }
        | EventBody::PlayStopped { .. }
        | EventBody::DtmfCollected { .. }
        | EventBody::OptedOut { .. }
        | EventBody::WentTo { .. }
        | EventBody::RecordingReady { .. }
        | EventBody::Requested { .. }
        | EventBody::Transferred { .. }
        | EventBody::Bridged { .. }
        | EventBody::Unbridged { .. }
        | EventBody::CallQuality(_) => None,
        EventBody::Hangup(hangup) => Some(final_state(Ending {
            answered: hangup.answered,
            by: hangup.by,
            sip_status: hangup.sip_status,
        })),
    }
}

/// What must be known of a call before an event is stored.
pub(super) struct Head {
    pub(super) state: CallState,
    attempt: u32,
    trunk: Option<TrunkName>,
    assigned_ms: Option<u64>,
}

impl Head {
    async fn read(
        connection: &mut Connection,
        call_uuid: CallUuid,
    ) -> Result<Option<Self>, TdbError> {
        let row = sqlx::query(
            // What a call came in by is no trunk that calls are placed through: it teaches nothing about one.
            "SELECT state, attempt, assigned_ms, CASE WHEN origin = 'inbound' THEN NULL ELSE trunk END AS trunk
             FROM calls WHERE call_uuid = $1",
        )
        .bind(call_uuid.to_string())
        .fetch_optional(connection)
        .await?;
        row.map(|row| {
            Ok(Head {
                state: parsed(&row, "state", CallState::parse)?,
                attempt: number(&row, "attempt")?,
                trunk: optional_parsed(&row, "trunk", |t| TrunkName::parse("trunk", t).ok())?,
                assigned_ms: optional_number(&row, "assigned_ms")?,
            })
        })
        .transpose()
    }
}

/// A call that a person began at the switch, or that came in there, gets its row with its first event.
async fn begin_at_switch(
    connection: &mut Connection,
    event: &SwitchEvent,
    event_url: Option<&str>,
    now_ms: u64,
) -> Result<Head, TdbError> {
    let begun = Begun::of(&event.body);
    sqlx::query(
        "INSERT INTO calls (call_uuid, tenant_id, campaign_name, origin, to_number, from_number,
             request, priority, created_ms, not_before_ms, body_hash, answer,
             state, attempt, attempt_id, trunk, node_id, incarnation, last_seq, event_url)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $8, '', '', $9, $10, $11, $12, $13, $14, 0, $15)",
    )
    .bind(event.call_uuid.to_string())
    .bind(event.tenant_id.as_str())
    .bind(begun.campaign_name)
    .bind(Origin::of(begun.direction).as_str())
    .bind(begun.to_number)
    .bind(begun.from_number)
    .bind(r#"{"dial_timeout_s":0,"max_duration_s":0}"#)
    .bind(sql_ms(now_ms))
    .bind(CallState::Assigned.as_str())
    .bind(i64::from(event.attempt))
    .bind(event.attempt_id.to_string())
    .bind(begun.trunk)
    .bind(event.node_id.as_str())
    .bind(event.incarnation.to_string())
    .bind(event_url.filter(|_| begun.direction == Direction::Inbound))
    .execute(connection)
    .await?;
    Ok(Head {
        state: CallState::Assigned,
        attempt: event.attempt,
        trunk: None,
        assigned_ms: None,
    })
}

/// What the first event of a call says that is known by its events alone. Where its start is lost, what is
/// left is kept.
#[derive(Default)]
struct Begun<'a> {
    to_number: &'a str,
    from_number: &'a str,
    trunk: Option<&'a str>,
    campaign_name: &'a str,
    direction: Direction,
}

impl<'a> Begun<'a> {
    fn of(body: &'a EventBody) -> Self {
        let EventBody::Started {
            to_number,
            from_number,
            trunk,
            direction,
            campaign_name,
        } = body
        else {
            return Begun::default();
        };
        Begun {
            to_number,
            from_number,
            trunk: Some(trunk.as_str()),
            campaign_name: campaign_name.as_ref().map_or("", |name| name.as_str()),
            direction: *direction,
        }
    }
}

/// The highest number stored of the event's attempt, or 0.
async fn last_of_attempt(
    connection: &mut Connection,
    event: &SwitchEvent,
) -> Result<u32, TdbError> {
    let row = sqlx::query(
        "SELECT MAX(attempt_seq) AS last FROM call_events WHERE call_uuid = $1 AND attempt = $2",
    )
    .bind(event.call_uuid.to_string())
    .bind(i64::from(event.attempt))
    .fetch_one(connection)
    .await?;
    Ok(optional_number(&row, "last")?.unwrap_or(0))
}

async fn is_stored(connection: &mut Connection, event: &SwitchEvent) -> Result<bool, TdbError> {
    let row = sqlx::query(
        "SELECT seq FROM call_events WHERE call_uuid = $1 AND attempt = $2 AND attempt_seq = $3",
    )
    .bind(event.call_uuid.to_string())
    .bind(i64::from(event.attempt))
    .bind(i64::from(event.seq))
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

async fn set_state(
    connection: &mut Connection,
    call_uuid: CallUuid,
    state: CallState,
) -> Result<(), TdbError> {
    sqlx::query("UPDATE calls SET state = $2 WHERE call_uuid = $1")
        .bind(call_uuid.to_string())
        .bind(state.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// Keeps when the call first started, rang and was answered, whatever order the events come in.
async fn mark_time(connection: &mut Connection, event: &SwitchEvent) -> Result<(), TdbError> {
    let sql = match &event.body {
        EventBody::Started { .. } => {
            "UPDATE calls SET started_ms = COALESCE(started_ms, $2) WHERE call_uuid = $1 AND attempt = $3"
        }
        EventBody::Ringing { .. } => {
            "UPDATE calls SET ringing_ms = COALESCE(ringing_ms, $2) WHERE call_uuid = $1 AND attempt = $3"
        }
        EventBody::Answered { .. } => {
            "UPDATE calls SET answered_ms = COALESCE(answered_ms, $2) WHERE call_uuid = $1 AND attempt = $3"
        }
        _ => return Ok(()),
    };
    sqlx::query(sql)
        .bind(event.call_uuid.to_string())
        .bind(sql_ms(event.at_ms))
        .bind(i64::from(event.attempt))
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_final_record(
    connection: &mut Connection,
    event: &SwitchEvent,
    hangup: &Hangup,
) -> Result<(), TdbError> {
    let by = serde_json::to_value(hangup.by).map_err(|e| TdbError::unwritable("ended_by", &e))?;
    sqlx::query(
        "UPDATE calls SET ended_ms = $2, ended_by = $3, hangup_cause = $4, sip_status = $5,
             sip_phrase = $6, duration_ms = $7, billsec_ms = $8, variables = $9, flow_node = $10,
             fault = $11
         WHERE call_uuid = $1 AND ended_ms IS NULL",
    )
    .bind(event.call_uuid.to_string())
    .bind(sql_ms(event.at_ms))
    .bind(by.as_str())
    .bind(&hangup.hangup_cause)
    .bind(hangup.sip_status.map(i64::from))
    .bind(hangup.sip_phrase.as_deref())
    .bind(sql_ms(hangup.duration_ms))
    .bind(sql_ms(hangup.billsec_ms))
    .bind(to_json("variables", &hangup.variables)?)
    .bind(hangup.node.as_deref())
    .bind(hangup.fault.as_deref())
    .execute(connection)
    .await?;
    Ok(())
}
