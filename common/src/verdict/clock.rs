//! Whether instants of different clocks could be compared.

use super::{invalid, on_time_limit_us};
use crate::report::{Check, ClockOffset, Ended};

/// The worst of the clocks, by uncertainty and drift together, against the budget that lateness has: both shift every
/// latency by as much. `None` where all read the same clock. A clock that never answered in a run that was not cut short may
/// have moved by any amount.
pub(super) fn check(clocks: &[ClockOffset], ended: &Ended, response_p50_us: Option<f64>) -> Option<Check> {
    let silent = clocks.iter().find(|clock| clock.drift_us.is_none()).filter(|_| *ended == Ended::Complete);
    if let Some(ClockOffset { dyno, .. }) = silent {
        let limit_us = on_time_limit_us(response_p50_us);
        let remedy = format!(
            "dyno {dyno} did not answer when it was asked for the time during the run: put the machines on one quiet network, or \
             leave the dyno's machine more room"
        );
        return Some(invalid("clock offset", false, None, Some(limit_us), &remedy));
    }
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
    use crate::report::{ClockOffset, Ended};

    #[test]
    fn uncertainty_and_drift_share_the_budget_of_lateness() {
        let clock = |uncertainty_us, drift_us| ClockOffset { dyno: 0, offset_us: 5e9, uncertainty_us, drift_us };
        let interrupted = Ended::Interrupted;
        for (clocks, response_p50_us, expected) in [
            (vec![], Some(800.0), None),
            (vec![clock(40.0, Some(-960.0))], Some(800.0), Some((1000.0, 1000.0, true))),
            (vec![clock(40.0, Some(961.0))], Some(800.0), Some((1001.0, 1000.0, false))),
            (vec![clock(40.0, Some(-961.0))], None, Some((1001.0, 1000.0, false))),
            (vec![clock(40.0, Some(961.0))], Some(100_000.0), Some((1001.0, 5000.0, true))),
            (vec![clock(1000.0, None), clock(1001.0, None)], Some(800.0), Some((1001.0, 1000.0, false))),
        ] {
            let check = check(&clocks, &interrupted, response_p50_us);
            let figures = check.map(|check| (check.value.unwrap(), check.limit.unwrap(), check.ok));
            assert_eq!(figures, expected, "{clocks:?}");
        }
    }

    #[test]
    fn a_clock_that_never_answered_fails_a_run_that_completed() {
        let clock = |dyno, drift_us| ClockOffset { dyno, offset_us: 5e9, uncertainty_us: 1.0, drift_us };
        let clocks = [clock(0, Some(0.0)), clock(1, None)];
        let complete = check(&clocks, &Ended::Complete, Some(800.0)).unwrap();
        assert_eq!((complete.ok, complete.value, complete.limit), (false, None, Some(1000.0)));
        assert!(complete.remedy.starts_with("dyno 1 did not answer"), "{}", complete.remedy);
        assert!(check(&clocks, &Ended::Overloaded, Some(800.0)).unwrap().ok);
        assert!(check(&clocks[..1], &Ended::Complete, Some(800.0)).unwrap().ok);
    }
}
