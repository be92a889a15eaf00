//! The far ends of the suite, tried with FreeSWITCH's own `originate`, without our module: what a sipp
//! scenario or a scripted callee does must be right before it can judge anything.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, ensure};
use iradialer_rig::event_socket::EventSocket;
use iradialer_rig::freeswitch::{Config, FreeSwitch, Trunk};
use iradialer_rig::sipp::Sipp;
use iradialer_rig::skip;
use std::time::{Duration, Instant};

/// Longer than the slowest far end takes to do what it does.
const CALL_TIME: Duration = Duration::from_secs(25);

/// What a call was, as the switch saw it.
#[derive(Debug, Default)]
struct Seen {
    /// `ringing`, `early_media`, `answered` in the order they came.
    steps: Vec<&'static str>,
    keys: String,
    key_source: String,
    sip_status: String,
    sip_phrase: String,
    ended_by_callee: bool,
    answered_after: Option<Duration>,
}

/// Dials and watches the call until it ends. It is hung up once `keys` have come, if there are any, else
/// `hold` after the answer.
async fn call(
    mut socket: EventSocket,
    trunk: &str,
    number: &str,
    keys: &str,
    hold: Duration,
) -> Result<Seen> {
    let uuid = uuid::Uuid::new_v4().to_string();
    socket
        .subscribe(
            "CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_ANSWER DTMF CHANNEL_HANGUP_COMPLETE",
        )
        .await?;
    let vars = format!("origination_uuid={uuid},originate_timeout=12,ignore_early_media=true");
    let begun = Instant::now();
    socket
        .bgapi(&format!(
            "originate {{{vars}}}sofia/gateway/{trunk}/{number} &park()"
        ))
        .await?;
    let mut seen = Seen::default();
    let mut hung_up = false;
    loop {
        ensure!(
            begun.elapsed() < CALL_TIME,
            "{number}: still up after {CALL_TIME:?}: {seen:?}"
        );
        let held = keys.is_empty()
            && seen
                .answered_after
                .is_some_and(|at| begun.elapsed() > at + hold);
        let complete = !keys.is_empty() && seen.keys.len() >= keys.len();
        if (held || complete) && !hung_up {
            hung_up = true;
            socket.api(&format!("uuid_kill {uuid}")).await?;
        }
        let Ok(event) = socket.next_event(Duration::from_millis(100)).await else {
            continue;
        };
        if event.header("Unique-ID") != uuid {
            continue;
        }
        match event.name() {
            "CHANNEL_PROGRESS" => seen.steps.push("ringing"),
            "CHANNEL_PROGRESS_MEDIA" => seen.steps.push("early_media"),
            "CHANNEL_ANSWER" => {
                seen.steps.push("answered");
                seen.answered_after = Some(begun.elapsed());
            }
            "DTMF" => {
                seen.keys.push_str(event.header("DTMF-Digit"));
                seen.key_source = event.header("DTMF-Source").to_owned();
            }
            "CHANNEL_HANGUP_COMPLETE" => {
                seen.sip_status = event.variable("sip_invite_failure_status").to_owned();
                seen.sip_phrase = event.variable("sip_invite_failure_phrase").to_owned();
                seen.ended_by_callee = event.variable("sip_hangup_disposition") == "recv_bye";
                return Ok(seen);
            }
            _ => {}
        }
    }
}

/// What is expected of a far end.
struct Expected {
    steps: &'static [&'static str],
    keys: &'static str,
    source: &'static str,
    status: &'static str,
    by_callee: bool,
}

const ANSWERS: Expected = Expected {
    steps: &["answered"],
    keys: "",
    source: "",
    status: "",
    by_callee: false,
};

const RINGS: Expected = Expected {
    steps: &["ringing", "answered"],
    ..ANSWERS
};

fn rejects(status: &'static str) -> Expected {
    Expected {
        steps: &[],
        status,
        ..ANSWERS
    }
}

fn presses(steps: &'static [&'static str], keys: &'static str, source: &'static str) -> Expected {
    Expected {
        steps,
        keys,
        source,
        ..ANSWERS
    }
}

fn judge(name: &str, seen: &Seen, expected: &Expected) -> Result<()> {
    let by_callee = seen.ended_by_callee == expected.by_callee;
    ensure!(
        seen.steps == expected.steps
            && seen.keys == expected.keys
            && seen.key_source == expected.source
            && seen.sip_status == expected.status
            && by_callee,
        "{name}: expected {:?}, keys '{}' ({}), status '{}', ended by callee {}; saw {seen:?}",
        expected.steps,
        expected.keys,
        expected.source,
        expected.status,
        expected.by_callee
    );
    Ok(())
}

/// Runs all at once and reports every failure, not only the first.
async fn all(calls: Vec<(String, impl Future<Output = Result<()>>)>) -> Result<()> {
    let (names, runs): (Vec<_>, Vec<_>) = calls.into_iter().unzip();
    let results = futures::future::join_all(runs).await;
    let failures: Vec<String> = names
        .iter()
        .zip(results)
        .filter_map(|(name, result)| result.err().map(|error| format!("{name}: {error:#}")))
        .collect();
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

type SippCase = (
    &'static str,
    &'static [(&'static str, &'static str)],
    Expected,
);

#[tokio::test(flavor = "multi_thread")]
async fn freeswitch_and_the_sipp_scenarios() -> Result<()> {
    let Some(installation) = skip::without_freeswitch("freeswitch_and_the_sipp_scenarios")? else {
        return Ok(());
    };
    let cases: Vec<SippCase> = vec![
        (
            "answer_keys",
            &[("keys", "1")],
            presses(RINGS.steps, "1", "RTP"),
        ),
        (
            "answer_keys",
            &[("keys", "4321#")],
            presses(RINGS.steps, "4321#", "RTP"),
        ),
        ("answer_info", &[], presses(ANSWERS.steps, "1", "ENDPOINT")),
        ("no_rtp", &[], ANSWERS),
        (
            "hang_up",
            &[],
            Expected {
                by_callee: true,
                ..ANSWERS
            },
        ),
        (
            "early_media",
            &[("keys", "1"), ("early", ",,")],
            presses(&["early_media", "answered"], "1", "RTP"),
        ),
        (
            "late_ring",
            &[("keys", "1")],
            presses(RINGS.steps, "1", "RTP"),
        ),
        (
            "ring",
            &[],
            Expected {
                steps: &["ringing"],
                status: "487",
                ..ANSWERS
            },
        ),
        (
            "ring_reject",
            &[("status", "603"), ("phrase", "Decline")],
            Expected {
                steps: &["ringing"],
                ..rejects("603")
            },
        ),
        (
            "reject",
            &[("status", "486"), ("phrase", "Busy Here")],
            rejects("486"),
        ),
        (
            "reject",
            &[("status", "480"), ("phrase", "Temporarily Unavailable")],
            rejects("480"),
        ),
        (
            "reject",
            &[("status", "404"), ("phrase", "Not Found")],
            rejects("404"),
        ),
        (
            "reject",
            &[("status", "403"), ("phrase", "Forbidden")],
            rejects("403"),
        ),
        (
            "reject",
            &[("status", "503"), ("phrase", "Service Unavailable")],
            rejects("503"),
        ),
        (
            "reject",
            &[("status", "603"), ("phrase", "Decline")],
            rejects("603"),
        ),
    ];
    let far_ends =
        futures::future::try_join_all(cases.iter().map(|(name, keys, _)| Sipp::start(name, keys)))
            .await?;
    let trunks = far_ends.iter().enumerate().map(|(n, sipp)| Trunk {
        name: format!("t{n}"),
        far_end: sipp.address(),
    });
    let config = Config {
        trunks: trunks.collect(),
        ..Config::default()
    };
    let switch = FreeSwitch::start(&installation, &config).await?;
    let mut calls = Vec::new();
    for (n, ((scenario, keys, expected), sipp)) in cases.iter().zip(&far_ends).enumerate() {
        let socket = switch.event_socket().await?;
        calls.push((format!("{scenario} {keys:?}"), async move {
            let seen = call(
                socket,
                &format!("t{n}"),
                "+15005550000",
                expected.keys,
                Duration::from_secs(2),
            )
            .await?;
            judge(scenario, &seen, expected)?;
            ensure!(sipp.calls()? == 1, "{} INVITEs came", sipp.calls()?);
            ensure!(
                sipp.received()?[0].uri().contains("+15005550000@"),
                "{:?}",
                sipp.received()?[0]
            );
            Ok(())
        }));
    }
    all(calls)
        .await
        .with_context(|| switch.process().log_tail())
}

#[tokio::test(flavor = "multi_thread")]
async fn freeswitch_and_the_scripted_callees() -> Result<()> {
    let Some(installation) = skip::without_freeswitch("freeswitch_and_the_scripted_callees")?
    else {
        return Ok(());
    };
    let cases: Vec<(&str, Expected)> = vec![
        ("+15005550001", presses(RINGS.steps, "1", "RTP")),
        ("+15005550002", ANSWERS),
        ("+15005550003", rejects("486")),
        (
            "+15005550004",
            Expected {
                steps: &["ringing"],
                status: "487",
                ..ANSWERS
            },
        ),
        ("+15005550005", rejects("603")),
        ("+15005550006", presses(RINGS.steps, "14321#", "RTP")),
        (
            "+15005550007",
            Expected {
                by_callee: true,
                ..ANSWERS
            },
        ),
        ("+15005550008", presses(RINGS.steps, "1", "RTP")),
        ("+15005550009", RINGS),
        (
            "+15005550010",
            presses(&["early_media", "answered"], "1", "RTP"),
        ),
        ("+15005550011", ANSWERS),
        (
            "+15005550012",
            Expected {
                status: "487",
                steps: &[],
                ..ANSWERS
            },
        ),
        ("+15005550013", presses(ANSWERS.steps, "1", "ENDPOINT")),
        (
            "+15005550014",
            Expected {
                steps: &["ringing"],
                status: "487",
                ..ANSWERS
            },
        ),
        (
            "+150055690817263",
            presses(ANSWERS.steps, "90817263", "RTP"),
        ),
        ("+15005557404", rejects("404")),
        ("+15005557503", rejects("503")),
        ("+15005557699", rejects("699")),
        ("+15005550099", rejects("404")),
    ];
    let callee_port = iradialer_rig::ports::free_port()?;
    let trunk = Trunk {
        name: "callee".into(),
        far_end: ([127, 0, 0, 1], callee_port).into(),
    };
    let config = Config {
        trunks: vec![trunk],
        callee_port: Some(callee_port),
        ..Config::default()
    };
    let switch = FreeSwitch::start(&installation, &config).await?;
    let mut calls = Vec::new();
    for (number, expected) in &cases {
        let socket = switch.event_socket().await?;
        calls.push((number.to_string(), async move {
            let seen = call(
                socket,
                "callee",
                number,
                expected.keys,
                Duration::from_secs(2),
            )
            .await?;
            judge(number, &seen, expected)
        }));
    }
    all(calls)
        .await
        .with_context(|| switch.process().log_tail())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_freeswitch_leaves_nothing() -> Result<()> {
    let Some(installation) = skip::without_freeswitch("a_stopped_freeswitch_leaves_nothing")?
    else {
        return Ok(());
    };
    let switch = FreeSwitch::start(&installation, &Config::default()).await?;
    let (id, dir) = (switch.process().id(), switch.dir().to_owned());
    let mut socket = switch.event_socket().await?;
    let version = socket.api("version").await?;
    ensure!(version.contains(&installation.version), "{version}");
    let status = switch.stop().await?;
    ensure!(status.success(), "it ended with {status}");
    ensure!(
        !std::path::Path::new(&format!("/proc/{id}")).exists(),
        "process {id} is there"
    );
    ensure!(!dir.exists(), "{} is there", dir.display());
    Ok(())
}
