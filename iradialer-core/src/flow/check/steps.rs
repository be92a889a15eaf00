//! What is wrong with a node that asks for nothing.

use super::MAX_VARS;
use super::notes::Notes;
use crate::flow::document::{
    Branch, CPA_CODES, Case, Record, RequestStep, Say, SayKind, Set, TransferStep, known_timezone,
};
use crate::flow::say as saying;
use crate::strict_json::shown;
use crate::value::DialNumber;

/// The most cases of a branch, and the most texts or codes of a case.
pub(in crate::flow) const MAX_CASES: usize = 64;
/// How long someone may be left in silence before it is a warning, ms.
const LONG_SILENCE_MS: u32 = 10_000;

pub(super) fn branch<'f>(path: &str, branch: &'f Branch, notes: &mut Notes<'f>) {
    if !(1..=MAX_CASES).contains(&branch.cases.len()) {
        let message = format!(
            "expected 1 to {MAX_CASES} cases, got {}",
            branch.cases.len()
        );
        notes.error(format!("{path}.cases"), message);
    }
    for (place, written) in branch.cases.iter().enumerate().take(MAX_CASES) {
        case(&format!("{path}.cases[{place}]"), written, notes);
    }
}

fn case<'f>(path: &str, case: &'f Case, notes: &mut Notes<'f>) {
    match (&case.var, case.tests_var()) {
        (Some(_), false) => {
            let message = "expected 'equals', 'in', 'matches', 'min' or 'max' along with 'var'";
            notes.error(format!("{path}.var"), message);
        }
        (None, true) => notes.error(
            format!("{path}.var"),
            "expected the name of what is looked at",
        ),
        _ => {}
    }
    let asks_time = case.hours.is_some() || case.days.is_some();
    if case.var.is_none() && !case.tests_var() && !asks_time && case.cpa.is_none() {
        notes.error(
            path,
            "expected a condition: 'var', 'hours', 'days' or 'cpa'",
        );
    }
    if let Some(texts) = &case.one_of {
        counted(&format!("{path}.in"), texts.len(), "texts", notes);
    }
    if let Some(pattern) = &case.matches {
        notes.pattern(&format!("{path}.matches"), pattern);
    }
    if let (Some(min), Some(max)) = (case.min, case.max)
        && min > max
    {
        notes.error(
            format!("{path}.max"),
            format!("expected {min} or more, got {max}"),
        );
    }
    if let Some(timezone) = &case.timezone {
        if !asks_time {
            let message = "a time zone says nothing without 'hours' or 'days'";
            notes.error(format!("{path}.timezone"), message);
        } else if !known_timezone(timezone) {
            let message = format!(
                "expected the name of a time zone such as 'Europe/Berlin', got \"{}\"",
                shown(timezone)
            );
            notes.error(format!("{path}.timezone"), message);
        }
    }
    if let Some(codes) = &case.cpa {
        counted(&format!("{path}.cpa"), codes.len(), "codes", notes);
        for (place, code) in codes.iter().enumerate() {
            if !CPA_CODES.contains(&code.as_str()) {
                let known = CPA_CODES.join(", ");
                let message = format!("expected one of {known}, got \"{}\"", shown(code));
                notes.error(format!("{path}.cpa[{place}]"), message);
            }
        }
    }
}

fn counted(path: &str, count: usize, what: &str, notes: &mut Notes<'_>) {
    if !(1..=MAX_CASES).contains(&count) {
        notes.error(
            path,
            format!("expected 1 to {MAX_CASES} {what}, got {count}"),
        );
    }
}

pub(super) fn set(path: &str, set: &Set, notes: &mut Notes<'_>) {
    if set.is_empty() {
        notes.error(path, "expected at least one variable");
    }
    notes.variables(
        path,
        set.iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
}

pub(super) fn say(path: &str, say: &Say, flow_language: &str, notes: &mut Notes<'_>) {
    let language = say.language.as_deref().unwrap_or(flow_language);
    if let Some(language) = &say.language {
        notes.language(&format!("{path}.language"), language);
    }
    if !saying::languages().contains(&language) {
        return;
    }
    if let Some(currency) = &say.currency {
        let known = saying::currencies(language);
        let at = format!("{path}.currency");
        if say.kind != SayKind::Money {
            notes.error(at, "only of kind 'money' it says anything: leave it out");
            return;
        } else if !known.contains(&currency.as_str()) {
            let (known, got) = (known.join(", "), shown(currency));
            notes.error(
                at,
                format!("expected one of {known} in \"{language}\", got \"{got}\""),
            );
            return;
        }
    }
    if say.value.is_literal()
        && let Err(message) = saying::sounds(say, flow_language, say.value.as_str().trim())
    {
        notes.error(format!("{path}.value"), message);
    }
}

pub(super) fn record(path: &str, record: &Record, notes: &mut Notes<'_>) {
    notes.prompts(&format!("{path}.prompt"), &record.prompt);
    notes.name(&format!("{path}.var"), "a variable's name", &record.var);
    notes.in_range(
        format!("{path}.max_ms"),
        record.max_ms,
        1_000..=600_000,
        "ms",
    );
    notes.in_range(
        format!("{path}.silence_ms"),
        record.silence_ms,
        500..=30_000,
        "ms",
    );
    let expected = "keys of 0-9, '*' and '#'";
    notes.keys(
        &format!("{path}.terminators"),
        &record.terminators,
        "0123456789*#",
        expected,
    );
    if record.prompt.is_empty() && !record.beep {
        let message =
            "nothing says that one is recorded, or when to speak: give a prompt or a beep";
        notes.warning(format!("{path}.prompt"), message);
    }
}

pub(super) fn request(path: &str, request: &RequestStep, notes: &mut Notes<'_>) {
    notes.url(&format!("{path}.url"), &request.url);
    let sent = request.send.iter();
    notes.variables(
        &format!("{path}.send"),
        sent.map(|(name, value)| (name.as_str(), value.as_str())),
    );
    if request.sets.len() > MAX_VARS {
        let message = format!(
            "expected at most {MAX_VARS} variables, got {}",
            request.sets.len()
        );
        notes.error(format!("{path}.sets"), message);
    }
    for (place, name) in request.sets.iter().enumerate() {
        notes.name(&format!("{path}.sets[{place}]"), "a variable's name", name);
    }
    if request.leads_to.len() > MAX_VARS {
        let message = format!(
            "expected at most {MAX_VARS} nodes, got {}",
            request.leads_to.len()
        );
        notes.error(format!("{path}.leads_to"), message);
    }
    notes.in_range(
        format!("{path}.timeout_ms"),
        request.timeout_ms,
        100..=30_000,
        "ms",
    );
    if request.timeout_ms > LONG_SILENCE_MS && request.timeout_ms <= 30_000 {
        let seconds = request.timeout_ms / 1000;
        let message = format!("the person may hear nothing for {seconds} s, and hang up");
        notes.warning(format!("{path}.timeout_ms"), message);
    }
}

pub(super) fn transfer(path: &str, transfer: &TransferStep, notes: &mut Notes<'_>) {
    let at = format!("{path}.destination");
    let destination = &transfer.destination;
    // What is filled in is looked at when it is; what stands there already can be now.
    let refused = match destination.is_literal() {
        true => DialNumber::parse("destination", destination.as_str().trim())
            .err()
            .is_some(),
        false => {
            let text = destination.fill_each(|_| "1".to_owned());
            let digits = text.trim();
            let digits = digits.strip_prefix('+').unwrap_or(digits);
            !digits.bytes().all(|b| b.is_ascii_digit())
        }
    };
    if refused {
        let message = format!(
            "expected an optional '+' and 3 to 15 digits, got \"{}\"",
            shown(destination.as_str())
        );
        notes.error(at, message);
    }
    notes.in_range(
        format!("{path}.timeout_s"),
        transfer.timeout_s,
        5..=120,
        "s",
    );
    notes.prompts(&format!("{path}.whisper"), &transfer.whisper);
    if transfer.deflect && !transfer.whisper.is_empty() {
        let message = "a call that is deflected is connected elsewhere, where nobody whispers";
        notes.error(format!("{path}.whisper"), message);
    }
}
