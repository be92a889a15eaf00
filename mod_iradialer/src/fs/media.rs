//! A channel as the leg a flow is played on.

use super::entry;
use super::guard::guard;
use super::playback::{MadeFile, Output};
use super::session::Session;
use super::switch::{now_us, steady_us};
use super::text::c_string;
use super::transfer;
use crate::audio::RATE;
use crate::call::{Call, SessionLeg};
use crate::prompts::{self, Sounds};
use crate::recordings::Recordings;
use crate::transfer::Manner;
use freeswitch_sys as sys;
use iradialer_core::flow::{
    Answer, Heard, Leg, LegEnd, Listen, Played, Recorded, Recording, Request, Sound, Tone,
    Transfer, Transferred,
};
use iradialer_core::value::CallUuid;
use std::collections::VecDeque;
use std::ffi::{c_uint, c_void};
use std::sync::Arc;

/// While nothing is to be heard a packet goes out each time so many frames have come in: carriers end calls
/// whose audio has stopped.
const FRAMES_OF_QUIET: u32 = 50;
/// FreeSWITCH's own wish for audio all the time, set for a trunk or a call.
const SILENCE_WHEN_IDLE: &str = "send_silence_when_idle";

/// A session's audio and keys, driven from the session's own thread.
pub struct ChannelLeg<'a> {
    pub(super) session: Session<'a>,
    pub(super) call: &'a Arc<Call>,
    /// Where it records, if anywhere.
    pub(super) recordings: Option<Arc<Recordings>>,
    /// Keys taken from the channel and not yet asked for.
    pub(super) keys: VecDeque<char>,
    /// What a live request plays.
    requested: Option<Arc<Sounds>>,
    quiet: Option<Quiet<'a>>,
}

/// A time with nothing to be heard.
struct Quiet<'a> {
    output: Option<Output<'a>>,
    /// Frames between two packets.
    every: u32,
    /// Frames since the last one.
    frames: u32,
}

/// What the host hands back to [`on_input`] while it plays.
struct Input<'k> {
    keys: &'k mut VecDeque<char>,
    barge_in: bool,
    call: &'k Call,
}

impl<'a> ChannelLeg<'a> {
    /// The leg of a session, which is the caller's own thread's.
    pub fn new(
        session: Session<'a>,
        call: &'a Arc<Call>,
        recordings: Option<Arc<Recordings>>,
    ) -> Self {
        ChannelLeg {
            session,
            call,
            recordings,
            keys: VecDeque::new(),
            requested: None,
            quiet: None,
        }
    }

    /// Forgets what was pressed and not asked for.
    pub(super) fn drop_keys(&mut self) {
        self.take_keys();
        self.keys.clear();
    }

    /// Moves what the channel has queued into the leg's own buffer.
    pub(super) fn take_keys(&mut self) {
        let channel = self.session.channel().as_ptr();
        let mut dtmf = sys::switch_dtmf_t {
            digit: 0,
            duration: 0,
            flags: 0,
            source: sys::SWITCH_DTMF_UNKNOWN,
        };
        // SAFETY: H2; `dtmf` is ours to be filled in.
        while unsafe {
            sys::switch_channel_has_dtmf(channel) > 0
                && sys::switch_channel_dequeue_dtmf(channel, &raw mut dtmf)
                    == sys::SWITCH_STATUS_SUCCESS
        } {
            self.keys.extend(key_of(&dtmf));
        }
    }

    pub(super) fn alive(&self) -> Result<(), LegEnd> {
        if !self.session.channel().is_ready() {
            Err(LegEnd::HungUp)
        } else if self.call.desk.stop_wanted() {
            Err(LegEnd::Stopped)
        } else {
            Ok(())
        }
    }

    fn sounds(&self) -> &Sounds {
        match &self.requested {
            Some(sounds) => sounds,
            None => self.call.sounds(),
        }
    }

    /// Plays what has been made ready.
    fn play_ready(
        &mut self,
        output: &Output<'_>,
        sound: &Sound,
        barge_in: bool,
    ) -> Result<(), LegEnd> {
        let audio = self.sounds().get(sound).cloned();
        let bytes = match (sound, &audio) {
            (_, Some(audio)) => audio.bytes(output.law),
            (Sound::Silence(_), None) => &[],
            (_, None) => return self.play_by_host(sound, barge_in),
        };
        let len = match sound {
            Sound::Silence(ms) => *ms as usize * RATE as usize / 1_000,
            _ => bytes.len(),
        };
        for at in (0..len).step_by(output.packet()) {
            self.wait_a_frame()?;
            self.wait_while_held()?;
            self.alive()?;
            self.take_keys();
            if barge_in && !self.keys.is_empty() {
                break;
            }
            output.send(bytes.get(at..).unwrap_or_default());
        }
        self.alive()
    }

    /// Has the host play a prompt: on a channel whose codec is not of G.711, and a file whose name the flow
    /// made up during the call.
    fn play_by_host(&mut self, sound: &Sound, barge_in: bool) -> Result<(), LegEnd> {
        let (path, _made) = match sound {
            Sound::Url(_) | Sound::Tts { .. } => {
                let made = self.made_file(sound)?;
                (made.path().to_string_lossy().into_owned(), Some(made))
            }
            sound => (self.path_of(sound), None),
        };
        let path = c_string(&path);
        let mut input = Input {
            keys: &mut self.keys,
            barge_in,
            call: self.call,
        };
        let mut args = sys::switch_input_args_t {
            input_callback: Some(on_input),
            buf: (&raw mut input).cast::<c_void>(),
            buflen: size_of::<Input<'_>>() as c_uint,
            read_frame_callback: Some(on_frame),
            user_data: (&raw mut input).cast::<c_void>(),
            dmachine: std::ptr::null_mut(),
            loops: 0,
        };
        // SAFETY: H2, H6: on the session's own thread; `args` and `input` outlive the call, which is
        // the only one to use them meanwhile.
        let status = unsafe {
            sys::switch_ivr_play_file(
                self.session.as_ptr(),
                std::ptr::null_mut(),
                path.as_ptr(),
                &raw mut args,
            )
        };
        self.alive()?;
        match status {
            sys::SWITCH_STATUS_SUCCESS | sys::SWITCH_STATUS_BREAK => Ok(()),
            status => Err(LegEnd::Fault(format!(
                "prompt {} can't be played (status {status})",
                describe(sound)
            ))),
        }
    }

    /// What the host plays, where that has a name.
    fn path_of(&self, sound: &Sound) -> String {
        match sound {
            Sound::Silence(ms) => format!("silence_stream://{ms}"),
            Sound::Tone(Tone { hz, ms }) => {
                let hz: Vec<String> = hz.iter().map(u32::to_string).collect();
                format!("tone_stream://%({ms},0,{})", hz.join(","))
            }
            sound => {
                let path = self.call.prompts_dir.join(sound.to_string());
                path.to_string_lossy().into_owned()
            }
        }
    }

    /// A file of audio that the host has no other name for, gone when dropped.
    fn made_file(&self, sound: &Sound) -> Result<MadeFile, LegEnd> {
        let lacking = || LegEnd::Fault(format!("prompt {sound} was not made ready"));
        let audio = self.sounds().get(sound).ok_or_else(lacking)?;
        MadeFile::of(audio).map_err(|error| LegEnd::Fault(format!("prompt {sound}: {error}")))
    }

    /// On hold nothing plays, and no time passes for who is asked. Returns how long it was, us.
    fn wait_while_held(&mut self) -> Result<u64, LegEnd> {
        if !self.call.is_held() {
            return Ok(0);
        }
        let since = steady_us();
        while self.call.is_held() {
            self.idle(true)?;
        }
        Ok(steady_us().saturating_sub(since))
    }

    /// Waits for the next frame, which the channel's own timer paces.
    pub(super) fn wait_a_frame(&mut self) -> Result<(), LegEnd> {
        self.read_a_frame(|_| {})
    }

    /// The same, and has `hear` hear it, if it is one.
    pub(super) fn read_a_frame(
        &mut self,
        hear: impl FnOnce(&sys::switch_frame_t),
    ) -> Result<(), LegEnd> {
        let session = self.session.as_ptr();
        let mut frame = std::ptr::null_mut();
        // SAFETY: H2, H6: on the session's own thread; the frame is the host's, good until the next one is read.
        let status = unsafe {
            sys::switch_ivr_parse_all_events(session);
            sys::switch_core_session_read_frame(
                session,
                &raw mut frame,
                sys::SWITCH_IO_FLAG_NONE,
                0,
            )
        };
        match status {
            sys::SWITCH_STATUS_SUCCESS => {
                // SAFETY: as above.
                let _ = unsafe { frame.as_ref() }.map(hear);
                Ok(())
            }
            sys::SWITCH_STATUS_BREAK | sys::SWITCH_STATUS_INUSE => Ok(()),
            status => {
                self.alive()?;
                Err(LegEnd::Fault(format!(
                    "the channel's audio can't be read (status {status})"
                )))
            }
        }
    }
}

impl Leg for ChannelLeg<'_> {
    fn play(&mut self, sounds: &[Sound], barge_in: bool) -> Result<Played, LegEnd> {
        let started = steady_us();
        self.quiet = None;
        self.take_keys();
        let output = Output::of(self.session);
        for sound in sounds {
            self.alive()?;
            if barge_in && !self.keys.is_empty() {
                break;
            }
            match &output {
                Some(output) => self.play_ready(output, sound, barge_in)?,
                None => self.play_by_host(sound, barge_in)?,
            }
            self.take_keys();
        }
        let interrupted_by = self.keys.front().copied().filter(|_| barge_in);
        Ok(Played {
            ms: steady_us().saturating_sub(started) / 1000,
            interrupted_by,
        })
    }

    fn listen(&mut self, wait: Listen) -> Result<Heard, LegEnd> {
        let mut until = steady_us() + u64::from(wait.timeout_ms) * 1000;
        loop {
            self.alive()?;
            until += self.wait_while_held()?;
            self.take_keys();
            if let Some(key) = self.keys.pop_front() {
                return Ok(Heard::Key(key));
            }
            if steady_us() >= until {
                return Ok(Heard::Nothing);
            }
            self.wait_a_frame()?;
        }
    }

    fn request(&mut self, request: &Request) -> Result<Answer, LegEnd> {
        let Some(engine) = entry::engine() else {
            let why = "the module is being unloaded";
            return Ok(Answer::Failed(why.to_owned()));
        };
        let mut asked = engine.ask(request);
        drop(engine);
        self.quiet = None;
        let output = Output::of(self.session);
        loop {
            self.alive()?;
            if let Some(answer) = asked.answer() {
                return Ok(answer);
            }
            self.wait_a_frame()?;
            self.take_keys();
            if let Some(output) = &output {
                output.send(&[]);
            }
        }
    }

    fn now(&self) -> u64 {
        now_us() / 1000
    }

    fn record(&mut self, wanted: &Recording) -> Result<Recorded, LegEnd> {
        self.quiet = None;
        self.record_person(wanted)
    }

    fn transfer(&mut self, transfer: &Transfer) -> Result<Transferred, LegEnd> {
        self.transfer_in_flow(transfer)
    }

    /// Nothing is read while a person listens but what lies there.
    fn has(&self, sound: &Sound) -> bool {
        match sound {
            Sound::Silence(_) => true,
            // One whose name the flow has made up just now; it is read when it is played.
            Sound::File(path) if !self.sounds().contains_key(sound) => {
                prompts::is_there(&self.call.prompts_dir, path)
            }
            _ => self.sounds().contains_key(sound),
        }
    }
}

impl SessionLeg for ChannelLeg<'_> {
    fn give_sounds(&mut self, sounds: Arc<Sounds>) {
        self.requested = Some(sounds);
    }

    fn hand_over(&mut self, manner: Manner) -> (Option<Transferred>, Result<(), LegEnd>) {
        self.quiet = None;
        match manner {
            Manner::Dial(wanted) => self.connect(wanted),
            Manner::Refer(number) => self.deflect(&number),
        }
    }

    fn bridge_with(&mut self, attempt: CallUuid) -> Result<(), LegEnd> {
        self.quiet = None;
        self.bridge(attempt);
        self.drop_keys();
        self.alive()
    }

    fn send_back(&mut self, attempt: CallUuid) {
        if let Some(other) = Session::locate(attempt) {
            transfer::send_back(other.session());
        }
    }

    fn idle(&mut self, keep_keys: bool) -> Result<(), LegEnd> {
        self.alive()?;
        self.take_keys();
        if !keep_keys {
            self.keys.clear();
        }
        self.wait_a_frame()?;
        let session = self.session;
        let quiet = self.quiet.get_or_insert_with(|| Quiet {
            output: Output::of(session),
            every: match session.channel().variable(SILENCE_WHEN_IDLE).as_deref() {
                None | Some("" | "0" | "false") => FRAMES_OF_QUIET,
                Some(_) => 1,
            },
            frames: 0,
        });
        quiet.frames += 1;
        if quiet.frames >= quiet.every {
            quiet.frames = 0;
            if let Some(output) = &quiet.output {
                output.send(&[]);
            }
        }
        Ok(())
    }
}

/// Ends a prompt that the host plays when a live request says so.
unsafe extern "C" fn on_frame(
    _session: *mut sys::switch_core_session_t,
    _frame: *mut sys::switch_frame_t,
    data: *mut c_void,
) -> sys::switch_status_t {
    guard("on_frame", sys::SWITCH_STATUS_BREAK, || {
        // SAFETY: H6: `data` is the `Input` that `play_by_host` lent for as long as it plays.
        let input = unsafe { data.cast::<Input<'_>>().as_ref() };
        match input.is_some_and(|input| input.call.desk.stop_wanted()) {
            true => sys::SWITCH_STATUS_BREAK,
            false => sys::SWITCH_STATUS_SUCCESS,
        }
    })
}

/// Takes a key while a prompt plays; with barge-in it ends the prompt.
unsafe extern "C" fn on_input(
    _session: *mut sys::switch_core_session_t,
    input: *mut c_void,
    input_type: sys::switch_input_type_t,
    buffer: *mut c_void,
    _length: c_uint,
) -> sys::switch_status_t {
    guard("on_input", sys::SWITCH_STATUS_BREAK, || {
        if input_type != sys::SWITCH_INPUT_TYPE_DTMF {
            return sys::SWITCH_STATUS_SUCCESS;
        }
        // SAFETY: H6: `buffer` is the `Input` that `play_by_host` lent for as long as it plays, and for
        // this type `input` is a digit.
        let (heard, dtmf) = unsafe {
            (
                buffer.cast::<Input<'_>>().as_mut(),
                input.cast::<sys::switch_dtmf_t>().as_ref(),
            )
        };
        let (Some(heard), Some(dtmf)) = (heard, dtmf) else {
            return sys::SWITCH_STATUS_SUCCESS;
        };
        let Some(key) = key_of(dtmf) else {
            return sys::SWITCH_STATUS_SUCCESS;
        };
        heard.keys.push_back(key);
        if heard.barge_in {
            sys::SWITCH_STATUS_BREAK
        } else {
            sys::SWITCH_STATUS_SUCCESS
        }
    })
}

/// The key a digit of the host's stands for: one of `0-9*#A-D`. The host also knows a hook flash (`F`) and
/// pauses (`W`), which nobody pressed.
pub fn key_of(dtmf: &sys::switch_dtmf_t) -> Option<char> {
    let key = (dtmf.digit as u8 as char).to_ascii_uppercase();
    matches!(key, '0'..='9' | '*' | '#' | 'A'..='D').then_some(key)
}

fn describe(sound: &Sound) -> String {
    match sound {
        Sound::Silence(ms) => format!("of {ms} ms silence"),
        Sound::Tone(_) => "tone".to_owned(),
        Sound::File(_) | Sound::Url(_) | Sound::Tts { .. } => sound.to_string(),
    }
}
