//! What is wrong with the ways through a flow: nodes that are not there or never come to, loops that
//! someone who presses nothing can't leave, menus without a way back.

use super::Finding;
use crate::flow::document::{Flow, Node, Step, Target};
use crate::strict_json::shown;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(flow: &Flow, findings: &mut Vec<Finding>) {
    let before = findings.len();
    for (name, node) in &flow.nodes {
        for exit in exits(name, node) {
            check_exit(flow, name, &exit, findings);
        }
    }
    let all_lead_somewhere = findings.len() == before && flow.nodes.contains_key(&flow.start);
    let reached = reached_from_start(flow);
    if all_lead_somewhere {
        // Otherwise a name misspelt once would also be said of each node behind it.
        check_reached(flow, &reached, findings);
    }
    check_silent_loops(flow, &reached, findings);
    check_ways_back(flow, findings);
}

fn check_reached(flow: &Flow, reached: &BTreeSet<&str>, findings: &mut Vec<Finding>) {
    for name in flow.nodes.keys() {
        if !reached.contains(name.as_str()) {
            let name = shown(name);
            let message =
                format!("no way from the start leads to node \"{name}\": lead to it or remove it");
            findings.push(Finding::error(format!("nodes.{name}"), message));
        }
    }
}

/// A way out of a node.
struct Exit<'a> {
    /// The path of the field that holds the target.
    path: String,
    target: &'a Target,
}

/// Every way out of a node.
fn exits<'a>(name: &str, node: &'a Node) -> Vec<Exit<'a>> {
    let base = format!("nodes.{}", shown(name));
    let exit = |path: String, target: &'a Target| Exit {
        path: format!("{base}.{path}"),
        target,
    };
    let next = node
        .next
        .iter()
        .map(|target| exit("next".to_owned(), target));
    match &node.step {
        Step::Menu(menu) => {
            let choices = menu.choices.iter();
            choices
                .map(|(key, target)| exit(format!("menu.choices.{}", shown(key)), target))
                .chain([exit("menu.exhausted".to_owned(), &menu.exhausted)])
                .collect()
        }
        Step::Collect(collect) => next
            .chain([exit("collect.exhausted".to_owned(), &collect.exhausted)])
            .collect(),
        Step::Play(_) => next.collect(),
        Step::Hangup(_) => Vec::new(),
    }
}

/// Where someone goes who presses nothing.
fn silent_exit<'a>(name: &str, node: &'a Node) -> Option<Exit<'a>> {
    // Of a play it is the only one; `exhausted` comes last.
    exits(name, node).pop()
}

fn check_exit(flow: &Flow, name: &str, exit: &Exit<'_>, findings: &mut Vec<Finding>) {
    match exit.target {
        Target::Node(to) if !flow.nodes.contains_key(to) => {
            let message = format!("there is no node \"{}\"", shown(to));
            findings.push(Finding::error(&exit.path, message));
        }
        Target::Back if name == flow.start => {
            let message = "the start has nowhere to go back to: name a node or '@hangup'";
            findings.push(Finding::error(&exit.path, message));
        }
        _ => {}
    }
}

/// The nodes that can be come to. `@back` only leads where one has been.
fn reached_from_start(flow: &Flow) -> BTreeSet<&str> {
    let mut reached = BTreeSet::new();
    let mut to_visit = vec![flow.start.as_str()];
    while let Some(name) = to_visit.pop() {
        let Some(node) = flow.nodes.get(name) else {
            continue;
        };
        if !reached.insert(name) {
            continue;
        }
        for exit in exits(name, node) {
            if let Target::Node(to) = exit.target {
                to_visit.push(to);
            }
        }
    }
    reached
}

/// Someone who presses nothing has one way out of each node, so they go round for ever in two cases
/// only: those ways form a ring, or one leads to a node whose own is `@back`, which returns at once.
/// (Going back and back again ends at the start, which must not have a `@back`.)
fn check_silent_loops(flow: &Flow, reached: &BTreeSet<&str>, findings: &mut Vec<Finding>) {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for &name in reached {
        let mut walk: Vec<&str> = Vec::new();
        let mut at = Some(name);
        while let Some(here) = at {
            if !seen.insert(here) {
                if let Some(place) = walk.iter().position(|&before| before == here) {
                    report_silent_loop(flow, &walk[place..], findings);
                }
                break;
            }
            walk.push(here);
            at = silent_way_on(flow, here);
        }
        if let Some(to) = silent_way_on(flow, name)
            && goes_back_silently(flow, to)
        {
            report_silent_loop(flow, &[name, to], findings);
        }
    }
}

/// The node that someone who presses nothing goes on to.
fn silent_way_on<'a>(flow: &'a Flow, name: &str) -> Option<&'a str> {
    let (name, node) = flow.nodes.get_key_value(name)?;
    match silent_exit(name, node)?.target {
        Target::Node(to) => flow.nodes.get_key_value(to).map(|(to, _)| to.as_str()),
        Target::Back | Target::Hangup => None,
    }
}

fn goes_back_silently(flow: &Flow, name: &str) -> bool {
    let exit = flow
        .nodes
        .get(name)
        .and_then(|node| silent_exit(name, node));
    exit.is_some_and(|exit| *exit.target == Target::Back)
}

fn report_silent_loop(flow: &Flow, ring: &[&str], findings: &mut Vec<Finding>) {
    let Some(&first) = ring.first() else { return };
    let exit = flow
        .nodes
        .get(first)
        .and_then(|node| silent_exit(first, node));
    let path = exit.map_or_else(|| format!("nodes.{}", shown(first)), |exit| exit.path);
    let shown_ring: Vec<String> = ring.iter().take(8).map(|name| shown(name)).collect();
    let more = if ring.len() > 8 { " → …" } else { "" };
    let message = format!(
        "someone who presses nothing goes round for ever: {}{more} → {}; let one of them lead out",
        shown_ring.join(" → "),
        shown(first)
    );
    findings.push(Finding::error(path, message));
}

/// A menu that another menu leads to needs a choice that leads back there, `@back` or the end.
fn check_ways_back(flow: &Flow, findings: &mut Vec<Finding>) {
    let mut parents: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, node) in &flow.nodes {
        for to in menus_of_choices(flow, node) {
            if to != name {
                parents.entry(to).or_default().insert(name);
            }
        }
    }
    for (name, parents) in parents {
        let Some(Node {
            step: Step::Menu(menu),
            ..
        }) = flow.nodes.get(name)
        else {
            continue;
        };
        let leads_out = menu.choices.values().any(|target| match target {
            Target::Back | Target::Hangup => true,
            Target::Node(to) => match first_that_asks(flow, to) {
                Some(asks) => parents.contains(asks),
                None => true,
            },
        });
        if !leads_out {
            let message = format!(
                "no choice of menu \"{}\" leads back to the menu before it or out",
                shown(name)
            );
            findings.push(Finding::warning(
                format!("nodes.{}.menu.choices", shown(name)),
                message,
            ));
        }
    }
}

/// The menus that the choices of a menu lead to.
fn menus_of_choices<'a>(flow: &'a Flow, node: &'a Node) -> Vec<&'a str> {
    let Step::Menu(menu) = &node.step else {
        return Vec::new();
    };
    let targets = menu.choices.values().filter_map(|target| match target {
        Target::Node(to) => first_that_asks(flow, to),
        Target::Back | Target::Hangup => None,
    });
    targets
        .filter(|name| {
            matches!(
                flow.nodes.get(*name),
                Some(Node {
                    step: Step::Menu(_),
                    ..
                })
            )
        })
        .collect()
}

/// The first node from `name` on, `name` included, that waits for a key; `None` where the call ends
/// or goes back before one.
fn first_that_asks<'a>(flow: &'a Flow, name: &'a str) -> Option<&'a str> {
    let mut at = name;
    for _ in 0..flow.nodes.len() {
        match &flow.nodes.get(at)?.step {
            Step::Menu(_) | Step::Collect(_) => return Some(at),
            Step::Play(_) => at = silent_way_on(flow, at)?,
            Step::Hangup(_) => return None,
        }
    }
    None
}
