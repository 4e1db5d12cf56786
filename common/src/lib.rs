//! What both worker engines, the load generator and the analysis must agree on.
//!
//! Nothing here does I/O, reads a clock or knows a runtime: `make lint` proves it.

pub mod arrivals;
pub mod backlog;
pub mod backoff;
pub mod buffer;
pub mod compute;
pub mod endpoint;
pub mod keys;
pub mod latency;
pub mod looks;
pub mod peaks;
pub mod plan;
pub mod queue;
pub mod random;
pub mod rate;
pub mod recorder;
pub mod report;
pub mod request;
pub mod resp;
pub mod step;
pub mod task;
pub mod verdict;
pub mod wire;
pub mod worker;
