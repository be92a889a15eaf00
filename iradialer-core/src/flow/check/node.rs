//! What is wrong with a node by itself: figures out of range, nothing to be heard, ways out that it does not
//! have or lacks.

use super::notes::Notes;
use super::{ask, steps};
use crate::flow::document::{Flow, Node, Step, Target};

/// Notes it, and says whether each way out that the node needs is written there.
pub(super) fn check<'f>(path: &str, node: &'f Node, flow: &Flow, notes: &mut Notes<'f>) -> bool {
    let step = format!("{path}.{}", node.step.name());
    match &node.step {
        Step::Play(prompts) => notes.prompts_to_hear(&step, prompts),
        Step::Menu(menu) => ask::menu(&step, menu, notes),
        Step::Collect(collect) => ask::collect(&step, collect, notes),
        Step::Confirm(confirm) => ask::confirm(&step, confirm, notes),
        Step::Branch(branch) => steps::branch(&step, branch, notes),
        Step::Set(set) => steps::set(&step, set, notes),
        Step::Say(say) => steps::say(&step, say, &flow.language, notes),
        Step::Record(record) => steps::record(&step, record, notes),
        Step::Request(request) => steps::request(&step, request, notes),
        Step::Transfer(transfer) => steps::transfer(&step, transfer, notes),
        Step::Dnc(_) | Step::Hangup(_) => {}
        Step::Wait(wait) => notes.in_range(format!("{step}.ms"), wait.ms, 1..=60_000, "ms"),
        Step::Goto(goto) => notes.name(&format!("{step}.flow"), "a flow's name", &goto.flow),
    }
    let leads_on = check_exits(path, node, notes);
    let has_prompts = matches!(
        &node.step,
        Step::Play(_)
            | Step::Menu(_)
            | Step::Collect(_)
            | Step::Confirm(_)
            | Step::Say(_)
            | Step::Record(_)
    );
    if node.barge_in.is_some() && !has_prompts {
        let message = format!(
            "a {} plays nothing that a key could cut short",
            node.step.name()
        );
        notes.error(format!("{path}.barge_in"), message);
    }
    leads_on
}

/// Whether a step has a way out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Has {
    Must,
    May,
    No,
}

/// Which of next, yes_next, no_next, failed, busy, no_answer and error a step has.
fn ways_out(step: &Step) -> [Has; 7] {
    use Has::{May, Must, No};
    match step {
        Step::Play(_) | Step::Say(_) | Step::Record(_) => [Must, No, No, May, No, No, No],
        Step::Collect(_) | Step::Set(_) | Step::Dnc(_) | Step::Wait(_) => {
            [Must, No, No, No, No, No, No]
        }
        Step::Confirm(_) => [No, Must, Must, No, No, No, No],
        Step::Request(_) => [Must, No, No, No, No, No, Must],
        Step::Transfer(_) => [May, No, No, Must, May, May, No],
        Step::Menu(_) | Step::Branch(_) | Step::Hangup(_) | Step::Goto(_) => [No; 7],
    }
}

fn check_exits(path: &str, node: &Node, notes: &mut Notes<'_>) -> bool {
    let mut leads_on = true;
    let written: [(&str, &Option<Target>); 7] = [
        ("next", &node.next),
        ("yes_next", &node.yes_next),
        ("no_next", &node.no_next),
        ("failed", &node.failed),
        ("busy", &node.busy),
        ("no_answer", &node.no_answer),
        ("error", &node.error),
    ];
    for ((field, target), has) in written.into_iter().zip(ways_out(&node.step)) {
        let message = match (has, target) {
            (Has::Must, None) => {
                leads_on = false;
                missing(field).to_owned()
            }
            (Has::No, Some(_)) => superfluous(field, &node.step),
            _ => continue,
        };
        notes.error(format!("{path}.{field}"), message);
    }
    leads_on
}

fn missing(field: &str) -> &'static str {
    match field {
        "yes_next" => "expected where yes leads",
        "no_next" => "expected where no leads",
        "failed" => "expected where it leads when nobody could be reached",
        "error" => "expected where it leads when there is no answer that can be used",
        _ => {
            "expected the node that comes next, '@back' or '@hangup': here the call would be stuck"
        }
    }
}

fn superfluous(field: &str, step: &Step) -> String {
    let why = match step {
        Step::Menu(_) => "a menu leads where its choices and 'exhausted' say",
        Step::Confirm(_) => "a confirm leads where 'yes_next', 'no_next' and 'exhausted' say",
        Step::Branch(_) => "a branch leads where its cases and 'default' say",
        Step::Hangup(_) => "nothing comes after a hangup",
        Step::Goto(_) => "nothing comes after a goto, which leads to another flow",
        other => {
            return format!(
                "a {} has no way out of that name: leave '{field}' out",
                other.name()
            );
        }
    };
    format!("{why}: leave '{field}' out")
}
