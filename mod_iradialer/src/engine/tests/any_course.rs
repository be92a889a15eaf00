//! A call under whatever the host does, in any order.

use super::*;
use proptest::prelude::*;

#[derive(Debug, Clone, Copy)]
enum Step {
    Invited,
    Ringing,
    EarlyMedia,
    Answered,
    Key,
    Drop,
    Pass(u64),
    Ended,
    Gone,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        Just(Step::Invited),
        Just(Step::Ringing),
        Just(Step::EarlyMedia),
        Just(Step::Answered),
        Just(Step::Key),
        Just(Step::Drop),
        (0u64..40).prop_map(Step::Pass),
        Just(Step::Ended),
        Just(Step::Gone),
    ];
    prop::collection::vec(step, 0..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_the_host_does_there_is_one_last_event(steps in steps()) {
        let mut bench = Bench::new();
        let call = bench.live();
        for step in steps {
            match step {
                Step::Invited => bench.engine.leg_invited(&call),
                Step::Ringing => bench.engine.leg_ringing(&call, false),
                Step::EarlyMedia => bench.engine.leg_ringing(&call, true),
                Step::Answered => bench.engine.leg_answered(&call, BTreeMap::new()),
                Step::Key => drop(call.key('1', 100, wire::DigitSource::Rtp)),
                Step::Drop => drop(bench.engine.drop_call(call.command.call_uuid)),
                Step::Pass(seconds) => bench.pass(seconds),
                Step::Ended => bench.engine.leg_ended(&call, LegFacts::default()),
                Step::Gone => bench.engine.leg_gone(call.command.attempt_id),
            }
        }
        bench.engine.leg_gone(call.command.attempt_id);
        let events = bench.events();
        prop_assert!(events.iter().zip(1..).all(|(event, seq)| event.seq == seq));
        let finals = events.iter().filter(|event| matches!(event.body, EventBody::Hangup(_))).count();
        prop_assert_eq!(finals, 1);
        prop_assert!(matches!(events.last().unwrap().body, EventBody::Hangup(_)));
        for once in ["started", "ringing", "answered"] {
            prop_assert!(events.iter().filter(|event| event.body.name() == once).count() <= 1);
        }
        let load = bench.engine.admission.load();
        prop_assert_eq!((load.calls, load.setups), (0, 0));
    }
}
