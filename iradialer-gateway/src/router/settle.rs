//! An attempt of which it is not known whether it was dialled.

use super::dispatch::{confirm, requeue};
use super::shared::Shared;
use super::switches::Standing;
use crate::tdb::{Assignment, GatewayEnd, Requeued, TdbError};
use iradialer_core::subject;
use iradialer_core::value::{CallUuid, NodeId};
use iradialer_core::wire::{self, AttemptFate, Query, QueryReply};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::sleep;

/// The first pause between two questions; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between two questions.
const MAX_PAUSE: Duration = Duration::from_secs(2);
/// How long a switch may take to answer a question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long after a switch was loaded again the events of its former life may take to be collected.
const LAST_EVENTS_MS: u64 = 3_000;

/// Asks the switch what became of the attempt until it says so, or until nobody can say any more: the
/// module was loaded again, or the switch is gone too long. Then the call ends as unknown, and is not
/// dialled again. [`Shared::begin_settling`] has been called for it.
pub(super) async fn settle(shared: Arc<Shared>, attempt: Assignment) {
    tokio::select! {
        () = settle_for_ever(&shared, &attempt) => {}
        () = shared.stop.cancelled() => {}
    }
    shared.end_settling(attempt.attempt_id);
}

/// What is left to do about an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    /// Ask again, a little later.
    Ask,
    /// The switch has no more to say: its events do, or nobody does.
    Wait,
}

async fn settle_for_ever(shared: &Shared, attempt: &Assignment) {
    let mut pause = FIRST_PAUSE;
    loop {
        match try_to_settle(shared, attempt).await {
            Ok(Left::Nothing) => return,
            Ok(Left::Ask) => {}
            Ok(Left::Wait) => return wait_for_events(shared, attempt).await,
            Err(error) => {
                tracing::error!(call = %attempt.call_uuid, %error, "an attempt could not be settled");
                pause = MAX_PAUSE;
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

async fn try_to_settle(shared: &Shared, attempt: &Assignment) -> Result<Left, TdbError> {
    if !shared.is_connected() {
        return Ok(Left::Ask);
    }
    if let Some(reason) = why_lost(shared, &attempt.node_id, &attempt.incarnation) {
        end_as_unknown(shared, attempt.call_uuid, attempt.attempt, &reason).await?;
        return Ok(Left::Nothing);
    }
    match ask(shared, attempt).await {
        Some(fate) => act(shared, attempt, fate).await,
        None => Ok(Left::Ask),
    }
}

/// Why nobody can say any more what became of the attempts of that life of that switch.
pub(super) fn why_lost(shared: &Shared, node: &NodeId, incarnation: &CallUuid) -> Option<String> {
    let unknown_after_ms = shared.app.config.router.switch_unknown_after.as_millis() as u64;
    let standing = shared
        .switches()
        .standing(node, incarnation, shared.now_ms());
    match standing {
        Standing::Replaced { since_ms } if since_ms >= LAST_EVENTS_MS => Some(format!(
            "the module of {node} was loaded again while it had the call"
        )),
        Standing::Silent { for_ms } if for_ms >= unknown_after_ms => Some(format!(
            "{node} has been silent for {} s while it had the call",
            for_ms / 1000
        )),
        _ => None,
    }
}

/// What the switch says became of the attempt, if it says anything.
pub(super) async fn ask(shared: &Shared, attempt: &Assignment) -> Option<AttemptFate> {
    let query = Query {
        v: wire::VERSION,
        call_uuid: attempt.call_uuid,
        attempt: attempt.attempt,
        attempt_id: attempt.attempt_id,
        epoch: shared.epoch.load(Ordering::Relaxed),
    };
    let request = async_nats::Request::new()
        .payload(serde_json::to_vec(&query).ok()?.into())
        .timeout(Some(ANSWER_TIMEOUT));
    let cluster = &shared.app.config.cluster;
    let subject = subject::query(cluster, &attempt.node_id, &attempt.incarnation);
    let answer = shared.client.send_request(subject, request).await.ok()?;
    match serde_json::from_slice::<QueryReply>(&answer.payload) {
        Ok(reply) => Some(reply.fate),
        Err(_) => {
            let answer = String::from_utf8_lossy(&answer.payload);
            tracing::warn!(node = %attempt.node_id, %answer, "a switch would not say what became of a call");
            // What it may refuse is our epoch.
            shared.stale_epoch.notify_one();
            None
        }
    }
}

async fn act(shared: &Shared, attempt: &Assignment, fate: AttemptFate) -> Result<Left, TdbError> {
    let (call, number) = (attempt.call_uuid, attempt.attempt);
    tracing::info!(%call, attempt = number, node = %attempt.node_id, ?fate, "the switch knows what became of a call");
    match fate {
        AttemptFate::NeverDialled => match requeue(shared, call, number).await? {
            Requeued::Queued(_) | Requeued::Canceled => Ok(Left::Nothing),
            // Its events have come all the same, or it has ended meanwhile.
            Requeued::Stale => Ok(Left::Wait),
        },
        AttemptFate::Live => {
            confirm(shared, call, number, &attempt.node_id).await?;
            Ok(Left::Nothing)
        }
        AttemptFate::Ended | AttemptFate::IntentOnly => Ok(Left::Wait),
    }
}

/// An attempt that has ended has its last event on the way. Should it never come, the call ends all
/// the same, once a switch that is silent would be given up.
async fn wait_for_events(shared: &Shared, attempt: &Assignment) {
    sleep(shared.app.config.router.switch_unknown_after).await;
    let reason = format!(
        "{} says that the call has ended, but not how",
        attempt.node_id
    );
    // Where it has ended by now, this does nothing.
    let ended = end_as_unknown(shared, attempt.call_uuid, attempt.attempt, &reason).await;
    if let Err(error) = ended {
        // The sweep comes upon it again.
        tracing::error!(call = %attempt.call_uuid, %error, "a call could not be ended");
    }
}

/// Ends the call as unknown, if it has not ended and is still at that attempt.
pub(super) async fn end_as_unknown(
    shared: &Shared,
    call: CallUuid,
    attempt: u32,
    reason: &str,
) -> Result<(), TdbError> {
    let end = GatewayEnd::Unknown;
    let now_ms = shared.now_ms();
    let tdb = &shared.app.tdb;
    if tdb.end(call, attempt, end, reason, now_ms).await? {
        tracing::warn!(%call, attempt, reason, "a call ends as unknown");
        shared.app.wake.dispatcher.notify_one();
        shared.app.wake.router.notify_one();
    }
    Ok(())
}
