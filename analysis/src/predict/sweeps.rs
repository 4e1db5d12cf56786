//! Cells of a plan that differ in one key alone.

use std::collections::BTreeMap;

use common::plan::{Cell, Plan};
use serde_json::Value;

use crate::blocks::Blocks;

/// The key that makes cells different in nothing but their rate.
pub(crate) const RATE: &str = "load.rate_per_s";

/// The cells along one key, and the swept keys besides it with their values.
pub(super) type Sweep<'a> = (BTreeMap<String, Value>, Vec<(&'a Cell, &'a Blocks<'a>)>);

/// One for each combination of the swept keys besides `key`; none where `key` is not swept. `cells` are those of the plan, in its
/// order.
pub(super) fn along<'a>(key: &str, plan: &'a Plan, cells: &'a [Blocks<'a>]) -> Vec<Sweep<'a>> {
    let mut sweeps: Vec<Sweep<'a>> = Vec::new();
    for (cell, blocks) in plan.cells.iter().zip(cells).filter(|(cell, _)| cell.parameters.contains_key(key)) {
        let mut others = cell.parameters.clone();
        others.remove(key);
        match sweeps.iter_mut().find(|(parameters, _)| *parameters == others) {
            Some((_, cells)) => cells.push((cell, blocks)),
            None => sweeps.push((others, vec![(cell, blocks)])),
        }
    }
    sweeps
}
