//! Whether a dial command is taken: the checks of the architecture, in their order, under one lock.

use crate::lease::{Allowed, Lease};
use crate::outbox::{HIGH_WATER, MOST_HELD, Outbox};
use crate::pace::{SetupGate, TokenBucket};
use iradialer_core::ledger::Ledger;
use iradialer_core::value::CallUuid;
use iradialer_core::wire::{self, AttemptFate, DialCommand, Query, RefusalReason, Use};
use parking_lot::Mutex;

/// Why a command was refused; nothing was dialled and this attempt never will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why, for a program.
    pub reason: RefusalReason,
    /// Why, for a person.
    pub detail: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(reason: RefusalReason, detail: impl Into<String>) -> Self {
        Refusal {
            reason,
            detail: detail.into(),
        }
    }
}

/// The gatekeeper.
pub struct Admission {
    journal_id: CallUuid,
    outbox: Outbox,
    state: Mutex<State>,
}

struct State {
    ledger: Ledger,
    rate: TokenBucket,
    gate: SetupGate,
    calls: u32,
    max_calls: u32,
    max_cps: f64,
    closed: Closed,
    second: bool,
    lease: Lease,
    asked: Asked,
}

/// What was asked of IraPass.
#[derive(Default)]
struct Asked {
    /// How many questions so far.
    number: u64,
    /// Calls admitted since the last, and when that was.
    begun: u32,
    at_us: u64,
    /// Whether one was refused since for the licence.
    refused: bool,
}

/// What is asked of IraPass: how this switch stands with its share.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// Which question it is, from 1.
    pub ask: u64,
    /// Of calls at once.
    pub channels: Use,
    /// Of calls begun a second, in thousandths.
    pub rate: Use,
    /// How long the lease still holds, ms.
    pub left_ms: u64,
}

/// Whether the door is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// It is.
    No,
    /// An operator drains the switch.
    Draining,
    /// The module is being unloaded.
    Leaving,
}

/// How full the switch is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// Calls held.
    pub calls: u32,
    /// Of those, being set up.
    pub setups: u32,
    /// How many may be on their way to the SIP stack at once now.
    pub setup_limit: u32,
    /// The most calls held, by the settings.
    pub max_calls: u32,
    /// The most calls begun a second, by the settings.
    pub max_cps: f64,
    /// Whether the door is open.
    pub closed: Closed,
    /// Whether another switch has this one's node id, and began before it.
    pub second: bool,
}

impl Admission {
    /// An open door.
    pub fn new(
        journal_id: CallUuid,
        outbox: Outbox,
        ledger: Ledger,
        (max_calls, max_cps): (u32, f64),
        lease: Lease,
        steady_us: u64,
    ) -> Self {
        let allowed = lease.allowed(steady_us);
        let state = State {
            ledger,
            rate: TokenBucket::new(max_cps.min(allowed.cps), steady_us),
            gate: SetupGate::default(),
            calls: 0,
            max_calls,
            max_cps,
            closed: Closed::No,
            second: false,
            lease,
            asked: Asked::default(),
        };
        Admission {
            journal_id,
            outbox,
            state: Mutex::new(state),
        }
    }

    /// Takes the command, or refuses it and fences its attempt. One that a live call waits for, `awaited`, is
    /// taken while the switch drains. `now_us` is the host's wall clock, and `steady_us` the one that nobody
    /// sets.
    pub fn admit(
        &self,
        command: &DialCommand,
        awaited: bool,
        now_us: u64,
        steady_us: u64,
    ) -> Result<(), Refusal> {
        let mut state = self.state.lock();
        let refusal = self.first_objection(&mut state, command, awaited, now_us, steady_us);
        match refusal {
            None => {
                state.ledger.begin(command.attempt_id);
                state.calls += 1;
                state.asked.begun += 1;
                Ok(())
            }
            Some(refusal) => {
                state.asked.refused |= refusal.reason == RefusalReason::License;
                if refusal.reason != RefusalReason::Duplicate {
                    state.ledger.fence(command.attempt_id);
                }
                Err(refusal)
            }
        }
    }

    fn first_objection(
        &self,
        state: &mut State,
        command: &DialCommand,
        awaited: bool,
        now_us: u64,
        steady_us: u64,
    ) -> Option<Refusal> {
        let refuse = |reason, detail: String| Some(Refusal { reason, detail });
        // Whatever else is wrong with a command that came twice, its attempt may have been dialled: any
        // other answer would tell the router that it was not.
        if let Some(fate) = state.ledger.fate(command.attempt_id) {
            return refuse(
                RefusalReason::Duplicate,
                format!("attempt {} is {fate:?}", command.attempt_id),
            );
        }
        if let Err(refusal) = check_ranges(command) {
            return Some(refusal);
        }
        if let Err(refusal) = in_time(command, now_us) {
            return Some(refusal);
        }
        if command.journal_id != self.journal_id {
            let detail = format!(
                "journal_id is {}, not {}",
                self.journal_id, command.journal_id
            );
            return refuse(RefusalReason::WrongJournal, detail);
        }
        if !state.ledger.epoch_is_current(command.epoch) {
            return refuse(
                RefusalReason::StaleEpoch,
                format!("epoch {} is over", command.epoch),
            );
        }
        let allowed = state.lease.allowed(steady_us);
        if let Some(detail) = share_used_up(state, &allowed) {
            return refuse(RefusalReason::License, detail);
        }
        let is_let_in = awaited && state.closed == Closed::Draining;
        if state.closed != Closed::No && !is_let_in {
            return refuse(
                RefusalReason::Draining,
                format!("the switch is {:?}", state.closed).to_lowercase(),
            );
        }
        if state.second {
            let detail = "another switch has this node id, and began before this one";
            return refuse(RefusalReason::Draining, detail.to_owned());
        }
        if self.outbox.journal().is_faulty() {
            return refuse(
                RefusalReason::Faulty,
                "the journal can't be written".to_owned(),
            );
        }
        if self.outbox.journal().events_held() > MOST_HELD {
            return refuse(
                RefusalReason::Busy,
                format!("more than {MOST_HELD} events wait for a collector"),
            );
        }
        if self.outbox.waiting() > HIGH_WATER {
            return refuse(
                RefusalReason::Busy,
                format!("more than {HIGH_WATER} events wait for NATS"),
            );
        }
        if state.calls >= state.max_calls {
            return refuse(
                RefusalReason::Busy,
                format!("it holds {} calls, max-calls", state.calls),
            );
        }
        if !state.gate.enter(command.attempt_id, steady_us) {
            let detail = format!(
                "{} calls are being set up, as many as it can",
                state.gate.in_setup()
            );
            return refuse(RefusalReason::Busy, detail);
        }
        if !state.rate.take(steady_us) {
            state.gate.leave(command.attempt_id);
            let rate = state.rate.per_second();
            return match rate < state.max_cps {
                true => refuse(
                    RefusalReason::License,
                    format!("licence: its share is {rate} calls a second"),
                ),
                false => refuse(
                    RefusalReason::Busy,
                    format!("{rate} calls a second, max-cps"),
                ),
            };
        }
        None
    }

    /// A command that was taken could not be begun: nothing was dialled, and its attempt is fenced.
    pub fn withdraw(&self, attempt: CallUuid) {
        let mut state = self.state.lock();
        state.ledger.fence(attempt);
        state.calls = state.calls.saturating_sub(1);
        state.gate.leave(attempt);
        state.rate.put_back();
    }

    /// A command that was taken waits for what its call needs, and takes no room meanwhile from those being set
    /// up.
    pub fn step_aside(&self, attempt: CallUuid) {
        let mut state = self.state.lock();
        state.gate.leave(attempt);
        state.rate.put_back();
    }

    /// One that stepped aside is to be set up now, if there is room.
    pub fn step_in(&self, attempt: CallUuid, steady_us: u64) -> bool {
        let mut state = self.state.lock();
        if !state.gate.enter(attempt, steady_us) {
            return false;
        }
        let may = state.rate.take(steady_us);
        if !may {
            state.gate.leave(attempt);
        }
        may
    }

    /// As [`Admission::withdraw`], for one that stepped aside.
    pub fn withdraw_aside(&self, attempt: CallUuid) {
        let mut state = self.state.lock();
        state.ledger.fence(attempt);
        state.calls = state.calls.saturating_sub(1);
    }

    /// An attempt's INVITE is with the SIP stack.
    pub fn handed_over(&self, attempt: CallUuid, steady_us: u64) {
        self.state.lock().gate.handed_over(attempt, steady_us);
    }

    /// The far end of an attempt has said something.
    pub fn set_up(&self, attempt: CallUuid) {
        self.state.lock().gate.leave(attempt);
    }

    /// An attempt is over.
    pub fn ended(&self, attempt: CallUuid) {
        let mut state = self.state.lock();
        state.ledger.end(attempt);
        state.gate.leave(attempt);
        state.calls = state.calls.saturating_sub(1);
    }

    /// What became of an attempt; one that never came is fenced. What is fenced, and an epoch that is
    /// higher than the ones before, has to be in the journal before this is told: the second value says
    /// whether there is something to write.
    pub fn fate(&self, query: &Query) -> Result<(AttemptFate, bool), Refusal> {
        if query.v != wire::VERSION {
            return Err(Refusal::new(
                RefusalReason::BadRequest,
                format!("v is {}, not {}", query.v, wire::VERSION),
            ));
        }
        let mut state = self.state.lock();
        let highest = state.ledger.highest_epoch();
        if !state.ledger.epoch_is_current(query.epoch) {
            return Err(Refusal::new(
                RefusalReason::StaleEpoch,
                format!("epoch {} is over", query.epoch),
            ));
        }
        let fate = state.ledger.fate(query.attempt_id).unwrap_or_else(|| {
            state.ledger.fence(query.attempt_id);
            AttemptFate::NeverDialled
        });
        Ok((
            fate,
            fate == AttemptFate::NeverDialled || query.epoch > highest,
        ))
    }

    /// The epoch a call begun at the switch itself goes by: the highest seen, so that it outranks nobody.
    pub fn own_epoch(&self) -> u64 {
        self.state.lock().ledger.highest_epoch()
    }

    /// Opens or closes the door. A module that is leaving stays so.
    pub fn close(&self, closed: Closed) -> bool {
        let mut state = self.state.lock();
        let may = state.closed != Closed::Leaving;
        if may {
            state.closed = closed;
        }
        may
    }

    /// Whether another switch has this one's node id and began before it: then this one takes no calls, as
    /// nobody can tell the two apart who asks a switch by its name.
    pub fn set_second(&self, second: bool) {
        self.state.lock().second = second;
    }

    /// Changes the limits.
    pub fn set_limits(&self, max_calls: u32, max_cps: f64, steady_us: u64) {
        let mut state = self.state.lock();
        (state.max_calls, state.max_cps) = (max_calls, max_cps);
        state.mind_rate(steady_us);
    }

    /// Whether a gateway has given it a lease, in this life or an earlier one.
    pub fn has_lease(&self) -> bool {
        !matches!(self.state.lock().lease, Lease::Never)
    }

    /// What may be used of the licence now.
    pub fn allowed(&self, steady_us: u64) -> Allowed {
        self.state.lock().lease.allowed(steady_us)
    }

    /// How long the lease still holds, ms; 0 without one.
    pub fn lease_left_ms(&self, steady_us: u64, clock_rate: f64) -> u64 {
        self.state.lock().lease.left_ms(steady_us, clock_rate)
    }

    /// How the switch stands with its share, as it is to be asked about. From here on only the answer to this
    /// question is taken.
    pub fn ask(&self, steady_us: u64, clock_rate: f64) -> Standing {
        let mut state = self.state.lock();
        let asked = &mut state.asked;
        let passed_s = steady_us.saturating_sub(asked.at_us) as f64 / 1e6;
        let using = f64::from(asked.begun) * 1_000.0 / passed_s.max(1.0);
        let is_first = asked.number == 0;
        *asked = Asked {
            number: asked.number + 1,
            at_us: steady_us,
            ..Asked::default()
        };
        let (channels, rate) = state.lease.holds(steady_us);
        Standing {
            ask: state.asked.number,
            channels: Use {
                using: state.calls,
                has: channels,
                most: state.max_calls,
            },
            rate: Use {
                using: if is_first { 0 } else { using as u32 },
                has: rate,
                most: (state.max_cps * 1_000.0) as u32,
            },
            left_ms: state.lease.left_ms(steady_us, clock_rate),
        }
    }

    /// Takes the answer to a question, if that was the last. Returns whether less may be used than before.
    pub fn take_lease(&self, ask: u64, lease: Lease, steady_us: u64) -> Option<bool> {
        let mut state = self.state.lock();
        if ask != state.asked.number {
            return None;
        }
        let (before, now) = (state.lease.holds(steady_us), lease.holds(steady_us));
        let is_first = !matches!(state.lease, Lease::Given(_));
        state.lease = lease;
        match is_first {
            // As at a load.
            true => {
                let cps = state.max_cps.min(state.lease.allowed(steady_us).cps);
                state.rate = TokenBucket::new(cps, steady_us);
            }
            false => state.mind_rate(steady_us),
        }
        Some(now.0 < before.0 || now.1 < before.1)
    }

    /// Whether more of the licence is wanted than the switch has: calls were refused for it, or soon may be.
    pub fn wants_more(&self, steady_us: u64) -> bool {
        let state = self.state.lock();
        let allowed = state.lease.allowed(steady_us);
        let nearly = u64::from(state.calls) * 10 >= u64::from(allowed.channels) * 9;
        let could = allowed.channels < state.max_calls;
        state.asked.refused || (could && nearly)
    }

    /// How full the switch is.
    pub fn load(&self) -> Load {
        let state = self.state.lock();
        Load {
            calls: state.calls,
            setups: state.gate.in_setup(),
            setup_limit: state.gate.limit(),
            max_calls: state.max_calls,
            max_cps: state.max_cps,
            closed: state.closed,
            second: state.second,
        }
    }
}

impl State {
    /// The rate is the lower of the settings' and the lease's.
    fn mind_rate(&mut self, steady_us: u64) {
        let allowed = self.lease.allowed(steady_us);
        self.rate.set_rate(self.max_cps.min(allowed.cps), steady_us);
    }
}

/// Why the licence lets no call be begun, if it does not.
fn share_used_up(state: &State, allowed: &Allowed) -> Option<String> {
    if let Some(why) = &allowed.why_none {
        return Some(why.clone());
    }
    let of = match allowed.evaluation {
        true => "there is none, and in an evaluation",
        false => "of its channels",
    };
    // Where its own settings allow no more either, they are the reason.
    if state.calls >= allowed.channels && allowed.channels < state.max_calls {
        let channels = allowed.channels;
        return Some(format!(
            "licence: {of} this switch may have {channels} calls now"
        ));
    }
    // A rate of nothing would leave the one call that a bucket always holds.
    (allowed.cps <= 0.0).then(|| "licence: none of its rate is left for this switch".to_owned())
}

/// Nobody is dialled after `not_after_ms`: it may be an hour then that nobody chose.
pub fn in_time(command: &DialCommand, now_us: u64) -> Result<(), Refusal> {
    match (now_us / 1000).saturating_sub(command.not_after_ms) {
        0 => Ok(()),
        late_ms => Err(Refusal::new(
            RefusalReason::Expired,
            format!("{late_ms} ms after not_after_ms"),
        )),
    }
}

fn check_ranges(command: &DialCommand) -> Result<(), Refusal> {
    let bad = |detail: String| Err(Refusal::new(RefusalReason::BadRequest, detail));
    if command.v != wire::VERSION {
        return bad(format!("v: expected {}, got {}", wire::VERSION, command.v));
    }
    if command.attempt == 0 {
        return bad("attempt: expected 1 or more, got 0".into());
    }
    if !(5..=600).contains(&command.dial_timeout_s) {
        return bad(format!(
            "dial_timeout_s: expected 5 to 600, got {}",
            command.dial_timeout_s
        ));
    }
    if !(1..=86_400).contains(&command.max_duration_s) {
        return bad(format!(
            "max_duration_s: expected 1 to 86400, got {}",
            command.max_duration_s
        ));
    }
    Ok(())
}
