//! A schedule: which of the decisions of a run go wrong, and what the callees do. It comes from one
//! number, and shrinks to the few faults that a violation needs.

use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use std::fmt;

/// Decisions of a run that a schedule reaches at the most.
const REACH: u32 = 700;
/// How many unforced choices a run makes: callees, clocks, times.
const SCRIPT: usize = 16;

/// What happens in a run beside the protocol itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Where it comes from.
    pub seed: u64,
    /// Which decisions are not harmless, in order: the number of the decision, and which harm.
    pub faults: Vec<(u32, u16)>,
    /// Choices that are no faults; 0 is the plainest.
    pub script: Vec<u16>,
}

impl Schedule {
    /// The schedule of that number.
    pub fn of(seed: u64) -> Schedule {
        let mut dice = Dice(seed);
        // Some runs have one fault or two, some have little else.
        let mean_gap = [8, 20, 60, 150][dice.below(4) as usize];
        let mut faults = Vec::new();
        let mut at = dice.below(2 * mean_gap);
        while at < REACH {
            faults.push((at, 1 + dice.below(u32::from(u16::MAX)) as u16));
            at += 1 + dice.below(2 * mean_gap);
        }
        let script = (0..SCRIPT).map(|_| dice.below(1 << 16) as u16).collect();
        Schedule {
            seed,
            faults,
            script,
        }
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Schedule {
            seed,
            faults,
            script,
        } = self;
        write!(f, "seed {seed}, faults {faults:?}, script {script:?}")
    }
}

/// SplitMix64: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 32) % u64::from(n)) as u32
    }
}

/// Every schedule.
#[derive(Debug)]
pub struct Schedules;

impl Strategy for Schedules {
    type Tree = Shrinking;
    type Value = Schedule;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let schedule = Schedule::of(proptest::prelude::Rng::next_u64(runner.rng()));
        Ok(Shrinking {
            chunk: schedule.faults.len().max(1),
            at: 0,
            progress: false,
            scripted: 0,
            failing: schedule.clone(),
            current: schedule,
        })
    }
}

/// Leaves out faults, ever fewer at once, then makes the script plain.
#[derive(Debug)]
pub struct Shrinking {
    failing: Schedule,
    current: Schedule,
    chunk: usize,
    /// Whether a pass over the faults has left some out, so that another may.
    progress: bool,
    at: usize,
    scripted: usize,
}

impl Shrinking {
    fn propose(&mut self) -> bool {
        self.current = self.failing.clone();
        while self.chunk > 0 {
            let faults = &mut self.current.faults;
            if self.at < faults.len() {
                let end = (self.at + self.chunk).min(faults.len());
                faults.drain(self.at..end);
                self.at = end;
                return true;
            }
            self.at = 0;
            self.chunk /= 2;
            if self.chunk == 0 && std::mem::take(&mut self.progress) {
                self.chunk = faults.len();
            }
        }
        while self.scripted < SCRIPT {
            let choice = &mut self.current.script[self.scripted];
            self.scripted += 1;
            if std::mem::take(choice) != 0 {
                return true;
            }
        }
        false
    }
}

impl ValueTree for Shrinking {
    type Value = Schedule;

    fn current(&self) -> Schedule {
        self.current.clone()
    }

    fn simplify(&mut self) -> bool {
        // What was left out was not needed; what came after it has moved up.
        let left_out = self.failing.faults.len() - self.current.faults.len();
        self.at = self.at.saturating_sub(left_out);
        self.progress |= left_out > 0;
        self.failing = self.current.clone();
        self.propose()
    }

    fn complicate(&mut self) -> bool {
        self.propose()
    }
}
