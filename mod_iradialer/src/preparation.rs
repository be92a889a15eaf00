//! Between admission and the dialer: a call gets what it needs before its phone rings, so that nothing is
//! fetched, read or converted while a person listens.
//!
//! One that finds everything at hand goes on at once, on the thread it came on. Another one waits here as a
//! task, and what it lacks is got by whoever keeps it, once for all the calls that want it. It goes on being got
//! when this call's time is up, for its next try.

use crate::admission::Refusal;
use crate::call::{Call, facts};
use crate::engine::{Engine, Reply};
use crate::flows::NoFlow;
use crate::prompts::{PromptError, Sounds};
use iradialer_core::flow::Sound;
use iradialer_core::wire::{CallFlow, RefusalReason};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// The most calls that wait at once.
const MOST_WAITING: usize = 1_000;
/// What is left of a command's time when its call is ready, ms: to make the channel, and to answer.
const LEFT_MS: u64 = 500;
/// The longest that a call waits. The gateway takes a switch for silent that has not answered within its
/// `dispatch_timeout_ms`, 3,000 unless somebody sets it otherwise.
const LONGEST_WAIT: Duration = Duration::from_millis(2_500);
/// How often one that is ready looks whether there is room to set it up.
const LOOK: Duration = Duration::from_millis(5);

/// Where calls wait for what they need.
pub struct Preparation {
    runtime: Handle,
    room: Arc<Semaphore>,
    stopping: CancellationToken,
}

impl Preparation {
    /// One whose calls wait on `runtime`.
    pub fn new(runtime: Handle) -> Self {
        Preparation {
            runtime,
            room: Arc::new(Semaphore::new(MOST_WAITING)),
            stopping: CancellationToken::new(),
        }
    }

    /// Where what waits on others runs.
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Refuses the calls that wait.
    pub fn stop(&self) {
        self.stopping.cancel();
    }
}

impl Engine {
    /// Takes an admitted call to the dialer as soon as it has what it needs, or refuses it.
    pub(crate) fn prepare(&self, call: Arc<Call>, reply: Reply) {
        match self.at_hand(&call) {
            Ok(true) => self.to_dialer(call, reply),
            Ok(false) => self.prepare_later(call, reply),
            Err(refusal) => self.turn_away(&call.command, refusal, reply),
        }
    }

    /// Gives the call what it needs, and says whether that was at hand. Nothing here waits.
    pub(crate) fn at_hand(&self, call: &Call) -> Result<bool, Refusal> {
        self.check_awaited(call)?;
        let Some(flows) = self.flows.at_hand(&call.command)? else {
            return Ok(false);
        };
        call.give_flows(flows);
        self.check_features(call)?;
        let Some(sounds) = self.prompts.at_hand(&call.prompts_dir, wanted(call)) else {
            return Ok(false);
        };
        call.give_sounds(sounds);
        Ok(true)
    }

    /// As [`Engine::at_hand`], for what has to be got first.
    pub(crate) async fn get_ready(&self, call: &Call) -> Result<(), Refusal> {
        if let (None, Some(CallFlow::Named(named))) = (call.flow(), &call.command.flow) {
            let flows = self.flows.get(&call.command.tenant_id, named);
            call.give_flows(flows.await?);
        }
        self.check_features(call)?;
        let sounds = self.prompts.get(&call.prompts_dir, wanted(call));
        call.give_sounds(sounds.await.map_err(not_to_be_had)?);
        Ok(())
    }

    /// Gets sounds for a call that is up, files from below `dir`, and gives them to `done`: on the spot where
    /// all of them are at hand, else on a thread of the runtime, where nothing may wait. No failure of one call
    /// holds up another, and what was begun goes on for the next that wants it.
    #[allow(dead_code)] // Live requests call it.
    pub(crate) fn get_sounds(
        &self,
        dir: &Path,
        sounds: Vec<Sound>,
        done: impl FnOnce(Result<Sounds, PromptError>) + Send + 'static,
    ) {
        if let Some(sounds) = self.prompts.at_hand(dir, sounds.iter().cloned()) {
            return done(Ok(sounds));
        }
        let (prompts, dir) = (self.prompts.clone(), dir.to_owned());
        self.preparation.runtime.spawn(async move {
            done(prompts.get(&dir, sounds).await);
        });
    }

    fn prepare_later(&self, call: Arc<Call>, reply: Reply) {
        let (preparation, attempt) = (&self.preparation, call.command.attempt_id);
        let Some(engine) = self.me.upgrade() else {
            return;
        };
        let Ok(place) = preparation.room.clone().try_acquire_owned() else {
            let detail = format!("{MOST_WAITING} calls wait for what they need");
            let refusal = Refusal::new(RefusalReason::NotReady, detail);
            return self.turn_away(&call.command, refusal, reply);
        };
        // How long it waits says nothing of how much the switch can set up.
        self.admission.step_aside(attempt);
        let stopping = preparation.stopping.clone();
        preparation.runtime.spawn(async move {
            let wait = engine.time_to_prepare(&call);
            let ready = async {
                engine.get_ready(&call).await?;
                while !engine.admission.step_in(attempt, engine.host.steady_us()) {
                    tokio::time::sleep(LOOK).await;
                }
                Ok(())
            };
            let ready = tokio::select! {
                biased;
                () = stopping.cancelled() => Err(leaving()),
                ready = tokio::time::timeout(wait, ready) => ready.unwrap_or_else(|_| Err(too_slow(wait))),
            };
            drop(place);
            match ready {
                Ok(()) => engine.to_dialer(call, reply),
                Err(refusal) => engine.turn_away_waiting(&call.command, refusal, reply),
            }
        });
    }

    fn time_to_prepare(&self, call: &Call) -> Duration {
        let until_ms = call.command.not_after_ms.saturating_sub(LEFT_MS);
        let left_ms = until_ms.saturating_sub(self.host.now_us() / 1000);
        Duration::from_millis(left_ms).min(LONGEST_WAIT)
    }
}

/// The sounds of its flow and of all that this leads to, and what is heard before it is connected with the
/// call that waits for it.
fn wanted(call: &Call) -> BTreeSet<Sound> {
    let facts = facts(&call.command);
    let others = call.other_flows().values().map(Arc::as_ref);
    let flows: Vec<_> = call.flow().into_iter().chain(others).collect();
    let set: BTreeSet<&str> = flows.iter().flat_map(|flow| flow.sets()).collect();
    let sounds = flows
        .iter()
        .flat_map(|flow| flow.sounds_ahead(&facts, &set));
    sounds.chain(call.command.whisper.iter().cloned()).collect()
}

fn not_to_be_had(error: PromptError) -> Refusal {
    let reason = match error.is_for_now() {
        true => RefusalReason::NotReady,
        false => RefusalReason::BadRequest,
    };
    Refusal::new(reason, format!("flow: {error}"))
}

fn leaving() -> Refusal {
    Refusal::new(RefusalReason::Draining, "the module is being unloaded")
}

fn too_slow(wait: Duration) -> Refusal {
    let ms = wait.as_millis();
    let detail = format!("flow: what it takes was not ready within {ms} ms");
    Refusal::new(RefusalReason::NotReady, detail)
}

impl From<NoFlow> for Refusal {
    fn from(why: NoFlow) -> Self {
        let reason = match &why {
            NoFlow::Unanswered(..) => RefusalReason::NotReady,
            NoFlow::Unfit(..) => RefusalReason::BadRequest,
        };
        Refusal::new(reason, why.to_string())
    }
}
