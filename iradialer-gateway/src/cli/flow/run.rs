//! `flow run`

use super::{Failure, Run, load, load_all, text};
use iradialer_core::flow::{
    CallFacts, FlowEndWhy, Happened, Moment, Rehearsal, Rehearsed, Report, Scene, Transferred,
    known_timezone,
};
use iradialer_core::value::DialNumber;
use std::collections::BTreeMap;
use std::path::Path;

/// The numbers of a call that there is none of.
const TO_NUMBER: &str = "+15005550123";
const FROM_NUMBER: &str = "+15005550100";

pub(super) fn run(told: Run) -> Result<(), Failure> {
    let flow = load(&told.file)?;
    let others = load_all(&told.others)?;
    if let Some(zone) = told.timezone.as_ref().filter(|zone| !known_timezone(zone)) {
        return Err(format!(
            "--timezone: expected the name of a time zone such as 'Europe/Berlin', got \"{zone}\""
        )
        .into());
    }
    debug_assert!(DialNumber::parse("to_number", TO_NUMBER).is_ok());
    let facts = CallFacts {
        to_number: TO_NUMBER.to_owned(),
        from_number: FROM_NUMBER.to_owned(),
        call_uuid: uuid::Uuid::nil().to_string(),
        campaign_name: "rehearsal".to_owned(),
        timezone: told.timezone,
        metadata: told.metadata.into_iter().collect(),
        vars: told.vars.into_iter().collect(),
    };
    let at = told.at.unwrap_or_else(jiff::Timestamp::now);
    let rehearsal = Rehearsal {
        keys: keys(&told.keys)?,
        scenes: match &told.answers {
            Some(file) => scenes(file)?,
            None => BTreeMap::new(),
        },
        now_ms: u64::try_from(at.as_millisecond())
            .map_err(|_| "--at: expected a time after 1970")?,
        cpa: told.cpa,
        hangup_ms: match told.hangup_after {
            None => None,
            Some(seconds) if (0.0..1e9).contains(&seconds) => Some((seconds * 1_000.0) as u64),
            Some(_) => return Err("--hangup-after: expected seconds after the answer".into()),
        },
    };
    let rehearsed = rehearsal.of(&flow, &facts, &others);
    print(&rehearsed);
    match rehearsed.end.why {
        FlowEndWhy::Fault(fault) => Err(fault.into()),
        FlowEndWhy::Done | FlowEndWhy::HungUp | FlowEndWhy::Stopped => Ok(()),
    }
}

/// What is pressed at each question.
fn keys(written: &str) -> Result<Vec<String>, Failure> {
    let keys: Vec<String> = written
        .split(',')
        .map(|item| item.trim().to_owned())
        .collect();
    let is_key = |key: char| key.is_ascii_digit() || matches!(key, '*' | '#' | 'A'..='D');
    match keys.iter().find(|item| !item.chars().all(is_key)) {
        Some(item) => {
            Err(format!("--keys: expected keys of 0-9, '*', '#' and A-D, got \"{item}\"").into())
        }
        None => Ok(keys),
    }
}

fn scenes(file: &Path) -> Result<BTreeMap<String, Vec<Scene>>, Failure> {
    let json = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut reader = serde_json::Deserializer::from_slice(&json);
    let scenes = serde_path_to_error::deserialize(&mut reader);
    scenes
        .map_err(|error| format!("{}: {}: {}", file.display(), error.path(), error.inner()).into())
}

fn print(rehearsed: &Rehearsed) {
    let nodes = rehearsed
        .moments
        .iter()
        .map(|moment| moment.node.chars().count());
    let width = nodes.max().unwrap_or(0);
    let mut came_at = "";
    for moment in &rehearsed.moments {
        if moment.what == Happened::Came {
            came_at = "";
        }
        let Some(line) = describe(&moment.what) else {
            continue;
        };
        let node = if came_at == moment.node {
            ""
        } else {
            &moment.node
        };
        println!(
            "{:>7.1} s  {node:width$}  {line}",
            began_ms(moment) as f64 / 1_000.0
        );
        came_at = &moment.node;
    }
    let end = &rehearsed.end;
    let how = match &end.why {
        FlowEndWhy::Done => "the flow hangs up".to_owned(),
        FlowEndWhy::HungUp => "the person hangs up".to_owned(),
        FlowEndWhy::Stopped => "it was stopped".to_owned(),
        FlowEndWhy::Fault(fault) => format!("fault: {fault}"),
    };
    println!(
        "{:>7.1} s  {:width$}  {how}",
        rehearsed.ms as f64 / 1_000.0,
        end.node
    );
    for (name, value) in &end.variables {
        println!("           {name} = \"{}\"", text::shortened(value, 100));
    }
}

/// When it began: what is heard or said is told of when it is over.
fn began_ms(moment: &Moment) -> u64 {
    let lasted_ms = match &moment.what {
        Happened::Silent(ms) => *ms,
        Happened::Told(Report::PlayDone { played_ms: ms, .. } | Report::Recorded { ms, .. }) => *ms,
        Happened::Told(Report::Transferred {
            outcome: Transferred::Done { ms },
            ..
        }) => *ms,
        _ => 0,
    };
    moment.at_ms.saturating_sub(lasted_ms)
}

/// What happened, for a person; `None` for what another line says.
fn describe(what: &Happened) -> Option<String> {
    Some(match what {
        Happened::Came | Happened::Set(..) => return None,
        Happened::Pressed(key) => format!("presses {key}"),
        Happened::Silent(ms) => format!("presses nothing for {} s", *ms as f64 / 1_000.0),
        Happened::Sent(json) => format!("sends   {json}"),
        Happened::Told(report) => match report {
            Report::PlayDone {
                prompt,
                interrupted_by: None,
                ..
            } => format!("hears   {prompt}"),
            Report::PlayDone {
                prompt,
                interrupted_by: Some(key),
                ..
            } => format!("hears   {prompt}, until {key}"),
            Report::DtmfCollected {
                var_name,
                digits,
                valid,
                tries,
                ..
            } => {
                let verdict = if *valid {
                    ""
                } else {
                    ", which is not what was asked for"
                };
                let tries = if *tries == 1 {
                    String::new()
                } else {
                    format!(" (try {tries})")
                };
                format!("gives   {var_name} = \"{digits}\"{verdict}{tries}")
            }
            Report::Recorded { ms, name, .. } => {
                format!("is recorded for {} s: {name}", *ms as f64 / 1_000.0)
            }
            Report::Requested {
                url, error: None, ..
            } => format!("asked   {url}"),
            Report::Requested {
                url,
                error: Some(error),
                ..
            } => format!("asked   {url} in vain: {error}"),
            Report::Transferred {
                destination,
                outcome,
                ..
            } => {
                format!("transfer to {destination}: {}", text::outcome(outcome))
            }
            Report::OptedOut { scope, .. } => {
                format!("is never called again by this {}", text::scope(*scope))
            }
            Report::Failed { what, .. } => format!("failed: {what}"),
            Report::WentTo { flow, .. } => format!("goes on in flow {flow}"),
        },
    })
}
