//! The steps that ask: menu, collect, confirm.

use super::hear::LateTerminator;
use super::{Report, Run, barge_in};
use crate::flow::check::{MAX_DIGITS, MAX_RETRIES, compile_pattern};
use crate::flow::document::{Collect, Confirm, Menu, Node, Prompt, Target};
use crate::flow::leg::LegEnd;

/// What the kinds of node that ask have in common: they ask, and ask again.
struct Question<'f> {
    prompt: &'f [Prompt],
    retries: u32,
    no_input: &'f [Prompt],
    invalid: &'f [Prompt],
    var: &'f str,
    barge_in: bool,
}

/// What came of asking once.
struct Input {
    digits: String,
    valid: bool,
}

impl<'f> Run<'f, '_> {
    pub(super) fn menu(&mut self, node: &'f Node, menu: &'f Menu) -> Result<&'f Target, LegEnd> {
        let question = Question {
            prompt: &menu.prompt,
            retries: menu.retries,
            no_input: &menu.no_input,
            invalid: &menu.invalid,
            var: menu.var.as_deref().unwrap_or(self.node),
            barge_in: barge_in(node),
        };
        let input = self.ask(&question, |run| {
            run.hear_key(menu.timeout_ms, |key| menu.choices.contains_key(key))
        })?;
        match menu.choices.get(&input.digits) {
            Some(target) if input.valid => Ok(target),
            _ => Ok(&menu.exhausted),
        }
    }

    pub(super) fn confirm(
        &mut self,
        node: &'f Node,
        confirm: &'f Confirm,
    ) -> Result<&'f Target, LegEnd> {
        let question = Question {
            prompt: &confirm.prompt,
            retries: confirm.retries,
            no_input: &confirm.no_input,
            invalid: &confirm.invalid,
            var: confirm.var.as_deref().unwrap_or(self.node),
            barge_in: barge_in(node),
        };
        let meaning = |digits: &str| digits.chars().next().and_then(|key| confirm.meaning(key));
        let input = self.ask(&question, |run| {
            run.hear_key(confirm.timeout_ms, |key| meaning(key).is_some())
        })?;
        match meaning(&input.digits) {
            Some(true) => self.exit(&node.yes_next, "yes_next"),
            None if confirm.exhausted.is_some() => self.exit(&confirm.exhausted, "exhausted"),
            Some(false) | None => self.exit(&node.no_next, "no_next"),
        }
    }

    fn hear_key(&mut self, timeout_ms: u32, valid: impl Fn(&str) -> bool) -> Result<Input, LegEnd> {
        let digits = self
            .hear(timeout_ms)?
            .map_or_else(String::new, String::from);
        let valid = valid(&digits);
        Ok(Input { digits, valid })
    }

    /// Whether the digits were what was asked for.
    pub(super) fn collect(&mut self, node: &'f Node, collect: &'f Collect) -> Result<bool, LegEnd> {
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
            barge_in: barge_in(node),
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
                    kept: false,
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
            self.play_prompts(question.prompt, question.barge_in)?;
            let input = listen(self)?;
            if input.valid || tries > question.retries.min(MAX_RETRIES) {
                break input;
            }
            let hint = if input.digits.is_empty() {
                question.no_input
            } else {
                question.invalid
            };
            self.play_prompts(hint, question.barge_in)?;
            tries += 1;
        };
        self.set(question.var, input.digits.clone());
        self.reporter.report(Report::DtmfCollected {
            node: self.node.to_owned(),
            var_name: question.var.to_owned(),
            digits: input.digits.clone(),
            valid: input.valid,
            tries,
        });
        Ok(input)
    }
}
