//! Whether a dial command is taken: the checks of the architecture, in their order, under one lock.

use crate::outbox::{HIGH_WATER, MOST_HELD, Outbox};
use crate::pace::{SetupGate, TokenBucket};
use iradialer_core::ledger::Ledger;
use iradialer_core::value::CallUuid;
use iradialer_core::wire::{self, AttemptFate, DialCommand, Query, RefusalReason};
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
    closed: Closed,
    second: bool,
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
    /// The most calls held.
    pub max_calls: u32,
    /// The most calls begun a second.
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
        max_calls: u32,
        max_cps: f64,
        steady_us: u64,
    ) -> Self {
        let state = State {
            ledger,
            rate: TokenBucket::new(max_cps, steady_us),
            gate: SetupGate::default(),
            calls: 0,
            max_calls,
            closed: Closed::No,
            second: false,
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
                Ok(())
            }
            Some(refusal) => {
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
            return refuse(
                RefusalReason::Busy,
                format!("{} calls a second, max-cps", state.rate.per_second()),
            );
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
        state.max_calls = max_calls;
        state.rate.set_rate(max_cps, steady_us);
    }

    /// How full the switch is.
    pub fn load(&self) -> Load {
        let state = self.state.lock();
        Load {
            calls: state.calls,
            setups: state.gate.in_setup(),
            setup_limit: state.gate.limit(),
            max_calls: state.max_calls,
            max_cps: state.rate.per_second(),
            closed: state.closed,
            second: state.second,
        }
    }
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
