//! Bearer tokens: 256 random bits, shown once, kept as their hash.

use super::audit::{self, Author, Change};
use super::row::{get, number, optional_number, parsed, sql_ms};
use super::{Connection, Row, Tdb, TdbError};
use crate::access::{Scopes, TokenRole};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use iradialer_core::value::{CallUuid, FieldError, TenantId};
use rand::TryRngCore;
use rand::rngs::OsRng;
use serde_json::json;
use sha2::{Digest, Sha256};

/// What every token begins with, so that a leaked one is recognised for what it is.
const PREFIX: &str = "ira_";

/// The longest name of a token, in characters.
const MAX_NAME_LEN: usize = 80;

/// What a token is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSpec {
    /// Whose calls it is for.
    pub tenant_id: TenantId,
    /// What it is for, in its maker's words.
    pub name: String,
    /// What its holder is.
    pub role: TokenRole,
    /// What of that it is narrowed down to.
    pub scopes: Scopes,
    /// From when on it is refused, ms since the Unix epoch.
    pub expires_ms: Option<u64>,
    /// Requests a second, 0 for any number; without it `web.requests_per_s`.
    pub requests_per_s: Option<u32>,
    /// Requests at once, from 1; without it `web.burst`.
    pub burst: Option<u32>,
}

/// Refuses a name that can't be shown in a list.
pub fn check_token_name(field: &str, name: &str) -> Result<(), FieldError> {
    let fits = name.chars().count() <= MAX_NAME_LEN && !name.chars().any(char::is_control);
    match fits {
        true => Ok(()),
        false => {
            let expected =
                format!("up to {MAX_NAME_LEN} characters, none of them a control character");
            Err(FieldError::new(field, expected, name))
        }
    }
}

impl TokenSpec {
    /// One of the role `tenant`, for ever.
    pub fn of_tenant(tenant_id: TenantId, name: &str) -> Self {
        TokenSpec {
            tenant_id,
            name: name.to_owned(),
            role: TokenRole::Tenant,
            scopes: Scopes::default(),
            expires_ms: None,
            requests_per_s: None,
            burst: None,
        }
    }
}

/// What is known of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInfo {
    /// Names it in lists and for revoking; no secret.
    pub token_id: String,
    /// What it was made to be.
    pub spec: TokenSpec,
    /// When it was made, ms since the Unix epoch.
    pub created_ms: u64,
    /// When it was last used, to the minute.
    pub last_used_ms: Option<u64>,
    /// When it was revoked, if it was.
    pub revoked_ms: Option<u64>,
}

impl TokenInfo {
    /// Whether it has expired by then.
    pub fn has_expired(&self, now_ms: u64) -> bool {
        self.spec.expires_ms.is_some_and(|at_ms| at_ms <= now_ms)
    }
}

/// The hash a token is kept as: SHA-256 in hexadecimal. The token itself has 256 random bits, so a
/// slow hash would add nothing.
pub fn hash_token(token: &str) -> String {
    Sha256::digest(token.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A tenant's tokens, oldest first.
pub(super) const OF_TENANT: &str =
    "SELECT * FROM tokens WHERE tenant_id = $1 ORDER BY created_ms, token_id";

impl Tdb {
    /// Makes a token and returns it, the only time it is seen.
    pub async fn create_token(
        &self,
        spec: TokenSpec,
        author: Author,
        now_ms: u64,
    ) -> Result<(String, TokenInfo), TdbError> {
        let mut random = [0u8; 32];
        OsRng
            .try_fill_bytes(&mut random)
            .map_err(|error| sqlx::Error::Io(std::io::Error::other(error)))?;
        let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
        let info = TokenInfo {
            token_id: CallUuid::fresh().to_string(),
            spec,
            created_ms: now_ms,
            last_used_ms: None,
            revoked_ms: None,
        };
        let (hash, row) = (hash_token(&token), info.clone());
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let made = row.change("token.create", now_ms);
                    sqlx::query(
                        "INSERT INTO tokens (token_hash, token_id, tenant_id, name, created_ms, role,
                             scopes, expires_ms, requests_per_s, burst)
                         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                    )
                    .bind(hash)
                    .bind(row.token_id)
                    .bind(row.spec.tenant_id.as_str())
                    .bind(row.spec.name)
                    .bind(sql_ms(row.created_ms))
                    .bind(row.spec.role.as_str())
                    .bind(row.spec.scopes.to_string())
                    .bind(row.spec.expires_ms.map(sql_ms))
                    .bind(row.spec.requests_per_s.map(i64::from))
                    .bind(row.spec.burst.map(i64::from))
                    .execute(&mut *connection)
                    .await?;
                    audit::note(connection, &author, made).await
                })
            })
            .await?;
        Ok((token, info))
    }

    /// The token of that hash, revoked or not.
    pub async fn token(&self, hash: &str) -> Result<Option<TokenInfo>, TdbError> {
        let row = sqlx::query("SELECT * FROM tokens WHERE token_hash = $1")
            .bind(hash)
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| TokenInfo::from_row(&row)).transpose()
    }

    /// Every token, oldest first.
    pub async fn tokens(&self) -> Result<Vec<TokenInfo>, TdbError> {
        let rows = sqlx::query("SELECT * FROM tokens ORDER BY created_ms, token_id")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(TokenInfo::from_row).collect()
    }

    /// The tenant's tokens, oldest first.
    pub async fn tokens_of(&self, tenant: &TenantId) -> Result<Vec<TokenInfo>, TdbError> {
        let rows = sqlx::query(OF_TENANT)
            .bind(tenant.as_str())
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(TokenInfo::from_row).collect()
    }

    /// The tenant's token of that id, revoked or not.
    pub async fn token_of(
        &self,
        tenant: &TenantId,
        token_id: &str,
    ) -> Result<Option<TokenInfo>, TdbError> {
        let row = sqlx::query("SELECT * FROM tokens WHERE tenant_id = $1 AND token_id = $2")
            .bind(tenant.as_str())
            .bind(token_id)
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| TokenInfo::from_row(&row)).transpose()
    }

    /// Notes that a token was used, unless a later use was noted.
    pub async fn touch_token(&self, token_id: &str, now_ms: u64) -> Result<(), TdbError> {
        let token_id = token_id.to_owned();
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    sqlx::query(
                        "UPDATE tokens SET last_used_ms = $2
                         WHERE token_id = $1 AND (last_used_ms IS NULL OR last_used_ms < $2)",
                    )
                    .bind(token_id)
                    .bind(sql_ms(now_ms))
                    .execute(connection)
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Revokes a token; false where there is none of that id, or it was revoked before.
    pub async fn revoke_token(
        &self,
        token_id: &str,
        author: Author,
        now_ms: u64,
    ) -> Result<bool, TdbError> {
        let token_id = token_id.to_owned();
        self.writer
            .write(move |connection| {
                Box::pin(async move { revoke(connection, &token_id, &author, now_ms).await })
            })
            .await
    }
}

async fn revoke(
    connection: &mut Connection,
    token_id: &str,
    author: &Author,
    now_ms: u64,
) -> Result<bool, TdbError> {
    let valid = sqlx::query("SELECT * FROM tokens WHERE token_id = $1 AND revoked_ms IS NULL")
        .bind(token_id)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = valid else { return Ok(false) };
    let token = TokenInfo::from_row(&row)?;
    sqlx::query("UPDATE tokens SET revoked_ms = $2 WHERE token_id = $1")
        .bind(token_id)
        .bind(sql_ms(now_ms))
        .execute(&mut *connection)
        .await?;
    let mut change = token.change("token.revoke", now_ms);
    change.was = change.became.take();
    audit::note(connection, author, change).await?;
    Ok(true)
}

impl TokenInfo {
    /// That it was made, for the audit log: nothing of it is secret.
    fn change(&self, action: &'static str, at_ms: u64) -> Change {
        Change {
            tenant_id: self.spec.tenant_id.clone(),
            action,
            subject: self.token_id.clone(),
            was: None,
            became: Some(json!({
                "name": self.spec.name,
                "role": self.spec.role.as_str(),
                "scopes": self.spec.scopes.to_string(),
                "expires_ms": self.spec.expires_ms,
                "requests_per_s": self.spec.requests_per_s,
                "burst": self.spec.burst,
            })),
            at_ms,
        }
    }
}

impl TokenInfo {
    fn from_row(row: &Row) -> Result<Self, TdbError> {
        Ok(TokenInfo {
            token_id: get(row, "token_id")?,
            spec: TokenSpec {
                tenant_id: parsed(row, "tenant_id", |t| TenantId::parse("tenant_id", t).ok())?,
                name: get(row, "name")?,
                role: parsed(row, "role", |t| TokenRole::parse("role", t).ok())?,
                scopes: parsed(row, "scopes", |t| {
                    Scopes::parse("scopes", t.split_whitespace()).ok()
                })?,
                expires_ms: optional_number(row, "expires_ms")?,
                requests_per_s: optional_number(row, "requests_per_s")?,
                burst: optional_number(row, "burst")?,
            },
            created_ms: number(row, "created_ms")?,
            last_used_ms: optional_number(row, "last_used_ms")?,
            revoked_ms: optional_number(row, "revoked_ms")?,
        })
    }
}
