//! The records on their way to the disk.
//!
//! Waking a thread costs a switch more than writing a record does. So only a record that somebody waits
//! for wakes the journal's thread at once. The others lie until it looks, or until somebody writes a
//! record of his own: as long as there are calls it looks by itself, and only the first record after a
//! quiet while has to wake it.

use super::Waiting;
use parking_lot::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// Records that nobody waits for are gathered so long: a sync for each would cost the switch more than
/// the call does.
const GATHER: Duration = Duration::from_millis(20);

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<Waiting>,
    /// Somebody waits for one of them.
    urgent: bool,
    closed: bool,
    /// The thread looks by itself before long.
    watched: bool,
    /// There were records without hurry since it looked last.
    busy: bool,
}

impl State {
    fn must_act(&self) -> bool {
        self.urgent || self.closed
    }
}

impl Queue {
    /// Adds a record, or gives it back where none is taken any more. Never blocks.
    pub(super) fn push(&self, record: Waiting) -> Result<(), Waiting> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(record);
        }
        let wakes = match record.urgent {
            true => !state.urgent,
            false => !state.watched && state.waiting.is_empty(),
        };
        state.urgent |= record.urgent;
        state.waiting.push(record);
        drop(state);
        if wakes {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Whether none is taken any more.
    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// Takes no more.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_one();
    }

    /// Waits until there are records to write, or for `patience`; false when no more will come.
    pub(super) fn wait(&self, patience: Option<Duration>) -> bool {
        let mut state = self.state.lock();
        if std::mem::take(&mut state.busy) {
            self.watch(&mut state);
        }
        let until = patience.map(|patience| Instant::now() + patience);
        while state.waiting.is_empty() && !state.must_act() {
            match until {
                None => self.changed.wait(&mut state),
                Some(until) if self.changed.wait_until(&mut state, until).timed_out() => break,
                Some(_) => {}
            }
            // The one that woke it has only just come.
            if !state.waiting.is_empty() {
                self.watch(&mut state);
            }
        }
        !state.closed
    }

    /// Takes all there are, in the order they came.
    pub(super) fn drain(&self) -> Vec<Waiting> {
        let mut state = self.state.lock();
        state.urgent = false;
        let records = std::mem::take(&mut state.waiting);
        state.busy |= records.iter().any(|record| !record.urgent);
        records
    }

    /// Lets records gather.
    fn watch(&self, state: &mut parking_lot::MutexGuard<'_, State>) {
        state.watched = true;
        let until = Instant::now() + GATHER;
        while !state.must_act() && !self.changed.wait_until(state, until).timed_out() {}
        state.watched = false;
    }
}
