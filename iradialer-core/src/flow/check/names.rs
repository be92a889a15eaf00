//! Names in templates that nothing gives a value to.

use super::notes::Notes;
use crate::flow::document::{Flow, Node, Step};
use crate::flow::template::{Name, Template};
use crate::strict_json::shown;
use std::collections::BTreeSet;

pub(super) fn check(flow: &Flow, notes: &mut Notes<'_>) {
    let mut known = flow.sets();
    known.extend(
        flow.vars
            .iter()
            .flat_map(|vars| vars.keys().map(String::as_str)),
    );
    let known = Known {
        names: known,
        all_are_known: flow.vars.is_some(),
    };
    for (name, node) in &flow.nodes {
        let base = format!("nodes.{}", shown(name));
        templates(node, |path, template| {
            for name in template.names() {
                known.look(&format!("{base}.{path}"), name, notes);
            }
        });
        if let Step::Branch(branch) = &node.step {
            for (place, case) in branch.cases.iter().enumerate() {
                if let Some(name) = &case.var {
                    known.look(&format!("{base}.branch.cases[{place}].var"), name, notes);
                }
            }
        }
    }
}

struct Known<'a> {
    names: BTreeSet<&'a str>,
    /// Whether the flow says which variables the call gives.
    all_are_known: bool,
}

impl Known<'_> {
    fn look(&self, path: &str, name: &Name, notes: &mut Notes<'_>) {
        let (variable, hint) = match name {
            Name::Set(variable) => (
                variable,
                "; write 'vars.NAME' for one that is given with the call",
            ),
            Name::Var(variable) if self.all_are_known => (variable, " or is listed in 'vars'"),
            _ => return,
        };
        if !self.names.contains(variable.as_str()) {
            notes.error(path, format!("no node sets variable \"{variable}\"{hint}"));
        }
    }
}

/// Every template of a node, with its path from the node on.
fn templates(node: &Node, mut look: impl FnMut(&str, &Template)) {
    for (path, prompts) in node.prompts() {
        for (place, prompt) in prompts.iter().enumerate() {
            if let Some(template) = prompt.template() {
                look(&format!("{path}[{place}]"), template);
            }
        }
    }
    match &node.step {
        Step::Set(set) => {
            for (name, value) in set {
                look(&format!("set.{}", shown(name)), value);
            }
        }
        Step::Say(say) => look("say.value", &say.value),
        Step::Request(request) => {
            look("request.url", request.url.template());
            for (name, value) in &request.send {
                look(&format!("request.send.{}", shown(name)), value);
            }
        }
        Step::Transfer(transfer) => look("transfer.destination", &transfer.destination),
        _ => {}
    }
}
