//! Flows and callers by chance.

use crate::flow::check;
use crate::flow::document::{Collect, Flow, HangupStep, Menu, Node, Prompt, Step, Target};
use crate::flow::scripted_leg::ScriptedLeg;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

/// The most nodes of a flow made here. Few, so that rings and ways back come up often.
pub const NODES: usize = 5;

/// The name of the node at that place.
fn name(place: usize) -> String {
    format!("n{place}")
}

/// Any target of a flow of `NODES` nodes.
fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        6 => (0..NODES).prop_map(|place| Target::Node(name(place))),
        2 => Just(Target::Back),
        3 => Just(Target::Hangup),
    ]
}

fn prompts() -> impl Strategy<Value = Vec<Prompt>> {
    vec((1..3_000_u32).prop_map(Prompt::Silence), 1..3)
}

fn menu() -> impl Strategy<Value = Step> {
    let choices = btree_map("[0-9*#]", target(), 1..4);
    let texts = (
        prompts(),
        vec(Just(Prompt::Silence(300)), 0..2),
        vec(Just(Prompt::Silence(200)), 0..2),
    );
    (texts, choices, 500..4_000_u32, 0..3_u32, target()).prop_map(
        |((prompt, no_input, invalid), choices, timeout_ms, retries, exhausted)| {
            let var = None;
            Step::Menu(Menu {
                prompt,
                choices,
                timeout_ms,
                retries,
                no_input,
                invalid,
                exhausted,
                var,
            })
        },
    )
}

fn collect() -> impl Strategy<Value = Step> {
    let digits = (1..4_u32, 0..3_u32);
    let pattern = option::of(prop_oneof![
        Just("^[1-5]+$".to_owned()),
        Just("^[0-9*]{2}$".to_owned())
    ]);
    let times = (500..4_000_u32, 500..2_000_u32);
    (
        prompts(),
        digits,
        "#?\\*?",
        times,
        pattern,
        0..3_u32,
        target(),
    )
        .prop_map(
            |(
                prompt,
                (min_digits, more),
                terminators,
                (timeout_ms, inter_digit_ms),
                pattern,
                retries,
                exhausted,
            )| {
                Step::Collect(Collect {
                    prompt,
                    var: "digits".to_owned(),
                    min_digits,
                    max_digits: min_digits + more,
                    terminators,
                    timeout_ms,
                    inter_digit_ms,
                    pattern,
                    retries,
                    no_input: vec![],
                    invalid: vec![Prompt::Silence(100)],
                    exhausted,
                })
            },
        )
}

fn node() -> impl Strategy<Value = Node> {
    let with_next = |step| {
        (step, target()).prop_map(|(step, next)| Node {
            step,
            next: Some(next),
        })
    };
    prop_oneof![
        3 => with_next(prompts().prop_map(Step::Play).boxed()),
        3 => menu().prop_map(|step| Node { step, next: None }),
        3 => with_next(collect().boxed()),
        1 => Just(Node { step: Step::Hangup(HangupStep {}), next: None }),
    ]
}

/// Any flow, most of them with something wrong in where they lead.
pub fn flow() -> impl Strategy<Value = Flow> {
    vec(node(), NODES).prop_map(|nodes| Flow {
        version: 1,
        name: "any".to_owned(),
        start: name(0),
        nodes: nodes
            .into_iter()
            .enumerate()
            .map(|(place, node)| (name(place), node))
            .collect(),
    })
}

/// Any flow whose `next` and `exhausted` only lead to later nodes or the end, and whose start never
/// goes back: nothing is wrong with it but nodes that nothing leads to, and those are taken out.
pub fn sound_flow() -> impl Strategy<Value = Flow> {
    flow().prop_map(|mut flow| {
        for place in 0..NODES {
            let later = |target: &mut Target| {
                let leads_on = (place + 1..NODES).any(|later| *target == Target::Node(name(later)));
                if !leads_on {
                    *target = if place + 1 < NODES {
                        Target::Node(name(place + 1))
                    } else {
                        Target::Hangup
                    };
                }
            };
            let Some(node) = flow.nodes.get_mut(&name(place)) else {
                continue;
            };
            node.next.iter_mut().for_each(later);
            match &mut node.step {
                Step::Menu(menu) => {
                    later(&mut menu.exhausted);
                    if place == 0 {
                        menu.choices
                            .values_mut()
                            .filter(|to| **to == Target::Back)
                            .for_each(later);
                    }
                }
                Step::Collect(collect) => later(&mut collect.exhausted),
                Step::Play(_) | Step::Hangup(_) => {}
            }
        }
        let lost: Vec<String> = check(&flow)
            .into_iter()
            .filter(|finding| finding.message.starts_with("no way from the start"))
            .map(|finding| finding.path.trim_start_matches("nodes.").to_owned())
            .collect();
        flow.nodes.retain(|name, _| !lost.contains(name));
        flow
    })
}

/// Keys at any times of the first minute, in order, and perhaps a hangup.
pub fn leg() -> impl Strategy<Value = ScriptedLeg> {
    let key = prop::sample::select("0123456789*#A".chars().collect::<Vec<_>>());
    let keys = vec((0..60_000_u64, key), 0..40);
    (keys, option::weighted(0.3, 0..90_000_u64)).prop_map(|(mut keys, hangup_ms)| {
        keys.sort_unstable();
        ScriptedLeg {
            hangup_ms,
            ..ScriptedLeg::pressing(&keys)
        }
    })
}
