//! The audit log: who changed what, what it was and what it became. Each entry is written in the transaction of its
//! change: there is none without the other.

use super::row::{get, number, optional_json, parsed, sql_ms};
use super::{Connection, Row, Tdb, TdbError};
use iradialer_core::value::{CallUuid, TenantId};
use serde_json::{Value, json};

/// Entries of all tenants, or of one, before another entry and from a time on; the latest first.
pub(super) const LISTING: &str = "
    SELECT * FROM audit WHERE audit_id < $1 AND at_ms >= $2
    ORDER BY audit_id DESC LIMIT $3";
pub(super) const LISTING_OF_TENANT: &str = "
    SELECT * FROM audit WHERE audit_id < $1 AND at_ms >= $2 AND tenant_id = $4
    ORDER BY audit_id DESC LIMIT $3";
/// Comes after every id.
const AFTER_ALL: &str = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/// Through what a change came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// The HTTPS API.
    Api,
    /// A command of `iradialer-gateway`.
    CommandLine,
    /// A file that the configuration names.
    Configuration,
    /// A request to the routers on the bus.
    Nats,
}

impl Via {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Via::Api => "api",
            Via::CommandLine => "command_line",
            Via::Configuration => "configuration",
            Via::Nats => "nats",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Via::Api, Via::CommandLine, Via::Configuration, Via::Nats]
            .into_iter()
            .find(|via| via.as_str() == text)
    }
}

/// Who changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// Through what.
    pub via: Via,
    /// The id of a token, or the name of who typed a command.
    pub actor: String,
    /// The request it was.
    pub request_id: Option<String>,
}

/// A change that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Whose thing was changed.
    pub tenant_id: TenantId,
    /// What was done, such as `flow.put`.
    pub action: &'static str,
    /// What it was done to: a name or an id.
    pub subject: String,
    /// What it was, without secrets; `None`: it was not there.
    pub was: Option<Value>,
    /// What it is now, without secrets; `None`: it is not there any more.
    pub became: Option<Value>,
    /// When, ms since the Unix epoch.
    pub at_ms: u64,
}

/// An entry of the audit log, read.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Its id; later ones are greater.
    pub audit_id: String,
    /// Who.
    pub author: Author,
    /// As [`Change`].
    pub tenant_id: TenantId,
    /// As [`Change`].
    pub action: String,
    /// As [`Change`].
    pub subject: String,
    /// As [`Change`].
    pub was: Option<Value>,
    /// As [`Change`].
    pub became: Option<Value>,
    /// As [`Change`].
    pub at_ms: u64,
}

/// What of the log is asked for.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Of this tenant alone.
    pub tenant_id: Option<TenantId>,
    /// From this time on, ms since the Unix epoch.
    pub from_ms: Option<u64>,
    /// Before the entry of that id.
    pub before: Option<CallUuid>,
    /// At most so many.
    pub limit: u32,
}

impl Tdb {
    /// Notes what is about to be asked of a live call: its switch does it, and reports what came of it.
    pub async fn note_asked_of_call(
        &self,
        author: Author,
        tenant_id: TenantId,
        call_uuid: CallUuid,
        request: &'static str,
        at_ms: u64,
    ) -> Result<(), TdbError> {
        let change = Change {
            tenant_id,
            action: "call.ask",
            subject: call_uuid.to_string(),
            was: None,
            became: Some(json!({ "request": request })),
            at_ms,
        };
        self.writer
            .write(move |connection| {
                Box::pin(async move { note(connection, &author, change).await })
            })
            .await
    }

    /// The log, the latest entry first.
    pub async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, TdbError> {
        let before = filter.before.map(|id| id.to_string());
        let query = match &filter.tenant_id {
            None => sqlx::query(LISTING),
            Some(_) => sqlx::query(LISTING_OF_TENANT),
        };
        let query = query
            .bind(before.unwrap_or_else(|| AFTER_ALL.to_owned()))
            .bind(sql_ms(filter.from_ms.unwrap_or(0)))
            .bind(i64::from(filter.limit));
        let query = match &filter.tenant_id {
            None => query,
            Some(tenant) => query.bind(tenant.as_str().to_owned()),
        };
        let rows = query.fetch_all(&self.readers).await?;
        rows.iter().map(AuditEntry::from_row).collect()
    }
}

/// Notes a change, in its transaction.
pub(super) async fn note(
    connection: &mut Connection,
    author: &Author,
    change: Change,
) -> Result<(), TdbError> {
    sqlx::query(
        "INSERT INTO audit (audit_id, at_ms, tenant_id, via, actor, request_id, action, subject, was,
             became)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(CallUuid::fresh().to_string())
    .bind(sql_ms(change.at_ms))
    .bind(change.tenant_id.as_str())
    .bind(author.via.as_str())
    .bind(author.actor.as_str())
    .bind(author.request_id.as_deref())
    .bind(change.action)
    .bind(change.subject)
    .bind(change.was.map(|value| value.to_string()))
    .bind(change.became.map(|value| value.to_string()))
    .execute(connection)
    .await?;
    Ok(())
}

impl AuditEntry {
    fn from_row(row: &Row) -> Result<Self, TdbError> {
        Ok(AuditEntry {
            audit_id: get(row, "audit_id")?,
            author: Author {
                via: parsed(row, "via", Via::parse)?,
                actor: get(row, "actor")?,
                request_id: get(row, "request_id")?,
            },
            tenant_id: parsed(row, "tenant_id", |t| TenantId::parse("tenant_id", t).ok())?,
            action: get(row, "action")?,
            subject: get(row, "subject")?,
            was: optional_json(row, "was")?,
            became: optional_json(row, "became")?,
            at_ms: number(row, "at_ms")?,
        })
    }
}
