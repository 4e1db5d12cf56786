//! loadgen and its dynos as a user runs them: the built binaries, real servers, exit codes, what is left behind.
//!
//! Nothing here depends on how fast the machine is: every wait is for an event, and what noise may do to a verdict is
//! said in one place (`support::runs`). Tests that need time are in `verify.rs`.

#![expect(clippy::unwrap_used, reason = "clippy's exception for tests does not reach their helper functions")]

#[path = "e2e/aa.rs"]
mod aa;
#[path = "e2e/arrivals.rs"]
mod arrivals;
#[path = "e2e/bad_input.rs"]
mod bad_input;
#[path = "e2e/bench.rs"]
mod bench;
#[path = "e2e/calibrate.rs"]
mod calibrate;
#[path = "e2e/classes.rs"]
mod classes;
#[path = "e2e/conservation.rs"]
mod conservation;
#[path = "e2e/distance.rs"]
mod distance;
#[path = "e2e/engines.rs"]
mod engines;
#[path = "e2e/external.rs"]
mod external;
#[path = "e2e/handicap.rs"]
mod handicap;
#[path = "e2e/idle.rs"]
mod idle;
#[path = "e2e/interval_log.rs"]
mod interval_log;
#[path = "e2e/lifecycle.rs"]
mod lifecycle;
#[path = "e2e/listen.rs"]
mod listen;
#[path = "e2e/live.rs"]
mod live;
#[path = "e2e/placement.rs"]
mod placement;
#[path = "e2e/queue.rs"]
mod queue;
#[path = "e2e/search.rs"]
mod search;
#[path = "e2e/support.rs"]
mod support;
#[path = "e2e/warmup.rs"]
mod warmup;
