//! The flows that this switch has: documents by their hash, read and checked once, however many calls run
//! them. One that it lacks it asks the gateway for.

mod memory;
mod operator;

use crate::engine::NO_RECORDINGS;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use iradialer_core::flow::{self, Flow, Need, Severity};
use iradialer_core::value::{CampaignName, FlowHash, TenantId};
use iradialer_core::wire::{CallFlow, DialCommand, FlowOf, FlowQuery, FlowRef, FlowReply, VERSION};
use memory::Memory;
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// The most bytes of JSON whose flows are kept; what calls that are up run stays beyond that.
pub const MOST_BYTES: usize = 16 << 20;
/// How often the gateway is asked for one flow, and the pause in between: it may be starting, or taking over.
const TRIES: u32 = 8;
const PAUSE: Duration = Duration::from_millis(250);

/// What a call runs: its flow, and by name those that it leads to.
#[derive(Debug, Default)]
pub struct CallFlows {
    /// The flow, where the command did not bring it along.
    pub first: Option<Arc<Flow>>,
    /// Where its `goto`s lead.
    pub others: BTreeMap<String, Arc<Flow>>,
}

/// Where a switch gets flows from.
pub trait Source: Send + Sync {
    /// Asks once; the error says in a sentence why there is no answer.
    fn ask(&self, query: FlowQuery) -> BoxFuture<'static, Result<FlowReply, String>>;
}

/// Flows that are ready to be run, the most recently used of them, and those on their way.
pub struct Flows {
    runtime: Handle,
    /// Whether this switch records.
    records: bool,
    source: RwLock<Option<Arc<dyn Source>>>,
    memory: Mutex<Memory>,
    under_way: Mutex<HashMap<(TenantId, FlowHash), Work>>,
}

/// A flow on its way, which all who want it wait for.
type Work = Shared<BoxFuture<'static, Result<Arc<Flow>, NoFlow>>>;

/// Why a call's flow can't be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoFlow {
    /// Nobody gave it in time; it may be there the next time.
    #[error("flow {0}: the gateway does not give it: {1}")]
    Unanswered(String, String),
    /// It is not there, or not what it should be, or takes what this switch can't do.
    #[error("flow{0}: {1}")]
    Unfit(String, String),
}

impl Flows {
    /// None yet. What has to be asked for is waited for on `runtime`. Flows that record are for a switch that
    /// `records`.
    pub fn new(runtime: Handle, records: bool) -> Arc<Self> {
        Arc::new(Flows {
            runtime,
            records,
            source: RwLock::new(None),
            memory: Mutex::new(Memory::new(MOST_BYTES)),
            under_way: Mutex::default(),
        })
    }

    /// From now on flows that are lacking are asked for there.
    pub fn get_from(&self, source: Arc<dyn Source>) {
        *self.source.write() = Some(source);
    }

    /// How many flows are ready, and the bytes of their JSON.
    pub fn held(&self) -> (usize, usize) {
        self.memory.lock().held()
    }

    /// What the call runs, where all of it is here. Nothing is waited for.
    ///
    /// # Errors
    /// Where the command brings a flow that can't be run here.
    pub fn at_hand(&self, command: &DialCommand) -> Result<Option<CallFlows>, NoFlow> {
        let named = match &command.flow {
            None => return Ok(Some(CallFlows::default())),
            Some(CallFlow::Inline(flow)) => {
                return check_inline(flow, self.records).map(|()| Some(CallFlows::default()));
            }
            Some(CallFlow::Named(named)) => named,
        };
        let mut memory = self.memory.lock();
        let Some(first) = memory.find(&named.hash) else {
            return Ok(None);
        };
        let mut others = BTreeMap::new();
        for (name, hash) in &named.others {
            let Some(flow) = memory.find(hash) else {
                return Ok(None);
            };
            others.insert(name.to_string(), flow);
        }
        let first = Some(first);
        Ok(Some(CallFlows { first, others }))
    }

    /// What a call of that tenant runs; what is not here is asked for, all of it at once. That goes on when
    /// nobody waits for it any more.
    ///
    /// # Errors
    /// For the first flow that can't be had.
    pub async fn get(
        self: &Arc<Self>,
        tenant: &TenantId,
        named: &FlowRef,
    ) -> Result<CallFlows, NoFlow> {
        let first = self.one(tenant, named.name.as_str(), &named.hash);
        let others = named.others.iter().map(|(name, hash)| {
            let flow = self.one(tenant, name.as_str(), hash);
            async move { flow.await.map(|flow| (name.to_string(), flow)) }
        });
        let others = futures::future::try_join_all(others);
        let (first, others) = futures::future::try_join(first, others).await?;
        Ok(CallFlows {
            first: Some(first),
            others: others.into_iter().collect(),
        })
    }

    fn one(self: &Arc<Self>, tenant: &TenantId, name: &str, hash: &FlowHash) -> Work {
        let mut under_way = self.under_way.lock();
        if let Some(flow) = self.memory.lock().find(hash) {
            return futures::future::ready(Ok(flow)).boxed().shared();
        }
        let key = (tenant.clone(), hash.clone());
        if let Some(work) = under_way.get(&key) {
            return work.clone();
        }
        let (this, of, name) = (self.clone(), key.clone(), name.to_owned());
        let task = self.runtime.spawn(async move {
            let got = this.fetch(&of.0, &name, &of.1).await;
            this.under_way.lock().remove(&of);
            got
        });
        let name = hash.to_string();
        let work = async move {
            task.await
                .unwrap_or_else(|error| Err(NoFlow::Unanswered(name, error.to_string())))
        };
        let work = work.boxed().shared();
        under_way.insert(key, work.clone());
        work
    }

    async fn fetch(
        &self,
        tenant: &TenantId,
        name: &str,
        hash: &FlowHash,
    ) -> Result<Arc<Flow>, NoFlow> {
        let unfit = |why: String| NoFlow::Unfit(format!(" {name}"), why);
        let document = self.ask(tenant, name, hash).await?;
        if FlowHash::of(&document) != *hash {
            return Err(unfit(format!("the document that came is not {hash}")));
        }
        let (bytes, records) = (document.len(), self.records);
        // Up to 10 ms of work, where heartbeats and answers wait: not on a thread of the runtime.
        let read = tokio::task::spawn_blocking(move || read(&document, records)).await;
        let flow = read.unwrap_or_else(|error| Err(error.to_string()));
        let flow = Arc::new(flow.map_err(unfit)?);
        self.memory.lock().insert(hash, &flow, bytes);
        Ok(flow)
    }

    /// What a name or a called number stands for now, which is asked anew each time.
    ///
    /// # Errors
    /// [`NoFlow::Unfit`] where it stands for nothing.
    pub async fn find(
        &self,
        of: FlowOf,
    ) -> Result<(TenantId, Option<CampaignName>, FlowRef), NoFlow> {
        let mut why = "there is no connection to NATS".to_owned();
        for again in 0..TRIES {
            if again > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            let Some(source) = self.source.read().clone() else {
                continue;
            };
            let query = FlowQuery {
                v: VERSION,
                of: of.clone(),
            };
            match source.ask(query).await {
                Ok(FlowReply::Found {
                    tenant_id,
                    campaign_name,
                    flow,
                }) => return Ok((tenant_id, campaign_name, flow)),
                Ok(FlowReply::Unknown(why)) => return Err(NoFlow::Unfit(String::new(), why)),
                Ok(FlowReply::Document(_)) => {
                    why = "its answer is to another question".to_owned();
                }
                Err(error) => why = error,
            }
        }
        Err(NoFlow::Unanswered(String::new(), why))
    }

    async fn ask(&self, tenant: &TenantId, name: &str, hash: &FlowHash) -> Result<String, NoFlow> {
        let mut why = "there is no connection to NATS".to_owned();
        for again in 0..TRIES {
            if again > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            let Some(source) = self.source.read().clone() else {
                continue;
            };
            let of = FlowOf::Hash {
                tenant_id: tenant.clone(),
                hash: hash.clone(),
            };
            match source.ask(FlowQuery { v: VERSION, of }).await {
                Ok(FlowReply::Document(document)) => return Ok(document),
                Ok(FlowReply::Unknown(why)) => return Err(NoFlow::Unfit(format!(" {name}"), why)),
                Ok(FlowReply::Found { .. }) => {
                    why = "its answer is to another question".to_owned();
                }
                Err(error) => why = error,
            }
        }
        Err(NoFlow::Unanswered(name.to_owned(), why))
    }
}

/// Reads a document that was checked when it was stored, maybe by another release.
fn read(document: &str, records: bool) -> Result<Flow, String> {
    let (flow, _warnings) = flow::parse(document.as_bytes()).map_err(|findings| {
        let error = findings.first();
        error.map_or_else(|| "it is not valid".to_owned(), ToString::to_string)
    })?;
    match lacking(&flow, records) {
        Some(why) => Err(why),
        None => Ok(flow),
    }
}

/// A flow with an error, or one that takes what this switch can't do, is refused before the phone rings.
fn check_inline(flow: &Flow, records: bool) -> Result<(), NoFlow> {
    let unfit = |path: String, why| Err(NoFlow::Unfit(path, why));
    let findings = flow::check(flow);
    let mut errors = findings
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error);
    if let Some(error) = errors.next() {
        return unfit(format!(".{}", error.path), error.message);
    }
    if let Some(other) = flow.gotos().into_iter().find(|to| *to != flow.name) {
        let why = format!("there is no flow \"{other}\" to go on in");
        return unfit(String::new(), why);
    }
    match lacking(flow, records) {
        Some(why) => unfit(String::new(), why),
        None => Ok(()),
    }
}

/// What of a flow this switch can't do.
fn lacking(flow: &Flow, records: bool) -> Option<String> {
    flow.needs().into_iter().find_map(|need| match need {
        Need::Record if records => None,
        Need::Record => Some(NO_RECORDINGS.to_owned()),
    })
}

#[cfg(test)]
mod tests;
