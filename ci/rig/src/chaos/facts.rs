//! What there is to see after a run: the TDB's tables and the far ends' count of INVITEs.

use anyhow::{Context, Result, bail};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Connection, Row};
use std::collections::HashMap;
use std::path::Path;

/// A row of `calls`.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Call {
    pub call: String,
    pub key: String,
    pub number: String,
    /// The call that it was dialled for, where it is the other side of a transfer.
    pub parent: Option<String>,
    pub state: String,
    pub attempt: i64,
    pub node: Option<String>,
    pub last_seq: i64,
    pub created_ms: i64,
    pub assigned_ms: Option<i64>,
    pub ended_ms: Option<i64>,
    pub fault: Option<String>,
}

/// A row of `call_events`.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Event {
    pub call: String,
    pub seq: i64,
    pub attempt: i64,
    pub attempt_seq: i64,
    pub name: String,
    pub at_ms: i64,
    pub is_final: bool,
}

/// A row of `attempts`.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Attempt {
    pub call: String,
    pub attempt: i64,
    pub attempt_id: String,
    pub trunk: String,
    pub node: String,
    pub epoch: i64,
    pub assigned_ms: i64,
    pub not_after_ms: i64,
    pub outcome: Option<String>,
}

/// An INVITE, as the far end saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// When, µs since the Unix epoch.
    pub at_us: u64,
    /// The channel, which is the attempt.
    pub attempt_id: String,
    /// The call, by the channel's variable.
    pub call: String,
    /// The number.
    pub number: String,
    /// The trunk.
    pub trunk: String,
    /// The switch.
    pub node: String,
    /// Whether its attempt stood in the switch's journal by then, where the far end could look.
    pub journalled: Option<bool>,
}

impl Invite {
    /// When, ms since the Unix epoch.
    pub fn at_ms(&self) -> i64 {
        i64::try_from(self.at_us / 1_000).unwrap_or(i64::MAX)
    }
}

/// All of it.
#[derive(Debug, Default)]
pub struct Facts {
    /// The calls.
    pub calls: Vec<Call>,
    /// Their events, by call and seq.
    pub events: HashMap<String, Vec<Event>>,
    /// The attempts by their UUID, where the TDB keeps them.
    pub attempts: Option<HashMap<String, Attempt>>,
    /// Deliveries that are neither made nor given up.
    pub webhooks_due: i64,
    /// Deliveries given up.
    pub webhooks_dead: i64,
    /// The INVITEs by time.
    pub invites: Vec<Invite>,
}

/// A connection to the TDB that reads.
pub struct Reader(AnyConnection);

impl Reader {
    /// Connects.
    pub async fn connect(url: &str) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let connection = AnyConnection::connect(url);
        Ok(Reader(connection.await.with_context(|| url.to_owned())?))
    }

    /// How much there is left to do: calls without an end, and deliveries that are due.
    pub async fn left(&mut self) -> Result<(i64, i64)> {
        let open = "SELECT COUNT(*) FROM calls WHERE ended_ms IS NULL";
        let due = "SELECT COUNT(*) FROM webhooks WHERE state = 'due'";
        Ok((self.count(open).await?, self.count(due).await?))
    }

    /// Everything, with the INVITEs that the far ends counted.
    pub async fn facts(mut self, invites: Vec<Invite>) -> Result<Facts> {
        let connection = &mut self.0;
        let calls = sqlx::query(
            "SELECT call_uuid, idempotency_key, to_number, parent_uuid, state, attempt, node_id,
                    last_seq, created_ms, assigned_ms, ended_ms, fault
             FROM calls ORDER BY created_ms, call_uuid",
        );
        let calls = calls.fetch_all(&mut *connection).await?;
        let events = sqlx::query(
            "SELECT call_uuid, seq, attempt, attempt_seq, name, at_ms, is_final
             FROM call_events ORDER BY call_uuid, seq",
        );
        let events = events.fetch_all(&mut *connection).await?;
        let mut by_call: HashMap<String, Vec<Event>> = HashMap::new();
        for row in &events {
            let event = event(row)?;
            by_call.entry(event.call.clone()).or_default().push(event);
        }
        let mut facts = Facts {
            calls: calls.iter().map(call).collect::<Result<_>>()?,
            events: by_call,
            attempts: self.attempts().await?,
            webhooks_due: self
                .count("SELECT COUNT(*) FROM webhooks WHERE state = 'due'")
                .await?,
            webhooks_dead: self
                .count("SELECT COUNT(*) FROM webhooks WHERE state = 'dead'")
                .await?,
            invites,
        };
        facts.invites.sort_by_key(|invite| invite.at_us);
        Ok(facts)
    }

    async fn attempts(&mut self) -> Result<Option<HashMap<String, Attempt>>> {
        let rows = sqlx::query(
            "SELECT call_uuid, attempt, attempt_id, trunk, node_id, epoch, assigned_ms, not_after_ms,
                    outcome
             FROM attempts",
        );
        match rows.fetch_all(&mut self.0).await {
            Ok(rows) => {
                let attempts = rows.iter().map(attempt);
                let attempts = attempts.map(|read| {
                    Ok((
                        read.as_ref()
                            .map_or_else(|_| String::new(), |attempt| attempt.attempt_id.clone()),
                        read?,
                    ))
                });
                attempts.collect::<Result<_>>().map(Some)
            }
            // Whatever else is wrong with the database, the other queries have found out.
            Err(sqlx::Error::Database(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn count(&mut self, sql: &'static str) -> Result<i64> {
        let row = sqlx::query(sql).fetch_one(&mut self.0).await?;
        Ok(row.try_get(0)?)
    }
}

fn call(row: &AnyRow) -> Result<Call> {
    Ok(Call {
        call: row.try_get("call_uuid")?,
        key: row
            .try_get::<Option<String>, _>("idempotency_key")?
            .unwrap_or_default(),
        number: row.try_get("to_number")?,
        parent: row.try_get("parent_uuid")?,
        state: row.try_get("state")?,
        attempt: row.try_get("attempt")?,
        node: row.try_get("node_id")?,
        last_seq: row.try_get("last_seq")?,
        created_ms: row.try_get("created_ms")?,
        assigned_ms: row.try_get("assigned_ms")?,
        ended_ms: row.try_get("ended_ms")?,
        fault: row.try_get("fault")?,
    })
}

fn event(row: &AnyRow) -> Result<Event> {
    Ok(Event {
        call: row.try_get("call_uuid")?,
        seq: row.try_get("seq")?,
        attempt: row.try_get("attempt")?,
        attempt_seq: row.try_get("attempt_seq")?,
        name: row.try_get("name")?,
        at_ms: row.try_get("at_ms")?,
        is_final: row.try_get::<i64, _>("is_final")? != 0,
    })
}

fn attempt(row: &AnyRow) -> Result<Attempt> {
    Ok(Attempt {
        call: row.try_get("call_uuid")?,
        attempt: row.try_get("attempt")?,
        attempt_id: row.try_get("attempt_id")?,
        trunk: row.try_get("trunk")?,
        node: row.try_get("node_id")?,
        epoch: row.try_get("epoch")?,
        assigned_ms: row.try_get("assigned_ms")?,
        not_after_ms: row.try_get("not_after_ms")?,
        outcome: row.try_get("outcome")?,
    })
}

/// Reads the sandboxes' INVITE log; where there is none, nobody was called.
pub fn invites(path: &Path) -> Result<Vec<Invite>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    text.lines().map(invite).collect()
}

fn invite(line: &str) -> Result<Invite> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [at_us, attempt_id, call, number, trunk, node, journalled] = fields[..] else {
        bail!("the INVITE log has a line that is none: {line:?}");
    };
    Ok(Invite {
        at_us: at_us.parse().with_context(|| line.to_owned())?,
        attempt_id: attempt_id.to_owned(),
        call: call.to_owned(),
        number: number.to_owned(),
        trunk: trunk.to_owned(),
        node: node.to_owned(),
        journalled: match journalled {
            "journalled" => Some(true),
            "missing" => Some(false),
            _ => None,
        },
    })
}
