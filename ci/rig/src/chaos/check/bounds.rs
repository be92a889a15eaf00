//! Rates, capacities, and how many calls may end as unknown.

use super::super::facts::{Call, Invite};
use super::super::world::TRUNKS;
use super::calls::{events_of, story};
use super::{Evidence, Findings, ROUTERS};
use std::collections::HashMap;

/// The window of a trunk's rate: a second, less what the ways of two INVITEs may differ by (one waits for a
/// disk, the other does not).
const WINDOW_US: u64 = 900_000;
/// How long an INVITE takes from its assignment when nothing holds it up: the router spaces assignments,
/// and what comes out later than this may come together with what follows it.
const USUAL_MS: i64 = 300;

/// How long a switch that is down may still be given calls. If it comes back without its journal, nobody can
/// say what became of them.
const NOT_MISSED_MS: i64 = 5_000;

pub(super) fn check(evidence: &Evidence, findings: &mut Findings) {
    rates(evidence, findings);
    capacities(evidence, findings);
    unknown(evidence, findings);
}

fn rates(evidence: &Evidence, findings: &mut Findings) {
    let mut violations = Vec::new();
    let mut held_up = 0;
    for (trunk, cps, _) in TRUNKS {
        let invites: Vec<&Invite> = of_trunk(evidence, trunk).collect();
        let most = cps as usize;
        for (index, first) in invites.iter().enumerate() {
            let window = invites[index..]
                .iter()
                .take_while(|invite| invite.at_us < first.at_us + WINDOW_US);
            let (late, on_time): (Vec<&&Invite>, Vec<_>) =
                window.partition(|invite| was_held_up(evidence, invite));
            if late.len() + on_time.len() > most {
                match late.is_empty() {
                    true => violations.push(format!(
                        "{} INVITEs on {trunk} in the second from {}",
                        on_time.len(),
                        first.at_ms()
                    )),
                    false => held_up += 1,
                }
            }
        }
    }
    let note = match held_up {
        0 => String::new(),
        some => format!("{some} more windows with INVITEs that a fault had held up"),
    };
    let rule = "no trunk gets more INVITEs a second than it may";
    findings.noted(rule, evidence.facts.invites.len(), violations, note);
}

/// Whether it went out later than usual after its assignment because a switch, a router or the bus was
/// made to stand still on the way.
fn was_held_up(evidence: &Evidence, invite: &Invite) -> bool {
    let attempts = evidence.facts.attempts.as_ref();
    let Some(attempt) = attempts.and_then(|attempts| attempts.get(&invite.attempt_id)) else {
        return false;
    };
    let on_the_way = [&*invite.node, "nats", "router-a", "router-b"];
    let to_ms = invite.at_ms();
    let from_ms = evidence.wall(ROUTERS, attempt.assigned_ms).1.min(to_ms);
    to_ms - from_ms > USUAL_MS
        && on_the_way
            .iter()
            .any(|process| evidence.hindered(process, from_ms, to_ms))
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
