//! Rates, capacities, and how many calls may end as unknown.

use super::super::facts::{Call, Invite};
use super::super::world::{LICENCE, TRUNKS};
use super::calls::{events_of, story};
use super::{Evidence, Findings, ROUTERS};
use std::collections::HashMap;

/// The window of a trunk's rate: a second, less what a switch may take, on a machine that is busy with faults,
/// from saying that it has a call to sending its INVITE.
const WINDOW_US: u64 = 950_000;
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
    for (trunk, cps, _) in TRUNKS {
        let invites: Vec<&Invite> = of_trunk(evidence, trunk).collect();
        for (index, first) in invites.iter().enumerate() {
            let in_window = invites[index..]
                .iter()
                .take_while(|invite| invite.at_us < first.at_us + WINDOW_US)
                .count();
            if in_window > cps as usize {
                violations.push(format!(
                    "{in_window} INVITEs on {trunk} in the second from {}",
                    first.at_ms()
                ));
            }
        }
    }
    let rule = "no trunk gets more INVITEs a second than it may";
    findings.rule(rule, evidence.facts.invites.len(), violations);
}

fn capacities(evidence: &Evidence, findings: &mut Findings) {
    let mut violations = Vec::new();
    let calls: HashMap<&str, &Call> = evidence
        .facts
        .calls
        .iter()
        .map(|c| (c.call.as_str(), c))
        .collect();
    let lasts = |invite: &Invite| {
        let call = calls.get(invite.call.as_str()).copied();
        (invite.at_ms(), end_ms(evidence, call, invite))
    };
    for (trunk, _, max_calls) in TRUNKS {
        let too_many = above(max_calls, of_trunk(evidence, trunk).map(lasts));
        violations
            .extend(too_many.map(|(at_ms, up)| {
                format!("{up} calls on {trunk} at {at_ms}, {max_calls} may be")
            }));
    }
    let invites = &evidence.facts.invites;
    let rule = "no trunk has more calls at once than it may";
    findings.rule(rule, invites.len(), violations);

    let too_many = above(LICENCE.channels, invites.iter().map(lasts));
    let violations = too_many
        .map(|(at_ms, up)| format!("{up} calls at {at_ms}"))
        .collect();
    let most = at_once(invites.iter().map(lasts)).map(|(_, up)| up).max();
    let rule = "the cluster has no more calls at once than its licence allows";
    let noted = format!("{} at the most", most.unwrap_or(0));
    findings.noted(rule, invites.len(), violations, noted);
}

/// The moments from which there are more than `limit` of what lasts from one ms to another, and how many.
fn above(
    limit: u32,
    lasting: impl Iterator<Item = (i64, i64)>,
) -> impl Iterator<Item = (i64, u32)> {
    at_once(lasting).filter(move |(_, up)| *up > limit)
}

/// How many there are of what lasts from one ms to another, whenever one begins.
fn at_once(lasting: impl Iterator<Item = (i64, i64)>) -> impl Iterator<Item = (i64, u32)> {
    let changes = lasting.flat_map(|(from_ms, to_ms)| [(from_ms, 1), (to_ms, -1)]);
    let mut changes: Vec<(i64, i32)> = changes.collect();
    // An end goes before a beginning in the same ms.
    changes.sort_unstable();
    let mut up = 0;
    changes.into_iter().filter_map(move |(at_ms, change)| {
        up += change;
        (change > 0).then_some((at_ms, up.unsigned_abs()))
    })
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
