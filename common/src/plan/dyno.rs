//! `[dyno]`: the machine that each dyno is given. Classes are those of Heroku, whose figures `docs/method.md` quotes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PlanError;

/// Size of a dyno.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DynoClass {
    /// Two vCPUs, 2.5 GB.
    PerformanceM,
    /// Eight vCPUs, 14 GB.
    PerformanceL,
    /// Sixteen vCPUs, 126 GB.
    #[serde(rename = "performance-2xl")]
    Performance2xl,
    /// A share of a machine, for which one vCPU stands here, and 1 GB.
    #[serde(rename = "standard-2x")]
    Standard2x,
    /// As the plan says.
    Custom,
}

/// How vCPUs are limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CpuLimit {
    /// So many CPUs and no others, as a dedicated machine has them.
    #[default]
    Cpuset,
    /// So much CPU time in every period, on any CPU. Who has used it up waits for the next period, which fattens tails.
    Quota,
}

/// `[dyno]`, with what its class stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dyno {
    /// Its class.
    pub class: DynoClass,
    /// CPUs of each dyno.
    pub vcpus: u32,
    /// Memory of each dyno, MiB.
    pub memory_mb: u64,
    /// How CPUs are limited.
    pub limit: CpuLimit,
}

/// What a class stands for.
struct Size {
    vcpus: u32,
    memory_mb: u64,
    workers: u32,
}

const VCPUS_MAX: u32 = 1024;
/// Less holds no worker process; more is no machine's.
const MEMORY_MB: std::ops::RangeInclusive<u64> = 8..=16 * 1024 * 1024;

impl DynoClass {
    /// `None`: it has no figures of its own. Workers are those that Heroku's Node.js buildpack would start: one for every
    /// 512 MiB, and on dynos of more than 16 GiB one for every 2 GiB.
    fn size(self) -> Option<Size> {
        let size = |vcpus, memory_mb, workers| Some(Size { vcpus, memory_mb, workers });
        match self {
            DynoClass::Standard2x => size(1, 1024, 2),
            DynoClass::PerformanceM => size(2, 2560, 5),
            DynoClass::PerformanceL => size(8, 14 * 1024, 28),
            DynoClass::Performance2xl => size(16, 126 * 1024, 63),
            DynoClass::Custom => None,
        }
    }

    /// Workers of a dyno unless the plan says otherwise.
    #[must_use]
    pub fn workers(self) -> Option<u32> {
        Some(self.size()?.workers)
    }
}

impl std::fmt::Display for DynoClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            DynoClass::PerformanceM => "performance-m",
            DynoClass::PerformanceL => "performance-l",
            DynoClass::Performance2xl => "performance-2xl",
            DynoClass::Standard2x => "standard-2x",
            DynoClass::Custom => "custom",
        })
    }
}

impl Dyno {
    /// Memory in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.memory_mb << 20
    }
}

/// `[dyno]` as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DynoInput {
    class: DynoClass,
    vcpus: Option<u32>,
    memory_mb: Option<u64>,
    #[serde(default)]
    limit: CpuLimit,
}

impl DynoInput {
    pub(super) fn resolve(self) -> Result<Dyno, PlanError> {
        let DynoInput { class, vcpus, memory_mb, limit } = self;
        let Some(size) = class.size() else {
            let needed = |key: &str| PlanError::Key {
                key: key.to_owned(),
                message: "missing; dyno.class = \"custom\" has no default for it".to_owned(),
            };
            let vcpus = vcpus.ok_or_else(|| needed("dyno.vcpus"))?;
            let memory_mb = memory_mb.ok_or_else(|| needed("dyno.memory_mb"))?;
            if !(1..=VCPUS_MAX).contains(&vcpus) {
                return Err(PlanError::value("dyno.vcpus", vcpus, format!("1 to {VCPUS_MAX} CPUs")));
            }
            if !MEMORY_MB.contains(&memory_mb) {
                let (least, most) = MEMORY_MB.into_inner();
                return Err(PlanError::value("dyno.memory_mb", memory_mb, format!("{least} to {most} MiB")));
            }
            return Ok(Dyno { class, vcpus, memory_mb, limit });
        };
        let given = [("dyno.vcpus", vcpus.map(u64::from)), ("dyno.memory_mb", memory_mb)];
        if let Some((key, value)) = given.into_iter().find_map(|(key, value)| Some((key, value?))) {
            let expected = format!("{class} has its own: leave it out, or take dyno.class = \"custom\"");
            return Err(PlanError::value(key, value, expected));
        }
        Ok(Dyno { class, vcpus: size.vcpus, memory_mb: size.memory_mb, limit })
    }
}

#[cfg(test)]
mod tests {
    use super::{CpuLimit, Dyno, DynoClass};
    use crate::plan::{Plan, PlanError};

    fn parse(dyno: &str, workers: &str) -> Result<Plan, PlanError> {
        let text = format!(
            "name = \"t\"\n[task]\nkind = \"null\"\n[load]\nrate_per_s = 10\nduration_s = 1\n{workers}\n{dyno}\n\
             [[variant]]\nname = \"a\"\nengine = \"async\"\n"
        );
        Plan::parse(&text, &[])
    }

    #[test]
    fn a_class_stands_for_vcpus_memory_and_workers() {
        for (class, vcpus, memory_mb, workers) in [
            (DynoClass::Standard2x, 1, 1024, 2),
            (DynoClass::PerformanceM, 2, 2560, 5),
            (DynoClass::PerformanceL, 8, 14_336, 28),
            (DynoClass::Performance2xl, 16, 129_024, 63),
        ] {
            let plan = parse(&format!("[dyno]\nclass = \"{class}\""), "").unwrap();
            let settings = &plan.cells[0].settings;
            assert_eq!(settings.dyno, Some(Dyno { class, vcpus, memory_mb, limit: CpuLimit::Cpuset }));
            assert_eq!(settings.workers.count, workers);
        }
        let own = parse("[dyno]\nclass = \"performance-l\"\nlimit = \"quota\"", "[workers]\ncount = 7").unwrap();
        let settings = &own.cells[0].settings;
        assert_eq!((settings.dyno.as_ref().unwrap().limit, settings.workers.count), (CpuLimit::Quota, 7));
        let custom = parse("[dyno]\nclass = \"custom\"\nvcpus = 3\nmemory_mb = 512", "[workers]\ncount = 7").unwrap();
        let dyno = custom.cells[0].settings.dyno.clone().unwrap();
        assert_eq!((dyno.vcpus, dyno.memory_bytes()), (3, 1 << 29));
        assert_eq!(parse("", "[workers]\ncount = 7").unwrap().cells[0].settings.dyno, None);
    }

    #[test]
    fn classes_are_swept_with_their_workers() {
        let plan = parse("[dyno]\nclass = [\"performance-m\", \"performance-l\"]", "").unwrap();
        let cells: Vec<_> = plan.cells.iter().map(|cell| (cell.settings.workers.count, &cell.parameters)).collect();
        assert_eq!((cells[0].0, cells[1].0), (5, 28));
        assert_eq!(cells[1].1["dyno.class"], "performance-l");
    }

    #[test]
    fn what_makes_no_dyno_is_refused() {
        let workers = "[workers]\ncount = 1";
        for (dyno, workers, refusal) in [
            ("[dyno]", workers, "dyno.class: missing, and it has no default"),
            ("[dyno]\nclass = \"performance-xl\"", workers, "dyno.class = \"performance-xl\": one of performance-m"),
            ("[dyno]\nclass = \"performance-l\"\ncpus = 3", workers, "dyno.cpus: unknown key; use one of class, vcpus"),
            ("[dyno]\nclass = \"performance-l\"\nlimit = \"half\"", workers, "dyno.limit = \"half\": cpuset or quota"),
            ("[dyno]\nclass = \"performance-l\"\nvcpus = 3", workers, "dyno.vcpus = 3: performance-l has its own"),
            ("[dyno]\nclass = \"performance-m\"\nmemory_mb = 9", workers, "dyno.memory_mb = 9: performance-m has its"),
            ("[dyno]\nclass = \"custom\"\nmemory_mb = 512", workers, "dyno.vcpus: missing; dyno.class = \"custom\""),
            ("[dyno]\nclass = \"custom\"\nvcpus = 1", workers, "dyno.memory_mb: missing; dyno.class = \"custom\""),
            ("[dyno]\nclass = \"custom\"\nvcpus = 0\nmemory_mb = 512", workers, "dyno.vcpus = 0: 1 to 1024"),
            ("[dyno]\nclass = \"custom\"\nvcpus = 1\nmemory_mb = 7", workers, "dyno.memory_mb = 7: 8 to 16777216 MiB"),
            (
                "[dyno]\nclass = \"custom\"\nvcpus = 1\nmemory_mb = 512",
                "",
                "workers.count: missing, and it has no default",
            ),
            ("", "", "workers.count: missing, and it has no default"),
        ] {
            let message = parse(dyno, workers).unwrap_err().to_string();
            assert!(message.contains(refusal), "{message} does not contain {refusal}");
        }
    }
}
