//! Calls that a person began at a switch. The router has not given them out, but they use trunks, and
//! they too come to an end when their switch is lost.

use super::call::uuid;
use super::row::{number, parsed};
use super::{Row, Tdb, TdbError};
use iradialer_core::value::{CallUuid, NodeId};

/// A call begun at a switch that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchCall {
    /// The call.
    pub call_uuid: CallUuid,
    /// Its only attempt.
    pub attempt: u32,
    /// The switch.
    pub node_id: NodeId,
    /// The life of its module.
    pub incarnation: CallUuid,
}

impl Tdb {
    /// The calls begun at switches that have not ended.
    pub async fn open_switch_calls(&self) -> Result<Vec<SwitchCall>, TdbError> {
        let rows = sqlx::query(
            "SELECT call_uuid, attempt, node_id, incarnation FROM calls
             WHERE state IN ('assigned', 'dialing', 'ringing', 'answered') AND origin IN ('switch', 'inbound')",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(SwitchCall::from_row).collect()
    }
}

impl SwitchCall {
    fn from_row(row: &Row) -> Result<Self, TdbError> {
        Ok(SwitchCall {
            call_uuid: parsed(row, "call_uuid", uuid)?,
            attempt: number(row, "attempt")?,
            node_id: parsed(row, "node_id", |t| NodeId::parse("node_id", t).ok())?,
            incarnation: parsed(row, "incarnation", uuid)?,
        })
    }
}
