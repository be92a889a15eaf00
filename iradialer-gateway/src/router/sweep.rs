//! Looks over the attempts that switches have or may have, and finds those in doubt: after a restart
//! of the gateway, after the loss of a switch, after a fault.

use super::settle::{ask, end_as_unknown, settle, why_lost};
use super::shared::Shared;
use super::switches::Standing;
use crate::tdb::{Assignment, OpenAttempt, TdbError};
use futures::StreamExt;
use iradialer_core::call::CallState;
use iradialer_core::wire::AttemptFate;
use std::sync::Arc;

/// How often open attempts are looked over.
const INTERVAL_MS: u64 = 2_000;
/// How often the switches are asked about the attempts they have confirmed.
const RECONCILE_INTERVAL_MS: u64 = 30_000;
/// How many such questions are under way at once.
const QUESTIONS_AT_ONCE: usize = 16;

/// How long a request with an idempotency key may be repeated: 7 days.
const KEYS_KEPT_MS: u64 = 7 * 24 * 3_600_000;
/// How many of the older keys are forgotten at each look: more than a day's calls in a day, and few
/// enough that nobody waits for it.
const KEYS_A_LOOK: u32 = 1_000;

/// When open attempts were last looked over.
#[derive(Default)]
pub(super) struct Sweeper {
    looked_ms: Option<u64>,
    reconciled_ms: u64,
}

impl Sweeper {
    /// Looks over the open attempts if it is time to.
    pub(super) async fn look(&mut self, shared: &Arc<Shared>, now_ms: u64) -> Result<(), TdbError> {
        let due = self
            .looked_ms
            .is_none_or(|looked_ms| now_ms.saturating_sub(looked_ms) >= INTERVAL_MS);
        if !due {
            return Ok(());
        }
        self.looked_ms = Some(now_ms);
        // Read before the attempts: one that is assigned in between is too young to be in doubt.
        let in_hand = shared.in_hand();
        let mut confirmed = Vec::new();
        let mut unwanted = Vec::new();
        for open in shared.app.tdb.open_attempts(None).await? {
            if open.cancel_requested && open.state != CallState::Assigned {
                unwanted.push(open.assignment.clone());
            }
            match doubt(shared, &open, now_ms) {
                _ if in_hand.contains_key(&open.assignment.call_uuid) => {}
                Doubt::Grave => begin_to_settle(shared, open.assignment),
                Doubt::Slight => confirmed.push(open.assignment),
                Doubt::None => {}
            }
        }
        if !unwanted.is_empty() {
            shared.tasks.spawn(drop_again(Arc::clone(shared), unwanted));
        }
        if now_ms.saturating_sub(self.reconciled_ms) >= RECONCILE_INTERVAL_MS {
            self.reconciled_ms = now_ms;
            let reconciling = reconcile(Arc::clone(shared), confirmed);
            shared.tasks.spawn(reconciling);
        }
        end_lost_switch_calls(shared).await?;
        let before_ms = now_ms.saturating_sub(KEYS_KEPT_MS);
        let forgotten = shared.app.tdb.forget_keys(before_ms, KEYS_A_LOOK);
        forgotten.await.map(drop)
    }
}

/// Whether a switch has an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    /// It has, or is on the point of saying so.
    None,
    /// It has said so a while ago.
    Slight,
    /// It has never said so, or is lost.
    Grave,
}

fn doubt(shared: &Shared, open: &OpenAttempt, now_ms: u64) -> Doubt {
    let attempt = &open.assignment;
    let standing = shared
        .switches()
        .standing(&attempt.node_id, &attempt.incarnation, now_ms);
    let router = &shared.app.config.router;
    let age_ms = now_ms.saturating_sub(open.assigned_ms);
    let confirmed = open.state != CallState::Assigned;
    match standing {
        Standing::Replaced { .. } => Doubt::Grave,
        Standing::Silent { for_ms } => {
            let given_up = for_ms >= router.switch_unknown_after.as_millis() as u64;
            match given_up || !confirmed {
                true => Doubt::Grave,
                false => Doubt::None,
            }
        }
        Standing::Here if confirmed => match age_ms >= RECONCILE_INTERVAL_MS {
            true => Doubt::Slight,
            false => Doubt::None,
        },
        Standing::Here => match age_ms > router.dispatch_timeout.as_millis() as u64 {
            true => Doubt::Grave,
            false => Doubt::None,
        },
    }
}

fn begin_to_settle(shared: &Arc<Shared>, attempt: Assignment) {
    if shared.begin_settling(attempt.attempt_id) {
        shared.tasks.spawn(settle(Arc::clone(shared), attempt));
    }
}

/// Asks the switches whether they still have what they have confirmed. Where one has not, and the
/// events that say so don't come, the call must not stay open for ever.
async fn reconcile(shared: Arc<Shared>, attempts: Vec<Assignment>) {
    let questions = futures::stream::iter(attempts).for_each_concurrent(
        QUESTIONS_AT_ONCE,
        async |attempt: Assignment| match ask(&shared, &attempt).await {
            Some(AttemptFate::Ended | AttemptFate::IntentOnly | AttemptFate::NeverDialled) => {
                begin_to_settle(&shared, attempt);
            }
            Some(AttemptFate::Live) | None => {}
        },
    );
    tokio::select! {
        () = questions => {}
        () = shared.stop.cancelled() => {}
    }
}

/// Tells the switches once more which calls are to end. They were told when the wish came, but the
/// switch may have been away, or this gateway been killed between the two.
async fn drop_again(shared: Arc<Shared>, attempts: Vec<Assignment>) {
    let requests = futures::stream::iter(attempts).for_each_concurrent(
        QUESTIONS_AT_ONCE,
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

/// Calls that a person began at a switch can't be asked about, and end with it.
async fn end_lost_switch_calls(shared: &Shared) -> Result<(), TdbError> {
    if !shared.is_connected() {
        return Ok(());
    }
    for call in shared.app.tdb.open_switch_calls().await? {
        if let Some(reason) = why_lost(shared, &call.node_id, &call.incarnation) {
            end_as_unknown(shared, call.call_uuid, call.attempt, &reason).await?;
        }
    }
    Ok(())
}
