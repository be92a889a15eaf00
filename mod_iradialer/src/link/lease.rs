//! Asks IraPass how much of the licence this switch may use: at once, every 10 s, and each second while it has less
//! than it wants.

use crate::engine::Engine;
use crate::host::Level;
use async_nats::Client;
use iradialer_core::subject;
use iradialer_core::wire::LeaseReply;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::sleep;

/// How often it is asked where all is well.
const EVERY: Duration = Duration::from_secs(10);
/// How often otherwise.
const SOON: Duration = Duration::from_secs(1);
/// How long a gateway may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_500);

/// Asks until the link ends. `beat` is told when what may be used has changed.
pub async fn keep(engine: &Engine, client: &Client, beat: &Notify) {
    let config = engine.config();
    let subject = subject::lease(&config.cluster, &config.node_id);
    let mut told = false;
    loop {
        let before = engine.admission.allowed(engine.host.steady_us());
        let is_less = ask(engine, client, &subject).await;
        let steady_us = engine.host.steady_us();
        let now = engine.admission.allowed(steady_us);
        if now != before || is_less.is_some() && !told {
            beat.notify_one();
        }
        told |= is_less.is_some();
        let pause = match is_less {
            // What is not used any more is said at once: others wait for it.
            Some(true) => continue,
            Some(false) if !engine.admission.wants_more(steady_us) => EVERY,
            Some(false) => SOON,
            None => {
                if let Some(why) = now.why_none.filter(|_| before.why_none.is_none()) {
                    let line = format!("{why}: no new call starts");
                    engine.host.log(Level::Error, &line);
                }
                SOON
            }
        };
        wait(engine, pause).await;
    }
}

/// Waits so long, or until more is wanted.
async fn wait(engine: &Engine, pause: Duration) {
    let mut left = pause;
    while !left.is_zero() {
        let part = left.min(SOON);
        sleep(part).await;
        left -= part;
        if engine.admission.wants_more(engine.host.steady_us()) {
            return;
        }
    }
}

/// Asks once. None: there was no answer, or none that counts.
async fn ask(engine: &Engine, client: &Client, subject: &str) -> Option<bool> {
    let asked_us = engine.host.steady_us();
    let question = serde_json::to_vec(&engine.lease_ask(false)).ok()?;
    let request = async_nats::Request::new()
        .payload(question.into())
        .timeout(Some(ANSWER_WITHIN));
    let answer = client
        .send_request(subject.to_owned(), request)
        .await
        .ok()?;
    let reply: LeaseReply = serde_json::from_slice(&answer.payload).ok()?;
    engine.take_lease(reply, asked_us)
}

/// Gives back what it holds: it is being unloaded, and has no calls.
pub async fn give_back(engine: &Engine, client: &Client) {
    let config = engine.config();
    let subject = subject::lease(&config.cluster, &config.node_id);
    if let Ok(question) = serde_json::to_vec(&engine.lease_ask(true)) {
        let _ = client.publish(subject, question.into()).await;
    }
}
