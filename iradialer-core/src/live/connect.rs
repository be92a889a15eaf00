//! Requests that connect a call with another one.

use super::make_call::{DIAL_TIMEOUTS_S, dial_timeout};
use super::values::ConfUuid;
use crate::fields::Fields;
use crate::value::{CallerNumber, DialNumber, TrunkName};
use serde_json::{Map, Value, json};

/// How long the one transferred to may ring where the request does not say, s: as in a flow.
const TRANSFER_TIMEOUT_S: u32 = 25;

/// `request_bridge_call`: connects a call with the other one of a conference of two, or waits for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Bridge {
    /// The conference.
    pub conf_uuid: ConfUuid,
}

/// `request_direct_bridge`: connects a call with a number.
#[derive(Debug, Clone, PartialEq)]
pub struct DirectBridge {
    /// The trunk.
    pub gateway: TrunkName,
    /// The number.
    pub to_number: DialNumber,
    /// The caller's number shown, or empty for the trunk's own.
    pub from_number: CallerNumber,
    /// How long it may ring, 5 to 600 s.
    pub dial_timeout_s: u16,
}

/// `request_transfer_call`: connects a call with a number, as the step `transfer` of a flow does.
#[derive(Debug, Clone, PartialEq)]
pub struct TransferCall {
    /// The number.
    pub destination: DialNumber,
    /// Whether the carrier is asked to connect them (SIP REFER).
    pub deflect: bool,
    /// How long it may ring, 5 to 600 s.
    pub timeout_s: u16,
}

impl Bridge {
    pub(super) fn read(fields: &mut Fields) -> Option<Self> {
        let conf_uuid = fields.required("conf_uuid", ConfUuid::parse);
        conf_uuid.map(|conf_uuid| Bridge { conf_uuid })
    }

    pub(super) fn to_json(&self) -> Map<String, Value> {
        Map::from_iter([("conf_uuid".to_owned(), json!(self.conf_uuid))])
    }
}

impl DirectBridge {
    pub(super) fn read(fields: &mut Fields) -> Option<Self> {
        let gateway = fields.required("gateway", TrunkName::parse);
        let to_number = fields.required("to_number", DialNumber::parse);
        let from_number = fields.required("from_number", CallerNumber::parse);
        let dial_timeout_s = dial_timeout(fields);
        Some(DirectBridge {
            gateway: gateway?,
            to_number: to_number?,
            from_number: from_number?,
            dial_timeout_s,
        })
    }

    pub(super) fn to_json(&self) -> Map<String, Value> {
        let fields = [
            ("gateway", json!(self.gateway)),
            ("to_number", json!(self.to_number)),
            ("from_number", json!(self.from_number)),
            ("dial_timeout", json!(self.dial_timeout_s)),
        ];
        Map::from_iter(fields.map(|(name, value)| (name.to_owned(), value)))
    }
}

impl TransferCall {
    pub(super) fn read(fields: &mut Fields) -> Option<Self> {
        let destination = fields.required("destination", DialNumber::parse);
        let deflect = fields.bool("deflect", false);
        // In range, or noted as a mistake.
        let timeout_s = fields.number("timeout", DIAL_TIMEOUTS_S, TRANSFER_TIMEOUT_S) as u16;
        destination.map(|destination| TransferCall {
            destination,
            deflect,
            timeout_s,
        })
    }

    pub(super) fn to_json(&self) -> Map<String, Value> {
        let fields = [
            ("destination", json!(self.destination)),
            ("deflect", json!(self.deflect)),
            ("timeout", json!(self.timeout_s)),
        ];
        Map::from_iter(fields.map(|(name, value)| (name.to_owned(), value)))
    }
}
