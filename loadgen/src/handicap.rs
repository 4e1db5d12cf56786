//! A variant that is slower on purpose: the self-test of the instrument (`--handicap NAME=US`, `make handicap`).
//!
//! Its dynos are told of more CPU than the plan has. Everything else stays as it is, the report included, which says so
//! beside: nobody is to take such a run for a real one.

use std::fmt;
use std::str::FromStr;

use common::plan::{Plan, Settings, TaskKind, Variant};
use common::report::Run;

use crate::error::Refused;

/// More than a task may have by its plan.
const US_MAX: f64 = 1e6;

/// So much CPU more in every task of one variant.
#[derive(Debug, Clone, PartialEq)]
pub struct Handicap {
    /// The variant's name.
    variant: String,
    /// Microseconds, in rounds as `task.cpu_us`.
    us: f64,
}

impl FromStr for Handicap {
    type Err = String;

    /// `NAME=US`
    fn from_str(text: &str) -> Result<Handicap, String> {
        let (variant, us) = text.rsplit_once('=').ok_or("the name of a variant and microseconds: NAME=US")?;
        let us: f64 = us.parse().map_err(|_| format!("{us:?} is no number of microseconds"))?;
        if !(us > 0.0 && us <= US_MAX) {
            return Err(format!("{us} microseconds: more than 0, at most {US_MAX}"));
        }
        Ok(Handicap { variant: variant.to_owned(), us })
    }
}

impl fmt::Display for Handicap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.variant, self.us)
    }
}

impl Handicap {
    /// Whether `plan` has this variant, and nothing but tasks that compute by the plan's word.
    ///
    /// # Errors
    /// What is in its way.
    pub fn admit(&self, plan: &Plan) -> Result<(), Refused> {
        let names: Vec<&str> = plan.variants.iter().map(|variant| variant.name.as_str()).collect();
        if !names.contains(&self.variant.as_str()) {
            return Err(Refused(format!("--handicap {self}: no such variant; the plan has {}", names.join(", "))));
        }
        match plan.cells.iter().find(|cell| cell.settings.task.kind != TaskKind::Synthetic) {
            None => Ok(()),
            Some(_) => Err(Refused(format!(
                "--handicap {self}: task.kind has other kinds than \"synthetic\", the only one whose CPU is the plan's"
            ))),
        }
    }

    /// What every task of `variant` burns more, microseconds.
    #[must_use]
    pub fn of(&self, variant: &str) -> Option<f64> {
        (self.variant == variant).then_some(self.us)
    }

    /// The settings that the dynos of `variant` are told.
    #[must_use]
    pub fn burden(&self, mut settings: Settings, variant: &Variant) -> Settings {
        settings.task.cpu_us += self.of(&variant.name).unwrap_or(0.0);
        settings
    }

    /// What the report of every run says, the other variants' included.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!(
            "variant {:?} burns {} us of CPU more in every task (--handicap): a test of the instrument, not a result",
            self.variant, self.us
        )
    }
}

/// Whether the runs of an earlier start had the same one.
///
/// # Errors
/// The first that had another.
pub fn same(kept: &[Run], handicap: Option<&Handicap>) -> Result<(), Refused> {
    let of = |run: &Run| handicap.and_then(|handicap| handicap.of(&run.variant.name)).unwrap_or(0.0);
    // JSON may cost the last digit.
    let differs = |run: &&Run| (run.handicap_us.unwrap_or(0.0) - of(run)).abs() > 1e-6;
    match kept.iter().find(differs) {
        None => Ok(()),
        Some(run) => Err(Refused(format!(
            "--resume: block {} of {:?} was measured with a handicap of {} us, and it is {} us now: repeat --handicap of that bench",
            run.block,
            run.variant.name,
            run.handicap_us.unwrap_or(0.0),
            of(run)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use common::plan::Plan;

    use super::Handicap;

    fn plan(kind: &str) -> Plan {
        let text = format!(
            "name = \"t\"\n[task]\nkind = {kind}\n[load]\nrate_per_s = 1\nduration_s = 1\n[workers]\ncount = 1\n[[variant]]\n\
             name = \"a\"\nengine = \"async\"\n[[variant]]\nname = \"t\"\nengine = \"threaded\"\n"
        );
        Plan::parse(&text, &[]).unwrap()
    }

    fn handicap(text: &str) -> Handicap {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_and_microseconds() {
        assert_eq!(handicap("a=12.5").to_string(), "a=12.5");
        assert_eq!((handicap("a=12.5").of("a"), handicap("a=12.5").of("t")), (Some(12.5), None));
        for wrong in ["a", "a=", "a=x", "a=0", "a=-1", "a=nan", "a=inf", "a=1000001"] {
            assert!(wrong.parse::<Handicap>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_that_variant_is_told_of_more() {
        let plan = plan("\"synthetic\"\ncpu_us = 100");
        let told = |i: usize| handicap("t=2.5").burden(plan.cells[0].settings.clone(), &plan.variants[i]).task.cpu_us;
        assert_eq!([told(0), told(1)], [100.0, 102.5]);
    }

    #[test]
    fn other_variants_and_other_tasks_are_refused() {
        let refused = |text: &str, kind: &str| handicap(text).admit(&plan(kind)).err().map(|refused| refused.0);
        assert_eq!(refused("a=1", "\"synthetic\""), None);
        let unknown = refused("c=1", "\"synthetic\"").unwrap();
        assert!(unknown.contains("--handicap c=1: no such variant; the plan has a, t"), "{unknown}");
        let other = refused("a=1", "[\"synthetic\", \"document\"]").unwrap();
        assert!(other.contains("task.kind"), "{other}");
    }
}
