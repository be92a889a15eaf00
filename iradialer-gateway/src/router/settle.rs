//! An attempt of which it is not known whether it was dialled.

use super::dispatch::{confirm, requeue};
use super::shared::Shared;
use super::switches::Standing;
use crate::tdb::{Assignment, GatewayEnd, TdbError};
use iradialer_core::subject;
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

async fn settle_for_ever(shared: &Shared, attempt: &Assignment) {
    let mut pause = FIRST_PAUSE;
    loop {
        match try_to_settle(shared, attempt).await {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => {
                tracing::error!(call = %attempt.call_uuid, %error, "an attempt could not be settled");
                pause = MAX_PAUSE;
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

/// Whether there is no more to do.
async fn try_to_settle(shared: &Shared, attempt: &Assignment) -> Result<bool, TdbError> {
    if !shared.is_connected() {
        return Ok(false);
    }
    let standing = {
        let now_ms = shared.now_ms();
        shared
            .switches()
            .standing(&attempt.node_id, &attempt.incarnation, now_ms)
    };
    match lost(shared, attempt, standing) {
        Some(reason) => {
            give_up(shared, attempt, &reason).await?;
            Ok(true)
        }
        None => match ask(shared, attempt).await {
            Some(fate) => {
                act(shared, attempt, fate).await?;
                Ok(true)
            }
            None => Ok(false),
        },
    }
}

/// Why nobody can say any more what became of the attempt.
fn lost(shared: &Shared, attempt: &Assignment, standing: Standing) -> Option<String> {
    let node = &attempt.node_id;
    let unknown_after_ms = shared.app.config.router.switch_unknown_after.as_millis() as u64;
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

async fn ask(shared: &Shared, attempt: &Assignment) -> Option<AttemptFate> {
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
    let reply: QueryReply = serde_json::from_slice(&answer.payload).ok()?;
    Some(reply.fate)
}

async fn act(shared: &Shared, attempt: &Assignment, fate: AttemptFate) -> Result<(), TdbError> {
    let (call, number) = (attempt.call_uuid, attempt.attempt);
    tracing::info!(%call, attempt = number, node = %attempt.node_id, ?fate, "the switch knows what became of a call");
    match fate {
        AttemptFate::NeverDialled => requeue(shared, call, number).await,
        AttemptFate::Live => confirm(shared, call, number, &attempt.node_id).await,
        // Its events say how.
        AttemptFate::Ended => Ok(()),
    }
}

async fn give_up(shared: &Shared, attempt: &Assignment, reason: &str) -> Result<(), TdbError> {
    let (call, number) = (attempt.call_uuid, attempt.attempt);
    let end = GatewayEnd::Unknown;
    let now_ms = shared.now_ms();
    if shared
        .app
        .tdb
        .end(call, number, end, reason, now_ms)
        .await?
    {
        tracing::warn!(%call, attempt = number, reason, "a call ends as unknown");
        shared.app.wake.dispatcher.notify_one();
        shared.app.wake.router.notify_one();
    }
    Ok(())
}
