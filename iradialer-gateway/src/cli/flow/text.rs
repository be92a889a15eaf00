//! Parts of flows in a few words.

use iradialer_core::flow::{DncScope, Prompt, Step, Transferred};

/// The text, at most so many characters of it.
pub(super) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) => text
            .chars()
            .take(most.saturating_sub(1))
            .chain(['…'])
            .collect(),
        None => text.to_owned(),
    }
}

pub(super) fn outcome(outcome: &Transferred) -> String {
    match outcome {
        Transferred::Done { ms } => format!("they speak for {} s", ms / 1_000),
        Transferred::Busy => "busy".to_owned(),
        Transferred::NoAnswer => "nobody answers".to_owned(),
        Transferred::Failed(why) => format!("failed, {why}"),
    }
}

pub(super) fn scope(scope: DncScope) -> &'static str {
    match scope {
        DncScope::Tenant => "tenant",
        DncScope::Campaign => "campaign",
    }
}

/// What is to be heard.
fn prompts(prompts: &[Prompt]) -> String {
    let parts: Vec<String> = prompts.iter().map(prompt).collect();
    parts.join(", ")
}

fn prompt(prompt: &Prompt) -> String {
    match prompt {
        Prompt::File(name) => name.template().as_str().to_owned(),
        Prompt::Url(url) => url.template().as_str().to_owned(),
        Prompt::Tts(tts) => format!("“{}”", tts.text.as_str()),
        Prompt::Silence(ms) => format!("{ms} ms of silence"),
        Prompt::Tone(_) => "a tone".to_owned(),
    }
}

/// What a step does.
pub(super) fn step(step: &Step) -> String {
    match step {
        Step::Play(list) => prompts(list),
        Step::Menu(menu) => prompts(&menu.prompt),
        Step::Collect(collect) => format!("{} ← {}", collect.var, prompts(&collect.prompt)),
        Step::Confirm(confirm) => prompts(&confirm.prompt),
        Step::Branch(_) => "the first that holds".to_owned(),
        Step::Set(set) => {
            let parts: Vec<String> = set
                .iter()
                .map(|(name, value)| format!("{name} = {}", value.as_str()))
                .collect();
            parts.join(", ")
        }
        Step::Say(say) => say.value.as_str().to_owned(),
        Step::Record(record) => format!("{} ← {}", record.var, prompts(&record.prompt)),
        Step::Request(request) => request.url.template().as_str().to_owned(),
        Step::Transfer(transfer) => transfer.destination.as_str().to_owned(),
        Step::Dnc(dnc) => format!("this {}", scope(dnc.scope)),
        Step::Wait(wait) => format!(
            "{} ms{}",
            wait.ms,
            if wait.until_key { " or a key" } else { "" }
        ),
        Step::Hangup(_) => String::new(),
        Step::Goto(goto) => format!("flow {}", goto.flow),
    }
}
