//! What needs time: `cargo test -p loadgen --features verify --test verify -- --test-threads 1`, part of `make verify`.
//!
//! Unlike in `e2e.rs`, timings are asserted here, so one test runs at a time, on a machine with nothing better to do.

#![expect(clippy::unwrap_used, reason = "clippy's exception for tests does not reach their helper functions")]

#[path = "verify/accounting.rs"]
mod accounting;
#[path = "verify/clocks.rs"]
mod clocks;
#[path = "verify/compute.rs"]
mod compute;
#[path = "verify/generator.rs"]
mod generator;
#[path = "verify/kills.rs"]
mod kills;
#[path = "verify/limits.rs"]
mod limits;
#[path = "verify/orders.rs"]
mod orders;
#[path = "verify/pacing.rs"]
mod pacing;
#[path = "verify/soak.rs"]
mod soak;
#[path = "verify/stall.rs"]
mod stall;
#[expect(dead_code, reason = "shared with e2e.rs, which uses all of it")]
#[path = "e2e/support.rs"]
mod support;
#[path = "verify/validity.rs"]
mod validity;
#[path = "verify/waits.rs"]
mod waits;
