//! The threads that begin calls, apart from those that talk to NATS: the disk and the host may take a while.

use crate::call::Call;
use crate::engine::Reply;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use parking_lot::Mutex;
use std::sync::Arc;
use std::thread::JoinHandle;

/// Making a channel is the host's work, about a millisecond of it: more threads than this gain nothing.
const THREADS: usize = 2;
/// Admission bounds the calls being set up; this is that bound once more.
const QUEUE: usize = 256;

/// The most calls one thread begins at once: they share a sync of the journal.
const AT_ONCE: usize = 8;

/// A call to begin, and where the answer goes.
pub type Job = (Arc<Call>, Reply);

/// The dialer.
pub struct Dialer {
    queue: Mutex<Option<Sender<Job>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Dialer {
    /// Starts the threads; `begin` is called on one of them for the calls that wait.
    pub fn start(begin: impl Fn(Vec<Job>) + Send + Sync + 'static) -> std::io::Result<Dialer> {
        let (sender, receiver) = bounded::<Job>(QUEUE);
        let begin = Arc::new(begin);
        let dialer = Dialer {
            queue: Mutex::new(Some(sender)),
            threads: Mutex::new(Vec::new()),
        };
        for index in 0..THREADS {
            let (receiver, begin): (Receiver<Job>, _) = (receiver.clone(), begin.clone());
            let thread = std::thread::Builder::new()
                .name(format!("iradialer-dial{index}"))
                .spawn(move || {
                    while let Ok(first) = receiver.recv() {
                        let share = (receiver.len() / THREADS).min(AT_ONCE - 1);
                        begin(
                            std::iter::once(first)
                                .chain(receiver.try_iter().take(share))
                                .collect(),
                        );
                    }
                })?;
            dialer.threads.lock().push(thread);
        }
        Ok(dialer)
    }

    /// One that takes nothing.
    pub fn stopped() -> Dialer {
        Dialer {
            queue: Mutex::new(None),
            threads: Mutex::new(Vec::new()),
        }
    }

    /// Hands a call to the threads, or gives it back when they have too much to do or have stopped.
    pub fn submit(&self, call: Arc<Call>, reply: Reply) -> Result<(), Job> {
        match &*self.queue.lock() {
            None => Err((call, reply)),
            Some(queue) => queue.try_send((call, reply)).map_err(|error| match error {
                TrySendError::Full(job) | TrySendError::Disconnected(job) => job,
            }),
        }
    }

    /// Begins what was handed over, and ends the threads.
    pub fn stop(&self) {
        self.queue.lock().take();
        for thread in self.threads.lock().drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Dialer {
    fn drop(&mut self) {
        self.stop();
    }
}
