use super::*;
use crate::catalogue::DEFAULT_REGION;
use crate::config::USUAL_WEIGHT;
use iradialer_core::wire::VERSION;
use proptest::prelude::*;
use std::collections::HashMap;

const LOST: Duration = Duration::from_secs(5);

fn node(name: &str) -> NodeId {
    NodeId::parse("node_id", name).unwrap()
}

fn trunk(name: &str) -> TrunkName {
    TrunkName::parse("trunk", name).unwrap()
}

fn heartbeat(name: &str, calls: u32, max_calls: u32) -> Heartbeat {
    Heartbeat {
        v: VERSION,
        node_id: node(name),
        incarnation: CallUuid::fresh(),
        journal_id: CallUuid::fresh(),
        state: SwitchState::Active,
        calls,
        setups: 0,
        max_calls,
        max_cps: 1000.0,
        license: None,
        events_waiting: 0,
        version: "0".into(),
        host: "test".into(),
        uptime_s: 1,
        at_ms: 0,
    }
}

fn standing(switches: &mut Switches, life: &Heartbeat, now_ms: u64) -> Standing {
    let (node, journal) = (&life.node_id, &life.journal_id);
    switches.standing(node, &life.incarnation, Some(journal), now_ms)
}

fn switches(heartbeats: &[Heartbeat]) -> Switches {
    let mut switches = Switches::new(LOST, 0);
    for heartbeat in heartbeats {
        assert_eq!(switches.hear(heartbeat.clone(), 0), Heard::Change);
    }
    switches
}

#[test]
fn the_least_loaded_switch_is_chosen() {
    let (a, b) = (heartbeat("a", 60, 100), heartbeat("b", 100, 1000));
    let mut switches = switches(&[a, b.clone()]);
    let chosen = switches.choose(&trunk("t"), 0).unwrap();
    assert_eq!(chosen.node, b.node_id);
    assert_eq!(chosen.incarnation, b.incarnation);
    assert_eq!(chosen.journal_id, b.journal_id);
}

#[test]
fn calls_are_shared_by_weight_and_capacity() {
    let weighing = |name: &str, weight| Node {
        address: None,
        node_id: node(name),
        weight,
        region: region(DEFAULT_REGION),
    };
    let nodes = [weighing("a", 300), weighing("none", 0)];
    let life = [
        heartbeat("a", 0, 1000),
        heartbeat("b", 0, 1000),
        heartbeat("small", 0, 100),
        heartbeat("none", 0, 1000),
    ];
    let mut switches = switches(&life).of(&region(DEFAULT_REGION), &nodes);
    let mut given: HashMap<String, u32> = HashMap::new();
    // In the proportion of weight times capacity: 300, 100 and 10.
    for now_ms in (0..410).map(|nth| nth * 10) {
        let chosen = switches.choose(&trunk("t"), now_ms).unwrap();
        switches.sent(&chosen.node, now_ms);
        switches.accepted(&chosen);
        switches.settled(&chosen.node);
        *given.entry(chosen.node.to_string()).or_default() += 1;
    }
    let share = |name: &str| given.get(name).copied().unwrap_or(0);
    assert_eq!(share("none"), 0);
    assert!((295..=305).contains(&share("a")), "{given:?}");
    assert!((97..=103).contains(&share("b")), "{given:?}");
    assert!((9..=11).contains(&share("small")), "{given:?}");
}

fn region(name: &str) -> RegionName {
    RegionName::parse("region", name).unwrap()
}

#[test]
fn a_region_has_its_own_switches_only() {
    let of = |name: &str, of: &str| Node {
        address: None,
        node_id: node(name),
        weight: USUAL_WEIGHT,
        region: region(of),
    };
    let nodes = [of("a", "eu"), of("b", "us")];
    let names = |chosen: Vec<Chosen>| -> Vec<String> {
        let names = chosen.iter().map(|chosen| chosen.node.to_string());
        names.collect()
    };
    for (own, expected) in [("eu", &["a"][..]), ("us", &["b"]), (DEFAULT_REGION, &["c"])] {
        let life = ["a", "b", "c"].map(|name| heartbeat(name, 0, 10));
        let mut switches = switches(&life).of(&region(own), &nodes);
        assert_eq!(names(switches.here(0)), expected);
        let chosen = switches.choose(&trunk("t"), 0).unwrap();
        assert_eq!(chosen.node.as_str(), expected[0]);
        let considered = switches.considered(None, 1, 0);
        assert_eq!(considered[0].node, chosen.node);
        assert_eq!(switches.considered(None, 9, 0).len(), 1);
        // Another's is heard all the same: what is open there may have become this region's.
        for life in &life {
            let standing = switches.standing(&life.node_id, &life.incarnation, None, 0);
            assert_eq!(standing, Standing::Here);
        }
    }
    let mut nowhere = switches(&[heartbeat("c", 0, 10)]).of(&region("asia"), &nodes);
    assert_eq!(nowhere.choose(&trunk("t"), 0), Err(NoSwitch::Wait));
}

#[test]
fn a_full_a_draining_and_a_silent_switch_get_nothing() {
    let mut full = switches(&[heartbeat("a", 10, 10)]);
    assert_eq!(full.choose(&trunk("t"), 0), Err(NoSwitch::Wait));

    let mut draining = heartbeat("a", 0, 10);
    draining.state = SwitchState::Draining;
    assert_eq!(
        switches(&[draining]).choose(&trunk("t"), 0),
        Err(NoSwitch::Wait)
    );

    let mut silent = switches(&[heartbeat("a", 0, 10)]);
    assert!(silent.choose(&trunk("t"), 5_000).is_ok());
    assert_eq!(silent.choose(&trunk("t"), 5_001), Err(NoSwitch::Wait));
}

#[test]
fn a_busy_switch_is_left_alone_for_a_moment() {
    let mut switches = switches(&[heartbeat("a", 0, 10)]);
    let chosen = switches.choose(&trunk("t"), 1_000).unwrap();
    switches.busy(&chosen, 1_000);
    assert_eq!(
        switches.choose(&trunk("t"), 1_000),
        Err(NoSwitch::Until(1_050))
    );
    assert!(switches.choose(&trunk("t"), 1_050).is_ok());
}

#[test]
fn a_trunk_that_is_down_leaves_the_others_of_the_switch() {
    let mut switches = switches(&[heartbeat("a", 0, 10)]);
    let chosen = switches.choose(&trunk("t"), 0).unwrap();
    switches.trunk_down(&chosen, &trunk("t"), 0);
    assert_eq!(switches.choose(&trunk("t"), 0), Err(NoSwitch::Until(5_000)));
    assert!(switches.choose(&trunk("u"), 0).is_ok());
}

#[test]
fn a_shunned_switch_is_forgiven_by_its_next_heartbeat() {
    let alive = heartbeat("a", 0, 10);
    let mut switches = switches(std::slice::from_ref(&alive));
    let chosen = switches.choose(&trunk("t"), 0).unwrap();
    switches.shun(&chosen);
    assert_eq!(switches.choose(&trunk("t"), 0), Err(NoSwitch::Wait));
    assert_eq!(switches.hear(alive, 100), Heard::Change);
    assert!(switches.choose(&trunk("t"), 100).is_ok());
}

#[test]
fn calls_accepted_since_the_last_heartbeat_count() {
    let alive = heartbeat("a", 0, 2);
    let mut switches = switches(std::slice::from_ref(&alive));
    let chosen = switches.choose(&trunk("t"), 0).unwrap();
    for _ in 0..2 {
        switches.sent(&chosen.node, 0);
        switches.settled(&chosen.node);
        switches.accepted(&chosen);
    }
    assert_eq!(switches.choose(&trunk("t"), 1_000), Err(NoSwitch::Wait));
    let more = Heartbeat { calls: 1, ..alive };
    assert_eq!(switches.hear(more, 1_000), Heard::Nothing);
    assert!(switches.choose(&trunk("t"), 1_000).is_ok());
}

#[test]
fn a_new_life_ends_the_old_one() {
    let old = heartbeat("a", 3, 10);
    let new = heartbeat("a", 0, 10);
    let mut switches = switches(std::slice::from_ref(&old));
    assert_eq!(standing(&mut switches, &old, 10), Standing::Here);
    assert_eq!(switches.hear(new.clone(), 1_000), Heard::Change);
    assert_eq!(
        standing(&mut switches, &old, 1_500),
        Standing::Replaced {
            since_ms: 500,
            by: None
        }
    );
    // What the old life says last does not bring it back.
    let mut leaving = old;
    leaving.state = SwitchState::Leaving;
    assert_eq!(switches.hear(leaving, 1_600), Heard::Nothing);
    assert_eq!(
        switches.choose(&trunk("t"), 1_600).unwrap().incarnation,
        new.incarnation
    );
}

#[test]
fn silence_that_is_ours_does_not_count() {
    let alive = heartbeat("a", 0, 10);
    let mut switches = switches(std::slice::from_ref(&alive));
    // Somebody looks at the table each second.
    for now_ms in (0..60_000).step_by(1_000) {
        switches.choose(&trunk("t"), now_ms).ok();
    }
    assert_eq!(
        standing(&mut switches, &alive, 60_000),
        Standing::Silent { for_ms: 60_000 }
    );
    switches.deaf_until(59_000);
    assert_eq!(
        standing(&mut switches, &alive, 60_000),
        Standing::Silent { for_ms: 1_000 }
    );
    let unheard = heartbeat("b", 0, 10);
    assert_eq!(
        standing(&mut switches, &unheard, 60_000),
        Standing::Silent { for_ms: 1_000 }
    );
}

/// Whoever looks first after a standstill, before any heartbeat that waits has been read.
#[test]
fn a_router_that_stood_still_takes_the_silence_for_its_own() {
    let alive = heartbeat("a", 0, 10);
    let mut switches = switches(std::slice::from_ref(&alive));
    assert_eq!(
        standing(&mut switches, &alive, 100_000),
        Standing::Silent { for_ms: 0 }
    );
    switches.hear(alive.clone(), 100_001);
    assert_eq!(standing(&mut switches, &alive, 100_001), Standing::Here);
}

#[test]
fn a_clock_that_is_set_back_makes_no_switch_live_for_ever() {
    let alive = heartbeat("a", 0, 10);
    let mut switches = switches(&[]);
    switches.hear(alive.clone(), 1_000_000);
    for now_ms in (0..=20_000).step_by(1_000) {
        switches.choose(&trunk("t"), now_ms).ok();
    }
    assert_eq!(
        standing(&mut switches, &alive, 20_000),
        Standing::Silent { for_ms: 20_000 }
    );
}

#[test]
fn a_late_heartbeat_of_an_earlier_life_replaces_nobody() {
    let old = heartbeat("a", 3, 10);
    let mut new = heartbeat("a", 0, 10);
    new.at_ms = 1_000;
    let mut switches = switches(std::slice::from_ref(&new));
    assert_eq!(
        switches.hear(old.clone(), 500),
        Heard::Nothing,
        "at_ms is 0"
    );
    assert_eq!(standing(&mut switches, &new, 500), Standing::Here);
    let chosen = switches.choose(&trunk("t"), 500).unwrap();
    assert_eq!(chosen.incarnation, new.incarnation);
    let replaced = Standing::Replaced {
        since_ms: 500,
        by: None,
    };
    assert_eq!(standing(&mut switches, &old, 500), replaced);
}

/// Another router may have given a call to a life that this one has not heard of yet.
#[test]
fn an_earlier_life_says_nothing_of_a_later_one() {
    let old = heartbeat("a", 3, 10);
    let new = heartbeat("a", 0, 10);
    let mut switches = switches(std::slice::from_ref(&old));
    assert_eq!(
        standing(&mut switches, &new, 1_000),
        Standing::Silent { for_ms: 1_000 }
    );
}

#[test]
fn a_later_life_with_the_same_journal_answers_for_an_earlier_one() {
    let old = heartbeat("a", 3, 10);
    let mut new = heartbeat("a", 0, 10);
    new.journal_id = old.journal_id;
    let mut switches = switches(std::slice::from_ref(&old));
    switches.hear(new.clone(), 1_000);
    let by_new = Standing::Replaced {
        since_ms: 500,
        by: Some(new.incarnation),
    };
    assert_eq!(standing(&mut switches, &old, 1_500), by_new);
}

/// The clock of the switch was set back before it was loaded again: its new life seems the earlier one.
#[test]
fn a_life_that_seems_earlier_follows_one_that_is_silent() {
    let (earlier, later) = (heartbeat("a", 0, 10), heartbeat("a", 0, 10));
    let mut switches = switches(std::slice::from_ref(&later));
    let mut heard = Vec::new();
    for now_ms in (1_000..=6_000).step_by(1_000) {
        heard.push(switches.hear(earlier.clone(), now_ms));
    }
    assert_eq!(heard.pop(), Some(Heard::Change));
    let chosen = switches.choose(&trunk("t"), 6_000).unwrap();
    assert_eq!(chosen.incarnation, earlier.incarnation);
    let replaced = Standing::Replaced {
        since_ms: 0,
        by: None,
    };
    assert_eq!(standing(&mut switches, &later, 6_000), replaced);
}

#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Heartbeat(u8),
    Dial,
    Answer { accepted: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (1u64..2_000).prop_map(Step::Wait),
        1 => (0u8..3).prop_map(Step::Heartbeat),
        4 => Just(Step::Dial),
        2 => any::<bool>().prop_map(|accepted| Step::Answer { accepted }),
    ]
}

proptest! {
    /// Whatever happens, a chosen switch was heard lately, is active and is never given more than it
    /// holds, however its heartbeats lag behind.
    #[test]
    fn no_switch_is_overfilled(maxima in proptest::collection::vec(0u32..6, 3), steps in proptest::collection::vec(step(), 1..200)) {
        let names = ["a", "b", "c"];
        let mut alive: Vec<Heartbeat> = names.iter().zip(&maxima).map(|(name, max)| heartbeat(name, 0, *max)).collect();
        let mut switches = switches(&alive);
        let mut heard_ms = [0u64; 3];
        let mut waiting: Vec<Chosen> = Vec::new();
        let mut now_ms = 0;
        for step in steps {
            match step {
                Step::Wait(ms) => now_ms += ms,
                Step::Heartbeat(which) => {
                    let which = usize::from(which);
                    switches.hear(alive[which].clone(), now_ms);
                    heard_ms[which] = now_ms;
                }
                Step::Dial => {
                    let Ok(chosen) = switches.choose(&trunk("t"), now_ms) else { continue };
                    let which = names.iter().position(|name| *name == chosen.node.as_str()).unwrap();
                    let unanswered = waiting.iter().filter(|other| other.node == chosen.node).count() as u32;
                    prop_assert!(now_ms - heard_ms[which] <= 5_000);
                    prop_assert!(alive[which].calls + unanswered < alive[which].max_calls);
                    switches.sent(&chosen.node, now_ms);
                    waiting.push(chosen);
                }
                Step::Answer { accepted } => {
                    let Some(chosen) = waiting.pop() else { continue };
                    switches.settled(&chosen.node);
                    if accepted {
                        switches.accepted(&chosen);
                        let which = names.iter().position(|name| *name == chosen.node.as_str()).unwrap();
                        alive[which].calls += 1;
                    }
                }
            }
        }
    }
}

#[test]
fn two_switches_of_one_name_are_told_once() {
    let (first, second) = (heartbeat("a", 0, 10), heartbeat("a", 0, 10));
    let mut switches = switches(std::slice::from_ref(&first));
    assert_eq!(
        switches.hear(second.clone(), 500),
        Heard::Change,
        "as after a restart"
    );
    assert_eq!(switches.hear(first.clone(), 1_000), Heard::TwoOfOneName);
    assert_eq!(switches.hear(second.clone(), 1_500), Heard::Nothing);
    assert_eq!(switches.hear(first.clone(), 2_000), Heard::Nothing);

    // Both have their calls, and neither gets more, until one has been gone for as long as makes a switch
    // lost.
    for life in [&first, &second] {
        assert_eq!(standing(&mut switches, life, 2_000), Standing::Here);
    }
    assert_eq!(switches.choose(&trunk("t"), 2_000), Err(NoSwitch::Wait));
    for now_ms in (2_500..=6_500).step_by(1_000) {
        switches.hear(first.clone(), now_ms);
        assert_eq!(switches.choose(&trunk("t"), now_ms), Err(NoSwitch::Wait));
    }
    switches.hear(first.clone(), 6_501);
    let chosen = switches.choose(&trunk("t"), 6_501).unwrap();
    assert_eq!(chosen.incarnation, first.incarnation);
}
