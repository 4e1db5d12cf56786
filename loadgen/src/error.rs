//! Why loadgen gives up, as far as the exit code depends on it.

use common::plan::PlanError;

use crate::redis_server::{ExternalError, FindError, UrlError};

/// What the user asked for cannot be done: nothing was started, or everything was stopped again. Exit code 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// Ctrl-C or SIGTERM. Exit code 130.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// The exit code of an error; results have codes of their own.
#[must_use]
pub fn exit_code(error: &anyhow::Error) -> u8 {
    let refused = error.downcast_ref::<Refused>().is_some()
        || error.downcast_ref::<PlanError>().is_some()
        || error.downcast_ref::<FindError>().is_some()
        || error.downcast_ref::<UrlError>().is_some()
        || error.downcast_ref::<ExternalError>().is_some();
    if error.downcast_ref::<Interrupted>().is_some() {
        130
    } else if refused {
        2
    } else {
        1
    }
}
