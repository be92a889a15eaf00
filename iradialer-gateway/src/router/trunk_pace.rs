//! How fast calls may be started on a trunk, as its far end counts them: by INVITEs, which come some time
//! after the router gave a call out, one sooner, another later.
//!
//! A call takes a place when it is given out, and keeps it until a window after its INVITE can last have
//! been sent. Of one INVITE too many in a window, all others would still have held their places when the
//! last of them was given out, and so it would not have been.

use super::pace::Pace;
use iradialer_core::value::{CallUuid, TrunkName};
use std::collections::HashMap;

/// A switch says that it has taken a call just before it sends the INVITE. From there to the SIP stack it
/// takes a fifth of a ms when there is room, and this long when every thread waits for a processor.
const TO_THE_WIRE_MS: u64 = 20;

/// A try at a call.
pub(super) type Try = (CallUuid, u32);

/// The pace of one trunk. Times are ms by the steady clock.
#[derive(Debug)]
pub(super) struct TrunkPace {
    /// Spreads what is given out.
    pace: Pace,
    /// When the INVITE of each try that holds a place is sent at the latest.
    places: HashMap<Try, u64>,
}

impl TrunkPace {
    /// A pace of `rate` INVITEs a second, above 0.
    pub(super) fn new(rate: f64, now_ms: u64) -> TrunkPace {
        TrunkPace {
            pace: Pace::new(rate, now_ms),
            places: HashMap::new(),
        }
    }

    /// Changes the rate from now on.
    pub(super) fn set_rate(&mut self, rate: f64, now_ms: u64) {
        self.pace.set_rate(rate, now_ms);
    }

    /// How many INVITEs a window may hold, and how long it is, ms: a second for a whole number of them.
    pub(super) fn window(&self) -> (usize, u64) {
        (self.pace.window_starts(), self.pace.window_ms())
    }

    /// When the next call may be given out, as far as is known; `now_ms` itself when it may be now. News of
    /// those on their way may make it sooner.
    pub(super) fn ready_ms(&mut self, now_ms: u64) -> u64 {
        let spread_ms = self.pace.ready_ms(now_ms);
        let (most, window_ms) = self.window();
        if self.places.len() < most {
            return spread_ms;
        }
        self.places
            .retain(|_, sent_ms| *sent_ms + window_ms > now_ms);
        let Some(too_many) = self.places.len().checked_sub(most) else {
            return spread_ms;
        };
        let mut sent_ms: Vec<u64> = self.places.values().copied().collect();
        let (_, next_ms, _) = sent_ms.select_nth_unstable(too_many);
        spread_ms.max(*next_ms + window_ms)
    }

    /// Gives `of` a place, as [`TrunkPace::ready_ms`] has allowed; its switch begins nothing after
    /// `not_after_ms`.
    pub(super) fn take(&mut self, of: Try, not_after_ms: u64, now_ms: u64) {
        self.pace.take(now_ms);
        self.places.insert(of, not_after_ms + TO_THE_WIRE_MS);
    }

    /// Gives places to tries that another router gave out, each with the time at which its switch had begun
    /// it, or begins it at the latest. What is known here of one is better.
    pub(super) fn take_over(&mut self, tries: impl IntoIterator<Item = (Try, u64)>) {
        for (of, begun_ms) in tries {
            self.places.entry(of).or_insert(begun_ms + TO_THE_WIRE_MS);
        }
    }

    /// The switch has begun it by now.
    fn begun(&mut self, of: Try, now_ms: u64) {
        if let Some(sent_ms) = self.places.get_mut(&of) {
            *sent_ms = now_ms + TO_THE_WIRE_MS;
        }
    }
}

/// How far ahead of now it was, or is, that a switch had begun a try by, ms: by whichever of `clocks` it is the
/// latest, since one of them may have written it, and no more than `most_ms`, since a time that is too far off
/// was written by yet another one.
pub(super) fn begun_ahead_ms(begun_ms: u64, clocks: [u64; 2], most_ms: u64) -> i64 {
    let ahead_of = |clock_ms: u64| begun_ms as i64 - clock_ms as i64;
    let [one, other] = clocks.map(ahead_of);
    one.max(other).min(most_ms as i64)
}

/// The paces of all trunks.
#[derive(Debug, Default)]
pub(super) struct TrunkPaces {
    by_trunk: HashMap<TrunkName, TrunkPace>,
}

impl TrunkPaces {
    /// The one of that trunk.
    pub(super) fn of(&mut self, trunk: &TrunkName) -> Option<&mut TrunkPace> {
        self.by_trunk.get_mut(trunk)
    }

    /// The one of that trunk, brought to `rate`, or begun with it.
    pub(super) fn at_rate(&mut self, trunk: &TrunkName, rate: f64, now_ms: u64) -> &mut TrunkPace {
        let pace = self
            .by_trunk
            .entry(trunk.clone())
            .or_insert_with(|| TrunkPace::new(rate, now_ms));
        pace.set_rate(rate, now_ms);
        pace
    }

    /// A switch has taken that try: its INVITE is sent by now, or is about to be.
    pub(super) fn begun(&mut self, of: Try, now_ms: u64) {
        for pace in self.by_trunk.values_mut() {
            pace.begun(of, now_ms);
        }
    }

    /// Nothing was sent for that try, nor will be: its place is free.
    pub(super) fn not_sent(&mut self, of: Try) {
        for pace in self.by_trunk.values_mut() {
            pace.places.remove(&of);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const NOT_AFTER_MS: u64 = 4_000;

    /// What becomes of a call that is given out, in ms from then on.
    #[derive(Debug, Clone, Copy)]
    enum Fate {
        /// The INVITE goes out, and the answer comes `until_answer` later.
        Taken {
            sent: u64,
            until_answer: u64,
        },
        /// The INVITE goes out so long after the answer came.
        TakenFirst {
            answer: u64,
            sent: u64,
        },
        Refused {
            answer: u64,
        },
        /// It is sent, and no answer comes.
        Silent {
            sent: u64,
        },
    }

    enum News {
        Begun(Try),
        NotSent(Try),
    }

    fn fate() -> impl Strategy<Value = Fate> {
        prop_oneof![
            4 => (0u64..1_500, 0u64..1_500)
                .prop_map(|(sent, until_answer)| Fate::Taken { sent, until_answer }),
            4 => (0u64..60, 0..=TO_THE_WIRE_MS)
                .prop_map(|(answer, sent)| Fate::TakenFirst { answer, sent }),
            1 => (0u64..1_000).prop_map(|answer| Fate::Refused { answer }),
            1 => (0..=NOT_AFTER_MS + TO_THE_WIRE_MS).prop_map(|sent| Fate::Silent { sent }),
        ]
    }

    /// Gives calls out as fast as the pace lets it, and returns when their INVITEs were sent. At
    /// `takeover_ms` another router takes over, which knows what is written: which tries there are, and of
    /// those in `known` when they had begun.
    fn run(rate: f64, fates: &[Fate], until_ms: u64, takeover_ms: Option<u64>) -> Vec<u64> {
        let mut pace = TrunkPace::new(rate, 0);
        let mut invites = Vec::new();
        let mut news: BTreeMap<u64, Vec<News>> = BTreeMap::new();
        let mut written: Vec<(Try, Option<u64>)> = Vec::new();
        let mut fates = fates.iter().cycle();
        for now in 0..until_ms {
            if takeover_ms == Some(now) {
                pace = TrunkPace::new(rate, now);
                let begun = |(of, known): &(Try, Option<u64>)| known.map(|at| (*of, at));
                pace.take_over(written.iter().filter_map(begun));
                news.clear();
            }
            for what in news.remove(&now).into_iter().flatten() {
                match what {
                    News::Begun(of) => {
                        pace.begun(of, now);
                        written.retain(|(other, _)| *other != of);
                        written.push((of, Some(now)));
                    }
                    News::NotSent(of) => {
                        pace.places.remove(&of);
                        written.retain(|(other, _)| *other != of);
                    }
                }
            }
            while pace.ready_ms(now) <= now {
                let of = (CallUuid::fresh(), 1);
                pace.take(of, now + NOT_AFTER_MS, now);
                written.push((of, Some(now + NOT_AFTER_MS)));
                let mut tell = |at: u64, what| news.entry(at).or_default().push(what);
                match *fates.next().unwrap() {
                    Fate::Taken { sent, until_answer } => {
                        invites.push(now + sent);
                        tell(now + sent + until_answer + 1, News::Begun(of));
                    }
                    Fate::TakenFirst { answer, sent } => {
                        invites.push(now + answer + 1 + sent);
                        tell(now + answer + 1, News::Begun(of));
                    }
                    Fate::Refused { answer } => tell(now + answer + 1, News::NotSent(of)),
                    Fate::Silent { sent } => invites.push(now + sent),
                }
            }
        }
        invites.sort_unstable();
        invites
    }

    #[test]
    fn a_start_counts_as_late_as_a_clock_that_may_have_written_it_says() {
        let ours = 10_000_000;
        for (begun_ms, theirs, expected) in [
            (ours - 300, ours, -300),
            // Our clock is four minutes ahead of the one that wrote it, or four minutes behind.
            (ours - 240_300, ours - 240_000, -300),
            (ours + 239_700, ours + 240_000, 4_000),
            // A command that is good for another second.
            (ours + 1_000, ours, 1_000),
        ] {
            assert_eq!(begun_ahead_ms(begun_ms, [ours, theirs], 4_000), expected);
        }
    }

    proptest! {
        #[test]
        fn never_more_invites_than_the_rate_however_long_they_are_on_their_way(
            rate in prop_oneof![Just(1.0), Just(2.5), Just(6.0), 0.4..40.0],
            fates in proptest::collection::vec(fate(), 1..40),
            takeover_ms in proptest::option::of(0u64..12_000),
        ) {
            let invites = run(rate, &fates, 15_000, takeover_ms);
            let (most, window_ms) = TrunkPace::new(rate, 0).window();
            for later in most..invites.len() {
                let took_ms = invites[later] - invites[later - most];
                prop_assert!(took_ms >= window_ms, "{} in {took_ms} ms", most + 1);
            }
        }
    }

    #[test]
    fn a_switch_that_answers_in_25_ms_costs_hardly_any_of_the_rate() {
        let fates = [Fate::TakenFirst {
            answer: 24,
            sent: 1,
        }];
        let a_second = run(100.0, &fates, 20_000, None).len() as f64 / 20.0;
        assert!((95.0..=100.0).contains(&a_second), "{a_second}");
    }

    #[test]
    fn one_that_does_not_answer_holds_its_place_until_it_can_begin_nothing_more() {
        let mut pace = TrunkPace::new(1.0, 0);
        let of = (CallUuid::fresh(), 1);
        pace.take(of, 4_000, 0);
        assert_eq!(pace.ready_ms(2_000), 5_000 + TO_THE_WIRE_MS);
        pace.begun(of, 3_000);
        assert_eq!(pace.ready_ms(3_000), 4_000 + TO_THE_WIRE_MS);
        assert_eq!(pace.ready_ms(4_020), 4_020);
    }

    #[test]
    fn a_refused_call_leaves_its_place_to_another() {
        let trunk = TrunkName::parse("trunk", "chime").unwrap();
        let mut paces = TrunkPaces::default();
        let of = (CallUuid::fresh(), 1);
        paces.at_rate(&trunk, 1.0, 0).take(of, 4_000, 0);
        assert_eq!(paces.of(&trunk).unwrap().ready_ms(1_500), 5_020);
        paces.not_sent(of);
        assert_eq!(paces.of(&trunk).unwrap().ready_ms(1_500), 1_500);
    }

    #[test]
    fn a_lower_rate_counts_what_is_on_its_way() {
        let mut pace = TrunkPace::new(10.0, 0);
        for n in 0..3 {
            pace.take((CallUuid::fresh(), n), 4_000, u64::from(n) * 100);
        }
        pace.set_rate(2.0, 300);
        assert_eq!(pace.ready_ms(300), 5_020);
    }
}
