//! Flows that were read from their documents: a document never changes, and reading one takes a while.

use iradialer_core::flow::Flow;
use iradialer_core::value::FlowHash;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The most bytes of JSON whose flows are kept.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// The flows, by their documents.
#[derive(Default)]
pub(super) struct Kept(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    flows: HashMap<FlowHash, Arc<Flow>>,
    bytes: usize,
}

impl Kept {
    pub(super) fn find(&self, hash: &FlowHash) -> Option<Arc<Flow>> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.flows.get(hash).cloned()
    }

    /// Keeps a flow whose JSON is of so many bytes. Where there is no more room all others are dropped: they
    /// are read again when they are next named.
    pub(super) fn keep(&self, hash: &FlowHash, flow: &Arc<Flow>, bytes: usize) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.bytes + bytes > MOST_BYTES {
            *inner = Inner::default();
        }
        if inner.flows.insert(hash.clone(), Arc::clone(flow)).is_none() {
            inner.bytes += bytes;
        }
    }
}
