//! With whom a call is connected, and for how long.

use super::{Call, Progress};
use crate::desk::At;
use iradialer_core::value::CallUuid;
use iradialer_core::wire::EventBody;

impl Call {
    /// The host is asked to connect `other` with it. It hangs that one up where this one has gone meanwhile.
    pub fn joins(&self, other: Option<&Call>) {
        if let Some(other) = other {
            other.progress.lock().joined = true;
        }
        self.progress.lock().bridged_ms = None;
    }

    /// It hears the call `peer` from now on, and is heard by it.
    pub fn bridged(&self, peer: CallUuid) {
        let mut progress = self.progress.lock();
        self.part(&mut progress);
        self.desk.be_at(At::Bridge);
        progress.bridged = Some((peer, self.host.steady_us()));
        progress.bridged_ms = None;
        progress.joined = true;
        let peer_call_uuid = peer;
        self.emit(&mut progress, EventBody::Bridged { peer_call_uuid });
    }

    /// It does not any more.
    pub fn unbridged(&self) {
        self.part(&mut self.progress.lock());
    }

    /// The host is done connecting it with another call. Returns for how many ms they were connected; `None`
    /// where they never were.
    pub fn bridge_over(&self) -> Option<u64> {
        let mut progress = self.progress.lock();
        self.part(&mut progress);
        progress.bridged_ms
    }

    pub(super) fn part(&self, progress: &mut Progress) {
        if let Some((peer_call_uuid, since_us)) = progress.bridged.take() {
            let ms = self.host.steady_us().saturating_sub(since_us) / 1000;
            progress.bridged_ms = Some(ms);
            self.desk.be_back();
            self.emit(progress, EventBody::Unbridged { peer_call_uuid, ms });
        }
    }
}
