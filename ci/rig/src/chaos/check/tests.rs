//! Each rule finds the breach it is for, and nothing in a run without one.

use super::super::chronicle::{Entry, What};
use super::super::facts::{Attempt, Call, Event, Facts, Invite};
use super::super::load::Asked;
use super::super::target::Target;
use super::{Evidence, check};
use crate::webhook::Delivery;
use serde_json::json;
use std::collections::HashMap;
use std::time::Instant;

const NUMBER: &str = "+15005550007";
const REFUSES: &str = "+15005557503";
/// When the first call was asked for, ms since the Unix epoch.
const BEGAN_MS: i64 = 1_800_000_000_000;

/// A run of some calls, a second apart, each completed at its first attempt on the first switch.
fn clean(calls: usize) -> Evidence {
    let mut evidence = Evidence {
        asked: Vec::new(),
        facts: Facts {
            attempts: Some(HashMap::new()),
            ..Facts::default()
        },
        entries: Vec::new(),
        deliveries: Vec::new(),
        refused: Vec::new(),
        durable_journal: true,
        settled: true,
        not_struck: Vec::new(),
    };
    for index in 0..calls {
        add_call(&mut evidence, index);
    }
    evidence
}

fn add_call(evidence: &mut Evidence, index: usize) {
    let (call, key) = (format!("call-{index}"), format!("chaos-{index}"));
    let at_ms = BEGAN_MS + 1_000 * index as i64;
    evidence.asked.push(Asked {
        key: key.clone(),
        number: NUMBER,
        transfer: None,
        call: Some(call.clone()),
        wrong: None,
    });
    evidence.facts.calls.push(Call {
        call: call.clone(),
        key,
        number: NUMBER.into(),
        parent: None,
        state: "completed".into(),
        attempt: 1,
        node: Some("switch-a".into()),
        last_seq: 3,
        created_ms: at_ms,
        assigned_ms: Some(at_ms + 10),
        ended_ms: Some(at_ms + 800),
        fault: None,
    });
    let names = [("queued", 0, 1), ("started", 1, 1), ("hangup", 1, 2)];
    let events = names
        .iter()
        .zip(1..)
        .map(|(&(name, attempt, attempt_seq), seq)| Event {
            call: call.clone(),
            seq,
            attempt,
            attempt_seq,
            name: name.into(),
            at_ms: at_ms + 250 * seq,
            is_final: name == "hangup",
        });
    evidence.facts.events.insert(call.clone(), events.collect());
    add_attempt(evidence, index, 1, "alpha", 20);
    evidence.deliveries.push(Delivery {
        at: Instant::now(),
        id: format!("{call}.3"),
        authorization: String::new(),
        name: "hangup".into(),
        data: json!({"call_uuid": call, "final": true}),
    });
}

/// An attempt of the call and its INVITE, so many ms after the call was asked for.
fn add_attempt(evidence: &mut Evidence, index: usize, attempt: i64, trunk: &str, after_ms: i64) {
    let call = format!("call-{index}");
    let attempt_id = format!("{call}-{attempt}");
    let at_ms = BEGAN_MS + 1_000 * index as i64 + after_ms;
    let row = Attempt {
        call: call.clone(),
        attempt,
        attempt_id: attempt_id.clone(),
        trunk: trunk.into(),
        node: "switch-a".into(),
        epoch: 5,
        assigned_ms: at_ms - 10,
        not_after_ms: at_ms + 4_000,
        outcome: None,
    };
    let attempts = evidence.facts.attempts.get_or_insert_default();
    attempts.insert(attempt_id.clone(), row);
    evidence.facts.invites.push(Invite {
        at_us: at_ms as u64 * 1_000,
        attempt_id,
        call,
        number: evidence.facts.calls[index].number.clone(),
        trunk: trunk.into(),
        node: "switch-a".into(),
        journalled: Some(true),
    });
}

fn attempt_of<'a>(evidence: &'a mut Evidence, id: &str) -> &'a mut Attempt {
    let attempts = evidence.facts.attempts.as_mut();
    attempts.and_then(|attempts| attempts.get_mut(id)).unwrap()
}

fn happens(evidence: &mut Evidence, at_ms: i64, what: What) {
    evidence.entries.push(Entry {
        at_ms: at_ms as u64,
        target: Target::SwitchA,
        what,
    });
}

/// The rules that `evidence` breaks.
fn broken(evidence: &Evidence) -> Vec<&'static str> {
    let findings = check(evidence);
    let broken = findings
        .verdicts
        .iter()
        .filter(|v| !v.violations.is_empty());
    broken.map(|verdict| verdict.rule).collect()
}

#[test]
fn a_run_without_a_breach_is_clean() {
    let findings = check(&clean(20));
    assert!(findings.are_clean(), "{findings}");
}

#[test]
fn what_can_not_be_judged_is_not_clean() {
    let mut evidence = clean(2);
    evidence.facts.attempts = None;
    let findings = check(&evidence);
    assert!(broken(&evidence).is_empty(), "{findings}");
    assert!(!findings.are_clean() && findings.to_string().contains("not judged"));
}

#[test]
fn a_person_dialled_twice_is_found() {
    let mut evidence = clean(3);
    add_attempt(&mut evidence, 1, 2, "beta", 600);
    assert!(broken(&evidence).contains(&"at most one alerting INVITE a call"));
}

#[test]
fn a_trunk_that_refused_may_be_followed_by_another_and_not_by_itself() {
    let mut evidence = clean(1);
    evidence.facts.calls[0].number = REFUSES.into();
    evidence.facts.invites[0].number = REFUSES.into();
    let again = Event {
        seq: 4,
        attempt: 2,
        attempt_seq: 1,
        ..evidence.facts.events["call-0"][1].clone()
    };
    let mut both = evidence;
    both.facts.calls[0].last_seq = 4;
    let events = both.facts.events.get_mut("call-0").unwrap();
    events.insert(2, Event { seq: 3, ..again });
    events[3].seq = 4;
    add_attempt(&mut both, 0, 2, "beta", 400);
    assert_eq!(broken(&both), [""; 0]);
    add_attempt(&mut both, 0, 3, "alpha", 700);
    assert!(broken(&both).contains(&"at most one alerting INVITE a call"));
}

#[test]
fn an_attempt_dialled_twice_is_found() {
    let mut evidence = clean(1);
    let again = Invite {
        at_us: evidence.facts.invites[0].at_us + 500_000,
        ..evidence.facts.invites[0].clone()
    };
    evidence.facts.invites.push(again);
    assert!(broken(&evidence).contains(&"at most one INVITE an attempt"));
}

#[test]
fn a_call_that_is_lost_is_found() {
    let mut evidence = clean(2);
    evidence.facts.calls.pop();
    assert!(broken(&evidence).contains(&"every request is accepted, as one call"));
    let mut evidence = clean(2);
    evidence.facts.calls[1].ended_ms = None;
    assert!(broken(&evidence).contains(&"every accepted call has a final record"));
}

#[test]
fn two_ends_are_found() {
    let mut evidence = clean(2);
    evidence.facts.events.get_mut("call-1").unwrap()[1].is_final = true;
    assert_eq!(broken(&evidence), ["one final event, the last of its call"]);
    let mut evidence = clean(2);
    let mut again = evidence.deliveries[0].clone();
    again.id = "call-0.4".into();
    evidence.deliveries.push(again);
    assert_eq!(
        broken(&evidence),
        ["one final webhook for each call, none given up"]
    );
}

#[test]
fn a_gap_is_found_and_excused_only_by_a_lost_journal() {
    let gap = "event numbers have no gaps";
    let mut evidence = clean(2);
    evidence.facts.events.get_mut("call-1").unwrap()[2].attempt_seq = 3;
    assert_eq!(broken(&evidence), [gap]);
    happens(&mut evidence, BEGAN_MS + 1_100, What::Died);
    assert_eq!(broken(&evidence), [gap]);
    happens(&mut evidence, BEGAN_MS + 1_101, What::Wiped);
    assert_eq!(broken(&evidence), [""; 0]);
    evidence.facts.events.get_mut("call-0").unwrap()[2].seq = 4;
    assert_eq!(broken(&evidence), [gap]);
}

#[test]
fn an_invite_out_of_nowhere_or_elsewhere_is_found() {
    let rule = "every INVITE was assigned before, to that switch and trunk";
    let mut evidence = clean(2);
    attempt_of(&mut evidence, "call-1-1").trunk = "beta".into();
    assert_eq!(broken(&evidence), [rule]);
    let mut evidence = clean(2);
    attempt_of(&mut evidence, "call-1-1").assigned_ms += 100;
    assert_eq!(broken(&evidence), [rule]);
    let mut evidence = clean(2);
    evidence.facts.invites[1].attempt_id = "nobody's".into();
    assert!(broken(&evidence).contains(&rule));
}

#[test]
fn an_invite_that_is_late_stale_or_taken_back_is_found() {
    let mut evidence = clean(3);
    attempt_of(&mut evidence, "call-1-1").not_after_ms -= 5_000;
    assert_eq!(
        broken(&evidence),
        ["no INVITE after not_after by the switch's clock"]
    );
    happens(
        &mut evidence,
        BEGAN_MS + 1_012,
        What::Hindered {
            until_ms: BEGAN_MS as u64 + 1_019,
        },
    );
    assert_eq!(broken(&evidence), [""; 0]);

    let mut evidence = clean(3);
    attempt_of(&mut evidence, "call-1-1").epoch = 4;
    let stale = "no INVITE under an epoch older than one the switch has seen";
    assert_eq!(broken(&evidence), [stale]);

    let mut evidence = clean(3);
    attempt_of(&mut evidence, "call-1-1").outcome = Some("not_dialled".into());
    assert_eq!(
        broken(&evidence),
        ["no INVITE for an attempt that was taken back"]
    );
}

#[test]
fn a_trunk_driven_too_hard_is_found() {
    const RATE: &str = "no trunk gets more INVITEs a second than it may";
    let mut evidence = clean(30);
    let began_ms = BEGAN_MS + 30_000;
    for index in 0..30 {
        let at_ms = began_ms + 100 * index as i64;
        evidence.facts.invites[index].at_us = at_ms as u64 * 1_000;
        attempt_of(&mut evidence, &format!("call-{index}-1")).assigned_ms = at_ms - 400;
    }
    let found = broken(&evidence);
    assert!(found.contains(&RATE), "{found:?}");
    assert!(
        found.contains(&"no trunk has more calls at once than it may"),
        "{found:?}"
    );
    assert!(
        found.contains(&"the cluster has no more calls at once than its licence allows"),
        "{found:?}"
    );
    // However they were spaced when they were given out.
    for index in 0..30 {
        let at_ms = began_ms - 10_000 + 200 * index;
        attempt_of(&mut evidence, &format!("call-{index}-1")).assigned_ms = at_ms;
    }
    assert!(broken(&evidence).contains(&RATE));
}

#[test]
fn unknown_needs_a_death() {
    let mut evidence = clean(2);
    evidence.facts.calls[1].state = "unknown".into();
    let rule = "a call ends as unknown only if its switch died or was given up with it";
    assert_eq!(broken(&evidence), [rule]);
    happens(&mut evidence, BEGAN_MS + 1_100, What::Died);
    assert_eq!(broken(&evidence), [""; 0]);
    happens(
        &mut evidence,
        BEGAN_MS,
        What::Broke("ended by itself".into()),
    );
    assert_eq!(
        broken(&evidence),
        ["no process ends by itself, each ends when asked"]
    );
}

#[test]
fn an_invite_without_a_journal_is_found() {
    let mut evidence = clean(2);
    evidence.facts.invites[1].journalled = Some(false);
    let rule = "every INVITE stood in the journal before it went out";
    assert_eq!(broken(&evidence), [rule]);
    evidence.facts.invites[1].journalled = None;
    assert_eq!(broken(&evidence), [""; 0]);
}

#[test]
fn an_invite_nobody_tells_of_is_found() {
    let mut evidence = clean(2);
    let events = evidence.facts.events.get_mut("call-1").unwrap();
    events.remove(1);
    events[1].attempt = 0;
    events[1].seq = 2;
    evidence.facts.calls[1].last_seq = 2;
    assert_eq!(broken(&evidence), ["every INVITE is told of by events"]);
}

#[test]
fn what_did_not_strike_is_found() {
    let mut evidence = clean(2);
    evidence.not_struck.push("no full disk".into());
    assert_eq!(
        broken(&evidence),
        ["a long run has every kind of fault and every failpoint"]
    );
}

#[test]
fn a_clock_that_was_moved_excuses_what_it_shows_and_no_more() {
    let assigned = "every INVITE was assigned before, to that switch and trunk";
    let moved = |evidence: &mut Evidence, target, off_ms, until_ms| {
        evidence.entries.push(Entry {
            at_ms: BEGAN_MS as u64,
            target,
            what: What::ClockMoved { off_ms, until_ms },
        });
    };
    let soon_ms = BEGAN_MS as u64 + 3_000;
    // A router that is a minute ahead writes down a later time.
    let mut evidence = clean(6);
    attempt_of(&mut evidence, "call-1-1").assigned_ms += 60_000;
    assert_eq!(broken(&evidence), [assigned]);
    moved(&mut evidence, Target::RouterB, 60_000, soon_ms);
    assert_eq!(broken(&evidence), [""; 0]);
    // But only while it is.
    attempt_of(&mut evidence, "call-5-1").assigned_ms += 60_000;
    assert_eq!(broken(&evidence), [assigned]);

    // A switch that is a minute behind takes what is a minute old, and nothing older.
    let in_time = "no INVITE after not_after by the switch's clock";
    let mut evidence = clean(6);
    attempt_of(&mut evidence, "call-1-1").not_after_ms -= 30_000;
    assert_eq!(broken(&evidence), [in_time]);
    moved(&mut evidence, Target::SwitchA, -60_000, soon_ms);
    assert_eq!(broken(&evidence), [""; 0]);
    attempt_of(&mut evidence, "call-2-1").not_after_ms -= 90_000;
    assert_eq!(broken(&evidence), [in_time]);
}

#[test]
fn a_switch_that_was_given_up_explains_unknown() {
    let mut evidence = clean(2);
    evidence.facts.calls[1].state = "unknown".into();
    let rule = "a call ends as unknown only if its switch died or was given up with it";
    let until = |ms: u64| What::Hindered {
        until_ms: BEGAN_MS as u64 + ms,
    };
    happens(&mut evidence, BEGAN_MS, until(29_000));
    assert_eq!(broken(&evidence), [rule]);
    happens(&mut evidence, BEGAN_MS, until(31_000));
    assert_eq!(broken(&evidence), [""; 0]);
}

#[test]
fn only_what_ended_as_unknown_is_told_of_after_its_end() {
    let mut evidence = clean(2);
    let events = evidence.facts.events.get_mut("call-1").unwrap();
    events[2].is_final = false;
    events[1].is_final = true;
    let last = "one final event, the last of its call";
    assert_eq!(broken(&evidence), [last]);
    evidence.facts.calls[1].state = "unknown".into();
    assert!(!broken(&evidence).contains(&last));
}

#[test]
fn what_came_by_wire_is_named_though_the_router_s_clock_was_ahead() {
    let mut evidence = clean(2);
    for (index, invite) in evidence.facts.invites.iter_mut().enumerate() {
        invite.attempt_id.clear();
        invite.call = format!("chaos-{index}");
    }
    attempt_of(&mut evidence, "call-1-1").assigned_ms += 60_000;
    evidence.name_what_came_by_wire();
    let names = |evidence: &Evidence| -> Vec<_> {
        let invites = evidence.facts.invites.iter();
        invites.map(|invite| invite.attempt_id.clone()).collect()
    };
    assert_eq!(names(&evidence), ["call-0-1", ""], "assigned after it");

    let moved = What::ClockMoved {
        off_ms: 60_000,
        until_ms: BEGAN_MS as u64 + 5_000,
    };
    happens(&mut evidence, BEGAN_MS, moved);
    evidence.entries[0].target = Target::RouterA;
    evidence.name_what_came_by_wire();
    assert_eq!(names(&evidence), ["call-0-1", "call-1-1"]);
}

/// A run in which the second call is dialled for the first, which lasts as long.
fn transferred() -> Evidence {
    let mut evidence = clean(3);
    evidence.asked[0].transfer = Some(NUMBER.into());
    evidence.asked.remove(1);
    let other = &mut evidence.facts.calls[1];
    other.parent = Some("call-0".into());
    other.key = String::new();
    hang_up(&mut evidence, "call-0", 1_750);
    evidence
}

fn hang_up(evidence: &mut Evidence, call: &str, after_ms: i64) {
    let events = evidence.facts.events.get_mut(call).unwrap();
    events[2].at_ms = BEGAN_MS + after_ms;
}

#[test]
fn a_transfer_is_no_breach() {
    assert_eq!(broken(&transferred()), [""; 0]);
}

#[test]
fn a_transfer_that_is_made_twice_or_elsewhere_is_found() {
    let rule = "a transfer dials one number, as one call";
    let mut evidence = transferred();
    let again = &mut evidence.facts.calls[2];
    again.parent = Some("call-0".into());
    evidence.asked.truncate(1);
    hang_up(&mut evidence, "call-0", 2_750);
    assert_eq!(broken(&evidence), [rule]);
    let mut evidence = transferred();
    evidence.asked[0].transfer = Some(REFUSES.into());
    assert_eq!(broken(&evidence), [rule]);
    evidence.asked[0].transfer = None;
    assert_eq!(broken(&evidence), [rule]);
}

#[test]
fn who_is_dialled_for_nobody_or_left_up_is_found() {
    let mut evidence = transferred();
    hang_up(&mut evidence, "call-0", 400);
    assert_eq!(
        broken(&evidence),
        ["nobody is dialled for a call that has ended"]
    );
    let mut evidence = transferred();
    hang_up(&mut evidence, "call-1", 4_900);
    assert_eq!(
        broken(&evidence),
        ["whom a call was connected with does not stay up without it"]
    );
    let stands = What::Hindered {
        until_ms: BEGAN_MS as u64 + 4_800,
    };
    happens(&mut evidence, BEGAN_MS + 1_000, stands);
    assert_eq!(broken(&evidence), [""; 0]);
}
