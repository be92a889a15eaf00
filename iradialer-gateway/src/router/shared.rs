//! What the router's loop and its tasks share.

use super::switches::Switches;
use crate::app::App;
use crate::config::Campaign;
use async_nats::connection::State;
use iradialer_core::value::{CallUuid, CampaignName, NodeId, TenantId, TrunkName};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the router's loop and its tasks share.
pub(super) struct Shared {
    pub(super) app: App,
    pub(super) client: async_nats::Client,
    pub(super) stop: CancellationToken,
    /// Every task of the router, so that its end can wait for theirs.
    pub(super) tasks: TaskTracker,
    /// Of the last lease this router held.
    pub(super) epoch: AtomicU64,
    /// A switch has said that our epoch is old.
    pub(super) stale_epoch: Notify,
    switches: Mutex<Switches>,
    in_hand: Mutex<HashMap<CallUuid, Hand>>,
    settling: Mutex<HashSet<CallUuid>>,
}

/// A call on its way to a switch.
#[derive(Debug, Clone)]
pub(super) struct Hand {
    pub(super) trunk: TrunkName,
    pub(super) campaign: (TenantId, CampaignName),
    /// Whether its assignment is committed, so that the TDB counts it.
    pub(super) assigned: bool,
}

impl Hand {
    pub(super) fn new(campaign: &Campaign, trunk: &TrunkName) -> Hand {
        Hand {
            trunk: trunk.clone(),
            campaign: (campaign.tenant_id.clone(), campaign.name.clone()),
            assigned: false,
        }
    }
}

impl Shared {
    pub(super) fn new(app: App, client: async_nats::Client, stop: CancellationToken) -> Shared {
        let switches = Switches::new(app.config.router.switch_lost_after, app.clock.now_ms());
        Shared {
            app,
            client,
            stop,
            tasks: TaskTracker::new(),
            epoch: AtomicU64::new(0),
            stale_epoch: Notify::new(),
            switches: Mutex::new(switches),
            in_hand: Mutex::default(),
            settling: Mutex::default(),
        }
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.app.clock.now_ms()
    }

    pub(super) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    pub(super) fn switches(&self) -> MutexGuard<'_, Switches> {
        lock(&self.switches)
    }

    /// The calls on their way to switches, as of now.
    pub(super) fn in_hand(&self) -> HashMap<CallUuid, Hand> {
        lock(&self.in_hand).clone()
    }

    /// Notes that the call is on its way to `node`, until the holder is dropped.
    pub(super) fn take_in_hand(
        self: &Arc<Self>,
        call: CallUuid,
        node: NodeId,
        hand: Hand,
    ) -> Holder {
        lock(&self.in_hand).insert(call, hand);
        Holder {
            shared: Arc::clone(self),
            call,
            node,
        }
    }

    pub(super) fn note_assigned(&self, call: CallUuid) {
        if let Some(hand) = lock(&self.in_hand).get_mut(&call) {
            hand.assigned = true;
        }
    }

    /// Whether the attempt is ours to settle: false if a task is at it already.
    pub(super) fn begin_settling(&self, attempt_id: CallUuid) -> bool {
        lock(&self.settling).insert(attempt_id)
    }

    pub(super) fn end_settling(&self, attempt_id: CallUuid) {
        lock(&self.settling).remove(&attempt_id);
    }
}

/// Holds a call in hand. Whatever becomes of its task, dropping this makes room for another.
pub(super) struct Holder {
    shared: Arc<Shared>,
    call: CallUuid,
    node: NodeId,
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.shared.switches().settled(&self.node);
        lock(&self.shared.in_hand).remove(&self.call);
        self.shared.app.wake.router.notify_one();
    }
}

/// A panic in another task leaves counts that are at worst too high until the next heartbeat.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
