//! Compares what a switch holds with what the TDB believes: at this router's start and takeover, when a
//! switch appears, comes back or reconnects, and now and then.

use super::settle::{ask_switch, settle};
use super::shared::Shared;
use super::switches::Chosen;
use crate::tdb::{Adopted, Assignment, Holding, OpenAttempt, TdbError};
use iradialer_core::call::CallState;
use iradialer_core::subject;
use iradialer_core::value::{CallUuid, NodeId};
use iradialer_core::wire::{self, HeldAttempt, HeldQuery, HeldReply};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Asks that life of a switch which attempts it holds, and mends what differs.
pub(super) async fn reconcile(shared: Arc<Shared>, switch: Chosen) {
    let done = tokio::select! {
        done = compare(&shared, &switch) => done,
        () = shared.stop.cancelled() => return,
    };
    match done {
        Ok(true) => {}
        Ok(false) => tracing::debug!(node = %switch.node, "a switch did not say what it holds"),
        Err(error) => {
            tracing::error!(node = %switch.node, %error, "what a switch holds could not be compared");
        }
    }
}

/// False where the switch did not answer: it is asked again when its turn comes.
async fn compare(shared: &Arc<Shared>, switch: &Chosen) -> Result<bool, TdbError> {
    // In this order: what is assigned after it is read is not missed in the answer, and what is in hand
    // is about to be answered by itself.
    let in_hand = shared.in_hand();
    let open = shared.app.tdb.open_attempts(Some(&switch.node)).await?;
    let mut open: HashMap<CallUuid, OpenAttempt> = open
        .into_iter()
        .map(|open| (open.assignment.attempt_id, open))
        .collect();
    let mut after = None;
    loop {
        let Some(page) = ask(shared, switch, after).await else {
            return Ok(false);
        };
        after = page.attempts.last().map(|held| held.attempt_id);
        for held in page.attempts {
            let believed = open.remove(&held.attempt_id);
            if !shared.leads() {
                return Ok(true);
            }
            compare_held(shared, &switch.node, held, believed).await?;
        }
        if !page.more || after.is_none() {
            break;
        }
    }
    for missing in open.into_values() {
        let in_hand = in_hand.contains_key(&missing.assignment.call_uuid);
        if !in_hand && shared.settles(&missing) && is_old(shared, &missing) {
            begin_to_settle(shared, missing.assignment);
        }
    }
    Ok(true)
}

async fn ask(shared: &Shared, switch: &Chosen, after: Option<CallUuid>) -> Option<HeldReply> {
    let query = HeldQuery {
        v: wire::VERSION,
        epoch: shared.epoch.load(Ordering::Relaxed),
        after,
    };
    let cluster = &shared.app.config.cluster;
    let subject = subject::held(cluster, &switch.node, &switch.incarnation);
    ask_switch(shared, &switch.node, subject, &query).await
}

/// A command may be under way for as long as its answer is waited for. One that seems to be of the future
/// was written by a clock that has been set since.
fn is_old(shared: &Shared, open: &OpenAttempt) -> bool {
    let age_ms = shared.now_ms().abs_diff(open.assigned_ms);
    age_ms > shared.app.config.router.dispatch_timeout.as_millis() as u64
}

/// Settles an attempt, where nobody is at it.
pub(super) fn begin_to_settle(shared: &Arc<Shared>, attempt: Assignment) {
    if shared.begin_settling(attempt.attempt_id) {
        shared.tasks.spawn(settle(Arc::clone(shared), attempt));
    }
}

async fn compare_held(
    shared: &Shared,
    node: &NodeId,
    held: HeldAttempt,
    believed: Option<OpenAttempt>,
) -> Result<(), TdbError> {
    if believed.is_some_and(|open| open.state.rank() >= held.state.rank()) {
        return Ok(());
    }
    match verdict(node, &held, shared.app.tdb.holding(held.call_uuid).await?) {
        Verdict::Leave => {}
        Verdict::Adopt => adopt(shared, node, held).await?,
        Verdict::Drop => drop_left_over(shared, node, &held).await,
        Verdict::Tell => tracing::error!(
            call = %held.call_uuid, attempt = held.attempt, %node, state = %held.state,
            "a switch holds a call that has ended here, or is at another try; it is left to end there"
        ),
    }
    Ok(())
}

/// What is done about an attempt that a switch holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It is a person's own at the switch, or has just ended.
    Leave,
    /// It is the call's: its state follows.
    Adopt,
    /// The call is over, or goes on elsewhere, and nobody has answered here: it must not ring on.
    Drop,
    /// The same, but somebody is on the line, or the call can't be named to the switch without harm.
    Tell,
}

fn verdict(node: &NodeId, held: &HeldAttempt, call: Option<Holding>) -> Verdict {
    let Some(call) = call else {
        return Verdict::Leave;
    };
    let unanswered = held.state != CallState::Answered;
    if call.state.is_final() {
        return match (call.ended_by_gateway, unanswered) {
            // Its last event has come since the switch was asked.
            (false, _) => Verdict::Leave,
            (true, true) => Verdict::Drop,
            (true, false) => Verdict::Tell,
        };
    }
    if call.attempt_id == Some(held.attempt_id) {
        return Verdict::Adopt;
    }
    // A switch is asked to drop a call, not a try at it.
    match unanswered && call.node_id.as_ref() != Some(node) {
        true => Verdict::Drop,
        false => Verdict::Tell,
    }
}

async fn adopt(shared: &Shared, node: &NodeId, held: HeldAttempt) -> Result<(), TdbError> {
    let (call, attempt, state) = (held.call_uuid, held.attempt, held.state);
    if let Adopted::Live { canceled } = shared.app.tdb.adopt(held).await? {
        tracing::info!(%call, attempt, %node, %state, "a call that a switch holds is taken up");
        if canceled && let Err(error) = shared.app.switches.drop_call(node.clone(), call).await {
            tracing::warn!(%call, %node, %error, "a canceled call could not be dropped");
        }
    }
    Ok(())
}

async fn drop_left_over(shared: &Shared, node: &NodeId, held: &HeldAttempt) {
    let (call, attempt) = (held.call_uuid, held.attempt);
    match shared.app.switches.drop_call(node.clone(), call).await {
        Ok(()) => tracing::warn!(
            %call, attempt, %node,
            "a switch held a call that has ended here, or is at another try: it is dropped"
        ),
        // It has just ended, or is asked for again.
        Err(error) => tracing::debug!(%call, %node, %error, "a call could not be dropped"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(state: CallState) -> HeldAttempt {
        HeldAttempt {
            call_uuid: CallUuid::fresh(),
            attempt: 1,
            attempt_id: CallUuid::fresh(),
            state,
        }
    }

    fn node(name: &str) -> NodeId {
        NodeId::parse("node_id", name).unwrap()
    }

    #[test]
    fn each_difference_has_its_verdict() {
        let (ringing, answered) = (held(CallState::Ringing), held(CallState::Answered));
        let here = node("sw1");
        let call = |state, attempt_id, node_id, ended_by_gateway| {
            Some(Holding {
                state,
                attempt: 1,
                attempt_id,
                node_id,
                ended_by_gateway,
            })
        };
        let of = |held: &HeldAttempt, call| verdict(&here, held, call);

        assert_eq!(of(&ringing, None), Verdict::Leave, "a person's own");
        let own = |held: &HeldAttempt| {
            let at = (Some(held.attempt_id), Some(here.clone()));
            call(CallState::Assigned, at.0, at.1, false)
        };
        assert_eq!(of(&ringing, own(&ringing)), Verdict::Adopt);
        assert_eq!(of(&answered, own(&answered)), Verdict::Adopt);

        let over = |gateway| call(CallState::Unknown, None, None, gateway);
        assert_eq!(of(&ringing, over(true)), Verdict::Drop);
        assert_eq!(of(&answered, over(true)), Verdict::Tell);
        assert_eq!(of(&ringing, over(false)), Verdict::Leave);

        let at = |name| call(CallState::Dialing, Some(CallUuid::fresh()), name, false);
        assert_eq!(of(&ringing, at(Some(node("sw2")))), Verdict::Drop);
        assert_eq!(of(&ringing, at(None)), Verdict::Drop);
        assert_eq!(of(&ringing, at(Some(node("sw1")))), Verdict::Tell);
        assert_eq!(of(&answered, at(Some(node("sw2")))), Verdict::Tell);
    }
}
