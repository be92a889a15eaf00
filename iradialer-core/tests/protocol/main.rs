//! The steps of a call as a state machine, against a bus and processes at their worst.
//!
//! A run is one schedule: a few calls through two routers, two switches, a collector and the TDB, in
//! virtual time, by clocks that run differently. At each step a process may be killed, stand still, be cut
//! off from the bus or be unloaded, and a router's wall clock may be set; each message may be lost, late, or come twice; the event stream may forget that a message
//! was acknowledged, or everything. What is pure in the product runs here as it is: the ledger, the
//! call states, the wire types, the subjects. What is bound to the bus and to SQL is mirrored step by
//! step, and says what it mirrors.
//!
//! The checks are checked too: each protection is switched off in turn, and some schedule must show it.
//!
//! `PROTOCOL_SCHEDULES` and `PROTOCOL_SEED` ask for more schedules, or for others.

mod bus;
mod checks;
mod collector;
mod router;
mod schedule;
mod switch;
mod tdb;
mod web;
mod world;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use schedule::{Schedule, Schedules};
use std::time::Instant;
use world::{Protection, World};

const SCHEDULES: u32 = 10_000;
/// Within so many schedules a protection that is missing is missed.
const SCHEDULES_TO_BITE: u32 = 50_000;

fn number(variable: &str, or: u64) -> u64 {
    let text = std::env::var(variable).ok();
    text.map_or(or, |text| text.parse().expect("a number"))
}

/// Tries schedules until one shows a violation, and shrinks that one.
fn attack(off: Option<Protection>, schedules: u32, seed: u64) -> Result<(), (Schedule, String)> {
    let config = Config {
        cases: schedules,
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let outcome = TestRunner::new_with_rng(config, rng).run(&Schedules, |schedule| {
        let mut world = World::new(schedule, off, false);
        world.run();
        match world.checks.violation {
            None => Ok(()),
            Some(violation) => Err(TestCaseError::fail(violation)),
        }
    });
    match outcome {
        Ok(()) => Ok(()),
        Err(TestError::Fail(violation, schedule)) => Err((schedule, violation.to_string())),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}

/// What happened, line by line.
fn story(schedule: &Schedule, off: Option<Protection>) -> String {
    let mut world = World::new(schedule.clone(), off, true);
    world.run();
    let trace = world.trace.unwrap_or_default().join("\n");
    let violation = world.checks.violation.unwrap_or_default();
    format!("{schedule:?}\n{trace}\n=> {violation}")
}

#[test]
fn no_schedule_loses_a_call_or_dials_one_twice() {
    let schedules = number("PROTOCOL_SCHEDULES", u64::from(SCHEDULES)) as u32;
    let seed = number("PROTOCOL_SEED", 1);
    let began = Instant::now();
    if let Err((schedule, violation)) = attack(None, schedules, seed) {
        panic!("{violation}\n{}", story(&schedule, None));
    }
    let took = began.elapsed().as_secs_f64();
    let rate = f64::from(schedules) / took;
    println!("{schedules} schedules in {took:.1} s, {rate:.0}/s");
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..20 {
        let schedule = Schedule::of(seed);
        assert_eq!(story(&schedule, None), story(&schedule, None));
    }
}

/// Without the protection some schedule shows a violation.
fn bites(protection: Protection) {
    match attack(Some(protection), SCHEDULES_TO_BITE, 1) {
        Ok(()) => panic!("nobody misses {protection:?} in {SCHEDULES_TO_BITE} schedules"),
        Err((schedule, violation)) => {
            println!("without {protection:?}: {violation}");
            let faults = schedule.faults.len();
            println!("({faults} faults)\n{}", story(&schedule, Some(protection)));
        }
    }
}

macro_rules! missed {
    ($($name:ident: $protection:ident,)*) => {
        mod without {
            $(#[test]
            fn $name() {
                super::bites(super::Protection::$protection);
            })*
        }
    };
}

missed! {
    a_fence_before_never_dialled: Fence,
    the_switchs_word_before_a_requeue: OnlyTheSwitchTakesBack,
    care_for_a_copy_of_what_nobody_took: NobodyIsNoAnswer,
    care_with_a_refusal_as_duplicate: DuplicateIsNoAnswer,
    durability_before_publishing: DurableBeforePublish,
    a_sync_before_the_reply: SyncBeforeReply,
    the_report_of_a_crash: CrashReported,
    an_attempt_id_of_its_own: FreshAttemptId,
    the_incarnation_in_the_subject: IncarnationInSubject,
    the_ledger: Ledger,
    the_epoch_at_the_switch: EpochAtSwitch,
    not_after_at_admission: NotAfter,
    not_after_before_the_invite: NotAfterAgain,
    compare_and_set: AssignmentCompares,
    the_assignment_before_the_command: AssignmentFirst,
    the_finality_of_final_states: FinalStays,
    failover_before_ringing_only: FailoverBeforeRinging,
    the_difference_of_unload_and_refusal: UnloadIsNoRefusal,
    a_count_before_the_confirmation: ConfirmCountsAll,
    publishing_again: PublishAgain,
    the_idempotency_key: IdempotencyKey,
    taking_back_what_was_live: TakeBackWhatWasLive,
    the_deafness_of_a_router_that_stood_still: MindDeafness,
    patience_with_what_has_ended: EndedIsWaitedFor,
    patience_with_a_collector: AllIsCollectedFirst,
    memory_while_a_command_can_come: RememberWhileItCanCome,
    a_look_at_the_lease_for_its_length: LeaseIsWatched,
    a_look_at_the_lease_when_it_is_taken: LeaseCompares,
}
