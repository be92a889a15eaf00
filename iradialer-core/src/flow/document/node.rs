//! A node: one step, and where it leads.

use super::ask::{Collect, Confirm, Menu};
use super::branch::Branch;
use super::prompt::Play;
use super::steps::{Dnc, Goto, HangupStep, Record, RequestStep, Say, Set, TransferStep, Wait};
use super::target::Target;
use serde::{Deserialize, Serialize};

/// A node: one step, and where it leads. Which exits a step has and which it needs is what
/// [`super::super::check()`] says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "WrittenNode")]
pub struct Node {
    /// What the node does.
    #[serde(flatten)]
    pub step: Step,
    /// Where it leads when the step is done. A `menu` leads by its choices, a `confirm` by `yes_next` and
    /// `no_next`, a `branch` by its cases, a `goto` to another flow, a `hangup` nowhere. After a `transfer`
    /// it is where someone goes whose agent has hung up; `@hangup` where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Target>,
    /// Where a `confirm` leads whose answer was yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yes_next: Option<Target>,
    /// Where a `confirm` leads whose answer was no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_next: Option<Target>,
    /// Where a `transfer` that did not come about leads. Of a `play`, `say` or `record`, where it leads when
    /// there is nothing to be played, said or recorded to; `next` where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Target>,
    /// Where a `transfer` to someone who was busy leads; `failed` where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy: Option<Target>,
    /// Where a `transfer` to someone who did not answer leads; `failed` where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_answer: Option<Target>,
    /// Where a `request` leads that had no answer, or none that could be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Target>,
    /// What is done here can't be undone. A `confirm` that asks for it says so; any other node that does
    /// must be led to by the yes of a `confirm` alone.
    #[serde(default, skip_serializing_if = "is_false")]
    pub irreversible: bool,
    /// Whether a key cuts the node's prompts short; it does where this is left out. Keys pressed meanwhile
    /// are kept either way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barge_in: Option<bool>,
}

fn is_false(it: &bool) -> bool {
    !it
}

impl Node {
    /// A node that does `step` and leads nowhere yet.
    pub fn of(step: Step) -> Self {
        Node {
            step,
            next: None,
            yes_next: None,
            no_next: None,
            failed: None,
            busy: None,
            no_answer: None,
            error: None,
            irreversible: false,
            barge_in: None,
        }
    }

    /// A node that does `step` and then leads to `next`.
    pub fn leading(step: Step, next: Target) -> Self {
        Node {
            next: Some(next),
            ..Node::of(step)
        }
    }
}

/// What a node does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Plays prompts.
    Play(Play),
    /// Asks for one key and goes where it leads.
    Menu(Menu),
    /// Asks for digits and keeps them in a variable.
    Collect(Collect),
    /// Asks for yes or no.
    Confirm(Confirm),
    /// Goes where the first case leads that holds.
    Branch(Branch),
    /// Sets variables.
    Set(Set),
    /// Says a number, digits, a date, a time or money.
    Say(Say),
    /// Records what the person says.
    Record(Record),
    /// Asks the customer's application over HTTPS.
    Request(RequestStep),
    /// Connects the call with another number.
    Transfer(TransferStep),
    /// Puts the number on the do-not-call list.
    Dnc(Dnc),
    /// Waits.
    Wait(Wait),
    /// Hangs up.
    Hangup(HangupStep),
    /// Goes on in another flow.
    Goto(Goto),
}

impl Step {
    /// The names of all steps, in the order of the documentation.
    pub const NAMES: [&'static str; 14] = [
        "play", "menu", "collect", "confirm", "branch", "set", "say", "record", "request",
        "transfer", "dnc", "wait", "hangup", "goto",
    ];

    /// The step's name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Step::Play(_) => "play",
            Step::Menu(_) => "menu",
            Step::Collect(_) => "collect",
            Step::Confirm(_) => "confirm",
            Step::Branch(_) => "branch",
            Step::Set(_) => "set",
            Step::Say(_) => "say",
            Step::Record(_) => "record",
            Step::Request(_) => "request",
            Step::Transfer(_) => "transfer",
            Step::Dnc(_) => "dnc",
            Step::Wait(_) => "wait",
            Step::Hangup(_) => "hangup",
            Step::Goto(_) => "goto",
        }
    }

    /// Whether it waits for keys and does something about them.
    pub fn asks(&self) -> bool {
        matches!(self, Step::Menu(_) | Step::Collect(_) | Step::Confirm(_))
    }
}

/// A node as it is written. `flatten` alone would let unknown fields and a second step pass.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenNode {
    play: Option<Play>,
    menu: Option<Menu>,
    collect: Option<Collect>,
    confirm: Option<Confirm>,
    branch: Option<Branch>,
    set: Option<Set>,
    say: Option<Say>,
    record: Option<Record>,
    request: Option<RequestStep>,
    transfer: Option<TransferStep>,
    dnc: Option<Dnc>,
    wait: Option<Wait>,
    hangup: Option<HangupStep>,
    goto: Option<Goto>,
    next: Option<Target>,
    yes_next: Option<Target>,
    no_next: Option<Target>,
    failed: Option<Target>,
    busy: Option<Target>,
    no_answer: Option<Target>,
    error: Option<Target>,
    #[serde(default)]
    irreversible: bool,
    barge_in: Option<bool>,
}

impl TryFrom<WrittenNode> for Node {
    type Error = String;
    fn try_from(written: WrittenNode) -> Result<Self, String> {
        let steps = [
            written.play.map(Step::Play),
            written.menu.map(Step::Menu),
            written.collect.map(Step::Collect),
            written.confirm.map(Step::Confirm),
            written.branch.map(Step::Branch),
            written.set.map(Step::Set),
            written.say.map(Step::Say),
            written.record.map(Step::Record),
            written.request.map(Step::Request),
            written.transfer.map(Step::Transfer),
            written.dnc.map(Step::Dnc),
            written.wait.map(Step::Wait),
            written.hangup.map(Step::Hangup),
            written.goto.map(Step::Goto),
        ];
        let mut steps = steps.into_iter().flatten();
        let expected = || format!("expected exactly one step of {}", Step::NAMES.join(", "));
        match (steps.next(), steps.next()) {
            (Some(step), None) => Ok(Node {
                step,
                next: written.next,
                yes_next: written.yes_next,
                no_next: written.no_next,
                failed: written.failed,
                busy: written.busy,
                no_answer: written.no_answer,
                error: written.error,
                irreversible: written.irreversible,
                barge_in: written.barge_in,
            }),
            (Some(one), Some(two)) => Err(format!(
                "{}, got both {} and {}",
                expected(),
                one.name(),
                two.name()
            )),
            (None, _) => Err(format!("{}, got none", expected())),
        }
    }
}
