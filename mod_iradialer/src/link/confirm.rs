//! Asks the collectors which ended attempts they have wholly: those are forgotten, and the events of the
//! others published once more.

use crate::engine::Engine;
use async_nats::Client;
use iradialer_core::subject;
use iradialer_core::wire::{self, ConfirmQuery, ConfirmReply, MOST_ATTEMPTS};
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, timeout};

const EVERY: Duration = Duration::from_secs(2);
/// How long a collector has to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Asks until the link ends.
pub async fn confirm(engine: &Engine, client: &Client) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let mut after = None;
        // Without an answer nothing is known: a collector that is away needs no second copy.
        while let Some(last) = ask(engine, client, after).await {
            after = Some(last);
        }
    }
}

/// Asks about one page of ended attempts; the last of them if there may be more.
async fn ask(
    engine: &Engine,
    client: &Client,
    after: Option<iradialer_core::value::CallUuid>,
) -> Option<iradialer_core::value::CallUuid> {
    let attempts = engine.outbox.journal().ended(after, MOST_ATTEMPTS);
    let last = attempts.last()?.attempt_id;
    let full = attempts.len() == MOST_ATTEMPTS;
    let query = ConfirmQuery {
        v: wire::VERSION,
        attempts,
    };
    let payload = serde_json::to_vec(&query).unwrap_or_default();
    let subject = subject::confirm(&engine.config().cluster);
    let asked = timeout(ANSWER, client.request(subject, payload.into())).await;
    let reply: ConfirmReply = serde_json::from_slice(&asked.ok()?.ok()?.payload).ok()?;
    let stored: HashSet<_> = reply.stored.into_iter().collect();
    for attempt in query.attempts {
        if stored.contains(&attempt.attempt_id) {
            engine.confirmed(attempt.attempt_id);
        } else {
            engine.publish_again(attempt.attempt_id);
        }
    }
    full.then_some(last)
}
