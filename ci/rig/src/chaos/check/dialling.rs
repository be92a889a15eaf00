//! Nobody is dialled twice, and nobody is dialled that should not be: judged by the far ends' own count.

use super::super::facts::{Attempt, Invite};
use super::super::load::may_fail_over;
use super::super::world::TRUNKS;
use super::calls::{by, story};
use super::{Evidence, Findings, ROUTERS};
use std::collections::{BTreeSet, HashMap};

/// How much the clock of a process may seem to differ: one reads it, and writes what it read later.
const SLACK_MS: i64 = 250;
const NO_ATTEMPTS: &str = "the TDB has no table `attempts`";

pub(super) fn check(evidence: &Evidence, findings: &mut Findings) {
    twice(evidence, findings);
    journalled(evidence, findings);
    came_of_it(evidence, findings);
    match &evidence.facts.attempts {
        Some(attempts) => {
            assigned(evidence, attempts, findings);
            in_time(evidence, attempts, findings);
            epochs(evidence, attempts, findings);
            given_up(evidence, attempts, findings);
        }
        None => {
            for rule in [ASSIGNED, IN_TIME, EPOCHS, GIVEN_UP] {
                findings.lacks(rule, NO_ATTEMPTS);
            }
        }
    }
}

const ASSIGNED: &str = "every INVITE was assigned before, to that switch and trunk";
const IN_TIME: &str = "no INVITE after not_after by the switch's clock";
const EPOCHS: &str = "no INVITE under an epoch older than one the switch has seen";
const GIVEN_UP: &str = "no INVITE for an attempt that was taken back";

fn twice(evidence: &Evidence, findings: &mut Findings) {
    let invites = &evidence.facts.invites;
    let mut violations = Vec::new();
    for (call, invites) in by(invites, |invite| &invite.call) {
        let trunks: BTreeSet<_> = invites.iter().map(|invite| &invite.trunk).collect();
        let allowed = match may_fail_over(&invites[0].number) {
            // Refused before it rang: the other trunk may be tried, and no trunk twice.
            true => trunks.len().min(TRUNKS.len()),
            false => 1,
        };
        if invites.len() > allowed {
            violations.push(told(evidence, call, &invites));
        }
    }
    findings.rule(
        "at most one alerting INVITE a call",
        invites.len(),
        violations,
    );

    let same = by(invites, |invite| &invite.attempt_id);
    let same = same.into_iter().filter(|(_, invites)| invites.len() > 1);
    let violations = same.map(|(_, invites)| told(evidence, &invites[0].call, &invites));
    let violations = violations.collect();
    findings.rule("at most one INVITE an attempt", invites.len(), violations);
}

/// Where the far end could look into the journal, the attempt stood there before the INVITE went out.
fn journalled(evidence: &Evidence, findings: &mut Findings) {
    let looked = || {
        let invites = evidence.facts.invites.iter();
        invites.filter_map(|invite| Some((invite, invite.journalled?)))
    };
    let missing = looked().filter(|(_, stood_there)| !stood_there);
    let violations = missing.map(|(invite, _)| told(evidence, &invite.call, &[invite]));
    let violations = violations.collect();
    let note = match looked().next() {
        None if !evidence.facts.invites.is_empty() => "the far ends can't look into it",
        _ => "",
    };
    findings.noted(
        "every INVITE stood in the journal before it went out",
        looked().count(),
        violations,
        note.to_owned(),
    );
}

/// What the journal is for: no INVITE goes out that is not told of, or ended as unknown.
fn came_of_it(evidence: &Evidence, findings: &mut Findings) {
    let calls = by(&evidence.facts.calls, |call| &call.call);
    let mut violations = Vec::new();
    let mut lost = 0;
    for invite in &evidence.facts.invites {
        let Some(call) = calls.get(invite.call.as_str()).map(|rows| rows[0]) else {
            violations.push(format!("no such call: {invite:?}"));
            continue;
        };
        let events = evidence.facts.events.get(&invite.call);
        let told_of = match &evidence.facts.attempts {
            Some(attempts) => {
                let number = attempts.get(&invite.attempt_id).map(|row| row.attempt);
                let mut events = events.into_iter().flatten();
                events.any(|event| Some(event.attempt) == number)
            }
            None => events.into_iter().flatten().any(|event| event.attempt > 0),
        };
        if told_of {
            continue;
        }
        let until_ms = call.ended_ms.unwrap_or(i64::MAX);
        let (_, until_ms) = evidence.wall(ROUTERS, until_ms);
        if call.state == "unknown"
            && evidence.lost_journal(&invite.node, invite.at_ms() - SLACK_MS, until_ms)
        {
            lost += 1;
            continue;
        }
        violations.push(story(evidence, call));
    }
    let note = match lost {
        0 => String::new(),
        some => format!("{some} known only as unknown, their journal was lost"),
    };
    let rule = "every INVITE is told of by events";
    findings.noted(rule, evidence.facts.invites.len(), violations, note);
}

fn assigned(evidence: &Evidence, attempts: &HashMap<String, Attempt>, findings: &mut Findings) {
    let mut violations = Vec::new();
    for invite in &evidence.facts.invites {
        let Some(attempt) = attempts.get(&invite.attempt_id) else {
            violations.push(format!("never assigned: {invite:?}"));
            continue;
        };
        let same = attempt.call == invite.call
            && attempt.node == invite.node
            && attempt.trunk == invite.trunk;
        let (assigned_ms, _) = evidence.wall(ROUTERS, attempt.assigned_ms);
        if !same || assigned_ms > invite.at_ms() {
            violations.push(format!("{attempt:?}, and {invite:?}"));
        }
    }
    findings.rule(ASSIGNED, evidence.facts.invites.len(), violations);
}

fn in_time(evidence: &Evidence, attempts: &HashMap<String, Attempt>, findings: &mut Findings) {
    let mut violations = Vec::new();
    let mut excused = 0;
    for (attempt, invite) in pairs(evidence, attempts) {
        // What counts is the switch's clock: another's it can't know.
        let off_ms = evidence.clock_off(&invite.node, invite.at_ms()).min();
        let late_ms = invite.at_ms() + off_ms.unwrap_or(0) - attempt.not_after_ms;
        if late_ms <= SLACK_MS {
            continue;
        }
        // Between the look at the clock and the sending a switch can be made to stand still, and nothing
        // it does can prevent that.
        let (assigned_ms, _) = evidence.wall(ROUTERS, attempt.assigned_ms);
        if evidence.hindered(&invite.node, assigned_ms, invite.at_ms()) {
            excused += 1;
            continue;
        }
        violations.push(format!("{late_ms} ms late: {attempt:?}, {invite:?}"));
    }
    let note = match excused {
        0 => String::new(),
        some => format!("{some} more by switches that were stopped in the act"),
    };
    findings.noted(IN_TIME, evidence.facts.invites.len(), violations, note);
}

fn epochs(evidence: &Evidence, attempts: &HashMap<String, Attempt>, findings: &mut Findings) {
    let mut highest: HashMap<&str, (i64, i64)> = HashMap::new();
    let mut violations = Vec::new();
    // What a call's flow needs is got between the command and the dial, within `not_after`.
    let asked = evidence.asked.iter();
    let with_flow = asked.filter(|asked| asked.transfer.is_some());
    let with_flow: BTreeSet<_> = with_flow
        .filter_map(|asked| asked.call.as_deref())
        .collect();
    for (attempt, invite) in pairs(evidence, attempts) {
        let (epoch, since_ms) = highest.get(invite.node.as_str()).copied().unwrap_or((0, 0));
        if attempt.epoch > epoch {
            highest.insert(&invite.node, (attempt.epoch, invite.at_ms()));
            continue;
        }
        // Two calls admitted one after the other may be sent the other way round.
        let behind_ms = invite.at_ms() - since_ms;
        let (assigned_ms, _) = evidence.wall(ROUTERS, attempt.assigned_ms);
        let hindered = || evidence.hindered(&invite.node, assigned_ms, invite.at_ms());
        let wiped = || evidence.lost_journal(&invite.node, since_ms, invite.at_ms());
        let is_late = behind_ms > SLACK_MS && !with_flow.contains(attempt.call.as_str());
        if attempt.epoch < epoch && is_late && !hindered() && !wiped() {
            violations.push(format!(
                "{behind_ms} ms after epoch {epoch}: {attempt:?}, {invite:?}"
            ));
        }
    }
    findings.rule(EPOCHS, evidence.facts.invites.len(), violations);
}

fn given_up(evidence: &Evidence, attempts: &HashMap<String, Attempt>, findings: &mut Findings) {
    let taken_back = |attempt: &Attempt| attempt.outcome.as_deref() == Some("not_dialled");
    let violations = pairs(evidence, attempts)
        .filter(|(attempt, _)| taken_back(attempt))
        .map(|(attempt, invite)| told(evidence, &attempt.call, &[invite]))
        .collect();
    let cases = attempts
        .values()
        .filter(|attempt| taken_back(attempt))
        .count();
    findings.rule(GIVEN_UP, cases, violations);
}

fn pairs<'a>(
    evidence: &'a Evidence,
    attempts: &'a HashMap<String, Attempt>,
) -> impl Iterator<Item = (&'a Attempt, &'a Invite)> {
    let invites = evidence.facts.invites.iter();
    invites.filter_map(|invite| Some((attempts.get(&invite.attempt_id)?, invite)))
}

fn told(evidence: &Evidence, call: &str, invites: &[&Invite]) -> String {
    let calls = &evidence.facts.calls;
    match calls.iter().find(|row| row.call == call) {
        Some(row) => story(evidence, row),
        None => format!("no such call: {invites:?}"),
    }
}
