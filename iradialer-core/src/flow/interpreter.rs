//! Plays a flow on a leg.

mod ask;
mod branch;
mod hear;
mod outside;
mod report;

pub use hear::shown;
pub use report::{FlowEnd, FlowEndWhy, Report, Reporter};

use super::document::{DncScope, Flow, HangupCause, Node, Step, Target};
use super::facts::{CallFacts, Library};
use super::leg::{Leg, LegEnd, Listen};
use super::sound::Sound;
use super::template::{self, Values, cut};
use hear::LateTerminator;
use std::collections::BTreeMap;

/// The most nodes a run visits; one more is a fault. A person who goes round a menu for as long as a
/// call lasts stays far below it.
pub const MAX_NODE_VISITS: u32 = 1_000;

/// The most times a run goes on in another flow; once more is a fault.
pub const MAX_GOTOS: u32 = 50;

/// Plays `flow` on `leg` from its start until it ends, the leg ends, or [`MAX_NODE_VISITS`] are used
/// up. Returns when it is done, and blocks for as long as `leg` does. `facts` is what templates and
/// branches know of the call; `library` has the flows that `goto` may go to.
///
/// A flow that [`super::check()`] finds no error in does not end in a fault of its own making; one that
/// was not checked may, and does no worse.
pub fn run<'f>(
    flow: &'f Flow,
    facts: &'f CallFacts,
    library: &'f dyn Library,
    leg: &mut dyn Leg,
    reporter: &mut dyn Reporter,
) -> FlowEnd {
    let mut run = Run {
        flow,
        facts,
        library,
        leg,
        reporter,
        node: &flow.start,
        trail: Vec::new(),
        variables: BTreeMap::new(),
        late: None,
        cause: HangupCause::Normal,
    };
    let why = match run.walk() {
        Ok(()) => FlowEndWhy::Done,
        Err(LegEnd::HungUp) => FlowEndWhy::HungUp,
        Err(LegEnd::Stopped) => FlowEndWhy::Stopped,
        Err(LegEnd::Fault(fault)) => FlowEndWhy::Fault(fault),
    };
    FlowEnd {
        why,
        flow: run.flow.name.clone(),
        node: run.node.to_owned(),
        variables: run.variables,
        cause: run.cause,
    }
}

/// A flow under way.
struct Run<'f, 'io> {
    flow: &'f Flow,
    facts: &'f CallFacts,
    library: &'f dyn Library,
    leg: &'io mut dyn Leg,
    reporter: &'io mut dyn Reporter,
    /// Where it is.
    node: &'f str,
    /// How it came here: what `@back` goes back along.
    trail: Vec<&'f str>,
    variables: BTreeMap<String, String>,
    late: Option<LateTerminator<'f>>,
    cause: HangupCause,
}

/// Where a node has led.
enum Way<'f> {
    To(&'f Target),
    Flow(&'f str),
}

impl<'f> Run<'f, '_> {
    fn walk(&mut self) -> Result<(), LegEnd> {
        let (mut visits, mut gotos) = (0, 0);
        loop {
            let node = self.node()?;
            self.reporter.at_node(self.node);
            let way = self.visit(node)?;
            visits += 1;
            if visits == MAX_NODE_VISITS && !matches!(way, Way::To(Target::Hangup)) {
                return Err(LegEnd::Fault(format!(
                    "the flow went through {MAX_NODE_VISITS} nodes without coming to an end"
                )));
            }
            match way {
                Way::To(target) => match self.resolve(target)? {
                    Some(next) => self.node = next,
                    None => return Ok(()),
                },
                Way::Flow(_) if gotos == MAX_GOTOS => {
                    return Err(LegEnd::Fault(format!(
                        "the flow went on in another flow more than {MAX_GOTOS} times"
                    )));
                }
                Way::Flow(name) => {
                    gotos += 1;
                    self.enter(name)?;
                }
            }
        }
    }

    fn node(&self) -> Result<&'f Node, LegEnd> {
        let node = self.flow.nodes.get(self.node);
        node.ok_or_else(|| LegEnd::Fault(format!("the flow has no node \"{}\"", self.node)))
    }

    /// Does what the node does, and says where it leads.
    fn visit(&mut self, node: &'f Node) -> Result<Way<'f>, LegEnd> {
        let target = match &node.step {
            Step::Play(prompts) => {
                let (sounds, all) = self.sounds(prompts);
                match &node.failed {
                    Some(failed) if !all => failed,
                    _ => {
                        self.play(&sounds, barge_in(node))?;
                        self.next(node)?
                    }
                }
            }
            Step::Menu(menu) => self.menu(node, menu)?,
            Step::Collect(collect) => match self.collect(node, collect)? {
                true => self.next(node)?,
                false => &collect.exhausted,
            },
            Step::Confirm(confirm) => self.confirm(node, confirm)?,
            Step::Branch(branch) => self.branch(branch)?,
            Step::Set(set) => {
                for (name, value) in set {
                    let value = value.text(&self.values());
                    self.set(name, value);
                }
                self.next(node)?
            }
            Step::Say(say) => {
                let value = say.value.text(&self.values());
                match self.said(say, value.trim()) {
                    Ok(sounds) => {
                        self.play(&sounds, barge_in(node))?;
                        self.next(node)?
                    }
                    Err(why) => {
                        self.failed(format!("say: {why}"));
                        self.failed_or_next(node)?
                    }
                }
            }
            Step::Record(record) => match self.record(node, record)? {
                true => self.next(node)?,
                false => self.failed_or_next(node)?,
            },
            Step::Request(request) => match self.request(request)? {
                Ok(Some(target)) => target,
                Ok(None) => self.next(node)?,
                Err(_) => self.exit(&node.error, "error")?,
            },
            Step::Transfer(transfer) => self.transfer(node, transfer)?,
            Step::Dnc(dnc) => {
                self.opt_out(dnc.scope)?;
                self.next(node)?
            }
            Step::Wait(wait) => {
                if wait.until_key {
                    self.hear(wait.ms)?;
                } else {
                    self.play(&[Sound::Silence(wait.ms)], false)?;
                }
                self.next(node)?
            }
            Step::Hangup(hangup) => {
                self.cause = hangup.cause;
                &Target::Hangup
            }
            Step::Goto(goto) => return Ok(Way::Flow(&goto.flow)),
        };
        Ok(Way::To(target))
    }

    fn next(&self, node: &'f Node) -> Result<&'f Target, LegEnd> {
        let next = node.next.as_ref();
        next.ok_or_else(|| LegEnd::Fault(format!("node \"{}\" leads nowhere", self.node)))
    }

    fn failed_or_next(&self, node: &'f Node) -> Result<&'f Target, LegEnd> {
        match &node.failed {
            Some(failed) => Ok(failed),
            None => self.next(node),
        }
    }

    fn exit(&self, exit: &'f Option<Target>, name: &str) -> Result<&'f Target, LegEnd> {
        exit.as_ref().ok_or_else(|| {
            LegEnd::Fault(format!(
                "node \"{}\" has no way out for \"{name}\"",
                self.node
            ))
        })
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

    /// Goes on at the start of another flow, or of this one. There is no way back from there.
    fn enter(&mut self, name: &'f str) -> Result<(), LegEnd> {
        let flow = match self.library.flow(name) {
            Some(flow) => flow,
            None if name == self.flow.name => self.flow,
            None => {
                return Err(LegEnd::Fault(format!(
                    "there is no flow \"{name}\" to go on in"
                )));
            }
        };
        let (node, flow_name) = (self.node.to_owned(), name.to_owned());
        self.reporter.report(Report::WentTo {
            node,
            flow: flow_name,
        });
        self.flow = flow;
        self.node = &flow.start;
        self.trail.clear();
        Ok(())
    }

    fn opt_out(&mut self, scope: DncScope) -> Result<(), LegEnd> {
        self.leg.opt_out(scope)?;
        let node = self.node.to_owned();
        self.reporter.report(Report::OptedOut { node, scope });
        Ok(())
    }

    /// What names stand for now.
    fn values(&self) -> Values<'_> {
        Values {
            facts: self.facts,
            defaults: self.flow.vars.as_ref(),
            set: &self.variables,
        }
    }

    fn set(&mut self, name: &str, value: String) {
        let value = cut(value);
        self.reporter.set(name, &value);
        self.variables.insert(name.to_owned(), value);
    }

    /// Tells of something that did not work and that the flow goes on after.
    fn failed(&mut self, what: String) {
        let node = self.node.to_owned();
        self.reporter.report(Report::Failed {
            node,
            what: template::cut(what),
        });
    }

    fn listen(&mut self, timeout_ms: u32) -> Result<super::leg::Heard, LegEnd> {
        self.leg.listen(Listen { timeout_ms })
    }
}

/// Whether a key cuts the node's prompts short.
fn barge_in(node: &Node) -> bool {
    node.barge_in.unwrap_or(true)
}

#[cfg(test)]
mod tests;
