//! What live requests have left for a call's session to do: one thing at a time, in the order of the requests.
//!
//! A request takes its place first and brings its work when that is ready (a text has been spoken, an address
//! fetched), so that a slow one is not overtaken. Pure but for its lock: nothing here waits.

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many requests may wait behind what is being done.
pub const MOST_WAITING: usize = 16;

/// The desk of one call.
pub struct Desk<J> {
    /// Read with each frame of audio.
    stop: AtomicBool,
    state: Mutex<State<J>>,
}

struct State<J> {
    at: At,
    /// What it is there for when it is not connected any more.
    before: At,
    busy: bool,
    queue: VecDeque<Place<J>>,
    next: u64,
    /// How many were dropped with what is being done now.
    dropped: u32,
}

struct Place<J> {
    ticket: Ticket,
    job: Option<J>,
}

/// What a call's session is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Nobody has answered yet.
    Unanswered,
    /// It runs its flow.
    Flow,
    /// It works off its desk.
    Desk,
    /// It is connected with another call.
    Bridge,
    /// It is over.
    Ended,
}

/// A place at a desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(u64);

/// Why a request is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// Nobody has answered yet.
    #[error("the call is not answered yet")]
    Unanswered,
    /// The call's flow says what is played and asked.
    #[error("the call runs its flow, which says what is played and asked")]
    FlowRunning,
    /// It is connected with another call.
    #[error("the call is connected with another one")]
    Bridged,
    /// It is over.
    #[error("the call has ended")]
    Ended,
    /// There are [`MOST_WAITING`] before it.
    #[error("{MOST_WAITING} requests wait already")]
    Full,
    /// A later request has stopped all that was asked for before.
    #[error("another request has stopped what was asked for")]
    Stopped,
}

/// What a stop has done.
#[derive(Debug, PartialEq, Eq)]
pub struct Stopping<J> {
    /// Whether something is being done, and will end with the next frame.
    pub under_way: bool,
    /// How many waited, and are dropped.
    pub dropped: u32,
    /// The first of them that had its work, where nothing is being done: it would have begun with the next frame.
    pub not_begun: Option<J>,
}

/// How full a desk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// What the session is there for.
    pub at: At,
    /// Whether a request is being done.
    pub busy: bool,
    /// How many wait.
    pub waiting: usize,
}

impl<J> Default for Desk<J> {
    fn default() -> Self {
        Desk {
            stop: AtomicBool::new(false),
            state: Mutex::new(State {
                at: At::Unanswered,
                before: At::Unanswered,
                busy: false,
                queue: VecDeque::new(),
                next: 0,
                dropped: 0,
            }),
        }
    }
}

impl<J> Desk<J> {
    /// Takes a place for work that [`Desk::fill`] brings.
    pub fn reserve(&self) -> Result<Ticket, NotTaken> {
        let mut state = self.state.lock();
        state.takes_work()?;
        if state.queue.len() >= MOST_WAITING {
            return Err(NotTaken::Full);
        }
        let ticket = Ticket(state.next);
        state.next += 1;
        state.queue.push_back(Place { ticket, job: None });
        Ok(ticket)
    }

    /// Brings the work of a place.
    ///
    /// # Errors
    /// [`NotTaken::Stopped`] where the place is gone, else why the session does no more work.
    pub fn fill(&self, ticket: Ticket, job: J) -> Result<(), NotTaken> {
        let mut state = self.state.lock();
        // A place that was taken before the call was connected is kept until it is parted.
        if state.at != At::Bridge {
            state.takes_work()?;
        }
        let place = state.queue.iter_mut().find(|place| place.ticket == ticket);
        place.ok_or(NotTaken::Stopped)?.job = Some(job);
        Ok(())
    }

    /// Gives a place back: its work can't be had.
    pub fn withdraw(&self, ticket: Ticket) {
        let mut state = self.state.lock();
        state.queue.retain(|place| place.ticket != ticket);
    }

    /// The next thing to do, if it is ready. The session's own thread says [`Desk::done`] after it.
    pub fn take(&self) -> Option<J> {
        let mut state = self.state.lock();
        if state.at != At::Desk || state.busy {
            return None;
        }
        let job = state.queue.front_mut()?.job.take()?;
        state.queue.pop_front();
        state.busy = true;
        Some(job)
    }

    /// What was taken is over. `Some` when it was stopped, with how many were dropped with it.
    pub fn done(&self) -> Option<u32> {
        let mut state = self.state.lock();
        state.busy = false;
        let dropped = std::mem::take(&mut state.dropped);
        self.stop.swap(false, Ordering::Relaxed).then_some(dropped)
    }

    /// Ends what is being done, and drops what waits.
    pub fn stop(&self) -> Result<Stopping<J>, NotTaken> {
        let mut state = self.state.lock();
        state.takes_work()?;
        let dropped = state.queue.len() as u32;
        let first = state.queue.drain(..).find_map(|place| place.job);
        if state.busy {
            state.dropped += dropped;
            self.stop.store(true, Ordering::Relaxed);
        }
        Ok(Stopping {
            under_way: state.busy,
            dropped,
            not_begun: first.filter(|_| !state.busy),
        })
    }

    /// Whether what is being done is to end.
    pub fn stop_wanted(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Says what the session is there for from now on. What waits is dropped when it is not for the desk, nor
    /// for a time that it is connected, and nothing comes after [`At::Ended`].
    pub fn be_at(&self, at: At) {
        let mut state = self.state.lock();
        if state.at == At::Ended {
            return;
        }
        if at == At::Bridge && state.at != At::Bridge {
            state.before = state.at;
        }
        state.at = at;
        if !matches!(at, At::Desk | At::Bridge) {
            state.queue.clear();
        }
    }

    /// It is not connected any more, and there for what it was before.
    pub fn be_back(&self) {
        let mut state = self.state.lock();
        if state.at == At::Bridge {
            state.at = state.before;
        }
    }

    /// How full it is.
    pub fn load(&self) -> Load {
        let state = self.state.lock();
        Load {
            at: state.at,
            busy: state.busy,
            waiting: state.queue.len(),
        }
    }
}

impl<J> State<J> {
    fn takes_work(&self) -> Result<(), NotTaken> {
        match self.at {
            At::Desk => Ok(()),
            At::Unanswered => Err(NotTaken::Unanswered),
            At::Flow => Err(NotTaken::FlowRunning),
            At::Bridge => Err(NotTaken::Bridged),
            At::Ended => Err(NotTaken::Ended),
        }
    }
}

#[cfg(test)]
mod tests;
