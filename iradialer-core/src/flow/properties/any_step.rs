//! Steps by chance, beyond those that play and ask for keys.

use super::any_flow::{NAME, prompts, target};
use crate::flow::document::{
    Branch, Case, Confirm, Dnc, DncScope, Goto, HangupCause, HangupStep, Node, Record, RequestStep,
    Say, SayKind, SayWith, Step, Target, TransferStep, Url, Wait,
};
use crate::flow::template::{Name, Template};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A value, literal or not, of which most can't be said.
fn template() -> impl Strategy<Value = Template> {
    let text = prop::sample::select(vec![
        "",
        "7",
        "12.5",
        "1971-05-02",
        "{{vars.digits}}",
        "{{ call.to_number }}",
        "a {{metadata.x}} b",
    ]);
    text.prop_map(|text| Template::parse(text).unwrap())
}

pub fn confirm() -> impl Strategy<Value = Node> {
    let keys = (
        prop::sample::select(vec!["1", "*"]),
        option::of(Just("2#".to_owned())),
    );
    let exits = (option::of(target()), target(), target());
    (prompts(), keys, 500..4_000_u32, 0..3_u32, exits).prop_map(
        |(prompt, (yes, no), timeout_ms, retries, (exhausted, yes_next, no_next))| Node {
            yes_next: Some(yes_next),
            no_next: Some(no_next),
            ..Node::of(Step::Confirm(Confirm {
                prompt,
                yes: yes.to_owned(),
                no,
                timeout_ms,
                retries,
                no_input: vec![],
                invalid: vec![],
                exhausted,
                var: None,
            }))
        },
    )
}

fn case() -> impl Strategy<Value = Case> {
    let empty = Case {
        var: None,
        equals: None,
        one_of: None,
        matches: None,
        min: None,
        max: None,
        hours: None,
        days: None,
        timezone: None,
        cpa: None,
        next: Target::Hangup,
    };
    let digits = Some(Name::Var("digits".to_owned()));
    let cases = vec![
        Case {
            var: digits.clone(),
            equals: Some("1".to_owned()),
            ..empty.clone()
        },
        Case {
            var: digits.clone(),
            one_of: Some(vec!["2".to_owned()]),
            ..empty.clone()
        },
        Case {
            var: digits.clone(),
            matches: Some("^[0-4]".to_owned()),
            ..empty.clone()
        },
        Case {
            var: digits,
            min: Some(10.0),
            max: Some(500.0),
            ..empty.clone()
        },
        Case {
            hours: Some("22:00-06:30".to_owned().try_into().unwrap()),
            days: Some("mon-fri".to_owned().try_into().unwrap()),
            timezone: Some("Europe/Berlin".to_owned()),
            ..empty.clone()
        },
        Case {
            cpa: Some(vec!["AM".to_owned()]),
            ..empty
        },
    ];
    (prop::sample::select(cases), target()).prop_map(|(case, next)| Case { next, ..case })
}

fn say() -> impl Strategy<Value = Say> {
    let kinds = vec![
        SayKind::Number,
        SayKind::Digits,
        SayKind::Date,
        SayKind::Time,
        SayKind::Money,
    ];
    let with = prop::sample::select(vec![SayWith::Files, SayWith::Tts]);
    let language = option::of(prop::sample::select(vec!["en".to_owned(), "de".to_owned()]));
    // What is literal may be wrong, which is an error of its own.
    let value = prop::sample::select(vec!["{{vars.digits}}", "{{metadata.day}}"]);
    (prop::sample::select(kinds), value, language, with).prop_map(
        |(kind, value, language, with)| Say {
            kind,
            value: Template::parse(value).unwrap(),
            language,
            currency: None,
            with,
        },
    )
}

fn record() -> impl Strategy<Value = Record> {
    (
        vec(Just(crate::flow::Prompt::Silence(50)), 0..2),
        any::<bool>(),
    )
        .prop_map(|(prompt, beep)| Record {
            prompt,
            var: "recording".to_owned(),
            max_ms: 4_000,
            silence_ms: 1_000,
            terminators: "#".to_owned(),
            beep,
        })
}

fn request() -> impl Strategy<Value = RequestStep> {
    (vec(target(), 0..3), template(), 100..5_000_u32).prop_map(|(leads_to, value, timeout_ms)| {
        RequestStep {
            url: Url::parse("https://example.com/{{vars.digits}}?q={{call.to_number}}").unwrap(),
            send: BTreeMap::from([("value".to_owned(), value)]),
            sets: vec!["answer".to_owned()],
            leads_to,
            timeout_ms,
        }
    })
}

fn transfer() -> impl Strategy<Value = TransferStep> {
    let destination = prop::sample::select(vec!["+14155550100", "{{vars.digits}}"]);
    (destination, any::<bool>()).prop_map(|(destination, deflect)| TransferStep {
        destination: Template::parse(destination).unwrap(),
        timeout_s: 20,
        whisper: vec![],
        deflect,
    })
}

/// Any node but those that play and ask for keys.
pub fn other() -> impl Strategy<Value = Node> {
    let with_next = |step: BoxedStrategy<Step>| {
        (step, target()).prop_map(|(step, next)| Node::leading(step, next))
    };
    let may_fail = |step: BoxedStrategy<Step>| {
        (step, target(), option::of(target())).prop_map(|(step, next, failed)| Node {
            failed,
            ..Node::leading(step, next)
        })
    };
    let set =
        ("[a-c]", template()).prop_map(|(name, value)| Step::Set(BTreeMap::from([(name, value)])));
    let branch = (vec(case(), 1..3), target())
        .prop_map(|(cases, default)| Node::of(Step::Branch(Branch { cases, default })));
    let scope = prop::sample::select(vec![DncScope::Tenant, DncScope::Campaign]);
    let wait = (1..4_000_u32, any::<bool>())
        .prop_map(|(ms, until_key)| Step::Wait(Wait { ms, until_key }));
    let cause = prop::sample::select(vec![HangupCause::Normal, HangupCause::Busy]);
    let request = (request(), target(), target()).prop_map(|(step, next, error)| Node {
        error: Some(error),
        ..Node::leading(Step::Request(step), next)
    });
    let transfer = (
        transfer(),
        [
            option::of(target()),
            option::of(target()),
            option::of(target()),
        ],
        target(),
    )
        .prop_map(|(step, [next, busy, no_answer], failed)| Node {
            next,
            busy,
            no_answer,
            failed: Some(failed),
            ..Node::of(Step::Transfer(step))
        });
    prop_oneof![
        2 => branch,
        1 => with_next(set.boxed()),
        1 => may_fail(say().prop_map(Step::Say).boxed()),
        1 => may_fail(record().prop_map(Step::Record).boxed()),
        1 => request,
        1 => transfer,
        1 => with_next(scope.prop_map(|scope| Step::Dnc(Dnc { scope })).boxed()),
        1 => with_next(wait.boxed()),
        1 => cause.prop_map(|cause| Node::of(Step::Hangup(HangupStep { cause }))),
        1 => Just(Node::of(Step::Goto(Goto { flow: NAME.to_owned() }))),
    ]
}

/// Every target of a node, and whether someone who presses nothing can be led there.
pub fn targets(node: &mut Node) -> Vec<(&mut Target, bool)> {
    let asks = node.step.asks();
    let mut targets: Vec<(&mut Target, bool)> = Vec::new();
    let mut no_is_silent = false;
    match &mut node.step {
        Step::Menu(menu) => {
            targets.extend(menu.choices.values_mut().map(|target| (target, false)));
            targets.push((&mut menu.exhausted, true));
        }
        Step::Collect(collect) => targets.push((&mut collect.exhausted, true)),
        Step::Confirm(confirm) => {
            no_is_silent = confirm.exhausted.is_none();
            targets.extend(confirm.exhausted.iter_mut().map(|target| (target, true)));
        }
        Step::Branch(branch) => {
            targets.extend(branch.cases.iter_mut().map(|case| (&mut case.next, true)));
            targets.push((&mut branch.default, true));
        }
        Step::Request(request) => {
            targets.extend(request.leads_to.iter_mut().map(|target| (target, true)));
        }
        _ => {}
    }
    targets.extend(node.yes_next.iter_mut().map(|target| (target, false)));
    targets.extend(node.no_next.iter_mut().map(|target| (target, no_is_silent)));
    targets.extend(node.next.iter_mut().map(|target| (target, !asks)));
    for exit in [
        &mut node.failed,
        &mut node.busy,
        &mut node.no_answer,
        &mut node.error,
    ] {
        targets.extend(exit.iter_mut().map(|target| (target, true)));
    }
    targets
}
