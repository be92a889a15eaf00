//! What the router's loop and its tasks share.

use super::collected::Gauge;
use super::switches::{Standing, Switches};
use super::trunk_pace::TrunkPaces;
use crate::app::App;
use crate::catalogue::Campaign;
use crate::clock::Moment;
use crate::tdb::{Assignment, Lead, OpenAttempt};
use async_nats::connection::State;
use iradialer_core::value::{CallUuid, CampaignName, NodeId, TenantId, TrunkName};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
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
    /// Until when this router has the lease, ms by the steady clock; 0 without.
    pub(super) lease_ends_ms: AtomicU64,
    /// How far the clock of the router that led before was ahead of ours, ms; 0 where that is not known.
    pub(super) before_ahead_ms: AtomicI64,
    /// A switch has said that our epoch is old.
    pub(super) stale_epoch: Notify,
    switches: Mutex<Switches>,
    paces: Mutex<TrunkPaces>,
    in_hand: Mutex<HashMap<CallUuid, Hand>>,
    settling: Mutex<HashSet<CallUuid>>,
    /// The switches that are to be asked soon which attempts they hold.
    to_reconcile: Mutex<HashSet<NodeId>>,
    pub(super) collected: Gauge,
    /// What each switch said last where it would not answer.
    unwilling: Mutex<HashMap<NodeId, String>>,
    /// How often the bus had been connected to when the switches were last looked at.
    connects: AtomicU64,
}

/// A call on its way to a switch.
#[derive(Debug, Clone)]
pub(super) struct Hand {
    pub(super) trunk: TrunkName,
    pub(super) campaign: (TenantId, CampaignName),
    /// Whether its assignment is committed, so that the TDB counts it.
    pub(super) assigned: bool,
    /// Whether it is to show if the trunk's carrier is back.
    pub(super) probe: bool,
}

impl Hand {
    pub(super) fn new(campaign: &Campaign, trunk: &TrunkName, probe: bool) -> Hand {
        Hand {
            trunk: trunk.clone(),
            campaign: (campaign.tenant_id.clone(), campaign.name.clone()),
            assigned: false,
            probe,
        }
    }
}

impl Shared {
    pub(super) fn new(app: App, client: async_nats::Client, stop: CancellationToken) -> Shared {
        let lost_after = app.config.router.switch_lost_after;
        let mut switches = Switches::new(lost_after, app.clock.steady_ms());
        switches.list(&app.catalogue());
        Shared {
            app,
            client,
            stop,
            tasks: TaskTracker::new(),
            epoch: AtomicU64::new(0),
            lease_ends_ms: AtomicU64::new(0),
            before_ahead_ms: AtomicI64::new(0),
            stale_epoch: Notify::new(),
            switches: Mutex::new(switches),
            paces: Mutex::default(),
            in_hand: Mutex::default(),
            settling: Mutex::default(),
            to_reconcile: Mutex::default(),
            collected: Gauge::default(),
            unwilling: Mutex::default(),
            connects: AtomicU64::new(0),
        }
    }

    /// Whether this router gives out the calls. One that does not leaves every attempt to the one that
    /// does.
    pub(super) fn leads(&self) -> bool {
        self.lease_ends_ms.load(Ordering::Relaxed) > self.steady_ms()
    }

    /// In whose name this router changes calls.
    pub(super) fn lead(&self) -> Lead {
        Lead {
            region: self.app.config.router.region.clone(),
            epoch: self.epoch.load(Ordering::Relaxed),
        }
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.app.clock.now_ms()
    }

    /// For whatever takes its time: the wall clock may be set.
    pub(super) fn steady_ms(&self) -> u64 {
        self.app.clock.steady_ms()
    }

    pub(super) fn moment(&self) -> Moment {
        self.app.clock.moment()
    }

    pub(super) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    pub(super) fn switches(&self) -> MutexGuard<'_, Switches> {
        lock(&self.switches)
    }

    pub(super) fn paces(&self) -> MutexGuard<'_, TrunkPaces> {
        lock(&self.paces)
    }

    /// Whether the bus is away, or was since this was last asked: heartbeats were missed meanwhile.
    fn was_cut_off(&self) -> bool {
        let connects = self.connects();
        let before = self.connects.swap(connects, Ordering::Relaxed);
        !self.is_connected() || connects != before
    }

    /// How often the bus has been connected to.
    pub(super) fn connects(&self) -> u64 {
        let statistics = self.client.statistics();
        statistics.connects.load(Ordering::Relaxed)
    }

    /// Whether what is open there is this router's to settle, and no other region's.
    pub(super) fn settles(&self, open: &OpenAttempt) -> bool {
        let campaign = (&open.tenant_id, &open.campaign_name);
        let node = &open.assignment.node_id;
        self.app.catalogue().settles(node, Some(campaign))
    }

    /// How the life of a switch that has the attempt stands.
    pub(super) fn standing(&self, attempt: &Assignment) -> Standing {
        let journal_id = Some(&attempt.journal_id);
        self.standing_of(&attempt.node_id, &attempt.incarnation, journal_id)
    }

    /// How that life of that switch stands. A silence that may be ours is none of the switch's.
    pub(super) fn standing_of(
        &self,
        node: &NodeId,
        incarnation: &CallUuid,
        journal_id: Option<&CallUuid>,
    ) -> Standing {
        let now_ms = self.steady_ms();
        let cut_off = self.was_cut_off();
        let mut switches = self.switches();
        if cut_off {
            switches.deaf_until(now_ms);
        }
        switches.standing(node, incarnation, journal_id, now_ms)
    }

    /// Whether the switch said something else last, where it would not answer: it may be asked for each of
    /// its calls, again and again.
    pub(super) fn is_news(&self, node: &NodeId, answer: &str) -> bool {
        let before = lock(&self.unwilling).insert(node.clone(), answer.to_owned());
        before.as_deref() != Some(answer)
    }

    /// The switch is to be asked soon which attempts it holds.
    pub(super) fn reconcile_soon(&self, node: NodeId) {
        lock(&self.to_reconcile).insert(node);
    }

    /// The switches that are to be asked now.
    pub(super) fn take_to_reconcile(&self) -> HashSet<NodeId> {
        std::mem::take(&mut *lock(&self.to_reconcile))
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
