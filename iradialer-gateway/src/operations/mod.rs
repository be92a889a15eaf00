//! What operators do to the catalogue and to the queue: each thing once, for the API, the bus and the command line.

pub mod campaigns;
pub mod nodes;
pub mod queue;
pub mod trunks;

use crate::catalogue::{Catalogue, Catalogues, Kind};
use crate::tdb::{Author, CatalogueChange, Change, Changed, Tdb, TdbError};
use iradialer_core::value::{CampaignName, FieldError, TenantId};
use std::sync::Arc;

/// How often a change is thought out anew because another was made meanwhile.
const TRIES: usize = 20;
/// Who is named by the audit log as the tenant of what is the operator's.
const OPERATOR: &str = "-";

/// Why something is not done.
#[derive(Debug)]
pub enum Refusal {
    /// Fields are wrong; at least one.
    Fields(Vec<FieldError>),
    /// There is no such thing.
    Unknown(Why),
    /// As things are it can't be.
    Conflict(Why),
    /// The asker may not do that.
    Forbidden(String),
    /// Others changed things all the time; it may be tried again.
    Busy,
    /// The database failed.
    Tdb(TdbError),
}

/// The name of a refusal, the field it is about, and a sentence for a person.
#[derive(Debug)]
pub struct Why {
    pub name: &'static str,
    pub field: &'static str,
    pub message: String,
}

impl From<TdbError> for Refusal {
    fn from(error: TdbError) -> Self {
        Refusal::Tdb(error)
    }
}

impl From<FieldError> for Refusal {
    fn from(mistake: FieldError) -> Self {
        Refusal::Fields(vec![mistake])
    }
}

impl Refusal {
    /// There is no such thing.
    pub fn unknown(name: &'static str, field: &'static str, message: String) -> Self {
        Refusal::Unknown(Why {
            name,
            field,
            message,
        })
    }

    /// As things are it can't be.
    pub fn conflict(name: &'static str, field: &'static str, message: String) -> Self {
        Refusal::Conflict(Why {
            name,
            field,
            message,
        })
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Fields(mistakes) => {
                let mistakes: Vec<_> = mistakes.iter().map(FieldError::to_string).collect();
                f.write_str(&mistakes.join("; "))
            }
            Refusal::Unknown(why) | Refusal::Conflict(why) => f.write_str(&why.message),
            Refusal::Forbidden(why) => f.write_str(why),
            Refusal::Busy => f.write_str("others change the catalogue all the time: try again"),
            Refusal::Tdb(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Refusal {}

/// What is changed in, and by whom.
pub struct Desk<'d> {
    pub tdb: &'d Tdb,
    pub catalogues: &'d Catalogues,
    pub author: Author,
    pub now_ms: u64,
}

/// A change, before it is made.
struct Draft {
    kind: Kind,
    tenant_id: String,
    name: String,
    /// The new entry; none: there is to be none.
    body: Option<String>,
    /// It is made only where this campaign has no call that is queued or open.
    without_calls_of: Option<(TenantId, CampaignName)>,
    noted: Option<Change>,
}

impl Desk<'_> {
    /// Makes the change that `think` makes of the catalogue as it is then; none where nothing is to be changed.
    async fn change(
        &self,
        mut think: impl FnMut(&Catalogue) -> Result<Option<Draft>, Refusal>,
    ) -> Result<(), Refusal> {
        for _ in 0..TRIES {
            let catalogue = self.look().await?;
            let Some(draft) = think(&catalogue)? else {
                return Ok(());
            };
            let of = draft.without_calls_of.clone();
            let change = CatalogueChange {
                version: catalogue.version,
                entry: (draft.kind, draft.tenant_id, draft.name, draft.body),
                without_calls_of: draft.without_calls_of,
                noted: draft.noted,
            };
            match self
                .tdb
                .change_catalogue(change, self.author.clone())
                .await?
            {
                Changed::Yes => {
                    self.look().await?;
                    return Ok(());
                }
                Changed::Stale => {}
                Changed::HasCalls { queued, open } => {
                    let name = of.map_or_else(String::new, |(_, name)| name.to_string());
                    let message = format!(
                        "The campaign {name} has {queued} queued and {open} open calls: cancel the queued ones \
                         with it (cancel=true), or wait"
                    );
                    return Err(Refusal::conflict("has_calls", "name", message));
                }
            }
        }
        Err(Refusal::Busy)
    }

    /// The catalogue as it is now, this process having looked.
    async fn look(&self) -> Result<Arc<Catalogue>, Refusal> {
        Ok(self.catalogues.look(self.tdb).await?)
    }
}

/// The operator, as a tenant of the audit log.
fn operator() -> TenantId {
    TenantId::parse("tenant_id", OPERATOR).unwrap_or_else(|_| unreachable!("a constant name"))
}

/// The text of an entry.
fn text(entry: &impl serde::Serialize) -> Option<String> {
    serde_json::to_string(entry).ok()
}
