//! The journal on a disk that does what disks do: takes a part, is full, fails to sync, loses what was
//! not synced.

use super::disk::LogFile;
use super::*;
use iradialer_core::wire::{EventBody, SwitchEvent};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Default)]
struct MemoryDisk(Arc<Mutex<Memory>>);

#[derive(Default)]
struct Memory {
    files: BTreeMap<String, Vec<u8>>,
    /// How much of each file is on the disk.
    synced: BTreeMap<String, usize>,
    full: bool,
    sync_fails: bool,
    short_writes: bool,
    /// The files as each change has left them, with no more of them than was synced, where it is wanted.
    history: Option<Vec<BTreeMap<String, Vec<u8>>>>,
}

impl Memory {
    fn note(&mut self) {
        let on_disk = |(name, bytes): (&String, &Vec<u8>)| {
            let synced = self.synced.get(name).copied().unwrap_or(bytes.len());
            (name.clone(), bytes[..synced].to_vec())
        };
        let files = self.files.iter().map(on_disk).collect();
        if let Some(history) = &mut self.history {
            history.push(files);
        }
    }
}

struct MemoryFile {
    disk: Arc<Mutex<Memory>>,
    name: Arc<Mutex<String>>,
}

impl Disk for MemoryDisk {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().files.keys().cloned().collect())
    }
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let memory = self.0.lock();
        memory
            .files
            .get(name)
            .cloned()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let mut memory = self.0.lock();
        memory.files.insert(name.into(), Vec::new());
        memory.synced.insert(name.into(), 0);
        memory.note();
        Ok(Box::new(MemoryFile {
            disk: self.0.clone(),
            name: Arc::new(Mutex::new(name.into())),
        }))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut memory = self.0.lock();
        let bytes = memory.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        let synced = memory.synced.remove(from).unwrap_or(0);
        memory.files.insert(to.into(), bytes);
        memory.synced.insert(to.into(), synced);
        memory.note();
        Ok(())
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        let mut memory = self.0.lock();
        memory.files.remove(name);
        memory.note();
        Ok(())
    }
}

impl MemoryFile {
    /// A file keeps open under its new name.
    fn current(&self, memory: &Memory) -> String {
        let mut name = self.name.lock();
        if !memory.files.contains_key(&*name)
            && let Some(youngest) = memory
                .files
                .keys()
                .rfind(|name| name.starts_with("segment-"))
        {
            name.clone_from(youngest);
        }
        name.clone()
    }
}

impl LogFile for MemoryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut memory = self.disk.lock();
        if memory.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let some = if memory.short_writes {
            bytes.len().div_ceil(2)
        } else {
            bytes.len()
        };
        let name = self.current(&memory);
        memory
            .files
            .entry(name)
            .or_default()
            .extend_from_slice(&bytes[..some]);
        memory.note();
        Ok(some)
    }
    fn sync(&mut self) -> io::Result<()> {
        let mut memory = self.disk.lock();
        if memory.sync_fails {
            return Err(io::Error::other("EIO"));
        }
        let name = self.current(&memory);
        let len = memory.files[&name].len();
        memory.synced.insert(name, len);
        memory.note();
        Ok(())
    }
}

fn open(disk: &MemoryDisk) -> (Journal, Index) {
    let env = Env {
        log: Box::new(|_, _| {}),
        now_ms: Box::new(|| 1_000),
        publish: Box::new(|_| {}),
    };
    Journal::open(Box::new(disk.clone()), env).unwrap()
}

fn intent() -> Intent {
    let attempt_id = CallUuid::fresh();
    Intent {
        call_uuid: attempt_id,
        attempt: 1,
        attempt_id,
        tenant_id: iradialer_core::value::TenantId::parse("t", "acme").unwrap(),
        epoch: 7,
        not_after_ms: 5_000,
        direct: false,
        at_ms: 1_000,
    }
}

fn event(intent: &Intent, seq: u32) -> Record {
    Record::Event(Arc::new(SwitchEvent {
        v: 1,
        call_uuid: intent.call_uuid,
        attempt: 1,
        attempt_id: intent.attempt_id,
        seq,
        tenant_id: intent.tenant_id.clone(),
        node_id: iradialer_core::value::NodeId::parse("n", "sw").unwrap(),
        incarnation: intent.attempt_id,
        at_ms: 1_000,
        body: EventBody::Ringing {
            early_media: false,
            after_ms: u64::from(seq),
        },
    }))
}

fn promise(journal: &Journal, record: Record) -> Result<(), Fault> {
    let (told, telling) = crossbeam_channel::bounded(1);
    journal.promise(record, Box::new(move |done| told.send(done).unwrap()));
    telling
        .recv_timeout(Duration::from_secs(10))
        .expect("an answer")
}

fn settle(journal: &Journal, record: Record) -> crossbeam_channel::Receiver<Result<(), Fault>> {
    let (told, telling) = crossbeam_channel::bounded(1);
    journal.settle(record, Box::new(move |done| drop(told.send(done))));
    telling
}

#[test]
fn a_short_write_is_finished() {
    let disk = MemoryDisk::default();
    disk.0.lock().short_writes = true;
    let (journal, _) = open(&disk);
    let intent = intent();
    assert_eq!(promise(&journal, Record::Intent(intent.clone())), Ok(()));
    drop(journal);
    let (_, index) = open(&disk);
    assert!(index.held.contains_key(&intent.attempt_id));
    assert_eq!(index.epoch, 7);
}

#[test]
fn a_disk_at_fault_refuses_promises_and_keeps_events_until_it_is_well() {
    for full in [true, false] {
        let disk = MemoryDisk::default();
        let (journal, _) = open(&disk);
        let (live, refused) = (intent(), intent());
        assert_eq!(promise(&journal, Record::Intent(live.clone())), Ok(()));
        {
            let mut memory = disk.0.lock();
            (memory.full, memory.sync_fails) = (full, !full);
        }
        assert!(promise(&journal, Record::Intent(refused.clone())).is_err());
        assert!(journal.is_faulty());
        assert!(journal.status().fault.is_some());
        let late = settle(&journal, event(&live, 1));
        assert!(late.recv_timeout(Duration::from_millis(100)).is_err());
        {
            let mut memory = disk.0.lock();
            (memory.full, memory.sync_fails) = (false, false);
        }
        assert_eq!(late.recv_timeout(Duration::from_secs(10)).unwrap(), Ok(()));
        let deadline = Instant::now() + Duration::from_secs(10);
        while journal.is_faulty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(promise(&journal, Record::Epoch(9)), Ok(()));
        drop(journal);
        let (_, index) = open(&disk);
        assert_eq!(index.held[&live.attempt_id].last_seq(), 1);
        assert!(!index.held.contains_key(&refused.attempt_id));
        assert_eq!(index.epoch, 9);
    }
}

#[test]
fn a_journal_without_its_beginning_has_another_name() {
    let disk = MemoryDisk::default();
    let (journal, first) = open(&disk);
    drop(journal);
    for bytes in disk.0.lock().files.values_mut() {
        bytes[12] ^= 1;
    }
    let (_, second) = open(&disk);
    assert_ne!(first.journal_id, second.journal_id);
    assert!(
        disk.names()
            .unwrap()
            .iter()
            .any(|name| name.starts_with("damaged-"))
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// For each byte a crash may leave as the last: what was synced before it is there, and nothing is
    /// there that was not written.
    #[test]
    fn a_cut_loses_nothing_synced_and_invents_nothing(kinds in prop::collection::vec(0u8..4, 1..12), junk in any::<bool>()) {
        let disk = MemoryDisk::default();
        let (journal, _) = open(&disk);
        let len = || disk.0.lock().files.values().map(Vec::len).sum::<usize>();
        let mut model = journal.shared.index.lock().clone();
        let mut states = vec![(len(), model.clone())];
        let mut attempts: Vec<(Intent, u32)> = Vec::new();
        for kind in kinds {
            let record = match (kind, attempts.last_mut()) {
                (1 | 2, Some((intent, seq))) => {
                    *seq += 1;
                    event(intent, *seq)
                }
                (3, Some((intent, _))) => Record::Fence(Fence {
                    attempt_id: intent.attempt_id, epoch: 8, until_ms: 9_000, dialled: true,
                    call_uuid: None,
                }),
                _ => {
                    attempts.push((intent(), 0));
                    Record::Intent(attempts.last().unwrap().0.clone())
                }
            };
            prop_assert_eq!(promise(&journal, record.clone()), Ok(()));
            model.apply(&record, 1_000);
            states.push((len(), model.clone()));
        }
        drop(journal);
        let (name, whole) = {
            let memory = disk.0.lock();
            let (name, bytes) = memory.files.iter().next_back().unwrap();
            (name.clone(), bytes.clone())
        };
        for cut in states[0].0..=whole.len() {
            let mut bytes = whole[..cut].to_vec();
            if junk {
                bytes.extend([0; 13]);
            }
            let crashed = MemoryDisk::default();
            crashed.0.lock().files.insert(name.clone(), bytes);
            let recovered = recovery::recover(&crashed, 1_000).unwrap();
            let (synced, expected) = states.iter().rev().find(|(len, _)| *len <= cut).unwrap();
            prop_assert_eq!(&recovered.index, expected);
            prop_assert_eq!(recovered.damage, None);
            let unsynced = cut - synced + if junk { 13 } else { 0 };
            prop_assert!(recovered.cut <= unsynced);
        }
    }
}

/// A byte that was on the disk and is another one now: what came after it may be lost, and with it an
/// attempt that was dialled. Only what was written last may be what a crash left of it.
#[test]
fn what_was_synced_and_is_spoilt_is_damage() {
    let disk = MemoryDisk::default();
    let (journal, first) = open(&disk);
    let mut ends = Vec::new();
    for _ in 0..3 {
        promise(&journal, Record::Intent(intent())).unwrap();
        ends.push(disk.0.lock().files.values().map(Vec::len).sum::<usize>());
    }
    drop(journal);
    let spoilt = |at: usize| {
        let spoilt = MemoryDisk::default();
        let files = disk.0.lock().files.clone();
        let mut memory = spoilt.0.lock();
        memory.files = files;
        memory.files.values_mut().next_back().unwrap()[at] ^= 0x40;
        drop(memory);
        recovery::recover(&spoilt, 1_000).unwrap()
    };
    for (nth, end) in ends.iter().enumerate() {
        let recovered = spoilt(end - 1);
        let last = nth == ends.len() - 1;
        assert_eq!(recovered.damage.is_none(), last, "{recovered:?}");
        assert_eq!(recovered.index.journal_id == first.journal_id, last);
    }
}

/// A new segment takes the place of the old one at each load. Wherever a crash cuts that short, the next
/// load finds the same.
#[test]
fn a_crash_while_a_segment_is_replaced_loses_nothing() {
    let disk = MemoryDisk::default();
    let (journal, _) = open(&disk);
    for _ in 0..3 {
        promise(&journal, Record::Intent(intent())).unwrap();
    }
    drop(journal);
    let before = recovery::recover(&disk, 1_000).unwrap().index;
    disk.0.lock().history = Some(Vec::new());
    drop(open(&disk));
    let history = disk.0.lock().history.take().unwrap();
    // Made, written, synced, renamed, the old one removed.
    assert!(history.len() >= 5, "{}", history.len());
    for (step, files) in history.into_iter().enumerate() {
        let crashed = MemoryDisk::default();
        crashed.0.lock().files = files;
        let (journal, index) = open(&crashed);
        assert_eq!(index, before, "after step {step}");
        promise(&journal, Record::Epoch(9)).unwrap();
        drop(journal);
        let names = crashed.names().unwrap();
        assert_eq!(names.len(), 1, "after step {step}: {names:?}");
    }
}

/// Admission's latency is that of a promise: printed, and bounded far above what a disk needs, so that a
/// lost wake-up shows and a busy machine does not.
#[test]
fn promises_at_300_a_second_are_kept_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let env = Env {
        log: Box::new(|_, _| {}),
        now_ms: Box::new(|| 1_000),
        publish: Box::new(|_| {}),
    };
    let disk = HostDir::lock(dir.path()).unwrap();
    let (journal, _) = Journal::open(Box::new(disk), env).unwrap();
    let (told, telling) = crossbeam_channel::unbounded();
    let begin = Instant::now();
    for nth in 0..600u32 {
        let due = begin + Duration::from_micros(3_333) * nth;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let (told, asked, intent) = (told.clone(), Instant::now(), intent());
        let events: Vec<_> = (1..5).map(|seq| event(&intent, seq)).collect();
        journal.promise(
            Record::Intent(intent),
            Box::new(move |done| {
                told.send((asked.elapsed(), done)).unwrap();
            }),
        );
        events.into_iter().for_each(|event| journal.note(event));
    }
    let mut took: Vec<_> = (0..600)
        .map(|_| telling.recv_timeout(Duration::from_secs(10)).unwrap())
        .map(|(took, done)| done.map(|()| took).unwrap())
        .collect();
    took.sort();
    println!(
        "admission at 300/s: p50 {:?}, p99 {:?}, most {:?}",
        took[299], took[593], took[599]
    );
    assert!(took[299] < Duration::from_millis(500), "{:?}", took[299]);
}
