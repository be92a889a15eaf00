//! Events on their way out. A session's thread leaves an event here and goes on; once it is in the
//! journal, the link's task takes it to the event stream.

use crate::journal::{Journal, Record};
use iradialer_core::wire::SwitchEvent;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// Past so many waiting events no new call is taken, so that what is promised can be kept.
pub const HIGH_WATER: u64 = 50_000;
/// Past so many events that no collector has confirmed no new call is taken.
pub const MOST_HELD: u64 = 200_000;
/// The most events taken at once.
const FEW: usize = 256;

/// An event that is in the journal.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The event.
    pub event: Arc<SwitchEvent>,
    /// 0 when it is published for the first time. Later it is another message to the stream, which may
    /// have lost the first one and still know its name.
    pub again: u64,
}

/// The end that takes events.
#[derive(Clone)]
pub struct Outbox {
    journal: Arc<Journal>,
    queue: Publisher,
}

/// The end that events come to from the journal.
#[derive(Clone)]
pub struct Publisher {
    queue: mpsc::UnboundedSender<Outgoing>,
    waiting: Arc<AtomicU64>,
}

/// The end that delivers them.
pub struct Deliveries {
    queue: mpsc::UnboundedReceiver<Outgoing>,
    waiting: Arc<AtomicU64>,
}

/// Both ends of a fresh queue. It has no bound of its own: admission stops at [`HIGH_WATER`], and
/// an event of an admitted call is never dropped.
pub fn deliveries() -> (Publisher, Deliveries) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicU64::new(0));
    (
        Publisher {
            queue: sender,
            waiting: waiting.clone(),
        },
        Deliveries {
            queue: receiver,
            waiting,
        },
    )
}

impl Publisher {
    /// An event that was counted when it was left is in the journal.
    pub fn durable(&self, event: Arc<SwitchEvent>) {
        // Fails only when the link is gone; the event is published by the next life.
        let _ = self.queue.send(Outgoing { event, again: 0 });
    }

    /// Publishes an event of the journal once more.
    pub fn again(&self, event: Arc<SwitchEvent>, again: u64) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let _ = self.queue.send(Outgoing { event, again });
    }
}

impl Outbox {
    /// An outbox that leaves events in `journal`, from where they come to `queue`.
    pub fn new(journal: Arc<Journal>, queue: Publisher) -> Outbox {
        Outbox { journal, queue }
    }

    /// Leaves an event. Never blocks.
    pub fn push(&self, event: SwitchEvent) {
        self.queue.waiting.fetch_add(1, Ordering::SeqCst);
        self.journal.note(Record::Event(Arc::new(event)));
    }

    /// Publishes an event of the journal once more.
    pub fn again(&self, event: Arc<SwitchEvent>, again: u64) {
        self.queue.again(event, again);
    }

    /// How many events are not yet in the event stream.
    pub fn waiting(&self) -> u64 {
        self.queue.waiting.load(Ordering::SeqCst)
    }

    /// Where events are kept.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }
}

impl Deliveries {
    /// Adds the next events to `events`; false when every sender is gone. May be dropped at any
    /// moment without losing one.
    pub async fn next_few(&mut self, events: &mut Vec<Outgoing>) -> bool {
        self.queue.recv_many(events, FEW).await > 0
    }

    /// So many events are in the event stream.
    pub fn delivered(&self, events: usize) {
        self.waiting.fetch_sub(events as u64, Ordering::SeqCst);
    }
}
