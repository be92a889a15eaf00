//! The ways out of a node.

use super::node::{Node, Step};
use super::target::Target;
use crate::strict_json::shown;

/// A way out of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit<'a> {
    /// The path of the field that holds the target, from the node on: `next`, `menu.choices.1`.
    pub path: String,
    /// When it is taken, in a word or two: `1`, `no input`, `failed`.
    pub label: String,
    /// Where it leads.
    pub target: &'a Target,
    /// Whether someone can come this way who presses nothing.
    pub silent: bool,
}

impl Node {
    /// Every way out of the node that is written there. A `goto` has none within its flow.
    pub fn exits(&self) -> Vec<Exit<'_>> {
        let mut exits = Vec::new();
        let mut add = |path: String, label: &str, target, silent| {
            let label = label.to_owned();
            exits.push(Exit {
                path,
                label,
                target,
                silent,
            });
        };
        match &self.step {
            Step::Menu(menu) => {
                for (key, target) in &menu.choices {
                    add(
                        format!("menu.choices.{}", shown(key)),
                        &shown(key),
                        target,
                        false,
                    );
                }
                add(
                    "menu.exhausted".to_owned(),
                    "exhausted",
                    &menu.exhausted,
                    true,
                );
            }
            Step::Confirm(confirm) => {
                if let Some(target) = &confirm.exhausted {
                    add("confirm.exhausted".to_owned(), "exhausted", target, true);
                }
            }
            Step::Branch(branch) => {
                for (place, case) in branch.cases.iter().enumerate() {
                    add(
                        format!("branch.cases[{place}].next"),
                        &case.label(),
                        &case.next,
                        true,
                    );
                }
                add("branch.default".to_owned(), "else", &branch.default, true);
            }
            Step::Request(request) => {
                for (place, target) in request.leads_to.iter().enumerate() {
                    add(format!("request.leads_to[{place}]"), "answer", target, true);
                }
            }
            _ => {}
        }
        let asks = self.step.asks();
        let no_is_silent =
            matches!(&self.step, Step::Confirm(confirm) if confirm.exhausted.is_none());
        let written = [
            ("yes_next", "yes", &self.yes_next, false),
            ("no_next", "no", &self.no_next, no_is_silent),
            ("next", self.next_label(), &self.next, !asks),
            ("failed", "failed", &self.failed, true),
            ("busy", "busy", &self.busy, true),
            ("no_answer", "no answer", &self.no_answer, true),
            ("error", "error", &self.error, true),
        ];
        for (path, label, target, silent) in written {
            if let Some(target) = target {
                add(path.to_owned(), label, target, silent);
            }
        }
        // Last, as it is what someone comes to last.
        if let Step::Collect(collect) = &self.step {
            add(
                "collect.exhausted".to_owned(),
                "exhausted",
                &collect.exhausted,
                true,
            );
        }
        exits
    }

    fn next_label(&self) -> &'static str {
        match self.step {
            Step::Transfer(_) => "after",
            Step::Request(_) => "answered",
            Step::Collect(_) => "valid",
            _ => "next",
        }
    }
}

impl super::branch::Case {
    /// The case in a few words: `choice = 1`, `09:00-17:30 mon,tue`.
    pub fn label(&self) -> String {
        let mut parts = Vec::new();
        if let Some(var) = &self.var {
            let name = String::from(var.clone());
            if let Some(text) = &self.equals {
                parts.push(format!("{name} = {text}"));
            }
            if let Some(texts) = &self.one_of {
                parts.push(format!("{name} in {}", texts.join(", ")));
            }
            if let Some(pattern) = &self.matches {
                parts.push(format!("{name} ~ {pattern}"));
            }
            match (self.min, self.max) {
                (Some(min), Some(max)) => parts.push(format!("{min} ≤ {name} ≤ {max}")),
                (Some(min), None) => parts.push(format!("{name} ≥ {min}")),
                (None, Some(max)) => parts.push(format!("{name} ≤ {max}")),
                (None, None) => {}
            }
        }
        parts.extend(self.hours.map(String::from));
        parts.extend(self.days.map(String::from));
        parts.extend(self.timezone.clone());
        parts.extend(
            self.cpa
                .as_ref()
                .map(|codes| format!("cpa {}", codes.join(", "))),
        );
        parts.join(" ")
    }
}
