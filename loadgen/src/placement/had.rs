//! What dynos had of what was asked for them, by what the kernel says of their processes: pure.

use std::collections::BTreeMap;

use common::plan::{CpuLimit, Dyno};
use common::report::{DynoLimits, Placed};

use super::{Cpus, Part};

/// Differences that come of rounding.
const SAME: f64 = 0.005;

/// `memory_bytes`: of the machine, beyond which no limit means anything; `may_swap`: whether some dyno can have more than its
/// limit by swapping.
#[must_use]
pub fn dyno_limits(asked: &Dyno, placed: &[Placed], memory_bytes: u64, may_swap: bool) -> DynoLimits {
    let (dynos, others): (Vec<&Placed>, Vec<&Placed>) =
        placed.iter().partition(|placed| placed.process.starts_with("dyno-"));
    let cpus = |placed: &[&Placed]| placed.iter().map(|one| one.cpus.parse().ok()).collect::<Option<Vec<Cpus>>>();
    let of_dynos = cpus(&dynos).filter(|dynos| !dynos.is_empty());
    let loadgen = placed.iter().find(|placed| placed.process == Part::Loadgen.to_string());
    let above = loadgen.and_then(|loadgen| loadgen.cpu_quota);
    let vcpus = of_dynos.as_ref().and_then(|cpus| fewest(cpus, &dynos, above));
    let cpus_shared = of_dynos
        .zip(cpus(&others))
        .map(|(dynos, others)| dynos.iter().any(|dyno| others.iter().any(|other| dyno.shared_with(other).count() > 0)));
    let scale = vcpus.map(|vcpus| f64::from(asked.vcpus) / vcpus);
    let limits: Option<Vec<u64>> = dynos.iter().map(|dyno| dyno.memory_limit_bytes).collect();
    let memory_limit_bytes = limits.and_then(|limits| limits.into_iter().max());
    let mut label = asked.class.to_string();
    match scale {
        None => label.push_str(" (not read back)"),
        Some(scale) if scale > 1.0 + SAME => label.push_str(&format!(" scaled 1:{}", short(scale))),
        Some(scale) if scale < 1.0 - SAME => {
            label.push_str(&format!(" not limited ({} for {})", cpu(vcpus), asked.vcpus));
        }
        Some(_) => {}
    }
    let most = f64::from(asked.vcpus) + SAME;
    let no_quota = dynos.iter().any(|dyno| dyno.cpu_quota.is_none_or(|quota| quota > most));
    // Where CPUs do not limit them either, that has been said.
    if asked.limit == CpuLimit::Quota && no_quota && scale.is_some_and(|scale| scale >= 1.0 - SAME) {
        label.push_str(", CPUs instead of a quota");
    }
    if cpus_shared == Some(true) {
        label.push_str(", CPUs shared with server or generator");
    }
    match memory_limit_bytes.map(|limit| limit.min(memory_bytes)) {
        Some(had) if had < asked.memory_bytes() => {
            label.push_str(&format!(", {} of {} GiB of memory", gib(had), gib(asked.memory_bytes())));
        }
        Some(_) if memory_limit_bytes <= Some(asked.memory_bytes()) => {}
        _ => label.push_str(", memory not limited"),
    }
    if may_swap && memory_limit_bytes.is_some() {
        label.push_str(", may swap");
    }
    DynoLimits {
        label,
        class: asked.class,
        limit: asked.limit,
        vcpus_asked: asked.vcpus,
        vcpus,
        scale,
        cpus_shared,
        memory_asked_bytes: asked.memory_bytes(),
        memory_limit_bytes,
    }
}

/// Of the dyno that had least: a CPU that several dynos may use is shared among them, and so is the quota of a group `above`
/// them. Loadgen has none of its own: what holds it back holds back those, too, that have no looser one.
fn fewest(cpus: &[Cpus], dynos: &[&Placed], above: Option<f64>) -> Option<f64> {
    let shared = |quota: f64| above.filter(|above| quota <= above + SAME).map(|above| above / dynos.len() as f64);
    let mut users: BTreeMap<u32, f64> = BTreeMap::new();
    cpus.iter().flat_map(Cpus::numbers).for_each(|cpu| *users.entry(cpu).or_default() += 1.0);
    let had = cpus.iter().zip(dynos).map(|(cpus, dyno)| {
        let share: f64 = cpus.numbers().map(|cpu| 1.0 / users[&cpu]).sum();
        dyno.cpu_quota.map_or(share, |quota| quota.min(share).min(shared(quota).unwrap_or(share)))
    });
    had.reduce(f64::min)
}

fn cpu(vcpus: Option<f64>) -> String {
    vcpus.map_or_else(String::new, |vcpus| format!("{} vCPUs", short(vcpus)))
}

fn gib(bytes: u64) -> String {
    short(bytes as f64 / f64::from(1 << 30))
}

/// One or two digits behind the point, where there are any.
fn short(number: f64) -> String {
    let text = if number < 10.0 { format!("{number:.2}") } else { format!("{number:.1}") };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use common::plan::{CpuLimit, Dyno, DynoClass};
    use common::report::Placed;

    use super::dyno_limits;

    const GIB: u64 = 1 << 30;

    fn asked() -> Dyno {
        Dyno { class: DynoClass::PerformanceL, vcpus: 8, memory_mb: 14 * 1024, limit: CpuLimit::Cpuset }
    }

    fn placed(process: &str, cpus: &str, cpu_quota: Option<f64>, limit_gib: Option<u64>) -> Placed {
        let memory_limit_bytes = limit_gib.map(|gib| gib * GIB);
        Placed {
            process: process.to_owned(),
            cpus: cpus.to_owned(),
            group: None,
            weight: None,
            cpu_quota,
            memory_limit_bytes,
        }
    }

    #[test]
    fn a_run_is_called_what_it_had() {
        let alone = |cpus, quota, limit| vec![placed("loadgen", "0", None, None), placed("dyno-0", cpus, quota, limit)];
        for (processes, memory_gib, scale, label) in [
            (alone("1-8", None, Some(14)), 64, Some(1.0), "performance-l"),
            (alone("0-7", None, Some(14)), 64, Some(1.0), "performance-l, CPUs shared with server or generator"),
            (alone("1-2", None, Some(14)), 64, Some(4.0), "performance-l scaled 1:4"),
            (alone("1-3", None, Some(14)), 64, Some(8.0 / 3.0), "performance-l scaled 1:2.67"),
            (alone("1-16", Some(0.5), Some(14)), 64, Some(16.0), "performance-l scaled 1:16"),
            (alone("1-16", None, Some(14)), 64, Some(0.5), "performance-l not limited (16 vCPUs for 8)"),
            (alone("1-8", None, None), 64, Some(1.0), "performance-l, memory not limited"),
            (alone("1-8", None, Some(15)), 64, Some(1.0), "performance-l, memory not limited"),
            (alone("1-8", None, Some(14)), 6, Some(1.0), "performance-l, 6 of 14 GiB of memory"),
            (alone("1-8", None, Some(3)), 64, Some(1.0), "performance-l, 3 of 14 GiB of memory"),
            (vec![placed("loadgen", "0", None, None)], 64, None, "performance-l (not read back), memory not limited"),
        ] {
            let limits = dyno_limits(&asked(), &processes, memory_gib * GIB, false);
            assert_eq!((limits.label.as_str(), limits.scale), (label, scale), "{processes:?}");
        }
    }

    #[test]
    fn several_dynos_are_judged_by_the_one_with_least() {
        let of = |first: &str, second: &str| {
            let processes = [placed("dyno-0", first, None, Some(14)), placed("dyno-1", second, None, Some(14))];
            dyno_limits(&asked(), &processes, 64 * GIB, false)
        };
        assert_eq!(of("0-7", "8-15").scale, Some(1.0));
        assert_eq!(of("0-7", "8-11").scale, Some(2.0));
        // The same eight for both.
        let shared = of("0-7", "0-7");
        assert_eq!((shared.vcpus, shared.scale, shared.cpus_shared), (Some(4.0), Some(2.0), Some(false)));
        let one_unlimited = [placed("dyno-0", "0-7", None, Some(14)), placed("dyno-1", "8-15", None, None)];
        assert_eq!(dyno_limits(&asked(), &one_unlimited, 64 * GIB, true).memory_limit_bytes, None);
    }

    /// A container that may use eight CPUs, two at a time, and four dynos of one each.
    #[test]
    fn a_quota_of_all_is_shared_by_all() {
        let of = |above: Option<f64>, cpus: &str, own: Option<f64>| {
            let dynos = (0..4).map(|number| placed(&format!("dyno-{number}"), cpus, own, Some(14)));
            let processes: Vec<Placed> = [placed("loadgen", "8", above, None)].into_iter().chain(dynos).collect();
            let asked = Dyno { vcpus: 1, ..asked() };
            let limits = dyno_limits(&asked, &processes, 64 * GIB, false);
            (limits.vcpus, limits.label)
        };
        assert_eq!(of(Some(2.0), "0-7", Some(2.0)), (Some(0.5), "performance-l scaled 1:2".to_owned()));
        assert_eq!(of(Some(2.0), "0-7", Some(0.25)), (Some(0.25), "performance-l scaled 1:4".to_owned()));
        assert_eq!(of(Some(8.0), "0-3", Some(8.0)), (Some(1.0), "performance-l".to_owned()));
        // Dynos that were started by hand need not be below loadgen's groups.
        assert_eq!(of(Some(2.0), "0-3", None), (Some(1.0), "performance-l".to_owned()));
        assert_eq!(of(Some(2.0), "0-3", Some(4.0)), (Some(1.0), "performance-l".to_owned()));
    }

    #[test]
    fn a_limit_that_is_not_in_force_is_not_in_the_name() {
        let label = |quota, limit, may_swap| {
            let processes = [placed("loadgen", "8", None, None), placed("dyno-0", "0-7", quota, limit)];
            let asked = Dyno { limit: CpuLimit::Quota, ..asked() };
            dyno_limits(&asked, &processes, 64 * GIB, may_swap).label
        };
        assert_eq!(label(Some(8.0), Some(14), false), "performance-l");
        assert_eq!(label(None, Some(14), false), "performance-l, CPUs instead of a quota");
        assert_eq!(label(Some(9.0), Some(14), false), "performance-l, CPUs instead of a quota");
        assert_eq!(label(Some(8.0), Some(14), true), "performance-l, may swap");
        assert_eq!(label(Some(8.0), None, true), "performance-l, memory not limited");
    }
}
