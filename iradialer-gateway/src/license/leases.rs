//! Answers the switches that ask how much of the licence they may use, and knows which leases have run out.

use super::{Licensing, State};
use crate::app::App;
use crate::tdb::{HeldLease, Leased, TdbError};
use async_nats::{Client, Message};
use futures::StreamExt;
use iradialer_core::subject;
use iradialer_core::value::{CallUuid, NodeId};
use iradialer_core::wire::{self, LeaseAsk, LeaseReply};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::sleep;

/// One of the gateways answers.
const QUEUE_GROUP: &str = "pass.lease";
/// How long to wait before subscribing again.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// How many questions are answered at once.
const AT_ONCE: usize = 16;
/// How much longer than it is good for a lease is left alone, ms, and what part of that time besides: steady clocks
/// of two machines drift.
const MARGIN_MS: u64 = 5_000;
const DRIFT: u64 = 100;
/// A life of a switch that stands still so long while another life of the same switch is renewed, one with another
/// journal, is over, ms: one module has a node id at a time. Switches ask every 10 s.
const SUCCEEDED_MS: u64 = 60_000;
/// Nobody has renewed a lease that stands still for longer, ms.
const RENEWED_MS: u64 = 30_000;

/// A lease's last question and when it was first seen, ms by the steady clock.
type Seen = (u64, u64);

/// Which leases stand still. Clocks of two machines are not compared: one has run out when this process has seen it
/// without a renewal for longer than it is good for.
#[derive(Default)]
pub(super) struct Watch {
    state: Mutex<WatchState>,
}

#[derive(Default)]
struct WatchState {
    seen: HashMap<(NodeId, CallUuid), Seen>,
    over: Vec<(NodeId, CallUuid, u64)>,
}

impl Watch {
    /// Takes in how the leases stand now.
    pub fn look(&self, leases: &[HeldLease], steady_ms: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let since_ms = |lease: &HeldLease| match state.seen.get(&lease.key()) {
            Some((ask, since_ms)) if *ask == lease.ask => *since_ms,
            _ => steady_ms,
        };
        let still_ms = |lease: &HeldLease| steady_ms.saturating_sub(since_ms(lease));
        let is_succeeded = |lease: &HeldLease| {
            leases.iter().any(|other| {
                other.node_id == lease.node_id
                    && other.incarnation != lease.incarnation
                    && still_ms(other) < RENEWED_MS
            })
        };
        let is_over = |lease: &&HeldLease| {
            let good_for_ms = match is_succeeded(lease) {
                true => lease.good_for_ms.min(SUCCEEDED_MS),
                false => lease.good_for_ms,
            };
            still_ms(lease) > good_for_ms + good_for_ms / DRIFT + MARGIN_MS
        };
        let over = leases.iter().filter(is_over);
        let over = over.map(|lease| (lease.node_id.clone(), lease.incarnation, lease.ask));
        let over = over.collect();
        let seen = leases
            .iter()
            .map(|lease| (lease.key(), (lease.ask, since_ms(lease))));
        let seen = seen.collect();
        *state = WatchState { seen, over };
    }

    /// Those that have run out.
    pub fn over(&self) -> Vec<(NodeId, CallUuid, u64)> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.over.clone()
    }
}

/// Answers until it is dropped.
pub(super) async fn serve(app: &App, client: &Client, watch: &Watch) {
    let subject = subject::all_leases(&app.config.cluster);
    loop {
        let group = QUEUE_GROUP.to_owned();
        match client.queue_subscribe(subject.clone(), group).await {
            Ok(questions) => {
                let answer = async |question| answer(app, client, watch, question).await;
                questions.for_each_concurrent(AT_ONCE, answer).await;
            }
            Err(error) => tracing::error!(%error, "switches can't be given leases of the licence"),
        }
        sleep(RETRY_DELAY).await;
    }
}

async fn answer(app: &App, client: &Client, watch: &Watch, question: Message) {
    let ask = match read(app, &question) {
        Ok(ask) => ask,
        Err(error) => {
            tracing::error!(subject = %question.subject, error, "a switch's question for a lease can't be read");
            return;
        }
    };
    let node = ask.node_id.clone();
    let reply = match decide(&app.license, ask, watch).await {
        Ok(Some(reply)) => reply,
        Ok(None) => return,
        // No answer: the switch asks again, and goes on by the lease that it has.
        Err(error) => {
            tracing::warn!(%node, %error, "a switch could not be given a lease");
            return;
        }
    };
    let (Some(to), Ok(payload)) = (question.reply, serde_json::to_vec(&reply)) else {
        return;
    };
    if let Err(error) = client.publish(to, payload.into()).await {
        tracing::debug!(%node, %error, "a switch could not be given a lease");
    }
}

/// NATS lets a switch ask on its own subject only: a question that names another is forged.
fn read(app: &App, question: &Message) -> Result<LeaseAsk, String> {
    let ask: LeaseAsk =
        serde_json::from_slice(&question.payload).map_err(|error| error.to_string())?;
    if ask.v != wire::VERSION {
        return Err(format!("v: expected {}, got {}", wire::VERSION, ask.v));
    }
    let own = subject::lease(&app.config.cluster, &ask.node_id);
    match own == question.subject.as_str() {
        true => Ok(ask),
        false => Err(format!(
            "node_id: it is {}'s, who asks on {own}",
            ask.node_id
        )),
    }
}

/// What a switch is told; nothing where its question is an old one.
pub(super) async fn decide(
    licensing: &Licensing,
    ask: LeaseAsk,
    watch: &Watch,
) -> Result<Option<LeaseReply>, TdbError> {
    let standing = licensing.standing();
    let may_begin = standing.state.takes_calls();
    let grace_ms = u64::from(standing.limits.grace_s) * 1_000;
    // Not beyond its own end.
    let good_for_ms = match &standing.license {
        Some((signed, _)) if standing.state == State::Active => {
            let ends_ms = signed.license.expires_s.saturating_mul(1_000);
            grace_ms.min(ends_ms.saturating_sub(standing.judged_ms))
        }
        _ => grace_ms,
    };
    let (number, limits) = (ask.ask, may_begin.then_some(standing.limits));
    let tdb = &licensing.shared.tdb;
    let leased = tdb
        .lease_license(ask, limits, good_for_ms, watch.over())
        .await?;
    let (channels, rate, why_none) = match leased {
        Leased::Nothing => return Ok(None),
        Leased::Given { channels, rate } => {
            let why = standing.allows(Default::default()).err();
            (channels, rate, why.map(|why| why.message))
        }
        Leased::TooManySwitches(others) => {
            let others: Vec<&str> = others.iter().map(NodeId::as_str).collect();
            let why = format!(
                "The licence allows {} switches, and holds for {}",
                standing.limits.max_switches,
                others.join(", ")
            );
            (0, 0, Some(why))
        }
    };
    Ok(Some(LeaseReply {
        v: wire::VERSION,
        ask: number,
        channels,
        rate,
        features: standing.limits.features,
        good_for_ms,
        evaluation: standing.state == State::Evaluation,
        why_none,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::license::shares::Share;

    fn lease(ask: u64) -> HeldLease {
        HeldLease {
            node_id: NodeId::parse("node_id", "sw1").unwrap(),
            incarnation: CallUuid::parse("i", "01a1fc2f-bd5c-702b-b769-11f559dde487").unwrap(),
            journal_id: CallUuid::fresh(),
            place: 1,
            ask,
            good_for_ms: 600_000,
            channels: Share::default(),
            rate: Share::default(),
        }
    }

    #[test]
    fn a_lease_has_run_out_when_it_stands_still_for_longer_than_it_is_good_for() {
        let watch = Watch::default();
        watch.look(&[lease(7)], 1_000_000);
        watch.look(&[lease(7)], 1_600_000);
        assert_eq!(watch.over(), [], "not before its end");
        watch.look(&[lease(7)], 1_612_000);
        let over = watch.over();
        assert_eq!((over.len(), over[0].2), (1, 7));
        watch.look(&[lease(8)], 1_613_000);
        assert_eq!(watch.over(), [], "it was renewed");
        watch.look(&[], 9_000_000);
        watch.look(&[lease(8)], 9_000_001);
        assert_eq!(watch.over(), [], "nothing is known of when it came");
    }

    #[test]
    fn a_life_that_another_one_has_followed_is_over_before_its_lease() {
        let watch = Watch::default();
        let later = |ask| HeldLease {
            incarnation: CallUuid::parse("i", "01a1fc30-bd5c-702b-b769-11f559dde487").unwrap(),
            ..lease(ask)
        };
        let other = HeldLease {
            node_id: NodeId::parse("node_id", "sw2").unwrap(),
            ..lease(1)
        };
        watch.look(&[lease(7), other.clone()], 0);
        for tens in 1..=6 {
            watch.look(&[lease(7), later(tens), other.clone()], tens * 10_000);
            assert_eq!(watch.over(), [], "it may be cut off for a moment");
        }
        watch.look(&[lease(7), later(7), other.clone()], 70_000);
        assert_eq!(watch.over(), [(lease(7).node_id, lease(7).incarnation, 7)]);
        // Where the later one is not heard of either, both may be cut off.
        watch.look(&[lease(7), later(7), other], 110_000);
        assert_eq!(watch.over(), []);
    }
}
