//! Clients that ask for calls. Each request has an idempotency key and is repeated, as a program that
//! must not lose it does, until it is answered.

use crate::api::{Answer, Api};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The pause before a request is repeated.
const PAUSE: Duration = Duration::from_millis(250);
/// How many of a hundred requests are sent once more after their answer.
const REPEATED: u32 = 10;
/// How many of a hundred calls are dropped a moment after they were accepted.
const DROPPED: u32 = 5;

/// A callee of the sandbox, and how many of a hundred calls go there.
const CALLEES: [(&str, u32); 8] = [
    ("+15005550007", 50),
    ("+15005550001", 15),
    ("+15005550002", 10),
    ("+15005550003", 8),
    ("+15005550005", 2),
    ("+15005550004", 3),
    ("+15005557503", 7),
    ("+15005557404", 5),
];

/// How many of a hundred calls are of somebody who stays and is transferred by the call's flow, and how many
/// by a live request.
const IN_FLOW: u32 = 12;
const LIVE: u32 = 8;
/// The callee who is transferred.
const STAYS: &str = "+15005550002";
/// Whom to, and how many of a hundred transfers go there.
const OTHERS: [(&str, u32); 6] = [
    ("+15005550033", 40),
    ("+15005550007", 20),
    ("+15005550002", 10),
    ("+15005550003", 10),
    ("+15005550004", 10),
    ("+15005557503", 10),
];
/// How long a call may last, s: one that is not transferred, and one that is.
const LASTS_S: (u32, u32) = (2, 6);
/// How long a live request waits for its call to be answered.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// How the load asks for calls.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// The campaigns, in turn.
    pub campaigns: &'static [&'static str],
    /// The same seed asks for the same calls.
    pub seed: u64,
    /// The time between two requests.
    pub gap: Duration,
    /// Whether a far end that knows no channel variables has to know the calls apart: each INVITE gets
    /// the request's key in the header [`KEY_HEADER`], and every number answers.
    pub on_the_wire: bool,
}

/// The header of an INVITE that has the key of the request it comes from.
pub const KEY_HEADER: &str = "X-Chaos-Key";

/// Whether the far end at `number` refuses before it rings and lets another trunk be tried.
pub fn may_fail_over(number: &str) -> bool {
    number == "+15005557503"
}

/// A request for a call and what came of it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its idempotency key.
    pub key: String,
    /// The number.
    pub number: &'static str,
    /// Whom its call is to be transferred to, if to anybody; once at the most.
    pub transfer: Option<String>,
    /// The call, once accepted.
    pub call: Option<String>,
    /// What is wrong with the answers, if anything.
    pub wrong: Option<String>,
}

/// The load. Dropping it stops it.
pub struct Load {
    asked: Arc<Mutex<Vec<Asked>>>,
    tasks: TaskTracker,
    /// Ends the asking for more.
    enough: CancellationToken,
    /// Ends the repeating, too.
    give_up: CancellationToken,
}

impl Load {
    /// Begins to ask for calls.
    pub fn start(api: Api, manner: Manner) -> Self {
        let Manner {
            campaigns,
            seed,
            gap,
            on_the_wire,
        } = manner;
        let load = Load {
            asked: Arc::default(),
            tasks: TaskTracker::new(),
            enough: CancellationToken::new(),
            give_up: CancellationToken::new(),
        };
        let (asked, tasks) = (load.asked.clone(), load.tasks.clone());
        let (enough, give_up) = (load.enough.clone(), load.give_up.clone());
        let mut rng = StdRng::seed_from_u64(!seed);
        load.tasks.spawn(async move {
            let mut every = tokio::time::interval(gap);
            for index in 0.. {
                tokio::select! {
                    _ = every.tick() => {}
                    () = enough.cancelled() => return,
                }
                let transfer = Transfer::drawn(&mut rng, index, on_the_wire);
                let client = Client {
                    api: api.clone(),
                    asked: asked.clone(),
                    index,
                    dropped: rng.random_range(0..100) < DROPPED,
                    repeated: rng.random_range(0..100) < REPEATED,
                    live: transfer
                        .as_ref()
                        .filter(|transfer| transfer.is_live)
                        .cloned(),
                };
                let callee = CALLEES.choose_weighted(&mut rng, |(_, weight)| *weight);
                let number = match (callee, on_the_wire, &transfer) {
                    (_, false, Some(_)) => STAYS,
                    (Ok((number, _)), false, None) => *number,
                    _ => CALLEES[0].0,
                };
                let key = format!("chaos-{index}");
                let campaign = campaigns[index % campaigns.len()];
                let lasts_s = match &transfer {
                    Some(_) => LASTS_S.1,
                    None => LASTS_S.0,
                };
                let mut request = json!({"campaign_name": campaign, "to_number": number,
                    "idempotency_key": key, "dial_timeout": 5, "max_duration": lasts_s});
                if on_the_wire {
                    let header = format!("sip_h_{KEY_HEADER}");
                    request["channel_vars"] = json!({ header: key });
                }
                if let Some(transfer) = transfer.as_ref().filter(|transfer| !transfer.is_live) {
                    request["ivr"] = transfer.flow();
                }
                lock(&asked).push(Asked {
                    key,
                    number,
                    transfer: transfer.map(|transfer| transfer.to),
                    call: None,
                    wrong: None,
                });
                let give_up = give_up.clone();
                tasks.spawn(async move {
                    tokio::select! {
                        () = client.ask(&request) => {}
                        () = give_up.cancelled() => {}
                    }
                });
            }
        });
        load
    }

    /// Asks for no more, and waits until every request is answered, at most so long. Gives them all.
    pub async fn finish(&self, within: Duration) -> Vec<Asked> {
        self.enough.cancel();
        self.tasks.close();
        if tokio::time::timeout(within, self.tasks.wait())
            .await
            .is_err()
        {
            self.give_up.cancel();
            self.tasks.wait().await;
        }
        lock(&self.asked).clone()
    }

    /// How many calls have been accepted so far.
    pub fn accepted(&self) -> usize {
        let asked = lock(&self.asked);
        asked.iter().filter(|asked| asked.call.is_some()).count()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.enough.cancel();
        self.give_up.cancel();
    }
}

/// Whom a call is transferred to, and how.
#[derive(Clone)]
struct Transfer {
    to: String,
    is_live: bool,
}

impl Transfer {
    fn drawn(rng: &mut StdRng, index: usize, on_the_wire: bool) -> Option<Self> {
        let drawn = rng.random_range(0..100);
        let other = OTHERS.choose_weighted(rng, |(_, weight)| *weight);
        if drawn >= IN_FLOW + LIVE {
            return None;
        }
        let to = match (other, on_the_wire) {
            (Ok((number, _)), false) => (*number).to_owned(),
            // The new call's INVITE has no key: the number says which request it comes from.
            _ => format!("+1500777{index:04}"),
        };
        let is_live = drawn >= IN_FLOW;
        Some(Transfer { to, is_live })
    }

    fn flow(&self) -> Value {
        json!({"version": 1, "name": "chaos", "start": "other", "nodes": {
            "other": {"transfer": {"destination": self.to, "timeout_s": 5},
                "next": "@hangup", "busy": "@hangup", "no_answer": "@hangup", "failed": "@hangup"}}})
    }
}

struct Client {
    api: Api,
    asked: Arc<Mutex<Vec<Asked>>>,
    index: usize,
    dropped: bool,
    repeated: bool,
    live: Option<Transfer>,
}

impl Client {
    async fn ask(&self, request: &Value) {
        let Some(call) = self.until_accepted(request).await else {
            return;
        };
        lock(&self.asked)[self.index].call = Some(call.clone());
        if self.repeated {
            sleep(PAUSE).await;
            match self.until_accepted(request).await {
                Some(again) if again != call => {
                    self.wrong(format!("asked again, the call is {again} and not {call}"));
                }
                _ => {}
            }
        }
        if let Some(live) = &self.live {
            let _ = tokio::time::timeout(ANSWERED_WITHIN, self.transfer(&call, live)).await;
        }
        if self.dropped {
            sleep(PAUSE).await;
            // A drop is a wish: it may come too late, and it is not repeated.
            let _ = self.api.drop_call(&call).await;
        }
    }

    /// Asks for the transfer as soon as the call is answered. What may have been taken is not asked for again:
    /// that would be another transfer.
    async fn transfer(&self, call: &str, live: &Transfer) {
        let request = json!({"call_uuid": call, "destination": live.to, "timeout": 5});
        while let Ok(answer) = self.api.post("/api/transfercall", &request).await {
            if answer.text("/error/name") != "not_answered" {
                return;
            }
            sleep(PAUSE).await;
        }
    }

    /// Repeats the request until there is an answer that holds. Nothing: it was refused for good.
    async fn until_accepted(&self, request: &Value) -> Option<String> {
        loop {
            match self.api.post("/api/makecall", request).await {
                Ok(answer) if answer.status == 200 => {
                    return Some(answer.text("/call_uuid").to_owned());
                }
                Ok(answer) if is_for_good(&answer) => {
                    self.wrong(format!("{answer:?}"));
                    return None;
                }
                Ok(_) | Err(_) => sleep(PAUSE).await,
            }
        }
    }

    fn wrong(&self, what: String) {
        lock(&self.asked)[self.index].wrong = Some(what);
    }
}

/// Whether asking again would give the same.
fn is_for_good(answer: &Answer) -> bool {
    (400..500).contains(&answer.status) && ![408, 425, 429].contains(&answer.status)
}

fn lock(asked: &Mutex<Vec<Asked>>) -> std::sync::MutexGuard<'_, Vec<Asked>> {
    asked
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}
