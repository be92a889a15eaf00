//! `calls list | show | events | explain | drop`

use super::api::{Api, Reach};
use super::terminal::plain;
use super::{Failure, events};
use clap::Subcommand;
use iradialer_core::value::CallUuid;
use serde_json::{Value, json};

#[derive(Subcommand)]
pub(super) enum CallsCommand {
    /// Lists calls, the newest first.
    List {
        #[command(flatten)]
        reach: Reach,
        /// Only those in this state, such as queued, answered, completed.
        #[arg(long)]
        state: Option<String>,
        /// Only those of this campaign.
        #[arg(long)]
        campaign: Option<String>,
        /// Only those asked for at or after this time, such as 2026-11-21T10:00:00Z.
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// How many at the most.
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// As JSON, an object in each line.
        #[arg(long)]
        json: bool,
    },
    /// Shows a call, as JSON.
    Show {
        #[command(flatten)]
        reach: Reach,
        /// The call.
        call_uuid: String,
    },
    /// Lists the events of a call.
    Events {
        #[command(flatten)]
        reach: Reach,
        /// The call.
        call_uuid: String,
        /// As JSON, an object in each line.
        #[arg(long)]
        json: bool,
    },
    /// Says why a call went as it went, or what it waits for: every decision on its path, as JSON.
    Explain {
        #[command(flatten)]
        reach: Reach,
        /// The call.
        call_uuid: String,
    },
    /// Ends a call: one that is queued is never dialled, one that is up is hung up on.
    Drop {
        #[command(flatten)]
        reach: Reach,
        /// The call.
        call_uuid: String,
    },
}

/// The longest page that the API gives.
const PAGE: usize = 1_000;

pub(super) fn run(command: CallsCommand) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            match command {
                CallsCommand::List {
                    reach,
                    state,
                    campaign,
                    from,
                    limit,
                    json,
                } => {
                    let filters = [("state", state), ("campaign", campaign), ("from", from)];
                    list(&reach.api()?, filters, limit, json).await
                }
                CallsCommand::Show { reach, call_uuid } => {
                    show(&reach.api()?, &path(&call_uuid, "")?).await
                }
                CallsCommand::Explain { reach, call_uuid } => {
                    show(&reach.api()?, &path(&call_uuid, "/explain")?).await
                }
                CallsCommand::Events {
                    reach,
                    call_uuid,
                    json,
                } => list_events(&reach.api()?, &call_uuid, json).await,
                CallsCommand::Drop { reach, call_uuid } => {
                    let call = CallUuid::parse("CALL_UUID", &call_uuid)?;
                    let body = json!({ "call_uuid": call });
                    let answer = reach.api()?.post("/api/dropcall", &body, &[]).await?;
                    println!("{}", plain(answer["status"].as_str().unwrap_or("OK")));
                    Ok(())
                }
            }
        })
}

/// The path of a call. What is typed gets into it as a UUID only.
fn path(call_uuid: &str, below: &str) -> Result<String, Failure> {
    let call = CallUuid::parse("CALL_UUID", call_uuid)?;
    Ok(format!("/api/calls/{call}{below}"))
}

async fn list(
    api: &Api,
    filters: [(&str, Option<String>); 3],
    limit: usize,
    as_json: bool,
) -> Result<(), Failure> {
    if !as_json {
        println!(
            "{:<36}  {:<24}  {:<10}  {:<16}  {:<16}  {:<12}  {:>4}  CAUSE",
            "CALL", "CREATED", "STATE", "TO", "CAMPAIGN", "TRUNK", "SIP"
        );
    }
    let mut left = limit;
    let mut cursor: Option<String> = None;
    while left > 0 {
        // What is typed is a value in the query, never a part of it.
        let mut query = reqwest::Url::parse("http://query/")?;
        let given = filters
            .iter()
            .filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        query
            .query_pairs_mut()
            .extend_pairs(given)
            .append_pair("limit", &left.min(PAGE).to_string())
            .extend_pairs(cursor.iter().map(|cursor| ("cursor", cursor)));
        let page = api
            .get(&format!("/api/calls?{}", query.query().unwrap_or_default()))
            .await?;
        let calls = page["calls"].as_array().cloned().unwrap_or_default();
        for call in &calls {
            match as_json {
                true => println!("{call}"),
                false => println!("{}", line(call)),
            }
        }
        left = left.saturating_sub(calls.len());
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() || calls.is_empty() {
            break;
        }
    }
    Ok(())
}

fn line(call: &Value) -> String {
    let text = |name: &str| plain(call[name].as_str().unwrap_or("-"));
    let result = &call["result"];
    let status = result["sip_status"].as_u64();
    format!(
        "{:<36}  {:<24}  {:<10}  {:<16}  {:<16}  {:<12}  {:>4}  {}",
        text("call_uuid"),
        text("created_at"),
        text("state"),
        text("to_number"),
        text("campaign_name"),
        text("trunk"),
        status.map_or_else(|| "-".to_owned(), |status| status.to_string()),
        plain(result["hangup_cause"].as_str().unwrap_or("-"))
    )
}

async fn show(api: &Api, path: &str) -> Result<(), Failure> {
    let shown = api.get(path).await?;
    println!("{}", serde_json::to_string_pretty(&shown)?);
    Ok(())
}

async fn list_events(api: &Api, call_uuid: &str, as_json: bool) -> Result<(), Failure> {
    let path = path(call_uuid, "/events")?;
    if !as_json {
        println!("{}", events::HEAD);
    }
    let mut after_seq = 0;
    loop {
        let page = api
            .get(&format!("{path}?after_seq={after_seq}&limit={PAGE}"))
            .await?;
        let events = page["events"].as_array().cloned().unwrap_or_default();
        for event in &events {
            match as_json {
                true => println!("{event}"),
                false => println!("{}", events::line(call_uuid, event)),
            }
        }
        let Some(last) = events.last().filter(|_| events.len() == PAGE) else {
            return Ok(());
        };
        after_seq = last["seq"].as_u64().unwrap_or(u64::MAX);
    }
}
