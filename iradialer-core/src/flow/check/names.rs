//! Names in templates that nothing gives a value to.

use super::notes::Notes;
use crate::flow::document::{Flow, Node, Prompt, Step};
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
    let set = flow.sets();
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
        for (path, prompts) in node.prompts() {
            for (place, prompt) in prompts.iter().enumerate() {
                let path = format!("{base}.{path}[{place}]");
                known_ahead(prompt, &set, &path, notes);
            }
        }
        if let Step::Branch(branch) = &node.step {
            for (place, case) in branch.cases.iter().enumerate() {
                if let Some(name) = &case.var {
                    known.look(&format!("{base}.branch.cases[{place}].var"), name, notes);
                }
            }
        }
    }
}

/// What is spoken or fetched is made ready before the phone rings, when nobody has set anything yet.
fn known_ahead(prompt: &Prompt, set: &BTreeSet<&str>, path: &str, notes: &mut Notes<'_>) {
    let (template, what) = match prompt {
        Prompt::Tts(tts) => (&tts.text, "spoken"),
        Prompt::Url(url) => (url.template(), "fetched"),
        Prompt::File(_) | Prompt::Silence(_) | Prompt::Tone(_) => return,
    };
    let mut variables = template.names().filter_map(Name::variable);
    if let Some(name) = variables.find(|name| set.contains(name)) {
        let message = format!(
            "'{name}' is set during the call, and what is {what} has to be known before: this is left out; \
             a number, a date or digits can be said by 'say'"
        );
        notes.warning(path, message);
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
