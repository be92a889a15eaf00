//! What must hold whatever comes in. Each function takes bytes as they are found by libFuzzer (`make fuzz`), or
//! kept in `corpus/`, which the tests go through, and panics where something does not hold.
#![forbid(unsafe_code)]
// The audio code's own tests belong to the module.
#![cfg(not(test))]

// The module is a library for a switch, with which nothing else links; its audio code, to which these files are
// links, knows nothing of that.
#[allow(dead_code, missing_docs, unused_imports)]
mod audio;

use audio::decode::{MAX_SECONDS, decode};
use audio::{Law, RATE};
use iradialer_core::flow::{
    CallFacts, Filling, FlowEndWhy, MAX_TEXT, Rehearsal, Template, Values, parse,
};
use std::collections::BTreeMap;

/// A flow's JSON; after a zero byte, what is pressed at its questions, parted by commas.
pub fn flow(data: &[u8]) {
    let (json, keys) = match data.iter().position(|byte| *byte == 0) {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &[][..]),
    };
    let flow = match parse(json) {
        Ok((flow, findings)) => {
            assert!(findings.iter().all(|it| !it.is_error()), "{findings:?}");
            flow
        }
        Err(findings) => {
            assert!(
                findings.iter().any(|it| it.is_error()),
                "refused without a reason"
            );
            return;
        }
    };
    let keys = String::from_utf8_lossy(keys);
    let rehearse = |keys: Vec<String>| {
        let rehearsal = Rehearsal {
            keys,
            ..Rehearsal::default()
        };
        rehearsal.of(&flow, &CallFacts::default(), &())
    };
    rehearse(keys.split(',').map(str::to_owned).collect());
    // Whoever presses nothing comes to an end, unless that is in another flow, of which there is none here.
    match rehearse(Vec::new()).end.why {
        FlowEndWhy::Done => {}
        FlowEndWhy::Fault(why) if why.contains("no flow") => {}
        why => panic!("{why:?}"),
    }
}

/// A template; after a zero byte, what is put in for each name.
pub fn template(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (text, value) = text.split_once('\0').unwrap_or((&text, "{{vars.a}}"));
    let Ok(template) = Template::parse(text) else {
        return;
    };
    assert_eq!(template.as_str(), text);
    let again = Template::parse(&String::from(template.clone()));
    assert_eq!(again.as_ref(), Ok(&template));
    let vars = ["a", "b", "name"].map(|name| (name.to_owned(), value.to_owned()));
    let facts = CallFacts {
        to_number: "+15005550100".to_owned(),
        vars: BTreeMap::from(vars),
        ..CallFacts::default()
    };
    let set = BTreeMap::new();
    let values = Values {
        facts: &facts,
        defaults: None,
        set: &set,
    };
    assert!(template.text(&values).chars().count() <= MAX_TEXT);
    // What a value holds is never looked into: each is put in once, as it is.
    let each = template.fill_each(|name| values.get(name).to_owned());
    assert_eq!(template.fill(&values, Filling::Text), Ok(each));
    if template.fill(&values, Filling::PathPart).is_ok() {
        let fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let mut filled = template.names().map(|name| values.get(name));
        assert!(filled.all(|value| !value.is_empty() && value.chars().all(fit)));
    }
    let url = template.fill(&values, Filling::Url);
    let url = url.expect("anything can be percent-encoded");
    let safe = |c: char| c.is_ascii_alphanumeric() || "-._~%".contains(c);
    let unsafe_in = |text: &str| text.chars().filter(|c| !safe(*c)).count();
    let around = template.fill_each(|_| String::new());
    assert_eq!(unsafe_in(&url), unsafe_in(&around));
}

/// A file that somebody calls a prompt.
pub fn prompt(data: &[u8]) {
    let Ok(audio) = decode(data.to_vec()) else {
        return;
    };
    let [mu, a] = [Law::Mu, Law::A].map(|law| audio.bytes(law).len());
    assert_eq!(mu, a);
    assert!(
        mu > 0 && mu <= (MAX_SECONDS + 1) * RATE as usize,
        "{mu} samples"
    );
}
