//! The flows of `flows.dir`, each read and checked at start.

use super::mistake::Mistakes;
use crate::flows::OwnFlow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Reads every `*.json` of the folder. A flow is known by the `name` in it.
pub(super) fn read(dir: &str, mistakes: &mut Mistakes) -> BTreeMap<String, OwnFlow> {
    let mut flows = BTreeMap::new();
    if dir.is_empty() {
        return flows;
    }
    let files = match json_files(Path::new(dir)) {
        Ok(files) => files,
        Err(error) => {
            mistakes.refuse(
                "flows.dir",
                &format!("a folder that can be read ({error})"),
                dir,
            );
            return flows;
        }
    };
    for path in files {
        let shown = path.display().to_string();
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) => {
                mistakes.note(format_args!("flows.dir: {shown}: {error}"));
                continue;
            }
        };
        match OwnFlow::parse(&text) {
            Ok((own, warnings)) => {
                for warning in warnings {
                    tracing::warn!(flow = own.flow.name, "{shown}: {warning}");
                }
                if let Some(twice) = flows.insert(own.flow.name.clone(), own) {
                    mistakes.note(format_args!(
                        "flows.dir: {shown}: expected a name of its own, got \"{}\" again",
                        twice.flow.name
                    ));
                }
            }
            Err(findings) => {
                for finding in findings.iter().filter(|finding| finding.is_error()) {
                    mistakes.note(format_args!("flows.dir: {shown}: {finding}"));
                }
            }
        }
    }
    flows
}

fn json_files(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
