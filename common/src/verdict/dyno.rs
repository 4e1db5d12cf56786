//! Whether dynos had what the plan asked for them, and nothing held them back that it did not ask for.

use super::warning;
use crate::plan::{CpuLimit, Dyno};
use crate::report::{Check, DynoLimits, Throttling};

/// `asked`: the plan's `[dyno]`; `had`: what it came to; `throttling`: over the window, where the kernel says.
#[must_use]
pub fn checks(asked: Option<&Dyno>, had: Option<&DynoLimits>, throttling: Option<&Throttling>) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(throttling) = throttling {
        let by_plan = asked.is_some_and(|dyno| dyno.limit == CpuLimit::Quota);
        checks.push(warning(
            "throttled",
            by_plan || throttling.throttled_us == 0,
            Some(throttling.throttled_us as f64),
            Some(0.0),
            "a CPU quota that the plan did not ask for held the dynos back: look at the control groups above them",
        ));
    }
    if let Some(had) = had {
        let limit = had.memory_limit_bytes;
        checks.push(warning(
            "dyno memory",
            limit.is_some_and(|limit| limit <= had.memory_asked_bytes),
            limit.map(|limit| limit as f64),
            Some(had.memory_asked_bytes as f64),
            "the dynos' memory was not limited: start loadgen where it may make control groups",
        ));
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::checks;
    use crate::plan::{CpuLimit, Dyno, DynoClass};
    use crate::report::{DynoLimits, Throttling};

    fn dyno(limit: CpuLimit) -> Dyno {
        Dyno { class: DynoClass::Custom, vcpus: 1, memory_mb: 64, limit }
    }

    fn had(memory_limit_bytes: Option<u64>) -> DynoLimits {
        DynoLimits {
            label: "custom".to_owned(),
            class: DynoClass::Custom,
            limit: CpuLimit::Cpuset,
            vcpus_asked: 1,
            vcpus: Some(1.0),
            scale: Some(1.0),
            cpus_shared: Some(false),
            memory_asked_bytes: 64 << 20,
            memory_limit_bytes,
        }
    }

    #[test]
    fn only_a_quota_of_the_plan_may_hold_dynos_back() {
        let ok = |asked: Option<Dyno>, throttled_us| {
            checks(asked.as_ref(), None, Some(&Throttling { periods: 1, throttled_us }))[0].ok
        };
        assert!(ok(None, 0) && ok(Some(dyno(CpuLimit::Cpuset)), 0) && ok(Some(dyno(CpuLimit::Quota)), 9));
        assert!(!ok(None, 9) && !ok(Some(dyno(CpuLimit::Cpuset)), 9));
        assert!(checks(None, None, None).is_empty());
    }

    #[test]
    fn memory_that_is_not_limited_is_said() {
        let ok = |limit| checks(None, Some(&had(limit)), None)[0].ok;
        assert!(ok(Some(64 << 20)) && ok(Some(4096)));
        assert!(!ok(Some(65 << 20)) && !ok(None));
    }
}
