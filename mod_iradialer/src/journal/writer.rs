//! Writes records: all that wait in one go, waits for the disk once, and only then says so to each.

use super::disk::{Disk, LogFile};
use super::recovery::{segment_name, segment_number};
use super::{Completion, Env, Fault, Shared, Waiting};
use crate::host::Level;
use crate::journal::record::Record;
use iradialer_core::failpoint;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long to wait before trying a disk again that has failed.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// A segment this long is replaced by a new one that says what still matters, bytes.
const SEGMENT: u64 = 16 << 20;

/// What it takes to write; whoever has a record that can't wait does.
pub(super) struct Writer {
    pub disk: Box<dyn Disk>,
    pub shared: Arc<Shared>,
    pub env: Env,
    /// `None` while the disk is at fault.
    pub file: Option<Box<dyn LogFile>>,
    pub segment: u64,
    pub rotate_at: u64,
    /// What is not on the disk and must come there, while it is at fault.
    pub backlog: Vec<Waiting>,
    pub retry_at: Instant,
}

impl Writer {
    /// A last try, so that an unload leaves nothing behind that the disk would take.
    pub(super) fn close(&mut self) {
        if self.file.is_none() {
            self.retry_at = Instant::now();
            self.commit(Vec::new());
        }
    }

    /// Has `batch` on the disk, or says of each record that it is not.
    pub(super) fn commit(&mut self, batch: Vec<Waiting>) {
        if self.file.is_none() {
            self.postpone(batch);
            if Instant::now() < self.retry_at {
                return;
            }
            if let Err(error) = self.begin_segment() {
                return self.fail(&error, Vec::new());
            }
            let backlog = std::mem::take(&mut self.backlog);
            if self.write(backlog) {
                self.shared.faulty.store(false, Ordering::SeqCst);
                let line = "the journal can be written again: new calls are taken";
                (self.env.log)(Level::Warning, line);
            }
            return;
        }
        if !self.write(batch) {
            return;
        }
        if self.shared.bytes.load(Ordering::Relaxed) >= self.rotate_at
            && let Err(error) = self.begin_segment()
        {
            self.fail(&error, Vec::new());
        }
    }

    /// Has `batch` on the disk and says so; false where the disk failed.
    fn write(&mut self, batch: Vec<Waiting>) -> bool {
        if batch.is_empty() {
            return true;
        }
        let mut bytes = Vec::with_capacity(batch.len() * 512);
        let synced = self.shared.bytes.load(Ordering::Relaxed);
        Record::Synced(synced).write_to(&mut bytes);
        for waiting in &batch {
            waiting.record.write_to(&mut bytes);
        }
        let Some(file) = &mut self.file else {
            return false;
        };
        match append(&mut **file, &bytes, &self.shared) {
            Ok(()) => {
                self.shared
                    .bytes
                    .fetch_add(bytes.len() as u64, Ordering::Relaxed);
                self.durable(batch);
                true
            }
            Err(error) => {
                self.fail(&error, batch);
                false
            }
        }
    }

    fn durable(&self, batch: Vec<Waiting>) {
        let now_ms = (self.env.now_ms)();
        {
            let mut index = self.shared.index.lock();
            let more: i64 = batch
                .iter()
                .map(|waiting| index.apply(&waiting.record, now_ms))
                .sum();
            self.shared.events_held.fetch_add(more, Ordering::Relaxed);
        }
        for waiting in batch {
            if let Record::Event(event) = waiting.record {
                (self.env.publish)(event);
            }
            if let Some(then) = waiting.then {
                then(Ok(()));
            }
        }
    }

    /// Stops admission: what can be refused is, and the rest waits for the disk to get well.
    fn fail(&mut self, error: &io::Error, batch: Vec<Waiting>) {
        self.file = None;
        self.retry_at = Instant::now() + RETRY;
        let line = format!(
            "THE JOURNAL CAN'T BE WRITTEN: {error}. Live calls go on, no new call is taken until it can"
        );
        let mut last = self.shared.last_fault.lock();
        if !self.shared.faulty.swap(true, Ordering::SeqCst) {
            self.shared.faults.fetch_add(1, Ordering::SeqCst);
            (self.env.log)(Level::Error, &line);
        }
        *last = Some(error.to_string());
        drop(last);
        self.postpone(batch);
    }

    fn postpone(&mut self, batch: Vec<Waiting>) {
        let mut refused: Vec<Completion> = Vec::new();
        for waiting in batch {
            if waiting.keep {
                self.backlog.push(waiting);
            } else {
                refused.extend(waiting.then);
            }
        }
        let what = self.shared.last_fault.lock().clone();
        for then in refused {
            then(Err(Fault(what.clone().unwrap_or_default())));
        }
    }

    /// Begins a segment that says all that still matters, and removes those before it. It has its name
    /// only once it is whole.
    pub(super) fn begin_segment(&mut self) -> io::Result<()> {
        self.file = None;
        self.segment += 1;
        let bytes = self.shared.index.lock().snapshot((self.env.now_ms)());
        let mut file = self.disk.create("next.tmp")?;
        append(&mut *file, &bytes, &self.shared)?;
        self.disk.rename("next.tmp", &segment_name(self.segment))?;
        self.file = Some(file);
        let len = bytes.len() as u64;
        self.shared.bytes.store(len, Ordering::Relaxed);
        self.shared.segment.store(self.segment, Ordering::Relaxed);
        self.rotate_at = SEGMENT.max(2 * len);
        for name in self.disk.names()? {
            if segment_number(&name).is_some_and(|number| number < self.segment)
                && let Err(error) = self.disk.remove(&name)
            {
                (self.env.log)(Level::Warning, &format!("journal: {name}: {error}"));
            }
        }
        Ok(())
    }
}

/// Writes `bytes` and waits for the disk.
fn append(file: &mut dyn LogFile, mut bytes: &[u8], shared: &Shared) -> io::Result<()> {
    failpoint::hit("journal.append.before");
    if failpoint::fails("journal.append.fault") {
        return Err(io::ErrorKind::StorageFull.into());
    }
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    failpoint::hit("journal.append.after");
    let began = Instant::now();
    failpoint::hit("journal.sync.before");
    if failpoint::fails("journal.sync.fault") {
        return Err(io::Error::other("the sync failed"));
    }
    file.sync()?;
    failpoint::hit("journal.sync.after");
    let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    shared.last_sync_us.store(took, Ordering::Relaxed);
    Ok(())
}
