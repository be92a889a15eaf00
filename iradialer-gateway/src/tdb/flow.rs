//! Stored flows: named versions, and documents by their hash.

use super::audit::{self, Author, Change};
use super::row::{get, number, parsed, sql_ms};
use super::{Connection, Row, Tdb, TdbError};
use iradialer_core::value::{FlowHash, FlowName, TenantId};
use serde_json::json;
use std::sync::Arc;

/// A document that a call names is marked as used this often, ms: once a day is enough.
const USE_NOTED_MS: u64 = 24 * 3_600_000;

/// A version of a tenant's named flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFlow {
    /// Its name.
    pub name: FlowName,
    /// From 1.
    pub version: u32,
    /// Its document.
    pub hash: FlowHash,
    /// When it was stored, ms since the Unix epoch.
    pub created_ms: u64,
}

/// A canonical document and its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowDocument {
    /// What it is known by.
    pub hash: FlowHash,
    /// The JSON.
    pub text: Arc<str>,
}

/// The newest version of each of a tenant's flows, by name.
pub(super) const LISTING: &str = "
    SELECT name, version, hash, created_ms FROM flows
    WHERE tenant_id = $1 AND deleted_ms IS NULL AND name > $2
      AND NOT EXISTS (SELECT 1 FROM flows AS newer
                      WHERE newer.tenant_id = flows.tenant_id AND newer.name = flows.name
                        AND newer.version > flows.version)
    ORDER BY name LIMIT $3";
/// Documents of no version and of no call that can be queued still.
const FORGET_DOCUMENTS: &str = "
    DELETE FROM flow_documents WHERE (tenant_id, hash) IN (
        SELECT tenant_id, hash FROM flow_documents AS old
        WHERE used_ms < $1
          AND NOT EXISTS (SELECT 1 FROM flows
                          WHERE flows.tenant_id = old.tenant_id AND flows.hash = old.hash
                            AND flows.deleted_ms IS NULL)
        ORDER BY used_ms LIMIT $2)";

impl Tdb {
    /// Stores a flow under its name: as a new version, unless the newest one has the same document. Returns the
    /// version, and whether it is new.
    pub async fn put_flow(
        &self,
        tenant: &TenantId,
        name: &FlowName,
        document: FlowDocument,
        author: Author,
        now_ms: u64,
    ) -> Result<(StoredFlow, bool), TdbError> {
        let (tenant, name) = (tenant.clone(), name.clone());
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let put = put(connection, &tenant, name, &document, now_ms).await?;
                    if put.is_new {
                        let change = put.stored.change(&tenant, "flow.put", put.was, now_ms);
                        audit::note(connection, &author, change).await?;
                    }
                    Ok((put.stored, put.is_new))
                })
            })
            .await
    }

    /// The newest version of each of the tenant's flows whose name comes after `after`, by name.
    pub async fn flows(
        &self,
        tenant: &TenantId,
        after: &str,
        limit: u32,
    ) -> Result<Vec<StoredFlow>, TdbError> {
        let rows = sqlx::query(LISTING)
            .bind(tenant.as_str())
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(StoredFlow::from_row).collect()
    }

    /// That version of the tenant's flow, or its newest.
    pub async fn flow(
        &self,
        tenant: &TenantId,
        name: &FlowName,
        version: Option<u32>,
    ) -> Result<Option<StoredFlow>, TdbError> {
        let row = sqlx::query(
            "SELECT name, version, hash, created_ms FROM flows
             WHERE tenant_id = $1 AND name = $2 AND deleted_ms IS NULL
               AND ($3 IS NULL OR version = $3)
             ORDER BY version DESC LIMIT 1",
        )
        .bind(tenant.as_str())
        .bind(name.as_str())
        .bind(version.map(i64::from))
        .fetch_optional(&self.readers)
        .await?;
        row.map(|row| StoredFlow::from_row(&row)).transpose()
    }

    /// The tenant's document of that hash.
    pub async fn flow_document(
        &self,
        tenant: &TenantId,
        hash: &FlowHash,
    ) -> Result<Option<FlowDocument>, TdbError> {
        let row =
            sqlx::query("SELECT document FROM flow_documents WHERE tenant_id = $1 AND hash = $2")
                .bind(tenant.as_str())
                .bind(hash.as_str())
                .fetch_optional(&self.readers)
                .await?;
        row.map(|row| {
            Ok(FlowDocument {
                hash: hash.clone(),
                text: get::<String>(&row, "document")?.into(),
            })
        })
        .transpose()
    }

    /// Keeps documents that are of no version, for whoever names them next.
    pub async fn keep_documents(
        &self,
        tenant: &TenantId,
        documents: Vec<FlowDocument>,
        now_ms: u64,
    ) -> Result<(), TdbError> {
        if documents.is_empty() {
            return Ok(());
        }
        let tenant = tenant.clone();
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    for document in &documents {
                        keep_document(connection, &tenant, document, now_ms).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Deletes every version of the tenant's flow; false: there is none. Calls that are queued keep theirs.
    pub async fn delete_flow(
        &self,
        tenant: &TenantId,
        name: &FlowName,
        author: Author,
        now_ms: u64,
    ) -> Result<bool, TdbError> {
        let (tenant, name) = (tenant.clone(), name.clone());
        self.writer
            .write(move |connection| {
                Box::pin(async move { delete(connection, &tenant, &name, &author, now_ms).await })
            })
            .await
    }

    /// Forgets documents that are of no version and that no call has named since `before_ms` (ms since the Unix
    /// epoch), the oldest first and at most `limit`. Returns how many it forgot.
    pub async fn forget_documents(&self, before_ms: u64, limit: u32) -> Result<u64, TdbError> {
        self.forget(FORGET_DOCUMENTS, before_ms, limit).await
    }
}

/// Keeps a document, in the transaction of what names it.
pub(super) async fn keep_document(
    connection: &mut Connection,
    tenant: &TenantId,
    document: &FlowDocument,
    now_ms: u64,
) -> Result<(), TdbError> {
    let used = sqlx::query("SELECT used_ms FROM flow_documents WHERE tenant_id = $1 AND hash = $2")
        .bind(tenant.as_str())
        .bind(document.hash.as_str())
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(row) = used
        && number::<u64>(&row, "used_ms")?.saturating_add(USE_NOTED_MS) > now_ms
    {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO flow_documents (tenant_id, hash, document, used_ms) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id, hash) DO UPDATE SET used_ms = $4",
    )
    .bind(tenant.as_str())
    .bind(document.hash.as_str())
    .bind(&*document.text)
    .bind(sql_ms(now_ms))
    .execute(connection)
    .await?;
    Ok(())
}

/// What became of a flow that was to be stored.
struct Put {
    stored: StoredFlow,
    is_new: bool,
    /// What its name meant before.
    was: Option<StoredFlow>,
}

async fn put(
    connection: &mut Connection,
    tenant: &TenantId,
    name: FlowName,
    document: &FlowDocument,
    now_ms: u64,
) -> Result<Put, TdbError> {
    let newest = sqlx::query(
        "SELECT name, version, hash, created_ms, deleted_ms FROM flows
         WHERE tenant_id = $1 AND name = $2 ORDER BY version DESC LIMIT 1",
    )
    .bind(tenant.as_str())
    .bind(name.as_str())
    .fetch_optional(&mut *connection)
    .await?;
    let (mut version, mut was) = (1, None);
    if let Some(row) = newest {
        let newest = StoredFlow::from_row(&row)?;
        let is_there = get::<Option<i64>>(&row, "deleted_ms")?.is_none();
        if newest.hash == document.hash && is_there {
            return Ok(Put {
                stored: newest,
                is_new: false,
                was: None,
            });
        }
        version = newest.version + 1;
        was = is_there.then_some(newest);
    }
    keep_document(connection, tenant, document, now_ms).await?;
    sqlx::query(
        "INSERT INTO flows (tenant_id, name, version, hash, created_ms) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(tenant.as_str())
    .bind(name.as_str())
    .bind(i64::from(version))
    .bind(document.hash.as_str())
    .bind(sql_ms(now_ms))
    .execute(connection)
    .await?;
    let stored = StoredFlow {
        name,
        version,
        hash: document.hash.clone(),
        created_ms: now_ms,
    };
    Ok(Put {
        stored,
        is_new: true,
        was,
    })
}

async fn delete(
    connection: &mut Connection,
    tenant: &TenantId,
    name: &FlowName,
    author: &Author,
    now_ms: u64,
) -> Result<bool, TdbError> {
    let newest = sqlx::query(
        "SELECT name, version, hash, created_ms FROM flows
         WHERE tenant_id = $1 AND name = $2 AND deleted_ms IS NULL ORDER BY version DESC LIMIT 1",
    )
    .bind(tenant.as_str())
    .bind(name.as_str())
    .fetch_optional(&mut *connection)
    .await?;
    let Some(newest) = newest else {
        return Ok(false);
    };
    let newest = StoredFlow::from_row(&newest)?;
    // A call that was accepted a moment ago may be queued for months.
    sqlx::query(
        "UPDATE flow_documents SET used_ms = $3 WHERE tenant_id = $1 AND hash IN (
             SELECT hash FROM flows WHERE tenant_id = $1 AND name = $2 AND deleted_ms IS NULL)",
    )
    .bind(tenant.as_str())
    .bind(name.as_str())
    .bind(sql_ms(now_ms))
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "UPDATE flows SET deleted_ms = $3
         WHERE tenant_id = $1 AND name = $2 AND deleted_ms IS NULL",
    )
    .bind(tenant.as_str())
    .bind(name.as_str())
    .bind(sql_ms(now_ms))
    .execute(&mut *connection)
    .await?;
    let mut change = newest.change(tenant, "flow.delete", None, now_ms);
    change.was = change.became.take();
    audit::note(connection, author, change).await?;
    Ok(true)
}

impl StoredFlow {
    /// That its name means it now, for the audit log.
    fn change(
        &self,
        tenant: &TenantId,
        action: &'static str,
        was: Option<StoredFlow>,
        at_ms: u64,
    ) -> Change {
        let facts = |flow: &StoredFlow| json!({"version": flow.version, "hash": flow.hash});
        Change {
            tenant_id: tenant.clone(),
            action,
            subject: self.name.to_string(),
            was: was.as_ref().map(facts),
            became: Some(facts(self)),
            at_ms,
        }
    }

    fn from_row(row: &Row) -> Result<Self, TdbError> {
        Ok(StoredFlow {
            name: parsed(row, "name", |t| FlowName::parse("name", t).ok())?,
            version: number(row, "version")?,
            hash: parsed(row, "hash", |t| FlowHash::parse("hash", t).ok())?,
            created_ms: number(row, "created_ms")?,
        })
    }
}
