//! What the checker says of silent callers, found out the long way.

use super::any_flow::NODES;
use super::any_step;
use crate::flow::document::{Flow, Step, Target};
use std::collections::BTreeSet;

/// A node, and the way back from there.
type Place = (String, Vec<String>);

/// Whether someone who stops pressing keys, wherever they are, may be held for ever: tried out on
/// every place of the flow and every way there of up to `NODES` steps.
pub fn silence_can_be_held_for_ever(flow: &Flow) -> bool {
    let mut seen: BTreeSet<Place> = BTreeSet::new();
    let mut to_visit = vec![(flow.start.clone(), vec![])];
    while let Some(place) = to_visit.pop() {
        if place.1.len() > NODES || !seen.insert(place.clone()) {
            continue;
        }
        // Whoever can't go round goes back at most all of the way, and then on through each node once.
        if goes_on(flow, &place, place.1.len() + 2 * NODES) {
            return true;
        }
        to_visit.extend(ways(flow, &place, false));
    }
    false
}

/// Whether silence can last for so many steps more.
fn goes_on(flow: &Flow, place: &Place, steps: usize) -> bool {
    steps == 0
        || ways(flow, place, true)
            .iter()
            .any(|next| goes_on(flow, next, steps - 1))
}

/// Where one can come from there, or where someone can who presses nothing.
fn ways(flow: &Flow, (at, trail): &Place, silent_only: bool) -> Vec<Place> {
    let mut node = flow.nodes[at].clone();
    if let Step::Goto(_) = node.step {
        return vec![(flow.start.clone(), vec![])];
    }
    let targets = any_step::targets(&mut node);
    let targets = targets
        .into_iter()
        .filter(|(_, silent)| *silent || !silent_only);
    let places = targets.filter_map(|(target, _)| {
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
    });
    places.collect()
}
