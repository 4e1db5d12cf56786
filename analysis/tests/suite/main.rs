//! Everything that needs whole runs: comparison, tables, one run as text, the binary, simulated benches, charts.

#[cfg(test)]
mod aa;
#[cfg(test)]
mod answer;
#[cfg(test)]
mod charts;
#[cfg(test)]
mod claims;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod compare;
#[cfg(test)]
mod csv;
#[cfg(test)]
mod diff;
#[cfg(test)]
#[path = "../../examples/fuzz/drive.rs"]
mod drive;
#[cfg(test)]
mod extension;
#[cfg(test)]
mod family;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod idle;
#[cfg(test)]
mod load;
#[cfg(test)]
mod metrics;
#[cfg(test)]
#[path = "../../examples/fuzz/mutate.rs"]
mod mutate;
#[cfg(test)]
mod mutated;
#[cfg(test)]
mod page;
#[cfg(test)]
mod predict;
#[cfg(test)]
mod published;
#[cfg(test)]
mod queue_plans;
#[cfg(test)]
mod show;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod size;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod unknown;
#[cfg(test)]
mod validate;
