//! HTTPS API, router, event collector and webhooks for a fleet of FreeSWITCH servers running mod_iradialer.
//!
//! One binary holds every role and runs all of them unless told otherwise. The roles of one process
//! share an [`app::App`]: the checked configuration, the clock, the [`tdb`], the wake-up calls between
//! them, and the way to ask something of a switch. The truth is in the TDB; a wake-up only saves waiting.
//!
//! - [`web`]: the HTTPS API. It accepts calls: validates, writes, commits, answers.
//! - [`router`]: gives queued calls to switches, within the limits of trunks and campaigns.
//! - [`collector`]: writes what the switches report to the TDB.
//! - [`dispatcher`]: delivers events to webhooks.
//! - [`doctor`]: finds what is wrong with a gateway and all that it needs.
//! - [`bus`]: the NATS link, and the `nats-server` of the development mode.
//! - [`destinations`]: which numbers may be called.
//! - [`license`]: what the cluster may use, and until when.
//! - [`trunk`]: what a carrier's answer says of the call, the number and the trunk.
//! - [`roles`]: starts the roles under one cancellation token and stops them.
//!
//! A role is a function `run(app, …, stop: CancellationToken)` that works until `stop` is cancelled and
//! returns soon after, its work left in a state that a start picks up from. One that returns earlier ends
//! the process, all other roles being stopped first.
#![forbid(unsafe_code)]

pub mod access;
pub mod app;
pub mod bus;
pub mod catalogue;
pub mod cli;
pub mod clock;
pub mod collector;
pub mod config;
pub mod destinations;
pub mod dispatcher;
mod dnc;
pub mod doctor;
pub mod flows;
mod lease;
pub mod license;
pub(crate) mod operations;
pub mod ready_file;
pub mod roles;
pub mod router;
pub mod tdb;
pub mod trunk;
pub mod web;
