//! What is in memory: the most recently used, up to a size.

use iradialer_core::flow::Flow;
use iradialer_core::value::FlowHash;
use std::collections::HashMap;
use std::sync::Arc;

/// Flows by their documents.
pub struct Memory {
    most_bytes: usize,
    flows: HashMap<FlowHash, Held>,
    bytes: usize,
    /// Counts the uses, to tell which is the oldest.
    uses: u64,
}

struct Held {
    flow: Arc<Flow>,
    bytes: usize,
    used: u64,
}

impl Memory {
    /// Holds flows of up to so many bytes of JSON.
    pub fn new(most_bytes: usize) -> Self {
        Memory {
            most_bytes,
            flows: HashMap::new(),
            bytes: 0,
            uses: 0,
        }
    }

    pub fn find(&mut self, hash: &FlowHash) -> Option<Arc<Flow>> {
        self.uses += 1;
        let held = self.flows.get_mut(hash)?;
        held.used = self.uses;
        Some(Arc::clone(&held.flow))
    }

    /// Holds a flow of so many bytes, and lets go of the oldest where there is no room.
    pub fn insert(&mut self, hash: &FlowHash, flow: &Arc<Flow>, bytes: usize) {
        self.uses += 1;
        self.bytes += bytes;
        let held = Held {
            flow: Arc::clone(flow),
            bytes,
            used: self.uses,
        };
        let before = self.flows.insert(hash.clone(), held);
        self.bytes -= before.map_or(0, |held| held.bytes);
        while self.bytes > self.most_bytes && self.flows.len() > 1 {
            let oldest = self.flows.iter().min_by_key(|(_, held)| held.used);
            let oldest = oldest.map(|(hash, _)| hash.clone());
            let dropped = oldest.and_then(|hash| self.flows.remove(&hash));
            self.bytes -= dropped.map_or(0, |held| held.bytes);
        }
    }

    /// How many flows there are, and their bytes.
    pub fn held(&self) -> (usize, usize) {
        (self.flows.len(), self.bytes)
    }
}
