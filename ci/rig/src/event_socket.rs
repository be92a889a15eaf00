//! A client of FreeSWITCH's event socket: commands and events, nothing more.

use anyhow::{Context, Result, bail, ensure};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

/// How long a command may take. `reload` of a module with calls up is the slowest.
const COMMAND_TIME: Duration = Duration::from_secs(30);

/// A connection that has logged on.
pub struct EventSocket {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    /// Events that came while an answer was awaited.
    waiting: VecDeque<Event>,
}

/// An event, or any other message of the socket: its headers, decoded, and its body.
#[derive(Debug, Clone, Default)]
pub struct Event {
    headers: BTreeMap<String, String>,
    /// What follows the headers.
    pub body: String,
}

impl Event {
    /// The header of that name, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The event's name, such as `CHANNEL_HANGUP_COMPLETE`.
    pub fn name(&self) -> &str {
        self.header("Event-Name")
    }

    /// The channel variable of that name, or nothing.
    pub fn variable(&self, name: &str) -> &str {
        self.header(&format!("variable_{name}"))
    }
}

impl EventSocket {
    /// Connects and logs on.
    pub async fn connect(address: SocketAddr, password: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("connecting to the event socket at {address}"))?;
        let (reader, writer) = stream.into_split();
        let mut socket = EventSocket {
            reader: BufReader::new(reader),
            writer,
            waiting: VecDeque::new(),
        };
        let hello = timeout(COMMAND_TIME, socket.read_message()).await??;
        ensure!(
            hello.header("Content-Type") == "auth/request",
            "not an event socket at {address}: {hello:?}"
        );
        socket.command(&format!("auth {password}")).await?;
        Ok(socket)
    }

    /// Runs an API command as `fs_cli` does and gives what it printed.
    pub async fn api(&mut self, command: &str) -> Result<String> {
        self.send(&format!("api {command}")).await?;
        let answer = self.answer("api/response", command).await?;
        Ok(answer.body.trim_end().to_owned())
    }

    /// As [`EventSocket::api`], and an answer that starts with `-ERR` or `-USAGE` is an error.
    pub async fn api_ok(&mut self, command: &str) -> Result<String> {
        let answer = self.api(command).await?;
        ensure!(!answer.starts_with('-'), "{command}: {answer}");
        Ok(answer)
    }

    /// Starts an API command in the background; its `BACKGROUND_JOB` event has the job id given here.
    pub async fn bgapi(&mut self, command: &str) -> Result<String> {
        let reply = self.command(&format!("bgapi {command}")).await?;
        Ok(reply.header("Job-UUID").to_owned())
    }

    /// Asks for events of these names, separated by spaces.
    pub async fn subscribe(&mut self, names: &str) -> Result<()> {
        self.command(&format!("event plain {names}")).await?;
        Ok(())
    }

    /// The next event asked for, at most so long.
    pub async fn next_event(&mut self, within: Duration) -> Result<Event> {
        if let Some(event) = self.waiting.pop_front() {
            return Ok(event);
        }
        let read = async {
            loop {
                let message = self.read_message().await?;
                if let Some(event) = as_event(&message) {
                    return Ok(event);
                }
            }
        };
        timeout(within, read)
            .await
            .with_context(|| format!("no event within {within:?}"))?
    }

    /// The next event that `wanted` accepts, at most so long; those before it are dropped.
    pub async fn wait_for(
        &mut self,
        what: &str,
        within: Duration,
        mut wanted: impl FnMut(&Event) -> bool,
    ) -> Result<Event> {
        let search = async {
            loop {
                let event = self.next_event(within).await?;
                if wanted(&event) {
                    return Ok(event);
                }
            }
        };
        timeout(within, search)
            .await
            .with_context(|| format!("no {what} within {within:?}"))?
    }

    async fn send(&mut self, line: &str) -> Result<()> {
        ensure!(
            !line.contains(['\n', '\r']),
            "a command is one line: {line:?}"
        );
        self.writer
            .write_all(format!("{line}\n\n").as_bytes())
            .await?;
        Ok(())
    }

    async fn command(&mut self, line: &str) -> Result<Event> {
        self.send(line).await?;
        let reply = self.answer("command/reply", line).await?;
        let text = reply.header("Reply-Text");
        ensure!(text.starts_with("+OK"), "{line}: {text}");
        Ok(reply)
    }

    async fn answer(&mut self, kind: &str, command: &str) -> Result<Event> {
        let read = async {
            loop {
                let message = self.read_message().await?;
                if message.header("Content-Type") == kind {
                    return Ok(message);
                }
                self.waiting.extend(as_event(&message));
            }
        };
        timeout(COMMAND_TIME, read)
            .await
            .with_context(|| format!("no answer to '{command}' within {COMMAND_TIME:?}"))?
    }

    async fn read_message(&mut self) -> Result<Event> {
        let mut message = Event::default();
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).await? == 0 {
                bail!("the switch closed the event socket");
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            message.headers.extend(parse_header(line));
        }
        if let Ok(length) = message.header("Content-Length").parse() {
            let mut body = vec![0; length];
            self.reader.read_exact(&mut body).await?;
            message.body = String::from_utf8_lossy(&body).into_owned();
        }
        Ok(message)
    }
}

/// The event inside a `text/event-plain` message.
fn as_event(message: &Event) -> Option<Event> {
    if message.header("Content-Type") != "text/event-plain" {
        return None;
    }
    let (head, body) = message
        .body
        .split_once("\n\n")
        .unwrap_or((&message.body, ""));
    Some(Event {
        headers: head.lines().filter_map(parse_header).collect(),
        body: body.to_owned(),
    })
}

fn parse_header(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(": ")?;
    Some((name.to_owned(), percent_decoded(value)))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = (first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_decoded() {
        let body = "Event-Name: DTMF\nvariable_to: %2B1500%205\n\ntail";
        let message = Event {
            headers: BTreeMap::from([("Content-Type".into(), "text/event-plain".into())]),
            body: body.into(),
        };
        let event = as_event(&message).unwrap();
        assert_eq!(event.name(), "DTMF");
        assert_eq!(event.variable("to"), "+1500 5");
        assert_eq!(event.body, "tail");
    }

    #[test]
    fn a_stray_percent_stays() {
        assert_eq!(percent_decoded("50%, 5%2"), "50%, 5%2");
    }
}
