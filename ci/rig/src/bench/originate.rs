//! The peer: `bgapi originate` over the event socket, which is how a dialer outside the switch calls.

use super::{Offer, Outcome, Site, TYPED};
use crate::event_socket::{Event, EventSocket};
use anyhow::Result;
use std::collections::HashSet;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long after the last call was offered its end may take, beyond its ringing.
const SETTLE: Duration = Duration::from_secs(20);

/// Calls by `bgapi originate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Originate {
    /// The events that are listened to.
    hears: &'static str,
    /// Where an answered call goes: an application, or an extension.
    goes_to: &'static str,
}

impl Originate {
    /// Hears that calls ring, are answered and end: as much as the module reports. They hang up as soon as they
    /// are answered.
    pub const HEARS_STEPS: Originate = Originate {
        hears: "CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_ANSWER CHANNEL_HANGUP_COMPLETE",
        goes_to: "&hangup()",
    };
    /// Hears of their ends alone, the least that tells a dialer what became of them.
    pub const HEARS_ENDS: Originate = Originate {
        hears: "CHANNEL_HANGUP_COMPLETE",
        goes_to: "&hangup()",
    };

    /// The same, but answered calls go somewhere, of which this is heard as well.
    pub const fn into(goes_to: &'static str, hears: &'static str) -> Originate {
        Originate { hears, goes_to }
    }

    /// Offers calls on a trunk and follows each to its end. `ring` is how long one takes that is not hung up
    /// on at once.
    pub async fn offer(
        self,
        site: &Site,
        trunk: &str,
        offer: Offer,
        ring: Duration,
    ) -> Result<Outcome> {
        let mut commands = site.switch.event_socket().await?;
        let mut events = site.switch.event_socket().await?;
        events.subscribe(self.hears).await?;
        let channels: Vec<String> = (0..offer.calls)
            .map(|_| Uuid::new_v4().to_string())
            .collect();
        let mut open: HashSet<String> = channels.iter().cloned().collect();

        let (cpu_before, started) = (site.usage().cpu()?, Instant::now());
        let give_up = offer.due(offer.calls) + ring + SETTLE;
        let trunk = trunk.to_owned();
        let sender = tokio::spawn(async move {
            for (index, channel) in (0..).zip(&channels) {
                tokio::time::sleep_until((started + offer.due(index)).into()).await;
                self.send(&mut commands, &trunk, index, channel).await?;
            }
            anyhow::Ok(())
        });
        let mut outcome = Outcome::default();
        let mut last_end = started;
        while !open.is_empty() && started.elapsed() < give_up {
            outcome.most_threads = outcome.most_threads.max(site.usage().threads()?);
            let Ok(event) = events.next_event(Duration::from_secs(1)).await else {
                continue;
            };
            if event.header("Event-Name") != "CHANNEL_HANGUP_COMPLETE" {
                continue;
            }
            if open.remove(event.header("Unique-ID")) {
                outcome.typed += u32::from(event.header("variable_code") == TYPED);
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
        outcome.cpu = site.usage().cpu()? - cpu_before;
        Ok(outcome)
    }

    /// Begins calls and gives no thought to what becomes of them. Returns their channels.
    pub async fn begin(self, site: &Site, trunk: &str, offer: Offer) -> Result<Vec<String>> {
        let mut commands = site.switch.event_socket().await?;
        let started = Instant::now();
        let mut channels = Vec::new();
        for index in 0..offer.calls {
            tokio::time::sleep_until((started + offer.due(index)).into()).await;
            let channel = Uuid::new_v4().to_string();
            self.send(&mut commands, trunk, index, &channel).await?;
            channels.push(channel);
        }
        Ok(channels)
    }

    async fn send(
        self,
        commands: &mut EventSocket,
        trunk: &str,
        index: u32,
        channel: &str,
    ) -> Result<()> {
        let variables = format!(
            "{{origination_uuid={channel},originate_timeout=30,ignore_early_media=true,rtp_timer_name=soft}}"
        );
        let goes_to = self.goes_to;
        commands
            .bgapi(&format!(
                "originate {variables}sofia/gateway/{trunk}/+1500{index:07} {goes_to}"
            ))
            .await?;
        Ok(())
    }
}

fn is_answered(event: &Event) -> bool {
    !matches!(event.header("Caller-Channel-Answered-Time"), "" | "0")
}
