//! One attempt at a call, from the dial command to its last event.

mod audible;
mod bridge;
mod running;
mod session;

pub use audible::Audible;
pub use running::facts;
pub use session::{Attended, Job, SessionLeg, Work};

use crate::copies::{self, Copies};
use crate::desk::{At, Desk};
use crate::flows::CallFlows;
use crate::host::Host;
use crate::keys::Twins;
use crate::live::Direct;
use crate::outbox::Outbox;
use crate::prompts::Sounds;
use crate::taping::Taping;
use iradialer_core::call::{Direction, EndedBy, Ending};
use iradialer_core::flow::Flow;
use iradialer_core::live::EventSubject;
use iradialer_core::value::{CallUuid, CampaignName, NodeId};
use iradialer_core::wire::{
    self, CallFlow, DialCommand, DigitSource, EventBody, Hangup, Quality, SwitchEvent,
};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Who reports: the switch and the life of its module.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The switch.
    pub node_id: NodeId,
    /// The life of the module.
    pub incarnation: CallUuid,
    /// The journal.
    pub journal_id: CallUuid,
}

/// An attempt that was admitted.
pub struct Call {
    /// What was asked for.
    pub command: DialCommand,
    /// What live requests have left for its session to do.
    pub desk: Desk<Job>,
    /// What a call has besides that was asked of this switch.
    pub direct: Option<Direct>,
    /// Where its prompts are.
    pub prompts_dir: PathBuf,
    /// What is recorded of it.
    pub taping: Taping,
    /// Which way it goes.
    pub direction: Direction,
    /// The campaign of one that came in.
    inbound_campaign: Option<CampaignName>,
    identity: Identity,
    host: Arc<dyn Host>,
    outbox: Outbox,
    /// What it runs, from when that was found to be there.
    flows: OnceLock<CallFlows>,
    /// What its flow plays, from when its prompts were found to be there.
    sounds: OnceLock<Sounds>,
    copies: Arc<Copies>,
    audible: Mutex<Audible>,
    held: AtomicBool,
    answered: AtomicBool,
    flow_begun: AtomicBool,
    /// Its thread has left its desk to another call's, and comes back to it.
    comes_back: AtomicBool,
    progress: Mutex<Progress>,
}

/// What has happened so far. Events are numbered and handed over under its lock, so that their
/// order is their numbers'.
#[derive(Default)]
struct Progress {
    seq: u32,
    started_us: u64,
    rang: bool,
    answered_us: Option<u64>,
    ended_by: Option<EndedBy>,
    variables: BTreeMap<String, String>,
    node: Option<String>,
    fault: Option<String>,
    twins: Twins,
    /// The call it is connected with, and since when.
    bridged: Option<(CallUuid, u64)>,
    /// How long it was connected with one the last time, ms.
    bridged_ms: Option<u64>,
    /// The host connects it with one, or has.
    joined: bool,
    finished: bool,
}

/// Where an attempt is, for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// `dialing`, `ringing`, `answered` or `ended`.
    pub state: &'static str,
    /// Ms since it was started.
    pub age_ms: u64,
    /// Ms since it was answered; 0 before.
    pub billsec_ms: u64,
    /// The node of the flow it is at.
    pub node: Option<String>,
    /// How many events it has reported.
    pub events: u32,
    /// The variables that were set so far.
    pub variables: BTreeMap<String, String>,
}

/// What the host knows of the end of a leg.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LegFacts {
    /// The host's name of the hangup cause.
    pub cause: String,
    /// The SIP status of a failed INVITE.
    pub sip_status: Option<u16>,
    /// The phrase that came with it; none where no answer came, and the status is the SIP stack's own.
    pub sip_phrase: Option<String>,
    /// Whether it was this side that hung up.
    pub by_switch: bool,
    /// How well the other side was heard, where audio came.
    pub quality: Option<Quality>,
}

impl Call {
    /// An attempt that has not begun.
    pub fn new(
        command: DialCommand,
        prompts_dir: PathBuf,
        identity: Identity,
        host: Arc<dyn Host>,
        outbox: Outbox,
        copies: Arc<Copies>,
        direct: Option<Direct>,
    ) -> Arc<Call> {
        let progress = Mutex::new(Progress {
            started_us: host.steady_us(),
            ..Progress::default()
        });
        Arc::new(Call {
            command,
            desk: Desk::default(),
            direct,
            copies,
            audible: Mutex::default(),
            held: AtomicBool::new(false),
            prompts_dir,
            taping: Taping::default(),
            direction: Direction::Outbound,
            inbound_campaign: None,
            identity,
            host,
            outbox,
            flows: OnceLock::new(),
            sounds: OnceLock::new(),
            answered: AtomicBool::new(false),
            flow_begun: AtomicBool::new(false),
            comes_back: AtomicBool::new(false),
            progress,
        })
    }

    /// One that nobody else knows yet, as a call that came in.
    #[must_use]
    pub fn came_in(mut this: Arc<Call>, campaign: Option<CampaignName>) -> Arc<Call> {
        if let Some(call) = Arc::get_mut(&mut this) {
            call.direction = Direction::Inbound;
            call.inbound_campaign = campaign;
        }
        this
    }

    /// The number of the person at the far end, or empty.
    fn persons_number(&self) -> &str {
        match self.direction {
            Direction::Outbound => self.command.to_number.as_str(),
            Direction::Inbound => self.command.from_number.as_str(),
        }
    }

    /// Gives it the flows that its command names, once.
    pub fn give_flows(&self, flows: CallFlows) {
        let _ = self.flows.set(flows);
    }

    /// The flow it begins with.
    pub fn flow(&self) -> Option<&Flow> {
        match &self.command.flow {
            Some(CallFlow::Inline(flow)) => Some(flow),
            _ => self.flows.get()?.first.as_deref(),
        }
    }

    /// The flows that it may go on in.
    pub fn other_flows(&self) -> &BTreeMap<String, Arc<Flow>> {
        static NONE: BTreeMap<String, Arc<Flow>> = BTreeMap::new();
        self.flows.get().map_or(&NONE, |flows| &flows.others)
    }

    /// Gives it the audio of its prompts, once.
    pub fn give_sounds(&self, sounds: Sounds) {
        let _ = self.sounds.set(sounds);
    }

    /// The audio of its prompts.
    pub fn sounds(&self) -> &Sounds {
        static NONE: std::sync::LazyLock<Sounds> = std::sync::LazyLock::new(Sounds::new);
        self.sounds.get().unwrap_or(&NONE)
    }

    /// The channel has been made and its thread is about to send the INVITE.
    pub fn started(&self) {
        let mut progress = self.progress.lock();
        progress.started_us = self.host.steady_us();
        let body = EventBody::Started {
            to_number: self.command.to_number.as_str().to_owned(),
            from_number: self.command.from_number.as_str().to_owned(),
            trunk: self.command.trunk.clone(),
            direction: self.direction,
            campaign_name: self.inbound_campaign.clone(),
        };
        self.emit(&mut progress, body);
    }

    /// A 180 or 183 came. Reported once.
    pub fn ringing(&self, early_media: bool) {
        let mut progress = self.progress.lock();
        if progress.rang || progress.answered_us.is_some() {
            return;
        }
        progress.rang = true;
        let after_ms = self.since_start_ms(&progress);
        self.emit(
            &mut progress,
            EventBody::Ringing {
                early_media,
                after_ms,
            },
        );
    }

    /// A 200 came. Returns whether this is news.
    pub fn answered(&self, sip: BTreeMap<String, String>) -> bool {
        let mut progress = self.progress.lock();
        if progress.answered_us.is_some() || progress.finished {
            return false;
        }
        progress.answered_us = Some(self.host.steady_us());
        let after_ms = self.since_start_ms(&progress);
        self.emit(&mut progress, EventBody::Answered { after_ms, sip });
        // Only now may the session's thread begin the flow: its events follow this one.
        self.answered.store(true, Ordering::SeqCst);
        true
    }

    /// Whether a 200 has come.
    pub fn is_answered(&self) -> bool {
        self.answered.load(Ordering::SeqCst)
    }

    /// A key was pressed. False where it has come before, in another way: it is to be heard once.
    pub fn key(&self, digit: char, duration_ms: u32, source: DigitSource) -> bool {
        let mut progress = self.progress.lock();
        let now_us = self.host.steady_us();
        if progress.twins.is_second(digit, source, now_us) {
            return false;
        }
        self.emit(
            &mut progress,
            EventBody::Dtmf {
                digit,
                duration_ms,
                source,
            },
        );
        true
    }

    /// Reports something that has happened beside the flow.
    pub fn tell(&self, body: EventBody) {
        self.emit(&mut self.progress.lock(), body);
    }

    /// Notes who ends the attempt; the first one to say so does.
    pub fn end_by(&self, by: EndedBy) {
        self.progress.lock().ended_by.get_or_insert(by);
    }

    /// Notes a fault, to be told in the last event; the first one counts.
    pub fn fault(&self, what: String) {
        self.progress.lock().fault.get_or_insert(what);
    }

    /// The leg is gone: the last event, once. Says how it ended, the first time.
    pub fn finish(&self, facts: LegFacts) -> Option<Ending> {
        let mut progress = self.progress.lock();
        if progress.finished {
            return None;
        }
        self.part(&mut progress);
        let now = self.host.steady_us();
        let answered = progress.answered_us.is_some();
        let hangup = Hangup {
            hangup_cause: facts.cause,
            sip_status: if answered {
                Some(200)
            } else {
                facts.sip_status
            },
            sip_phrase: if answered {
                Some("OK".to_owned())
            } else {
                facts.sip_phrase
            },
            by: progress.ended_by.unwrap_or(match facts.by_switch {
                // The host ends a call with the one it was connected with.
                true if progress.joined => EndedBy::Peer,
                true => EndedBy::Switch,
                false if self.direction == Direction::Inbound => EndedBy::Caller,
                false => EndedBy::Callee,
            }),
            answered,
            rang: progress.rang,
            duration_ms: now.saturating_sub(progress.started_us) / 1000,
            billsec_ms: progress
                .answered_us
                .map_or(0, |at| now.saturating_sub(at) / 1000),
            variables: std::mem::take(&mut progress.variables),
            node: progress.node.clone(),
            fault: progress.fault.clone(),
        };
        let ending = Ending {
            answered: hangup.answered,
            by: hangup.by,
            sip_status: hangup.sip_status,
        };
        if let Some(quality) = facts.quality.filter(|_| answered) {
            self.emit(&mut progress, EventBody::CallQuality(quality));
        }
        self.emit(&mut progress, EventBody::Hangup(hangup));
        progress.finished = true;
        self.desk.be_at(At::Ended);
        Some(ending)
    }

    /// Notes that the flow begins; false when it has begun before, since when somebody has taken the
    /// channel elsewhere.
    pub fn begin_flow(&self) -> bool {
        !self.flow_begun.swap(true, Ordering::SeqCst)
    }

    /// Whether the flow has begun, or ended.
    pub fn flow_has_begun(&self) -> bool {
        self.flow_begun.load(Ordering::SeqCst)
    }

    /// Where it is now.
    pub fn snapshot(&self) -> Snapshot {
        let progress = self.progress.lock();
        let state = match () {
            () if progress.finished => "ended",
            () if progress.answered_us.is_some() => "answered",
            () if progress.rang => "ringing",
            () => "dialing",
        };
        Snapshot {
            state,
            age_ms: self.since_start_ms(&progress),
            billsec_ms: progress
                .answered_us
                .map_or(0, |at| self.host.steady_us().saturating_sub(at) / 1000),
            node: progress.node.clone(),
            events: progress.seq,
            variables: progress.variables.clone(),
        }
    }

    fn since_start_ms(&self, progress: &Progress) -> u64 {
        self.host.steady_us().saturating_sub(progress.started_us) / 1000
    }

    fn emit(&self, progress: &mut Progress, body: EventBody) {
        self.emit_to(progress, body, None);
    }

    /// As [`Call::emit`], with a copy for who asked for it.
    fn emit_to(&self, progress: &mut Progress, body: EventBody, to: Option<&EventSubject>) {
        if progress.finished {
            return;
        }
        progress.seq += 1;
        let event = SwitchEvent {
            v: wire::VERSION,
            call_uuid: self.command.call_uuid,
            attempt: self.command.attempt,
            attempt_id: self.command.attempt_id,
            seq: progress.seq,
            tenant_id: self.command.tenant_id.clone(),
            node_id: self.identity.node_id.clone(),
            incarnation: self.identity.incarnation,
            at_ms: self.host.now_us() / 1000,
            body,
        };
        self.copy(&event, to);
        self.outbox.push(event);
    }

    fn copy(&self, event: &SwitchEvent, to: Option<&EventSubject>) {
        let (whole, params) = match &self.direct {
            Some(direct) => (Some(&direct.event_subject), Some(&direct.call_params)),
            None => (None, None),
        };
        if whole.is_none() && to.is_none() {
            return;
        }
        let payload = copies::published(event, params);
        let subjects = BTreeSet::from_iter(whole.into_iter().chain(to));
        for subject in subjects {
            self.copies.send(subject.clone(), payload.clone());
        }
    }
}
