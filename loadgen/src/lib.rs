//! placeholder

pub mod child;
pub mod redis_server;
