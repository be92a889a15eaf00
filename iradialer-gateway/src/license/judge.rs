//! The time that a licence is judged by: the highest that was seen, and what has passed since by a clock that nobody
//! sets. Whoever sets the clock of the machine back gains nothing by it.

use crate::clock::Moment;

/// Clocks of several machines may differ by so much, ms: only one that is further behind was set back.
const TOLERATED_MS: u64 = 300_000;

/// What is known of the time.
#[derive(Debug, Default)]
pub(super) struct Judge {
    /// The highest time seen, ms since the Unix epoch, and what the steady clock showed then.
    highest_ms: u64,
    steady_ms: u64,
    /// Of which licence that is: time begins anew with each.
    place: u64,
}

impl Judge {
    /// Takes in the highest time that any process has noted, since the licence of that place was installed.
    pub(super) fn look(&mut self, noted_ms: u64, place: u64, now: Moment) {
        let own_ms = match place == self.place {
            true => self.now_ms(now),
            false => now.wall_ms,
        };
        self.highest_ms = own_ms.max(noted_ms);
        self.steady_ms = now.steady_ms;
        self.place = place;
    }

    /// The time it is taken to be, ms since the Unix epoch.
    pub(super) fn now_ms(&self, now: Moment) -> u64 {
        now.wall_ms.max(self.at_least_ms(now))
    }

    /// The place of the licence that it is judged under; 0: none.
    pub(super) fn place(&self) -> u64 {
        self.place
    }

    /// How far the wall clock is behind that, ms, where it is too much to be chance.
    pub(super) fn set_back_ms(&self, now: Moment) -> Option<u64> {
        let behind_ms = self.at_least_ms(now).saturating_sub(now.wall_ms);
        (behind_ms > TOLERATED_MS).then_some(behind_ms)
    }

    fn at_least_ms(&self, now: Moment) -> u64 {
        let passed_ms = now.steady_ms.saturating_sub(self.steady_ms);
        match self.highest_ms {
            0 => 0,
            highest_ms => highest_ms.saturating_add(passed_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 86_400_000;
    const NOW: u64 = 1_790_000_000_000;

    fn at(wall_ms: u64, steady_ms: u64) -> Moment {
        Moment { wall_ms, steady_ms }
    }

    #[test]
    fn time_goes_on_though_the_clock_was_set_back() {
        let mut judge = Judge::default();
        assert_eq!(judge.set_back_ms(at(NOW, 0)), None);
        judge.look(0, 0, at(NOW, 0));
        assert_eq!(judge.now_ms(at(NOW + 5, 5)), NOW + 5);
        let back = NOW - 30 * DAY_MS;
        assert_eq!(judge.now_ms(at(back, 10)), NOW + 10);
        assert_eq!(judge.set_back_ms(at(back, 10)), Some(30 * DAY_MS + 10));
        // Each look goes on from where time was.
        judge.look(NOW, 0, at(back, DAY_MS));
        assert_eq!(judge.now_ms(at(back, 2 * DAY_MS)), NOW + 2 * DAY_MS);
        // Set right again, nothing is left of it.
        let right = at(NOW + 2 * DAY_MS, 2 * DAY_MS);
        assert_eq!(judge.set_back_ms(right), None);
    }

    #[test]
    fn what_another_process_has_seen_counts_and_small_differences_do_not() {
        let mut judge = Judge::default();
        judge.look(NOW + DAY_MS, 3, at(NOW, 7));
        assert_eq!(judge.now_ms(at(NOW, 7)), NOW + DAY_MS);
        assert_eq!(judge.set_back_ms(at(NOW, 7)), Some(DAY_MS));
        let little = at(NOW + DAY_MS - TOLERATED_MS, 7);
        assert_eq!(judge.set_back_ms(little), None);
    }

    #[test]
    fn time_begins_anew_with_a_later_licence() {
        let mut judge = Judge::default();
        let wrong = NOW + 3_650 * DAY_MS;
        judge.look(wrong, 1, at(wrong, 0));
        judge.look(wrong, 1, at(NOW, 10));
        assert_eq!(judge.now_ms(at(NOW, 10)), wrong + 10);
        judge.look(NOW, 2, at(NOW + 20, 30));
        assert_eq!(judge.now_ms(at(NOW + 20, 30)), NOW + 20);
        assert_eq!(judge.set_back_ms(at(NOW + 20, 30)), None);
    }
}
