//! Who may use how much: a licence's channels and rate, shared by switches so that all of them together never use
//! more, whatever answers are lost.
//!
//! A switch *may* use whatever it was last told, and what it was told before until it says that it has less. The
//! highest of these is its **height**, and heights are what is counted: a share that is lowered stays at its old
//! height until the switch has confirmed the lower one, or its lease has run out. What is left above all other
//! heights is what one may be given.

use iradialer_core::wire::Use;

/// How much of its share a switch has to use to count as busy, of 10.
const BUSY: u64 = 9;

/// What one switch holds of what is shared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// What it uses, as it last said.
    pub using: u32,
    /// What it may use by the lease that it last said it holds.
    pub has: u32,
    /// What it could use by its own settings.
    pub most: u32,
    /// The most that it may be using now, as far as anybody can know.
    pub height: u32,
}

impl Share {
    /// As the switch says. What it was told before and never got is of no account any more: it takes no answers but
    /// to its last question.
    pub fn said(said: Use) -> Self {
        Share {
            using: said.using,
            has: said.has,
            most: said.most,
            height: said.has.max(said.using),
        }
    }

    /// What it wants. One that uses almost all that it has wants all that it can take; any other a little more than
    /// it uses, so that it can begin to be busy.
    fn wants(&self, step: u32) -> u32 {
        let is_busy = self.has > 0 && u64::from(self.using) * 10 >= u64::from(self.has) * BUSY;
        let a_little_more = self.using.saturating_add(self.using / 8);
        match is_busy {
            true => self.most,
            false => a_little_more.saturating_add(step).min(self.most),
        }
    }
}

/// Gives the switch at `own` what is its due of `limit`, as far as the others' heights leave it, and counts it as
/// given. `step` is the least that is worth giving.
pub fn give(limit: u32, shares: &mut [Share], own: usize, step: u32) -> u32 {
    let due = fair(limit, shares, step);
    let others: u64 = shares
        .iter()
        .enumerate()
        .filter(|(place, _)| *place != own)
        .map(|(_, share)| u64::from(share.height))
        .sum();
    let left = u64::from(limit).saturating_sub(others);
    let given = due[own].min(u32::try_from(left).unwrap_or(u32::MAX));
    shares[own].height = shares[own].height.max(given);
    given
}

/// What is due to each: first what each wants, then what is left, both by how much each could use. The sum is the
/// limit, or all that they can use.
fn fair(limit: u32, shares: &[Share], step: u32) -> Vec<u32> {
    let mut due = vec![0; shares.len()];
    let wanted: Vec<u32> = shares.iter().map(|share| share.wants(step)).collect();
    let left = fill(u64::from(limit), shares, &wanted, &mut due);
    let most: Vec<u32> = shares.iter().map(|share| share.most).collect();
    fill(left, shares, &most, &mut due);
    due
}

/// Raises what is due to each up to `to`, by weight, as far as `left` goes. Returns what is left.
fn fill(mut left: u64, shares: &[Share], to: &[u32], due: &mut [u32]) -> u64 {
    let lacks = |due: &[u32], place: usize| u64::from(to[place].saturating_sub(due[place]));
    loop {
        let open: Vec<usize> = (0..shares.len()).filter(|it| lacks(due, *it) > 0).collect();
        let weight: u64 = open.iter().map(|it| u64::from(shares[*it].most)).sum();
        if left == 0 || open.is_empty() {
            return left;
        }
        let mut given = 0;
        for place in &open {
            let part = left * u64::from(shares[*place].most) / weight.max(1);
            let part = part.min(lacks(due, *place));
            due[*place] += part as u32;
            given += part;
        }
        left -= given;
        if given == 0 {
            // Less is left than there are switches: one each, in their order.
            for place in open.into_iter().take(left as usize) {
                due[place] += 1;
                left -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn share(using: u32, has: u32, most: u32) -> Share {
        Share::said(Use { using, has, most })
    }

    #[test]
    fn shares_are_fair_by_demand() {
        let due = |limit, shares: &[Share]| fair(limit, shares, 1);
        // Nobody uses anything: by what they could.
        assert_eq!(due(100, &[share(0, 0, 300), share(0, 0, 100)]), [75, 25]);
        // One is busy, the other keeps a little.
        assert_eq!(due(100, &[share(50, 50, 500), share(0, 50, 500)]), [99, 1]);
        assert_eq!(
            due(100, &[share(50, 50, 500), share(16, 50, 500)]),
            [81, 19]
        );
        // Both are busy, however much one of them has.
        assert_eq!(due(100, &[share(99, 99, 500), share(1, 1, 500)]), [50, 50]);
        // Both are busy, and one could use little.
        assert_eq!(due(100, &[share(50, 50, 500), share(10, 10, 10)]), [99, 1]);
        assert_eq!(due(100, &[share(5, 10, 20), share(5, 10, 30)]), [20, 30]);
        // There is less than one each.
        assert_eq!(
            due(2, &[share(0, 0, 9), share(0, 0, 9), share(0, 0, 9)]),
            [1, 1, 0]
        );
        assert_eq!(due(0, &[share(4, 4, 9)]), [0]);
        assert_eq!(fair(100, &[], 1), [0u32; 0]);
    }

    #[test]
    fn what_another_may_still_use_is_not_given() {
        let mut shares = [share(10, 100, 500), share(0, 0, 500)];
        assert_eq!(give(100, &mut shares, 1, 1), 0);
        // The first is to have less: it counts as it was until it says so.
        assert!(give(100, &mut shares, 0, 1) < 100);
        assert_eq!(shares[0].height, 100);
        assert_eq!(give(100, &mut shares, 1, 1), 0);
        shares[0] = share(10, 50, 500);
        assert_eq!(give(100, &mut shares, 1, 1), 44);
        assert_eq!(shares[1].height, 44);
    }

    proptest! {
        #[test]
        fn no_more_is_due_than_there_is_and_no_less_than_they_can_use(
            limit in 0u32..2_000,
            shares in prop::collection::vec((0u32..300, 0u32..300, 1u32..400), 0..8),
        ) {
            let shares: Vec<Share> = shares.into_iter().map(|(u, h, m)| share(u, h, m)).collect();
            let due = fair(limit, &shares, 1);
            let most: u32 = shares.iter().map(|share| share.most).sum();
            prop_assert_eq!(due.iter().sum::<u32>(), limit.min(most));
            for (due, share) in due.iter().zip(&shares) {
                prop_assert!(*due <= share.most);
            }
        }

        /// Switches that begin and end calls and ask, with answers that are lost, or come too late.
        #[test]
        fn all_of_them_never_use_more_than_there_is(
            limit in 1u32..60,
            steps in prop::collection::vec((0usize..4, 0u8..5, any::<bool>()), 1..400),
        ) {
            let mut caps = [0u32; 4];
            let mut using = [0u32; 4];
            let mut shares = [share(0, 0, 50); 4];
            for (who, what, is_lost) in steps {
                match what {
                    0 | 1 if using[who] < caps[who] => using[who] += 1,
                    2 => using[who] = using[who].saturating_sub(1),
                    3 | 4 => {
                        let said = Use { using: using[who], has: caps[who], most: 50 };
                        shares[who] = Share::said(said);
                        let given = give(limit, &mut shares, who, 1);
                        if !is_lost {
                            caps[who] = given;
                        }
                    }
                    _ => {}
                }
                prop_assert!(using.iter().sum::<u32>() <= limit, "{using:?} {caps:?}");
            }
        }

        /// Whatever was before, after a few rounds of answers that come those who want it have it all.
        #[test]
        fn they_reach_what_there_is(
            limit in 4u32..200,
            before in prop::collection::vec((0u32..50, 1u32..200), 2..5),
        ) {
            let mut caps: Vec<u32> = vec![0; before.len()];
            let mut using: Vec<u32> = vec![0; before.len()];
            let most: Vec<u32> = before.iter().map(|(_, most)| *most).collect();
            let mut shares: Vec<Share> = most.iter().map(|most| share(0, 0, *most)).collect();
            for _ in 0..12 {
                for who in 0..caps.len() {
                    let said = Use { using: using[who], has: caps[who], most: most[who] };
                    shares[who] = Share::said(said);
                    caps[who] = give(limit, &mut shares, who, 1);
                    using[who] = caps[who];
                }
            }
            prop_assert_eq!(using.iter().sum::<u32>(), limit.min(most.iter().sum()));
        }
    }
}
