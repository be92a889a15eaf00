//! `flow check`

use super::{Failure, read};
use crate::web::FlowFinding;
use iradialer_core::flow::{CallFacts, Finding, Flow, Sound, check_gotos};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub(super) fn run(files: &[PathBuf], prompts: Option<&Path>, as_json: bool) -> Result<(), Failure> {
    let mut checked = Vec::new();
    let mut flows: BTreeMap<String, Flow> = BTreeMap::new();
    for file in files {
        match read(file)? {
            Ok((flow, warnings)) => {
                if let Some(twice) = flows.insert(flow.name.clone(), flow.clone()) {
                    return Err(format!(
                        "{}: expected a name of its own, got \"{}\" again",
                        file.display(),
                        twice.name
                    )
                    .into());
                }
                checked.push((file, Some(flow), warnings));
            }
            Err(findings) => checked.push((file, None, findings)),
        }
    }
    // A flow alone may lead to one that is stored elsewhere; several are taken for all there are.
    let (mut errors, mut faulty) = (0, 0);
    for (file, flow, mut findings) in checked {
        let mut missing = Vec::new();
        if let Some(flow) = &flow {
            if files.len() > 1 {
                findings.extend(check_gotos(flow, &flows));
            }
            missing = prompts
                .map(|dir| missing_prompts(flow, dir))
                .unwrap_or_default();
        }
        let bad = findings.iter().filter(|finding| finding.is_error()).count() + missing.len();
        errors += bad;
        faulty += usize::from(bad > 0);
        match as_json {
            true => println!("{}", shown(file, &findings, &missing)),
            false => print(file, &findings, &missing),
        }
    }
    match errors {
        0 => Ok(()),
        1 => Err("1 error".into()),
        _ => Err(format!("{errors} errors in {faulty} of {} flows", files.len()).into()),
    }
}

fn print(file: &Path, findings: &[Finding], missing: &[String]) {
    let file = file.display();
    for finding in findings {
        println!("{file}: {finding}");
    }
    for prompt in missing {
        println!("{file}: error: prompt {prompt} is not there");
    }
    if findings.is_empty() && missing.is_empty() {
        println!("{file}: OK");
    }
}

fn shown(file: &Path, findings: &[Finding], missing: &[String]) -> Value {
    let is_valid = missing.is_empty() && !findings.iter().any(Finding::is_error);
    json!({
        "file": file,
        "valid": is_valid,
        "findings": FlowFinding::of_all(findings),
        "missing_prompts": missing,
    })
}

/// The files that the flow plays and that are not in the folder. Those whose names a call fills in are not
/// known here.
fn missing_prompts(flow: &Flow, dir: &Path) -> Vec<String> {
    let sounds = flow.sounds_ahead(&CallFacts::default(), &BTreeSet::new());
    let files = sounds.iter().filter_map(|sound| match sound {
        Sound::File(path) if !dir.join(path.as_str()).is_file() => Some(path.to_string()),
        _ => None,
    });
    files.collect()
}
