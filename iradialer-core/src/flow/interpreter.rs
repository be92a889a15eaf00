//! Plays a flow on a leg.

use super::check::{MAX_DIGITS, MAX_RETRIES, compile_pattern};
use super::document::{Collect, Flow, Menu, Node, Prompt, Step, Target};
use super::leg::{Heard, Leg, LegEnd, Listen};
use std::collections::BTreeMap;

/// The most nodes a run visits; one more is a fault. A person who goes round a menu for as long as a
/// call lasts stays far below it.
pub const MAX_NODE_VISITS: u32 = 1_000;

/// How long to wait for a key that is known to be in the leg's buffer, ms: one audio frame.
const TAKE_MS: u32 = 20;

/// Hears what a flow does as it does it.
pub trait Reporter {
    /// Takes a report; it must not block.
    fn report(&mut self, report: Report);
    /// The flow has come to this node.
    fn at_node(&mut self, node: &str);
}

/// What a flow has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// A list of prompts was played, or cut short by a key. Each list has its own report: a `play`
    /// node's, a menu's or collect's prompt each time it asks, and its `no_input` and `invalid`.
    PlayDone {
        /// The node.
        node: String,
        /// The prompts, joined by `+`: a file by its path, `silence:500ms`, `tone:440,480Hz:200ms`.
        prompt: String,
        /// How long they were heard, ms.
        played_ms: u64,
        /// The key.
        interrupted_by: Option<char>,
    },
    /// A menu or collect ended.
    DtmfCollected {
        /// The node.
        node: String,
        /// The variable.
        var_name: String,
        /// The digits of the last try, without the terminator; empty when none came.
        digits: String,
        /// Whether they were what was asked for.
        valid: bool,
        /// How many times it was asked, from 1.
        tries: u32,
    },
}

/// How a flow ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowEnd {
    /// Why.
    pub why: FlowEndWhy,
    /// The node it was at.
    pub node: String,
    /// The variables it has set.
    pub variables: BTreeMap<String, String>,
}

/// Why a flow ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlowEndWhy {
    /// It came to its end: the leg is to be hung up.
    Done,
    /// The leg was hung up under it.
    HungUp,
    /// A fault, in a sentence: the leg is to be hung up.
    Fault(String),
}

/// Plays `flow` on `leg` from its start until it ends, the leg ends, or [`MAX_NODE_VISITS`] are used
/// up. Returns when it is done, and blocks for as long as `leg` does.
///
/// A flow that [`super::check`] finds no error in does not end in a fault of its own making; one that
/// was not checked may, and does no worse.
pub fn run(flow: &Flow, leg: &mut dyn Leg, reporter: &mut dyn Reporter) -> FlowEnd {
    let mut run = Run {
        flow,
        leg,
        reporter,
        node: &flow.start,
        trail: Vec::new(),
        variables: BTreeMap::new(),
        late: None,
    };
    let why = match run.walk() {
        Ok(()) => FlowEndWhy::Done,
        Err(LegEnd::HungUp) => FlowEndWhy::HungUp,
        Err(LegEnd::Fault(fault)) => FlowEndWhy::Fault(fault),
    };
    FlowEnd {
        why,
        node: run.node.to_owned(),
        variables: run.variables,
    }
}

/// A flow under way.
struct Run<'f, 'io> {
    flow: &'f Flow,
    leg: &'io mut dyn Leg,
    reporter: &'io mut dyn Reporter,
    /// Where it is.
    node: &'f str,
    /// How it came here: what `@back` goes back along.
    trail: Vec<&'f str>,
    variables: BTreeMap<String, String>,
    late: Option<LateTerminator<'f>>,
}

/// A `collect` that has all its digits ends without waiting for the terminator, but people who were
/// asked to "press hash" press it all the same. Were it left in the buffer it would cut the next prompt
/// short, so for a moment it still belongs to the input before.
struct LateTerminator<'f> {
    keys: &'f str,
    ms_left: u64,
}

/// What two kinds of node have in common: they ask, and ask again.
struct Question<'f> {
    prompt: &'f [Prompt],
    retries: u32,
    no_input: &'f [Prompt],
    invalid: &'f [Prompt],
    var: &'f str,
}

/// What came of asking once.
struct Input {
    digits: String,
    valid: bool,
}

impl<'f> Run<'f, '_> {
    fn walk(&mut self) -> Result<(), LegEnd> {
        let mut visits = 0;
        loop {
            let node = self.node()?;
            self.reporter.at_node(self.node);
            let target = self.visit(node)?;
            let Some(next) = self.resolve(target)? else {
                return Ok(());
            };
            visits += 1;
            if visits == MAX_NODE_VISITS {
                return Err(LegEnd::Fault(format!(
                    "the flow went through {MAX_NODE_VISITS} nodes without coming to an end"
                )));
            }
            self.node = next;
        }
    }

    fn node(&self) -> Result<&'f Node, LegEnd> {
        let node = self.flow.nodes.get(self.node);
        node.ok_or_else(|| LegEnd::Fault(format!("the flow has no node \"{}\"", self.node)))
    }

    /// Does what the node does, and says where it leads.
    fn visit(&mut self, node: &'f Node) -> Result<&'f Target, LegEnd> {
        match &node.step {
            Step::Play(prompts) => {
                self.play(prompts)?;
                self.next(node)
            }
            Step::Menu(menu) => self.menu(menu),
            Step::Collect(collect) => match self.collect(collect)? {
                true => self.next(node),
                false => Ok(&collect.exhausted),
            },
            Step::Hangup(_) => Ok(&Target::Hangup),
        }
    }

    fn next(&self, node: &'f Node) -> Result<&'f Target, LegEnd> {
        let next = node.next.as_ref();
        next.ok_or_else(|| LegEnd::Fault(format!("node \"{}\" leads nowhere", self.node)))
    }

    /// The node a target stands for, or `None` for the end.
    fn resolve(&mut self, target: &'f Target) -> Result<Option<&'f str>, LegEnd> {
        match target {
            Target::Hangup => Ok(None),
            Target::Back => match self.trail.pop() {
                Some(before) => Ok(Some(before)),
                None => Err(LegEnd::Fault(format!(
                    "node \"{}\" has nowhere to go back to",
                    self.node
                ))),
            },
            Target::Node(name) => {
                if !self.flow.nodes.contains_key(name) {
                    let from = self.node;
                    let fault = format!("node \"{from}\" leads to \"{name}\", which is not there");
                    return Err(LegEnd::Fault(fault));
                }
                // "Hear this again" is no step that one would want to go back over.
                if name != self.node {
                    self.trail.push(self.node);
                }
                Ok(Some(name))
            }
        }
    }

    fn menu(&mut self, menu: &'f Menu) -> Result<&'f Target, LegEnd> {
        let question = Question {
            prompt: &menu.prompt,
            retries: menu.retries,
            no_input: &menu.no_input,
            invalid: &menu.invalid,
            var: menu.var.as_deref().unwrap_or(self.node),
        };
        let input = self.ask(&question, |run| run.hear_choice(menu))?;
        match menu.choices.get(&input.digits) {
            Some(target) if input.valid => Ok(target),
            _ => Ok(&menu.exhausted),
        }
    }

    fn hear_choice(&mut self, menu: &Menu) -> Result<Input, LegEnd> {
        let digits = self
            .hear(menu.timeout_ms)?
            .map_or_else(String::new, String::from);
        let valid = menu.choices.contains_key(&digits);
        Ok(Input { digits, valid })
    }

    /// Whether the digits were what was asked for.
    fn collect(&mut self, collect: &'f Collect) -> Result<bool, LegEnd> {
        let pattern = match &collect.pattern {
            Some(text) => Some(compile_pattern(text).map_err(|error| {
                LegEnd::Fault(format!("node \"{}\": its pattern: {error}", self.node))
            })?),
            None => None,
        };
        let question = Question {
            prompt: &collect.prompt,
            retries: collect.retries,
            no_input: &collect.no_input,
            invalid: &collect.invalid,
            var: &collect.var,
        };
        let fits = |digits: &str| {
            digits.len() >= collect.min_digits as usize
                && match &pattern {
                    Some(pattern) => pattern.is_match(digits.as_bytes()),
                    None => digits.bytes().all(|key| key.is_ascii_digit()),
                }
        };
        let input = self.ask(&question, |run| {
            let digits = run.hear_digits(collect)?;
            let valid = fits(&digits);
            Ok(Input { digits, valid })
        })?;
        Ok(input.valid)
    }

    fn hear_digits(&mut self, collect: &'f Collect) -> Result<String, LegEnd> {
        let most = collect.max_digits.min(MAX_DIGITS) as usize;
        let mut digits = String::new();
        let mut wait = collect.timeout_ms;
        while let Some(key) = self.hear(wait)? {
            if collect.terminators.contains(key) {
                return Ok(digits);
            }
            digits.push(key);
            if digits.len() >= most {
                self.late = Some(LateTerminator {
                    keys: &collect.terminators,
                    ms_left: u64::from(collect.inter_digit_ms),
                });
                break;
            }
            wait = collect.inter_digit_ms;
        }
        Ok(digits)
    }

    /// Asks until `listen` has a valid input or the retries are used up, and keeps and reports the last.
    fn ask(
        &mut self,
        question: &Question<'f>,
        mut listen: impl FnMut(&mut Self) -> Result<Input, LegEnd>,
    ) -> Result<Input, LegEnd> {
        let mut tries = 1;
        let input = loop {
            self.play(question.prompt)?;
            let input = listen(self)?;
            if input.valid || tries > question.retries.min(MAX_RETRIES) {
                break input;
            }
            let hint = if input.digits.is_empty() {
                question.no_input
            } else {
                question.invalid
            };
            self.play(hint)?;
            tries += 1;
        };
        self.variables
            .insert(question.var.to_owned(), input.digits.clone());
        self.reporter.report(Report::DtmfCollected {
            node: self.node.to_owned(),
            var_name: question.var.to_owned(),
            digits: input.digits.clone(),
            valid: input.valid,
            tries,
        });
        Ok(input)
    }

    fn hear(&mut self, timeout_ms: u32) -> Result<Option<char>, LegEnd> {
        // From here on a key answers the question that was just asked.
        self.late = None;
        match self.leg.listen(Listen { timeout_ms })? {
            Heard::Key(key) => Ok(Some(key)),
            Heard::Nothing => Ok(None),
        }
    }

    fn play(&mut self, prompts: &[Prompt]) -> Result<(), LegEnd> {
        if prompts.is_empty() {
            return Ok(());
        }
        let mut played = self.leg.play(prompts, true)?;
        if let Some(late) = self.late.take() {
            let ms_left = late.ms_left.checked_sub(played.ms);
            match (played.interrupted_by, ms_left) {
                (Some(key), Some(_)) if late.keys.contains(key) => {
                    self.leg.listen(Listen {
                        timeout_ms: TAKE_MS,
                    })?;
                    let again = self.leg.play(prompts, true)?;
                    played.ms += again.ms;
                    played.interrupted_by = again.interrupted_by;
                }
                (None, Some(ms_left)) => self.late = Some(LateTerminator { ms_left, ..late }),
                _ => {}
            }
        }
        self.reporter.report(Report::PlayDone {
            node: self.node.to_owned(),
            prompt: describe(prompts),
            played_ms: played.ms,
            interrupted_by: played.interrupted_by,
        });
        Ok(())
    }
}

/// The prompts as [`Report::PlayDone`] has them.
fn describe(prompts: &[Prompt]) -> String {
    let parts: Vec<String> = prompts.iter().map(Prompt::to_string).collect();
    parts.join("+")
}

#[cfg(test)]
mod tests;
