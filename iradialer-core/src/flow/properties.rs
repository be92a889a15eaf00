//! What holds of every flow, whatever is pressed and whenever.

pub mod any_flow;
mod any_json;
mod any_step;
mod silence;

use super::document::{Flow, Step};
use super::scripted_leg::{Did, Ran, ran};
use super::{FlowEndWhy, MAX_NODE_VISITS, Report, check, parse};
use any_flow::{flow, leg, sound_flow};
use proptest::prelude::*;
use silence::silence_can_be_held_for_ever;

/// Every key pressed was taken once and in order, or is still there.
fn no_key_lost_or_doubled(pressed: &str, ran: &Ran) {
    let left: String = ran.leg.keys.iter().map(|(_, key)| *key).collect();
    assert_eq!(ran.leg.taken() + &left, pressed);
}

/// A key that cut a prompt short is the next to be taken, unless the leg ends before.
fn the_key_that_interrupts_stays(ran: &Ran) {
    let mut interrupted_by = None;
    for did in &ran.leg.did {
        match did {
            Did::Played(_, key) => {
                assert!(
                    interrupted_by.is_none() || (*key == interrupted_by),
                    "{did:?}"
                );
                interrupted_by = *key;
            }
            Did::Took(key) => {
                assert!(
                    interrupted_by.is_none_or(|interrupting| interrupting == *key),
                    "{did:?}"
                );
                interrupted_by = None;
            }
            Did::Waited(_) => assert_eq!(interrupted_by, None),
            _ => {}
        }
    }
}

/// What was played is what was reported; the time adds up to the leg's clock.
fn times_add_up(ran: &Ran) {
    let reported: u64 = ran
        .notes
        .reports
        .iter()
        .map(|report| match report {
            Report::PlayDone { played_ms, .. } => *played_ms,
            _ => 0,
        })
        .sum();
    let played: u64 = ran
        .leg
        .did
        .iter()
        .map(|did| match did {
            Did::Played(ms, _) | Did::PlayedOut(ms) => *ms,
            _ => 0,
        })
        .sum();
    if ran.end.why == FlowEndWhy::HungUp {
        assert!(reported <= played && played <= ran.leg.now_ms);
    } else {
        assert_eq!(reported, played);
    }
}

/// The variables at the end are those that were told, and an input is in its own.
fn variables_are_as_told(ran: &Ran) {
    assert_eq!(ran.end.variables, ran.notes.set);
    for report in &ran.notes.reports {
        if let Report::DtmfCollected { var_name, .. } = report {
            assert!(ran.end.variables.contains_key(var_name));
        }
    }
}

/// Each report is one that its node can make, and nodes report in the order they were come to.
fn reports_fit_the_nodes(flow: &Flow, ran: &Ran) {
    let mut visits = ran.notes.nodes.iter();
    let mut at = visits.next();
    for report in &ran.notes.reports {
        let node = report.node();
        while at.map(String::as_str) != Some(node) {
            assert!(at.is_some(), "{node} was not come to");
            at = visits.next();
        }
        if let Report::DtmfCollected {
            digits,
            valid,
            tries,
            ..
        } = report
        {
            let (retries, may_be_valid) = match &flow.nodes[node].step {
                Step::Menu(menu) => (menu.retries, menu.choices.contains_key(digits)),
                Step::Collect(collect) => {
                    assert!(digits.len() <= collect.max_digits as usize);
                    assert!(!digits.contains(|key| collect.terminators.contains(key)));
                    (collect.retries, digits.len() >= collect.min_digits as usize)
                }
                Step::Confirm(confirm) => {
                    let meaning = digits.chars().next().and_then(|key| confirm.meaning(key));
                    (confirm.retries, meaning.is_some())
                }
                other => panic!("a {} collects nothing", other.name()),
            };
            assert!((1..=retries + 1).contains(tries));
            assert!(!valid || may_be_valid, "{report:?}");
            assert!(
                *valid || *tries == retries + 1,
                "given up early: {report:?}"
            );
        }
    }
    assert_eq!(ran.notes.nodes.last(), Some(&ran.end.node));
}

/// The digits that were reported are those that were taken. Only where nothing is asked again, as
/// the digits of the tries before the last are not reported.
fn reported_digits_are_those_taken(flow: &Flow, ran: &Ran) {
    let digits = ran.notes.reports.iter().filter_map(|report| match report {
        Report::DtmfCollected { digits, .. } => Some(digits.as_str()),
        _ => None,
    });
    let reported: String = digits.collect();
    // Keys that end an input are taken and not reported.
    let ends_input = |key: char| {
        flow.nodes.values().any(|node| match &node.step {
            Step::Collect(collect) => collect.terminators.contains(key),
            _ => false,
        })
    };
    let without = |keys: &str| {
        keys.chars()
            .filter(|key| !ends_input(*key))
            .collect::<String>()
    };
    let taken = without(&ran.leg.taken());
    if ran.end.why == FlowEndWhy::HungUp {
        assert!(taken.starts_with(&without(&reported)), "{taken} {reported}");
    } else {
        assert_eq!(taken, without(&reported));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_flow_ends_and_its_reports_are_true(flow in flow(), leg in leg()) {
        let pressed: String = leg.keys.iter().map(|(_, key)| *key).collect();
        let ran = ran(&flow, leg);
        prop_assert!(ran.notes.nodes.len() <= MAX_NODE_VISITS as usize);
        no_key_lost_or_doubled(&pressed, &ran);
        the_key_that_interrupts_stays(&ran);
        times_add_up(&ran);
        variables_are_as_told(&ran);
        reports_fit_the_nodes(&flow, &ran);
    }

    #[test]
    fn digits_taken_are_digits_reported(mut flow in flow(), leg in leg()) {
        for node in flow.nodes.values_mut() {
            match &mut node.step {
                Step::Menu(menu) => menu.retries = 0,
                Step::Collect(collect) => collect.retries = 0,
                Step::Confirm(confirm) => confirm.retries = 0,
                // What it takes is not reported.
                Step::Wait(wait) => wait.until_key = false,
                _ => {}
            }
        }
        reported_digits_are_those_taken(&flow, &ran(&flow, leg));
    }

    #[test]
    fn a_hangup_is_never_outlived(flow in flow(), mut leg in leg(), hangup_ms in 0..60_000_u64) {
        leg.hangup_ms = Some(hangup_ms);
        let ran = ran(&flow, leg);
        prop_assert!(ran.leg.now_ms <= hangup_ms);
        prop_assert!(ran.end.why != FlowEndWhy::HungUp || ran.leg.now_ms == hangup_ms);
    }

    #[test]
    fn a_sound_flow_has_no_error_and_comes_to_its_end(flow in sound_flow(), leg in leg()) {
        let errors: Vec<_> = check(&flow).into_iter().filter(|finding| finding.is_error()).collect();
        prop_assert_eq!(errors, vec![]);
        let hangs_up = leg.hangup_ms.is_some();
        let why = ran(&flow, leg).end.why;
        prop_assert!(why == FlowEndWhy::Done || (hangs_up && why == FlowEndWhy::HungUp), "{why:?}");
    }

    #[test]
    fn silent_loops_are_those_that_there_are(flow in flow()) {
        let findings = check(&flow);
        // A start that goes back ends in a fault, and is an error of its own.
        prop_assume!(!findings.iter().any(|finding| finding.message.contains("nowhere to go back to")));
        let found = findings.iter().any(|finding| finding.message.contains("goes round for ever"));
        prop_assert_eq!(found, silence_can_be_held_for_ever(&flow));
    }

    #[test]
    fn a_flow_survives_the_way_through_json(flow in flow()) {
        let json = serde_json::to_vec(&flow).unwrap();
        prop_assert_eq!(&serde_json::from_slice::<Flow>(&json).unwrap(), &flow);
        match parse(&json) {
            Ok((parsed, warnings)) => {
                prop_assert_eq!(parsed, flow.clone());
                prop_assert_eq!(warnings, check(&flow));
            }
            Err(findings) => prop_assert_eq!(findings, check(&flow)),
        }
    }

    #[test]
    fn no_document_makes_parse_panic(flow in flow(), at in 0..1_000_usize, byte in any::<u8>(), cut in any::<bool>()) {
        let mut json = serde_json::to_vec(&flow).unwrap();
        let at = at % json.len();
        if cut {
            json.truncate(at);
        } else {
            json[at] = byte;
        }
        if let Err(findings) = parse(&json) {
            prop_assert!(findings.iter().any(|finding| finding.is_error()));
        }
    }

    /// Until the hangup a run is the one that there is without it, with the variables of that moment.
    #[test]
    fn a_hangup_changes_nothing_of_what_was_before(flow in flow(), mut leg in leg(), hangup_ms in 0..60_000_u64) {
        leg.hangup_ms = None;
        let whole = ran(&flow, leg.clone());
        leg.hangup_ms = Some(hangup_ms);
        let cut = ran(&flow, leg);
        prop_assert!(whole.notes.nodes.starts_with(&cut.notes.nodes));
        if cut.end.why == FlowEndWhy::HungUp {
            // A recording that the hangup ends has a report of its own.
            let same = cut.notes.reports.iter().zip(&whole.notes.reports).take_while(|(one, other)| one == other);
            prop_assert!(same.count() + 1 >= cut.notes.reports.len());
        } else {
            prop_assert_eq!(cut.end, whole.end);
        }
    }

    #[test]
    fn no_json_makes_parse_panic(json in any_json::any_json()) {
        let begun = std::time::Instant::now();
        let parsed = parse(json.to_string().as_bytes());
        prop_assert!(begun.elapsed().as_secs() < 5, "{json}");
        if let Ok((flow, _)) = parsed {
            let again = parse(&serde_json::to_vec(&flow).unwrap());
            prop_assert_eq!(again.unwrap().0, flow);
        }
    }
}
