//! Dial timeouts and longest durations: one thread that sleeps until the next is due.

use iradialer_core::value::CallUuid;
use parking_lot::{Condvar, Mutex};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Due {
    /// The dial timeout of an attempt.
    DialTimeout(CallUuid),
    /// The longest duration of an attempt.
    MaxDuration(CallUuid),
}

/// The clock that timers go by.
pub trait TimerClock: Send + Sync {
    /// Time since some moment, µs; nobody sets it.
    fn now_us(&self) -> u64;
    /// How many of its seconds pass in a real one.
    fn rate(&self) -> f64;
}

/// The timers.
pub struct Timers {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    due: BTreeSet<(u64, Due)>,
    set_for: HashMap<Due, u64>,
    /// When the thread looks next by itself. A timer that was forgotten meanwhile does not change it:
    /// most calls end before anything is due, and each would wake the thread for nothing.
    wakes_us: u64,
    stopped: bool,
}

impl Timers {
    /// Starts the thread; `fire` is called on it for each timer that is due.
    pub fn start(
        clock: Arc<dyn TimerClock>,
        fire: impl Fn(Due) + Send + 'static,
    ) -> std::io::Result<Timers> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let seen = shared.clone();
        let thread = std::thread::Builder::new()
            .name("iradialer-timer".into())
            .spawn(move || run(&seen, &*clock, fire))?;
        Ok(Timers {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Timers that never fire.
    pub fn stopped() -> Timers {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        Timers {
            shared,
            thread: Mutex::new(None),
        }
    }

    /// Sets a timer for the clock's `at_us`, in place of the one that was set for the same.
    pub fn set(&self, at_us: u64, due: Due) {
        let mut state = self.shared.state.lock();
        let too_late = at_us < state.wakes_us;
        if let Some(before_us) = state.set_for.insert(due, at_us) {
            state.due.remove(&(before_us, due));
        }
        state.due.insert((at_us, due));
        if too_late {
            self.shared.changed.notify_one();
        }
    }

    /// Forgets a timer, if it is set: longest durations are hours, and calls seconds.
    pub fn cancel(&self, due: Due) {
        let mut state = self.shared.state.lock();
        if let Some(at_us) = state.set_for.remove(&due) {
            state.due.remove(&(at_us, due));
        }
    }

    /// How many are set.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.shared.state.lock().due.len()
    }

    /// Ends the thread; nothing is due any more.
    pub fn stop(&self) {
        self.shared.state.lock().stopped = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Timers {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(shared: &Shared, clock: &dyn TimerClock, fire: impl Fn(Due)) {
    let mut state = shared.state.lock();
    while !state.stopped {
        let now = clock.now_us();
        match state.due.first() {
            None => {
                state.wakes_us = u64::MAX;
                shared.changed.wait(&mut state);
            }
            Some(&(at_us, _)) if at_us > now => {
                state.wakes_us = at_us;
                let wait = Duration::from_micros(((at_us - now) as f64 / clock.rate()) as u64 + 1);
                shared.changed.wait_for(&mut state, wait);
            }
            Some(_) => {
                if let Some((_, due)) = state.due.pop_first() {
                    state.set_for.remove(&due);
                    parking_lot::MutexGuard::unlocked(&mut state, || fire(due));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Stopped(AtomicU64);

    impl TimerClock for Stopped {
        fn now_us(&self) -> u64 {
            self.0.load(Ordering::SeqCst)
        }
        fn rate(&self) -> f64 {
            1.0
        }
    }

    #[test]
    fn fires_in_order_and_only_what_is_due() {
        let clock = Arc::new(Stopped(AtomicU64::new(100)));
        let (fired, seen) = crossbeam_channel::unbounded();
        let timers = Timers::start(clock.clone(), move |due| fired.send(due).unwrap()).unwrap();
        let [a, b, c] = [CallUuid::fresh(), CallUuid::fresh(), CallUuid::fresh()];
        timers.set(1_000_000_000, Due::DialTimeout(c));
        clock.0.store(300, Ordering::SeqCst);
        timers.set(300, Due::DialTimeout(b));
        timers.set(200, Due::MaxDuration(a));
        let mut first_two = [seen.recv().unwrap(), seen.recv().unwrap()];
        first_two.sort();
        assert_eq!(first_two, [Due::DialTimeout(b), Due::MaxDuration(a)]);
        timers.stop();
        assert!(seen.try_recv().is_err());
    }
}
