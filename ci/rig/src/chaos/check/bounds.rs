//! Rates, capacities, and how many calls may end as unknown.

use super::super::facts::{Call, Invite};
use super::super::world::TRUNKS;
use super::calls::{events_of, story};
use super::{Evidence, Findings, ROUTERS};
use std::collections::HashMap;

/// The window of a trunk's rate: a second, less what the ways of two INVITEs may differ by (one waits for a
/// disk, the other does not).
const WINDOW_US: u64 = 900_000;
/// How long a switch that is down may still be given calls. If it comes back without its journal, nobody can
/// say what became of them.
const NOT_MISSED_MS: i64 = 5_000;

pub(super) fn check(evidence: &Evidence, findings: &mut Findings) {
    rates(evidence, findings);
    capacities(evidence, findings);
    unknown(evidence, findings);
}

/// A trunk's rate is kept by spacing assignments. INVITEs that were spaced and came together on the way,
/// through a slow disk or a fault, are told and not held against it.
fn rates(evidence: &Evidence, findings: &mut Findings) {
    let mut violations = Vec::new();
    let mut on_the_way = 0;
    for (trunk, cps, _) in TRUNKS {
        let invites: Vec<&Invite> = of_trunk(evidence, trunk).collect();
        let most = cps as usize;
        for (index, first) in invites.iter().enumerate() {
            let window: Vec<&Invite> = invites[index..]
                .iter()
                .take_while(|invite| invite.at_us < first.at_us + WINDOW_US)
                .copied()
                .collect();
            if window.len() <= most {
                continue;
            }
            match begun_together(evidence, &window) > most {
                true => violations.push(format!(
                    "{} INVITEs on {trunk} in the second from {}",
                    window.len(),
                    first.at_ms()
                )),
                false => on_the_way += 1,
            }
        }
    }
    let note = match on_the_way {
        0 => String::new(),
        some => format!("{some} more windows with INVITEs that came together on the way"),
    };
    let rule = "no trunk gets more INVITEs a second than it may";
    findings.noted(rule, evidence.facts.invites.len(), violations, note);
}

/// The most of these INVITEs that were assigned within one window.
fn begun_together(evidence: &Evidence, invites: &[&Invite]) -> usize {
    let begun_ms = |invite: &&Invite| {
        let attempts = evidence.facts.attempts.as_ref();
        let attempt = attempts.and_then(|attempts| attempts.get(&invite.attempt_id));
        let assigned_ms = attempt.map_or(invite.at_ms(), |attempt| attempt.assigned_ms);
        evidence.wall_until(ROUTERS, assigned_ms, invite.at_ms())
    };
    let mut begun: Vec<i64> = invites.iter().map(begun_ms).collect();
    begun.sort_unstable();
    let in_window = |from: usize| {
        let until_ms = begun[from] + (WINDOW_US / 1_000) as i64;
        begun[from..]
            .iter()
            .take_while(|at| **at < until_ms)
            .count()
    };
    (0..begun.len()).map(in_window).max().unwrap_or(0)
}

fn capacities(evidence: &Evidence, findings: &mut Findings) {
    let mut violations = Vec::new();
    let calls: HashMap<&str, &Call> = evidence
        .facts
        .calls
        .iter()
        .map(|c| (c.call.as_str(), c))
        .collect();
    for (trunk, _, max_calls) in TRUNKS {
        let mut changes: Vec<(i64, i32)> = Vec::new();
        for invite in of_trunk(evidence, trunk) {
            let end_ms = end_ms(evidence, calls.get(invite.call.as_str()).copied(), invite);
            changes.push((invite.at_ms(), 1));
            changes.push((end_ms, -1));
        }
        // An end goes before a beginning in the same ms.
        changes.sort_unstable();
        let mut up = 0;
        for (at_ms, change) in changes {
            up += change;
            if up > max_calls as i32 && change > 0 {
                violations.push(format!(
                    "{up} calls on {trunk} at {at_ms}, {max_calls} may be"
                ));
            }
        }
    }
    let rule = "no trunk has more calls at once than it may";
    findings.rule(rule, evidence.facts.invites.len(), violations);
}

/// When the INVITE's call had ended on the trunk: by its hangup, or with the switch that died of it.
fn end_ms(evidence: &Evidence, call: Option<&Call>, invite: &Invite) -> i64 {
    let from_ms = invite.at_ms();
    let died = evidence.entries.iter().find(|entry| {
        entry.target.name() == invite.node
            && entry.what == super::What::Died
            && entry.at_ms as i64 >= from_ms
    });
    let died_ms = died.map_or(i64::MAX, |entry| entry.at_ms as i64);
    let hangups = call.into_iter().flat_map(|call| {
        let events = events_of(evidence, call).iter();
        events.filter(|event| event.name == "hangup")
    });
    // By the switch's clock, which may be off.
    let hangup = hangups
        .map(|event| evidence.wall(&[&invite.node], event.at_ms))
        .find(|(_, latest_ms)| *latest_ms >= from_ms);
    let hangup_ms = hangup.map_or(i64::MAX, |(earliest_ms, _)| earliest_ms.max(from_ms));
    hangup_ms.min(died_ms)
}

fn unknown(evidence: &Evidence, findings: &mut Findings) {
    let calls = evidence.facts.calls.iter();
    let unknown: Vec<&Call> = calls.filter(|call| call.state == "unknown").collect();
    let explained = |call: &&&Call| {
        let node = call.node.as_deref().unwrap_or_default();
        let from_ms = call.assigned_ms.unwrap_or(call.created_ms);
        let (from_ms, _) = evidence.wall(ROUTERS, from_ms);
        let (_, to_ms) = evidence.wall(ROUTERS, call.ended_ms.unwrap_or(i64::MAX));
        evidence.died(node, from_ms, to_ms)
            || evidence.lost_journal(node, from_ms - NOT_MISSED_MS, to_ms)
            || evidence.given_up(node, from_ms, to_ms)
    };
    let unexplained = unknown.iter().filter(|call| !explained(call));
    let violations = unexplained.map(|call| story(evidence, call)).collect();
    let rule = "a call ends as unknown only if its switch died or was given up with it";
    findings.noted(
        rule,
        evidence.facts.calls.len(),
        violations,
        format!("{} did", unknown.len()),
    );
}

fn of_trunk<'a>(evidence: &'a Evidence, trunk: &'a str) -> impl Iterator<Item = &'a Invite> {
    evidence
        .facts
        .invites
        .iter()
        .filter(move |invite| invite.trunk == trunk)
}
