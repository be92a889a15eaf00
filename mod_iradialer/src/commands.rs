//! `iradialer …` in `fs_cli`: what is typed, and what is answered.

use crate::admission::Closed;
use crate::call::Call;
use crate::config::{Config, ConfigErrors};
use crate::engine::Engine;
use crate::flows;
use crate::link::Link;
use crate::recordings::Shape;
use iradialer_core::value::CallUuid;
use iradialer_core::wire::DialReply;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long `originate` waits to tell whether the call was begun.
const ORIGINATE_WAIT: Duration = Duration::from_secs(3);

/// Shown by the host for the command, and for anything that is not one.
pub const USAGE: &str = "status | calls | show <uuid> | originate <number> [flow] | hangup <uuid> | record start <uuid> [mixed|stereo] | record stop <uuid> | journal | drain | resume | reload";

/// What tab completion offers: the words after `iradialer`, `::…` being the host's own lists.
pub const COMPLETIONS: [&str; 11] = [
    "status",
    "calls",
    "show ::console::list_uuid",
    "originate",
    "hangup ::console::list_uuid",
    "record start ::console::list_uuid",
    "record stop ::console::list_uuid",
    "journal",
    "drain",
    "resume",
    "reload",
];

/// A command, read.
#[derive(Debug, PartialEq, Eq)]
enum Command<'a> {
    Status,
    Calls,
    Show(CallUuid),
    Originate {
        number: &'a str,
        flow: Option<&'a str>,
    },
    Hangup(CallUuid),
    StartRecording(CallUuid, Shape),
    StopRecording(CallUuid),
    Journal,
    Drain,
    Resume,
    Reload,
}

fn parse(line: &str) -> Result<Command<'_>, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let uuid = |text| CallUuid::parse("uuid", text).map_err(|error| error.to_string());
    match words.as_slice() {
        ["status"] => Ok(Command::Status),
        ["calls"] => Ok(Command::Calls),
        ["show", text] => Ok(Command::Show(uuid(text)?)),
        ["originate", number] => Ok(Command::Originate { number, flow: None }),
        ["originate", number, flow] => Ok(Command::Originate {
            number,
            flow: Some(flow),
        }),
        ["hangup", text] => Ok(Command::Hangup(uuid(text)?)),
        ["record", "start", text] => Ok(Command::StartRecording(uuid(text)?, Shape::Mixed)),
        ["record", "start", text, shape @ ("mixed" | "stereo")] => {
            let shape = match *shape {
                "stereo" => Shape::Stereo,
                _ => Shape::Mixed,
            };
            Ok(Command::StartRecording(uuid(text)?, shape))
        }
        ["record", "stop", text] => Ok(Command::StopRecording(uuid(text)?)),
        ["journal"] => Ok(Command::Journal),
        ["drain"] => Ok(Command::Drain),
        ["resume"] => Ok(Command::Resume),
        ["reload"] => Ok(Command::Reload),
        _ => Err(format!("USAGE: iradialer {USAGE}")),
    }
}

/// Runs a command line and returns the reply: text that starts with `+OK`, `-ERR` or `-USAGE:`, or a
/// report. `read_config` reads the configuration anew.
pub fn run(
    line: &str,
    engine: &Arc<Engine>,
    link: &Link,
    read_config: impl FnOnce() -> Result<Config, ConfigErrors>,
) -> String {
    let outcome = match parse(line) {
        Err(error) if error.starts_with("USAGE") => return format!("-{error}\n"),
        Err(error) => Err(error),
        Ok(Command::Status) => Ok(status(engine, link)),
        Ok(Command::Calls) => Ok(calls(engine)),
        Ok(Command::Show(uuid)) => show(engine, uuid),
        Ok(Command::Originate { number, flow }) => originate(engine, number, flow),
        Ok(Command::Hangup(uuid)) => hangup(engine, uuid),
        Ok(Command::StartRecording(uuid, shape)) => find(engine, uuid)
            .and_then(|call| engine.start_recording(&call, shape))
            .map(|name| format!("+OK {name}\n")),
        Ok(Command::StopRecording(uuid)) => find(engine, uuid)
            .and_then(|call| engine.stop_recording(&call))
            .map(|name| format!("+OK {name}\n")),
        Ok(Command::Journal) => Ok(journal(engine)),
        Ok(Command::Drain) => open_or_close(engine, link, Closed::Draining),
        Ok(Command::Resume) => open_or_close(engine, link, Closed::No),
        Ok(Command::Reload) => reload(engine, read_config),
    };
    match outcome {
        Ok(text) => text,
        Err(error) => format!("-ERR {error}\n"),
    }
}

fn status(engine: &Engine, link: &Link) -> String {
    let load = engine.admission.load();
    let config = engine.config();
    let link_state = if link.status.is_connected() {
        "connected"
    } else {
        "NOT CONNECTED: no new call can start"
    };
    let mut text = String::new();
    let mut row =
        |name: &str, value: String| writeln!(text, "{name:<14} {value}").unwrap_or_default();
    row(
        "version",
        format!("{} on {}", env!("CARGO_PKG_VERSION"), engine.host.version()),
    );
    row(
        "node",
        format!("{} of cluster {}", config.node_id, config.cluster),
    );
    row("incarnation", engine.identity.incarnation.to_string());
    row("up", format!("{} s", engine.uptime().as_secs()));
    row(
        "state",
        match load.closed {
            Closed::No | Closed::Draining if engine.outbox.journal().is_faulty() => {
                "FAULTY: the journal can't be written, no new call starts; see iradialer journal"
                    .into()
            }
            Closed::No if load.second => {
                "SECOND SWITCH of this node id, and began later: no new call starts".to_owned()
            }
            Closed::No => "active".to_owned(),
            Closed::Draining => "draining: live calls go on, no new call starts".to_owned(),
            Closed::Leaving => "leaving: an unload has begun".to_owned(),
        },
    );
    row(
        "calls",
        format!("{} of at most {}", load.calls, load.max_calls),
    );
    row(
        "being set up",
        format!("{} of at most {} just now", load.setups, load.setup_limit),
    );
    row("rate", format!("at most {} calls a second", load.max_cps));
    row("licence", licence(engine));
    let (flows, bytes) = engine.flows.held();
    row(
        "flows",
        format!(
            "{flows} ready, {} KiB of at most {} MiB",
            bytes >> 10,
            flows::MOST_BYTES >> 20
        ),
    );
    let (sounds, bytes) = engine.prompts.held();
    row(
        "prompts",
        format!(
            "{sounds} ready, {} KiB of at most {} MiB",
            bytes >> 10,
            config.prompts_memory_mib
        ),
    );
    row("recordings", recordings(engine));
    let (kept, bytes) = engine.prompts.on_disk();
    row(
        "prompt cache",
        format!(
            "{kept} on the disk, {} KiB of at most {} MiB",
            bytes >> 10,
            config.prompts_cache_mib
        ),
    );
    row(
        "nats",
        format!(
            "{} {link_state}, {} reconnects",
            config.nats_url,
            link.status.reconnects()
        ),
    );
    if let Some(error) = link
        .status
        .last_error()
        .filter(|_| !link.status.is_connected())
    {
        row("nats error", error);
    }
    for refused in link.status.refused() {
        row("nats refuses", refused);
    }
    if link.status.has_twin() {
        row(
            "SECOND SWITCH",
            format!("another one beats as {}", config.node_id),
        );
    }
    row("events waiting", engine.outbox.waiting().to_string());
    let lost = engine.copies.lost();
    if lost > 0 {
        row(
            "copies lost",
            format!("{lost} that clients asked for by event_subject"),
        );
    }
    text
}

fn licence(engine: &Engine) -> String {
    let steady_us = engine.host.steady_us();
    let allowed = engine.admission.allowed(steady_us);
    if let Some(why) = allowed.why_none {
        return format!(
            "NO NEW CALL STARTS: {}",
            why.trim_start_matches("licence: ")
        );
    }
    let (channels, cps, features) = (allowed.channels, allowed.cps, allowed.features);
    let share = format!("{channels} calls at once, {cps} a second, {features}");
    match (engine.admission.has_lease(), allowed.evaluation) {
        (false, _) => format!("none was ever leased, an evaluation by itself: {share}"),
        (true, true) => format!("there is none, an evaluation: {share}"),
        (true, false) => {
            let left_s = engine
                .admission
                .lease_left_ms(steady_us, engine.host.clock_rate())
                / 1_000;
            format!("{share}; leased for {left_s} s")
        }
    }
}

fn recordings(engine: &Engine) -> String {
    let Some(recordings) = &engine.recordings else {
        return "none: recordings-dir is not set".to_owned();
    };
    let standing = recordings.standing();
    format!(
        "{} growing, {} failed, {} MiB in {}",
        standing.growing.load(Ordering::Relaxed),
        standing.failed.load(Ordering::Relaxed),
        standing.bytes.load(Ordering::Relaxed) >> 20,
        recordings.dir().display()
    )
}

fn journal(engine: &Engine) -> String {
    let status = engine.outbox.journal().status();
    let dir = engine.config().journal_dir.unwrap_or_default();
    let mut text = String::new();
    let mut row =
        |name: &str, value: String| writeln!(text, "{name:<14} {value}").unwrap_or_default();
    row("path", dir.display().to_string());
    row("id", status.id.to_string());
    row("bytes", status.bytes.to_string());
    row("segments", status.segment.to_string() + " begun so far");
    row("held", format!("{} attempts", status.held));
    row(
        "unconfirmed",
        format!("{} that have ended", status.unconfirmed),
    );
    row("fenced", format!("{} attempts", status.fenced));
    row(
        "last sync",
        format!("{:.1} ms", status.last_sync_us as f64 / 1000.0),
    );
    row("faults", status.faults.to_string());
    if let Some(fault) = status.fault {
        row("fault", fault);
    }
    text
}

fn calls(engine: &Engine) -> String {
    let mut text = String::new();
    let all = engine.registry.all();
    if !all.is_empty() {
        let _ = writeln!(
            text,
            "{:<36} {:<16} {:<20} {:<9} {:>8}  node",
            "uuid", "number", "trunk", "state", "seconds"
        );
    }
    for call in &all {
        let now = call.snapshot();
        let command = &call.command;
        let _ = writeln!(
            text,
            "{} {:<16} {:<20} {:<9} {:>8.1}  {}",
            command.call_uuid,
            command.to_number,
            command.trunk,
            now.state,
            now.age_ms as f64 / 1000.0,
            now.node.as_deref().unwrap_or("-"),
        );
    }
    let _ = writeln!(text, "{} total.", all.len());
    text
}

/// The live attempt that a person means by the UUID of a call or of its channel.
fn find(engine: &Engine, uuid: CallUuid) -> Result<Arc<Call>, String> {
    let found = engine
        .registry
        .call(uuid)
        .or_else(|| engine.registry.attempt(uuid));
    found.ok_or_else(|| format!("no live call or channel {uuid}"))
}

fn show(engine: &Engine, uuid: CallUuid) -> Result<String, String> {
    let call = find(engine, uuid)?;
    let (now, command) = (call.snapshot(), &call.command);
    let mut text = String::new();
    let mut row =
        |name: &str, value: String| writeln!(text, "{name:<14} {value}").unwrap_or_default();
    row("call", command.call_uuid.to_string());
    row(
        "attempt",
        format!("{}, channel {}", command.attempt, command.attempt_id),
    );
    row("tenant", command.tenant_id.to_string());
    row("campaign", command.campaign_name.to_string());
    row("from", command.from_number.to_string());
    row(
        "to",
        format!("{} through {}", command.to_number, command.trunk),
    );
    row(
        "state",
        format!(
            "{} for {:.1} s in all",
            now.state,
            now.age_ms as f64 / 1000.0
        ),
    );
    row(
        "flow",
        command
            .flow
            .as_ref()
            .map_or("-".into(), |flow| flow.name().to_owned()),
    );
    row("node", now.node.unwrap_or_else(|| "-".into()));
    row("events", now.events.to_string());
    for (name, value) in now.variables {
        row("variable", format!("{name}={value}"));
    }
    Ok(text)
}

fn originate(engine: &Arc<Engine>, number: &str, flow: Option<&str>) -> Result<String, String> {
    let (answer, answered) = crossbeam_channel::bounded(1);
    let reply = Box::new(move |reply| {
        let _ = answer.send(reply);
    });
    let uuid = engine.originate(number, flow, reply)?;
    match answered.recv_timeout(ORIGINATE_WAIT) {
        Ok(DialReply::Accepted) => Ok(format!("+OK {uuid}\n")),
        Ok(DialReply::Refused { detail, .. }) => Err(detail),
        Err(_) => Err(format!("the switch is slow: see iradialer show {uuid}")),
    }
}

fn hangup(engine: &Engine, uuid: CallUuid) -> Result<String, String> {
    let call = find(engine, uuid)?;
    engine.drop_call(call.command.call_uuid);
    Ok(format!("+OK {uuid} is being ended\n"))
}

fn open_or_close(engine: &Engine, link: &Link, closed: Closed) -> Result<String, String> {
    if !engine.admission.close(closed) {
        return Err("the module is being unloaded".into());
    }
    link.beat();
    Ok(match closed {
        Closed::No => "+OK takes calls\n".into(),
        _ => format!("+OK takes no more calls; {} live\n", engine.registry.len()),
    })
}

fn reload(
    engine: &Engine,
    read_config: impl FnOnce() -> Result<Config, ConfigErrors>,
) -> Result<String, String> {
    let config = read_config().map_err(|errors| format!("nothing was changed: {errors}"))?;
    let waiting = engine.reconfigure(config);
    Ok(if waiting.is_empty() {
        "+OK\n".into()
    } else {
        format!(
            "+OK; {} take effect when the module is loaded again\n",
            waiting.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_read() {
        let uuid = CallUuid::fresh();
        assert_eq!(parse("  status "), Ok(Command::Status));
        assert_eq!(parse(&format!("show {uuid}")), Ok(Command::Show(uuid)));
        assert_eq!(
            parse("originate +15005550001"),
            Ok(Command::Originate {
                number: "+15005550001",
                flow: None
            })
        );
        assert_eq!(
            parse(&format!("record start {uuid} stereo")),
            Ok(Command::StartRecording(uuid, Shape::Stereo))
        );
        assert_eq!(
            parse(&format!("record stop {uuid}")),
            Ok(Command::StopRecording(uuid))
        );
        let with_flow = Command::Originate {
            number: "+15005550001",
            flow: Some("confirm"),
        };
        assert_eq!(parse("originate +15005550001 confirm"), Ok(with_flow));
    }

    #[test]
    fn anything_else_is_answered_with_the_usage() {
        for line in [
            "",
            "help",
            "show",
            "status now",
            "originate",
            "originate 1 2 3",
            "record",
            "record begin",
            "record stop",
        ] {
            assert!(
                parse(line)
                    .unwrap_err()
                    .starts_with("USAGE: iradialer status"),
                "{line:?}"
            );
        }
        assert!(
            parse("hangup 123")
                .unwrap_err()
                .starts_with("uuid: expected")
        );
    }

    #[test]
    fn every_command_is_offered_and_explained() {
        for offered in COMPLETIONS {
            let word = offered.split(' ').next().unwrap();
            assert!(
                USAGE
                    .split(" | ")
                    .any(|part| part.split(' ').next() == Some(word)),
                "{word}"
            );
        }
    }
}
