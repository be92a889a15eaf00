//! `tail`: events as they happen.

use super::api::{Api, Reach};
use super::{Failure, call, events};
use clap::Args;
use futures::StreamExt;
use iradialer_core::value::{CallUuid, CampaignName};
use serde_json::{Value, json};
use std::io::Write;
use std::time::Duration;

/// How long to wait before the stream is asked for again.
const PAUSE: Duration = Duration::from_secs(2);
/// The longest event that is read, in bytes: an event of a switch and what the gateway adds.
const MAX_EVENT: usize = 1024 * 1024;

#[derive(Args)]
pub(super) struct Tail {
    #[command(flatten)]
    reach: Reach,
    /// A call, from its first event on; fails where it is not completed. Without one every call's events from now on.
    call_uuid: Option<String>,
    /// Only those of this campaign.
    #[arg(long, conflicts_with = "call_uuid")]
    campaign: Option<String>,
    /// As JSON, an object in each line.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(asked: Tail) -> Result<(), Failure> {
    let call = asked.call_uuid.as_deref();
    let call = call
        .map(|text| CallUuid::parse("CALL_UUID", text))
        .transpose()?;
    let campaign = asked.campaign.as_deref();
    let campaign = campaign
        .map(|text| CampaignName::parse("--campaign", text))
        .transpose()?;
    let api = asked.reach.api()?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            match call {
                Some(call) => call::watch(&api, &call.to_string(), asked.json).await,
                None => follow(&api, campaign.as_ref(), asked.json).await,
            }
        })
}

/// Follows the stream, and goes on where it broke off.
async fn follow(api: &Api, campaign: Option<&CampaignName>, as_json: bool) -> Result<(), Failure> {
    let path = match campaign {
        Some(campaign) => format!("/api/stream?campaign={campaign}"),
        None => "/api/stream".to_owned(),
    };
    if !as_json {
        println!("{}", events::HEAD);
    }
    let mut last: Option<String> = None;
    let mut is_first = true;
    loop {
        let headers: Vec<(&str, &str)> = last
            .iter()
            .map(|id| ("last-event-id", id.as_str()))
            .collect();
        match api.stream(&path, &headers).await {
            Ok(answer) => {
                is_first = false;
                let mut frames = Frames::default();
                let mut bytes = answer.bytes_stream();
                while let Some(Ok(chunk)) = bytes.next().await {
                    for frame in frames.add(&chunk)? {
                        last = frame.id.clone().or(last);
                        if show(&frame, as_json).is_err() {
                            // Nobody reads any more, as in `tail | head`.
                            return Ok(());
                        }
                    }
                }
                eprintln!("the stream has ended, asking again");
            }
            // What is refused at first is refused for good.
            Err(error) if is_first => return Err(error),
            Err(error) => eprintln!("{error}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn show(frame: &Frame, as_json: bool) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    let Ok(data) = serde_json::from_str::<Value>(&frame.data) else {
        return Ok(());
    };
    if frame.event == "closed" {
        eprintln!("the gateway has ended the stream: {}", data["reason"]);
        return Ok(());
    }
    if as_json {
        return writeln!(
            out,
            "{}",
            json!({ "event_name": frame.event, "event_data": data })
        );
    }
    let call = data["call_uuid"].as_str().unwrap_or_default().to_owned();
    let event = json!({ "event_name": frame.event, "timestamp": data["timestamp"], "data": data });
    writeln!(out, "{}", events::line(&call, &event))
}

/// A server-sent event.
#[derive(Debug, Default, PartialEq)]
struct Frame {
    id: Option<String>,
    event: String,
    data: String,
}

/// Puts server-sent events together from the pieces in which they come.
#[derive(Default)]
struct Frames {
    begun: Vec<u8>,
}

impl Frames {
    /// Those that are whole with this piece; comments are left out.
    fn add(&mut self, piece: &[u8]) -> Result<Vec<Frame>, Failure> {
        self.begun.extend_from_slice(piece);
        let mut frames = Vec::new();
        while let Some(end) = self.begun.windows(2).position(|two| two == b"\n\n") {
            let text: Vec<u8> = self.begun.drain(..end + 2).collect();
            frames.push(frame(&String::from_utf8_lossy(&text)));
        }
        match self.begun.len() > MAX_EVENT {
            true => Err(format!("an event of more than {MAX_EVENT} bytes").into()),
            false => Ok(frames),
        }
    }
}

fn frame(text: &str) -> Frame {
    let mut frame = Frame::default();
    for line in text.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => frame.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut frame.event),
            "data" => frame.data.push_str(value),
            _ => {}
        }
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_put_together_from_any_pieces() {
        let text = "retry: 2000\n: hello\nid: 7\n\nid: 8\nevent: iradialer::queued\ndata: {\"a\":1}\n\n: beat\n\nid: 9";
        for size in 1..text.len() {
            let mut frames = Frames::default();
            let pieces = text.as_bytes().chunks(size);
            let whole: Vec<Frame> = pieces
                .flat_map(|piece| frames.add(piece).unwrap())
                .collect();
            let ids: Vec<_> = whole.iter().map(|frame| frame.id.as_deref()).collect();
            assert_eq!(ids, [Some("7"), Some("8"), None], "{size}");
            assert_eq!(
                (whole[1].event.as_str(), whole[1].data.as_str()),
                ("iradialer::queued", "{\"a\":1}")
            );
        }
    }

    #[test]
    fn an_event_without_an_end_is_not_kept_for_ever() {
        let mut frames = Frames::default();
        let piece = vec![b'x'; MAX_EVENT];
        assert!(frames.add(&piece).unwrap().is_empty());
        assert!(frames.add(&piece).is_err());
    }
}
