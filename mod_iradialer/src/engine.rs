//! The module's heart: takes dial commands, begins their legs, and follows each leg to its end.

mod durable;
mod inbound;
mod licensed;
mod recording;

pub use inbound::{Incoming, NotTaken};
use licensed::had_lease;
pub use recording::NO_DIR as NO_RECORDINGS;

use crate::admission::{Admission, Closed, Refusal, in_time};
use crate::call::{Call, Identity, LegFacts};
use crate::config::Config;
use crate::copies::Copies;
use crate::dialer::Dialer;
use crate::flows::Flows;
use crate::host::{HangupCause, Host, Level, NotLaunched, WhyNotLaunched};
use crate::http::{Guard, Http};
use crate::lease::Lease;
use crate::live::{self, Conferences, DirectCalls};
use crate::outbox::{Deliveries, Outbox, deliveries};
use crate::preparation::Preparation;
use crate::prompts::{self, Cache, Prompts};
use crate::recordings::Recordings;
use crate::registry::Registry;
use crate::timers::{Due, TimerClock, Timers};
use crate::transfer::Transfers;
use iradialer_core::call::EndedBy;
use iradialer_core::value::{
    CallUuid, CallerNumber, CampaignName, ChannelVars, DialNumber, FlowName, TenantId, TrunkName,
};
use iradialer_core::wire::{
    self, AttemptFate, CallFlow, DialCommand, DialReply, DtmfWay, FlowRef, GivenFacts,
    RefusalReason,
};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// Seconds an operator's own call rings and lasts at the most.
const OPERATOR_DIAL_TIMEOUT_S: u16 = 60;
const OPERATOR_MAX_DURATION_S: u32 = 3_600;
/// The tenant and campaign of an operator's own call.
const OPERATOR: &str = "operator";

/// Where the answer to a dial command goes.
pub type Reply = Box<dyn FnOnce(DialReply) + Send>;

/// Where the answer to a question what became of an attempt goes.
pub type FateReply = Box<dyn FnOnce(Result<AttemptFate, Refusal>) + Send>;

/// The engine of one life of the module.
pub struct Engine {
    /// Who this is.
    pub identity: Identity,
    /// The switch.
    pub host: Arc<dyn Host>,
    /// The gatekeeper.
    pub admission: Admission,
    /// The live attempts.
    pub registry: Registry,
    /// Events on their way out.
    pub outbox: Outbox,
    /// The flows that are ready to be run.
    pub flows: Arc<Flows>,
    /// The prompts that are ready to be played.
    pub prompts: Arc<Prompts>,
    /// The way to other people's web servers.
    pub http: Arc<Http>,
    pub(crate) preparation: Preparation,
    /// Copies of events on their way out.
    pub copies: Arc<Copies>,
    pub(crate) direct: DirectCalls,
    pub(crate) conferences: Conferences,
    pub(crate) live: Arc<Semaphore>,
    pub(crate) me: Weak<Engine>,
    /// What is recorded, where there is a folder for it.
    pub recordings: Option<Arc<Recordings>>,
    /// Calls that wait while somebody is dialled for them.
    pub transfers: Transfers,
    config: RwLock<Config>,
    timers: Timers,
    dialer: Dialer,
    loaded: Instant,
}

struct HostClock(Arc<dyn Host>);

impl TimerClock for HostClock {
    fn now_us(&self) -> u64 {
        self.0.steady_us()
    }
    fn rate(&self) -> f64 {
        self.0.clock_rate()
    }
}

impl Engine {
    /// Starts the engine's threads; what waits on others runs on `runtime`. The second value is the end of the outbox that the link empties.
    pub fn start(
        config: Config,
        host: Arc<dyn Host>,
        runtime: Handle,
    ) -> std::io::Result<(Arc<Engine>, Deliveries)> {
        let recordings = recording::open_recordings(&config, &host)?;
        let (publisher, deliveries) = deliveries();
        let (journal, left_behind) = durable::open_journal(&config, &host, publisher.clone())?;
        let outbox = Outbox::new(Arc::new(journal), publisher);
        let identity = Identity {
            node_id: config.node_id.clone(),
            incarnation: CallUuid::fresh(),
            journal_id: left_behind.journal_id,
        };
        let (max_calls, max_cps) = (config.max_calls, config.max_cps);
        let admission = Admission::new(
            identity.journal_id,
            outbox.clone(),
            durable::ledger_of(&left_behind),
            (max_calls, max_cps),
            Lease::at_load(had_lease(&config)),
            host.steady_us(),
        );
        let http = Arc::new(Http::new(Guard::new(config.url_allow.clone())));
        let prompts = open_prompts(&config, &host, &http, &runtime)?;
        let mut failed = None;
        let engine = Arc::new_cyclic(|engine: &Weak<Engine>| {
            let (fire_on, dial_on) = (engine.clone(), engine.clone());
            let timers = Timers::start(Arc::new(HostClock(host.clone())), move |due| {
                if let Some(engine) = fire_on.upgrade() {
                    engine.fire(due);
                }
            });
            let dialer = Dialer::start(move |jobs| {
                if let Some(engine) = dial_on.upgrade() {
                    engine.promise_and_begin(jobs);
                }
            });
            let (timers, dialer) = match (timers, dialer) {
                (Ok(timers), Ok(dialer)) => (timers, dialer),
                (timers, dialer) => {
                    failed = timers
                        .as_ref()
                        .err()
                        .or(dialer.as_ref().err())
                        .map(ToString::to_string);
                    (
                        timers.unwrap_or_else(|_| Timers::stopped()),
                        dialer.unwrap_or_else(|_| Dialer::stopped()),
                    )
                }
            };
            Engine {
                identity,
                admission,
                registry: Registry::default(),
                outbox,
                flows: Flows::new(runtime.clone(), recordings.is_some()),
                prompts,
                http,
                preparation: Preparation::new(runtime.clone()),
                copies: Arc::default(),
                direct: durable::direct_calls_of(&left_behind),
                conferences: Conferences::default(),
                live: Arc::new(Semaphore::new(live::MOST_WAITING)),
                me: engine.clone(),
                recordings,
                transfers: Transfers::default(),
                config: RwLock::new(config),
                timers,
                dialer,
                loaded: Instant::now(),
                host,
            }
        });
        match failed {
            Some(error) => Err(std::io::Error::other(error)),
            None => {
                engine.take_up(left_behind);
                Ok((engine, deliveries))
            }
        }
    }

    /// The configuration as it is now.
    pub fn config(&self) -> Config {
        self.config.read().clone()
    }

    /// Takes a new configuration; returns the settings that wait for the next load.
    pub fn reconfigure(&self, new: Config) -> Vec<&'static str> {
        self.admission
            .set_limits(new.max_calls, new.max_cps, self.host.steady_us());
        self.http.guard().allow(new.url_allow.clone());
        let mut config = self.config.write();
        let waiting = new.needs_load(&config);
        *config = new.until_the_next_load(&config);
        waiting
    }

    /// How long since the load.
    pub fn uptime(&self) -> Duration {
        self.loaded.elapsed()
    }

    /// On a dialer's thread, with the intent on the disk: makes the channel, answers, and lets it go.
    fn begin(&self, call: &Arc<Call>, reply: Reply) {
        let attempt = call.command.attempt_id;
        // Looked at again: the journal and the queue may have taken their time.
        let leg = match in_time(&call.command, self.host.now_us())
            .and_then(|()| self.check_awaited(call))
            .and_then(|()| self.host.create_leg(call).map_err(Refusal::from))
        {
            Ok(leg) => leg,
            Err(refusal) => {
                return self.take_back(&call.command, refusal, reply);
            }
        };
        self.registry.insert(call.clone());
        // Before its thread runs, which may find that it was answered.
        let awaited = call.command.bridge_to.is_none() || self.transfers.begun(call);
        call.started();
        let rings_until =
            self.host.steady_us() + u64::from(call.command.dial_timeout_s) * 1_000_000;
        self.timers.set(rings_until, Due::DialTimeout(attempt));
        reply(DialReply::Accepted);
        if let Err(failed) = leg.launch() {
            return self.not_launched(call, failed);
        }
        // The one that waited has gone while the channel was made.
        if !awaited {
            self.end_attempt(attempt, EndedBy::Peer);
        }
    }

    /// Refuses a call that another one was to wait for, and does not any more.
    pub(crate) fn check_awaited(&self, call: &Call) -> Result<(), Refusal> {
        match call.command.bridge_to {
            Some(waits) if !self.transfers.awaits(call.command.call_uuid) => {
                let detail = format!("call {waits} does not wait for it any more");
                Err(Refusal::new(RefusalReason::NobodyWaits, detail))
            }
            _ => Ok(()),
        }
    }

    /// Ends the live attempt on behalf of somebody: by a CANCEL while it rings. One that somebody has hung up
    /// before was ended by them.
    pub fn end_attempt(&self, attempt: CallUuid, by: EndedBy) {
        if !self.host.is_up(attempt) {
            return;
        }
        if let Some(call) = self.registry.attempt(attempt) {
            let cause = match call.is_answered() {
                true => HangupCause::Request,
                false => HangupCause::Cancel,
            };
            self.hang_up(&call, by, cause);
        }
    }

    fn not_launched(&self, call: &Call, failed: NotLaunched) {
        call.end_by(EndedBy::Switch);
        let cause = match failed.why {
            // The channel may have ended before its attempt was known here.
            WhyNotLaunched::HungUp(cause) => cause,
            WhyNotLaunched::NoThread(error) => {
                let uuid = call.command.call_uuid;
                call.fault(format!("the session's thread did not start: {error}"));
                let line = format!("call {uuid}: no session thread: {error}");
                self.host.log(Level::Error, &line);
                "SWITCH_CONGESTION".to_owned()
            }
        };
        let facts = LegFacts {
            cause,
            ..LegFacts::default()
        };
        self.leg_ended(call, facts);
        // Only now: the channel's own end would be taken for the callee's.
        drop(failed.leg);
        self.leg_gone(call.command.attempt_id);
    }

    /// An operator's call from this switch, with no gateway asked.
    pub fn originate(
        &self,
        number: &str,
        flow: Option<&str>,
        reply: Reply,
    ) -> Result<CallUuid, String> {
        let config = self.config();
        let to_number = DialNumber::parse("number", number).map_err(|error| error.to_string())?;
        let trunk = config
            .default_trunk
            .clone()
            .ok_or("default-trunk is not set in iradialer.conf.xml")?;
        let flow = flow.map(|name| self.operators_flow(&config, name));
        let attempt_id = CallUuid::fresh();
        let command = DialCommand {
            v: wire::VERSION,
            call_uuid: attempt_id,
            attempt: 1,
            attempt_id,
            epoch: self.admission.own_epoch(),
            journal_id: self.identity.journal_id,
            not_after_ms: u64::MAX,
            tenant_id: TenantId::parse("tenant_id", OPERATOR).map_err(|error| error.to_string())?,
            campaign_name: CampaignName::parse("campaign_name", OPERATOR)
                .map_err(|error| error.to_string())?,
            trunk,
            to_number,
            from_number: CallerNumber::default(),
            dial_timeout_s: OPERATOR_DIAL_TIMEOUT_S,
            max_duration_s: OPERATOR_MAX_DURATION_S,
            channel_vars: ChannelVars::default(),
            flow: flow.transpose()?.map(CallFlow::Named),
            given: GivenFacts::default(),
            dtmf: DtmfWay::default(),
            bridge_to: None,
            whisper: Vec::new(),
        };
        self.dial(command, reply);
        Ok(attempt_id)
    }

    fn operators_flow(&self, config: &Config, name: &str) -> Result<FlowRef, String> {
        let name = FlowName::parse("flow", name).map_err(|error| error.to_string())?;
        let dir = config.flows_dir.as_ref();
        let dir = dir.ok_or("flows-dir is not set in iradialer.conf.xml")?;
        self.flows.of_folder(dir, name)
    }

    /// Drops the live attempt at a call. Returns whether there was one.
    pub fn drop_call(&self, call_uuid: CallUuid) -> bool {
        let Some(call) = self.registry.call(call_uuid) else {
            return false;
        };
        self.end_attempt(call.command.attempt_id, EndedBy::Request);
        true
    }

    /// The INVITE of an attempt is with the SIP stack.
    pub fn leg_invited(&self, call: &Call) {
        self.admission
            .handed_over(call.command.attempt_id, self.host.steady_us());
    }

    /// A 180 or 183 came for an attempt.
    pub fn leg_ringing(&self, call: &Call, early_media: bool) {
        self.admission.set_up(call.command.attempt_id);
        call.ringing(early_media);
    }

    /// A 200 came for an attempt: its longest duration runs.
    pub fn leg_answered(&self, call: &Call, sip: BTreeMap<String, String>) {
        self.admission.set_up(call.command.attempt_id);
        if !call.answered(sip) {
            return;
        }
        let until = self.host.steady_us() + u64::from(call.command.max_duration_s) * 1_000_000;
        self.timers
            .cancel(Due::DialTimeout(call.command.attempt_id));
        self.timers
            .set(until, Due::MaxDuration(call.command.attempt_id));
    }

    /// An attempt's leg has ended, as the host tells it.
    pub fn leg_ended(&self, call: &Call, facts: LegFacts) {
        self.leg_invited(call);
        if let Some(ending) = call.finish(facts) {
            self.transfers.ended(call, ending);
        }
    }

    /// The host is done with an attempt's channel. Its last event has been given by now, whatever happened.
    pub fn leg_gone(&self, attempt: CallUuid) {
        if let Some(call) = self.registry.attempt(attempt) {
            self.leg_ended(
                &call,
                LegFacts {
                    cause: "UNKNOWN".into(),
                    ..LegFacts::default()
                },
            );
            self.timers.cancel(Due::DialTimeout(attempt));
            self.timers.cancel(Due::MaxDuration(attempt));
            self.admission.ended(attempt);
            self.registry.remove(attempt);
        }
    }

    fn fire(&self, due: Due) {
        match due {
            Due::DialTimeout(attempt) => {
                if let Some(call) = self
                    .registry
                    .attempt(attempt)
                    .filter(|call| !call.is_answered())
                {
                    self.hang_up(&call, EndedBy::DialTimeout, HangupCause::NoAnswer);
                }
            }
            Due::MaxDuration(attempt) => {
                if let Some(call) = self.registry.attempt(attempt) {
                    self.hang_up(&call, EndedBy::MaxDuration, HangupCause::MaxDuration);
                }
            }
        }
    }

    fn hang_up(&self, call: &Call, by: EndedBy, cause: HangupCause) {
        call.end_by(by);
        self.host.hang_up(call.command.attempt_id, cause);
    }

    /// Ends every call and the engine's threads. The host takes no for an answer to an unload only in
    /// words, so this always comes to its end: a call whose channel does not end in the time the
    /// configuration gives is given its last event all the same. Returns how many there were of those.
    pub fn stop(&self) -> usize {
        self.admission.close(Closed::Leaving);
        self.preparation.stop();
        self.dialer.stop();
        for call in self.registry.all() {
            self.hang_up(&call, EndedBy::Switch, HangupCause::Unload);
        }
        let unload_wait = self.config.read().unload_wait;
        let left = self.registry.wait_until_empty(unload_wait);
        for call in self.registry.all() {
            call.fault(format!(
                "its channel did not end within {unload_wait:?} of the unload"
            ));
            self.leg_gone(call.command.attempt_id);
        }
        self.timers.stop();
        self.recordings
            .iter()
            .for_each(|recordings| recordings.close());
        left
    }
}

fn refused(refusal: Refusal) -> DialReply {
    DialReply::Refused {
        reason: refusal.reason,
        detail: refusal.detail,
    }
}

impl From<crate::host::CreateError> for Refusal {
    fn from(error: crate::host::CreateError) -> Refusal {
        let reason = match &error {
            crate::host::CreateError::Trunk(_) => RefusalReason::TrunkUnavailable,
            crate::host::CreateError::Limit(_) => RefusalReason::Busy,
        };
        Refusal::new(reason, error.to_string())
    }
}

fn open_prompts(
    config: &Config,
    host: &Arc<dyn Host>,
    http: &Arc<Http>,
    runtime: &Handle,
) -> std::io::Result<Arc<Prompts>> {
    let dir = config.prompts_cache_dir.as_deref();
    let most_bytes = u64::from(config.prompts_cache_mib) << 20;
    let cache = Cache::open(dir, most_bytes).map_err(|error| {
        let dir = dir.unwrap_or("".as_ref()).display();
        std::io::Error::other(format!("prompts-cache-dir: {dir}: {error}"))
    })?;
    let (clock, speaker, log_to) = (host.clone(), host.clone(), host.clone());
    let env = prompts::Env {
        now_ms: Box::new(move || clock.now_us() / 1000),
        speak: Box::new(move |engine, voice, text| speaker.speak(engine, voice, text)),
        log: Box::new(move |line| log_to.log(Level::Warning, line)),
    };
    Ok(Prompts::new(
        (config.prompts_memory_mib as usize) << 20,
        cache,
        config.tts.clone(),
        http.clone(),
        env,
        runtime.clone(),
    ))
}

/// The trunk's dial string for FreeSWITCH's SIP endpoint. Both parts come from an allow-list.
pub fn dial_string(trunk: &TrunkName, number: &DialNumber) -> String {
    format!("gateway/{trunk}/{number}")
}

#[cfg(test)]
mod tests;
