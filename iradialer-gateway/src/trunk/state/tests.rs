use super::*;
use proptest::prelude::*;

const NOW: u64 = 1_790_000_000_000;

fn seen(now_ms: u64) -> Observed {
    Observed {
        assigned_ms: now_ms,
        in_second: 1,
        now_ms,
    }
}

fn fault() -> Evidence {
    Evidence::Fault("503 Service Unavailable".to_owned())
}

/// A trunk whose breaker has just opened.
fn opened() -> TrunkState {
    (0..FAULTS_TO_OPEN).fold(TrunkState::default(), |state, _| {
        state.after(&fault(), seen(NOW))
    })
}

#[test]
fn faults_in_a_row_open_the_breaker_and_a_good_probe_closes_it() {
    let mut state = TrunkState::default();
    for _ in 1..FAULTS_TO_OPEN {
        state = state.after(&fault(), seen(NOW));
        assert_eq!(state.gate(NOW), Gate::Open);
    }
    state = state.after(&fault(), seen(NOW));
    let until_ms = NOW + FIRST_OPEN_MS;
    assert_eq!(state.gate(NOW), Gate::Shut(until_ms, Shut::BreakerOpen));
    assert_eq!(
        state.gate(until_ms - 1),
        Gate::Shut(until_ms, Shut::BreakerOpen)
    );
    assert_eq!(
        state.breaker_reason.as_deref(),
        Some("503 Service Unavailable")
    );
    assert_eq!(state.gate(until_ms), Gate::Probe);

    let probing = state.probing(until_ms);
    let verdict_ms = until_ms + PROBE_WAIT_MS;
    assert_eq!(
        probing.gate(until_ms),
        Gate::Shut(verdict_ms, Shut::Probing)
    );
    assert_eq!(probing.gate(verdict_ms), Gate::Probe, "nobody said a word");
    let closed = probing.after(&Evidence::Works, seen(until_ms + 10));
    assert_eq!(closed.gate(until_ms + 10), Gate::Open);
    assert_eq!((closed.failures, closed.breaker_reason), (0, None));
}

#[test]
fn each_probe_that_fails_doubles_the_time_up_to_a_bound() {
    let mut state = opened();
    let mut open_ms = Vec::new();
    let mut now_ms = NOW;
    for _ in 0..9 {
        open_ms.push(state.breaker_until_ms - now_ms);
        now_ms = state.breaker_until_ms;
        assert_eq!(state.gate(now_ms), Gate::Probe);
        state = state.probing(now_ms).after(&fault(), seen(now_ms));
    }
    let seconds: Vec<u64> = open_ms.iter().map(|ms| ms / 1_000).collect();
    assert_eq!(seconds, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
}

#[test]
fn what_is_ours_to_put_right_opens_it_at_once_and_for_longer() {
    let misused = Evidence::Misused("403 Forbidden".to_owned());
    let state = TrunkState::default().after(&misused, seen(NOW));
    assert_eq!(state.gate(NOW), Gate::Shut(NOW + 40_000, Shut::BreakerOpen));
    assert_eq!(state.breaker_reason.as_deref(), Some("403 Forbidden"));
    let probing = state.probing(NOW + 40_000);
    let again = probing.after(&misused, seen(NOW + 40_000));
    assert_eq!(again.breaker_until_ms, NOW + 120_000);
}

#[test]
fn calls_of_before_it_opened_neither_close_it_nor_hold_it_open() {
    let state = opened();
    for late in [fault(), Evidence::Works, Evidence::Nothing] {
        let after = state.after(&late, seen(NOW + 100));
        assert_eq!(after, state, "{late:?}");
        let probing = state.probing(NOW + FIRST_OPEN_MS);
        let old = Observed {
            assigned_ms: NOW,
            ..seen(NOW + FIRST_OPEN_MS + 100)
        };
        assert_eq!(probing.after(&late, old), probing, "{late:?}");
    }
}

#[test]
fn a_probe_that_says_nothing_of_the_carrier_makes_way_for_the_next() {
    let now_ms = NOW + FIRST_OPEN_MS;
    let probing = opened().probing(now_ms);
    let after = probing.after(&Evidence::Nothing, seen(now_ms + 50));
    assert_eq!(after.gate(now_ms + 50), Gate::Probe);
    assert_eq!(after.failures, probing.failures);
}

#[test]
fn a_good_call_makes_up_for_a_fault() {
    let mut state = TrunkState::default();
    for _ in 0..100 {
        for _ in 1..FAULTS_TO_OPEN {
            state = state.after(&fault(), seen(NOW));
        }
        for _ in 1..FAULTS_TO_OPEN {
            state = state.after(&Evidence::Works, seen(NOW));
        }
    }
    assert_eq!((state.breaker, state.failures), (Breaker::Closed, 0));
}

#[test]
fn numbers_and_local_refusals_never_touch_a_trunk_that_works() {
    let state = TrunkState::default();
    for evidence in [Evidence::Works, Evidence::Ended, Evidence::Nothing] {
        assert_eq!(state.after(&evidence, seen(NOW)), state, "{evidence:?}");
    }
}

#[test]
fn the_rate_is_half_of_what_was_offered_and_creeps_up() {
    let twenty = Observed {
        in_second: 20,
        ..seen(NOW)
    };
    let state = TrunkState::default().after(&Evidence::TooFast, twenty);
    assert_eq!(state.rate(50.0, NOW), 10.0);
    assert_eq!(state.rate(4.0, NOW), 4.0, "never above what is configured");
    // Those that were refused with it.
    let same = state.after(&Evidence::TooFast, twenty);
    assert_eq!(same, state);
    for (after_ms, expected) in [
        (CREEP_MS / 2, 14.142),
        (CREEP_MS, 20.0),
        (2 * CREEP_MS, 40.0),
        (3 * CREEP_MS, 50.0),
        (u64::MAX / 2, 50.0),
    ] {
        let rate = state.rate(50.0, NOW + after_ms);
        assert!((rate - expected).abs() < 0.001, "{after_ms}: {rate}");
    }
    // Offered 12 at a rate that had crept up to 20: half of the 12.
    let later = Observed {
        in_second: 12,
        ..seen(NOW + CREEP_MS)
    };
    let slower = state.after(&Evidence::TooFast, later);
    assert_eq!(slower.rate(50.0, later.now_ms), 6.0);
    // Offered 30 in a burst at a rate of 20: half of the 20.
    let burst = Observed {
        in_second: 30,
        ..later
    };
    let slower = state.after(&Evidence::TooFast, burst);
    assert_eq!(slower.rate(50.0, later.now_ms), 10.0);
}

#[test]
fn no_room_waits_for_an_end_or_a_time() {
    let state = TrunkState::default().after(&Evidence::NoRoom, seen(NOW));
    let until_ms = NOW + ROOM_WAIT_MS;
    assert_eq!(state.gate(NOW), Gate::Shut(until_ms, Shut::NoRoom));
    assert_eq!(state.gate(until_ms), Gate::Open);
    let ended = state.after(&Evidence::Ended, seen(NOW + 100));
    assert_eq!(ended.gate(NOW + 100), Gate::Open);
    assert_eq!(ended.breaker, Breaker::Closed);
}

#[test]
fn a_clock_that_was_set_back_does_not_hold_a_trunk() {
    let long_ago = NOW - 86_400_000;
    assert_eq!(opened().gate(long_ago), Gate::Probe);
    let waiting = TrunkState::default().after(&Evidence::NoRoom, seen(NOW));
    assert_eq!(waiting.gate(long_ago), Gate::Open);
    let learned = TrunkState::default().after(&Evidence::TooFast, seen(NOW));
    let again = learned.after(&Evidence::TooFast, seen(long_ago));
    assert_eq!(again.learned.unwrap().at_ms, long_ago);
}

fn any_evidence() -> impl Strategy<Value = Evidence> {
    prop_oneof![
        Just(Evidence::Works),
        Just(Evidence::Ended),
        Just(fault()),
        Just(Evidence::Misused("401".to_owned())),
        Just(Evidence::TooFast),
        Just(Evidence::NoRoom),
        Just(Evidence::Nothing),
    ]
}

proptest! {
    /// Calls one after another, each let through by the gate: whatever they say, the trunk is never shut
    /// for longer than its bound, its rate never leaves its range, and a working carrier is found again.
    #[test]
    fn a_trunk_always_comes_back(
        told in proptest::collection::vec((any_evidence(), 0u64..100_000, 0u32..200), 0..60),
        max_cps in 0.1f64..500.0,
    ) {
        let mut state = TrunkState::default();
        let mut now_ms = NOW;
        for (evidence, gap_ms, in_second) in told {
            now_ms += gap_ms;
            let assigned_ms = now_ms;
            match state.gate(now_ms) {
                Gate::Open => {}
                Gate::Probe => state = state.probing(now_ms),
                Gate::Shut(until_ms, _) => {
                    prop_assert!(until_ms > now_ms && until_ms <= now_ms + MAX_OPEN_MS);
                    continue;
                }
            }
            let before = state.clone();
            state = state.after(&evidence, Observed { assigned_ms, in_second, now_ms });
            let rate = state.rate(max_cps, now_ms);
            prop_assert!(rate > 0.0 && rate <= max_cps);
            if evidence == Evidence::TooFast {
                prop_assert!(rate <= before.rate(max_cps, now_ms));
            }
            if matches!(evidence, Evidence::Fault(_) | Evidence::Misused(_)) {
                prop_assert!(state.failures > 0);
            } else {
                prop_assert!(state.failures <= before.failures);
                prop_assert!(state.breaker != Breaker::Open || before.breaker != Breaker::Closed);
            }
        }
        // From here on the carrier works.
        now_ms += MAX_OPEN_MS + PROBE_WAIT_MS;
        if state.gate(now_ms) == Gate::Probe {
            state = state.probing(now_ms).after(&Evidence::Works, seen(now_ms));
        }
        prop_assert_eq!(state.gate(now_ms), Gate::Open);
        prop_assert_eq!(state.breaker, Breaker::Closed);
    }

    /// A carrier that bears `real` calls a second and is offered all that is allowed: the rate comes down to
    /// what it bears within a few refusals, and does not stay far below it.
    #[test]
    fn the_learned_rate_settles_around_the_real_one(real in 2u32..100) {
        let mut state = TrunkState::default();
        let mut refused = 0;
        let mut placed = 0.0;
        for second in 0..1_200u64 {
            let now_ms = NOW + second * 1_000;
            let rate = state.rate(200.0, now_ms);
            let in_second = rate.floor().max(1.0) as u32;
            if rate > f64::from(real) {
                refused += 1;
                state = state.after(&Evidence::TooFast, Observed { assigned_ms: now_ms, in_second, now_ms });
            } else if second >= 600 {
                placed += rate;
            }
        }
        prop_assert!(refused <= 40, "{refused} refusals in 20 minutes");
        prop_assert!(placed / 600.0 >= f64::from(real) * 0.5, "{placed} at {real}");
    }
}
