//! Findings as they are made, and the checks that are made everywhere.

use super::{Finding, MAX_PATTERNS, MAX_VARS, compile_pattern};
use crate::flow::template::{MAX_NAME_LEN, MAX_TEXT, is_name};
use crate::strict_json::shown;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// What was found so far.
#[derive(Default)]
pub(super) struct Notes<'f> {
    findings: Vec<Finding>,
    /// The patterns that were compiled, and what is wrong with each: flows tend to repeat them.
    patterns: BTreeMap<&'f str, Option<String>>,
}

impl<'f> Notes<'f> {
    pub(super) fn error(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.findings.push(Finding::error(path, message));
    }

    pub(super) fn warning(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.findings.push(Finding::warning(path, message));
    }

    /// How many findings there are.
    pub(super) fn len(&self) -> usize {
        self.findings.len()
    }

    /// The findings, errors first.
    pub(super) fn into_findings(mut self) -> Vec<Finding> {
        self.findings.sort_by_key(|finding| !finding.is_error());
        self.findings
    }

    pub(super) fn in_range(
        &mut self,
        path: String,
        got: u32,
        range: RangeInclusive<u32>,
        unit: &str,
    ) {
        if !range.contains(&got) {
            let (least, most) = range.into_inner();
            self.error(
                path,
                format!("expected {least} to {most} {unit}, got {got}"),
            );
        }
    }

    /// Names are of letters, digits, `_` and `-`, so that a path or a report that holds one stays readable.
    pub(super) fn name(&mut self, path: &str, what: &str, name: &str) {
        if !is_name(name) {
            let message = format!(
                "expected {what} of 1 to {MAX_NAME_LEN} letters, digits, '_' or '-', got \"{}\"",
                shown(name)
            );
            self.error(path, message);
        }
    }

    /// Variables and their values.
    pub(super) fn variables<'a>(
        &mut self,
        path: &str,
        vars: impl ExactSizeIterator<Item = (&'a str, &'a str)>,
    ) {
        if vars.len() > MAX_VARS {
            self.error(
                path,
                format!("expected at most {MAX_VARS} variables, got {}", vars.len()),
            );
        }
        for (name, value) in vars {
            let path = format!("{path}.{}", shown(name));
            self.name(&path, "a variable's name", name);
            let length = value.chars().count();
            if length > MAX_TEXT {
                self.error(
                    path,
                    format!("expected at most {MAX_TEXT} characters, got {length}"),
                );
            }
        }
    }

    /// Whether the pattern is one that may be compiled; what is wrong with it is noted.
    pub(super) fn pattern(&mut self, path: &str, pattern: &'f str) -> bool {
        if self.patterns.len() >= MAX_PATTERNS && !self.patterns.contains_key(pattern) {
            let message = format!("expected at most {MAX_PATTERNS} different patterns in a flow");
            self.error(path, message);
            return false;
        }
        let wrong = self
            .patterns
            .entry(pattern)
            .or_insert_with(|| compile_pattern(pattern).err());
        match wrong.clone() {
            Some(message) => {
                self.error(path, message);
                false
            }
            None => true,
        }
    }
}
