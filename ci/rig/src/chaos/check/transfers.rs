//! A transfer is one call to one number, and the one who was dialled is not left alone.

use super::super::facts::Call;
use super::calls::{by, events_of, story};
use super::{Evidence, Findings};
use std::collections::HashMap;

/// How much later than the end of the call that waited its INVITE may have left, and how much later the other side
/// may be hung up, ms.
const DIALLED_AFTER_MS: i64 = 500;
const LEFT_UP_MS: i64 = 3_000;

pub(super) fn check(evidence: &Evidence, findings: &mut Findings) {
    let calls = &evidence.facts.calls;
    let parents = by(calls, |call| &call.call);
    let others = || calls.iter().filter(|call| call.parent.is_some());
    once(evidence, others().collect(), findings);

    let (mut late, mut left_up, mut judged) = (Vec::new(), Vec::new(), 0);
    for other in others() {
        let parent = other.parent.as_deref().and_then(|uuid| parents.get(uuid));
        // One whose end no switch has told may have been up for longer than the gateway knows.
        let Some((parent, (_, end_ms))) =
            parent.and_then(|rows| Some((rows[0], hangup_ms(evidence, rows[0])?)))
        else {
            continue;
        };
        judged += 1;
        let told = || {
            format!(
                "{}\n    and {}",
                story(evidence, other),
                story(evidence, parent)
            )
        };
        let node = other.node.as_deref().unwrap_or_default();
        let excused = |until_ms| evidence.hindered(node, end_ms - LEFT_UP_MS, until_ms);
        let mut invites = evidence.facts.invites.iter();
        let dialled = invites.find(|invite| {
            let at_ms = invite.at_ms();
            invite.call == other.call && at_ms > end_ms + DIALLED_AFTER_MS && !excused(at_ms)
        });
        if dialled.is_some() {
            late.push(told());
        }
        if let Some((earliest_ms, _)) = hangup_ms(evidence, other)
            && earliest_ms > end_ms + LEFT_UP_MS
            && !excused(earliest_ms)
        {
            left_up.push(told());
        }
    }
    findings.rule("nobody is dialled for a call that has ended", judged, late);
    let rule = "whom a call was connected with does not stay up without it";
    findings.rule(rule, judged, left_up);
}

/// Each request has its call transferred once at the most, and to that number.
fn once(evidence: &Evidence, others: Vec<&Call>, findings: &mut Findings) {
    let asked = evidence.asked.iter();
    let asked = asked.filter_map(|asked| Some((asked.call.as_deref()?, asked.transfer.as_deref())));
    let asked: HashMap<&str, Option<&str>> = asked.collect();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut violations = Vec::new();
    for other in &others {
        let parent = other.parent.as_deref().unwrap_or_default();
        let times = seen.entry(parent).or_default();
        *times += 1;
        let wanted = asked.get(parent).copied().flatten();
        if *times > 1 || wanted != Some(&other.number) {
            violations.push(format!(
                "number {times} for that call, which was to be transferred to {wanted:?}: {}",
                story(evidence, other)
            ));
        }
    }
    let dialled = others.iter().filter(|other| {
        let mut invites = evidence.facts.invites.iter();
        invites.any(|invite| invite.call == other.call)
    });
    let connected = others.iter().filter(|other| {
        let mut events = events_of(evidence, other).iter();
        events.any(|event| event.name == "bridged")
    });
    findings.noted(
        "a transfer dials one number, as one call",
        others.len(),
        violations,
        format!(
            "{} dialled, {} connected",
            dialled.count(),
            connected.count()
        ),
    );
}

/// Between which moments a switch has hung the call up for good.
fn hangup_ms(evidence: &Evidence, call: &Call) -> Option<(i64, i64)> {
    let mut events = events_of(evidence, call).iter().rev();
    let hangup = events.find(|event| event.name == "hangup")?;
    Some(evidence.wall(&[call.node.as_deref()?], hangup.at_ms))
}
