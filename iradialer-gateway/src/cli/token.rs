//! `token create`, `token list`, `token revoke`

use super::{Common, Failure, TokenCommand};
use crate::clock::Clock;
use crate::roles;
use crate::tdb::{Tdb, TokenInfo};
use iradialer_core::value::TenantId;
use jiff::Timestamp;

/// The longest name of a token, in characters.
const MAX_NAME_LEN: usize = 80;

pub(super) fn run(command: TokenCommand) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            match command {
                TokenCommand::Create {
                    common,
                    tenant,
                    name,
                } => create(common, &tenant, &name).await,
                TokenCommand::List { common } => list(common).await,
                TokenCommand::Revoke { common, token_id } => revoke(common, &token_id).await,
            }
        })
}

/// Prints the token alone on stdout, so that a script can take it.
async fn create(common: Common, tenant: &str, name: &str) -> Result<(), Failure> {
    let tenant = TenantId::parse("--tenant", tenant)?;
    if name.chars().count() > MAX_NAME_LEN || name.chars().any(char::is_control) {
        return Err(format!(
            "--name: expected up to {MAX_NAME_LEN} characters, none of them a control character"
        )
        .into());
    }
    let tdb = open(common).await?;
    let (token, info) = tdb
        .create_token(&tenant, name, Clock::system().now_ms())
        .await?;
    tdb.close().await;
    println!("{token}");
    eprintln!(
        "token {} of tenant {tenant}; it is not shown again",
        info.token_id
    );
    Ok(())
}

async fn list(common: Common) -> Result<(), Failure> {
    let tdb = open(common).await?;
    println!(
        "{:<36}  {:<20}  {:<24}  {:<24}  {:<24}  NAME",
        "ID", "TENANT", "CREATED", "LAST USED", "REVOKED"
    );
    for token in tdb.tokens().await? {
        println!("{}", line(&token));
    }
    tdb.close().await;
    Ok(())
}

async fn revoke(common: Common, token_id: &str) -> Result<(), Failure> {
    let tdb = open(common).await?;
    let revoked = tdb.revoke_token(token_id, Clock::system().now_ms()).await?;
    tdb.close().await;
    match revoked {
        true => Ok(()),
        false => Err(format!("there is no token {token_id} that could be revoked").into()),
    }
}

async fn open(common: Common) -> Result<Tdb, Failure> {
    let config = common.load()?;
    roles::make_data_dir(&config.data_dir)?;
    Ok(Tdb::open(&config.database).await?)
}

fn line(token: &TokenInfo) -> String {
    let time = |ms: Option<u64>| {
        ms.and_then(|ms| Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok())
            .map_or_else(|| "-".to_owned(), |time| format!("{time:.0}"))
    };
    format!(
        "{:<36}  {:<20}  {:<24}  {:<24}  {:<24}  {}",
        token.token_id,
        token.tenant_id.as_str(),
        time(Some(token.created_ms)),
        time(token.last_used_ms),
        time(token.revoked_ms),
        token.name
    )
}
