//! What the checker says of silent callers, found out the long way.

use super::any_flow::NODES;
use crate::flow::document::{Flow, Step, Target};
use std::collections::BTreeSet;

/// Whether someone who stops pressing keys, wherever they are, may be held for ever: tried out on
/// every place of the flow and every way there of up to `NODES` steps.
pub fn silence_can_be_held_for_ever(flow: &Flow) -> bool {
    type Place = (String, Vec<String>);
    let step = |(at, trail): &Place, target: &Target| -> Option<Place> {
        let mut trail = trail.clone();
        match target {
            Target::Hangup => None,
            Target::Back => trail.pop().map(|before| (before, trail)),
            Target::Node(to) => {
                if to != at {
                    trail.push(at.clone());
                }
                Some((to.clone(), trail))
            }
        }
    };
    let targets = |at: &str| -> Vec<Target> {
        let node = &flow.nodes[at];
        let next = node.next.iter().cloned();
        match &node.step {
            Step::Play(_) => next.collect(),
            Step::Menu(menu) => menu
                .choices
                .values()
                .chain([&menu.exhausted])
                .cloned()
                .collect(),
            Step::Collect(collect) => next.chain([collect.exhausted.clone()]).collect(),
            Step::Hangup(_) => vec![],
        }
    };
    let ends_in_silence = |place: &Place| {
        let mut place = place.clone();
        for _ in 0..=10 * NODES {
            let Some(target) = targets(&place.0).pop() else {
                return true;
            };
            match step(&place, &target) {
                Some(next) => place = next,
                None => return true,
            }
        }
        false
    };
    let mut seen: BTreeSet<Place> = BTreeSet::new();
    let mut to_visit = vec![(flow.start.clone(), vec![])];
    while let Some(place) = to_visit.pop() {
        if place.1.len() > NODES || !seen.insert(place.clone()) {
            continue;
        }
        if !ends_in_silence(&place) {
            return true;
        }
        to_visit.extend(
            targets(&place.0)
                .iter()
                .filter_map(|target| step(&place, target)),
        );
    }
    false
}
