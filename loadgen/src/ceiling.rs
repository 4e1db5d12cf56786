//! What a plan may ask of the generator: half of what it can do on this host. Pure, but for reading the host's file.
//!
//! Above it the generator itself would be part of what is measured: it is late more often, and takes CPU from those whom it
//! measures.

use common::plan::{Engine, Plan, Settings};
use common::report::{Ceiling, Host};

use crate::calibration::HostFile;
use crate::error::Refused;

/// Part of the ceiling that a plan may ask for.
const SHARE: f64 = 0.5;

/// What is known of this host, by engine.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ceilings {
    threaded: Option<Ceiling>,
    asynchronous: Option<Ceiling>,
}

impl Ceilings {
    /// What is kept about the host with this fingerprint.
    #[must_use]
    pub fn read(fingerprint: &str) -> Ceilings {
        let file = HostFile::of(fingerprint);
        Ceilings { threaded: file.ceiling(Engine::Threaded), asynchronous: file.ceiling(Engine::Async) }
    }

    /// With this engine.
    #[must_use]
    pub fn of(&self, engine: Engine) -> Option<&Ceiling> {
        match engine {
            Engine::Threaded => self.threaded.as_ref(),
            Engine::Async => self.asynchronous.as_ref(),
        }
    }

    /// Why these settings ask for too much of the generator with this engine; `None`: they do not, or nothing is known.
    #[must_use]
    pub fn excess(&self, settings: &Settings, engine: Engine) -> Option<String> {
        let ceiling = self.of(engine).filter(|ceiling| !ceiling.at_least)?;
        let (asked, limit) = (settings.load.peak_rate_per_s(), ceiling.ceiling_per_s * SHARE);
        let key = if settings.load.arrivals.is_stationary() { "load.rate_per_s" } else { "the peak of [load]" };
        (asked > limit).then(|| {
            format!(
                "{key} = {asked}: more than half of the {:.0} tasks a second that loadgen can send to the {engine} \
                 engine on this host ({})",
                ceiling.ceiling_per_s, ceiling.measured_at
            )
        })
    }

    /// Refuses a plan that asks for too much, unless `force` lets it through; `say` is told what is not known.
    ///
    /// # Errors
    /// The first cell that asks for more than half of a ceiling.
    pub fn admit(&self, plan: &Plan, force: bool, mut say: impl FnMut(&str)) -> Result<(), Refused> {
        let mut unknown: Vec<String> = Vec::new();
        for cell in &plan.cells {
            for variant in &plan.variants {
                if let Some(excess) = self.excess(&cell.settings, variant.engine).filter(|_| !force) {
                    return Err(Refused(format!(
                        "{excess}; use at most {:.0}, calibrate anew (make calibrate), or add --force, which the reports will \
                         show",
                        self.of(variant.engine).map_or(0.0, |ceiling| ceiling.ceiling_per_s * SHARE)
                    )));
                }
                let engine = variant.engine.to_string();
                if self.of(variant.engine).is_none() && !unknown.contains(&engine) {
                    unknown.push(engine);
                }
            }
        }
        if !unknown.is_empty() {
            say(&format!(
                "no ceiling: how much loadgen can send is not known on this host ({}), and no rate is refused; make calibrate",
                unknown.join(", ")
            ));
        }
        Ok(())
    }
}

/// In what a run differs from the calibration that it is held against.
#[must_use]
pub fn differs(host: &Host) -> Option<String> {
    let ceiling = host.calibration.as_ref()?;
    let then = (ceiling.scheduling.as_str(), ceiling.pacer_priority.as_str());
    let now = (host.scheduling.as_str(), host.pacer_priority.as_str());
    (then != now).then(|| {
        format!(
            "calibrated with scheduling {:?} and pacer {}, and it is {:?} and {} now: the ceiling may be another",
            then.0, then.1, now.0, now.1
        )
    })
}

#[cfg(test)]
mod tests {
    use common::plan::{Engine, Plan};
    use common::report::Ceiling;

    use super::Ceilings;

    fn ceilings(threaded: Option<f64>, asynchronous: Option<f64>) -> Ceilings {
        let of = |engine, rate: Option<f64>| {
            rate.map(|ceiling_per_s| Ceiling {
                engine,
                ceiling_per_s,
                at_least: false,
                at: Vec::new(),
                measured_at: "2026-11-25T12:00:00Z".to_owned(),
                build: String::new(),
                scheduling: String::new(),
                pacer_priority: String::new(),
            })
        };
        Ceilings { threaded: of(Engine::Threaded, threaded), asynchronous: of(Engine::Async, asynchronous) }
    }

    fn plan(rates: &str) -> Plan {
        let text = format!(
            "name = \"t\"\n[task]\nkind = \"null\"\n[load]\nrate_per_s = {rates}\nduration_s = 1\n[workers]\ncount = 4\n[[variant]]\n\
             name = \"a\"\nengine = \"async\"\n[[variant]]\nname = \"t\"\nengine = \"threaded\"\n"
        );
        Plan::parse(&text, &[]).unwrap()
    }

    /// What is refused, else what is said.
    fn admitted(rates: &str, ceilings: &Ceilings, force: bool) -> Result<Vec<String>, String> {
        let mut said = Vec::new();
        ceilings.admit(&plan(rates), force, |line| said.push(line.to_owned())).map_err(|refused| refused.0)?;
        Ok(said)
    }

    #[test]
    fn half_of_a_ceiling_may_be_asked_for_and_no_more() {
        let known = ceilings(Some(20_000.0), Some(40_000.0));
        assert_eq!(admitted("[10, 10000]", &known, false), Ok(vec![]));
        let refused = admitted("[10, 10001]", &known, false).unwrap_err();
        for part in ["load.rate_per_s = 10001", "20000 tasks a second", "threaded engine", "at most 10000", "--force"] {
            assert!(refused.contains(part), "{refused}");
        }
        assert_eq!(admitted("[10, 10001]", &known, true), Ok(vec![]));
        assert!(known.excess(&plan("10001").cells[0].settings, Engine::Threaded).is_some());
        assert_eq!(known.excess(&plan("10001").cells[0].settings, Engine::Async), None);
        // Nobody has looked for the ceiling above it.
        let mut at_least = known.clone();
        at_least.threaded.iter_mut().for_each(|ceiling| ceiling.at_least = true);
        assert_eq!(admitted("[10, 10001]", &at_least, false), Ok(vec![]));
    }

    #[test]
    fn what_is_not_known_is_said_once_and_refuses_nothing() {
        let said = admitted("[10, 1e6]", &Ceilings::default(), false).unwrap();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with("no ceiling: ") && said[0].contains("async, threaded"), "{said:?}");
    }
}
