//! Recordings of this switch, and which call is recorded as a whole.

use super::Engine;
use crate::call::Call;
use crate::config::Config;
use crate::host::Host;
use crate::recordings::{Recordings, Shape};
use iradialer_core::flow::RecordCall;
use iradialer_core::wire::RecordingEndedBy;
use std::io;
use std::sync::Arc;

/// Opens the folder of the configuration, if there is one.
pub fn open_recordings(
    config: &Config,
    host: &Arc<dyn Host>,
) -> io::Result<Option<Arc<Recordings>>> {
    let Some(dir) = &config.recordings_dir else {
        return Ok(None);
    };
    let host = Arc::clone(host);
    let log = Box::new(move |level, line: &str| host.log(level, line));
    let recordings = Recordings::open(dir, config.recordings, log)
        .map_err(|error| io::Error::other(format!("recordings-dir: {}: {error}", dir.display())))?;
    Ok(Some(Arc::new(recordings)))
}

/// Why nothing is recorded here.
pub const NO_DIR: &str = "this switch keeps no recordings: recordings-dir is not set";

impl From<RecordCall> for Shape {
    fn from(asked: RecordCall) -> Shape {
        match asked {
            RecordCall::Mixed => Shape::Mixed,
            RecordCall::Stereo => Shape::Stereo,
        }
    }
}

impl Engine {
    /// Begins to record an answered call as a whole, and returns the file's name to be. `recording_ready` tells
    /// of it when it has ended: by [`Engine::stop_recording`] or with the call.
    ///
    /// # Errors
    /// Where the call is not up, is being recorded already, has another codec than G.711, or this switch keeps no
    /// recordings.
    pub fn start_recording(&self, call: &Arc<Call>, shape: Shape) -> Result<String, String> {
        let recordings = self.recordings.as_ref().ok_or(NO_DIR)?;
        if !call.is_answered() {
            return Err("the call is not answered".to_owned());
        }
        let attempt = call.command.attempt_id;
        let laws = self.host.laws(attempt)?;
        let (tape, name) = call.begin_tape(recordings, shape, laws, self.host.steady_us())?;
        self.host
            .tap(attempt, tape)
            .inspect_err(|_| call.drop_tape())?;
        Ok(name)
    }

    /// Begins to record a call that was answered, where its flow says so. A call that can't be recorded goes on,
    /// and its last event says why.
    pub fn record_as_asked(&self, call: &Arc<Call>) {
        let Some(asked) = call.flow().and_then(|flow| flow.record_call) else {
            return;
        };
        if let Err(why) = self.start_recording(call, asked.into()) {
            call.fault(format!("record_call: {why}"));
        }
    }

    /// Ends the recording of a call as a whole, and returns the file's name.
    ///
    /// # Errors
    /// Where it is not being recorded.
    pub fn stop_recording(&self, call: &Arc<Call>) -> Result<String, String> {
        let ended = call.end_tape(RecordingEndedBy::Request);
        ended.ok_or_else(|| "the call is not being recorded".to_owned())
    }
}
