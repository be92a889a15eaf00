//! The durable journal: what a switch has promised and what it has to report, on the disk before anyone
//! is told.
//!
//! A directory of the module's own with one segment, to which records are added. When it has grown long,
//! a new one begins with what still matters and takes its place; so it does at each load. What came of an
//! attempt is kept until the collector has all of it.

mod disk;
mod index;
mod queue;
mod record;
mod recovery;
mod writer;

#[cfg(test)]
mod tests;

pub use disk::{Disk, HostDir};
pub use index::{Held, Index};
pub use record::{Fence, Intent, Record};

use crate::host::Level;
use iradialer_core::value::CallUuid;
use iradialer_core::wire::{EndedAttempt, SwitchEvent};
use parking_lot::Mutex;
use queue::Queue;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;
use writer::Writer;

const CLOSED: &str = "it is closed";

/// The record is not on the disk, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault(pub String);

/// Told when a record is on the disk, on the journal's thread; must not block.
pub type Completion = Box<dyn FnOnce(Result<(), Fault>) + Send>;

/// Takes a line for the host's log.
pub type Log = Box<dyn Fn(Level, &str) + Send + Sync>;

/// What the journal needs of its module.
pub struct Env {
    /// The host's log.
    pub log: Log,
    /// Ms since the Unix epoch.
    pub now_ms: Box<dyn Fn() -> u64 + Send + Sync>,
    /// Takes an event that is on the disk.
    pub publish: Box<dyn Fn(Arc<SwitchEvent>) + Send + Sync>,
}

/// A record on its way.
struct Waiting {
    record: Record,
    then: Option<Completion>,
    /// Somebody waits for it.
    urgent: bool,
    /// It outlasts a fault of the disk; any other is refused.
    keep: bool,
}

struct Shared {
    /// What is on the disk.
    index: Mutex<Index>,
    faulty: AtomicBool,
    faults: AtomicU64,
    last_fault: Mutex<Option<String>>,
    segment: AtomicU64,
    bytes: AtomicU64,
    last_sync_us: AtomicU64,
    events_held: AtomicI64,
}

/// How the journal is, for a person.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalStatus {
    /// Its name.
    pub id: CallUuid,
    /// The number of its segment: one is begun at each load, and when the last has grown long.
    pub segment: u64,
    /// Bytes of its segment.
    pub bytes: u64,
    /// Attempts held: live, or not confirmed by the collector.
    pub held: usize,
    /// Of those, ended.
    pub unconfirmed: usize,
    /// Attempts that are fenced.
    pub fenced: usize,
    /// How long the disk took at the last sync, µs.
    pub last_sync_us: u64,
    /// How many times it could not be written since the load.
    pub faults: u64,
    /// Why it can't be written now, where it can't.
    pub fault: Option<String>,
}

/// On the journal's thread, until it is closed.
fn write_what_waits(shared: &Shared, queue: &Queue, writer: &Mutex<Writer>) {
    loop {
        let patience = shared
            .faulty
            .load(Ordering::SeqCst)
            .then_some(writer::RETRY);
        let open = queue.wait(patience);
        let mut writer = writer.lock();
        writer.commit(queue.drain());
        if !open {
            return writer.close();
        }
    }
}

/// The journal of one life of the module.
pub struct Journal {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    writer: Arc<Mutex<Writer>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Journal {
    /// Recovers what `disk` has and goes on from there. Fails where it can't be read or written.
    pub fn open(disk: Box<dyn Disk>, env: Env) -> io::Result<(Journal, Index)> {
        let recovered = recovery::recover(&*disk, (env.now_ms)())?;
        if let Some(damage) = &recovered.damage {
            let line = format!(
                "THE JOURNAL IS DAMAGED: {damage}. It is kept as damaged-*.log; a new one begins"
            );
            (env.log)(Level::Error, &line);
        } else if recovered.cut > 0 {
            let line = format!(
                "journal: {} bytes of an unfinished record were cut from its end",
                recovered.cut
            );
            (env.log)(Level::Warning, &line);
        }
        let index = recovered.index;
        let events: usize = index.held.values().map(|held| held.events.len()).sum();
        let shared = Arc::new(Shared {
            index: Mutex::new(index.clone()),
            faulty: AtomicBool::new(false),
            faults: AtomicU64::new(0),
            last_fault: Mutex::new(None),
            segment: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            last_sync_us: AtomicU64::new(0),
            events_held: AtomicI64::new(i64::try_from(events).unwrap_or(i64::MAX)),
        });
        let mut writer = Writer {
            disk,
            shared: shared.clone(),
            env,
            file: None,
            segment: recovered.segment,
            rotate_at: 0,
            backlog: Vec::new(),
            retry_at: Instant::now(),
        };
        writer.begin_segment()?;
        let (queue, writer) = (Arc::new(Queue::default()), Arc::new(Mutex::new(writer)));
        let journal = Journal {
            shared: shared.clone(),
            queue: queue.clone(),
            writer: writer.clone(),
            thread: Mutex::new(None),
        };
        let thread = std::thread::Builder::new()
            .name("iradialer-jrnl".into())
            .spawn(move || write_what_waits(&shared, &queue, &writer))?;
        *journal.thread.lock() = Some(thread);
        Ok((journal, index))
    }

    /// Writes records, and with them whatever waits, on the caller's thread. They are all on the disk
    /// when it returns, or refused.
    pub fn write(&self, records: impl IntoIterator<Item = Record>) -> Result<(), Fault> {
        if self.queue.is_closed() {
            return Err(Fault(CLOSED.into()));
        }
        let outcome = Arc::new(Mutex::new(Ok(())));
        let mut writer = self.writer.lock();
        // After the lock, so that the records come to the disk in the order they were left in.
        let mut batch = self.queue.drain();
        for record in records {
            let outcome = outcome.clone();
            batch.push(Waiting {
                record,
                then: Some(Box::new(move |done| *outcome.lock() = done)),
                urgent: true,
                keep: false,
            });
        }
        writer.commit(batch);
        drop(writer);
        outcome.lock().clone()
    }

    /// Writes a record somebody waits for. One the disk does not take is refused.
    pub fn promise(&self, record: Record, then: Completion) {
        self.send(record, Some(then), true, false);
    }

    /// Writes a record somebody waits for, and not in a hurry: it comes to the disk with others, some ms
    /// later. One the disk does not take is refused.
    pub fn promise_along(&self, record: Record, then: Completion) {
        self.send(record, Some(then), false, false);
    }

    /// Writes a record that may not be lost: while the disk is at fault it waits.
    pub fn settle(&self, record: Record, then: Completion) {
        self.send(record, Some(then), true, true);
    }

    /// Writes a record that may not be lost and that nobody waits for.
    pub fn note(&self, record: Record) {
        self.send(record, None, false, true);
    }

    fn send(&self, record: Record, then: Option<Completion>, urgent: bool, keep: bool) {
        let waiting = Waiting {
            record,
            then,
            urgent,
            keep,
        };
        if let Err(Waiting {
            then: Some(then), ..
        }) = self.queue.push(waiting)
        {
            then(Err(Fault(CLOSED.into())));
        }
    }

    /// Whether it can't be written.
    pub fn is_faulty(&self) -> bool {
        self.shared.faulty.load(Ordering::SeqCst)
    }

    /// Events of attempts that are not confirmed.
    pub fn events_held(&self) -> u64 {
        u64::try_from(self.shared.events_held.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Attempts that have ended and are not confirmed, at most `most` of those after `after`.
    pub fn ended(&self, after: Option<CallUuid>, most: usize) -> Vec<EndedAttempt> {
        self.shared.index.lock().ended(after, most)
    }

    /// The events of an ended attempt, if the last time they were published is as old as that.
    pub fn due_again(
        &self,
        attempt: CallUuid,
        now_ms: u64,
        after_ms: u64,
    ) -> Vec<Arc<SwitchEvent>> {
        let mut index = self.shared.index.lock();
        let Some(held) = index.held.get_mut(&attempt) else {
            return Vec::new();
        };
        match held.published_ms {
            Some(at) if now_ms.saturating_sub(at) >= after_ms => {
                held.published_ms = Some(now_ms);
                held.events.clone()
            }
            _ => Vec::new(),
        }
    }

    /// The intent of an attempt that is held.
    pub fn intent(&self, attempt: CallUuid) -> Option<Intent> {
        let index = self.shared.index.lock();
        index.held.get(&attempt).map(|held| held.intent.clone())
    }

    /// How it is.
    pub fn status(&self) -> JournalStatus {
        let index = self.shared.index.lock();
        JournalStatus {
            id: index.journal_id,
            segment: self.shared.segment.load(Ordering::Relaxed),
            bytes: self.shared.bytes.load(Ordering::Relaxed),
            held: index.held.len(),
            unconfirmed: index.held.values().filter(|held| held.is_over()).count(),
            fenced: index.fences.len(),
            last_sync_us: self.shared.last_sync_us.load(Ordering::Relaxed),
            faults: self.shared.faults.load(Ordering::SeqCst),
            fault: self
                .is_faulty()
                .then(|| self.shared.last_fault.lock().clone().unwrap_or_default()),
        }
    }

    /// Writes what waits, and ends the thread. Nothing is written after it.
    pub fn close(&self) {
        self.queue.close();
        let thread = self.thread.lock().take();
        // The last one to hold the engine may be a completion, on the journal's own thread.
        if let Some(thread) = thread.filter(|it| it.thread().id() != std::thread::current().id()) {
            let _ = thread.join();
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}
