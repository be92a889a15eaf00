//! `docs/failure-modes.md` is held against the sources: what it quotes of the logs is said there, and what
//! chaos does has a row.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, ensure};
use iradialer_rig::chaos::plan::{Blow, Link, Terms, Trouble, plan};
use iradialer_rig::chaos::target::Target;
use iradialer_rig::repository;
use std::collections::BTreeSet;
use std::path::Path;

/// Quotes that no source has as they are: a field of JSON, one of a log line, other programs' commands.
const MADE: [&str; 7] = [
    r#""bus":"down""#,
    r#""database":"down""#,
    "reason=TrunkUnavailable",
    "reason=NotReady",
    "apt-get install espeak-ng",
    "sofia status gateway NAME",
    "CREATE DATABASE",
];
/// The crates that say something to an operator.
const SOURCES: [&str; 3] = [
    "iradialer-core/src",
    "iradialer-gateway/src",
    "mod_iradialer/src",
];
/// Shorter pieces are found anywhere.
const LEAST: usize = 4;

fn page() -> Result<String> {
    let path = repository::root()?.join("docs/failure-modes.md");
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// The text of a folder's sources, without their tests and with lines of strings joined.
fn read_sources(dir: &Path, all: &mut String) -> Result<()> {
    for entry in std::fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        let is_test = |name: &str| path.file_stem().is_some_and(|stem| stem == name);
        if is_test("tests") || is_test("test_support") {
            continue;
        }
        if path.is_dir() {
            read_sources(&path, all)?;
        } else if path
            .extension()
            .is_some_and(|end| end == "rs" || end == "toml")
        {
            let text = std::fs::read_to_string(&path)?;
            let (code, _) = text
                .split_once("#[cfg(test)]\nmod tests {")
                .unwrap_or((&text, ""));
            for line in code.lines() {
                let end = if line.ends_with('\\') { "" } else { "\n" };
                all.push_str(line.trim_start().trim_end_matches('\\'));
                all.push_str(end);
            }
        }
    }
    Ok(())
}

/// The quotes of a page, each as the pieces between its `…`.
fn quotes(page: &str) -> Vec<Vec<String>> {
    let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let quoted = words.split('`').skip(1).step_by(2);
    let piece = |piece: &str| piece.trim().to_owned();
    quoted
        .map(|quote| quote.split('…').map(piece).collect())
        .collect()
}

#[test]
fn what_the_page_quotes_is_said() -> Result<()> {
    let mut sources = String::new();
    for dir in SOURCES {
        read_sources(&repository::root()?.join(dir), &mut sources)?;
    }
    let quotes = quotes(&page()?);
    ensure!(quotes.len() > 50, "{} quotes", quotes.len());
    let missing: BTreeSet<_> = quotes
        .iter()
        .flatten()
        .filter(|piece| piece.len() >= LEAST && !MADE.contains(&piece.as_str()))
        .filter(|piece| !sources.contains(piece.as_str()))
        .collect();
    ensure!(missing.is_empty(), "nobody says: {missing:#?}");
    Ok(())
}

/// The section of the page and the beginning of its row that a fault of chaos belongs to.
fn row(target: Target, blow: Blow) -> (&'static str, &'static str) {
    let processes = |row| ("Processes", row);
    match (target, blow) {
        (Target::Nats, Blow::Wipe) => ("NATS", "it lost its state"),
        (Target::Nats, _) => ("NATS", "it is away"),
        (Target::Postgres, _) => ("The TDB", "PostgreSQL restarts, fails over or is cut off"),
        (Target::TdbDisk, Blow::PowerCut) => ("The TDB", "the power of its machine goes"),
        (Target::TdbDisk, _) => ("The TDB", "its disk is full"),
        (_, Blow::Wipe) => ("The journal of a switch", "it was wiped"),
        (_, Blow::Tear(_) | Blow::PowerCut) => ("The journal of a switch", "its end is torn"),
        (_, Blow::DiskFull(_)) => ("The journal of a switch", "it can't be written"),
        (it, Blow::Clock(..)) if it.is_switch() => ("Time", "clocks differ by more than"),
        (_, Blow::Clock(..)) => ("Time", "a gateway's clock is set"),
        (_, Blow::Partition(Link::Sql, ..)) => ("The TDB", "a router can't reach it"),
        (_, Blow::Partition(_, Trouble::Lose(_), _)) => ("NATS", "messages are lost on the way"),
        (_, Blow::Partition(_, Trouble::Double(_) | Trouble::Haunt(_), _)) => {
            ("NATS", "messages come twice, or again later")
        }
        (_, Blow::Partition(_, Trouble::Delay(_), _)) => ("NATS", "the way to it is slow"),
        (it, Blow::Partition(..)) if it.is_switch() => ("NATS", "one switch is cut off from it"),
        (_, Blow::Partition(..)) => ("NATS", "the gateway is cut off from it"),
        (_, Blow::Restart) => processes("a process is restarted in order"),
        (it, Blow::Stop(_) | Blow::PauseAt(..)) if it.is_switch() => {
            processes("a switch stands still")
        }
        (it, _) if it.is_switch() => processes("a switch is killed with calls up"),
        (it, _) if it.is_router() => processes("the router is killed or stopped"),
        (Target::Collector, _) => processes("the collector is killed or stopped"),
        (Target::Dispatcher, _) => processes("the dispatcher is killed or stopped"),
        (_, _) => processes("the gateway is killed or stopped"),
    }
}

#[test]
fn what_chaos_does_has_a_row() -> Result<()> {
    let page = page()?;
    let mut kinds = BTreeSet::new();
    for (seed, postgres) in [(1, true), (2, false)] {
        let terms = Terms {
            seed,
            faults: 10_000,
            postgres,
            disks: true,
        };
        for fault in plan(terms) {
            let (section, begin) = row(fault.target, fault.blow);
            let (_, rest) = page
                .split_once(&format!("\n## {section}\n"))
                .with_context(|| format!("no section {section:?}"))?;
            let rows = rest.split_once("\n## ").map_or(rest, |(rows, _)| rows);
            let found = rows.contains(&format!("\n| {begin}"));
            ensure!(found, "{fault}: no row {begin:?} in {section:?}");
            kinds.insert(fault.blow.kind());
        }
    }
    // All there are but for the one that is another's longer form.
    ensure!(kinds.len() >= 18, "{kinds:?}");
    Ok(())
}
