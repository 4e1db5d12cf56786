//! A/A: which benches of a variant against itself are to be made, what is known of this host when a bench begins, and what is
//! kept when one has ended.

use std::path::{Path, PathBuf};

use analysis::aa::store;
use analysis::load::Results;
use anyhow::Context;
use common::plan::{Plan, PlanError};
use common::report::aa::AaStore;
use common::report::comparison::Comparison;

use crate::redis_server::Environment;

/// The plans of `benches` A/A benches of `plan`: of `variant`, else of its variants in turn, the baseline first. Each has a seed
/// of its own, so that all of them have different arrivals.
///
/// # Errors
/// The plan has no such variant.
pub fn plans(plan: &Plan, variant: Option<&str>, benches: u32) -> Result<Vec<Plan>, PlanError> {
    let names: Vec<&str> = plan.variants.iter().map(|variant| variant.name.as_str()).collect();
    let baseline = names.iter().position(|&name| name == plan.baseline).unwrap_or(0);
    let seed = plan.cells.first().map_or(0, |cell| cell.settings.load.seed);
    (0..benches)
        .map(|number| {
            let turn = names[(baseline + number as usize) % names.len()];
            // The first is the plan as it is, also where it sweeps the seed.
            let set = (number > 0).then(|| format!("load.seed={}", seed + u64::from(number)));
            Plan::parse(&plan.source, set.as_slice())?.against_itself(variant.unwrap_or(turn))
        })
        .collect()
}

/// What A/A benches have found on a host.
#[derive(Debug, Clone)]
pub struct HostResults {
    /// `None` when there is no cache directory.
    path: Option<PathBuf>,
    fingerprint: String,
}

impl HostResults {
    /// Of the host with this fingerprint.
    #[must_use]
    pub fn of(fingerprint: &str) -> HostResults {
        let cache = Environment::from_process().cache_dir;
        let path = cache.map(|cache| store::path(&cache, fingerprint));
        HostResults { path, fingerprint: fingerprint.to_owned() }
    }

    /// `None` when there are none; what is of no use is said, and is none.
    fn read(&self, say: impl FnOnce(&str)) -> Option<AaStore> {
        match self.path.as_deref().map(store::read_if_there)? {
            Ok(known) => known,
            Err(error) => {
                say(&format!("{error}; A/A results are not used"));
                None
            }
        }
    }

    /// Whether the bench of this plan is among them: as whole as it was to be, and made by this version.
    #[must_use]
    pub fn has(&self, plan: &Plan) -> bool {
        let version = env!("CARGO_PKG_VERSION");
        let is_it = |bench: &common::report::aa::AaBench| bench.plan_hash == plan.hash && bench.headroom == version;
        self.read(|_| ()).is_some_and(|known| known.benches.iter().any(is_it))
    }

    /// Writes what is known into the directory of a bench, so that its verdicts can be had again from there alone. An A/A
    /// bench uses none.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn copy_into(&self, directory: &Path, plan: &Plan, say: impl FnOnce(&str)) -> anyhow::Result<()> {
        let known = if plan.is_against_itself() { None } else { self.read(say) };
        let path = directory.join(store::NAME);
        known.map_or(Ok(()), |known| store::write(&path, &known)).with_context(|| path.display().to_string())
    }

    /// Keeps what a bench has found, if it is an A/A bench that is whole; says where.
    ///
    /// # Errors
    /// There is no cache directory, or the file system refuses.
    pub fn keep(&self, results: &Results, comparison: &Comparison) -> anyhow::Result<Option<String>> {
        if !comparison.aa {
            return Ok(None);
        }
        let benches = analysis::aa::benches(results, comparison);
        if benches.is_empty() {
            return Ok(Some(
                "A/A: not kept, for blocks are missing, or no verdict came of them: see `contrasts` in comparison.json"
                    .to_owned(),
            ));
        }
        let path =
            self.path.as_deref().context("A/A results cannot be kept: neither XDG_CACHE_HOME nor HOME is set")?;
        let aside = store::keep(path, &self.fingerprint, benches).with_context(|| path.display().to_string())?;
        let aside = aside.map_or_else(String::new, |aside| format!("; what was there is {} now", aside.display()));
        Ok(Some(format!("A/A: kept for the verdicts of this host: {}{aside}", path.display())))
    }
}

#[cfg(test)]
mod tests {
    use common::plan::Plan;

    use super::plans;

    const PLAN: &str = "name = \"t\"\nbaseline = \"two\"\n[task]\nkind = \"null\"\n[load]\nrate_per_s = 1\nduration_s = 1\nseed = 7\n[workers]\ncount = 1\n[[variant]]\nname = \"one\"\nengine = \"threaded\"\n[[variant]]\nname = \"two\"\nengine = \"async\"\n";

    #[test]
    fn variants_take_turns_and_every_bench_has_its_own_seed() {
        let plan = Plan::parse(PLAN, &[]).unwrap();
        let of = |plan: &Plan| {
            let names: Vec<&str> = plan.variants.iter().map(|variant| variant.name.as_str()).collect();
            (names.join(" "), plan.cells[0].settings.load.seed)
        };
        let all = plans(&plan, None, 3).unwrap();
        assert!(all.iter().all(Plan::is_against_itself));
        let names: Vec<(String, u64)> = all.iter().map(of).collect();
        assert_eq!(names, [("two-a two-b", 7), ("one-a one-b", 8), ("two-a two-b", 9)].map(|(n, s)| (n.to_owned(), s)));
        // The same again: what is done is found by its hash.
        let again = plans(&plan, None, 3).unwrap();
        assert!(all.iter().zip(&again).all(|(a, b)| a.hash == b.hash) && all[0].hash != all[2].hash);
        let named = plans(&plan, Some("one"), 2).unwrap();
        assert_eq!(named.iter().map(of).map(|(names, _)| names).collect::<Vec<_>>(), ["one-a one-b"; 2]);
        assert!(plans(&plan, Some("three"), 1).unwrap_err().to_string().contains("one of one, two"));
    }
}
