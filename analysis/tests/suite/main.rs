//! Everything that needs whole runs: comparison, tables, one run as text, the binary, simulated benches, charts.

#[cfg(test)]
mod answer;
#[cfg(test)]
mod charts;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod compare;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod load;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod page;
#[cfg(test)]
mod predict;
#[cfg(test)]
mod show;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod unknown;
