//! Tests of the gateway as it is run: the real binary, over HTTPS, with a real `nats-server`.

mod bad_input;
mod calls;
mod connections;
mod fuzz;
mod gateway;
mod hours;
mod idempotency;
mod lifecycle;
mod nats_config;
mod router;
mod tokens;
