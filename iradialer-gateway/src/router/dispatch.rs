//! One call on its way to one switch.

use super::plan::Place;
use super::reconcile::begin_to_settle;
use super::shared::{Holder, Shared};
use super::switches::Chosen;
use crate::clock::Moment;
use crate::tdb::{Assigned, Assignment, GatewayEnd, QueuedCall, Requeued, TdbError};
use async_nats::RequestErrorKind;
use iradialer_core::subject;
use iradialer_core::value::{CallUuid, NodeId};
use iradialer_core::wire::{self, DialCommand, DialReply, DtmfWay, RefusalReason};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The longest a call waits before its next attempt, however often it was refused.
const MAX_REQUEUE_WAIT: Duration = Duration::from_secs(5);
/// How long one waits at the least whose switch is still getting what it needs.
const NOT_READY_WAIT: Duration = Duration::from_millis(500);

/// A call, and where it is to be dialled.
pub(super) struct Plan {
    pub(super) call: QueuedCall,
    pub(super) place: Place,
    pub(super) epoch: u64,
    /// When it may last be dialled, ms since the Unix epoch.
    pub(super) not_after_ms: u64,
    /// When the look at the queue began that found it.
    pub(super) picked: Instant,
    /// When it was planned. Its time runs from then on: should this process stand still before it is sent,
    /// the command is too old when it goes out, and not the call dialled at an hour that nobody chose.
    pub(super) at: Moment,
}

/// What came of a dial command.
#[derive(Debug, PartialEq)]
enum Answer {
    Reply(DialReply),
    /// The bus had nobody to give it to when it came. A copy of it may have come before, or may yet.
    NotDelivered,
    /// It is too large for the bus, which has not taken it.
    TooLarge,
    /// Nothing is known.
    None,
}

/// Assigns the call, sends the dial command and acts on the answer. The call stays in hand until then.
pub(super) async fn dispatch(shared: Arc<Shared>, plan: Plan, holder: Holder) {
    let call = plan.call.call_uuid;
    let now_ms = plan.at.wall_ms;
    let not_after_ms = plan.not_after_ms;
    let assignment = Assignment {
        call_uuid: call,
        attempt: plan.call.attempt,
        attempt_id: CallUuid::fresh(),
        trunk: plan.place.trunk.clone(),
        node_id: plan.place.switch.node.clone(),
        incarnation: plan.place.switch.incarnation,
        journal_id: plan.place.switch.journal_id,
        epoch: plan.epoch,
        not_after_ms,
        why: plan.place.why.clone(),
        probe: plan.place.probe,
    };
    if let Err(error) = assign_and_send(&shared, &plan, &assignment, now_ms).await {
        // What was assigned and not resolved is found again by the sweep.
        tracing::error!(%call, %error, "a call could not be dispatched");
        tokio::select! {
            () = tokio::time::sleep(MAX_REQUEUE_WAIT) => {}
            () = shared.stop.cancelled() => {}
        }
    }
    drop(holder);
}

async fn assign_and_send(
    shared: &Arc<Shared>,
    plan: &Plan,
    assignment: &Assignment,
    now_ms: u64,
) -> Result<(), TdbError> {
    let (call, attempt) = (assignment.call_uuid, assignment.attempt);
    iradialer_core::failpoint::hit("router.assign.before");
    let region = &shared.app.config.router.region;
    let destinations = &shared.app.config.destinations;
    // The rules may be others than when it was accepted.
    if let Err(refused) = destinations.check(&plan.call.tenant_id, &plan.call.to_number) {
        tracing::info!(%call, rule = refused.rule, "a call ends: its number may not be called");
        shared.paces().not_sent((call, attempt));
        let (tdb, facts) = (&shared.app.tdb, refused.facts());
        let ended = tdb.refuse_destination(region.as_str(), assignment.clone(), facts, now_ms);
        ended.await?;
        shared.app.wake.dispatcher.notify_one();
        return Ok(());
    }
    let assigned = shared
        .app
        .tdb
        .assign(region.as_str(), assignment.clone(), now_ms);
    match assigned.await? {
        Assigned::Yes => {}
        Assigned::No => {
            shared.paces().not_sent((call, attempt));
            return Ok(());
        }
        Assigned::DoNotCall => {
            tracing::info!(%call, "a call ends: its number is on the do-not-call list");
            shared.paces().not_sent((call, attempt));
            shared.app.wake.dispatcher.notify_one();
            return Ok(());
        }
    }
    iradialer_core::failpoint::hit("router.assign.after");
    shared.note_assigned(assignment.call_uuid);
    iradialer_core::failpoint::hit("router.dispatch.send.before");
    // What `make bench` reads.
    let picked_us = plan.picked.elapsed().as_micros() as u64;
    tracing::trace!(picked_us, "a call goes out");
    let answer = send(shared, plan, assignment).await;
    iradialer_core::failpoint::hit("router.dispatch.send.after");
    act(shared, assignment, &plan.place.switch, answer).await
}

async fn send(shared: &Shared, plan: &Plan, assignment: &Assignment) -> Answer {
    let config = &shared.app.config;
    let catalogue = shared.app.catalogue();
    let trunk = catalogue.trunks.get(&assignment.trunk);
    let dtmf = trunk.map_or_else(DtmfWay::default, |trunk| trunk.dtmf);
    let command = dial_command(&plan.call, assignment, dtmf);
    let payload = match serde_json::to_vec(&command) {
        Ok(payload) => payload,
        Err(error) => {
            let detail = error.to_string();
            let reason = RefusalReason::BadRequest;
            return Answer::Reply(DialReply::Refused { reason, detail });
        }
    };
    let request = async_nats::Request::new()
        .payload(payload.into())
        .timeout(Some(config.router.dispatch_timeout));
    let subject = subject::dial(
        &config.cluster,
        &assignment.node_id,
        &assignment.incarnation,
    );
    match shared.client.send_request(subject, request).await {
        Ok(message) => serde_json::from_slice(&message.payload).map_or(Answer::None, Answer::Reply),
        Err(error) => match error.kind() {
            RequestErrorKind::NoResponders => Answer::NotDelivered,
            RequestErrorKind::MaxPayloadExceeded => Answer::TooLarge,
            _ => Answer::None,
        },
    }
}

fn dial_command(call: &QueuedCall, assignment: &Assignment, dtmf: DtmfWay) -> DialCommand {
    DialCommand {
        v: wire::VERSION,
        call_uuid: call.call_uuid,
        attempt: call.attempt,
        attempt_id: assignment.attempt_id,
        epoch: assignment.epoch,
        journal_id: assignment.journal_id,
        not_after_ms: assignment.not_after_ms,
        tenant_id: call.tenant_id.clone(),
        campaign_name: call.campaign_name.clone(),
        trunk: assignment.trunk.clone(),
        to_number: call.to_number.clone(),
        from_number: call.from_number.clone(),
        dial_timeout_s: call.request.dial_timeout_s,
        max_duration_s: call.request.max_duration_s,
        channel_vars: call.request.channel_vars.clone(),
        flow: call.request.call_flow(),
        given: call.request.given(),
        dtmf,
        bridge_to: call.waited_for.as_ref().map(|(parent, _)| *parent),
        whisper: call.request.whisper.clone(),
    }
}

async fn act(
    shared: &Arc<Shared>,
    assignment: &Assignment,
    switch: &Chosen,
    answer: Answer,
) -> Result<(), TdbError> {
    let (call, attempt) = (assignment.call_uuid, assignment.attempt);
    let now_ms = shared.steady_ms();
    match answer {
        Answer::Reply(DialReply::Accepted) => {
            shared.paces().begun((call, attempt), now_ms);
            shared.switches().accepted(switch);
            confirm(shared, call, attempt, &switch.node).await
        }
        Answer::Reply(DialReply::Refused { reason, detail }) => {
            tracing::info!(%call, attempt, node = %switch.node, ?reason, detail, "a switch refused a call");
            refused(shared, assignment, switch, reason, detail).await
        }
        Answer::NotDelivered => {
            tracing::info!(%call, attempt, node = %switch.node, "a switch is gone");
            shared.switches().shun(switch);
            begin_to_settle(shared, assignment.clone());
            Ok(())
        }
        Answer::TooLarge => reject(shared, call, attempt, "too large for the bus").await,
        Answer::None => {
            tracing::warn!(%call, attempt, node = %switch.node, "a switch did not answer");
            shared.switches().unanswered(switch, now_ms);
            begin_to_settle(shared, assignment.clone());
            Ok(())
        }
    }
}

async fn refused(
    shared: &Arc<Shared>,
    assignment: &Assignment,
    switch: &Chosen,
    reason: RefusalReason,
    detail: String,
) -> Result<(), TdbError> {
    let (call, attempt) = (assignment.call_uuid, assignment.attempt);
    let mut wait = Duration::ZERO;
    match reason {
        RefusalReason::BadRequest => return reject(shared, call, attempt, &detail).await,
        RefusalReason::NobodyWaits => {
            let end = GatewayEnd::Canceled;
            return end_undialled(shared, call, attempt, end, &detail).await;
        }
        // The command came twice, or after a query had fenced it: what became of the attempt is
        // another matter.
        RefusalReason::Duplicate => {
            begin_to_settle(shared, assignment.clone());
            return Ok(());
        }
        RefusalReason::Busy | RefusalReason::License => {
            shared.switches().busy(switch, shared.steady_ms());
        }
        // Neither the switch nor the trunk is to blame: only this call waits, for what it needs.
        RefusalReason::NotReady => wait = NOT_READY_WAIT,
        RefusalReason::TrunkUnavailable => {
            let now_ms = shared.steady_ms();
            shared
                .switches()
                .trunk_down(switch, &assignment.trunk, now_ms);
        }
        RefusalReason::Draining | RefusalReason::Faulty | RefusalReason::WrongJournal => {
            shared.switches().shun(switch)
        }
        RefusalReason::StaleEpoch => shared.stale_epoch.notify_one(),
        RefusalReason::Expired => tracing::warn!(
            node = %switch.node,
            "a dial command was too old when it came: are the clocks of gateway and switch the same?"
        ),
    }
    let said = format!("{} refused it: {reason:?}: {detail}", switch.node);
    requeue_after(shared, call, attempt, said, wait.max(requeue_wait(attempt)))
        .await
        .map(drop)
}

/// The switch has the call: `assigned → dialing`. A cancellation asked for meanwhile is passed on.
pub(super) async fn confirm(
    shared: &Shared,
    call: CallUuid,
    attempt: u32,
    node: &NodeId,
) -> Result<(), TdbError> {
    let canceled = shared.app.tdb.mark_dialing(call, attempt).await?;
    if canceled && let Err(error) = shared.app.switches.drop_call(node.clone(), call).await {
        tracing::warn!(%call, %node, %error, "a canceled call could not be dropped");
    }
    Ok(())
}

/// Back into the queue under the next attempt, a little later each time.
pub(super) async fn requeue(
    shared: &Shared,
    call: CallUuid,
    attempt: u32,
    reason: String,
) -> Result<Requeued, TdbError> {
    requeue_after(shared, call, attempt, reason, requeue_wait(attempt)).await
}

async fn requeue_after(
    shared: &Shared,
    call: CallUuid,
    attempt: u32,
    reason: String,
    wait: Duration,
) -> Result<Requeued, TdbError> {
    let now_ms = shared.now_ms();
    let not_before_ms = now_ms + wait.as_millis() as u64;
    let requeued = shared
        .app
        .tdb
        .requeue(shared.lead(), call, attempt, reason, not_before_ms, now_ms)
        .await?;
    if requeued != Requeued::Stale {
        shared.paces().not_sent((call, attempt));
    }
    if requeued == Requeued::Canceled {
        shared.app.wake.dispatcher.notify_one();
    }
    shared.app.wake.router.notify_one();
    Ok(requeued)
}

/// The first refusal costs no time: another switch may take the call at once.
fn requeue_wait(attempt: u32) -> Duration {
    if attempt <= 1 {
        return Duration::ZERO;
    }
    let doubled = Duration::from_millis(100).saturating_mul(1 << (attempt - 2).min(16));
    doubled.min(MAX_REQUEUE_WAIT)
}

async fn reject(
    shared: &Shared,
    call: CallUuid,
    attempt: u32,
    reason: &str,
) -> Result<(), TdbError> {
    end_undialled(shared, call, attempt, GatewayEnd::Rejected, reason).await
}

/// Ends a call that the switch has not dialled, and that none is to dial.
async fn end_undialled(
    shared: &Shared,
    call: CallUuid,
    attempt: u32,
    end: GatewayEnd,
    reason: &str,
) -> Result<(), TdbError> {
    shared.paces().not_sent((call, attempt));
    let now_ms = shared.now_ms();
    shared
        .app
        .tdb
        .end(shared.lead(), call, attempt, end, reason, now_ms)
        .await?;
    shared.app.wake.dispatcher.notify_one();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_calls_come_back_ever_later() {
        assert_eq!(requeue_wait(1), Duration::ZERO);
        assert_eq!(requeue_wait(2), Duration::from_millis(100));
        assert_eq!(requeue_wait(3), Duration::from_millis(200));
        assert_eq!(requeue_wait(u32::MAX), MAX_REQUEUE_WAIT);
    }
}
