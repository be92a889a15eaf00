//! When a failed delivery is tried again.

use rand::Rng;
use std::time::Duration;

/// The longest wait a receiver's `Retry-After` is followed for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);
/// How far a wait may be from the schedule, so that what failed together does not come back together.
const JITTER: f64 = 0.1;

/// How long to wait after the failed try number `tries` (from 1); `None` when it was the last. A
/// receiver's `Retry-After` lengthens the wait, never shortens it.
pub fn next_wait(
    schedule: &[Duration],
    tries: u32,
    retry_after: Option<Duration>,
    random: &mut impl Rng,
) -> Option<Duration> {
    let index = usize::try_from(tries.max(1) - 1).ok()?;
    let planned = schedule.get(index)?;
    let jittered = planned.mul_f64(random.random_range(1.0 - JITTER..=1.0 + JITTER));
    let asked = retry_after.map_or(Duration::ZERO, |wait| wait.min(MAX_RETRY_AFTER));
    Some(jittered.max(asked))
}

/// No delivery waits longer for its next try.
pub fn longest(schedule: &[Duration]) -> Duration {
    let planned = schedule.iter().max().copied().unwrap_or_default();
    planned.mul_f64(1.0 + JITTER).max(MAX_RETRY_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn the_schedule_ends() {
        let schedule = [Duration::from_secs(5), Duration::from_secs(30)];
        let mut random = StdRng::seed_from_u64(1);
        assert!(next_wait(&schedule, 2, None, &mut random).is_some());
        assert_eq!(next_wait(&schedule, 3, None, &mut random), None);
        assert_eq!(next_wait(&[], 1, None, &mut random), None);
    }

    proptest! {
        #[test]
        fn waits_keep_to_the_schedule(seed: u64, tries in 1u32..=3, asked in proptest::option::of(0u64..200_000)) {
            let schedule = [5, 30, 300].map(Duration::from_secs);
            let asked = asked.map(Duration::from_secs);
            let mut random = StdRng::seed_from_u64(seed);
            let wait = next_wait(&schedule, tries, asked, &mut random).unwrap();
            let planned = schedule[tries as usize - 1];
            prop_assert!(wait >= planned.mul_f64(1.0 - JITTER));
            prop_assert!(wait >= asked.unwrap_or_default().min(MAX_RETRY_AFTER));
            prop_assert!(wait <= planned.mul_f64(1.0 + JITTER).max(asked.unwrap_or_default().min(MAX_RETRY_AFTER)));
        }
    }
}
