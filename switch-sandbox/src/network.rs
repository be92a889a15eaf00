//! The threads on which the far end acts. They are few, and none of them is a session's own:
//! answers, digits and hangups come from outside, as on a real switch.

use crate::clock::Clock;
use parking_lot::{Condvar, Mutex};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const THREADS: usize = 4;

/// Runs jobs at their moments on the sandbox's clock. Jobs of one lane run on one thread, in
/// order of time.
pub struct Network {
    lanes: Vec<Arc<Lane>>,
    next_lane: AtomicUsize,
}

/// Which thread a call's far end acts on.
#[derive(Debug, Clone, Copy)]
pub struct LaneId(usize);

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Lane {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: BinaryHeap<Reverse<Due>>,
    next_number: u64,
}

struct Due {
    at_us: i64,
    /// Jobs of the same moment run in the order they came.
    number: u64,
    job: Job,
}

impl Network {
    /// Starts the threads; they live as long as the program.
    pub fn start(clock: Arc<Clock>) -> std::io::Result<Self> {
        let lanes = (0..THREADS).map(|number| {
            let lane = Arc::new(Lane::default());
            let (running, clock) = (lane.clone(), clock.clone());
            let thread = std::thread::Builder::new().name(format!("sip-{number}"));
            thread.spawn(move || running.run(&clock)).map(|_| lane)
        });
        let lanes = lanes.collect::<Result<_, _>>()?;
        Ok(Self {
            lanes,
            next_lane: AtomicUsize::new(0),
        })
    }

    /// The lane for a new call.
    pub fn lane(&self) -> LaneId {
        LaneId(self.next_lane.fetch_add(1, Ordering::Relaxed) % self.lanes.len())
    }

    /// Runs `job` at `at_us` of the clock, or as soon as may be.
    pub fn at(&self, lane: LaneId, at_us: i64, job: impl FnOnce() + Send + 'static) {
        self.lanes[lane.0].push(at_us, Box::new(job));
    }
}

impl Lane {
    fn push(&self, at_us: i64, job: Job) {
        let mut queue = self.queue.lock();
        let number = queue.next_number;
        queue.next_number += 1;
        queue.jobs.push(Reverse(Due { at_us, number, job }));
        self.changed.notify_one();
    }

    fn run(&self, clock: &Clock) -> ! {
        loop {
            (self.next(clock))();
        }
    }

    /// Waits for the next job to fall due.
    fn next(&self, clock: &Clock) -> Job {
        let mut queue = self.queue.lock();
        loop {
            let first_us = queue.jobs.peek().map(|Reverse(due)| due.at_us);
            match first_us {
                None => self.changed.wait(&mut queue),
                Some(at_us) if at_us > clock.now_us() => {
                    self.changed.wait_until(&mut queue, clock.instant(at_us));
                }
                Some(_) => {
                    if let Some(Reverse(due)) = queue.jobs.pop() {
                        return due.job;
                    }
                }
            }
        }
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_us, self.number).cmp(&(other.at_us, other.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn jobs_run_in_order_of_time() {
        let clock = Arc::new(Clock::start(100.0));
        let network = Network::start(clock.clone()).unwrap();
        let (done, ran) = mpsc::channel();
        let (lane, now_us) = (network.lane(), clock.now_us());
        for (name, after_us) in [("third", 400_000), ("first", 100_000), ("second", 200_000)] {
            let (done, clock) = (done.clone(), clock.clone());
            network.at(lane, now_us + after_us, move || {
                done.send((name, clock.now_us() >= now_us + after_us))
                    .unwrap();
            });
        }
        let ran: Vec<_> = ran.iter().take(3).collect();
        assert_eq!(ran, [("first", true), ("second", true), ("third", true)]);
    }
}
