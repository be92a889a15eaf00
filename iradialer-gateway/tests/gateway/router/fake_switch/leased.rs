//! A switch that keeps to its lease of the licence, as a real one does, and loses answers.

use super::{FakeSwitch, Reaction, Shared, State};
use async_nats::Client;
use iradialer_core::subject;
use iradialer_core::wire::{LeaseAsk, LeaseReply, RefusalReason, Use, VERSION};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// How often it asks: a real one every 10 s, and each second while it wants more.
const EVERY: Duration = Duration::from_millis(100);

/// What all switches of a test do together.
#[derive(Default)]
pub struct World {
    live: AtomicU32,
    most: AtomicU32,
    /// Answers that were lost, and how many there were.
    pub lost: AtomicU32,
    pub answers: AtomicU32,
}

impl World {
    /// The most calls that were up at once.
    pub fn most(&self) -> u32 {
        self.most.load(Ordering::SeqCst)
    }

    pub fn live(&self) -> u32 {
        self.live.load(Ordering::SeqCst)
    }

    fn one_more(&self) {
        let live = self.live.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(live, Ordering::SeqCst);
    }
}

/// What it may use.
pub(super) struct Lease {
    world: Arc<World>,
    lasts: Duration,
    reply: Option<(LeaseReply, Instant)>,
    ask: u64,
}

impl Lease {
    pub(super) fn cap(&self) -> u32 {
        let holds = self
            .reply
            .as_ref()
            .filter(|(reply, asked)| asked.elapsed() < Duration::from_millis(reply.good_for_ms));
        holds.map_or(0, |(reply, _)| reply.channels)
    }

    pub(super) fn why_none(&self) -> Option<String> {
        match &self.reply {
            None => Some("none yet".to_owned()),
            Some((reply, _)) => reply.why_none.clone(),
        }
    }
}

impl State {
    /// Takes the call, or refuses it where its share is used up.
    pub(super) fn leased_reaction(&mut self) -> Reaction {
        let live = self.live();
        match &self.lease {
            Some(lease) if live < lease.cap() => {
                lease.world.one_more();
                Reaction::CompleteAfter(lease.lasts)
            }
            _ => Reaction::Refuse(RefusalReason::License),
        }
    }
}

impl Shared {
    pub(super) fn one_less(&self) {
        if let Some(lease) = &self.state.lock().unwrap().lease {
            lease.world.live.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// The next question, and from now on only its answer counts.
    fn question(&self) -> LeaseAsk {
        let mut state = self.state.lock().unwrap();
        let using = state.live();
        let lease = state.lease.as_mut().unwrap();
        lease.ask += 1;
        LeaseAsk {
            v: VERSION,
            node_id: self.node.clone(),
            incarnation: self.incarnation,
            journal_id: self.journal_id,
            ask: lease.ask,
            channels: Use {
                using,
                has: lease.cap(),
                most: self.max_calls,
            },
            rate: Use {
                using: 0,
                has: 0,
                most: 1_000_000,
            },
            left_ms: 600_000,
            leaves: false,
        }
    }

    async fn keep_lease(&self, client: &Client) {
        let subject = subject::lease(&self.cluster, &self.node);
        loop {
            let (asked, question) = (Instant::now(), self.question());
            let payload = serde_json::to_vec(&question).unwrap();
            let answer = client.request(subject.clone(), payload.into());
            if let Ok(Ok(answer)) = timeout(Duration::from_secs(1), answer).await {
                let reply: LeaseReply = serde_json::from_slice(&answer.payload).unwrap();
                let mut state = self.state.lock().unwrap();
                let lease = state.lease.as_mut().unwrap();
                assert_eq!(reply.ask, lease.ask);
                lease.world.answers.fetch_add(1, Ordering::SeqCst);
                match rand::random_bool(0.3) {
                    true => drop(lease.world.lost.fetch_add(1, Ordering::SeqCst)),
                    false => lease.reply = Some((reply, asked)),
                }
            }
            sleep(EVERY.mul_f64(rand::random_range(0.2..1.0))).await;
        }
    }
}

impl FakeSwitch {
    /// One that keeps to its lease; each of its calls lasts so long.
    pub async fn start_leased(
        client: &Client,
        node: &str,
        max_calls: u32,
        world: &Arc<World>,
        lasts: Duration,
    ) -> FakeSwitch {
        let mut switch = FakeSwitch::start(client, node, max_calls, &[]).await;
        let lease = Lease {
            world: Arc::clone(world),
            lasts,
            reply: None,
            ask: 0,
        };
        switch.shared.state.lock().unwrap().lease = Some(lease);
        let (shared, client) = (Arc::clone(&switch.shared), client.clone());
        switch
            .tasks
            .spawn(async move { shared.keep_lease(&client).await });
        switch
    }
}
