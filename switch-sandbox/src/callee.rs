//! The scripted callees: the number dialled says what the far end does and when.

use std::fmt::Write;
use std::time::Duration;

/// How long any answer of the far end takes on its way.
const REPLY: Duration = Duration::from_millis(20);
/// SIP timer B, after which an INVITE that nobody answered fails (RFC 3261, 64 * T1).
const TIMER_B: Duration = Duration::from_secs(32);
/// When the polite callees press their key, counted from the answer.
const PRESS: Duration = Duration::from_millis(1500);

/// What the far end does at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// 180 Ringing.
    Ring,
    /// 183 Session Progress with media.
    EarlyMedia,
    /// 200 OK.
    Answer,
    /// One key, `0-9`, `*` or `#`, in ASCII.
    Press(u8, KeyWay),
    /// It begins or ends to speak.
    Speak(bool),
    /// BYE.
    HangUp,
    /// A final SIP status, 400-699.
    Refuse(u16),
    /// 503 with the phrase of a carrier that is given more calls a second than it takes.
    TooFast,
    /// Nothing ever came back: the switch gives up by itself.
    GiveUp,
}

/// How a key reaches the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyWay {
    /// RTP events, RFC 4733.
    Rtp,
    /// A SIP INFO request.
    Info,
    /// A tone in the audio, which is found where somebody looks for it.
    Tone,
    /// RTP events and a tone in the audio.
    RtpAndTone,
}

/// An act and when it comes, counted from the INVITE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Since the INVITE.
    pub at: Duration,
    /// What happens.
    pub act: Act,
}

/// What a far end does from the INVITE on, in order of time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Script(pub Vec<Step>);

impl Script {
    /// Adds an act, `after` the one before it (or after the INVITE).
    fn then(mut self, after: Duration, act: Act) -> Self {
        let before = self.0.last().map_or(Duration::ZERO, |step| step.at);
        self.0.push(Step {
            at: before + after,
            act,
        });
        self
    }

    fn presses(self, first_after: Duration, apart: Duration, keys: &str, way: KeyWay) -> Self {
        keys.bytes().enumerate().fold(self, |script, (index, key)| {
            let after = if index == 0 { first_after } else { apart };
            script.then(after, Act::Press(key, way))
        })
    }
}

/// The callees that one line of the table stands for.
enum Number {
    /// One number.
    Is(&'static str),
    /// A prefix and what follows it, which the script is made from.
    StartsWith(&'static str, &'static str),
}

/// One line of the table.
struct Listed {
    number: Number,
    does: &'static str,
    /// The script for what follows the prefix; `None` when the number is not meant.
    script: fn(&str) -> Option<Script>,
}

/// The one table of callees: [`script_of`] plays it and [`table`] prints it.
const LISTED: &[Listed] = &[
    Listed {
        number: Number::Is("+15005550001"),
        does: "rings 1 s, answers, presses 1 after the prompt has begun (1.5 s after answer), stays until we hang up",
        script: |_| Some(rings(1000).presses(PRESS, PRESS, "1", KeyWay::Rtp)),
    },
    Listed {
        number: Number::Is("+15005550002"),
        does: "answers and says nothing, presses nothing",
        script: |_| Some(answers()),
    },
    Listed {
        number: Number::Is("+15005550003"),
        does: "busy: 486",
        script: |_| Some(refuses(486)),
    },
    Listed {
        number: Number::Is("+15005550004"),
        does: "rings and never answers",
        script: |_| Some(rings_for_ever()),
    },
    Listed {
        number: Number::Is("+15005550005"),
        does: "declines: 603",
        script: |_| Some(refuses(603)),
    },
    Listed {
        number: Number::Is("+15005550006"),
        does: "rings 2 s, answers, presses 1 (1.5 s after answer), then 4321# (2.5 s later, 300 ms apart)",
        script: |_| {
            let once = rings(2000).presses(PRESS, PRESS, "1", KeyWay::Rtp);
            Some(once.presses(ms(2500), ms(300), "4321#", KeyWay::Rtp))
        },
    },
    Listed {
        number: Number::Is("+15005550007"),
        does: "answers, hangs up 700 ms later, in the middle of a prompt",
        script: |_| Some(answers().then(ms(700), Act::HangUp)),
    },
    Listed {
        number: Number::Is("+15005550008"),
        does: "rings late: 180 only after 6 s, answers 2 s later, presses 1",
        script: |_| {
            let late = Script::default()
                .then(ms(6000), Act::Ring)
                .then(ms(2000), Act::Answer);
            Some(late.presses(PRESS, PRESS, "1", KeyWay::Rtp))
        },
    },
    Listed {
        number: Number::Is("+15005550009"),
        does: "answering machine: answers after 3 s, talks 5 s, beeps, silent; hangs up after 30 s",
        script: |_| Some(rings(3000).then(ms(30_000), Act::HangUp)),
    },
    Listed {
        number: Number::Is("+15005550010"),
        does: "183 with early media, then 200 after 2 s, presses 1",
        script: |_| {
            let early = Script::default()
                .then(REPLY, Act::EarlyMedia)
                .then(ms(2000), Act::Answer);
            Some(early.presses(PRESS, PRESS, "1", KeyWay::Rtp))
        },
    },
    Listed {
        number: Number::Is(SENDS_NOTHING),
        does: "answers and never sends RTP",
        script: |_| Some(answers()),
    },
    Listed {
        number: Number::Is("+15005550012"),
        does: "unreachable: no SIP answer at all (trunk unreachable)",
        script: |_| Some(Script::default().then(TIMER_B, Act::GiveUp)),
    },
    Listed {
        number: Number::Is("+15005550013"),
        does: "answers, presses 1 by SIP INFO",
        script: |_| Some(answers().presses(PRESS, PRESS, "1", KeyWay::Info)),
    },
    Listed {
        number: Number::Is("+15005550014"),
        does: "ringing, then the caller is expected to cancel (rings for ever)",
        script: |_| Some(rings_for_ever()),
    },
    Listed {
        number: Number::Is("+15005550020"),
        does: "answers, speaks for 3 s (1.5 s after answer), then says nothing",
        script: |_| Some(speaks(ms(3000))),
    },
    Listed {
        number: Number::Is("+15005550021"),
        does: "answers, speaks for 3 s (1.5 s after answer), presses # 500 ms later",
        script: |_| Some(speaks(ms(3000)).presses(ms(500), PRESS, "#", KeyWay::Rtp)),
    },
    Listed {
        number: Number::Is("+15005550022"),
        does: "answers, speaks (1.5 s after answer), hangs up 2 s later, still speaking",
        script: |_| {
            let begins = answers().then(PRESS, Act::Speak(true));
            Some(begins.then(ms(2000), Act::HangUp))
        },
    },
    Listed {
        number: Number::Is("+15005550023"),
        does: "answers, presses 1 by a tone in the audio, which is heard on trunks with in-band keys",
        script: |_| Some(answers().presses(PRESS, PRESS, "1", KeyWay::Tone)),
    },
    Listed {
        number: Number::Is("+15005550024"),
        does: "answers, presses 11 by RFC 4733 and by tones in the audio, 250 ms apart",
        script: |_| Some(answers().presses(PRESS, ms(250), "11", KeyWay::RtpAndTone)),
    },
    Listed {
        number: Number::Is(TAKES_REFER),
        does: "answers, takes a REFER: 202, and 500 ms later a NOTIFY that the target answered",
        script: |_| Some(answers()),
    },
    Listed {
        number: Number::Is(TARGET_BUSY),
        does: "answers, takes a REFER: 202, and 500 ms later a NOTIFY that the target is busy",
        script: |_| Some(answers()),
    },
    Listed {
        number: Number::Is("+15005550032"),
        does: "answers after 300 ms, presses 5 (1.5 s after answer), hangs up 4 s after answer",
        script: |_| {
            let pressed = rings(300).presses(PRESS, PRESS, "5", KeyWay::Rtp);
            Some(pressed.then(ms(2500), Act::HangUp))
        },
    },
    Listed {
        number: Number::Is("+15005550033"),
        does: "answers, hangs up 3 s later",
        script: |_| Some(answers().then(ms(3000), Act::HangUp)),
    },
    Listed {
        number: Number::Is("+15005550035"),
        does: "answers after 300 ms, speaks for 6 s (1.5 s after answer), hangs up 1 s later",
        script: |_| {
            let begins = rings(300).then(PRESS, Act::Speak(true));
            let speaks = begins.then(ms(6000), Act::Speak(false));
            Some(speaks.then(ms(1000), Act::HangUp))
        },
    },
    Listed {
        number: Number::Is(SENDS_BACK),
        does: "answers, and sends back every key that it is sent",
        script: |_| Some(answers()),
    },
    Listed {
        number: Number::Is(TOLD),
        does: "rings 300 ms, answers, and from 1.5 s after that on does what the header X-Callee of its INVITE says: keys, 260 ms each; `,` waits 500 ms, `~` speaks for 500 ms, `!` hangs up",
        script: |_| Some(told("")),
    },
    Listed {
        number: Number::StartsWith("+1500556", "D…"),
        does: "(1-8 digits D) answers at once, presses those digits 1 s after answer, 250 ms apart",
        script: |digits| {
            let meant = (1..=8).contains(&digits.len()) && is_digits(digits);
            meant.then(|| answers().presses(ms(1000), ms(250), digits, KeyWay::Rtp))
        },
    },
    Listed {
        number: Number::StartsWith("+15005557", "SSS"),
        does: "rejected with SIP status SSS (400-699)",
        script: |digits| {
            let status = digits
                .parse()
                .ok()
                .filter(|status| (400..=699).contains(status))?;
            (digits.len() == 3 && is_digits(digits)).then(|| refuses(status))
        },
    },
    Listed {
        number: Number::StartsWith(RATED, "NN"),
        does: "a carrier that takes NN (01-99) calls a second, of all to this number: rings 200 ms, answers, hangs up 500 ms later; one too many: 503 Trunk CPS limit exceeded",
        script: |digits| {
            rate_in(digits)?;
            Some(rings(200).then(ms(500), Act::HangUp))
        },
    },
];

/// The callees that take a REFER; all others decline it.
const TAKES_REFER: &str = "+15005550030";
const TARGET_BUSY: &str = "+15005550031";
/// The callee that sends no audio.
const SENDS_NOTHING: &str = "+15005550011";

/// Whether audio comes from the callee at `number`.
pub fn sends_audio(number: &str) -> bool {
    number != SENDS_NOTHING
}

/// The callee that sends keys back.
const SENDS_BACK: &str = "+15005550015";

/// Whether the callee at `number` sends back every key that it is sent.
pub fn sends_back(number: &str) -> bool {
    number == SENDS_BACK
}

/// The number whose INVITE says what to do.
const TOLD: &str = "+15005550099";

/// Has a callee do what the header `X-Callee` says, if it is one that is told.
pub fn script_told(number: &str, header: Option<&str>) -> Option<Script> {
    (number == TOLD).then(|| told(header.unwrap_or_default()))
}

fn told(what: &str) -> Script {
    let (mut script, mut after, mut speaks) = (rings(300), PRESS, false);
    for key in what.bytes() {
        if (key == b'~') != speaks {
            speaks = !speaks;
            (script, after) = (script.then(after, Act::Speak(speaks)), Duration::ZERO);
        }
        (script, after) = match key {
            b',' | b'~' => (script, after + ms(500)),
            b'!' => (script.then(after, Act::HangUp), Duration::ZERO),
            key => (script.then(after, Act::Press(key, KeyWay::Rtp)), ms(260)),
        };
    }
    match speaks {
        true => script.then(after, Act::Speak(false)),
        false => script,
    }
}

/// How the numbers begin that stand for a carrier with a rate.
const RATED: &str = "+15005558";

/// Calls a second that the carrier which `number` stands for takes, if it is one with a rate.
pub fn rate_of(number: &str) -> Option<usize> {
    rate_in(number.strip_prefix(RATED)?)
}

fn rate_in(digits: &str) -> Option<usize> {
    let rate = digits.parse().ok().filter(|rate| *rate > 0)?;
    (digits.len() == 2 && is_digits(digits)).then_some(rate)
}

/// What the far end says of a REFER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refer {
    /// The status it answers with.
    Status(u16),
    /// The last status of its NOTIFYs: what came of the call to the target.
    Target(u16),
}

/// What the far end at `number` says of a REFER to `target`, each so long after it.
pub fn refer_of(number: &str, target: &str) -> Vec<(Duration, Refer)> {
    match number {
        _ if !is_address(target) => vec![(REPLY, Refer::Status(400))],
        TAKES_REFER => vec![(REPLY, Refer::Status(202)), (ms(500), Refer::Target(200))],
        TARGET_BUSY => vec![(REPLY, Refer::Status(202)), (ms(500), Refer::Target(486))],
        _ => vec![(REPLY, Refer::Status(603))],
    }
}

/// Whether it is `<sip:NUMBER@HOST>`, as a Refer-To header has it.
fn is_address(target: &str) -> bool {
    let inside = target
        .strip_prefix("<sip:")
        .and_then(|rest| rest.strip_suffix('>'));
    let (number, host) = inside
        .and_then(|inside| inside.split_once('@'))
        .unwrap_or_default();
    let digits = number.strip_prefix('+').unwrap_or(number);
    !digits.is_empty() && is_digits(digits) && !host.is_empty()
}

/// The answer to one call too many within a second.
pub fn too_fast() -> Script {
    Script::default().then(REPLY, Act::TooFast)
}

/// What the far end at `number` does.
pub fn script_of(number: &str) -> Script {
    let listed = LISTED.iter().find_map(|listed| match listed.number {
        Number::Is(this) => (number == this).then(|| (listed.script)(""))?,
        Number::StartsWith(prefix, _) => (listed.script)(number.strip_prefix(prefix)?),
    });
    listed.unwrap_or_else(|| refuses(404))
}

/// The table of numbers, as text for people.
pub fn table() -> String {
    let mut text = String::new();
    for listed in LISTED {
        let number = match listed.number {
            Number::Is(number) => number.to_owned(),
            Number::StartsWith(prefix, rest) => format!("{prefix}{rest}"),
        };
        let _ = writeln!(text, "{number:<14}{}", listed.does);
    }
    let _ = writeln!(text, "{:<14}404", "anything else");
    text.push_str(
        "\nThe sandbox plays no audio to anybody: callees differ in signalling, keys, when they speak, and timing.\n",
    );
    text
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn speaks(for_a_time: Duration) -> Script {
    let begins = answers().then(PRESS, Act::Speak(true));
    begins.then(for_a_time, Act::Speak(false))
}

fn answers() -> Script {
    Script::default().then(REPLY, Act::Answer)
}

fn rings(for_ms: u64) -> Script {
    rings_for_ever().then(ms(for_ms), Act::Answer)
}

fn rings_for_ever() -> Script {
    Script::default().then(REPLY, Act::Ring)
}

fn refuses(status: u16) -> Script {
    Script::default().then(REPLY, Act::Refuse(status))
}

#[cfg(test)]
mod tests;
