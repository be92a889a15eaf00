//! The list as its owner sees it: read page by page, added to and taken from in bulk.

use super::digits;
use crate::tdb::audit::{self, Author, Change};
use crate::tdb::call::uuid;
use crate::tdb::row::{get, number, optional_parsed, parsed, sql_ms};
use crate::tdb::{Connection, Row, Tdb, TdbError};
use iradialer_core::value::{CallUuid, CampaignName, DialNumber, TenantId};
use serde_json::json;
use std::sync::LazyLock;

/// How many numbers one statement writes; what is fewer is filled up with the last one.
const ROWS: usize = 100;
/// How many numbers of one change the audit log names.
const MAX_LOGGED: usize = 1_000;

/// An entry of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DncEntry {
    /// Its digits, without a `+`.
    pub number: String,
    /// The campaign that may not call it; none: no campaign of the tenant may.
    pub campaign_name: Option<CampaignName>,
    /// Why.
    pub reason: String,
    /// How it came there.
    pub source: DncSource,
    /// When, ms since the Unix epoch.
    pub added_ms: u64,
    /// The call it was in.
    pub call_uuid: Option<CallUuid>,
}

/// A number to put on the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDnc {
    /// With or without its `+`.
    pub number: DialNumber,
    /// The campaign that may not call it; none: no campaign of the tenant may.
    pub campaign_name: Option<CampaignName>,
    /// Why.
    pub reason: String,
    /// Who says so.
    pub source: DncSource,
    /// Since when, ms since the Unix epoch.
    pub added_ms: u64,
}

/// How a number came on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DncSource {
    /// The person called said so: the step `dnc`.
    Flow,
    /// `POST /api/dnc`.
    Api,
    /// `iradialer-gateway dnc import`.
    Import,
}

impl DncSource {
    /// As it is kept and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            DncSource::Flow => "flow",
            DncSource::Api => "api",
            DncSource::Import => "import",
        }
    }

    /// The source of that name.
    pub fn parse(text: &str) -> Option<Self> {
        let all = [DncSource::Flow, DncSource::Api, DncSource::Import];
        all.into_iter().find(|source| source.as_str() == text)
    }
}

/// Which entries are asked for.
#[derive(Debug, Clone, Default)]
pub struct DncFilter {
    /// Those of this number.
    pub number: Option<DialNumber>,
    /// Those of this campaign alone.
    pub campaign_name: Option<CampaignName>,
    /// Those after this number and campaign; an entry for all campaigns is the first of its number.
    pub after: (String, String),
    /// At most so many.
    pub limit: u32,
}

/// A page of a tenant's list, by number.
pub(in crate::tdb) const LISTING: &str = "
    SELECT number, campaign_name, reason, source, added_ms, call_uuid FROM do_not_call
    WHERE tenant_id = $1 AND (number, campaign_name) > ($2, $3)
    ORDER BY number, campaign_name LIMIT $4";
/// The same of one campaign's own.
pub(in crate::tdb) const BY_CAMPAIGN: &str = "
    SELECT number, campaign_name, reason, source, added_ms, call_uuid FROM do_not_call
    WHERE tenant_id = $1 AND campaign_name = $2 AND number > $3
    ORDER BY number LIMIT $4";
/// The same of one number.
pub(in crate::tdb) const BY_NUMBER: &str = "
    SELECT number, campaign_name, reason, source, added_ms, call_uuid FROM do_not_call
    WHERE tenant_id = $1 AND number = $2 AND (number, campaign_name) > ($3, $4)
      AND ($5 IS NULL OR campaign_name = $5)
    ORDER BY campaign_name LIMIT $6";

static INSERT_ONE: LazyLock<String> = LazyLock::new(|| insert_sql(1));
static INSERT_MANY: LazyLock<String> = LazyLock::new(|| insert_sql(ROWS));
static DELETE_ONE: LazyLock<String> = LazyLock::new(|| delete_sql(1));
static DELETE_MANY: LazyLock<String> = LazyLock::new(|| delete_sql(ROWS));

impl Tdb {
    /// A page of the tenant's list, by number.
    pub async fn dnc_entries(
        &self,
        tenant: &TenantId,
        filter: &DncFilter,
    ) -> Result<Vec<DncEntry>, TdbError> {
        let (number, campaign) = (filter.number.as_ref(), filter.campaign_name.as_ref());
        let (after_number, after_campaign) = &filter.after;
        let query = match (number, campaign) {
            (Some(number), campaign) => sqlx::query(BY_NUMBER)
                .bind(tenant.as_str())
                .bind(digits(number.as_str()))
                .bind(after_number)
                .bind(after_campaign)
                .bind(campaign.map(CampaignName::as_str)),
            (None, Some(campaign)) => sqlx::query(BY_CAMPAIGN)
                .bind(tenant.as_str())
                .bind(campaign.as_str())
                .bind(after_number),
            (None, None) => sqlx::query(LISTING)
                .bind(tenant.as_str())
                .bind(after_number)
                .bind(after_campaign),
        };
        let query = query.bind(i64::from(filter.limit));
        let rows = query.fetch_all(&self.readers).await?;
        rows.iter().map(DncEntry::from_row).collect()
    }

    /// Puts numbers on the tenant's list, all or none. What is on it already stays as it is. Returns how many
    /// are new.
    pub async fn add_dnc(
        &self,
        tenant: &TenantId,
        entries: Vec<NewDnc>,
        author: Author,
        now_ms: u64,
    ) -> Result<u64, TdbError> {
        let tenant = tenant.clone();
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let added = add(connection, &tenant, &entries).await?;
                    let named = entries
                        .iter()
                        .map(|entry| (&entry.number, entry.campaign_name.as_ref()));
                    let mut change = change(&tenant, "dnc.add", named, added, now_ms);
                    change.became = change.was.take();
                    note_some(connection, &author, added, change).await
                })
            })
            .await
    }

    /// Takes numbers off the list of a campaign, or off the one for all campaigns, all or none of them. Returns
    /// how many were on it.
    pub async fn remove_dnc(
        &self,
        tenant: &TenantId,
        campaign: Option<&CampaignName>,
        numbers: Vec<DialNumber>,
        author: Author,
        now_ms: u64,
    ) -> Result<u64, TdbError> {
        let (tenant, campaign) = (tenant.clone(), campaign.cloned());
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let campaign = campaign.as_ref();
                    let removed = remove(connection, &tenant, campaign, &numbers).await?;
                    let named = numbers.iter().map(|number| (number, campaign));
                    let change = change(&tenant, "dnc.remove", named, removed, now_ms);
                    note_some(connection, &author, removed, change).await
                })
            })
            .await
    }
}

/// That these numbers were asked for and `count` of them were on the list, for the audit log.
fn change<'n>(
    tenant: &TenantId,
    action: &'static str,
    numbers: impl Iterator<Item = (&'n DialNumber, Option<&'n CampaignName>)>,
    count: u64,
    at_ms: u64,
) -> Change {
    let mut asked = 0;
    let mut named = Vec::new();
    for (number, campaign) in numbers {
        asked += 1;
        if named.len() < MAX_LOGGED {
            let number = digits(number.as_str());
            named.push(json!({ "number": number, "campaign_name": campaign }));
        }
    }
    Change {
        tenant_id: tenant.clone(),
        action,
        subject: "dnc".to_owned(),
        was: Some(json!({ "asked": asked, "count": count, "numbers": named })),
        became: None,
        at_ms,
    }
}

/// Notes the change if it was one.
async fn note_some(
    connection: &mut Connection,
    author: &Author,
    count: u64,
    change: Change,
) -> Result<u64, TdbError> {
    if count > 0 {
        audit::note(connection, author, change).await?;
    }
    Ok(count)
}

async fn add(
    connection: &mut Connection,
    tenant: &TenantId,
    entries: &[NewDnc],
) -> Result<u64, TdbError> {
    let mut added = 0;
    for (sql, entries) in parts(entries, &INSERT_ONE, &INSERT_MANY) {
        let mut query = sqlx::query(sql).bind(tenant.as_str());
        for entry in entries {
            query = query
                .bind(digits(entry.number.as_str()))
                .bind(
                    entry
                        .campaign_name
                        .as_ref()
                        .map_or("", CampaignName::as_str),
                )
                .bind(&entry.reason)
                .bind(entry.source.as_str())
                .bind(sql_ms(entry.added_ms));
        }
        added += query.execute(&mut *connection).await?.rows_affected();
    }
    Ok(added)
}

async fn remove(
    connection: &mut Connection,
    tenant: &TenantId,
    campaign: Option<&CampaignName>,
    numbers: &[DialNumber],
) -> Result<u64, TdbError> {
    let mut removed = 0;
    for (sql, numbers) in parts(numbers, &DELETE_ONE, &DELETE_MANY) {
        let mut query = sqlx::query(sql)
            .bind(tenant.as_str())
            .bind(campaign.map_or("", CampaignName::as_str));
        for number in numbers {
            query = query.bind(digits(number.as_str()));
        }
        removed += query.execute(&mut *connection).await?.rows_affected();
    }
    Ok(removed)
}

/// Cuts a list for the two statements, so that no others need be prepared.
fn parts<'a, T>(
    all: &'a [T],
    one: &'static str,
    many: &'static str,
) -> impl Iterator<Item = (&'static str, Vec<&'a T>)> {
    all.chunks(ROWS).map(move |part| match part {
        [single] => (one, vec![single]),
        part => {
            let last = part.len() - 1;
            (many, (0..ROWS).map(|at| &part[at.min(last)]).collect())
        }
    })
}

fn insert_sql(rows: usize) -> String {
    let row = |row: usize| {
        let first = 2 + 5 * row;
        let [number, campaign, reason, source, added] = [0, 1, 2, 3, 4].map(|at| first + at);
        format!("($1, ${number}, ${campaign}, ${reason}, ${source}, ${added})")
    };
    let rows: Vec<String> = (0..rows).map(row).collect();
    format!(
        "INSERT INTO do_not_call (tenant_id, number, campaign_name, reason, source, added_ms)
         VALUES {} ON CONFLICT DO NOTHING",
        rows.join(", ")
    )
}

fn delete_sql(rows: usize) -> String {
    let numbers: Vec<String> = (0..rows).map(|row| format!("${}", 3 + row)).collect();
    format!(
        "DELETE FROM do_not_call WHERE tenant_id = $1 AND campaign_name = $2 AND number IN ({})",
        numbers.join(", ")
    )
}

impl DncEntry {
    fn from_row(row: &Row) -> Result<Self, TdbError> {
        let campaign: String = get(row, "campaign_name")?;
        Ok(DncEntry {
            number: get(row, "number")?,
            campaign_name: match campaign.is_empty() {
                true => None,
                false => Some(parsed(row, "campaign_name", |text| {
                    CampaignName::parse("campaign_name", text).ok()
                })?),
            },
            reason: get(row, "reason")?,
            source: parsed(row, "source", DncSource::parse)?,
            added_ms: number(row, "added_ms")?,
            call_uuid: optional_parsed(row, "call_uuid", uuid)?,
        })
    }
}
