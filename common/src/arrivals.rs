//! Arrivals: the whole schedule of a run, computed before it, from the plan's load and a block's seed alone.

use rand::SeedableRng;
use rand_distr::{Distribution, Exp1};
use rand_xoshiro::Xoshiro256PlusPlus;
use sha2::{Digest, Sha256};

use crate::plan::{ArrivalProcess, Choice, Settings, hex16};
use crate::random::{self, Stream};

/// One planned task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Nanoseconds since the start of the run (of its warm-up).
    pub intended_ns: u64,
    /// Which dyno.
    pub dyno: u32,
    /// Which of its workers, from 0.
    pub worker: u32,
}

/// All arrivals of a run, by intended instant; arrival i is task i.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Warm-up first, then the window.
    pub arrivals: Vec<Arrival>,
    /// How many of them belong to the warm-up.
    pub warmup: usize,
    /// Length of the warm-up: the window begins here.
    pub window_start_ns: u64,
    /// Its end.
    pub window_end_ns: u64,
}

/// The schedule of a run: exactly rate x length arrivals (rounded) in the warm-up and in the window.
#[must_use]
pub fn schedule(settings: &Settings, block_seed: u64) -> Schedule {
    let load = &settings.load;
    let window_start_ns = nanoseconds(load.warmup_s);
    let window_end_ns = window_start_ns + nanoseconds(load.duration_s);
    let segment = |stream: Stream, length_s: f64| {
        instants(load.arrivals, load.rate_per_s, length_s, random::stream(block_seed, stream))
    };
    let mut instants = segment(Stream::WarmUp, load.warmup_s);
    let warmup = instants.len();
    instants.extend(segment(Stream::Window, load.duration_s).into_iter().map(|instant| instant + window_start_ns));

    let choice_seed = random::stream(block_seed, Stream::Choice);
    let dynos = u64::from(settings.workers.dynos);
    let arrivals = instants
        .into_iter()
        .zip(0u64..)
        .map(|(intended_ns, index)| {
            let dyno = (index % dynos) as u32;
            let workers = u64::from(settings.workers.count_of(dyno));
            let worker = match settings.workers.choice {
                Choice::RoundRobin => (index / dynos) % workers,
                Choice::Random => random::below(random::mix(choice_seed, index), workers),
            };
            Arrival { intended_ns, dyno, worker: worker as u32 }
        })
        .collect();
    Schedule { arrivals, warmup, window_start_ns, window_end_ns }
}

impl Schedule {
    /// SHA-256 over every arrival, in hex, 16 digits.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for arrival in &self.arrivals {
            hash.update(arrival.intended_ns.to_le_bytes());
            hash.update(arrival.dyno.to_le_bytes());
            hash.update(arrival.worker.to_le_bytes());
        }
        hex16(&hash.finalize())
    }
}

fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9).round() as u64
}

/// Instants in `[0, length_s)`, ascending, in nanoseconds; `round(rate * length)` of them.
///
/// Poisson: given their number, the arrivals of a Poisson process are independent and uniform, and the ratios of
/// partial sums of exponential gaps have exactly that law (Devroye 1986, V.2.1). So the gaps are exponential and the
/// count is the plan's.
fn instants(process: ArrivalProcess, rate_per_s: f64, length_s: f64, seed: u64) -> Vec<u64> {
    let count = (rate_per_s * length_s).round() as usize;
    match process {
        ArrivalProcess::Constant => (0..count).map(|index| (index as f64 * 1e9 / rate_per_s) as u64).collect(),
        ArrivalProcess::Poisson => {
            let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
            let mut sum = 0.0;
            let sums: Vec<f64> = (0..=count)
                .map(|_| {
                    let gap: f64 = Exp1.sample(&mut random);
                    sum += gap;
                    sum
                })
                .collect();
            let scale = length_s * 1e9 / sum;
            sums[..count].iter().map(|at| (at * scale) as u64).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};

    use super::{instants, schedule};
    use crate::plan::{ArrivalProcess, Plan};

    fn plan(load: &str, workers: &str) -> Plan {
        let text = format!(
            "name = \"t\"\n[task]\nkind = \"null\"\n[load]\n{load}\n[workers]\n{workers}\n[[variant]]\nname = \"a\"\nengine = \"async\"\n"
        );
        Plan::parse(&text, &[]).unwrap()
    }

    #[test]
    fn the_count_is_exactly_rate_times_length() {
        for process in [ArrivalProcess::Constant, ArrivalProcess::Poisson] {
            for (rate, seconds, count) in
                [(700.0, 1.0, 700), (1500.0, 1.0, 1500), (1500.0, 240.0, 360_000), (0.5, 4.0, 2), (999.9, 10.0, 9999)]
            {
                assert_eq!(instants(process, rate, seconds, 1).len(), count, "{process:?} {rate}/s for {seconds} s");
            }
        }
    }

    #[test]
    fn constant_arrivals_do_not_drift() {
        let at = instants(ArrivalProcess::Constant, 700.0, 240.0, 1);
        assert_eq!(at[700], 1_000_000_000);
        assert_eq!(at[699 * 240], 239_657_142_857);
    }

    /// Kolmogorov-Smirnov against the exponential law, 1 % level: D < 1.63 / sqrt(n).
    #[test]
    fn poisson_gaps_are_exponential() {
        for seed in 1..=5 {
            let n = 10_000usize;
            let at = instants(ArrivalProcess::Poisson, 1000.0, n as f64 / 1000.0, seed);
            let mut gaps: Vec<f64> = at.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1e6).collect();
            gaps.sort_by(f64::total_cmp);
            let distance = gaps
                .iter()
                .enumerate()
                .map(|(index, gap)| {
                    let law = 1.0 - (-gap).exp();
                    let below = index as f64 / gaps.len() as f64;
                    (law - below).abs().max((law - below - 1.0 / gaps.len() as f64).abs())
                })
                .fold(0.0, f64::max);
            assert!(distance < 1.63 / (n as f64).sqrt(), "seed {seed}: D = {distance}");
        }
    }

    #[test]
    fn golden_fingerprints() {
        let load = "rate_per_s = 1000\nduration_s = 2\nwarmup_s = 0.5\nseed = 1\n";
        let hash = |more: &str, workers: &str| {
            let plan = plan(&format!("{load}{more}"), workers);
            schedule(&plan.cells[0].settings, 42).hash()
        };
        let golden = [
            ("arrivals = \"constant\"", "count = 7", "18cb07791da53738"),
            ("arrivals = \"poisson\"", "count = 7", "6f33e9768eb6e9bc"),
            ("arrivals = \"poisson\"", "count = 7\ndynos = 2\nchoice = \"random\"", "c3183b764127d8a6"),
        ];
        let made: Vec<String> = golden.iter().map(|(more, workers, _)| hash(more, workers)).collect();
        assert_eq!(made, golden.map(|(_, _, hash)| hash));
    }

    #[test]
    fn dynos_take_turns_even_when_their_sizes_differ() {
        let plan = plan(
            "rate_per_s = 100\nduration_s = 1\nwarmup_s = 0",
            "count = 150\ndynos = 2\n[[workers.override]]\ndyno = 1\ncount = 3",
        );
        let schedule = schedule(&plan.cells[0].settings, 1);
        assert!(schedule.arrivals.iter().enumerate().all(|(i, a)| a.dyno as usize == i % 2));
        assert!(schedule.arrivals.iter().all(|a| a.worker < if a.dyno == 0 { 150 } else { 3 }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Every schedule is sorted, lies within its segment, and names workers that exist.
        #[test]
        fn schedules_are_ordered_and_bounded(
            rate in 1u32..5000, tenths in 1u32..30, warmup in 0u32..10, count in 1u32..50, dynos in 1u32..4, seed in 0u64..1000,
            poisson: bool, random: bool,
        ) {
            let process = if poisson { "poisson" } else { "constant" };
            let choice = if random { "random" } else { "round-robin" };
            let seconds = f64::from(tenths) / 10.0 + 1.0;
            let plan = plan(
                &format!("rate_per_s = {rate}\nduration_s = {seconds}\nwarmup_s = {}\narrivals = \"{process}\"", f64::from(warmup) / 10.0),
                &format!("count = {count}\ndynos = {dynos}\nchoice = \"{choice}\""),
            );
            let made = schedule(&plan.cells[0].settings, seed);
            prop_assert_eq!(&made, &schedule(&plan.cells[0].settings, seed));
            prop_assert!(made.arrivals.windows(2).all(|pair| pair[0].intended_ns <= pair[1].intended_ns));
            prop_assert!(made.arrivals[..made.warmup].iter().all(|a| a.intended_ns <= made.window_start_ns));
            prop_assert!(made.arrivals[made.warmup..].iter().all(|a| (made.window_start_ns..=made.window_end_ns).contains(&a.intended_ns)));
            prop_assert!(made.arrivals.iter().all(|a| a.worker < count && a.dyno < dynos));
        }
    }
}
