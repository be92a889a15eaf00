//! From JSON to a flow, with everything that is wrong with it said at once.

use super::check::{Finding, MAX_FLOW_BYTES, MAX_NODES, check};
use super::document::{Flow, Node, RecordCall, default_language};
use crate::strict_json::{self, Limits, shown};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

/// How deep the JSON of a flow may be; `nodes.n.menu.prompt[0].tone.hz[0]` needs 7.
const MAX_DEPTH: usize = 12;

/// Reads and checks a flow of at most [`MAX_FLOW_BYTES`] of JSON. A flow that may be run comes with the
/// warnings about it, one that may not is everything that is wrong with it.
pub fn parse(json: &[u8]) -> Result<(Flow, Vec<Finding>), Vec<Finding>> {
    let limits = Limits {
        bytes: MAX_FLOW_BYTES,
        depth: MAX_DEPTH,
    };
    let value = strict_json::read(json, limits)
        .map_err(|refusal| vec![Finding::error(refusal.path, refusal.message)])?;
    let flow = typed(value)?;
    let findings = check(&flow);
    if findings.iter().any(Finding::is_error) {
        return Err(findings);
    }
    Ok((flow, findings))
}

/// The document with its nodes still unread, so that a mistake in one does not hide those in others.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Outline {
    version: u32,
    name: String,
    start: String,
    #[serde(default = "default_language")]
    language: String,
    vars: Option<BTreeMap<String, String>>,
    no_agent: Option<String>,
    record_call: Option<RecordCall>,
    nodes: BTreeMap<String, Value>,
}

fn typed(value: Value) -> Result<Flow, Vec<Finding>> {
    let outline: Outline = read_at("", value).map_err(|finding| vec![finding])?;
    let mut nodes = BTreeMap::new();
    let mut findings = Vec::new();
    for (name, value) in outline.nodes {
        match read_at::<Node>(&format!("nodes.{}", shown(&name)), value) {
            Ok(node) => {
                nodes.insert(name, node);
            }
            Err(finding) => findings.push(finding),
        }
    }
    if !findings.is_empty() {
        findings.truncate(MAX_NODES);
        return Err(findings);
    }
    Ok(Flow {
        version: outline.version,
        name: outline.name,
        start: outline.start,
        language: outline.language,
        vars: outline.vars,
        no_agent: outline.no_agent,
        record_call: outline.record_call,
        nodes,
    })
}

/// Reads one part of the document; `base` is its path.
fn read_at<T: DeserializeOwned>(base: &str, value: Value) -> Result<T, Finding> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let inner = match error.path().to_string().as_str() {
            "." => String::new(),
            path if path.starts_with('[') || base.is_empty() => path.to_owned(),
            path => format!(".{path}"),
        };
        Finding::error(format!("{base}{inner}"), error.inner().to_string())
    })
}

#[cfg(test)]
mod tests;
