//! A switch that dies with calls up, and starts again on the same journal.

use super::*;

fn query(command: &DialCommand) -> Query {
    Query {
        v: wire::VERSION,
        call_uuid: command.call_uuid,
        attempt: command.attempt,
        attempt_id: command.attempt_id,
        epoch: 5,
    }
}

#[test]
fn a_call_that_was_up_gets_its_last_event_from_the_next_life() {
    let mut bench = Bench::new();
    let call = bench.live();
    bench.engine.leg_answered(&call, BTreeMap::new());
    assert_eq!(bench.events().len(), 2);
    let (command, journal) = (call.command.clone(), bench.engine.identity.journal_id);
    drop(call);

    let mut bench = bench.crash();
    assert_eq!(bench.engine.identity.journal_id, journal);
    let events = bench.events();
    let seqs: Vec<_> = events.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, [1, 2, 3]);
    let EventBody::Hangup(hangup) = &events[2].body else {
        panic!("{:?}", events[2])
    };
    assert_eq!((hangup.by, hangup.answered), (EndedBy::Crash, true));
    assert_eq!(bench.refusal(&command), RefusalReason::Duplicate);
    assert_eq!(bench.fate(&query(&command)).unwrap(), AttemptFate::Ended);

    // What it has said is not said anew by the life after that, under another number.
    let mut bench = bench.crash();
    assert_eq!(bench.events().len(), 3);
    bench.engine.confirmed(command.attempt_id);
    bench.until(|| bench.engine.outbox.journal().status().held == 0);
    let mut bench = bench.crash();
    assert!(bench.events().is_empty());
    assert_eq!(bench.refusal(&command), RefusalReason::Duplicate);
}

#[test]
fn what_was_refused_or_fenced_is_so_in_the_next_life_too() {
    let bench = Bench::with(|config| config.max_calls = 1);
    let (refused, asked) = (bench.command(), bench.command());
    bench.live();
    assert_eq!(bench.refusal(&refused), RefusalReason::Busy);
    assert_eq!(
        bench.fate(&query(&asked)).unwrap(),
        AttemptFate::NeverDialled
    );
    let bench = bench.crash();
    for command in [&refused, &asked] {
        assert_eq!(bench.refusal(command), RefusalReason::Duplicate);
        assert_eq!(
            bench.fate(&query(command)).unwrap(),
            AttemptFate::NeverDialled
        );
    }
    let stale = DialCommand {
        epoch: 4,
        ..bench.command()
    };
    assert_eq!(bench.refusal(&stale), RefusalReason::StaleEpoch);
}

#[test]
fn two_modules_never_share_a_journal() {
    let bench = Bench::new();
    let error = Engine::start(bench.engine.config(), bench.host.clone(), runtime())
        .err()
        .expect("it is locked")
        .to_string();
    assert!(
        error.contains("journal-dir") && error.contains("another module"),
        "{error}"
    );
}
