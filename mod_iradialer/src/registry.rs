//! The attempts that are live now.

use crate::call::Call;
use iradialer_core::value::CallUuid;
use parking_lot::{Condvar, Mutex};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Live attempts, by attempt and by call.
#[derive(Default)]
pub struct Registry {
    calls: Mutex<Live>,
    emptied: Condvar,
}

#[derive(Default)]
struct Live {
    by_attempt: HashMap<CallUuid, Arc<Call>>,
    attempt_of: HashMap<CallUuid, CallUuid>,
}

impl Registry {
    /// Adds an attempt.
    pub fn insert(&self, call: Arc<Call>) {
        let mut live = self.calls.lock();
        live.attempt_of
            .insert(call.command.call_uuid, call.command.attempt_id);
        live.by_attempt.insert(call.command.attempt_id, call);
    }

    /// The attempt with this UUID, which is its channel's.
    pub fn attempt(&self, attempt_id: CallUuid) -> Option<Arc<Call>> {
        self.calls.lock().by_attempt.get(&attempt_id).cloned()
    }

    /// The live attempt at this call.
    pub fn call(&self, call_uuid: CallUuid) -> Option<Arc<Call>> {
        let live = self.calls.lock();
        live.by_attempt
            .get(live.attempt_of.get(&call_uuid)?)
            .cloned()
    }

    /// Takes an attempt out.
    pub fn remove(&self, attempt_id: CallUuid) -> Option<Arc<Call>> {
        let mut live = self.calls.lock();
        let call = live.by_attempt.remove(&attempt_id)?;
        if live.attempt_of.get(&call.command.call_uuid) == Some(&attempt_id) {
            live.attempt_of.remove(&call.command.call_uuid);
        }
        if live.by_attempt.is_empty() {
            self.emptied.notify_all();
        }
        Some(call)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.calls.lock().by_attempt.len()
    }

    /// Every one, oldest first.
    pub fn all(&self) -> Vec<Arc<Call>> {
        let mut calls: Vec<_> = self.calls.lock().by_attempt.values().cloned().collect();
        calls.sort_by_key(|call| call.command.attempt_id);
        calls
    }

    /// Waits until there is none, at most so long. Returns how many are left.
    pub fn wait_until_empty(&self, longest: Duration) -> usize {
        let deadline = Instant::now() + longest;
        let mut live = self.calls.lock();
        while !live.by_attempt.is_empty() {
            if self.emptied.wait_until(&mut live, deadline).timed_out() {
                break;
            }
        }
        live.by_attempt.len()
    }
}
