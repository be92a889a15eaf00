//! A host that does as it is told, with a clock that stands until it is moved.

use super::*;

#[derive(Default)]
pub(super) struct ScriptedHost {
    pub(super) passed_us: AtomicU64,
    /// By how much somebody has set the clock ahead.
    pub(super) set_ahead_us: AtomicI64,
    pub(super) refuse: Mutex<Option<CreateError>>,
    pub(super) thread_fails: Mutex<bool>,
    pub(super) launched: Arc<Mutex<Vec<CallUuid>>>,
    pub(super) hung_up: Mutex<Vec<(CallUuid, HangupCause)>>,
    pub(super) tapped: Mutex<Vec<(CallUuid, u64)>>,
    pub(super) sent: Mutex<Vec<(CallUuid, String)>>,
    pub(super) silenced: Mutex<Vec<(Way, bool)>>,
    /// Why it does not change audio.
    pub(super) deaf_host: Mutex<Option<String>>,
}

struct ScriptedLeg {
    call: Arc<Call>,
    fails: bool,
    launched: Arc<Mutex<Vec<CallUuid>>>,
}

impl PreparedLeg for ScriptedLeg {
    fn launch(self: Box<Self>) -> Result<(), NotLaunched> {
        if self.fails {
            return Err(NotLaunched {
                leg: self,
                why: WhyNotLaunched::NoThread("no thread".into()),
            });
        }
        self.launched.lock().push(self.call.command.attempt_id);
        Ok(())
    }
}

impl Drop for ScriptedLeg {
    /// As the host does it: a channel that is destroyed has ended.
    fn drop(&mut self) {
        if self.fails {
            self.call.finish(LegFacts::default());
        }
    }
}

impl Host for ScriptedHost {
    fn create_leg(&self, call: &Arc<Call>) -> Result<Box<dyn PreparedLeg>, CreateError> {
        if let Some(error) = self.refuse.lock().clone() {
            return Err(error);
        }
        Ok(Box::new(ScriptedLeg {
            call: call.clone(),
            fails: *self.thread_fails.lock(),
            launched: self.launched.clone(),
        }))
    }

    fn hang_up(&self, attempt: CallUuid, cause: HangupCause) {
        self.hung_up.lock().push((attempt, cause));
    }

    fn laws(&self, _attempt: CallUuid) -> Result<Laws, String> {
        Ok(Laws {
            person: Law::Mu,
            switch: Law::A,
        })
    }

    fn tap(&self, attempt: CallUuid, tape: u64) -> Result<(), String> {
        self.tapped.lock().push((attempt, tape));
        Ok(())
    }

    fn send_keys(&self, attempt: CallUuid, keys: &str) -> Result<(), String> {
        self.sent.lock().push((attempt, keys.to_owned()));
        Ok(())
    }

    fn silence(&self, _attempt: CallUuid, way: Way, on: bool) -> Result<(), String> {
        if let Some(why) = self.deaf_host.lock().clone() {
            return Err(why);
        }
        self.silenced.lock().push((way, on));
        Ok(())
    }

    fn now_us(&self) -> u64 {
        let ahead_us = self.set_ahead_us.load(Ordering::SeqCst);
        (NOW_US + self.steady_us()).saturating_add_signed(ahead_us)
    }

    fn steady_us(&self) -> u64 {
        self.passed_us.load(Ordering::SeqCst)
    }

    fn clock_rate(&self) -> f64 {
        // Timers look at the clock again after a thousandth of what they would have to wait.
        1_000.0
    }

    fn version(&self) -> String {
        "scripted".into()
    }

    fn speak(&self, engine: &str, voice: &str, text: &str) -> Result<Vec<i16>, String> {
        match engine {
            "robot" => Ok(vec![1_000; text.len() * 800 + voice.len()]),
            _ => Err(format!("the switch has no speech engine \"{engine}\"")),
        }
    }

    fn log(&self, _level: Level, _line: &str) {}
}

/// What waits on others runs here for every test.
pub(super) fn runtime() -> Handle {
    static RUNTIME: std::sync::LazyLock<tokio::runtime::Runtime> =
        std::sync::LazyLock::new(|| crate::link::runtime().unwrap());
    RUNTIME.handle().clone()
}
