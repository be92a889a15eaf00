//! A flow's `request` step: the customer's application is asked on the module's runtime, and the session's
//! thread looks in between two frames whether it has answered.

use crate::engine::Engine;
use iradialer_core::flow::{Answer, Request};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// The longest answer, bytes.
const MOST_BYTES: usize = 64 * 1024;
/// How much longer than the request's own time its answer is waited for, should the runtime stand still.
const GRACE: Duration = Duration::from_secs(1);

/// A request under way. Dropped, it is given up.
pub struct Asked {
    answer: oneshot::Receiver<Answer>,
    task: AbortHandle,
    until: Instant,
}

impl Engine {
    /// Begins to ask.
    pub fn ask(&self, request: &Request) -> Asked {
        let (say, answer) = oneshot::channel();
        let (http, url, body) = (self.http.clone(), request.url.clone(), request.body.clone());
        let within = Duration::from_millis(request.timeout_ms.into());
        let task = self.preparation.runtime().spawn(async move {
            let came = http.post(&url, body, MOST_BYTES, within).await;
            let _ = say.send(match came {
                Ok((status, body)) => Answer::Replied { status, body },
                Err(error) => Answer::Failed(error.to_string()),
            });
        });
        Asked {
            answer,
            task: task.abort_handle(),
            until: Instant::now() + within + GRACE,
        }
    }
}

impl Asked {
    /// The answer, once it is there. Never waits.
    pub fn answer(&mut self) -> Option<Answer> {
        match self.answer.try_recv() {
            Ok(answer) => Some(answer),
            Err(oneshot::error::TryRecvError::Closed) => {
                Some(Answer::Failed("the module is being unloaded".to_owned()))
            }
            Err(oneshot::error::TryRecvError::Empty) => (Instant::now() > self.until)
                .then(|| Answer::Failed("the switch had no time for it".to_owned())),
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.task.abort();
    }
}
