//! A flow as places and the ways between them.

use crate::flow::document::{Exit, Flow, Node, Step, Target};
use crate::strict_json::shown;
use std::collections::BTreeMap;

/// The nodes of a flow by their place in the order of names, and the ways out of each.
pub(super) struct Graph<'f> {
    pub flow: &'f Flow,
    pub names: Vec<&'f str>,
    pub nodes: Vec<&'f Node>,
    pub exits: Vec<Vec<Exit<'f>>>,
    places: BTreeMap<&'f str, usize>,
    pub start: Option<usize>,
}

impl<'f> Graph<'f> {
    pub(super) fn of(flow: &'f Flow) -> Self {
        let names: Vec<&str> = flow.nodes.keys().map(String::as_str).collect();
        let places: BTreeMap<&str, usize> = names.iter().copied().zip(0..).collect();
        Graph {
            flow,
            nodes: flow.nodes.values().collect(),
            exits: flow.nodes.values().map(Node::exits).collect(),
            start: places.get(flow.start.as_str()).copied(),
            names,
            places,
        }
    }

    /// The place of the node that the target names.
    pub(super) fn place(&self, target: &Target) -> Option<usize> {
        match target {
            Target::Node(name) => self.places.get(name.as_str()).copied(),
            Target::Back | Target::Hangup => None,
        }
    }

    /// Where a place leads, each way there is.
    pub(super) fn ways(&self, from: usize) -> impl Iterator<Item = usize> {
        let exits = self.exits[from]
            .iter()
            .filter_map(|exit| self.place(exit.target));
        exits.chain(self.again(from))
    }

    /// Where someone can come who presses nothing.
    pub(super) fn silent_ways(&self, from: usize) -> impl Iterator<Item = usize> {
        let silent = self.exits[from].iter().filter(|exit| exit.silent);
        silent
            .filter_map(|exit| self.place(exit.target))
            .chain(self.again(from))
    }

    /// The start, for a node that goes to this very flow.
    fn again(&self, from: usize) -> Option<usize> {
        match &self.nodes[from].step {
            Step::Goto(goto) if goto.flow == self.flow.name => self.start,
            _ => None,
        }
    }

    /// Whether someone who presses nothing can go back from there.
    pub(super) fn goes_back_silently(&self, place: usize) -> bool {
        self.exits[place]
            .iter()
            .any(|exit| exit.silent && *exit.target == Target::Back)
    }

    /// Which places can be come to from `start` by these ways. `@back` only leads where one has been.
    pub(super) fn reached<I: Iterator<Item = usize>>(
        &self,
        start: usize,
        ways: impl Fn(usize) -> I,
    ) -> Vec<bool> {
        let mut reached = vec![false; self.nodes.len()];
        let mut to_visit = vec![start];
        while let Some(place) = to_visit.pop() {
            if !std::mem::replace(&mut reached[place], true) {
                to_visit.extend(ways(place).filter(|to| !reached[*to]));
            }
        }
        reached
    }

    /// The path of the document's part that a node is.
    pub(super) fn path(&self, place: usize) -> String {
        format!("nodes.{}", shown(self.names[place]))
    }

    /// The path of a way out of a node.
    pub(super) fn exit_path(&self, place: usize, exit: &Exit<'_>) -> String {
        format!("{}.{}", self.path(place), exit.path)
    }

    /// The path of the silent way from one place to another.
    pub(super) fn silent_path(&self, from: usize, to: usize) -> String {
        let leads = |exit: &&Exit<'_>| exit.silent && self.place(exit.target) == Some(to);
        match self.exits[from].iter().find(leads) {
            Some(exit) => self.exit_path(from, exit),
            None => self.path(from),
        }
    }
}
