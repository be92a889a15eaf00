//! What is wrong with the ways through a flow: nodes that are not there or never come to, loops that
//! someone who presses nothing can't leave, menus without a way back, what can't be undone and nobody has
//! confirmed, and nobody to speak to.

use super::graph::Graph;
use super::notes::Notes;
use crate::flow::document::{Exit, Step, Target};
use crate::strict_json::shown;
use std::collections::{BTreeMap, BTreeSet};

/// `lead_on` says whether each node has the ways out that it needs.
pub(super) fn check(graph: &Graph<'_>, lead_on: bool, notes: &mut Notes<'_>) {
    let before = notes.len();
    for (place, exits) in graph.exits.iter().enumerate() {
        for exit in exits {
            check_exit(graph, place, exit, notes);
        }
    }
    let all_lead_somewhere = lead_on && notes.len() == before;
    if let Some(start) = graph.start {
        let reached = graph.reached(start, |place| graph.ways(place));
        if all_lead_somewhere {
            // Otherwise a way left out or a name misspelt once would also be said of each node behind it.
            check_reached(graph, &reached, notes);
        }
        check_silent_loops(graph, &reached, notes);
        check_agent(graph, &reached, notes);
    }
    check_ways_back(graph, notes);
    check_irreversible(graph, notes);
}

fn check_reached(graph: &Graph<'_>, reached: &[bool], notes: &mut Notes<'_>) {
    for place in (0..reached.len()).filter(|place| !reached[*place]) {
        let name = shown(graph.names[place]);
        let message =
            format!("no way from the start leads to node \"{name}\": lead to it or remove it");
        notes.error(graph.path(place), message);
    }
}

fn check_exit(graph: &Graph<'_>, place: usize, exit: &Exit<'_>, notes: &mut Notes<'_>) {
    match exit.target {
        Target::Node(to) if graph.place(exit.target).is_none() => {
            let message = format!("there is no node \"{}\"", shown(to));
            notes.error(graph.exit_path(place, exit), message);
        }
        Target::Back if Some(place) == graph.start => {
            let message = "the start has nowhere to go back to: name a node or '@hangup'";
            notes.error(graph.exit_path(place, exit), message);
        }
        _ => {}
    }
}

/// Someone who presses nothing may be led any of a node's silent ways, for all that can be known. So they
/// can go round for ever in two cases only: such ways form a ring, or one leads to a node that can go back
/// silently, which returns at once. (Going back and back again ends at the start, which must not.)
fn check_silent_loops(graph: &Graph<'_>, reached: &[bool], notes: &mut Notes<'_>) {
    let mut state = vec![Visit::Not; reached.len()];
    let mut reported = BTreeSet::new();
    for first in (0..reached.len()).filter(|place| reached[*place]) {
        // A walk in depth, with the ways of each place on it that are still to be gone.
        let mut walk: Vec<(usize, Vec<usize>)> = Vec::new();
        let mut enter = Some(first);
        loop {
            if let Some(place) = enter.take() {
                match state[place] {
                    Visit::Done => {}
                    Visit::OnWalk => {
                        let ring = walk.iter().position(|(before, _)| *before == place);
                        let ring: Vec<usize> = walk[ring.unwrap_or(0)..]
                            .iter()
                            .map(|(place, _)| *place)
                            .collect();
                        if reported.insert(place) {
                            report_silent_loop(graph, &ring, notes);
                        }
                    }
                    Visit::Not => {
                        state[place] = Visit::OnWalk;
                        let mut ways: Vec<usize> = graph.silent_ways(place).collect();
                        ways.reverse();
                        walk.push((place, ways));
                    }
                }
            }
            match walk.last_mut() {
                None => break,
                Some((place, ways)) => match ways.pop() {
                    Some(to) => enter = Some(to),
                    None => {
                        state[*place] = Visit::Done;
                        walk.pop();
                    }
                },
            }
        }
        let back_and_forth = graph
            .silent_ways(first)
            .find(|to| graph.goes_back_silently(*to));
        if let Some(to) = back_and_forth {
            report_silent_loop(graph, &[first, to], notes);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Visit {
    Not,
    OnWalk,
    Done,
}

fn report_silent_loop(graph: &Graph<'_>, ring: &[usize], notes: &mut Notes<'_>) {
    let Some(&first) = ring.first() else { return };
    let second = ring.get(1).copied().unwrap_or(first);
    let names: Vec<String> = ring
        .iter()
        .take(8)
        .map(|place| shown(graph.names[*place]))
        .collect();
    let more = if ring.len() > 8 { " → …" } else { "" };
    let message = format!(
        "someone who presses nothing goes round for ever: {}{more} → {}; let one of them lead out",
        names.join(" → "),
        shown(graph.names[first])
    );
    notes.error(graph.silent_path(first, second), message);
}

/// What comes of following a way until the next question.
#[derive(Default)]
struct Next {
    /// The nodes that ask.
    asks: BTreeSet<usize>,
    /// Whether the call may end, go back, or go elsewhere before one does.
    leads_out: bool,
}

fn next_questions(graph: &Graph<'_>, from: usize) -> Next {
    let mut next = Next::default();
    let mut seen = BTreeSet::new();
    let mut to_visit = vec![from];
    while let Some(place) = to_visit.pop() {
        let node = graph.nodes[place];
        if !seen.insert(place) {
            continue;
        }
        if node.step.asks() {
            next.asks.insert(place);
            continue;
        }
        next.leads_out |= matches!(
            node.step,
            Step::Hangup(_) | Step::Goto(_) | Step::Transfer(_)
        ) || graph.exits[place]
            .iter()
            .any(|exit| graph.place(exit.target).is_none());
        to_visit.extend(graph.ways(place));
    }
    next
}

/// A menu that another menu leads to needs a choice that leads back there, `@back` or the end.
fn check_ways_back(graph: &Graph<'_>, notes: &mut Notes<'_>) {
    let mut known: BTreeMap<usize, Next> = BTreeMap::new();
    let mut parents: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    let is_menu = |place: usize| matches!(graph.nodes[place].step, Step::Menu(_));
    for place in (0..graph.nodes.len()).filter(|place| is_menu(*place)) {
        for to in choices(graph, place).filter_map(|target| graph.place(target)) {
            let next = known.entry(to).or_insert_with(|| next_questions(graph, to));
            for &asks in next
                .asks
                .iter()
                .filter(|asks| is_menu(**asks) && **asks != place)
            {
                parents.entry(asks).or_default().insert(place);
            }
        }
    }
    for (place, parents) in parents {
        let leads_out = choices(graph, place).any(|target| {
            let next = graph.place(target).and_then(|to| known.get(&to));
            next.is_none_or(|next| next.leads_out || !next.asks.is_disjoint(&parents))
        });
        if !leads_out {
            let message = format!(
                "no choice of menu \"{}\" leads back to the menu before it or out",
                shown(graph.names[place])
            );
            notes.warning(format!("{}.menu.choices", graph.path(place)), message);
        }
    }
}

/// Where the choices of a menu lead.
fn choices<'f>(graph: &Graph<'f>, place: usize) -> impl Iterator<Item = &'f Target> {
    let menu = match &graph.nodes[place].step {
        Step::Menu(menu) => Some(menu),
        _ => None,
    };
    menu.into_iter().flat_map(|menu| menu.choices.values())
}

/// Whoever is asked something may want to speak to somebody.
fn check_agent(graph: &Graph<'_>, reached: &[bool], notes: &mut Notes<'_>) {
    let any = |is_one: fn(&Step) -> bool| {
        (0..reached.len()).any(|place| reached[place] && is_one(&graph.nodes[place].step))
    };
    let leads_to_somebody = any(|step| matches!(step, Step::Transfer(_) | Step::Goto(_)));
    if any(Step::asks) && !leads_to_somebody && graph.flow.no_agent.is_none() {
        let message =
            "nothing leads to a person: give a 'transfer', or say in 'no_agent' why there is none";
        notes.warning("no_agent", message);
    }
}

/// Silence is no yes, and what can't be undone takes one.
fn check_irreversible(graph: &Graph<'_>, notes: &mut Notes<'_>) {
    for (place, node) in graph.nodes.iter().enumerate() {
        if let Step::Confirm(_) = &node.step {
            for exit in graph.exits[place].iter().filter(|exit| exit.silent) {
                if Some(exit.target) == node.yes_next.as_ref() {
                    let message = "someone who presses nothing has not said yes: lead elsewhere";
                    let path = graph.exit_path(place, exit);
                    match node.irreversible {
                        true => notes.error(path, message),
                        false => notes.warning(path, message),
                    }
                }
            }
        } else if node.irreversible {
            check_is_confirmed(graph, place, notes);
        }
    }
}

fn check_is_confirmed(graph: &Graph<'_>, place: usize, notes: &mut Notes<'_>) {
    let name = shown(graph.names[place]);
    if Some(place) == graph.start {
        let message = format!("what \"{name}\" does can't be undone: ask before, with a confirm");
        notes.error(format!("{}.irreversible", graph.path(place)), message);
    }
    for (from, exits) in graph.exits.iter().enumerate() {
        for exit in exits
            .iter()
            .filter(|exit| graph.place(exit.target) == Some(place))
        {
            if exit.path != "yes_next" {
                let message = format!(
                    "what \"{name}\" does can't be undone: only the yes of a confirm may lead there"
                );
                notes.error(graph.exit_path(from, exit), message);
            }
        }
    }
    for to in graph.ways(place) {
        for exit in graph.exits[to]
            .iter()
            .filter(|exit| *exit.target == Target::Back)
        {
            let message =
                format!("this may lead back to \"{name}\", and what it does can't be undone");
            notes.error(graph.exit_path(to, exit), message);
        }
    }
}
