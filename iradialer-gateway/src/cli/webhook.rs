//! `webhook list`, `webhook show`, `webhook replay`

use super::terminal::plain;
use super::{Common, Failure, author};
use crate::clock::Clock;
use crate::tdb::{DeadLetter, DeadLetterFilter, Noted, Redeliver, Replay};
use clap::{Args, Subcommand};
use iradialer_core::value::{CallUuid, CampaignName, FieldError, TenantId};
use jiff::Timestamp;
use serde_json::{Value, json};

/// How many deliveries of a call are shown.
const SHOWN: u32 = 1_000;

#[derive(Subcommand)]
pub(super) enum WebhookCommand {
    /// Lists webhooks that were given up, the last first.
    List {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        which: Which,
        /// How many at the most, 1 to 1000.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
        /// As JSON, an object in each line.
        #[arg(long)]
        json: bool,
    },
    /// Shows what became of a call's webhooks, try by try.
    Show {
        #[command(flatten)]
        common: Common,
        /// The tenant whose call it is.
        #[arg(long)]
        tenant: String,
        /// The call.
        call_uuid: String,
        /// As JSON, an object in each line.
        #[arg(long)]
        json: bool,
    },
    /// Sends webhooks again: those that were given up and fit, or those of a call. A gateway that runs sees to it
    /// within 5 s.
    Replay {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        which: Which,
        /// Only those given up before this time.
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        /// Those of this call instead, given up or waiting for another try.
        #[arg(long, value_name = "CALL_UUID", conflicts_with_all = ["campaign", "from", "until"])]
        call: Option<String>,
        /// With --call: also those that were delivered.
        #[arg(long, requires = "call")]
        all: bool,
    },
}

#[derive(Args)]
pub(super) struct Which {
    /// The tenant whose webhooks they are.
    #[arg(long)]
    tenant: String,
    /// Only of this campaign.
    #[arg(long)]
    campaign: Option<String>,
    /// Only those given up at or after this time, such as 2026-11-21T10:00:00Z.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
}

pub(super) fn run(command: WebhookCommand) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            match command {
                WebhookCommand::List {
                    common,
                    which,
                    limit,
                    json,
                } => list(common, which, limit, json).await,
                WebhookCommand::Show {
                    common,
                    tenant,
                    call_uuid,
                    json,
                } => show(common, &tenant, &call_uuid, json).await,
                WebhookCommand::Replay {
                    common,
                    which,
                    until,
                    call: Some(call),
                    all,
                } if until.is_none() => redeliver(common, &which.tenant, &call, all).await,
                WebhookCommand::Replay {
                    common,
                    which,
                    until,
                    ..
                } => replay(common, which, until.as_deref()).await,
            }
        })
}

async fn list(common: Common, which: Which, limit: u32, json: bool) -> Result<(), Failure> {
    let tenant = tenant(&which.tenant)?;
    let filter = DeadLetterFilter {
        campaign_name: campaign(which.campaign.as_deref())?,
        from_ms: time("--from", which.from.as_deref())?,
        after: None,
        limit,
    };
    let (tdb, _) = common.open().await?;
    let letters = tdb.dead_letters(&tenant, &filter).await?;
    tdb.close().await;
    if !json {
        println!(
            "{:<24}  {:<40}  {:<15}  {:>5}  {:>6}  {:<40}  ERROR",
            "GIVEN UP", "WEBHOOK ID", "EVENT", "TRIES", "STATUS", "URL"
        );
    }
    for letter in &letters {
        match json {
            true => println!("{}", letter_json(letter)),
            false => println!("{}", letter_line(letter)),
        }
    }
    Ok(())
}

async fn show(common: Common, whose: &str, call: &str, json: bool) -> Result<(), Failure> {
    let (tenant, call) = (tenant(whose)?, CallUuid::parse("CALL_UUID", call)?);
    let (tdb, _) = common.open().await?;
    let known = tdb.call(&tenant, call).await?.is_some();
    let deliveries = match known {
        true => tdb.deliveries(call, 0, SHOWN).await?,
        false => Vec::new(),
    };
    tdb.close().await;
    if !known {
        return Err(format!("{tenant} has no call {call}").into());
    }
    for noted in &deliveries {
        match json {
            true => println!("{}", delivery_json(noted)),
            false => print_delivery(noted),
        }
    }
    Ok(())
}

async fn replay(common: Common, which: Which, until: Option<&str>) -> Result<(), Failure> {
    let tenant = tenant(&which.tenant)?;
    let chosen = Replay {
        campaign_name: campaign(which.campaign.as_deref())?,
        from_ms: time("--from", which.from.as_deref())?,
        until_ms: time("--until", until)?,
        limit: 1_000,
    };
    let (tdb, _) = common.open().await?;
    let now_ms = Clock::system().now_ms();
    let mut deliveries = 0;
    loop {
        let replayed = tdb
            .replay(&tenant, chosen.clone(), author::of_command_line(), now_ms)
            .await?;
        deliveries += replayed.deliveries;
        if !replayed.more {
            break;
        }
    }
    tdb.close().await;
    println!("{deliveries} will be sent again");
    Ok(())
}

async fn redeliver(common: Common, whose: &str, call: &str, all: bool) -> Result<(), Failure> {
    let (tenant, call) = (tenant(whose)?, CallUuid::parse("--call", call)?);
    let which = match all {
        true => Redeliver::All,
        false => Redeliver::Missing,
    };
    let (tdb, _) = common.open().await?;
    let known = tdb.call(&tenant, call).await?.is_some();
    let now_ms = Clock::system().now_ms();
    let events = tdb
        .redeliver(&tenant, call, which, author::of_command_line(), now_ms)
        .await?;
    tdb.close().await;
    if !known {
        return Err(format!("{tenant} has no call {call}").into());
    }
    println!("{} will be sent again", events.len());
    Ok(())
}

fn tenant(text: &str) -> Result<TenantId, FieldError> {
    TenantId::parse("--tenant", text)
}

fn campaign(text: Option<&str>) -> Result<Option<String>, FieldError> {
    let name = text.map(|text| CampaignName::parse("--campaign", text));
    Ok(name.transpose()?.map(String::from))
}

fn time(field: &str, text: Option<&str>) -> Result<Option<u64>, FieldError> {
    let parsed = text.map(|text| {
        let time = text.parse::<Timestamp>().ok();
        let ms = time.and_then(|time| u64::try_from(time.as_millisecond()).ok());
        ms.ok_or_else(|| FieldError::new(field, "a time such as 2026-11-21T10:00:00Z", text))
    });
    parsed.transpose()
}

fn shown(ms: u64) -> String {
    let time = i64::try_from(ms).ok();
    let time = time.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    time.map_or_else(|| ms.to_string(), |time| format!("{time:.3}"))
}

fn status(status: Option<u16>) -> String {
    status.map_or_else(|| "-".to_owned(), |status| status.to_string())
}

fn letter_line(letter: &DeadLetter) -> String {
    let id = format!("{}_{}", letter.call_uuid, letter.seq);
    format!(
        "{:<24}  {id:<40}  {:<15}  {:>5}  {:>6}  {:<40}  {}",
        shown(letter.dead_ms),
        letter.name,
        letter.tries,
        status(letter.status),
        letter.url,
        plain(&letter.error)
    )
}

fn letter_json(letter: &DeadLetter) -> Value {
    json!({
        "webhook_id": format!("{}_{}", letter.call_uuid, letter.seq),
        "campaign_name": letter.campaign_name,
        "event": letter.name,
        "url": letter.url,
        "tries": letter.tries,
        "status": letter.status,
        "error": letter.error,
        "created_at": shown(letter.created_ms),
        "dead_at": shown(letter.dead_ms),
        "replayed_at": letter.replayed_ms.map(shown),
    })
}

fn print_delivery(noted: &Noted) {
    let state = json!(noted.state);
    let next = noted
        .next_ms
        .map_or_else(String::new, |ms| format!(", next try {}", shown(ms)));
    println!(
        "{:>4}  {:<15}  {}{next}  {}",
        noted.seq,
        noted.name,
        state.as_str().unwrap_or_default(),
        noted.url
    );
    for each in &noted.tries {
        let said = each.error.as_ref().or(each.answer.as_ref());
        println!(
            "      {:>3}.  {}  {:>6} ms  {:>4}  {}",
            each.number,
            shown(each.begun_ms),
            each.took_ms,
            status(each.status),
            said.map_or_else(String::new, |said| plain(said))
        );
    }
}

fn delivery_json(noted: &Noted) -> Value {
    let tries = noted.tries.iter().map(|each| {
        json!({
            "number": each.number,
            "at": shown(each.begun_ms),
            "ms": each.took_ms,
            "delivered": each.taken,
            "status": each.status,
            "error": each.error,
            "answer": each.answer,
        })
    });
    json!({
        "seq": noted.seq,
        "event": noted.name,
        "url": noted.url,
        "state": noted.state,
        "next_try_at": noted.next_ms.map(shown),
        "tries": tries.collect::<Vec<_>>(),
    })
}
