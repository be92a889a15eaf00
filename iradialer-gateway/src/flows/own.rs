//! A flow with its document.

use crate::tdb::FlowDocument;
use iradialer_core::flow::{self, Finding, Flow};
use iradialer_core::value::{FieldError, FlowHash, FlowName};
use serde_json::Value;
use std::sync::Arc;

/// A flow that comes with its document: the cluster's own, or a request's.
#[derive(Debug, Clone)]
pub struct OwnFlow {
    /// The flow.
    pub flow: Arc<Flow>,
    /// Its document.
    pub document: FlowDocument,
}

impl OwnFlow {
    /// Reads and checks a flow. One that may be run comes with the warnings about it.
    ///
    /// # Errors
    /// With everything that is wrong with it.
    pub fn parse(json: &[u8]) -> Result<(Self, Vec<Finding>), Vec<Finding>> {
        let (flow, warnings) = flow::parse(json)?;
        // It has been read once.
        let value: Value = serde_json::from_slice(json).unwrap_or_default();
        let canonical = FlowHash::canonical(&value);
        let document = FlowDocument {
            hash: FlowHash::of(&canonical),
            text: canonical.into(),
        };
        let flow = Arc::new(flow);
        Ok((OwnFlow { flow, document }, warnings))
    }

    /// Its name; `field` is where a refusal says that it is.
    pub fn name(&self, field: &str) -> Result<FlowName, FieldError> {
        FlowName::parse(field, &self.flow.name)
    }
}
