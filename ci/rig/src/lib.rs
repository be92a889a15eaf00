//! Starts the whole system as real processes on loopback, for `make run`, the scenario suites and the
//! benchmarks.
//!
//! - [`process`]: a child that never outlives its guard, [`ports`] that are free.
//! - [`nats`], [`gateway`], [`sandbox`], [`freeswitch`], [`sipp`]: one guard for each program.
//! - [`bench`]: what `make bench` measures.
//! - [`chaos`]: the same system under faults, and what must stay true.
//! - [`webhook`]: a receiver that checks every signature and keeps every event.
//! - [`system`]: all of them together: one gateway, one switch, the trunks between.
//! - [`loopback`]: such a system that calls scripted callees, with a client.
//! - [`scenario`]: a call and what must come of it, as the TOML files of the suite say it.
#![forbid(unsafe_code)]

pub mod api;
pub mod bench;
mod cargo;
pub mod chaos;
pub mod digits;
pub mod engine_config;
pub mod event_socket;
pub mod freeswitch;
pub mod gateway;
pub mod hearing;
pub mod licence;
pub mod loopback;
pub mod nats;
pub mod ports;
pub mod process;
pub mod prompts;
pub mod repository;
pub mod sandbox;
pub mod scenario;
pub mod silent;
pub mod sipp;
pub mod skip;
pub mod system;
pub mod timeline;
pub mod web_server;
pub mod webhook;
