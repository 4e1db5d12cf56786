//! Whether instants of different clocks could be compared.

use super::{invalid, on_time_limit_us};
use crate::report::{Check, ClockOffset};

/// The worst of the clocks, by uncertainty and drift together, against the budget that lateness has: both shift every
/// latency by as much. `None` where all read the same clock.
pub(super) fn check(clocks: &[ClockOffset], response_p50_us: Option<f64>) -> Option<Check> {
    let errors = clocks.iter().map(|clock| clock.uncertainty_us + clock.drift_us.unwrap_or(0.0).abs());
    let worst_us = errors.reduce(f64::max)?;
    let limit_us = on_time_limit_us(response_p50_us);
    Some(invalid(
        "clock offset",
        worst_us <= limit_us,
        Some(worst_us),
        Some(limit_us),
        "the clocks of the machines cannot be compared well enough: put them on one quiet network, make the run shorter, or run \
         all dynos on loadgen's machine",
    ))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::report::ClockOffset;

    #[test]
    fn uncertainty_and_drift_share_the_budget_of_lateness() {
        let clock = |uncertainty_us, drift_us| ClockOffset { dyno: 0, offset_us: 5e9, uncertainty_us, drift_us };
        for (clocks, response_p50_us, expected) in [
            (vec![], Some(800.0), None),
            (vec![clock(40.0, Some(-960.0))], Some(800.0), Some((1000.0, 1000.0, true))),
            (vec![clock(40.0, Some(961.0))], Some(800.0), Some((1001.0, 1000.0, false))),
            (vec![clock(40.0, Some(-961.0))], None, Some((1001.0, 1000.0, false))),
            (vec![clock(40.0, Some(961.0))], Some(100_000.0), Some((1001.0, 5000.0, true))),
            (vec![clock(1000.0, None), clock(1001.0, None)], Some(800.0), Some((1001.0, 1000.0, false))),
        ] {
            let check = check(&clocks, response_p50_us);
            let figures = check.map(|check| (check.value.unwrap(), check.limit.unwrap(), check.ok));
            assert_eq!(figures, expected, "{clocks:?}");
        }
    }
}
