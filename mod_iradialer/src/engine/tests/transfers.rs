//! A call that waits, and the one that is dialled for it.

use super::*;
use crate::transfer::course::{Course, Next, Wanted};
use crate::transfer::{Question, Told};
use iradialer_core::call::CallState;
use iradialer_core::flow::Transferred;
use iradialer_core::wire::{TransferAsk, TransferReply};
use tokio::sync::mpsc::UnboundedReceiver;

/// A switch, a call on it that waits, and what is asked of the routers.
struct Site {
    bench: Bench,
    parent: Arc<Call>,
    questions: UnboundedReceiver<Question>,
}

impl Site {
    fn new() -> Self {
        let bench = Bench::new();
        let questions = bench.engine.transfers.questions().unwrap();
        let parent = bench.live();
        bench.engine.leg_answered(&parent, BTreeMap::new());
        Site {
            bench,
            parent,
            questions,
        }
    }

    /// One with a transfer under way, which has been asked for.
    fn waiting() -> (Self, Course) {
        let site = Site::new();
        let mut course = site.begin().unwrap();
        assert_eq!(course.poll(), Next::Wait);
        (site, course)
    }

    fn begin(&self) -> Result<Course, String> {
        let wanted = Wanted {
            destination: DialNumber::parse("to", "+15005550032").unwrap(),
            from_number: None,
            trunk: None,
            timeout_s: 25,
            whisper: Vec::new(),
        };
        self.bench.engine.transfer(&self.parent, wanted)
    }

    /// What was asked, answered with where the call is.
    fn asked(&mut self, told: Told) -> Question {
        let question = self.questions.try_recv().expect("a question");
        question.meeting.told(told);
        question
    }

    /// The command for the call that was asked for.
    fn command(&self, question: &Question) -> DialCommand {
        DialCommand {
            call_uuid: question.meeting.call_uuid,
            bridge_to: Some(self.parent.command.call_uuid),
            ..self.bench.command()
        }
    }

    /// Has the call dialled here.
    fn dialled(&self, question: &Question) -> Arc<Call> {
        let command = self.command(question);
        assert_eq!(self.bench.dial(&command), DialReply::Accepted);
        let attempt = command.attempt_id;
        self.bench
            .until(|| self.bench.host.launched.lock().contains(&attempt));
        self.bench.engine.registry.attempt(attempt).unwrap()
    }

    fn end(&self, call: &Call, sip_status: u16) {
        let facts = LegFacts {
            sip_status: Some(sip_status),
            sip_phrase: Some("said".into()),
            ..LegFacts::default()
        };
        self.bench.end(call, facts);
    }
}

fn taken(state: CallState) -> Told {
    Told::Reply(TransferReply::Taken { state })
}

#[test]
fn the_one_who_answers_is_connected() {
    let (mut site, mut course) = Site::waiting();
    let question = site.asked(taken(CallState::Queued));
    assert_eq!(question.parent, site.parent.command.call_uuid);
    let child = site.dialled(&question);
    assert_eq!(course.poll(), Next::Wait);
    site.bench.engine.leg_answered(&child, BTreeMap::new());
    assert_eq!(course.poll(), Next::Wait, "it hears its whisper first");
    assert!(site.bench.engine.transfers.ready(&child));
    assert_eq!(course.poll(), Next::Bridge(child.command.attempt_id));
}

#[test]
fn it_asks_again_until_it_is_dialled_and_not_too_often() {
    let (mut site, mut course) = Site::waiting();
    course.poll();
    let first = site.asked(taken(CallState::Queued));
    course.poll();
    assert!(site.questions.try_recv().is_err(), "too soon");
    site.bench.pass(1);
    course.poll();
    let again = site.asked(taken(CallState::Expired));
    assert_eq!(again.meeting.call_uuid, first.meeting.call_uuid);
    assert!(matches!(
        course.poll(),
        Next::Over(Transferred::Failed(why)) if why.contains("room")
    ));
}

#[test]
fn what_the_other_side_says_is_what_comes_of_it() {
    for (status, expected) in [(486, Transferred::Busy), (480, Transferred::NoAnswer)] {
        let (mut site, mut course) = Site::waiting();
        let question = site.asked(taken(CallState::Queued));
        let child = site.dialled(&question);
        site.end(&child, status);
        assert_eq!(course.poll(), Next::Over(expected));
    }
}

#[test]
fn after_a_carriers_refusal_the_router_may_try_another_trunk() {
    let (mut site, mut course) = Site::waiting();
    let question = site.asked(taken(CallState::Queued));
    let child = site.dialled(&question);
    site.end(&child, 503);
    site.bench.pass(1);
    assert_eq!(course.poll(), Next::Wait);
    let question = site.asked(taken(CallState::Queued));
    let second = site.dialled(&question);
    site.end(&second, 503);
    site.bench.pass(1);
    assert_eq!(course.poll(), Next::Wait);
    site.asked(taken(CallState::Failed));
    assert!(matches!(
        course.poll(),
        Next::Over(Transferred::Failed(why)) if why.contains("failed")
    ));
}

#[test]
fn the_waiting_never_hangs() {
    let (mut refused, mut course) = Site::waiting();
    let detail = "no trunks".to_owned();
    refused.asked(Told::Reply(TransferReply::Refused { detail }));
    let failed = |why: &str| Next::Over(Transferred::Failed(why.to_owned()));
    assert_eq!(course.poll(), failed("no trunks"));

    let (mut away, mut course) = Site::waiting();
    away.asked(Told::NotAsked("no router is there".to_owned()));
    assert_eq!(course.poll(), failed("no router is there"));

    let mut silent = Site::new();
    let mut course = silent.begin().unwrap();
    for _ in 0..3 {
        assert_eq!(course.poll(), Next::Wait);
        silent.asked(Told::Nothing);
        silent.bench.pass(2);
    }
    assert_eq!(course.poll(), failed("no router has answered"));

    // A question whose answer is lost for good.
    let (lost, mut course) = Site::waiting();
    lost.bench.pass(16);
    assert_eq!(
        course.poll(),
        failed("the other side was not dialled in time")
    );
}

#[test]
fn who_waits_no_more_has_the_other_phone_stop_ringing() {
    let (mut site, course) = Site::waiting();
    let question = site.asked(taken(CallState::Queued));
    let child = site.dialled(&question);
    site.bench.engine.leg_ringing(&child, false);
    drop(course);
    let hung_up = site.bench.host.hung_up.lock().clone();
    assert_eq!(hung_up, [(child.command.attempt_id, HangupCause::Cancel)]);
    let ending = child.finish(LegFacts::default()).unwrap();
    assert_eq!(ending.by, EndedBy::Peer);
}

#[test]
fn what_is_not_dialled_yet_is_canceled_and_refused_when_it_comes() {
    let (mut site, course) = Site::waiting();
    let question = site.asked(taken(CallState::Queued));
    drop(course);
    let cancel = site.asked(taken(CallState::Canceled));
    assert_eq!(cancel.ask, TransferAsk::Cancel);
    let command = site.command(&question);
    assert_eq!(site.bench.refusal(&command), RefusalReason::NobodyWaits);
    assert!(site.bench.host.launched.lock().len() == 1, "the parent's");
}

#[test]
fn a_drain_lets_a_transfer_finish_and_begins_none() {
    let (mut site, mut course) = Site::waiting();
    let question = site.asked(taken(CallState::Queued));
    assert!(site.bench.engine.admission.close(Closed::Draining));
    site.dialled(&question);
    assert_eq!(course.poll(), Next::Wait);
    let refused = site.begin();
    assert!(refused.is_err_and(|why| why.contains("drained")));
}

#[test]
fn an_unload_ends_the_waiting_and_leaves_nothing_of_the_engine() {
    let (mut site, mut course) = Site::waiting();
    let question = site.asked(taken(CallState::Queued));
    let child = site.dialled(&question);
    site.bench.engine.leg_answered(&child, BTreeMap::new());
    // Neither channel ends by itself.
    site.bench.engine.config.write().unload_wait = Duration::from_millis(100);
    assert_eq!(site.bench.engine.stop(), 2);
    let unloaded = Transferred::Failed("the module is being unloaded".to_owned());
    assert_eq!(course.poll(), Next::Over(unloaded.clone()));
    let engine = Arc::downgrade(&site.bench.engine);
    drop(site);
    assert_eq!(engine.strong_count(), 0, "the waiting thread keeps it");
    assert_eq!(course.poll(), Next::Over(unloaded));
    drop(course);
}

#[test]
fn a_bridge_is_told_once_to_each_and_ends_with_the_call() {
    let site = Site::new();
    let peer = CallUuid::fresh();
    site.parent.bridged(peer);
    site.bench.pass(3);
    site.parent.unbridged();
    assert_eq!(site.parent.bridge_over(), Some(3_000));
    site.parent.bridged(peer);
    site.bench.pass(2);
    // The host hangs it up with the other one: its last words come before its last event.
    let facts = LegFacts {
        by_switch: true,
        ..LegFacts::default()
    };
    let ending = site.parent.finish(facts).unwrap();
    assert_eq!(ending.by, EndedBy::Peer);
    assert_eq!(site.parent.bridge_over(), Some(2_000));
}

/// Where the call that waits is hung up, once the other one has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// While the other one hears its whisper.
    Whisper,
    /// The other one waits to be connected, and has not been seen yet.
    Ready,
    /// Its thread has seen it, and asks the host for the bridge, which finds it gone.
    Seen,
    /// The same, and the host hangs the other one up.
    SeenAndHungUp,
}

#[test]
fn who_hangs_up_before_the_bridge_leaves_no_call_up_and_each_ends_once() {
    for moment in [
        Moment::Whisper,
        Moment::Ready,
        Moment::Seen,
        Moment::SeenAndHungUp,
    ] {
        let mut site = Site::new();
        let mut course = site.begin().unwrap();
        course.poll();
        let question = site.asked(taken(CallState::Queued));
        let child = site.dialled(&question);
        let attempt = child.command.attempt_id;
        let engine = site.bench.engine.clone();
        engine.leg_answered(&child, BTreeMap::new());
        assert_eq!(course.poll(), Next::Wait);
        if moment != Moment::Whisper {
            assert!(engine.transfers.ready(&child));
        }
        if matches!(moment, Moment::Seen | Moment::SeenAndHungUp) {
            assert_eq!(course.poll(), Next::Bridge(attempt));
            site.parent.joins(Some(&child));
        }
        let by_switch = LegFacts {
            by_switch: true,
            ..LegFacts::default()
        };
        if moment == Moment::SeenAndHungUp {
            site.bench.end(&child, by_switch.clone());
        }
        // The waiting thread finds its channel hung up, and lets the transfer go before the channel is gone.
        assert_eq!(site.parent.bridge_over(), None);
        drop(course);
        site.bench.end(&site.parent, LegFacts::default());
        assert!(!engine.transfers.ready(&child), "{moment:?}: nobody waits");
        let hung_up = site.bench.host.hung_up.lock().clone();
        if moment != Moment::SeenAndHungUp {
            assert_eq!(hung_up, [(attempt, HangupCause::Request)], "{moment:?}");
            site.bench.end(&child, by_switch);
        }
        assert_eq!(engine.admission.load().calls, 0, "{moment:?}");
        assert!(engine.registry.attempt(attempt).is_none(), "{moment:?}");
        let ends = |events: &[SwitchEvent], of: &Call| -> Vec<EndedBy> {
            let of = events
                .iter()
                .filter(|event| event.call_uuid == of.command.call_uuid);
            let ends = of.filter_map(|event| match &event.body {
                EventBody::Hangup(hangup) => Some(hangup.by),
                EventBody::Bridged { .. } => panic!("{moment:?}: they were never connected"),
                _ => None,
            });
            ends.collect()
        };
        let events = site.bench.events();
        assert_eq!(ends(&events, &site.parent), [EndedBy::Callee], "{moment:?}");
        assert_eq!(ends(&events, &child), [EndedBy::Peer], "{moment:?}");
    }
}

#[test]
fn a_bridge_that_fails_is_not_taken_for_the_one_before() {
    let site = Site::new();
    site.parent.joins(None);
    site.parent.bridged(CallUuid::fresh());
    site.bench.pass(3);
    assert_eq!(site.parent.bridge_over(), Some(3_000));
    site.parent.joins(None);
    assert_eq!(site.parent.bridge_over(), None);
}

#[test]
fn the_carrier_is_asked_for_whom_the_routers_let_through_and_nobody_else() {
    let mut site = Site::new();
    let number = |text| DialNumber::parse("to", text).unwrap();
    let mut permission = site
        .bench
        .engine
        .may_refer(&site.parent, number("0612345678"));
    assert_eq!(permission.poll(), None);
    let question = site.asked(Told::Reply(TransferReply::NotNow));
    assert_eq!(question.ask, TransferAsk::Refer(number("0612345678")));
    assert_eq!(permission.poll(), None);
    assert!(site.questions.try_recv().is_err(), "too soon");
    site.bench.pass(1);
    assert_eq!(permission.poll(), None);
    let to_number = number("+33612345678");
    site.asked(Told::Reply(TransferReply::Permitted { to_number }));
    assert_eq!(permission.poll(), Some(Ok(number("+33612345678"))));

    let mut permission = site.bench.engine.may_refer(&site.parent, number("+88213"));
    permission.poll();
    let detail = "satellite".to_owned();
    site.asked(Told::Reply(TransferReply::Refused { detail }));
    let refused = Transferred::Failed("satellite".to_owned());
    assert_eq!(permission.poll(), Some(Err(refused)));

    // Nobody answers: that is no permission.
    let mut permission = site
        .bench
        .engine
        .may_refer(&site.parent, number("+33612345678"));
    assert_eq!(permission.poll(), None);
    site.bench.pass(9);
    assert!(matches!(
        permission.poll(),
        Some(Err(Transferred::Failed(why))) if why.contains("in time")
    ));
}
