//! Tests of the gateway as it is run: the real binary, over HTTPS, with a real `nats-server`.

mod audit;
mod bad_input;
mod batch;
mod bounded;
mod calls;
mod catalogue;
mod commands;
mod connections;
mod described;
mod dnc;
mod docs;
mod doctor;
mod flows;
mod fuzz;
mod gateway;
mod hours;
mod idempotency;
mod license;
mod lifecycle;
mod metrics;
mod nats_config;
mod on_postgresql;
#[allow(dead_code)] // The library's tests use the rest.
#[path = "../support/postgres.rs"]
mod postgres;
mod router;
mod stream;
mod surface;
mod tenants;
mod token_api;
mod tokens;
mod transport;
mod webhook_contract;
mod webhooks;
