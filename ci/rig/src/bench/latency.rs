//! From the POST to the INVITE on the wire, through the whole system.

use super::Offer;
use crate::freeswitch;
use crate::freeswitch::Installation;
use crate::gateway::{self, Campaign};
use crate::prompts;
use crate::repository::Built;
use crate::system::{Bus, Host, System};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::task::{JoinHandle, JoinSet};

const TRUNK: &str = "doorbell";
const TENANT: &str = "bench";

/// A far end that notes when each number is first rung, and is always busy.
struct Doorbell {
    address: SocketAddr,
    rung: Arc<Mutex<HashMap<String, Instant>>>,
    task: JoinHandle<()>,
}

impl Doorbell {
    async fn start() -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = socket.local_addr()?;
        let rung: Arc<Mutex<HashMap<String, Instant>>> = Arc::default();
        let noted = rung.clone();
        let task = tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((len, from)) = socket.recv_from(&mut buffer).await {
                let now = Instant::now();
                let text = String::from_utf8_lossy(&buffer[..len]);
                if let Some((number, busy)) = answer(&text) {
                    noted
                        .lock()
                        .expect("no panic holds it")
                        .entry(number)
                        .or_insert(now);
                    // A lost answer is asked for again by a repeated INVITE.
                    let _ = socket.send_to(busy.as_bytes(), from).await;
                }
            }
        });
        Ok(Doorbell {
            address,
            rung,
            task,
        })
    }
}

impl Drop for Doorbell {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The number an INVITE is for, and a 486 to it. Anything else needs no answer.
fn answer(request: &str) -> Option<(String, String)> {
    let number = request
        .strip_prefix("INVITE sip:")?
        .split('@')
        .next()?
        .to_owned();
    let mut busy = "SIP/2.0 486 Busy Here\r\n".to_owned();
    for line in request.lines().take_while(|line| !line.is_empty()) {
        let name = line.split(':').next().unwrap_or_default();
        match name {
            "Via" | "From" | "Call-ID" | "CSeq" => busy += &format!("{line}\r\n"),
            "To" => busy += &format!("{line};tag=doorbell\r\n"),
            _ => {}
        }
    }
    Some((number, busy + "Content-Length: 0\r\n\r\n"))
}

/// How long each call took from the POST to the INVITE, ms, shortest first.
pub async fn post_to_invite(
    installation: &Installation,
    built: &Built,
    offer: Offer,
) -> Result<Vec<f64>> {
    let doorbell = Doorbell::start().await?;
    let system = start(installation, built, doorbell.address).await?;
    let api = Arc::new(system.gateway.api(TENANT)?);
    let started = Instant::now();
    let mut posts = JoinSet::new();
    for index in 0..offer.calls {
        tokio::time::sleep_until((started + offer.due(index)).into()).await;
        let api = api.clone();
        posts.spawn(async move {
            let number = format!("+1500{index:07}");
            let posted = Instant::now();
            api.make_call(&json!({"campaign_name": "bench", "to_number": number}))
                .await?;
            anyhow::Ok((number, posted))
        });
    }
    let mut posted = HashMap::new();
    while let Some(post) = posts.join_next().await {
        let (number, at) = post??;
        posted.insert(number, at);
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    while doorbell.rung.lock().expect("no panic holds it").len() < posted.len() {
        ensure!(
            Instant::now() < deadline,
            "not every call was dialled\n{}",
            system.logs()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let rung = doorbell.rung.lock().expect("no panic holds it");
    let mut took = Vec::new();
    for (number, at) in &posted {
        let invited = rung
            .get(number)
            .context("a number that was not posted was rung")?;
        took.push((*invited - *at).as_secs_f64() * 1e3);
    }
    took.sort_by(f64::total_cmp);
    Ok(took)
}

async fn start(installation: &Installation, built: &Built, far_end: SocketAddr) -> Result<System> {
    let config = gateway::Config {
        trunks: vec![gateway::Trunk {
            name: TRUNK.into(),
            max_cps: 1_000.0,
            max_calls: 1_000,
        }],
        campaigns: vec![Campaign {
            name: "bench".into(),
            tenant_id: TENANT.into(),
            trunks: vec![TRUNK.into()],
            from_number: String::new(),
            event_url: String::new(),
            flow: String::new(),
            max_calls: 1_000,
        }],
        ..gateway::Config::default()
    };
    let trunks = vec![freeswitch::Trunk {
        name: TRUNK.into(),
        far_end,
    }];
    let host = Host::FreeSwitch(
        installation.clone(),
        freeswitch::Config {
            trunks,
            log: "warning",
            ..freeswitch::Config::default()
        },
    );
    let prompts = prompts::in_temp_dir()?;
    System::start(built, host, Bus::OfTheGateway, config, prompts.path()).await
}

/// The figure that so much of a sorted list does not exceed.
pub fn quantile(sorted: &[f64], part: f64) -> f64 {
    let index = (sorted.len() as f64 * part).ceil() as usize;
    sorted
        .get(index.saturating_sub(1))
        .copied()
        .unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_a_hundred() {
        let figures: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(
            (quantile(&figures, 0.5), quantile(&figures, 0.99)),
            (50.0, 99.0)
        );
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn an_invite_is_answered_in_its_own_words() {
        let invite =
            "INVITE sip:+1500@h SIP/2.0\r\nVia: a\r\nTo: <sip:x>\r\nCSeq: 1 INVITE\r\n\r\nv=0";
        let (number, busy) = answer(invite).unwrap();
        assert_eq!(number, "+1500");
        assert!(
            busy.contains("Via: a\r\n") && busy.contains("To: <sip:x>;tag=doorbell\r\n"),
            "{busy}"
        );
        assert!(answer("ACK sip:+1500@h SIP/2.0\r\n\r\n").is_none());
    }
}
