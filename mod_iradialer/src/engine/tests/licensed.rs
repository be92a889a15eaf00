//! What the lease of the licence lets a switch do, and what becomes of it.

use super::*;
use iradialer_core::wire::{LeaseAsk, LeaseReply};

fn reply(ask: &LeaseAsk, channels: u32) -> LeaseReply {
    LeaseReply {
        v: 1,
        ask: ask.ask,
        channels,
        rate: 1_000_000,
        features: Features::ALL,
        good_for_ms: 60_000,
        evaluation: false,
        why_none: None,
    }
}

impl Bench {
    /// Asks and is told so.
    fn told(&self, change: impl FnOnce(&mut LeaseReply)) -> Option<bool> {
        let ask = self.engine.lease_ask(false);
        let mut reply = reply(&ask, 2);
        change(&mut reply);
        self.engine.take_lease(reply, self.host.steady_us())
    }

    fn license_refusal(&self) -> String {
        match self.dial(&self.command()) {
            DialReply::Refused {
                reason: RefusalReason::License,
                detail,
            } => detail,
            other => panic!("{other:?}"),
        }
    }

    /// The clock of this host runs a thousand times as fast as a real one.
    fn pass_real(&self, seconds: u64) {
        self.pass(seconds * 1_000);
    }
}

#[test]
fn no_more_calls_are_up_than_the_lease_allows_and_live_ones_go_on() {
    let bench = Bench::new();
    assert_eq!(bench.told(|_| {}), Some(true), "less than before");
    let first = bench.live();
    let _second = bench.live();
    let refused = bench.command();
    assert_eq!(bench.refusal(&refused), RefusalReason::License);
    // It was remembered before it was said.
    assert_eq!(bench.refusal(&refused), RefusalReason::Duplicate);
    let query = Query {
        v: 1,
        call_uuid: refused.call_uuid,
        attempt: 1,
        attempt_id: refused.attempt_id,
        epoch: 5,
    };
    assert_eq!(bench.fate(&query), Ok(AttemptFate::NeverDialled));
    assert!(bench.license_refusal().contains("may have 2 calls now"));
    assert!(bench.engine.admission.wants_more(bench.host.steady_us()));
    bench.end(&first, LegFacts::default());
    bench.live();
    // Less than it has: what is up goes on, and nothing new begins before it is below.
    assert_eq!(bench.told(|reply| reply.channels = 1), Some(true));
    let standing = bench.engine.lease_ask(false);
    assert_eq!((standing.channels.using, standing.channels.has), (2, 1));
    assert_eq!(bench.engine.registry.len(), 2);
    assert!(bench.license_refusal().contains("may have 1 calls now"));
}

#[test]
fn only_the_answer_to_the_last_question_counts() {
    let bench = Bench::new();
    let first = bench.engine.lease_ask(false);
    let second = bench.engine.lease_ask(false);
    assert_eq!(second.ask, first.ask + 1);
    let take = |reply| bench.engine.take_lease(reply, bench.host.steady_us());
    assert_eq!(take(reply(&first, 50)), None);
    assert!(take(reply(&second, 3)).is_some());
    assert_eq!(bench.engine.lease_ask(false).channels.has, 3);
}

#[test]
fn a_lease_outlives_its_gateway_for_as_long_as_it_is_good() {
    let bench = Bench::new();
    bench.told(|_| {});
    let call = bench.live();
    bench.pass_real(59);
    bench.live();
    bench.pass_real(2);
    let why = bench.license_refusal();
    assert!(why.contains("the lease ran out"), "{why}");
    assert_eq!(bench.engine.registry.len(), 2, "live calls go on");
    let standing = bench.engine.lease_ask(false);
    assert_eq!((standing.channels.has, standing.left_ms), (0, 0));
    bench.end(&call, LegFacts::default());
    drop(call);
    // Another one, and it goes on.
    bench.told(|_| {});
    bench.live();
    // The next life has none until it is given one, and does not evaluate itself.
    let next = bench.crash();
    let had = next.engine.config().journal_dir.unwrap().join("leased");
    assert!(had.exists());
}

#[test]
fn why_there_is_none_is_said() {
    let bench = Bench::new();
    bench.told(|reply| {
        reply.channels = 0;
        reply.why_none = Some("The licence does not hold: it expired".to_owned());
    });
    assert!(bench.license_refusal().contains("it expired"));
}

#[test]
fn its_rate_and_its_features_hold_too() {
    let bench = Bench::new();
    bench.told(|reply| {
        reply.channels = 100;
        reply.rate = 2_000;
    });
    bench.live();
    assert!(
        bench
            .license_refusal()
            .contains("its share is 2 calls a second")
    );
    bench.pass(1);
    bench.live();
    bench.told(|reply| {
        reply.rate = 0;
        reply.channels = 100;
    });
    assert!(bench.license_refusal().contains("none of its rate"));
    bench.told(|reply| {
        reply.channels = 100;
        reply.features = Features::NONE.with(Feature::Ivr);
    });
    bench.pass(1);
    let mut command = bench.command();
    let flow = |record: &str| {
        serde_json::json!({"inline": {"version": 1, "name": "f", "start": "end", "record_call": record,
            "nodes": {"end": {"hangup": {}}}}})
    };
    command.flow = Some(serde_json::from_value(flow("mixed")).unwrap());
    match bench.dial(&command) {
        // Without a folder for recordings the flow can't be run at all.
        DialReply::Refused { detail, .. } => assert!(detail.contains("record"), "{detail}"),
        other => panic!("{other:?}"),
    }
    let incoming = Incoming {
        to: "+15005550006".to_owned(),
        ..Incoming::default()
    };
    let refused = bench.engine.take_in(&incoming, &|| true).err().unwrap();
    assert!(
        refused.why.contains("does not allow inbound"),
        "{}",
        refused.why
    );
}

#[test]
fn without_any_lease_a_switch_evaluates_itself() {
    let dir = tempfile::tempdir().unwrap();
    let xml = format!(
        "<configuration><settings><param name=\"node-id\" value=\"sw\"/>\
         <param name=\"prompts-dir\" value=\"{}\"/><param name=\"journal-dir\" value=\"{}\"/>\
         </settings></configuration>",
        dir.path().display(),
        dir.path().join("journal").display()
    );
    let config = Config::parse(&xml).unwrap();
    let host = Arc::new(ScriptedHost::default());
    let (engine, events) = Engine::start(config, host.clone(), runtime()).unwrap();
    let bench = Bench {
        host,
        engine,
        events,
        prompts: dir,
    };
    assert!(!bench.engine.admission.has_lease());
    for _ in 0..10 {
        bench.live();
        bench.pass(1);
    }
    let why = bench.license_refusal();
    assert!(
        why.contains("evaluation") && why.contains("10 calls"),
        "{why}"
    );
}
