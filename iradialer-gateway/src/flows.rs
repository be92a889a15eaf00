//! Which flow a name stands for: those that tenants have stored, and beside them the cluster's own.

mod kept;
mod own;

pub use own::OwnFlow;

use crate::config::Config;
use crate::tdb::{FlowDocument, Tdb, TdbError};
use iradialer_core::flow::{self, Finding, Flow, check_gotos};
use iradialer_core::license::Features;
use iradialer_core::value::{FlowHash, FlowName, TenantId};
use iradialer_core::wire::{FlowRef, MOST_OTHERS};
use kept::Kept;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The flows. Cheap to clone.
#[derive(Clone)]
pub struct Flows {
    tdb: Tdb,
    config: Arc<Config>,
    kept: Arc<Kept>,
}

/// A flow, and all that it leads to, as of now.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// What a call is to name it by.
    pub flow: FlowRef,
    /// Documents that a call has to bring along: they are of no stored version.
    pub brings: Vec<FlowDocument>,
    /// What it and the others take of a licence.
    pub needs: Features,
    /// The flows that it leads to.
    others: BTreeMap<String, Arc<Flow>>,
}

/// Why a flow can't be run.
#[derive(Debug, thiserror::Error)]
pub enum Unresolved {
    /// There is none of that name.
    #[error("there is no flow \"{0}\"")]
    Unknown(FlowName),
    /// A `goto`, of it or of one that it leads to, leads nowhere.
    #[error("flow \"{from}\" goes on in \"{to}\", which is not there")]
    LeadsNowhere {
        /// The flow with the `goto`.
        from: String,
        /// Where that leads.
        to: String,
    },
    /// It leads to too many others.
    #[error("it leads to more than {MOST_OTHERS} other flows")]
    TooManyOthers,
    /// The database failed.
    #[error(transparent)]
    Tdb(#[from] TdbError),
}

/// What a name stands for.
struct Named {
    version: Option<u32>,
    flow: Arc<Flow>,
    hash: FlowHash,
    /// Of a flow of the cluster's own.
    brings: Option<FlowDocument>,
}

impl Flows {
    /// Those of this database and configuration.
    pub fn new(tdb: Tdb, config: Arc<Config>) -> Self {
        Flows {
            tdb,
            config,
            kept: Arc::default(),
        }
    }

    /// What the tenant means by `name` now: its own flow, else one of the cluster's.
    pub async fn named(&self, tenant: &TenantId, name: &FlowName) -> Result<Resolved, Unresolved> {
        let named = self.find(tenant, name).await?;
        let named = named.ok_or_else(|| Unresolved::Unknown(name.clone()))?;
        let resolved = Resolved {
            flow: FlowRef {
                name: name.clone(),
                version: named.version,
                hash: named.hash,
                others: BTreeMap::new(),
            },
            brings: named.brings.into_iter().collect(),
            needs: Features::of_flow(&named.flow),
            others: BTreeMap::new(),
        };
        self.with_others(tenant, &named.flow, resolved).await
    }

    /// What a flow that came with its document leads to.
    pub async fn own(
        &self,
        tenant: &TenantId,
        name: FlowName,
        own: &OwnFlow,
    ) -> Result<Resolved, Unresolved> {
        let resolved = Resolved {
            flow: FlowRef {
                name,
                version: None,
                hash: own.document.hash.clone(),
                others: BTreeMap::new(),
            },
            brings: vec![own.document.clone()],
            needs: Features::of_flow(&own.flow),
            others: BTreeMap::new(),
        };
        self.with_others(tenant, &own.flow, resolved).await
    }

    /// Follows the `goto`s. Where one leads back to the name begun with, it leads to this very document.
    async fn with_others(
        &self,
        tenant: &TenantId,
        begin: &Flow,
        mut resolved: Resolved,
    ) -> Result<Resolved, Unresolved> {
        let gotos = |flow: &Flow| -> Vec<(String, String)> {
            let to = flow.gotos().into_iter();
            to.map(|to| (flow.name.clone(), to.to_owned())).collect()
        };
        let mut to_follow = gotos(begin);
        while let Some((from, to)) = to_follow.pop() {
            if to == begin.name || resolved.others.contains_key(&to) {
                continue;
            }
            let nowhere = || Unresolved::LeadsNowhere {
                from: from.clone(),
                to: to.clone(),
            };
            let name = FlowName::parse("goto.flow", &to).map_err(|_| nowhere())?;
            let named = self.find(tenant, &name).await?.ok_or_else(nowhere)?;
            if resolved.others.len() == MOST_OTHERS {
                return Err(Unresolved::TooManyOthers);
            }
            to_follow.extend(gotos(&named.flow));
            resolved.flow.others.insert(name, named.hash);
            resolved.brings.extend(named.brings);
            resolved.needs = resolved.needs.and(Features::of_flow(&named.flow));
            resolved.others.insert(to, named.flow);
        }
        Ok(resolved)
    }

    async fn find(&self, tenant: &TenantId, name: &FlowName) -> Result<Option<Named>, TdbError> {
        let Some(stored) = self.tdb.flow(tenant, name, None).await? else {
            let own = self.config.flows.get(name.as_str());
            return Ok(own.map(|own| Named {
                version: None,
                flow: Arc::clone(&own.flow),
                hash: own.document.hash.clone(),
                brings: Some(own.document.clone()),
            }));
        };
        let flow = self.parsed(tenant, &stored.hash).await?;
        Ok(flow.map(|flow| Named {
            version: Some(stored.version),
            flow,
            hash: stored.hash,
            brings: None,
        }))
    }

    async fn parsed(
        &self,
        tenant: &TenantId,
        hash: &FlowHash,
    ) -> Result<Option<Arc<Flow>>, TdbError> {
        if let Some(flow) = self.kept.find(hash) {
            return Ok(Some(flow));
        }
        let Some(document) = self.tdb.flow_document(tenant, hash).await? else {
            return Ok(None);
        };
        match flow::parse(document.text.as_bytes()) {
            Ok((flow, _warnings)) => {
                let flow = Arc::new(flow);
                self.kept.keep(hash, &flow, document.text.len());
                Ok(Some(flow))
            }
            Err(findings) => {
                // It was checked when it was stored: by a release with other rules.
                let error = findings.first().map(ToString::to_string);
                tracing::error!(%tenant, %hash, error, "a stored flow can't be run any more");
                Ok(None)
            }
        }
    }
}

impl Resolved {
    /// What is wrong with where `flow`'s `goto`s lead.
    pub fn check_gotos(&self, flow: &Flow) -> Vec<Finding> {
        check_gotos(flow, &self.others)
    }
}
