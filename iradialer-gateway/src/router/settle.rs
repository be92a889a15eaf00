//! An attempt of which it is not known whether it was dialled.

use super::collected::{Catching, Progress};
use super::dispatch::{confirm, requeue};
use super::shared::Shared;
use super::switches::Standing;
use crate::tdb::{Assignment, GivenUp, Requeued, TdbError};
use iradialer_core::subject;
use iradialer_core::value::{CallUuid, NodeId};
use iradialer_core::wire::{self, AttemptFate, Query, QueryReply};
use serde_json::json;
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
/// How long after a switch came back with another journal the events of its former life may take to be
/// published.
const LAST_EVENTS_MS: u64 = 3_000;
/// The event stream keeps nothing for longer: an end that nobody has collected by then is lost.
const EVENTS_KEPT_MS: u64 = 7 * 24 * 3_600_000;

/// Asks the switch what became of the attempt until it says so, or until nobody can say any more: it
/// came back without its journal, or is gone too long. Then the call ends as unknown, and is not dialled
/// again. [`Shared::begin_settling`] has been called for it.
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

/// What is remembered from one question to the next.
#[derive(Default)]
struct Memory {
    /// The last answer, which is logged once.
    fate: Option<AttemptFate>,
    lost: Catching,
}

async fn settle_for_ever(shared: &Shared, attempt: &Assignment) {
    let mut pause = FIRST_PAUSE;
    let mut memory = Memory::default();
    let mut waiting = Waiting::default();
    // Whoever leads after us comes upon the attempt in its own sweep.
    while shared.leads() {
        match try_to_settle(shared, attempt, &mut memory).await {
            Ok(Left::Nothing) => return,
            Ok(Left::Ask) => {}
            Ok(Left::Wait) => match waiting.is_over(shared, attempt).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => told(attempt, &error),
            },
            Err(error) => {
                told(attempt, &error);
                pause = MAX_PAUSE;
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

fn told(attempt: &Assignment, error: &TdbError) {
    tracing::error!(call = %attempt.call_uuid, %error, "an attempt could not be settled");
}

async fn try_to_settle(
    shared: &Shared,
    attempt: &Assignment,
    memory: &mut Memory,
) -> Result<Left, TdbError> {
    if !shared.is_connected() {
        return Ok(Left::Ask);
    }
    let standing = shared.standing(attempt);
    if let Some(reason) = why_lost(shared, &attempt.node_id, standing) {
        if memory.lost.ask(shared).await != Progress::CaughtUp && !is_too_old(shared, attempt) {
            return Ok(Left::Ask);
        }
        end_as_unknown(shared, attempt.call_uuid, attempt.attempt, &reason).await?;
        return Ok(Left::Nothing);
    }
    let life = match standing {
        Standing::Here | Standing::Silent { .. } => attempt.incarnation,
        Standing::Replaced { by: Some(life), .. } => life,
        Standing::Replaced { by: None, .. } => return Ok(Left::Ask),
    };
    match ask(shared, attempt, &life).await {
        Some(fate) => {
            if memory.fate.replace(fate) != Some(fate) {
                let (call, number, node) = (attempt.call_uuid, attempt.attempt, &attempt.node_id);
                tracing::info!(%call, attempt = number, %node, ?fate, "the switch knows what became of a call");
            }
            act(shared, attempt, fate).await
        }
        None => Ok(Left::Ask),
    }
}

/// Why nobody can say any more what became of the attempts of a life of that switch.
pub(super) fn why_lost(shared: &Shared, node: &NodeId, standing: Standing) -> Option<String> {
    let unknown_after_ms = shared.app.config.router.switch_unknown_after.as_millis() as u64;
    match standing {
        Standing::Replaced { since_ms, by: None } if since_ms >= LAST_EVENTS_MS => Some(format!(
            "{node} came back with another journal than it had when it was given the call"
        )),
        Standing::Silent { for_ms } if for_ms >= unknown_after_ms => Some(format!(
            "{node} has been silent for {} s while it had the call",
            for_ms / 1000
        )),
        _ => None,
    }
}

/// Whether what the switch may have published in time is lost by now.
fn is_too_old(shared: &Shared, attempt: &Assignment) -> bool {
    shared.now_ms() > attempt.not_after_ms.saturating_add(EVENTS_KEPT_MS)
}

/// What that life of the switch says became of the attempt, if it says anything.
async fn ask(shared: &Shared, attempt: &Assignment, life: &CallUuid) -> Option<AttemptFate> {
    let query = Query {
        v: wire::VERSION,
        call_uuid: attempt.call_uuid,
        attempt: attempt.attempt,
        attempt_id: attempt.attempt_id,
        epoch: shared.epoch.load(Ordering::Relaxed),
    };
    let subject = subject::query(&shared.app.config.cluster, &attempt.node_id, life);
    let reply: QueryReply = ask_switch(shared, &attempt.node_id, subject, &query).await?;
    Some(reply.fate)
}

/// The answer of a switch to a question, if it is one.
pub(super) async fn ask_switch<A: serde::de::DeserializeOwned>(
    shared: &Shared,
    node: &NodeId,
    subject: String,
    question: &impl serde::Serialize,
) -> Option<A> {
    let request = async_nats::Request::new()
        .payload(serde_json::to_vec(question).ok()?.into())
        .timeout(Some(ANSWER_TIMEOUT));
    let answer = shared.client.send_request(subject, request).await.ok()?;
    match serde_json::from_slice(&answer.payload) {
        Ok(reply) => Some(reply),
        Err(_) => {
            let answer = String::from_utf8_lossy(&answer.payload);
            if shared.is_news(node, &answer) {
                tracing::warn!(%node, %answer, "a switch does not answer a question");
            }
            if answer.contains("epoch") {
                shared.stale_epoch.notify_one();
            }
            None
        }
    }
}

async fn act(shared: &Shared, attempt: &Assignment, fate: AttemptFate) -> Result<Left, TdbError> {
    let (call, number) = (attempt.call_uuid, attempt.attempt);
    let asked = json!({"node": attempt.node_id, "said": fate});
    let noted = shared
        .app
        .tdb
        .note_asked(call, number, asked, shared.now_ms());
    noted.await?;
    match fate {
        AttemptFate::NeverDialled => {
            match requeue(shared, call, number, never_dialled(attempt)).await? {
                Requeued::Queued(_) | Requeued::Canceled => Ok(Left::Nothing),
                // Its events have come all the same, or it has ended meanwhile, or we don't lead any more.
                Requeued::Stale => Ok(Left::Wait),
            }
        }
        AttemptFate::Live => {
            confirm(shared, call, number, &attempt.node_id).await?;
            Ok(Left::Nothing)
        }
        AttemptFate::Ended | AttemptFate::IntentOnly => Ok(Left::Wait),
    }
}

fn never_dialled(attempt: &Assignment) -> String {
    format!(
        "{} was asked, and says that it never dialled it",
        attempt.node_id
    )
}

/// The wait for the last event of an attempt that has ended. The switch publishes it until the TDB has it,
/// so it comes, however long the bus or the collectors are away. Only where the collectors have kept up for as
/// long as makes a silent switch given up, and the switch has no more to tell, is it lost.
#[derive(Default)]
struct Waiting {
    catching: Catching,
    in_vain_since_ms: Option<u64>,
}

impl Waiting {
    /// Whether the wait is over: the call has ended, or ends now.
    async fn is_over(&mut self, shared: &Shared, attempt: &Assignment) -> Result<bool, TdbError> {
        let (call, number) = (attempt.call_uuid, attempt.attempt);
        if !shared.app.tdb.is_open(call, number).await? {
            return Ok(true);
        }
        let more = shared.switches().has_more_to_tell(&attempt.node_id);
        let progress = self.catching.ask(shared).await;
        if !is_too_old(shared, attempt) {
            if more || progress == Progress::Away {
                self.in_vain_since_ms = None;
                return Ok(false);
            }
            if progress == Progress::Behind {
                return Ok(false);
            }
        }
        // That of one that is too old as well: it may be the clock that was set.
        let now_ms = shared.steady_ms();
        let since_ms = *self.in_vain_since_ms.get_or_insert(now_ms);
        let waited_ms = now_ms.saturating_sub(since_ms);
        if waited_ms < shared.app.config.router.switch_unknown_after.as_millis() as u64 {
            return Ok(false);
        }
        let reason = format!(
            "{} says that the call has ended, but not how",
            attempt.node_id
        );
        end_as_unknown(shared, call, number, &reason).await?;
        Ok(true)
    }
}

/// Ends the call as unknown, or has it dialled again where its request asked for that, if it has not ended
/// and is still at that attempt.
pub(super) async fn end_as_unknown(
    shared: &Shared,
    call: CallUuid,
    attempt: u32,
    reason: &str,
) -> Result<(), TdbError> {
    let (lead, now_ms) = (shared.lead(), shared.now_ms());
    let given_up = shared.app.tdb.give_up(lead, call, attempt, reason, now_ms);
    match given_up.await? {
        GivenUp::Stale => return Ok(()),
        GivenUp::Ended => tracing::warn!(%call, attempt, reason, "a call ends as unknown"),
        GivenUp::Queued => tracing::warn!(
            %call, attempt, reason,
            "it is not known what became of a call: it is dialled again, as its request asked"
        ),
    }
    shared.app.wake.dispatcher.notify_one();
    shared.app.wake.router.notify_one();
    Ok(())
}
