//! What the journal holds: the state that its records, read in their order, come to.

use super::record::{FORMAT, Fence, Header, Intent, Record};
use iradialer_core::ledger::REMEMBERED;
use iradialer_core::value::CallUuid;
use iradialer_core::wire::{EndedAttempt, EventBody, SwitchEvent};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An attempt the collector has not confirmed.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// What was admitted.
    pub intent: Intent,
    /// Its events, from the first.
    pub events: Vec<Arc<SwitchEvent>>,
    /// When they were all published last, ms since the Unix epoch; nothing before it has ended.
    pub published_ms: Option<u64>,
}

impl Held {
    /// The number of its last event, 0 for none.
    pub fn last_seq(&self) -> u32 {
        self.events.last().map_or(0, |event| event.seq)
    }

    /// Whether it has its last event.
    pub fn is_over(&self) -> bool {
        let last = self.events.last();
        last.is_some_and(|event| matches!(event.body, EventBody::Hangup(_)))
    }
}

/// The state.
#[derive(Debug, Clone, PartialEq)]
pub struct Index {
    /// The journal's name.
    pub journal_id: CallUuid,
    /// The highest epoch seen.
    pub epoch: u64,
    /// The attempts that were admitted and are not confirmed.
    pub held: BTreeMap<CallUuid, Held>,
    /// Those that must not be dialled, or not again; no more than a ledger remembers, the youngest.
    pub fences: BTreeMap<CallUuid, Fence>,
    /// Attempt UUIDs are ordered by time: up to this one there may have been others.
    pub forgotten: Option<CallUuid>,
}

impl Index {
    /// That of an empty journal.
    pub fn new(journal_id: CallUuid) -> Index {
        Index {
            journal_id,
            epoch: 0,
            held: BTreeMap::new(),
            fences: BTreeMap::new(),
            forgotten: None,
        }
    }

    /// Takes a record in. One that was taken in before changes nothing. Returns by how many more events
    /// are held now.
    pub fn apply(&mut self, record: &Record, now_ms: u64) -> i64 {
        match record {
            Record::Header(header) => {
                self.epoch = self.epoch.max(header.epoch);
                self.forgotten = self.forgotten.max(header.forgotten);
            }
            Record::Complete | Record::Synced(_) => {}
            Record::Epoch(epoch) => self.epoch = self.epoch.max(*epoch),
            Record::Intent(intent) => {
                self.epoch = self.epoch.max(intent.epoch);
                if !self.fences.contains_key(&intent.attempt_id) {
                    self.held.entry(intent.attempt_id).or_insert_with(|| Held {
                        intent: intent.clone(),
                        events: Vec::new(),
                        published_ms: None,
                    });
                }
            }
            Record::Fence(fence) => {
                self.epoch = self.epoch.max(fence.epoch);
                self.fences.insert(fence.attempt_id, fence.clone());
                // A switch that refuses thousands a second for long.
                if self.fences.len() > REMEMBERED
                    && let Some((oldest, _)) = self.fences.pop_first()
                {
                    self.forgotten = self.forgotten.max(Some(oldest));
                }
                if let Some(held) = self.held.remove(&fence.attempt_id) {
                    return -i64::try_from(held.events.len()).unwrap_or(i64::MAX);
                }
            }
            Record::Event(event) => {
                if let Some(held) = self.held.get_mut(&event.attempt_id)
                    && event.seq == held.last_seq() + 1
                {
                    held.events.push(event.clone());
                    held.published_ms = held.is_over().then_some(now_ms);
                    return 1;
                }
            }
        }
        0
    }

    /// The records of a segment that says the same. Fences whose time is over are left out.
    pub fn snapshot(&mut self, now_ms: u64) -> Vec<u8> {
        self.fences.retain(|_, fence| fence.until_ms >= now_ms);
        let mut bytes = Vec::new();
        let header = Header {
            format: FORMAT,
            journal_id: self.journal_id,
            epoch: self.epoch,
            forgotten: self.forgotten,
        };
        Record::Header(header).write_to(&mut bytes);
        for fence in self.fences.values() {
            Record::Fence(fence.clone()).write_to(&mut bytes);
        }
        for held in self.held.values() {
            Record::Intent(held.intent.clone()).write_to(&mut bytes);
            for event in &held.events {
                Record::Event(event.clone()).write_to(&mut bytes);
            }
        }
        Record::Complete.write_to(&mut bytes);
        bytes
    }

    /// Attempts that have ended, after `after`, in the order of their UUIDs.
    pub fn ended(&self, after: Option<CallUuid>, most: usize) -> Vec<EndedAttempt> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.held
            .range((from, Unbounded))
            .filter(|(_, held)| held.is_over())
            .take(most)
            .map(|(attempt_id, held)| EndedAttempt {
                call_uuid: held.intent.call_uuid,
                attempt: held.intent.attempt,
                attempt_id: *attempt_id,
                last_seq: held.last_seq(),
            })
            .collect()
    }
}
