//! What the roles of one process share.

use crate::catalogue::{Catalogue, Catalogues};
use crate::clock::Clock;
use crate::config::Config;
use crate::license::Licensing;
use crate::tdb::Tdb;
use futures::future::BoxFuture;
use iradialer_core::live::{Answer, CallRequest};
use iradialer_core::value::{CallUuid, NodeId};
use std::sync::Arc;
use tokio::sync::Notify;

/// What the roles of one process share. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The checked configuration.
    pub config: Arc<Config>,
    /// Campaigns, trunks and switches as they are now.
    pub catalogues: Catalogues,
    /// The time.
    pub clock: Clock,
    /// The truth about calls.
    pub tdb: Tdb,
    /// What the cluster may use.
    pub license: Licensing,
    /// Wake-ups between the roles of this process.
    pub wake: Wake,
    /// How to ask something of a switch.
    pub switches: Arc<dyn SwitchRequests>,
}

impl App {
    /// Campaigns, trunks and switches as they are now. Whoever looks at several of them keeps it meanwhile.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.catalogues.now()
    }
}

/// Wake-ups between the roles of one process. `notify_one` keeps one permit, so a wake-up that comes
/// while its role is busy is not lost. Losing one otherwise (another process, a crash) costs time only:
/// each role also looks at the TDB by itself now and then.
#[derive(Clone, Default)]
pub struct Wake {
    /// A call was accepted, requeued or ended: there may be something for the router to do.
    pub router: Arc<Notify>,
    /// An event was stored that a webhook wants.
    pub dispatcher: Arc<Notify>,
}

/// Requests to the switch that holds a call (`{cluster}.dialer.{node}.request`).
pub trait SwitchRequests: Send + Sync {
    /// Asks `node` to hang up `call` (`request_drop_call`). `Ok` means that the switch has taken the
    /// request; the call's end is reported by its events.
    fn drop_call(
        &self,
        node: NodeId,
        call: CallUuid,
    ) -> BoxFuture<'_, Result<(), SwitchRequestError>>;

    /// Asks `node` something of a live call. `Ok` is the switch's answer, which may be a refusal.
    fn ask(
        &self,
        node: NodeId,
        call: CallUuid,
        request: CallRequest,
    ) -> BoxFuture<'_, Result<Answer, SwitchRequestError>>;

    /// Has `node` take calls, or no more of them (`request_activation`).
    fn activate(
        &self,
        node: NodeId,
        takes_calls: bool,
    ) -> BoxFuture<'_, Result<(), SwitchRequestError>>;

    /// Publishes an event for who asked for it on the bus. `Ok` means that the server has it; `id` is the same each
    /// time.
    fn publish(
        &self,
        subject: String,
        id: String,
        payload: Vec<u8>,
    ) -> BoxFuture<'_, Result<(), SwitchRequestError>>;

    /// Whether the link to the bus is up.
    fn is_connected(&self) -> bool;
}

/// Why a request to a switch was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SwitchRequestError {
    /// The switch did not answer in time, is not there, or the bus is down. It may be tried again.
    #[error("the switch did not answer: {0}")]
    Unreachable(String),
    /// The switch answered that it will not.
    #[error("the switch refused: {0}")]
    Refused(String),
}
