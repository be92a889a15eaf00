//! What both sides of iradialer share and neither host needs.
//!
//! - [`wire`]: the messages between gateway and switch, versioned and tagged.
//! - [`subject`]: the NATS subjects they travel on.
//! - [`call`]: call states, outcomes and what a SIP answer means for a call.
//! - [`value`]: validated values. A string that reaches a dial string, a SIP header, a path or a
//!   NATS subject has one of these types, so it was checked by allow-list where it came in.
//! - [`ledger`]: which attempts a switch has seen, so that none is dialled twice.
//! - [`address`]: which addresses of the network others may have us talk to.
//! - [`failpoint`]: where a test build can be made to die, for chaos.
//! - [`strict_json`]: JSON from strangers, bounded and without duplicate keys.
//! - [`fields`]: takes a request's members apart, noting every mistake.
//! - [`license`]: licences, signed and verified.
//! - [`live`]: live requests, the product's published messages to a switch.
//! - [`flow`]: the flow language, its checker, and the interpreter over a call-leg trait.
#![forbid(unsafe_code)]

pub mod address;
pub mod call;
pub mod failpoint;
pub mod fields;
pub mod flow;
pub mod ledger;
pub mod license;
pub mod live;
pub mod router_request;
pub mod strict_json;
pub mod subject;
pub mod value;
pub mod wire;
