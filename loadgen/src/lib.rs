//! The coordinator: finds the server, starts dynos, paces arrivals, measures, writes runs.

pub mod args;
pub mod assemble;
pub mod bench;
pub mod calibration;
pub mod cgroup;
pub mod child;
pub mod clocks;
pub mod collect;
pub mod dispatch;
pub mod dynos;
pub mod error;
pub mod host;
pub mod limits;
pub mod monitor;
pub mod pacer;
pub mod placement;
pub mod prefill;
pub mod progress;
pub mod redis_server;
pub mod resources;
pub mod run;
pub mod send_log;
pub mod server;
pub mod signals;
pub mod store;
pub mod watchdog;
