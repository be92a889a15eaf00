//! `token create`, `token list`, `token revoke`

use super::{Common, Failure, TokenCommand, author};
use crate::access::{Scopes, TokenRole};
use crate::clock::Clock;
use crate::config::MAX_REQUESTS;
use crate::tdb::{TokenInfo, TokenSpec, check_token_name};
use crate::web::ShownToken;
use clap::Args;
use iradialer_core::value::{FieldError, TenantId};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::json;

/// What is asked of a token that is made.
#[derive(Args)]
pub(super) struct Asked {
    /// The tenant it is for.
    #[arg(long)]
    tenant: String,
    /// What it is for, to know it again in a list.
    #[arg(long, default_value = "")]
    name: String,
    /// admin, operator (both act for every tenant), tenant, or read-only.
    #[arg(long, default_value = "tenant")]
    role: String,
    /// Narrows it down, such as calls:write or flows:read; several separated by commas.
    #[arg(long = "scope", value_name = "AREA:RIGHT", value_delimiter = ',')]
    scopes: Vec<String>,
    /// When it ends: a time such as 2027-01-31T00:00:00Z, or from now on such as 90d or 12h. Never by default.
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
    /// Requests a second, 0 for any number; web.requests_per_s by default.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_REQUESTS)))]
    rate: Option<u32>,
    /// Requests at once; web.burst by default.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_REQUESTS)))]
    burst: Option<u32>,
}

impl Asked {
    fn check(self, now_ms: u64) -> Result<TokenSpec, Failure> {
        check_token_name("--name", &self.name)?;
        let scopes = self.scopes.iter().map(String::as_str);
        let expires = self.expires.as_deref();
        Ok(TokenSpec {
            tenant_id: TenantId::parse("--tenant", &self.tenant)?,
            role: TokenRole::parse("--role", &self.role)?,
            scopes: Scopes::parse("--scope", scopes)?,
            expires_ms: expires.map(|text| expiry(text, now_ms)).transpose()?,
            requests_per_s: self.rate,
            burst: self.burst,
            name: self.name,
        })
    }
}

fn expiry(text: &str, now_ms: u64) -> Result<u64, FieldError> {
    later("--expires", text, now_ms)
}

/// A time to come, ms since the Unix epoch: as it is, or how long from now on.
pub(super) fn later(field: &str, text: &str, now_ms: u64) -> Result<u64, FieldError> {
    let from_now = || {
        let now = Timestamp::from_millisecond(i64::try_from(now_ms).ok()?).ok()?;
        let span = text.parse::<Span>().ok()?;
        Some(
            now.to_zoned(TimeZone::UTC)
                .checked_add(span)
                .ok()?
                .timestamp(),
        )
    };
    let end = text.parse::<Timestamp>().ok().or_else(from_now);
    end.and_then(|end| u64::try_from(end.as_millisecond()).ok())
        .filter(|end_ms| *end_ms > now_ms)
        .ok_or_else(|| {
            let expected =
                "a time to come such as 2027-01-31T00:00:00Z, or from now on such as 90d or 12h";
            FieldError::new(field, expected, text)
        })
}

pub(super) fn run(command: TokenCommand) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            match command {
                TokenCommand::Create {
                    common,
                    asked,
                    json,
                } => create(common, asked, json).await,
                TokenCommand::List { common, json } => list(common, json).await,
                TokenCommand::Revoke { common, token_id } => revoke(common, &token_id).await,
            }
        })
}

/// Prints the token alone on stdout, so that a script can take it.
async fn create(common: Common, asked: Asked, as_json: bool) -> Result<(), Failure> {
    let now_ms = Clock::system().now_ms();
    let spec = asked.check(now_ms)?;
    let (tdb, _) = common.open().await?;
    let (token, info) = tdb
        .create_token(spec, author::of_command_line(), now_ms)
        .await?;
    tdb.close().await;
    match as_json {
        true => println!("{}", json!(ShownToken::of(&info, Some(token)))),
        false => println!("{token}"),
    }
    let ends = info
        .spec
        .expires_ms
        .map(|ms| format!(", until {}", time(Some(ms))));
    eprintln!(
        "token {} of tenant {}, {}{}; it is not shown again",
        info.token_id,
        info.spec.tenant_id,
        info.spec.role.as_str(),
        ends.unwrap_or_default()
    );
    Ok(())
}

async fn list(common: Common, as_json: bool) -> Result<(), Failure> {
    let (tdb, _) = common.open().await?;
    let tokens = tdb.tokens().await?;
    tdb.close().await;
    if as_json {
        for token in &tokens {
            println!("{}", json!(ShownToken::of(token, None)));
        }
        return Ok(());
    }
    println!(
        "{:<36}  {:<20}  {:<9}  {:<20}  {:<20}  {:<20}  {:<20}  {:<24}  NAME",
        "ID", "TENANT", "ROLE", "CREATED", "LAST USED", "EXPIRES", "REVOKED", "SCOPES"
    );
    for token in &tokens {
        println!("{}", line(token));
    }
    Ok(())
}

async fn revoke(common: Common, token_id: &str) -> Result<(), Failure> {
    let (tdb, _) = common.open().await?;
    let (author, now_ms) = (author::of_command_line(), Clock::system().now_ms());
    let revoked = tdb.revoke_token(token_id, author, now_ms).await?;
    tdb.close().await;
    match revoked {
        true => Ok(()),
        false => Err(format!("there is no token {token_id} that could be revoked").into()),
    }
}

fn line(token: &TokenInfo) -> String {
    let scopes = token.spec.scopes.to_string();
    format!(
        "{:<36}  {:<20}  {:<9}  {:<20}  {:<20}  {:<20}  {:<20}  {:<24}  {}",
        token.token_id,
        token.spec.tenant_id.as_str(),
        token.spec.role.as_str(),
        time(Some(token.created_ms)),
        time(token.last_used_ms),
        time(token.spec.expires_ms),
        time(token.revoked_ms),
        if scopes.is_empty() { "-" } else { &scopes },
        token.spec.name
    )
}

/// To the second, or a dash.
fn time(ms: Option<u64>) -> String {
    ms.and_then(|ms| Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok())
        .map_or_else(|| "-".to_owned(), |time| format!("{time:.0}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_790_000_000_000;

    #[test]
    fn an_expiry_is_a_time_or_so_long_from_now() {
        for (text, ms) in [
            ("2026-09-22T14:13:20Z", NOW + 86_400_000),
            ("1d", NOW + 86_400_000),
            ("90d", NOW + 90 * 86_400_000),
            ("12h", NOW + 12 * 3_600_000),
            ("PT1M", NOW + 60_000),
        ] {
            assert_eq!(expiry(text, NOW), Ok(ms), "{text}");
        }
        for text in [
            "",
            "soon",
            "2026-09-20T00:00:00Z",
            "0d",
            "-1d",
            "7",
            "2026-12-31",
            "99999999999d",
        ] {
            assert_eq!(expiry(text, NOW).unwrap_err().field, "--expires", "{text}");
        }
    }
}
