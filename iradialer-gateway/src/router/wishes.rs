//! Has switches do what persons want of them: told again until they do, also after a restart of either.

use super::shared::Shared;
use crate::catalogue::{Catalogue, NodeEntry, NodeWish};
use crate::operations::Desk;
use crate::tdb::{Author, Via};
use iradialer_core::value::NodeId;
use iradialer_core::wire::SwitchState;
use std::sync::Arc;

/// How often a switch is told, ms.
const TELL_EVERY_MS: u64 = 2_000;

/// When the switches were last told.
#[derive(Default)]
pub(super) struct Wishes {
    looked_ms: Option<u64>,
}

/// What follows from a wish and what a switch says.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Nothing,
    /// It is told to take calls, or none.
    Tell(bool),
    /// It does as it is to.
    Forget,
}

impl Wishes {
    /// Tells those switches of the region what they do not do yet, if it is time to.
    pub(super) fn look(&mut self, shared: &Arc<Shared>, catalogue: &Catalogue, now_ms: u64) {
        let is_due = self
            .looked_ms
            .is_none_or(|looked_ms| now_ms.saturating_sub(looked_ms) >= TELL_EVERY_MS);
        if !is_due || catalogue.entries.nodes.is_empty() || !shared.is_connected() {
            return;
        }
        self.looked_ms = Some(now_ms);
        // Not in the loop's head: the table would stay locked throughout.
        let here = shared.switches().here(now_ms);
        for chosen in here {
            let node = chosen.node;
            let Some(entry) = catalogue.entries.nodes.get(&node).cloned() else {
                continue;
            };
            let state = shared.switches().state_of(&node);
            let Some(state) = state else {
                continue;
            };
            let step = step(&entry, state, &chosen.incarnation.to_string());
            if step != Step::Nothing {
                let doing = Arc::clone(shared);
                shared
                    .tasks
                    .spawn(async move { take(&doing, node, entry, step).await });
            }
        }
    }
}

fn step(entry: &NodeEntry, state: SwitchState, incarnation: &str) -> Step {
    let is_of_this_life = entry
        .incarnation
        .as_deref()
        .is_none_or(|of| of == incarnation);
    match (entry.wish, state) {
        (NodeWish::Shutdown, _) if !is_of_this_life => Step::Forget,
        (NodeWish::Maintenance | NodeWish::Shutdown, SwitchState::Active) => Step::Tell(false),
        (NodeWish::Resume, SwitchState::Draining) => Step::Tell(true),
        (NodeWish::Resume, SwitchState::Active) => Step::Forget,
        _ => Step::Nothing,
    }
}

async fn take(shared: &Shared, node: NodeId, entry: NodeEntry, step: Step) {
    let app = &shared.app;
    if let Step::Tell(takes_calls) = step {
        match app.switches.activate(node.clone(), takes_calls).await {
            Ok(()) => tracing::info!(%node, takes_calls, "a switch was told"),
            Err(error) => tracing::debug!(%node, %error, "a switch could not be told yet"),
        }
        return;
    }
    let desk = Desk {
        tdb: &app.tdb,
        catalogues: &app.catalogues,
        author: Author {
            via: Via::Nats,
            actor: "router".to_owned(),
            request_id: None,
        },
        now_ms: shared.now_ms(),
    };
    if let Err(error) = desk.forget_wish(&node, &entry).await {
        tracing::debug!(%node, %error, "what was wanted of a switch could not be forgotten yet");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_told_until_it_does_as_it_is_to() {
        let entry = |wish| NodeEntry {
            wish,
            since_ms: 0,
            incarnation: Some("a".to_owned()),
        };
        use SwitchState as S;
        for (wish, state, life, expected) in [
            (NodeWish::Maintenance, S::Active, "b", Step::Tell(false)),
            (NodeWish::Maintenance, S::Draining, "b", Step::Nothing),
            (NodeWish::Shutdown, S::Active, "a", Step::Tell(false)),
            (NodeWish::Shutdown, S::Draining, "a", Step::Nothing),
            (NodeWish::Shutdown, S::Active, "b", Step::Forget),
            (NodeWish::Resume, S::Draining, "b", Step::Tell(true)),
            (NodeWish::Resume, S::Active, "a", Step::Forget),
            (NodeWish::Resume, S::Faulty, "a", Step::Nothing),
            (NodeWish::Disabled, S::Active, "a", Step::Nothing),
        ] {
            assert_eq!(
                step(&entry(wish), state, life),
                expected,
                "{wish:?} {state:?} {life}"
            );
        }
    }
}
