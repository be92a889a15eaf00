//! Late copies, reloads and what is left behind: what goes wrong away from the plain course of a call.

use super::*;
use iradialer_core::value::NodeId;

/// A copy of a command may come when the first is long under way, and whatever is wrong with the copy
/// by then: only "duplicate" keeps the router from taking the attempt for one that was not dialled.
#[test]
fn a_late_copy_of_a_command_does_not_speak_for_its_live_attempt() {
    let bench = Bench::new();
    let call = bench.live();
    let copy = |change: fn(&mut DialCommand)| {
        let mut command = call.command.clone();
        change(&mut command);
        command
    };
    for late in [
        copy(|command| command.not_after_ms = 0),
        copy(|command| command.journal_id = CallUuid::fresh()),
        copy(|command| command.epoch = 0),
        copy(|command| command.dial_timeout_s = 0),
    ] {
        assert_eq!(bench.refusal(&late), RefusalReason::Duplicate);
    }
    let query = Query {
        v: wire::VERSION,
        call_uuid: call.command.call_uuid,
        attempt: 1,
        attempt_id: call.command.attempt_id,
        epoch: 5,
    };
    assert_eq!(bench.fate(&query).unwrap(), AttemptFate::Live);
}

#[test]
fn a_call_that_is_over_leaves_no_timer() {
    let bench = Bench::new();
    let call = bench.live();
    bench.until(|| bench.engine.timers.len() == 1);
    bench.engine.leg_answered(&call, BTreeMap::new());
    assert_eq!(bench.engine.timers.len(), 1);
    bench.end(&call, LegFacts::default());
    assert_eq!(bench.engine.timers.len(), 0);
}

#[test]
fn who_hung_up_is_the_hosts_to_say_where_nobody_else_did() {
    let mut bench = Bench::new();
    let facts = |by_switch| LegFacts {
        by_switch,
        ..LegFacts::default()
    };
    for (said, expected) in [(true, EndedBy::Switch), (false, EndedBy::Callee)] {
        let call = bench.live();
        bench.end(&call, facts(said));
        assert_eq!(bench.hangup().by, expected);
    }
    let call = bench.live();
    call.end_by(EndedBy::Request);
    bench.end(&call, facts(true));
    assert_eq!(bench.hangup().by, EndedBy::Request);
}

#[test]
fn a_name_that_waits_for_the_next_load_is_not_gone_by_before() {
    let bench = Bench::new();
    let running = bench.engine.config();
    let mut new = running.clone();
    new.node_id = NodeId::parse("node-id", "other").unwrap();
    new.max_calls = 7;
    for _ in 0..2 {
        assert_eq!(bench.engine.reconfigure(new.clone()), ["node-id"]);
    }
    assert_eq!(bench.engine.config().node_id, running.node_id);
    assert_eq!(bench.engine.admission.load().max_calls, 7);
}

#[test]
fn a_call_that_waited_past_its_time_is_not_begun() {
    let mut bench = Bench::new();
    let command = bench.command();
    let engine = bench.engine.clone();
    engine.admission.admit(&command, false, NOW_US, 0).unwrap();
    bench.host.passed_us.store(4_001_000, Ordering::SeqCst);
    let call = Call::new(
        command.clone(),
        bench.prompts.path().to_owned(),
        engine.identity.clone(),
        bench.host.clone(),
        engine.outbox.clone(),
        engine.copies.clone(),
        None,
    );
    let (answer, answered) = crossbeam_channel::bounded(1);
    engine.begin(&call, Box::new(move |reply| answer.send(reply).unwrap()));
    let reply = answered.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(
        matches!(
            reply,
            DialReply::Refused {
                reason: RefusalReason::Expired,
                ..
            }
        ),
        "{reply:?}"
    );
    assert!(bench.host.launched.lock().is_empty() && bench.events().is_empty());
    assert_eq!(bench.refusal(&command), RefusalReason::Duplicate);
}

#[test]
fn a_clock_that_is_set_moves_nothing_that_lasts() {
    for hours in [1, -1] {
        let mut bench = Bench::new();
        let call = bench.live();
        let ahead_us = hours * 3_600_000_000;
        bench.host.set_ahead_us.store(ahead_us, Ordering::SeqCst);
        bench.pass(1);
        std::thread::sleep(Duration::from_millis(50));
        assert!(bench.host.hung_up.lock().is_empty(), "it still rings");
        bench.engine.leg_answered(&call, BTreeMap::new());
        bench.pass(2);
        bench.end(&call, LegFacts::default());
        let events = bench.events();
        let Some(EventBody::Hangup(hangup)) = events.last().map(|event| &event.body) else {
            panic!("{events:?}");
        };
        assert_eq!((hangup.duration_ms, hangup.billsec_ms), (3_000, 2_000));
        // What it may begin a second it may begin in a second of this.
        for _ in 0..20 {
            bench.pass(1);
            let mut next = bench.command();
            next.not_after_ms = (NOW_US / 1000).saturating_add_signed(7_200_000);
            assert_eq!(bench.dial(&next), DialReply::Accepted);
            bench
                .engine
                .leg_invited(&bench.engine.registry.attempt(next.attempt_id).unwrap());
            bench.engine.leg_ringing(
                &bench.engine.registry.attempt(next.attempt_id).unwrap(),
                false,
            );
        }
    }
}

#[test]
fn the_later_of_two_switches_of_one_name_takes_no_more() {
    let bench = Bench::new();
    bench.live();
    bench.engine.admission.set_second(true);
    assert_eq!(bench.refusal(&bench.command()), RefusalReason::Draining);
    assert_eq!(bench.engine.registry.len(), 1);
    bench.engine.admission.set_second(false);
    bench.live();
}
