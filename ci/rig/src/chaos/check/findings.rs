//! The verdicts, and their table.

use std::fmt;

/// How many violations of one rule are told at length.
const TOLD: usize = 8;

/// One rule and how it was kept.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The rule.
    pub rule: &'static str,
    /// How many cases there were to judge; nothing: it can't be judged, and `note` says what it lacks.
    pub cases: Option<usize>,
    /// Each breach, with what is known of it.
    pub violations: Vec<String>,
    /// What a reader has to know besides.
    pub note: String,
}

/// All verdicts.
#[derive(Debug, Default)]
pub struct Findings {
    /// By rule.
    pub verdicts: Vec<Verdict>,
}

impl Findings {
    /// A rule that was judged in so many cases.
    pub(super) fn rule(&mut self, rule: &'static str, cases: usize, violations: Vec<String>) {
        self.noted(rule, cases, violations, String::new());
    }

    /// The same, with a note.
    pub(super) fn noted(
        &mut self,
        rule: &'static str,
        cases: usize,
        violations: Vec<String>,
        note: String,
    ) {
        self.verdicts.push(Verdict {
            rule,
            cases: Some(cases),
            violations,
            note,
        });
    }

    /// A rule that can't be judged for want of something.
    pub(super) fn lacks(&mut self, rule: &'static str, what: &str) {
        self.verdicts.push(Verdict {
            rule,
            cases: None,
            violations: Vec::new(),
            note: format!("not judged: {what}"),
        });
    }

    /// Whether no rule was broken, and none left unjudged.
    pub fn are_clean(&self) -> bool {
        self.verdicts
            .iter()
            .all(|verdict| verdict.violations.is_empty() && verdict.cases.is_some())
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .verdicts
            .iter()
            .map(|v| v.rule.len())
            .max()
            .unwrap_or(0);
        writeln!(f, "{:<width$}  {:>7}  {:>6}", "", "cases", "broken")?;
        for verdict in &self.verdicts {
            let cases = verdict
                .cases
                .map_or("-".to_owned(), |cases| cases.to_string());
            let (rule, broken) = (verdict.rule, verdict.violations.len());
            let line = format!("{rule:<width$}  {cases:>7}  {broken:>6}  {}", verdict.note);
            writeln!(f, "{}", line.trim_end())?;
        }
        for verdict in self.verdicts.iter().filter(|v| !v.violations.is_empty()) {
            writeln!(f, "\nBROKEN: {}", verdict.rule)?;
            for violation in verdict.violations.iter().take(TOLD) {
                writeln!(f, "  {violation}")?;
            }
            let more = verdict.violations.len().saturating_sub(TOLD);
            if more > 0 {
                writeln!(f, "  and {more} more")?;
            }
        }
        Ok(())
    }
}
