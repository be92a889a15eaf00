//! What is wrong with a node that asks.

use super::notes::Notes;
use super::{MAX_DIGITS, MAX_RETRIES};
use crate::flow::document::{Collect, Confirm, Menu, Prompt};
use crate::strict_json::shown;
use std::ops::RangeInclusive;

pub(in crate::flow) const TIMEOUT_MS: RangeInclusive<u32> = 500..=60_000;
pub(in crate::flow) const INTER_DIGIT_MS: RangeInclusive<u32> = 500..=30_000;
const KEYS: &str = "0123456789*#";

pub(super) fn menu(path: &str, menu: &Menu, notes: &mut Notes<'_>) {
    notes.prompts_to_hear(&format!("{path}.prompt"), &menu.prompt);
    if menu.choices.is_empty() {
        notes.error(
            format!("{path}.choices"),
            "expected at least one key and where it leads",
        );
    }
    for key in menu.choices.keys() {
        notes.key(format!("{path}.choices.{}", shown(key)), key);
    }
    notes.in_range(
        format!("{path}.timeout_ms"),
        menu.timeout_ms,
        TIMEOUT_MS,
        "ms",
    );
    if let Some(var) = &menu.var {
        notes.name(&format!("{path}.var"), "a variable's name", var);
    }
    notes.asking_again(path, menu.retries, &menu.no_input, &menu.invalid);
}

pub(super) fn collect<'f>(path: &str, collect: &'f Collect, notes: &mut Notes<'f>) {
    let at = |field: &str| format!("{path}.{field}");
    notes.prompts_to_hear(&at("prompt"), &collect.prompt);
    notes.name(&at("var"), "a variable's name", &collect.var);
    notes.in_range(
        at("min_digits"),
        collect.min_digits,
        1..=MAX_DIGITS,
        "digits",
    );
    let fewest = collect.min_digits.clamp(1, MAX_DIGITS);
    notes.in_range(
        at("max_digits"),
        collect.max_digits,
        fewest..=MAX_DIGITS,
        "digits",
    );
    notes.keys(
        &at("terminators"),
        &collect.terminators,
        "*#",
        "'*', '#' or both",
    );
    notes.in_range(at("timeout_ms"), collect.timeout_ms, TIMEOUT_MS, "ms");
    notes.in_range(
        at("inter_digit_ms"),
        collect.inter_digit_ms,
        INTER_DIGIT_MS,
        "ms",
    );
    if let Some(pattern) = &collect.pattern
        && notes.pattern(&at("pattern"), pattern)
        && !(pattern.starts_with('^') && pattern.ends_with('$'))
    {
        let message = "without '^' and '$' round it, it also fits longer input that holds a match";
        notes.warning(at("pattern"), message);
    }
    notes.asking_again(path, collect.retries, &collect.no_input, &collect.invalid);
}

pub(super) fn confirm(path: &str, confirm: &Confirm, notes: &mut Notes<'_>) {
    let at = |field: &str| format!("{path}.{field}");
    notes.prompts_to_hear(&at("prompt"), &confirm.prompt);
    notes.key(at("yes"), &confirm.yes);
    if let Some(no) = &confirm.no {
        notes.keys(&at("no"), no, KEYS, "keys of 0-9, '*' and '#'");
        if no.is_empty() {
            notes.error(
                at("no"),
                "expected at least one key: someone has to be able to say no",
            );
        }
        if no.contains(&confirm.yes) {
            let message = format!(
                "expected other keys than the one for yes, got \"{}\"",
                shown(no)
            );
            notes.error(at("no"), message);
        }
    }
    notes.in_range(at("timeout_ms"), confirm.timeout_ms, TIMEOUT_MS, "ms");
    if let Some(var) = &confirm.var {
        notes.name(&at("var"), "a variable's name", var);
    }
    notes.asking_again(path, confirm.retries, &confirm.no_input, &confirm.invalid);
}

impl Notes<'_> {
    fn key(&mut self, path: String, key: &str) {
        let mut chars = key.chars();
        let is_key =
            matches!((chars.next(), chars.next()), (Some(key), None) if KEYS.contains(key));
        if !is_key {
            self.error(
                path,
                format!("expected one key, 0-9, '*' or '#', got \"{}\"", shown(key)),
            );
        }
    }

    /// Keys of `allowed`, each once.
    pub(super) fn keys(&mut self, path: &str, keys: &str, allowed: &str, expected: &str) {
        for (place, key) in keys.char_indices() {
            if !allowed.contains(key) {
                self.error(
                    path,
                    format!("expected {expected}, got \"{}\"", shown(keys)),
                );
                return;
            }
            if keys[..place].contains(key) {
                self.error(path, format!("expected each key once, got '{key}' twice"));
                return;
            }
        }
    }

    /// What all of them share.
    fn asking_again(&mut self, path: &str, retries: u32, no_input: &[Prompt], invalid: &[Prompt]) {
        self.in_range(format!("{path}.retries"), retries, 0..=MAX_RETRIES, "times");
        self.prompts(&format!("{path}.no_input"), no_input);
        self.prompts(&format!("{path}.invalid"), invalid);
        if retries > 0 && no_input.is_empty() {
            let message = "someone who pressed nothing hears the same prompt again without a word: say what is waited for";
            self.warning(format!("{path}.no_input"), message);
        }
    }
}
