//! The engine on a host that does as it is told, with a clock that stands until it is moved.

use super::*;
use crate::audio::{Law, test_support};
use crate::host::{CreateError, NotLaunched, PreparedLeg, Way, WhyNotLaunched};
use crate::outbox::Deliveries;
use crate::taping::Laws;
use iradialer_core::license::{Feature, Features};
use iradialer_core::wire::{EventBody, Hangup, Query, SwitchEvent};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

mod adversity;
mod any_course;
mod crashes;
mod host;
mod licensed;
mod live;
mod overload;
mod prepared;
mod recording;
mod transfers;

use host::{ScriptedHost, runtime};

const NOW_US: u64 = 1_800_000_000_000_000;

/// A lease of so many calls at once, and of any rate.
fn give_lease(engine: &Engine, channels: u32) {
    let reply = serde_json::from_value(serde_json::json!({
        "v": 1, "ask": engine.lease_ask(false).ask, "channels": channels, "rate": 100_000_000,
        "features": Features::ALL, "good_for_ms": 86_400_000, "evaluation": false,
    }));
    engine
        .take_lease(reply.unwrap(), engine.host.steady_us())
        .unwrap();
}

struct Bench {
    host: Arc<ScriptedHost>,
    engine: Arc<Engine>,
    events: Deliveries,
    prompts: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Config)) -> Self {
        let prompts = tempfile::tempdir().unwrap();
        let xml = format!(
            "<configuration><settings><param name=\"node-id\" value=\"sw\"/>\
             <param name=\"prompts-dir\" value=\"{}\"/><param name=\"journal-dir\" value=\"{}\"/>\
             </settings></configuration>",
            prompts.path().display(),
            prompts.path().join("journal").display()
        );
        let mut config = Config::parse(&xml).unwrap();
        change(&mut config);
        let host = Arc::new(ScriptedHost::default());
        let (engine, events) = Engine::start(config, host.clone(), runtime()).unwrap();
        give_lease(&engine, 100_000);
        Bench {
            host,
            engine,
            events,
            prompts,
        }
    }

    fn command(&self) -> DialCommand {
        serde_json::from_value(serde_json::json!({
            "v": 1, "call_uuid": CallUuid::fresh(), "attempt": 1, "attempt_id": CallUuid::fresh(), "epoch": 5,
            "journal_id": self.engine.identity.journal_id, "not_after_ms": self.host.now_us() / 1000 + 4_000, "tenant_id": "acme",
            "campaign_name": "c", "trunk": "t", "to_number": "+15005550001", "dial_timeout_s": 30,
            "max_duration_s": 600,
        }))
        .unwrap()
    }

    fn dial(&self, command: &DialCommand) -> DialReply {
        let (answer, answered) = crossbeam_channel::bounded(1);
        self.engine.dial(
            command.clone(),
            Box::new(move |reply| answer.send(reply).unwrap()),
        );
        answered
            .recv_timeout(Duration::from_secs(10))
            .expect("an answer")
    }

    fn fate(&self, query: &Query) -> Result<AttemptFate, Refusal> {
        let (answer, answered) = crossbeam_channel::bounded(1);
        let reply = Box::new(move |fate| answer.send(fate).unwrap());
        self.engine.fate(query, reply);
        answered
            .recv_timeout(Duration::from_secs(10))
            .expect("an answer")
    }

    fn refusal(&self, command: &DialCommand) -> RefusalReason {
        match self.dial(command) {
            DialReply::Refused { reason, detail } => {
                assert!(!detail.is_empty());
                reason
            }
            DialReply::Accepted => panic!("was accepted"),
        }
    }

    /// A call that was dialled and whose thread runs.
    fn live(&self) -> Arc<Call> {
        let command = self.command();
        assert_eq!(self.dial(&command), DialReply::Accepted);
        self.until(|| self.host.launched.lock().contains(&command.attempt_id));
        self.engine
            .registry
            .attempt(command.attempt_id)
            .expect("it is live")
    }

    fn end(&self, call: &Call, facts: LegFacts) {
        self.engine.leg_ended(call, facts);
        self.engine.leg_gone(call.command.attempt_id);
    }

    fn pass(&self, seconds: u64) {
        self.host
            .passed_us
            .fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    fn until(&self, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !holds() {
            assert!(Instant::now() < deadline, "it did not come to hold");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Another life on the same journal, after one that ended without a word.
    fn crash(self) -> Self {
        let Bench {
            engine,
            prompts,
            events,
            ..
        } = self;
        let config = engine.config();
        // What a killed process had handed to the journal's thread may or may not be on the disk: here it is.
        engine.outbox.journal().close();
        drop((engine, events));
        let host = Arc::new(ScriptedHost::default());
        let deadline = Instant::now() + Duration::from_secs(10);
        let (engine, events) = loop {
            match Engine::start(config.clone(), host.clone(), runtime()) {
                Ok(started) => break started,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
        };
        give_lease(&engine, 100_000);
        Bench {
            host,
            engine,
            events,
            prompts,
        }
    }

    fn events(&mut self) -> Vec<SwitchEvent> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let mut events = Vec::new();
        while self.engine.outbox.waiting() > 0 {
            let known = events.len();
            assert!(runtime.block_on(self.events.next_few(&mut events)));
            for _ in known..events.len() {
                self.events.delivered(1);
            }
        }
        events
            .into_iter()
            .map(|outgoing| SwitchEvent::clone(&outgoing.event))
            .collect()
    }

    fn hangup(&mut self) -> Hangup {
        match self.events().pop().expect("an event").body {
            EventBody::Hangup(hangup) => hangup,
            other => panic!("the last event is {other:?}"),
        }
    }
}

fn failed(status: u16, phrase: &str) -> LegFacts {
    LegFacts {
        cause: "CALL_REJECTED".into(),
        sip_status: Some(status),
        sip_phrase: Some(phrase.into()),
        ..LegFacts::default()
    }
}

#[test]
fn a_call_from_the_command_to_its_last_event() {
    let mut bench = Bench::new();
    let call = bench.live();
    bench.pass(1);
    bench.engine.leg_invited(&call);
    bench.engine.leg_ringing(&call, false);
    bench.engine.leg_ringing(&call, true);
    bench.pass(2);
    bench.engine.leg_answered(&call, BTreeMap::new());
    bench.engine.leg_answered(&call, BTreeMap::new());
    bench.pass(5);
    bench.end(
        &call,
        LegFacts {
            cause: "NORMAL_CLEARING".into(),
            ..LegFacts::default()
        },
    );

    let events = bench.events();
    let names: Vec<_> = events.iter().map(|event| event.body.name()).collect();
    assert_eq!(names, ["started", "ringing", "answered", "hangup"]);
    assert!(events.iter().zip(1..).all(|(event, seq)| event.seq == seq));
    let EventBody::Hangup(hangup) = &events[3].body else {
        panic!("{:?}", events[3])
    };
    assert_eq!(
        (hangup.sip_status, hangup.duration_ms, hangup.billsec_ms),
        (Some(200), 8_000, 5_000)
    );
    assert_eq!(hangup.by, EndedBy::Callee);
    assert_eq!(bench.engine.registry.len(), 0);
    assert_eq!(bench.engine.admission.load().calls, 0);
}

#[test]
fn nothing_is_dialled_twice() {
    let bench = Bench::new();
    let call = bench.live();
    assert_eq!(bench.refusal(&call.command), RefusalReason::Duplicate);
    bench.end(&call, failed(486, "Busy Here"));
    assert_eq!(bench.refusal(&call.command), RefusalReason::Duplicate);
    assert_eq!(bench.host.launched.lock().len(), 1);
}

#[test]
fn what_is_refused_is_fenced() {
    let bench = Bench::with(|config| config.max_calls = 1);
    let command = |change: fn(&mut DialCommand)| {
        let mut command = bench.command();
        change(&mut command);
        command
    };
    let late = command(|command| command.not_after_ms = NOW_US / 1000 - 1);
    assert_eq!(bench.refusal(&late), RefusalReason::Expired);
    let other_journal = command(|command| command.journal_id = CallUuid::fresh());
    assert_eq!(bench.refusal(&other_journal), RefusalReason::WrongJournal);
    bench.live();
    let stale = command(|command| command.epoch = 4);
    assert_eq!(bench.refusal(&stale), RefusalReason::StaleEpoch);
    let one_too_many = bench.command();
    assert_eq!(bench.refusal(&one_too_many), RefusalReason::Busy);
    for refused in [late, other_journal, stale, one_too_many] {
        // The same attempt, with nothing left to object to.
        let mended = DialCommand {
            attempt_id: refused.attempt_id,
            ..bench.command()
        };
        assert_eq!(bench.refusal(&mended), RefusalReason::Duplicate);
    }
    assert_eq!(bench.host.launched.lock().len(), 1);
}

#[test]
fn what_can_not_be_begun_leaves_nothing_behind() {
    let mut bench = Bench::new();
    *bench.host.refuse.lock() = Some(CreateError::Trunk("t: no gateway of that name".into()));
    let command = bench.command();
    assert_eq!(bench.refusal(&command), RefusalReason::TrunkUnavailable);
    *bench.host.refuse.lock() = Some(CreateError::Limit("full".into()));
    assert_eq!(bench.refusal(&bench.command()), RefusalReason::Busy);
    *bench.host.refuse.lock() = None;
    assert_eq!(bench.refusal(&command), RefusalReason::Duplicate);
    assert!(bench.events().is_empty());
    let load = bench.engine.admission.load();
    assert_eq!((load.calls, load.setups), (0, 0));
}

#[test]
fn values_out_of_range_are_named() {
    let bench = Bench::new();
    for (field, change) in [
        ("v:", (|command| command.v = 2) as fn(&mut DialCommand)),
        ("attempt:", |command| command.attempt = 0),
        ("dial_timeout_s:", |command| command.dial_timeout_s = 4),
        ("max_duration_s:", |command| command.max_duration_s = 0),
    ] {
        let mut command = bench.command();
        change(&mut command);
        match bench.dial(&command) {
            DialReply::Refused {
                reason: RefusalReason::BadRequest,
                detail,
            } => assert!(detail.starts_with(field)),
            other => panic!("{field} {other:?}"),
        }
    }
}

#[test]
fn a_drained_switch_keeps_its_calls_and_takes_no_more() {
    let bench = Bench::new();
    bench.live();
    assert!(bench.engine.admission.close(Closed::Draining));
    assert_eq!(bench.refusal(&bench.command()), RefusalReason::Draining);
    assert_eq!(bench.engine.registry.len(), 1);
    assert!(bench.engine.admission.close(Closed::No));
    bench.live();
}

#[test]
fn nobody_answers_until_the_dial_timeout() {
    let mut bench = Bench::new();
    let call = bench.live();
    bench.engine.leg_ringing(&call, false);
    bench.pass(31);
    let attempt = call.command.attempt_id;
    bench.until(|| {
        bench
            .host
            .hung_up
            .lock()
            .contains(&(attempt, HangupCause::NoAnswer))
    });
    bench.end(
        &call,
        LegFacts {
            cause: "NO_ANSWER".into(),
            ..LegFacts::default()
        },
    );
    let hangup = bench.hangup();
    assert_eq!(
        (hangup.by, hangup.rang, hangup.answered),
        (EndedBy::DialTimeout, true, false)
    );
}

#[test]
fn an_answered_call_has_no_dial_timeout_but_a_longest_duration() {
    let mut bench = Bench::new();
    let call = bench.live();
    bench.engine.leg_answered(&call, BTreeMap::new());
    bench.pass(60);
    bench.pass(600);
    let attempt = call.command.attempt_id;
    bench.until(|| !bench.host.hung_up.lock().is_empty());
    assert_eq!(
        *bench.host.hung_up.lock(),
        [(attempt, HangupCause::MaxDuration)]
    );
    bench.end(&call, LegFacts::default());
    assert_eq!(bench.hangup().by, EndedBy::MaxDuration);
}

#[test]
fn a_dropped_call_is_cancelled_while_it_rings_and_hung_up_after() {
    let mut bench = Bench::new();
    let (ringing, answered) = (bench.live(), bench.live());
    bench.engine.leg_answered(&answered, BTreeMap::new());
    assert!(bench.engine.drop_call(ringing.command.call_uuid));
    assert!(bench.engine.drop_call(answered.command.call_uuid));
    assert!(!bench.engine.drop_call(CallUuid::fresh()));
    let causes: Vec<_> = bench
        .host
        .hung_up
        .lock()
        .iter()
        .map(|(_, cause)| *cause)
        .collect();
    assert_eq!(causes, [HangupCause::Cancel, HangupCause::Request]);
    bench.end(&ringing, LegFacts::default());
    assert_eq!(bench.hangup().by, EndedBy::Request);
}

#[test]
fn a_session_without_a_thread_ends_with_its_last_event() {
    let mut bench = Bench::new();
    *bench.host.thread_fails.lock() = true;
    assert_eq!(bench.dial(&bench.command()), DialReply::Accepted);
    bench.until(|| bench.engine.registry.len() == 0 && bench.engine.admission.load().calls == 0);
    let hangup = bench.hangup();
    assert_eq!(hangup.by, EndedBy::Switch);
    assert!(hangup.fault.unwrap().contains("no thread"));
}

#[test]
fn a_query_fences_what_never_came() {
    let bench = Bench::new();
    let (command, live) = (bench.command(), bench.live());
    let query = |command: &DialCommand, epoch| Query {
        v: wire::VERSION,
        call_uuid: command.call_uuid,
        attempt: command.attempt,
        attempt_id: command.attempt_id,
        epoch,
    };
    assert_eq!(
        bench.fate(&query(&live.command, 5)).unwrap(),
        AttemptFate::Live
    );
    assert_eq!(
        bench.fate(&query(&command, 5)).unwrap(),
        AttemptFate::NeverDialled
    );
    assert_eq!(bench.refusal(&command), RefusalReason::Duplicate);
    assert_eq!(
        bench.fate(&query(&command, 4)).unwrap_err().reason,
        RefusalReason::StaleEpoch
    );
    bench.end(&live, LegFacts::default());
    assert_eq!(
        bench.fate(&query(&live.command, 5)).unwrap(),
        AttemptFate::Ended
    );
}

#[test]
fn an_unload_ends_every_call_also_one_whose_channel_does_not() {
    let mut bench = Bench::with(|config| config.unload_wait = Duration::from_millis(100));
    let call = bench.live();
    assert_eq!(bench.engine.stop(), 1);
    assert_eq!(
        *bench.host.hung_up.lock(),
        [(call.command.attempt_id, HangupCause::Unload)]
    );
    assert_eq!(bench.refusal(&bench.command()), RefusalReason::Draining);
    let hangup = bench.hangup();
    assert_eq!(hangup.by, EndedBy::Switch);
    assert!(hangup.fault.unwrap().contains("did not end"));
    bench.end(&call, LegFacts::default());
    assert!(bench.events().is_empty(), "there is one last event");
}

#[test]
fn an_operators_call_outranks_nobody() {
    let bench =
        Bench::with(|config| config.default_trunk = Some(TrunkName::parse("t", "t").unwrap()));
    let (answer, answered) = crossbeam_channel::bounded(1);
    bench
        .engine
        .originate(
            "+15005550001",
            None,
            Box::new(move |reply| answer.send(reply).unwrap()),
        )
        .unwrap();
    assert_eq!(answered.recv().unwrap(), DialReply::Accepted);
    bench.live();
    let error = bench
        .engine
        .originate("1; rm", None, Box::new(|_| {}))
        .unwrap_err();
    assert!(error.starts_with("number: expected"), "{error}");
}
