//! Events on their way out. A session's thread leaves an event here and goes on; the link's task
//! takes it to the event stream.

use iradialer_core::wire::SwitchEvent;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// Past so many waiting events no new call is taken, so that what is promised can be kept.
pub const HIGH_WATER: u64 = 50_000;
/// The most events taken at once.
const FEW: usize = 256;

/// The end that takes events.
#[derive(Clone)]
pub struct Outbox {
    queue: mpsc::UnboundedSender<SwitchEvent>,
    waiting: Arc<AtomicU64>,
}

/// The end that delivers them.
pub struct Deliveries {
    queue: mpsc::UnboundedReceiver<SwitchEvent>,
    waiting: Arc<AtomicU64>,
}

/// Both ends of a fresh outbox. It has no bound of its own: admission stops at [`HIGH_WATER`], and
/// an event of an admitted call is never dropped.
pub fn outbox() -> (Outbox, Deliveries) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicU64::new(0));
    (
        Outbox {
            queue: sender,
            waiting: waiting.clone(),
        },
        Deliveries {
            queue: receiver,
            waiting,
        },
    )
}

impl Outbox {
    /// Leaves an event. Never blocks.
    pub fn push(&self, event: SwitchEvent) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        // Fails only when the link is gone, which outlives every call.
        let _ = self.queue.send(event);
    }

    /// How many events are not yet in the event stream.
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::SeqCst)
    }
}

impl Deliveries {
    /// Adds the next events to `events`; false when every [`Outbox`] is gone. May be dropped at any
    /// moment without losing one.
    pub async fn next_few(&mut self, events: &mut Vec<SwitchEvent>) -> bool {
        self.queue.recv_many(events, FEW).await > 0
    }

    /// One event is in the event stream.
    pub fn delivered(&self) {
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
