//! What an operator types, on a real switch and with no bus at all.
#![forbid(unsafe_code)]

use anyhow::{Result, ensure};
use iradialer_rig::event_socket::EventSocket;
use iradialer_rig::freeswitch::{Config, Engine, FreeSwitch, Trunk};
use iradialer_rig::ports::free_port;
use iradialer_rig::repository::Built;
use iradialer_rig::sipp::Sipp;
use iradialer_rig::skip;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const NUMBER: &str = "+15005550001";
/// Longer than anything here takes with every core busy.
const LONG: Duration = Duration::from_secs(30);

struct Site {
    switch: FreeSwitch,
    far_end: Sipp,
    _files: TempDir,
}

impl Site {
    /// `None` where there is no FreeSWITCH.
    async fn start(test: &str, scenario: &str, values: &[(&str, &str)]) -> Result<Option<Self>> {
        let Some(installation) = skip::without_freeswitch(test)? else {
            return Ok(None);
        };
        let files = iradialer_rig::prompts::in_temp_dir()?;
        let flow = r#"{"version": 1, "name": "tone", "start": "a",
            "nodes": {"a": {"play": [{"tone": {"hz": [440], "ms": 200}}], "next": "@hangup"}}}"#;
        std::fs::write(files.path().join("tone.json"), flow)?;
        std::fs::write(files.path().join("broken.json"), r#"{"version": 1}"#)?;
        let far_end = Sipp::start(scenario, values).await?;
        let engine = Engine::new(&Built::now(false)?.module)
            .param("nats-url", format!("nats://127.0.0.1:{}", free_port()?))
            .prompts(files.path())
            .param("flows-dir", files.path().to_string_lossy())
            .param("default-trunk", "carrier")
            .param("max-cps", "1000");
        let config = Config {
            trunks: vec![Trunk {
                name: "carrier".into(),
                far_end: far_end.address(),
            }],
            engine: Some(engine),
            ..Config::default()
        };
        let switch = FreeSwitch::start(&installation, &config).await?;
        Ok(Some(Site {
            switch,
            far_end,
            _files: files,
        }))
    }

    /// No call of the module's, and no channel of the switch's.
    async fn is_empty(&self, socket: &mut EventSocket) -> Result<()> {
        let deadline = Instant::now() + LONG;
        loop {
            let ours = socket.api("iradialer calls").await?;
            let all = socket.api("show channels count").await?;
            if (ours.starts_with("0 total") || ours.contains("not found"))
                && all.contains("0 total")
            {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "still there: {ours}\n{all}\n{}",
                self.switch.process().log_tail()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Changes a parameter of the configuration on the disk.
    fn set(&self, from: &str, to: &str) -> Result<()> {
        let file = self
            .switch
            .dir()
            .join("conf/autoload_configs/iradialer.conf.xml");
        let text = std::fs::read_to_string(&file)?;
        ensure!(text.contains(from), "no {from} in {text}");
        std::fs::write(&file, text.replace(from, to))?;
        Ok(())
    }
}

/// The switch writes what it completes to its own database, a little later.
async fn completes(socket: &mut EventSocket, typed: &str, word: &str) -> Result<()> {
    let deadline = Instant::now() + LONG;
    loop {
        let answer = socket.api(&format!("console_complete {typed}")).await?;
        if answer.contains(word) {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "{typed:?} does not offer {word}: {answer:?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn freeswitch_commands() -> Result<()> {
    let test = "freeswitch_commands";
    let Some(site) = Site::start(test, "answer_silent", &[("keys", "")]).await? else {
        return Ok(());
    };
    let mut socket = site.switch.event_socket().await?;

    for (typed, offered) in [
        ("iradialer s", vec!["status", "show"]),
        ("iradialer r", vec!["resume", "reload"]),
        ("iradialer d", vec!["drain"]),
    ] {
        for word in offered {
            completes(&mut socket, typed, word).await?;
        }
    }

    // Each refusal names what is wrong.
    for (command, said) in [
        ("originate 12", "-ERR number: expected"),
        ("originate +15005550001 nothere", "nothere"),
        ("originate +15005550001 ../tone", "-ERR flow: expected"),
        ("originate +15005550001 broken", "-ERR flow broken: "),
        ("hangup 123", "-ERR uuid: expected"),
        (
            "show 01a1fc29-e3ad-736c-8a53-924b9437893b",
            "-ERR no live call",
        ),
        ("frobnicate", "-USAGE: iradialer status"),
    ] {
        let answer = socket.api(&format!("iradialer {command}")).await?;
        ensure!(answer.contains(said), "{command}: {answer}");
    }
    ensure!(site.far_end.calls()? == 0);

    // With a flow a call ends of its own.
    socket
        .api_ok(&format!("iradialer originate {NUMBER} tone"))
        .await?;
    site.is_empty(&mut socket).await?;
    ensure!(site.far_end.calls()? == 1);

    // Without one it is held until somebody ends it.
    let answer = socket
        .api_ok(&format!("iradialer originate {NUMBER}"))
        .await?;
    let uuid = answer.trim_start_matches("+OK ").to_owned();
    let deadline = Instant::now() + LONG;
    while !socket
        .api(&format!("iradialer show {uuid}"))
        .await?
        .contains("answered")
    {
        ensure!(Instant::now() < deadline, "not answered");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    completes(
        &mut socket,
        &format!("iradialer hangup {}", &uuid[..4]),
        &uuid,
    )
    .await?;

    socket.api_ok("iradialer drain").await?;
    let answer = socket.api(&format!("iradialer originate {NUMBER}")).await?;
    ensure!(answer == "-ERR the switch is draining", "{answer}");
    ensure!(socket.api("iradialer status").await?.contains("draining"));
    socket.api_ok("iradialer resume").await?;

    // A reload touches no live call, changes nothing when the file is wrong, and says what has to wait.
    site.set(
        r#"name="max-calls" value="1000""#,
        r#"name="max-calls" value="many""#,
    )?;
    let answer = socket.api("iradialer reload").await?;
    ensure!(
        answer.contains("nothing was changed") && answer.contains("max-calls"),
        "{answer}"
    );
    site.set(
        r#"name="max-calls" value="many""#,
        r#"name="max-calls" value="1""#,
    )?;
    site.set(r#"value="switch-1""#, r#"value="switch-2""#)?;
    let answer = socket.api_ok("iradialer reload").await?;
    ensure!(answer.contains("node-id"), "{answer}");
    let answer = socket.api(&format!("iradialer originate {NUMBER}")).await?;
    ensure!(answer.contains("max-calls"), "{answer}");
    let status = socket.api("iradialer status").await?;
    ensure!(status.contains("1 of at most 1"), "{status}");
    ensure!(
        status.contains("switch-1 of cluster"),
        "the name it goes by has not changed yet: {status}"
    );
    ensure!(status.contains("NOT CONNECTED"), "{status}");

    socket.api_ok(&format!("iradialer hangup {uuid}")).await?;
    site.is_empty(&mut socket).await?;
    Ok(())
}
