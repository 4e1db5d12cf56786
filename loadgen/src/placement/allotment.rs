//! What each dyno of a run is to have of a machine: pure.

use common::plan::{CpuLimit, Dyno};

use super::Cpus;

/// For one dyno.
#[derive(Debug, Clone, PartialEq)]
pub struct Allotment {
    /// CPUs that it may use.
    pub cpus: Cpus,
    /// CPUs' worth of time in every period.
    pub quota: Option<f64>,
    /// Memory.
    pub memory_bytes: u64,
}

/// Dyno number `dyno` of `dynos` that share `place`, where `parallelism` threads can run at a time. CPUs that are not there are
/// not given: all dynos get equally less, each its own where there is at least one for each. Memory is never scaled: what a
/// worker needs does not shrink with the CPUs.
pub fn allot(asked: &Dyno, dyno: u32, dynos: u32, place: &Cpus, parallelism: u32) -> Allotment {
    let there_are = place.count().min(parallelism).max(1);
    let memory_bytes = asked.memory_bytes();
    let whole = asked.vcpus.min(there_are / dynos);
    let everywhere = place.clone();
    match asked.limit {
        CpuLimit::Quota => {
            let quota = f64::from(asked.vcpus).min(f64::from(there_are) / f64::from(dynos));
            Allotment { cpus: everywhere, quota: Some(quota), memory_bytes }
        }
        CpuLimit::Cpuset if whole == 0 => Allotment { cpus: everywhere, quota: None, memory_bytes },
        CpuLimit::Cpuset => Allotment { cpus: place.part(dyno * whole, whole), quota: None, memory_bytes },
    }
}

#[cfg(test)]
mod tests {
    use common::plan::{CpuLimit, Dyno, DynoClass};

    use super::{Allotment, allot};

    fn dyno(vcpus: u32, limit: CpuLimit) -> Dyno {
        Dyno { class: DynoClass::Custom, vcpus, memory_mb: 512, limit }
    }

    #[test]
    fn every_dyno_gets_cpus_of_its_own_where_there_are_enough() {
        let of = |vcpus, number, dynos, place: &str, parallelism| {
            let Allotment { cpus, quota, memory_bytes } =
                allot(&dyno(vcpus, CpuLimit::Cpuset), number, dynos, &place.parse().unwrap(), parallelism);
            assert_eq!((quota, memory_bytes), (None, 512 << 20));
            cpus.to_string()
        };
        // Enough.
        assert_eq!([of(2, 0, 2, "2-7", 8), of(2, 1, 2, "2-7", 8)], ["2-3", "4-5"]);
        assert_eq!(of(8, 0, 1, "0-15", 16), "0-7");
        // Fewer than asked: all that there are, or equal parts.
        assert_eq!(of(8, 0, 1, "0-1", 2), "0-1");
        assert_eq!([of(8, 0, 2, "0-2", 3), of(8, 1, 2, "0-2", 3)], ["0", "1"]);
        // Not even one for each.
        assert_eq!(of(8, 2, 3, "0-1", 2), "0-1");
        // Eight CPUs of which a quota allows two at a time.
        assert_eq!(of(4, 0, 1, "0-7", 2), "0-1");
    }

    #[test]
    fn a_quota_binds_no_cpus_and_is_shared_out_where_there_are_too_few() {
        let of = |vcpus, dynos, place: &str| {
            let given = allot(&dyno(vcpus, CpuLimit::Quota), 0, dynos, &place.parse().unwrap(), 16);
            (given.cpus.to_string(), given.quota.unwrap())
        };
        assert_eq!(of(2, 2, "0-7"), ("0-7".to_owned(), 2.0));
        assert_eq!(of(8, 1, "0-1"), ("0-1".to_owned(), 2.0));
        assert_eq!(of(8, 4, "0-1"), ("0-1".to_owned(), 0.5));
    }
}
