//! Every request is answered, and every accepted call comes to exactly one end.

use super::super::chronicle::What;
use super::super::facts::{Call, Event};
use super::{Evidence, Findings, ROUTERS};
use std::collections::HashMap;

pub(super) fn check(evidence: &Evidence, findings: &mut Findings) {
    processes(evidence, findings);
    requests(evidence, findings);
    ends(evidence, findings);
    events(evidence, findings);
    webhooks(evidence, findings);
}

fn processes(evidence: &Evidence, findings: &mut Findings) {
    let starts = evidence.entries.iter().filter(|e| e.what == What::Started);
    let broke = |entry: &super::Entry| match &entry.what {
        What::Broke(how) => Some(format!("{} {}: {how}", entry.at_ms, entry.target.name())),
        _ => None,
    };
    let violations = evidence.entries.iter().filter_map(broke).collect();
    findings.rule(
        "no process ends by itself, each ends when asked",
        starts.count(),
        violations,
    );
}

fn requests(evidence: &Evidence, findings: &mut Findings) {
    let rows = by(&evidence.facts.calls, |call| &call.key);
    let mut violations = Vec::new();
    for asked in &evidence.asked {
        let found = rows.get(asked.key.as_str()).map_or(&[][..], Vec::as_slice);
        match (&asked.call, found, &asked.wrong) {
            (_, _, Some(wrong)) => violations.push(format!("{}: {wrong}", asked.key)),
            (None, ..) => violations.push(format!("{} was never answered", asked.key)),
            (Some(call), [row], None) if row.call == *call => {}
            (Some(call), rows, None) => {
                let rows: Vec<_> = rows.iter().map(|row| &row.call).collect();
                violations.push(format!(
                    "{}: answered {call}, the TDB has {rows:?}",
                    asked.key
                ));
            }
        }
    }
    findings.rule(
        "every request is accepted, as one call",
        evidence.asked.len(),
        violations,
    );
}

fn ends(evidence: &Evidence, findings: &mut Findings) {
    let calls = &evidence.facts.calls;
    let open = calls.iter().filter(|call| call.ended_ms.is_none());
    let violations: Vec<_> = open.map(|call| story(evidence, call)).collect();
    let late = match evidence.settled {
        true => String::new(),
        false => "not everything had settled in time".to_owned(),
    };
    findings.noted(
        "every accepted call has a final record",
        calls.len(),
        violations,
        late,
    );

    let mut violations = Vec::new();
    let mut told_later = 0;
    for call in calls {
        if call.ended_ms.is_none() {
            continue;
        }
        let events = events_of(evidence, call);
        let finals = events.iter().filter(|event| event.is_final).count();
        let is_last = events.last().is_some_and(|event| event.is_final);
        match (finals, is_last) {
            (1, true) => {}
            // What a switch still has to say of it is shown, and changes nothing.
            (1, false) if call.state == "unknown" => told_later += 1,
            _ => violations.push(format!("{finals} final events: {}", story(evidence, call))),
        }
    }
    let note = match told_later {
        0 => String::new(),
        some => format!("{some} heard of again after they had ended as unknown"),
    };
    findings.noted(
        "one final event, the last of its call",
        calls.len(),
        violations,
        note,
    );
}

fn events(evidence: &Evidence, findings: &mut Findings) {
    let mut violations = Vec::new();
    let mut excused = 0;
    for call in &evidence.facts.calls {
        let events = events_of(evidence, call);
        let in_call = events.iter().map(|event| event.seq);
        if !in_call.clone().eq(1..=call.last_seq) {
            violations.push(format!(
                "seq {:?}: {}",
                in_call.collect::<Vec<_>>(),
                story(evidence, call)
            ));
        }
        for (attempt, mut seqs) in by_attempt(events) {
            seqs.sort_unstable();
            if seqs.iter().copied().eq(1..=seqs.len() as i64) {
                continue;
            }
            let (_, to_ms) = evidence.wall(ROUTERS, call.ended_ms.unwrap_or(i64::MAX));
            let from_ms = call.created_ms;
            let node = call.node.as_deref().unwrap_or_default();
            if evidence.lost_journal(node, from_ms, to_ms) {
                excused += 1;
                continue;
            }
            violations.push(format!(
                "attempt {attempt} has {seqs:?}: {}",
                story(evidence, call)
            ));
        }
    }
    let note = match excused {
        0 => String::new(),
        some => format!("{some} gaps where a journal was lost"),
    };
    findings.noted(
        "event numbers have no gaps",
        evidence.facts.events.len(),
        violations,
        note,
    );
}

fn webhooks(evidence: &Evidence, findings: &mut Findings) {
    let mut finals: HashMap<&str, usize> = HashMap::new();
    for delivery in evidence.deliveries.iter().filter(|d| d.is_final()) {
        *finals.entry(delivery.call()).or_default() += 1;
    }
    let mut violations = evidence.refused.clone();
    for call in &evidence.facts.calls {
        match finals.get(call.call.as_str()) {
            Some(1) => {}
            count => violations.push(format!(
                "{} final webhooks: {}",
                count.unwrap_or(&0),
                story(evidence, call)
            )),
        }
    }
    let (due, dead) = (evidence.facts.webhooks_due, evidence.facts.webhooks_dead);
    if (due, dead) != (0, 0) {
        violations.push(format!("{due} deliveries are due, {dead} were given up"));
    }
    findings.rule(
        "one final webhook for each call, none given up",
        evidence.facts.calls.len(),
        violations,
    );
}

fn by_attempt(events: &[Event]) -> HashMap<i64, Vec<i64>> {
    let mut attempts: HashMap<i64, Vec<i64>> = HashMap::new();
    // Attempt 0 is the gateway's own events.
    for event in events.iter().filter(|event| event.attempt > 0) {
        attempts
            .entry(event.attempt)
            .or_default()
            .push(event.attempt_seq);
    }
    attempts
}

pub(super) fn events_of<'a>(evidence: &'a Evidence, call: &Call) -> &'a [Event] {
    evidence
        .facts
        .events
        .get(&call.call)
        .map_or(&[], Vec::as_slice)
}

pub(super) fn by<T>(rows: &[T], key: impl Fn(&T) -> &String) -> HashMap<&str, Vec<&T>> {
    let mut map: HashMap<&str, Vec<&T>> = HashMap::new();
    for row in rows {
        map.entry(key(row).as_str()).or_default().push(row);
    }
    map
}

/// Everything there is about a call, in one paragraph.
pub(super) fn story(evidence: &Evidence, call: &Call) -> String {
    let Call {
        call: uuid,
        number,
        state,
        attempt,
        ..
    } = call;
    let mut text = format!(
        "{uuid} to {number} is {state} at attempt {attempt} on {:?}, created {}, assigned {:?}, ended {:?} {}",
        call.node.as_deref().unwrap_or("-"),
        call.created_ms,
        call.assigned_ms,
        call.ended_ms,
        call.fault.as_deref().unwrap_or_default()
    );
    if let Some(parent) = &call.parent {
        text += &format!(", for {parent}");
    }
    let attempts = evidence
        .facts
        .attempts
        .iter()
        .flatten()
        .map(|(_, attempt)| attempt);
    let mut attempts: Vec<_> = attempts.filter(|attempt| attempt.call == *uuid).collect();
    attempts.sort_by_key(|attempt| attempt.attempt);
    for row in attempts {
        text += &format!(
            "\n      attempt {} {} at {} on {} trunk {} epoch {} outcome {:?}",
            row.attempt,
            row.attempt_id,
            row.assigned_ms,
            row.node,
            row.trunk,
            row.epoch,
            row.outcome
        );
    }
    for invite in evidence
        .facts
        .invites
        .iter()
        .filter(|invite| invite.call == *uuid)
    {
        text += &format!(
            "\n      INVITE {} at {} on {} trunk {}",
            invite.attempt_id,
            invite.at_ms(),
            invite.node,
            invite.trunk
        );
    }
    for event in events_of(evidence, call) {
        text += &format!(
            "\n      event {} ({}.{}) {} at {}{}",
            event.seq,
            event.attempt,
            event.attempt_seq,
            event.name,
            event.at_ms,
            if event.is_final { ", final" } else { "" }
        );
    }
    let (from_ms, to_ms) = (call.created_ms - 1_000, call.ended_ms.unwrap_or(i64::MAX));
    for entry in &evidence.entries {
        if let (true, What::Note(text_of)) = (
            (from_ms..=to_ms).contains(&(entry.at_ms as i64)),
            &entry.what,
        ) {
            text += &format!("\n      {} {text_of}", entry.at_ms);
        }
    }
    text
}
