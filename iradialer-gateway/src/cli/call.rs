//! `call`: asks for a call, and watches it.

use super::api::{Api, Reach};
use super::{Failure, events};
use clap::Args;
use iradialer_core::value::{CallUuid, FieldError};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::time::Duration;

/// How often a call that is watched is asked about.
const PAUSE: Duration = Duration::from_millis(250);

#[derive(Args)]
pub(super) struct MakeCall {
    #[command(flatten)]
    reach: Reach,
    /// The number to dial.
    to_number: String,
    /// The campaign whose call it is.
    #[arg(long)]
    campaign: String,
    /// The caller's number; the campaign's by default.
    #[arg(long, value_name = "NUMBER", default_value = "")]
    from: String,
    /// What it does once it is answered: the name of a flow, or a file that holds one. The campaign's by default.
    #[arg(long, value_name = "NAME|FILE")]
    flow: Option<String>,
    /// A variable of the flow; may be given several times.
    #[arg(long = "var", value_name = "NAME=VALUE")]
    vars: Vec<String>,
    /// A channel variable or SIP header (sip_h_X-…); may be given several times.
    #[arg(long = "channel-var", value_name = "NAME=VALUE")]
    channel_vars: Vec<String>,
    /// Where its events go; the campaign's by default.
    #[arg(long, value_name = "URL")]
    event_url: Option<String>,
    /// How long it may ring, s.
    #[arg(long, value_name = "S")]
    dial_timeout: Option<u32>,
    /// Not dialled before this time, such as 2026-11-21T10:00:00Z.
    #[arg(long, value_name = "TIME")]
    not_before: Option<String>,
    /// Given up if not dialled by then.
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    /// 0 to 9, higher first.
    #[arg(long)]
    priority: Option<u8>,
    /// The idempotency key: the same key never dials twice. A fresh one by default.
    #[arg(long)]
    key: Option<String>,
    /// Watches it to its end; fails where it is not completed.
    #[arg(long)]
    watch: bool,
    /// As JSON, an object in each line.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(asked: MakeCall) -> Result<(), Failure> {
    let body = body(&asked)?;
    let key = asked.key.unwrap_or_else(|| CallUuid::fresh().to_string());
    let api = asked.reach.api()?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let headers = [("idempotency-key", key.as_str())];
            let answer = api.post("/api/makecall", &body, &headers).await?;
            let call = answer["call_uuid"].as_str().unwrap_or_default();
            match asked.json {
                true => println!("{answer}"),
                false => println!("{call}"),
            }
            match asked.watch {
                true => watch(&api, call, asked.json).await,
                false => Ok(()),
            }
        })
}

/// Prints each event of the call, from its first on, until it has ended. Fails where it is not completed.
pub(super) async fn watch(api: &Api, call: &str, as_json: bool) -> Result<(), Failure> {
    if !as_json {
        println!("{}", events::HEAD);
    }
    let mut after_seq = 0;
    loop {
        let path = format!("/api/calls/{call}/events?after_seq={after_seq}");
        let page = api.get(&path).await?;
        for event in page["events"].as_array().into_iter().flatten() {
            after_seq = event["seq"].as_u64().unwrap_or(after_seq);
            match as_json {
                true => println!("{event}"),
                false => println!("{}", events::line(call, event)),
            }
            if event["final"] == true {
                let shown = api.get(&format!("/api/calls/{call}")).await?;
                return match shown["state"].as_str() {
                    Some("completed") => Ok(()),
                    state => Err(format!("the call is {}", state.unwrap_or("unknown")).into()),
                };
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn body(asked: &MakeCall) -> Result<Value, Failure> {
    let mut body = json!({
        "campaign_name": asked.campaign,
        "to_number": asked.to_number,
        "from_number": asked.from,
        "vars": pairs("--var", &asked.vars)?,
        "channel_vars": pairs("--channel-var", &asked.channel_vars)?,
        "dial_timeout": asked.dial_timeout,
        "not_before": asked.not_before,
        "expires_at": asked.expires_at,
        "priority": asked.priority,
    });
    if let Some(flow) = &asked.flow {
        body["ivr"] = flow_of(flow)?;
    }
    if let Some(url) = &asked.event_url {
        body["call_params"] = json!({ "event_url": url });
    }
    let members = body.as_object_mut().expect("it was made as an object");
    members.retain(|_, value| !value.is_null() && *value != json!(""));
    Ok(body)
}

/// A name, or the document in a file.
fn flow_of(flow: &str) -> Result<Value, Failure> {
    if !flow.contains('/') && !flow.ends_with(".json") {
        return Ok(Value::from(flow));
    }
    let text = std::fs::read_to_string(Path::new(flow))
        .map_err(|error| format!("--flow: {flow}: {error}"))?;
    Ok(serde_json::from_str(&text).map_err(|error| format!("--flow: {flow}: {error}"))?)
}

fn pairs(option: &str, given: &[String]) -> Result<Map<String, Value>, FieldError> {
    let mut pairs = Map::new();
    for text in given {
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| FieldError::new(option, "NAME=VALUE", text))?;
        if pairs.insert(name.to_owned(), Value::from(value)).is_some() {
            return Err(FieldError::new(option, "each name once", name));
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_names_with_values() {
        let given = ["a=1".to_owned(), "b=x=y".to_owned()];
        assert_eq!(
            Value::from(pairs("--var", &given).unwrap()),
            json!({"a": "1", "b": "x=y"})
        );
        for given in [
            ["a".to_owned(), String::new()],
            ["a=1".to_owned(), "a=2".to_owned()],
        ] {
            assert_eq!(pairs("--var", &given).unwrap_err().field, "--var");
        }
    }
}
