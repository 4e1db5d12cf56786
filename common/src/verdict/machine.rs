//! Did the machine stay the same while it was measured, and was there enough of it?

use super::{Evidence, invalid, warning};
use crate::report::{Check, Resource};

/// How much of what there is may be used before it is said.
const BUSY_MAX: f64 = 0.9;
/// Halves of a window in which the same work takes so much more time are two machines.
const SHIFT_MAX: f64 = 0.2;
/// What other programs may use of the CPUs before it is said.
pub const OTHERS_MAX: f64 = 0.1;
/// The percentile that stalls are held against when the plan's primary metric is none.
const PERCENTILE: f64 = 0.99;
/// Ticks come every millisecond; only from a thread that nobody puts off do they tell of the machine.
const UNDISTURBED: &str = "fifo-1";

pub(super) fn checks(evidence: &Evidence<'_>) -> Vec<Check> {
    let mut checks = busy(evidence);
    checks.extend(ticks(evidence));
    checks.extend(yardstick(evidence));
    checks.extend(others(evidence));
    checks
}

/// Who had hardly any CPU left: what it measures is then its own limit.
fn busy(evidence: &Evidence<'_>) -> Vec<Check> {
    let named = [
        (Resource::Generator, "generator cpu", "the generator had no CPU to spare: lower the rate"),
        (
            Resource::ServerCpu,
            "server cpu",
            "the server had no CPU to spare, and both engines wait for it: lower the rate",
        ),
    ];
    let share = |resource| evidence.pressure.iter().find(|one| one.resource == resource).map(|one| one.share);
    let check = |(resource, name, remedy)| {
        let share = share(resource)?;
        Some(warning(name, share <= BUSY_MAX, Some(share), Some(BUSY_MAX), remedy))
    };
    named.into_iter().filter_map(check).collect()
}

/// H, the summed lateness of ticks beyond a millisecond: tasks that arrive at random meet a CPU that stands still for H of
/// T with probability H / T. From half of what lies beyond the percentile on it is said; when it is all of it, the
/// percentile tells of the machine.
fn ticks(evidence: &Evidence<'_>) -> Option<Check> {
    let machine = evidence.machine;
    let worst_s = machine.cpus.iter().map(|cpu| cpu.late_ms / 1e3).reduce(f64::max)?;
    let beyond_s = (1.0 - evidence.percentile.unwrap_or(PERCENTILE)) * evidence.settings.load.duration_s;
    let is_void = evidence.percentile.is_some() && machine.priority == UNDISTURBED && worst_s > beyond_s;
    let remedy = "a CPU stood still for too long: leave the machine to the bench, or measure longer";
    let (limit, make): (f64, super::Make) = if is_void { (beyond_s, invalid) } else { (beyond_s / 2.0, warning) };
    Some(make("ticks", worst_s <= limit, Some(worst_s), Some(limit), remedy))
}

/// The larger change of the two directions, over all CPUs.
fn yardstick(evidence: &Evidence<'_>) -> Option<Check> {
    let shifts = evidence.machine.cpus.iter().filter_map(|cpu| cpu.yardstick_shift);
    let worst = shifts.map(|shift| shift.max(1.0 / shift) - 1.0).reduce(f64::max)?;
    Some(warning(
        "yardstick",
        worst <= SHIFT_MAX,
        Some(worst),
        Some(SHIFT_MAX),
        "the same work took longer in one half of the window than in the other: the machine changed its speed",
    ))
}

fn others(evidence: &Evidence<'_>) -> Option<Check> {
    let share = evidence.machine.others_share?;
    Some(warning(
        "others",
        share <= OTHERS_MAX,
        Some(share),
        Some(OTHERS_MAX),
        "other programs used the same CPUs: stop them, and measure again",
    ))
}
