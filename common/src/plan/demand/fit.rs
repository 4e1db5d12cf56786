//! Which value of one key would let a run fit into the memory there is, everything else as it is.

use super::{Settings, Variant, demand};

/// A key, how many steps it has now, how long one is, and how it is set to so many of them.
type Key = (&'static str, f64, f64, fn(&mut Settings, f64));

/// `load.duration_s = 61`: for each key of which less alone would do, the most with which every one of `variants` fits into
/// `memory_bytes`. `private`: as of [`Demand::memory_bytes`](super::Demand::memory_bytes).
#[must_use]
pub fn what_fits(settings: &Settings, variants: &[Variant], private: bool, memory_bytes: u64) -> Vec<String> {
    let load = &settings.load;
    let mut keys: Vec<Key> = Vec::new();
    if let Some(rate_per_s) = load.rate_per_s.filter(|_| load.arrivals.is_stationary()) {
        keys.push(("load.duration_s", load.duration_s, 1.0, |settings, value| settings.load.duration_s = value));
        keys.push(("load.rate_per_s", rate_per_s, 1.0, |settings, value| settings.load.rate_per_s = Some(value)));
    }
    keys.push(("task.payload_kb", settings.task.payload_kb, 0.1, |settings, value| settings.task.payload_kb = value));
    let list_max = f64::from(settings.task.list_max);
    keys.push(("task.list_max", list_max, 1.0, |settings, value| settings.task.list_max = value as u32));
    let fits = |set: fn(&mut Settings, f64), value: f64| {
        let mut other = settings.clone();
        set(&mut other, value);
        variants.iter().all(|variant| demand(&other, variant).memory_bytes(private) <= memory_bytes)
    };
    keys.into_iter()
        .filter_map(|(key, now, step, set)| {
            // `low` steps fit, `high` do not.
            let (mut low, mut high) = (0_u64, (now / step).ceil() as u64);
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                if fits(set, middle as f64 * step) { low = middle } else { high = middle }
            }
            let digits = usize::from(step < 1.0);
            (low > 0).then(|| format!("{key} = {:.digits$}", low as f64 * step))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::demand;
    use super::what_fits;
    use crate::plan::{Executor, Plan, Variant};

    fn plan(load: &str) -> Plan {
        let text = format!(
            "name = \"t\"\n[task]\nkind = \"document\"\nprefill = false\n[load]\nwarmup_s = 1\n{load}\n[workers]\ncount = 2\n\
             [[variant]]\nname = \"a\"\nengine = \"async\"\n"
        );
        Plan::parse(&text, &[]).unwrap()
    }

    #[test]
    fn the_largest_value_that_fits_is_found() {
        let plan = plan("rate_per_s = 1000\nduration_s = 240");
        let (settings, variant) = (&plan.cells[0].settings, &plan.variants[0]);
        let of = |sets: &[&str]| {
            let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
            demand(&Plan::parse(&plan.source, &sets).unwrap().cells[0].settings, variant).memory_bytes(true)
        };
        let room = 500 << 20;
        let fits = what_fits(settings, &plan.variants, true, room);
        let keys: Vec<&str> = fits.iter().map(|fit| fit.split(' ').next().unwrap()).collect();
        assert_eq!(keys, ["load.duration_s", "load.rate_per_s", "task.payload_kb"]);
        for fit in &fits {
            let (key, value) = fit.split_once(" = ").unwrap();
            let value: f64 = value.parse().unwrap();
            let step = if key == "task.payload_kb" { 0.1 } else { 1.0 };
            assert!(of(&[&format!("{key}={value}")]) <= room, "{fit}");
            assert!(of(&[&format!("{key}={:.1}", value + step)]) > room, "{fit} is not the most");
        }
    }

    #[test]
    fn what_is_offered_fits_every_variant() {
        let mut plan = plan("rate_per_s = 1000\nduration_s = 240");
        plan.cells[0].settings.workers.count = 200;
        // Threads take more memory than tasks.
        let threads = Variant { executor: Executor::Dedicated, ..plan.variants[0].clone() };
        plan.variants.push(threads);
        let settings = &plan.cells[0].settings;
        let offered = |variants: &[Variant]| what_fits(settings, variants, true, 500 << 20);
        let [tasks, threads] = [0, 1].map(|at| offered(&plan.variants[at..=at]));
        assert_ne!(tasks, threads);
        assert_eq!(offered(&plan.variants), threads);
    }

    #[test]
    fn what_alone_would_not_do_is_not_offered() {
        let plan = plan("rate_per_s = 1000\nduration_s = 240");
        let (settings, variant) = (&plan.cells[0].settings, &plan.variants[0]);
        assert!(what_fits(settings, &plan.variants, true, 1000).is_empty());
        // The server is elsewhere: its memory is not looked for here.
        assert!(demand(settings, variant).memory_bytes(false) < 500 << 20);
    }
}
