//! The catalogue's table: read as a whole, changed against a version.

use super::audit::{self, Author, Change};
use super::row::{get, number};
use super::{Connection, Tdb, TdbError};
use crate::catalogue::{Entries, Kind};
use iradialer_core::value::{CampaignName, TenantId, TrunkName};

/// A change of the catalogue.
#[derive(Debug, Clone)]
pub struct CatalogueChange {
    /// The version it was thought out against.
    pub version: u64,
    /// What is changed: a kind, a tenant or nothing, a name, and the new body, or none for no entry.
    pub entry: (Kind, String, String, Option<String>),
    /// It is made only where this campaign has no call that is queued or open.
    pub without_calls_of: Option<(TenantId, CampaignName)>,
    /// For the audit log; none where nobody has asked for it.
    pub noted: Option<Change>,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It is made.
    Yes,
    /// Another one was made since that version.
    Stale,
    /// The campaign has calls.
    HasCalls {
        /// So many are queued.
        queued: u64,
        /// So many are with switches.
        open: u64,
    },
}

/// How many calls of a campaign are queued, and how many are open.
pub(super) const CALLS_OF: &str = "
    SELECT
        (SELECT COUNT(*) FROM calls
         WHERE state = 'queued' AND tenant_id = $1 AND campaign_name = $2 AND attempt = 1)
      + (SELECT COUNT(*) FROM calls
         WHERE state = 'queued' AND tenant_id = $1 AND campaign_name = $2 AND attempt > 1) AS queued,
        (SELECT COUNT(*) FROM calls
         WHERE state IN ('assigned', 'dialing', 'ringing', 'answered')
           AND tenant_id = $1 AND campaign_name = $2) AS open";

impl Tdb {
    /// The version of the catalogue, from 1.
    pub async fn catalogue_version(&self) -> Result<u64, TdbError> {
        let row = sqlx::query("SELECT version FROM catalogue_version WHERE only_one = 1")
            .fetch_one(&self.readers)
            .await?;
        number(&row, "version")
    }

    /// All that is in it.
    pub async fn catalogue_entries(&self) -> Result<Entries, TdbError> {
        let rows = sqlx::query("SELECT * FROM catalogue ORDER BY kind, tenant_id, name")
            .fetch_all(&self.readers)
            .await?;
        let mut entries = Entries::default();
        for row in &rows {
            let text = |column| get::<String>(row, column);
            entries.add(
                &text("kind")?,
                &text("tenant_id")?,
                &text("name")?,
                &text("body")?,
            );
        }
        Ok(entries)
    }

    /// Forgets what a trunk has shown of itself.
    pub async fn clear_trunk(
        &self,
        trunk: &TrunkName,
        noted: Change,
        author: Author,
    ) -> Result<(), TdbError> {
        let trunk = trunk.clone();
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    sqlx::query("DELETE FROM trunk_states WHERE trunk = $1")
                        .bind(trunk.as_str())
                        .execute(&mut *connection)
                        .await?;
                    audit::note(connection, &author, noted).await
                })
            })
            .await
    }

    /// Makes a change, unless another was made since its version.
    pub async fn change_catalogue(
        &self,
        change: CatalogueChange,
        author: Author,
    ) -> Result<Changed, TdbError> {
        self.writer
            .write(move |connection| Box::pin(make(connection, change, author)))
            .await
    }
}

async fn make(
    connection: &mut Connection,
    change: CatalogueChange,
    author: Author,
) -> Result<Changed, TdbError> {
    let raised = sqlx::query(
        "UPDATE catalogue_version SET version = version + 1 WHERE only_one = 1 AND version = $1",
    )
    .bind(i64::try_from(change.version).unwrap_or(i64::MAX))
    .execute(&mut *connection)
    .await?;
    if raised.rows_affected() == 0 {
        return Ok(Changed::Stale);
    }
    if let Some((tenant, campaign)) = &change.without_calls_of {
        let row = sqlx::query(CALLS_OF)
            .bind(tenant.as_str().to_owned())
            .bind(campaign.as_str().to_owned())
            .fetch_one(&mut *connection)
            .await?;
        let (queued, open) = (number(&row, "queued")?, number(&row, "open")?);
        if (queued, open) != (0, 0) {
            // Nothing has changed, and so the version must not have.
            sqlx::query("UPDATE catalogue_version SET version = version - 1 WHERE only_one = 1")
                .execute(connection)
                .await?;
            return Ok(Changed::HasCalls { queued, open });
        }
    }
    let (kind, tenant, name, body) = change.entry;
    match body {
        Some(body) => {
            sqlx::query(
                "INSERT INTO catalogue (kind, tenant_id, name, body) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (kind, tenant_id, name) DO UPDATE SET body = $4",
            )
            .bind(kind.as_str())
            .bind(tenant)
            .bind(name)
            .bind(body)
            .execute(&mut *connection)
            .await?;
        }
        None => {
            sqlx::query("DELETE FROM catalogue WHERE kind = $1 AND tenant_id = $2 AND name = $3")
                .bind(kind.as_str())
                .bind(tenant)
                .bind(name)
                .execute(&mut *connection)
                .await?;
        }
    }
    if let Some(noted) = change.noted {
        audit::note(connection, &author, noted).await?;
    }
    Ok(Changed::Yes)
}
