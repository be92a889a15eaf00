//! Looks over the attempts that switches have or may have, and finds those in doubt: after a restart
//! of the gateway, after the loss of a switch, after a fault.

use super::collected::{Catching, Progress};
use super::key_hours::KeyHours;
use super::reconcile::{begin_to_settle, reconcile};
use super::settle::{end_as_unknown, why_lost};
use super::shared::Shared;
use super::switches::Standing;
use crate::clock::Moment;
use crate::tdb::{Assignment, OpenAttempt, SwitchCall, TdbError};
use futures::StreamExt;
use iradialer_core::call::CallState;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How often open attempts are looked over.
const INTERVAL_MS: u64 = 2_000;
/// How often each switch is asked which attempts it holds.
const RECONCILE_INTERVAL_MS: u64 = 30_000;
/// How many requests to drop a call are under way at once.
const REQUESTS_AT_ONCE: usize = 16;

/// No call that came back from a try waits for so long.
const LONGEST_WAIT_MS: u64 = 10_000;
/// How many of the older keys are forgotten at each look: more than a day's calls in a day, and few
/// enough that nobody waits for it.
const KEYS_A_LOOK: u32 = 1_000;

/// How long calls of a deleted campaign are looked for: 7 days, longer than any lasts that may come back.
const DELETED_KEPT_MS: u64 = 7 * 24 * 3_600_000;
/// How many of them are ended at each look.
const CANCEL_A_LOOK: u32 = 200;

/// How long a flow's document is kept that only a call may name: longer than any call is queued, 100 days.
const DOCUMENTS_KEPT_MS: u64 = 100 * 24 * 3_600_000;
/// How many of the older ones are forgotten at each look.
const DOCUMENTS_A_LOOK: u32 = 100;

/// When open attempts were last looked over. Times are ms by the steady clock.
#[derive(Default)]
pub(super) struct Sweeper {
    looked_ms: Option<u64>,
    reconciled_ms: u64,
    /// The lease under which, and the connection over which, that was.
    reconciled_under: (u64, u64),
    /// The calls begun at switches that are lost, until what those have published is collected.
    lost: Vec<SwitchCall>,
    catching: Catching,
    key_hours: KeyHours,
}

impl Sweeper {
    /// Looks over the open attempts, and has the switches asked what they hold, if it is time to.
    pub(super) async fn look(&mut self, shared: &Arc<Shared>, now: Moment) -> Result<(), TdbError> {
        let (wall_ms, now_ms) = (now.wall_ms, now.steady_ms);
        self.reconcile(shared, now_ms);
        let due = self
            .looked_ms
            .is_none_or(|looked_ms| now_ms.saturating_sub(looked_ms) >= INTERVAL_MS);
        if !due {
            return Ok(());
        }
        self.looked_ms = Some(now_ms);
        // Read before the attempts: one that is assigned in between is too young to be in doubt.
        let in_hand = shared.in_hand();
        let mut unwanted = Vec::new();
        let open = shared.app.tdb.open_attempts(None).await?;
        for open in open.into_iter().filter(|open| shared.settles(open)) {
            if open.cancel_requested && open.state != CallState::Assigned {
                unwanted.push(open.assignment.clone());
            }
            let in_hand = in_hand.contains_key(&open.assignment.call_uuid);
            if !in_hand && is_doubtful(shared, &open, wall_ms) {
                begin_to_settle(shared, open.assignment);
            }
        }
        if !unwanted.is_empty() {
            shared.tasks.spawn(drop_again(Arc::clone(shared), unwanted));
        }
        self.end_lost_switch_calls(shared).await?;
        cancel_of_deleted(shared, wall_ms).await?;
        // Those of every region: it makes a call due sooner, wherever it is then dialled.
        let mended = shared.app.tdb.mend_waits(LONGEST_WAIT_MS, wall_ms).await?;
        if mended > 0 {
            tracing::warn!(
                calls = mended,
                "calls were to wait for a clock that was ahead: they are due now"
            );
        }
        let tdb = &shared.app.tdb;
        let before_hour = self.key_hours.look(tdb, now_ms).await?;
        tdb.forget_keys(before_hour, KEYS_A_LOOK).await?;
        let before_ms = wall_ms.saturating_sub(DOCUMENTS_KEPT_MS);
        let forgotten = tdb.forget_documents(before_ms, DOCUMENTS_A_LOOK);
        forgotten.await.map(drop)
    }

    /// Ends the calls that persons began at switches which are lost.
    async fn end_lost_switch_calls(&mut self, shared: &Shared) -> Result<(), TdbError> {
        if !shared.is_connected() {
            return Ok(());
        }
        if self.lost.is_empty() {
            let catalogue = shared.app.catalogue();
            let open = shared.app.tdb.open_switch_calls().await?.into_iter();
            self.lost = open
                .filter(|call| catalogue.settles(&call.node_id, None))
                .filter(|call| why_switch_call_lost(shared, call).is_some())
                .collect();
            self.catching = Catching::default();
        }
        if self.lost.is_empty() || self.catching.ask(shared).await != Progress::CaughtUp {
            return Ok(());
        }
        for call in std::mem::take(&mut self.lost) {
            if let Some(reason) = why_switch_call_lost(shared, &call) {
                end_as_unknown(shared, call.call_uuid, call.attempt, &reason).await?;
            }
        }
        Ok(())
    }

    /// Has switches asked which attempts they hold: those that have just appeared or come back, and all of
    /// them under a new lease, over a new connection and every [`RECONCILE_INTERVAL_MS`].
    fn reconcile(&mut self, shared: &Arc<Shared>, now_ms: u64) {
        if !shared.is_connected() {
            return;
        }
        let wanted = shared.take_to_reconcile();
        let under = (shared.epoch.load(Ordering::Relaxed), shared.connects());
        let all = under != self.reconciled_under
            || now_ms.saturating_sub(self.reconciled_ms) >= RECONCILE_INTERVAL_MS;
        if !all && wanted.is_empty() {
            return;
        }
        if all {
            self.reconciled_ms = now_ms;
            self.reconciled_under = under;
        }
        let here = shared.switches().here(now_ms);
        for switch in here {
            if all || wanted.contains(&switch.node) {
                shared.tasks.spawn(reconcile(Arc::clone(shared), switch));
            }
        }
    }
}

/// Ends what is queued of campaigns that were deleted: calls that were accepted, or came back from a try, after
/// that. Those of every region, as nobody's region has them any more.
async fn cancel_of_deleted(shared: &Shared, wall_ms: u64) -> Result<(), TdbError> {
    let app = &shared.app;
    let is_due = |deleted_ms: &u64| wall_ms.abs_diff(*deleted_ms) < DELETED_KEPT_MS;
    if !app.catalogue().deleted.values().any(is_due) {
        return Ok(());
    }
    // One that was added anew is none of them.
    let catalogue = app.catalogues.look(&app.tdb).await?;
    for ((tenant, campaign), deleted_ms) in &catalogue.deleted {
        if !is_due(deleted_ms) || !app.tdb.has_queued(tenant, campaign).await? {
            continue;
        }
        let canceled = app
            .tdb
            .cancel_queued(tenant, Some(campaign), CANCEL_A_LOOK, None, wall_ms)
            .await?;
        tracing::info!(%tenant, %campaign, canceled, "calls of a deleted campaign are canceled");
        app.wake.dispatcher.notify_one();
    }
    Ok(())
}

/// Whether it is to be found out what became of an attempt: its switch has never confirmed it, or is lost.
fn is_doubtful(shared: &Shared, open: &OpenAttempt, now_ms: u64) -> bool {
    let router = &shared.app.config.router;
    let confirmed = open.state != CallState::Assigned;
    // One that seems to be of the future was written by a clock that has been set since.
    let age_ms = now_ms.abs_diff(open.assigned_ms);
    match shared.standing(&open.assignment) {
        Standing::Replaced { .. } => true,
        Standing::Silent { for_ms } => {
            !confirmed || for_ms >= router.switch_unknown_after.as_millis() as u64
        }
        Standing::Here => !confirmed && age_ms > router.dispatch_timeout.as_millis() as u64,
    }
}

/// Tells the switches once more which calls are to end. They were told when the wish came, but the
/// switch may have been away, or this gateway been killed between the two.
async fn drop_again(shared: Arc<Shared>, attempts: Vec<Assignment>) {
    let requests = futures::stream::iter(attempts).for_each_concurrent(
        REQUESTS_AT_ONCE,
        async |attempt: Assignment| {
            let (node, call) = (attempt.node_id, attempt.call_uuid);
            // One that has just ended is not there any more, and one that fails is asked for again.
            if let Err(error) = shared.app.switches.drop_call(node.clone(), call).await {
                tracing::debug!(%call, %node, %error, "a canceled call could not be dropped");
            }
        },
    );
    tokio::select! {
        () = requests => {}
        () = shared.stop.cancelled() => {}
    }
}

/// Why a call that a person began at a switch is lost, if it is. It can't be asked about; a later life of
/// the module tells its end, if that has the journal.
fn why_switch_call_lost(shared: &Shared, call: &SwitchCall) -> Option<String> {
    let patience_ms = shared.app.config.router.switch_unknown_after.as_millis() as u64;
    match shared.standing_of(&call.node_id, &call.incarnation, None) {
        Standing::Replaced { since_ms, .. } if since_ms < patience_ms => None,
        standing => why_lost(shared, &call.node_id, standing),
    }
}
