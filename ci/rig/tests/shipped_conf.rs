//! The carrier profiles and dialplans as they are shipped, in a real FreeSWITCH.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, ensure};
use iradialer_rig::freeswitch::{Config, FreeSwitch};
use iradialer_rig::repository;
use iradialer_rig::sipp::Sipp;
use iradialer_rig::skip;
use std::time::{Duration, Instant};

/// The carriers whose gateways are shipped.
const CARRIERS: [&str; 2] = ["chime", "twilio"];
/// Longer than the ping interval of 5 s.
const PING_TIME: Duration = Duration::from_secs(60);

/// Each shipped gateway, with a far end of ours for the carrier, is taken by FreeSWITCH and found
/// up by its OPTIONS ping.
#[tokio::test(flavor = "multi_thread")]
async fn freeswitch_takes_the_shipped_trunks() -> Result<()> {
    let Some(installation) = skip::without_freeswitch("freeswitch_takes_the_shipped_trunks")?
    else {
        return Ok(());
    };
    let far_end = Sipp::start("no_rtp", &[]).await?;
    let switch = FreeSwitch::start(&installation, &Config::default()).await?;
    let shipped = repository::root()?.join("conf/sip_profiles/external");
    for carrier in CARRIERS {
        let text = std::fs::read_to_string(shipped.join(format!("{carrier}.xml")))?;
        let text = with_param(&text, "proxy", &far_end.address().to_string())?;
        // The first ping comes after one interval; the shipped 30 s are long for a test.
        let text = with_param(&text, "ping", "5")?;
        std::fs::write(
            switch.dir().join(format!("conf/trunks/{carrier}.xml")),
            text,
        )?;
    }
    let mut socket = switch.event_socket().await?;
    socket.api_ok("reloadxml").await?;
    socket.api_ok("sofia profile external rescan").await?;
    for carrier in CARRIERS {
        let deadline = Instant::now() + PING_TIME;
        loop {
            let status = socket
                .api(&format!("sofia status gateway {carrier}"))
                .await?;
            let pinged = far_end.received()?.iter().any(|message| {
                message.method() == "OPTIONS"
                    && message
                        .header("To")
                        .contains(&far_end.address().to_string())
            });
            if pinged
                && status
                    .lines()
                    .any(|line| line.starts_with("Status") && line.contains("UP"))
            {
                break;
            }
            ensure!(Instant::now() < deadline, "{carrier} is not up:\n{status}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    Ok(())
}

/// The gateway's XML with another value of a parameter it has.
fn with_param(xml: &str, name: &str, value: &str) -> Result<String> {
    let start = format!("<param name=\"{name}\" value=\"");
    let (head, rest) = xml
        .split_once(&start)
        .with_context(|| format!("no {name}"))?;
    let (_, tail) = rest
        .split_once('"')
        .with_context(|| format!("{name} has no end"))?;
    Ok(format!("{head}{start}{value}\"{tail}"))
}

/// The inbound context answers its test extensions and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn freeswitch_takes_the_inbound_dialplan() -> Result<()> {
    let Some(installation) = skip::without_freeswitch("freeswitch_takes_the_inbound_dialplan")?
    else {
        return Ok(());
    };
    let switch = FreeSwitch::start(&installation, &Config::default()).await?;
    let mut socket = switch.event_socket().await?;
    let own = switch.sip_address();
    let dial = |number: &str| {
        format!("originate {{originate_timeout=10}}sofia/external/{number}@{own} &park()")
    };
    for number in ["9196", "9664"] {
        let answer = socket.api(&dial(number)).await?;
        ensure!(answer.starts_with("+OK"), "{number}: {answer}");
    }
    let answer = socket.api(&dial("15005550000")).await?;
    ensure!(answer.starts_with("-ERR"), "a number nobody has: {answer}");
    Ok(())
}
