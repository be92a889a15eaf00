//! What is wrong with where a flow's `goto`s lead.

use super::Finding;
use super::graph::Graph;
use super::notes::Notes;
use crate::flow::document::{Flow, Step};
use crate::flow::facts::Library;
use crate::strict_json::shown;
use std::collections::BTreeMap;

/// The most flows that are followed.
const MAX_FLOWS: usize = 100;

/// What is wrong with where the `goto`s of `flow` lead, given the other flows: one that is not there, and
/// loops through several flows that someone who presses nothing can't leave. `flow` itself, and the
/// others, have been through [`super::check()`].
pub fn check_gotos(flow: &Flow, library: &dyn Library) -> Vec<Finding> {
    let mut notes = Notes::default();
    for (name, node) in &flow.nodes {
        if let Step::Goto(goto) = &node.step
            && goto.flow != flow.name
            && library.flow(&goto.flow).is_none()
        {
            let message = format!("there is no flow \"{}\"", shown(&goto.flow));
            notes.error(format!("nodes.{}.goto.flow", shown(name)), message);
        }
    }
    // Each goto comes in at a start, so a loop is a ring of flows, each of which leads from its start to its
    // goto in silence.
    for (place, to) in silent_gotos(flow) {
        if to != flow.name
            && let Some(ring) = ring_back(flow, to, library)
        {
            let message = format!(
                "someone who presses nothing goes round for ever: {} → {}; let one of them lead out",
                ring.join(" → "),
                shown(&flow.name)
            );
            notes.error(format!("nodes.{}.goto", shown(&place)), message);
        }
    }
    notes.into_findings()
}

/// The nodes and flows of the gotos that someone comes to who presses nothing from the start on.
fn silent_gotos(flow: &Flow) -> Vec<(String, &str)> {
    let graph = Graph::of(flow);
    let Some(start) = graph.start else {
        return Vec::new();
    };
    let reached = graph.reached(start, |place| graph.silent_ways(place));
    let gotos = flow
        .nodes
        .iter()
        .zip(reached)
        .filter(|(_, reached)| *reached);
    let gotos = gotos.filter_map(|((name, node), _)| match &node.step {
        Step::Goto(goto) => Some((name.clone(), goto.flow.as_str())),
        _ => None,
    });
    gotos.collect()
}

/// The flows on the way from `first` back to `flow`, `flow` first, where there is a silent one.
fn ring_back(flow: &Flow, first: &str, library: &dyn Library) -> Option<Vec<String>> {
    let mut came_from: BTreeMap<String, String> = BTreeMap::new();
    came_from.insert(first.to_owned(), flow.name.clone());
    let mut to_visit = vec![first.to_owned()];
    while let Some(name) = to_visit.pop() {
        let Some(other) = library.flow(&name) else {
            continue;
        };
        for (_, to) in silent_gotos(other) {
            if to == flow.name {
                let mut ring = vec![name];
                while let Some(before) = ring.last().and_then(|last| came_from.get(last)) {
                    ring.push(before.clone());
                    if *before == flow.name {
                        break;
                    }
                }
                ring.reverse();
                return Some(ring);
            }
            if came_from.len() < MAX_FLOWS && !came_from.contains_key(to) {
                came_from.insert(to.to_owned(), name.clone());
                to_visit.push(to.to_owned());
            }
        }
    }
    None
}
