//! The peer: `bgapi originate` over the event socket, which is how a dialer outside the switch calls.

use super::{Offer, Outcome, Site};
use crate::event_socket::{Event, EventSocket};
use anyhow::Result;
use std::collections::HashSet;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long after the last call was offered its end may take, beyond its ringing.
const SETTLE: Duration = Duration::from_secs(20);

/// Calls by `bgapi originate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Originate {
    /// Hears that calls ring, are answered and end: as much as the module reports.
    HearsSteps,
    /// Hears of their ends alone, the least that tells a dialer what became of them.
    HearsEnds,
}

impl Originate {
    fn events(self) -> &'static str {
        match self {
            Originate::HearsSteps => {
                "CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_ANSWER CHANNEL_HANGUP_COMPLETE"
            }
            Originate::HearsEnds => "CHANNEL_HANGUP_COMPLETE",
        }
    }

    /// Offers calls on a trunk and follows each to its end. They hang up as soon as they are answered.
    pub async fn offer(
        self,
        site: &Site,
        trunk: &str,
        offer: Offer,
        ring: Duration,
    ) -> Result<Outcome> {
        let mut commands = site.switch.event_socket().await?;
        let mut events = site.switch.event_socket().await?;
        events.subscribe(self.events()).await?;
        let channels: Vec<String> = (0..offer.calls)
            .map(|_| Uuid::new_v4().to_string())
            .collect();
        let mut open: HashSet<String> = channels.iter().cloned().collect();

        let (cpu_before, started) = (site.switch_cpu()?, Instant::now());
        let give_up = offer.due(offer.calls) + ring + SETTLE;
        let trunk = trunk.to_owned();
        let sender = tokio::spawn(async move {
            for (index, channel) in (0..).zip(&channels) {
                tokio::time::sleep_until((started + offer.due(index)).into()).await;
                send(&mut commands, &trunk, index, channel).await?;
            }
            anyhow::Ok(())
        });
        let mut outcome = Outcome::default();
        let mut last_end = started;
        while !open.is_empty() && started.elapsed() < give_up {
            outcome.most_threads = outcome.most_threads.max(site.switch_threads()?);
            let Ok(event) = events.next_event(Duration::from_secs(1)).await else {
                continue;
            };
            if event.header("Event-Name") != "CHANNEL_HANGUP_COMPLETE" {
                continue;
            }
            if open.remove(event.header("Unique-ID")) {
                if is_answered(&event) {
                    outcome.completed += 1;
                } else {
                    outcome.failed += 1;
                }
                last_end = Instant::now();
            }
        }
        sender.abort();
        outcome.lost = u32::try_from(open.len())?;
        outcome.took = last_end - started;
        outcome.cpu = site.switch_cpu()? - cpu_before;
        Ok(outcome)
    }
}

async fn send(commands: &mut EventSocket, trunk: &str, index: u32, channel: &str) -> Result<()> {
    let variables = format!(
        "{{origination_uuid={channel},originate_timeout=30,ignore_early_media=true,rtp_timer_name=soft}}"
    );
    commands
        .bgapi(&format!(
            "originate {variables}sofia/gateway/{trunk}/+1500{index:07} &hangup()"
        ))
        .await?;
    Ok(())
}

fn is_answered(event: &Event) -> bool {
    !matches!(event.header("Caller-Channel-Answered-Time"), "" | "0")
}
