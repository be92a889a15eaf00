//! Flows and callers by chance.

use super::any_step;
use crate::flow::check;
use crate::flow::document::{Collect, Flow, Menu, Node, Prompt, Step, Target};
use crate::flow::leg::{Answer, Recorded, RecordingEnd, Transferred};
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

/// The name of the flows made here.
pub const NAME: &str = "any";

/// Any target of a flow of `NODES` nodes.
pub fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        6 => (0..NODES).prop_map(|place| Target::Node(name(place))),
        2 => Just(Target::Back),
        3 => Just(Target::Hangup),
    ]
}

pub fn prompts() -> impl Strategy<Value = Vec<Prompt>> {
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
    let with_next = |step| (step, target()).prop_map(|(step, next)| Node::leading(step, next));
    let barge_in = prop_oneof![8 => Just(None), 1 => Just(Some(false)), 1 => Just(Some(true))];
    let asking_or_playing = prop_oneof![
        3 => with_next(prompts().prop_map(Step::Play).boxed()),
        3 => menu().prop_map(Node::of),
        3 => with_next(collect().boxed()),
        2 => any_step::confirm(),
    ];
    prop_oneof![
        3 => (asking_or_playing, barge_in).prop_map(|(node, barge_in)| Node { barge_in, ..node }),
        2 => any_step::other(),
    ]
}

/// Any flow, most of them with something wrong in where they lead.
pub fn flow() -> impl Strategy<Value = Flow> {
    vec(node(), NODES).prop_map(|nodes| Flow {
        version: 1,
        name: NAME.to_owned(),
        start: name(0),
        language: "en".to_owned(),
        vars: None,
        no_agent: None,
        record_call: None,
        nodes: nodes
            .into_iter()
            .enumerate()
            .map(|(place, node)| (name(place), node))
            .collect(),
    })
}

/// Any flow in which someone who presses nothing is only led to later nodes or the end, and whose start
/// never goes back: nothing is wrong with it but nodes that nothing leads to, and those are taken out.
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
            if let Step::Goto(_) = node.step {
                *node = Node::of(Step::Hangup(Default::default()));
            }
            for (target, silent) in any_step::targets(node) {
                if silent || (place == 0 && *target == Target::Back) {
                    later(target);
                }
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

/// What becomes of records, requests and transfers.
type Outcomes = (
    Vec<(u64, Recorded)>,
    Vec<(u64, Answer)>,
    Vec<(u64, Transferred)>,
);

fn outcomes() -> impl Strategy<Value = Outcomes> {
    let recorded = prop_oneof![
        Just(Recorded::Failed("full".to_owned())),
        Just(Recorded::Kept {
            name: "r".to_owned(),
            ms: 1,
            ended_by: RecordingEnd::Silence
        }),
    ];
    let body = prop_oneof![
        Just(b"{\"vars\":{\"answer\":7,\"other\":1}}".to_vec()),
        Just(b"{\"next\":\"n1\"}".to_vec()),
        Just(b"".to_vec()),
        vec(any::<u8>(), 0..20),
    ];
    let answer = prop_oneof![
        Just(Answer::Failed("late".to_owned())),
        (prop_oneof![3 => Just(200_u16), 1 => any::<u16>()], body)
            .prop_map(|(status, body)| Answer::Replied { status, body }),
    ];
    let transferred = prop_oneof![
        Just(Transferred::Done { ms: 1 }),
        Just(Transferred::Busy),
        Just(Transferred::NoAnswer),
        Just(Transferred::Failed("none".to_owned())),
    ];
    (
        vec((0..9_000_u64, recorded), 0..6),
        vec((0..9_000_u64, answer), 0..6),
        vec((0..9_000_u64, transferred), 0..6),
    )
}

/// Keys at any times of the first minute, in order, perhaps a hangup, and whatever comes from outside.
pub fn leg() -> impl Strategy<Value = ScriptedLeg> {
    let key = prop::sample::select("0123456789*#A".chars().collect::<Vec<_>>());
    let keys = vec((0..60_000_u64, key), 0..40);
    let cpa = option::of(prop::sample::select(vec!["LV".to_owned(), "AM".to_owned()]));
    let facts = (0..4_000_000_000_000_u64, cpa);
    (
        keys,
        option::weighted(0.3, 0..90_000_u64),
        outcomes(),
        facts,
    )
        .prop_map(
            |(mut keys, hangup_ms, (recordings, answers, transfers), (answered_at_ms, cpa))| {
                keys.sort_unstable();
                ScriptedLeg {
                    hangup_ms,
                    answered_at_ms,
                    cpa,
                    recordings: recordings.into(),
                    answers: answers.into(),
                    transfers: transfers.into(),
                    ..ScriptedLeg::pressing(&keys)
                }
            },
        )
}
