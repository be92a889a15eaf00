//! What is wrong with a node by itself: figures out of range, nothing to be heard, a bad pattern.

use super::{Finding, MAX_DIGITS, MAX_RETRIES, check_name, compile_pattern};
use crate::flow::document::{Collect, Menu, Node, Prompt, Step, Tone};
use crate::strict_json::shown;
use std::ops::RangeInclusive;

const TIMEOUT_MS: RangeInclusive<u32> = 500..=60_000;
const INTER_DIGIT_MS: RangeInclusive<u32> = 500..=30_000;
const PROMPT_MS: RangeInclusive<u32> = 1..=60_000;
const TONE_HZ: RangeInclusive<u32> = 50..=3_400;

pub(super) fn check(path: &str, node: &Node, findings: &mut Vec<Finding>) {
    let step = format!("{path}.{}", node.step.name());
    match &node.step {
        Step::Play(prompts) => prompts_to_hear(&step, prompts, findings),
        Step::Menu(menu) => check_menu(&step, menu, findings),
        Step::Collect(collect) => check_collect(&step, collect, findings),
        Step::Hangup(_) => {}
    }
    check_next(path, node, findings);
}

fn check_next(path: &str, node: &Node, findings: &mut Vec<Finding>) {
    let next = format!("{path}.next");
    match (&node.step, &node.next) {
        (Step::Play(_) | Step::Collect(_), None) => {
            let message = "expected the node that comes next, '@back' or '@hangup': here the call would be stuck";
            findings.push(Finding::error(next, message));
        }
        (Step::Menu(_), Some(_)) => {
            let message = "a menu leads where its choices and 'exhausted' say: leave 'next' out";
            findings.push(Finding::error(next, message));
        }
        (Step::Hangup(_), Some(_)) => {
            findings.push(Finding::error(
                next,
                "nothing comes after a hangup: leave 'next' out",
            ));
        }
        _ => {}
    }
}

fn check_menu(path: &str, menu: &Menu, findings: &mut Vec<Finding>) {
    prompts_to_hear(&format!("{path}.prompt"), &menu.prompt, findings);
    if menu.choices.is_empty() {
        let message = "expected at least one key and where it leads";
        findings.push(Finding::error(format!("{path}.choices"), message));
    }
    for key in menu.choices.keys() {
        if !is_one_of(key, "0123456789*#") {
            let message = format!("expected one key, 0-9, '*' or '#', got \"{}\"", shown(key));
            findings.push(Finding::error(
                format!("{path}.choices.{}", shown(key)),
                message,
            ));
        }
    }
    in_range(
        &format!("{path}.timeout_ms"),
        menu.timeout_ms,
        TIMEOUT_MS,
        "ms",
        findings,
    );
    if let Some(var) = &menu.var {
        check_name(&format!("{path}.var"), "a variable's name", var, findings);
    }
    check_asking_again(path, menu.retries, &menu.no_input, &menu.invalid, findings);
}

fn check_collect(path: &str, collect: &Collect, findings: &mut Vec<Finding>) {
    let at = |field: &str| format!("{path}.{field}");
    prompts_to_hear(&at("prompt"), &collect.prompt, findings);
    check_name(&at("var"), "a variable's name", &collect.var, findings);
    in_range(
        &at("min_digits"),
        collect.min_digits,
        1..=MAX_DIGITS,
        "digits",
        findings,
    );
    let fewest = collect.min_digits.clamp(1, MAX_DIGITS);
    in_range(
        &at("max_digits"),
        collect.max_digits,
        fewest..=MAX_DIGITS,
        "digits",
        findings,
    );
    check_terminators(&at("terminators"), &collect.terminators, findings);
    in_range(
        &at("timeout_ms"),
        collect.timeout_ms,
        TIMEOUT_MS,
        "ms",
        findings,
    );
    in_range(
        &at("inter_digit_ms"),
        collect.inter_digit_ms,
        INTER_DIGIT_MS,
        "ms",
        findings,
    );
    if let Some(pattern) = &collect.pattern {
        check_pattern(&at("pattern"), pattern, findings);
    }
    check_asking_again(
        path,
        collect.retries,
        &collect.no_input,
        &collect.invalid,
        findings,
    );
}

fn check_terminators(path: &str, terminators: &str, findings: &mut Vec<Finding>) {
    for (place, key) in terminators.char_indices() {
        if !matches!(key, '*' | '#') {
            let message = format!("expected '*', '#' or both, got \"{}\"", shown(terminators));
            findings.push(Finding::error(path, message));
            return;
        }
        if terminators[..place].contains(key) {
            findings.push(Finding::error(
                path,
                format!("expected each key once, got '{key}' twice"),
            ));
            return;
        }
    }
}

fn check_pattern(path: &str, pattern: &str, findings: &mut Vec<Finding>) {
    if let Err(message) = compile_pattern(pattern) {
        findings.push(Finding::error(path, message));
    } else if !(pattern.starts_with('^') && pattern.ends_with('$')) {
        let message = "without '^' and '$' round it, it also fits longer input that holds a match";
        findings.push(Finding::warning(path, message));
    }
}

/// What a `menu` and a `collect` share.
fn check_asking_again(
    path: &str,
    retries: u32,
    no_input: &[Prompt],
    invalid: &[Prompt],
    findings: &mut Vec<Finding>,
) {
    in_range(
        &format!("{path}.retries"),
        retries,
        0..=MAX_RETRIES,
        "times",
        findings,
    );
    check_prompts(&format!("{path}.no_input"), no_input, findings);
    check_prompts(&format!("{path}.invalid"), invalid, findings);
    if retries > 0 && no_input.is_empty() {
        let message = "someone who pressed nothing hears the same prompt again without a word: say what is waited for";
        findings.push(Finding::warning(format!("{path}.no_input"), message));
    }
}

/// Prompts of which there must be some: someone who hears nothing hangs up.
fn prompts_to_hear(path: &str, prompts: &[Prompt], findings: &mut Vec<Finding>) {
    if prompts.is_empty() {
        findings.push(Finding::error(path, "expected at least one prompt"));
    }
    check_prompts(path, prompts, findings);
}

fn check_prompts(path: &str, prompts: &[Prompt], findings: &mut Vec<Finding>) {
    for (place, prompt) in prompts.iter().enumerate() {
        match prompt {
            // Its path was checked when it was made.
            Prompt::File(_) => {}
            Prompt::Silence(ms) => {
                in_range(
                    &format!("{path}[{place}].silence"),
                    *ms,
                    PROMPT_MS,
                    "ms",
                    findings,
                );
            }
            Prompt::Tone(tone) => check_tone(&format!("{path}[{place}].tone"), tone, findings),
        }
    }
}

fn check_tone(path: &str, tone: &Tone, findings: &mut Vec<Finding>) {
    if !(1..=2).contains(&tone.hz.len()) {
        let message = format!("expected 1 or 2 frequencies, got {}", tone.hz.len());
        findings.push(Finding::error(format!("{path}.hz"), message));
    }
    for (place, hz) in tone.hz.iter().enumerate() {
        in_range(&format!("{path}.hz[{place}]"), *hz, TONE_HZ, "Hz", findings);
    }
    in_range(&format!("{path}.ms"), tone.ms, PROMPT_MS, "ms", findings);
}

fn in_range(
    path: &str,
    got: u32,
    range: RangeInclusive<u32>,
    unit: &str,
    findings: &mut Vec<Finding>,
) {
    if !range.contains(&got) {
        let message = format!(
            "expected {} to {} {unit}, got {got}",
            range.start(),
            range.end()
        );
        findings.push(Finding::error(path, message));
    }
}

fn is_one_of(text: &str, keys: &str) -> bool {
    let mut chars = text.chars();
    matches!((chars.next(), chars.next()), (Some(key), None) if keys.contains(key))
}
