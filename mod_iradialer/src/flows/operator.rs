//! The flows of an operator's own calls: files of this switch, with no gateway asked.

use super::{Flows, read};
use iradialer_core::value::{FlowHash, FlowName};
use iradialer_core::wire::{FlowRef, MOST_OTHERS};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

impl Flows {
    /// Takes in `NAME.json` of that folder with all that it leads to, and says how a call names it.
    ///
    /// # Errors
    /// In a sentence, for the first file that can't be run.
    pub fn of_folder(&self, dir: &Path, name: FlowName) -> Result<FlowRef, String> {
        let mut taken: BTreeMap<FlowName, FlowHash> = BTreeMap::new();
        let mut to_take = vec![name.clone()];
        while let Some(next) = to_take.pop() {
            if taken.contains_key(&next) {
                continue;
            }
            if taken.len() > MOST_OTHERS {
                return Err(format!(
                    "flow {name}: it leads to more than {MOST_OTHERS} other flows"
                ));
            }
            let (hash, leads_to) = self.of_file(dir, &next)?;
            taken.insert(next, hash);
            to_take.extend(leads_to);
        }
        let hash = taken.remove(&name).ok_or("a flow leads to itself alone")?;
        Ok(FlowRef {
            name,
            version: None,
            hash,
            others: taken,
        })
    }

    fn of_file(&self, dir: &Path, name: &FlowName) -> Result<(FlowHash, Vec<FlowName>), String> {
        let path = dir.join(format!("{name}.json"));
        let of = |error: String| format!("flow {name}: {error}");
        let text = std::fs::read_to_string(&path)
            .map_err(|error| of(format!("{}: {error}", path.display())))?;
        let flow = read(&text, self.records).map_err(of)?;
        let hash = FlowHash::of(&text);
        let leads_to = flow.gotos().into_iter().filter(|to| *to != flow.name);
        let leads_to: Result<Vec<_>, _> = leads_to
            .map(|to| FlowName::parse("goto.flow", to).map_err(|error| of(error.to_string())))
            .collect();
        let leads_to = leads_to?;
        self.memory
            .lock()
            .insert(&hash, &Arc::new(flow), text.len());
        Ok((hash, leads_to))
    }
}
