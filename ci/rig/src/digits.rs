//! Random sequences of keys, typed fast and ahead of what asks for them, compared with what a flow has collected:
//! no key may be lost or come twice.

use crate::freeswitch::{self, Installation};
use crate::gateway::{Campaign, Config, Trunk};
use crate::prompts;
use crate::repository::Built;
use crate::sipp::{Ports, Sipp};
use crate::system::{Bus, Host, System};
use crate::webhook::Delivery;
use anyhow::{Result, ensure};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value, json};
use std::time::Duration;

const TENANT: &str = "acme";
/// The keys that a sequence is made of; `#` ends one.
const KEYS: [char; 11] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*'];
/// The most keys of a sequence.
const LONGEST: usize = 12;
/// How long a call may take.
const LONG: Duration = Duration::from_secs(180);

/// What was typed, and what was not heard as it was typed.
#[derive(Debug, Default)]
pub struct Tally {
    /// Sequences.
    pub sequences: usize,
    /// Keys of all of them.
    pub keys: usize,
    /// One line for each call in which something was lost or doubled.
    pub faults: Vec<String>,
}

/// What one node collects.
struct Sequence {
    keys: String,
    /// With `#`; else the node asks for exactly so many.
    is_terminated: bool,
}

impl Sequence {
    fn any(rng: &mut StdRng) -> Self {
        let is_terminated = rng.random_bool(0.5);
        let longest = LONGEST - usize::from(is_terminated);
        let keys = (0..rng.random_range(1..=longest))
            .map(|_| KEYS[rng.random_range(0..KEYS.len())])
            .collect();
        Sequence {
            keys,
            is_terminated,
        }
    }

    fn typed(&self) -> String {
        match self.is_terminated {
            true => format!("{}#", self.keys),
            false => self.keys.clone(),
        }
    }
}

/// A flow that collects one after the other, with prompts that are typed over, and some that are heard out.
fn flow(sequences: &[Sequence], rng: &mut StdRng) -> Value {
    let mut nodes = Map::new();
    for (n, sequence) in sequences.iter().enumerate() {
        let asks = format!("ask{n}");
        let next = match n + 1 < sequences.len() {
            true => format!("say{}", n + 1),
            false => "@hangup".to_owned(),
        };
        nodes.insert(
            format!("say{n}"),
            json!({
                "play": [{"tone": {"hz": [440], "ms": rng.random_range(20..400)}}],
                "barge_in": rng.random_bool(0.5),
                "next": asks,
            }),
        );
        let most = match sequence.is_terminated {
            true => LONGEST,
            false => sequence.keys.len(),
        };
        nodes.insert(
            asks.clone(),
            json!({
                "collect": {
                    "prompt": [{"silence": rng.random_range(20..1_000)}], "var": asks, "min_digits": 1,
                    "max_digits": most, "terminators": "#", "pattern": "^[0-9*]+$", "timeout_ms": 20_000,
                    "inter_digit_ms": 10_000, "retries": 0, "exhausted": "@hangup",
                },
                "next": next,
            }),
        );
    }
    json!({"version": 1, "name": "digits", "start": "say0", "no_agent": "a test", "nodes": nodes})
}

/// What of a call was not heard as it was typed.
fn fault(sequences: &[Sequence], events: &[Delivery]) -> Option<String> {
    let text = |event: &Delivery, name: &str| event.data[name].as_str().unwrap_or("").to_owned();
    let of = |name: &str| {
        let name = name.to_owned();
        events.iter().filter(move |event| event.name == name)
    };
    let typed: String = sequences.iter().map(Sequence::typed).collect();
    let heard: String = of("dtmf").map(|event| text(event, "digit")).collect();
    if typed != heard {
        return Some(format!("typed {typed}, heard {heard}"));
    }
    let wanted: Vec<&str> = sequences.iter().map(|one| one.keys.as_str()).collect();
    let collected: Vec<String> = of("dtmf_collected")
        .map(|event| text(event, "digits"))
        .collect();
    (wanted != collected).then(|| format!("typed {wanted:?}, collected {collected:?}"))
}

/// Has that many callers at once type so many sequences each, on FreeSWITCH with sipp: RFC 4733, 60 ms a key and
/// 60 ms apart.
pub async fn on_freeswitch(
    built: &Built,
    installation: &Installation,
    places: &[Ports],
    each: usize,
    seed: u64,
) -> Result<Tally> {
    let mut rng = StdRng::seed_from_u64(seed);
    let calls: Vec<Vec<Sequence>> = places
        .iter()
        .map(|_| (0..each).map(|_| Sequence::any(&mut rng)).collect())
        .collect();
    let mut far_ends = Vec::new();
    for (place, sequences) in places.iter().zip(&calls) {
        let mut typed = "!".to_owned();
        for sequence in sequences {
            typed += &sequence.typed();
            typed += &".".repeat(rng.random_range(0..=6));
        }
        far_ends.push(Sipp::start_on(*place, "answer_keys", &[("keys", &typed)]).await?);
    }
    let trunks = far_ends
        .iter()
        .enumerate()
        .map(|(n, sipp)| freeswitch::Trunk {
            name: name_of(n),
            far_end: sipp.address(),
        });
    let switch = freeswitch::Config {
        trunks: trunks.collect(),
        ..freeswitch::Config::default()
    };
    let host = Host::FreeSwitch(installation.clone(), switch);
    let numbers = vec!["+15005550001".to_owned(); calls.len()];
    run(built, host, &calls, &numbers, &mut rng).await
}

/// The same with the sandbox's callees, who type up to eight digits: one call for each, split up between nodes.
pub async fn on_sandbox(built: &Built, calls: usize, seed: u64) -> Result<Tally> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut numbers = Vec::new();
    let calls: Vec<Vec<Sequence>> = (0..calls)
        .map(|_| {
            let digits: Vec<char> = (0..rng.random_range(1..=8))
                .map(|_| KEYS[rng.random_range(0..10)])
                .collect();
            numbers.push(format!("+1500556{}", digits.iter().collect::<String>()));
            let mut rest = digits.as_slice();
            let mut sequences = Vec::new();
            while !rest.is_empty() {
                let (keys, others) = rest.split_at(rng.random_range(1..=rest.len()));
                rest = others;
                sequences.push(Sequence {
                    keys: keys.iter().collect(),
                    is_terminated: false,
                });
            }
            sequences
        })
        .collect();
    let host = Host::Sandbox { clock_rate: 1 };
    run(built, host, &calls, &numbers, &mut rng).await
}

fn name_of(call: usize) -> String {
    format!("typist{call}")
}

async fn run(
    built: &Built,
    host: Host,
    calls: &[Vec<Sequence>],
    numbers: &[String],
    rng: &mut StdRng,
) -> Result<Tally> {
    let prompts = prompts::in_temp_dir()?;
    let names: Vec<String> = (0..calls.len()).map(name_of).collect();
    let config = Config {
        trunks: names
            .iter()
            .map(|name| Trunk {
                name: name.clone(),
                max_cps: 10.0,
                max_calls: 10,
            })
            .collect(),
        campaigns: names
            .iter()
            .map(|name| Campaign {
                name: name.clone(),
                tenant_id: TENANT.into(),
                trunks: vec![name.clone()],
                from_number: "+15005550100".into(),
                event_url: String::new(),
                flow: String::new(),
                max_calls: 10,
            })
            .collect(),
        ..Config::default()
    };
    let system = System::start(built, host, Bus::Named, config, prompts.path()).await?;
    let api = system.gateway.api(TENANT)?;
    let mut placed = Vec::new();
    for ((name, number), sequences) in names.iter().zip(numbers).zip(calls) {
        let request = json!({
            "campaign_name": name, "to_number": number, "dial_timeout": 30, "ivr": flow(sequences, rng),
        });
        placed.push(api.make_call(&request).await?);
    }
    let mut tally = Tally::default();
    for (call, sequences) in placed.iter().zip(calls) {
        let events = system.webhooks.wait_for_end(call, LONG).await?;
        tally.sequences += sequences.len();
        tally.keys += sequences.iter().map(|one| one.typed().len()).sum::<usize>();
        tally.faults.extend(fault(sequences, &events));
    }
    ensure!(tally.sequences > 0, "nothing was typed: {}", system.logs());
    Ok(tally)
}
