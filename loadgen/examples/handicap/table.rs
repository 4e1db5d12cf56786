//! What the benches say together. Pure, but for writing it down.

use std::fmt::{self, Write};
use std::path::Path;

use analysis::export;
use common::report::Host;
use common::report::comparison::{Cause, ContrastVerdict, Ratio};
use serde::Serialize;
use serde_json::json;

/// Part of the benches of a level whose interval must cover the truth: of intervals that do so in 95 % of all cases seventeen
/// of twenty or more do so in 98 %.
const COVERED: f64 = 0.85;

/// One bench.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Judged {
    /// Valid ones.
    pub blocks: u32,
    /// Attempts that were thrown away.
    pub blocks_void: u32,
    /// CPU of a task of the undisturbed variant, by the other benches of the turn.
    pub reference_cpu_us: f64,
    /// The ratio of CPU per task that there is: at least, and at most.
    pub truth: [f64; 2],
    /// The same if a round takes what it takes on an idle host.
    pub truth_by_calibration: f64,
    /// What the bench found.
    pub ratio: Ratio,
    /// Smallest log ratio that it finds with 80 % power.
    pub detectable: Option<f64>,
    /// Its word.
    pub verdict: ContrastVerdict,
    /// With `unknown`.
    pub cause: Option<Cause>,
}

impl Judged {
    /// Whether its interval holds any of what the truth may be; no interval holds nothing.
    fn covers(&self) -> bool {
        let bounds = self.ratio.low.zip(self.ratio.high);
        bounds.is_some_and(|(low, high)| low <= self.truth[1] && self.truth[0] <= high)
    }

    /// Whether the truth is large enough for these blocks, at its least.
    fn above(&self) -> bool {
        self.detectable.is_some_and(|detectable| self.truth[0].ln() > detectable)
    }

    fn sign_is_right(&self) -> bool {
        self.ratio.value.is_some_and(|ratio| ratio > 1.0)
    }
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
        let Ratio { value, low, high } = self.ratio;
        let covers = if self.covers() { "covers" } else { "MISSES" };
        write!(
            f,
            "{} [{}, {}] {covers} {:.3} to {:.3}, {:?}",
            number(value),
            number(low),
            number(high),
            self.truth[0],
            self.truth[1],
            self.verdict
        )
    }
}

/// All benches with one handicap.
#[derive(Debug, Clone)]
pub struct Level {
    /// Of the CPU of a task, by the first bench.
    pub share: f64,
    /// What that comes to.
    pub handicap_us: f64,
    /// In the order of their turns.
    pub benches: Vec<Judged>,
}

impl Level {
    /// `3 %`
    pub fn name(&self) -> String {
        format!("{:.0} %", self.share * 100.0)
    }

    fn count(&self, what: impl Fn(&Judged) -> bool) -> usize {
        self.benches.iter().filter(|bench| what(bench)).count()
    }
}

/// The experiment.
#[derive(Debug, Clone)]
pub struct Table {
    /// Where it ran.
    pub host: Host,
    /// Benches of each level.
    pub asked: u32,
    /// By handicap.
    pub levels: Vec<Level>,
}

impl Table {
    /// Intervals of a level that must cover the truth.
    fn demanded(&self) -> usize {
        (f64::from(self.asked) * COVERED).ceil() as usize
    }

    fn level_passed(&self, level: &Level) -> bool {
        let above = level.count(Judged::above);
        level.benches.len() == self.asked as usize
            && level.count(Judged::covers) >= self.demanded()
            && level.count(|bench| bench.above() && bench.sign_is_right()) == above
    }

    /// Whether every level is complete, covered often enough, and right about the sign wherever it could be seen.
    pub fn passed(&self) -> bool {
        self.levels.iter().all(|level| self.level_passed(level))
    }

    /// Writes `handicap.json` and `handicap.txt` into `directory`.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn write(&self, directory: &Path) -> anyhow::Result<()> {
        let mut json = serde_json::to_vec_pretty(&self.json())?;
        json.push(b'\n');
        export::replace(&directory.join("handicap.json"), &json)?;
        Ok(export::replace(&directory.join("handicap.txt"), self.text().as_bytes())?)
    }

    fn json(&self) -> serde_json::Value {
        let level = |level: &Level| {
            json!({
                "share": level.share,
                "handicap_us": level.handicap_us,
                "covered": level.count(Judged::covers),
                "demanded": self.demanded(),
                "above_detectable": level.count(Judged::above),
                "above_detectable_sign_right": level.count(|bench| bench.above() && bench.sign_is_right()),
                "above_detectable_worse": level.count(|bench| bench.above() && bench.verdict == ContrastVerdict::Worse),
                "worse": level.count(|bench| bench.verdict == ContrastVerdict::Worse),
                "passed": self.level_passed(level),
                "benches": level.benches,
            })
        };
        json!({
            "kind": "handicap",
            "host": self.host,
            "benches_asked": self.asked,
            "passed": self.passed(),
            "levels": self.levels.iter().map(level).collect::<Vec<_>>(),
        })
    }

    /// A line per level.
    pub fn text(&self) -> String {
        let mut text = String::from(
            "handicap            truth          intervals that cover it   above the detectable   of these: right sign, worse\n",
        );
        for level in &self.levels {
            let truths = || level.benches.iter().flat_map(|bench| bench.truth);
            let (least, most) = (truths().fold(f64::INFINITY, f64::min), truths().fold(0.0, f64::max));
            let truth = if level.benches.is_empty() { "-".to_owned() } else { format!("{least:.3} to {most:.3}") };
            let handicap = format!("{} = {} us", level.name(), level.handicap_us);
            let covered =
                format!("{} of {}, {} demanded", level.count(Judged::covers), level.benches.len(), self.demanded());
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{handicap:<19} {truth:<14} {covered:<25} {:<22} {}, {}",
                level.count(Judged::above),
                level.count(|bench| bench.above() && bench.sign_is_right()),
                level.count(|bench| bench.above() && bench.verdict == ContrastVerdict::Worse),
            );
        }
        let complete = self.levels.iter().all(|level| level.benches.len() == self.asked as usize);
        text.push_str(match (complete, self.passed()) {
            (false, _) => "not complete\n",
            (true, true) => "passed\n",
            (true, false) => "FAILED\n",
        });
        text
    }
}

#[cfg(test)]
mod tests {
    use common::report::Host;
    use common::report::comparison::{ContrastVerdict, Ratio};

    use super::{Judged, Level, Table};

    fn bench(truth: f64, low: f64, high: f64, verdict: ContrastVerdict) -> Judged {
        Judged {
            blocks: 10,
            blocks_void: 0,
            reference_cpu_us: 300.0,
            truth: [truth, truth + 0.002],
            truth_by_calibration: truth,
            ratio: Ratio { value: Some((low + high) / 2.0), low: Some(low), high: Some(high) },
            detectable: Some(0.04),
            verdict,
            cause: None,
        }
    }

    fn table(benches: Vec<Judged>) -> Table {
        let host: Host = serde_json::from_value(serde_json::json!({
            "fingerprint": "0123456789abcdef", "cpu_model": "", "cpus": 2, "memory_bytes": 1, "kernel": "", "arch": "x86_64",
            "load_average_start": 0.0, "load_average_end": 0.0, "scheduling": "", "placement": [], "pacer_priority": "normal",
            "compute_rounds_per_us": 400.0, "calibration": null, "huge_pages": "off",
        }))
        .unwrap();
        Table { host, asked: 20, levels: vec![Level { share: 0.05, handicap_us: 15.0, benches }] }
    }

    #[test]
    fn seventeen_of_twenty_must_cover_the_truth() {
        let hit = bench(1.05, 1.01, 1.08, ContrastVerdict::Worse);
        let miss = bench(1.05, 1.06, 1.09, ContrastVerdict::Worse);
        let nothing = Judged { ratio: Ratio { value: None, low: None, high: None }, detectable: None, ..hit };
        for (missed, nothings, passed) in [(0, 0, true), (3, 0, true), (0, 3, true), (4, 0, false), (2, 2, false)] {
            let mut benches = vec![hit; 20 - missed - nothings];
            benches.extend(vec![miss; missed]);
            benches.extend(vec![nothing; nothings]);
            assert_eq!(table(benches).passed(), passed, "{missed} missed, {nothings} without an interval");
        }
        assert!(!table(vec![hit; 19]).passed(), "one is still to come");
    }

    #[test]
    fn an_interval_that_reaches_what_the_truth_may_be_covers_it() {
        for (low, high, covers) in [(1.06, 1.09, false), (1.051, 1.09, true), (1.01, 1.05, true), (1.01, 1.04, false)] {
            assert_eq!(bench(1.05, low, high, ContrastVerdict::Worse).covers(), covers, "{low} {high}");
        }
    }

    #[test]
    fn the_sign_is_asked_only_of_what_can_be_seen() {
        let mut benches = vec![bench(1.05, 1.01, 1.08, ContrastVerdict::Worse); 19];
        let unseen = Judged { detectable: Some(0.06), ..bench(1.05, 0.91, 1.06, ContrastVerdict::Unknown) };
        benches.push(unseen);
        assert!(table(benches.clone()).passed());
        benches[19] = bench(1.05, 0.91, 1.06, ContrastVerdict::Unknown);
        assert!(!table(benches).passed());
    }

    #[test]
    fn text_and_json_say_the_same() {
        let mut benches = vec![bench(1.05, 1.01, 1.08, ContrastVerdict::Worse); 17];
        benches.extend(vec![bench(1.052, 1.06, 1.09, ContrastVerdict::Unknown); 3]);
        let table = table(benches);
        let json = table.json();
        let counts =
            ["covered", "demanded", "above_detectable", "above_detectable_sign_right", "above_detectable_worse"];
        assert_eq!(counts.map(|name| json["levels"][0][name].as_u64().unwrap()), [17, 17, 20, 20, 17]);
        let text = table.text();
        for part in ["5 % = 15 us", "1.050 to 1.054", "17 of 20, 17 demanded", "20, 17\n", "passed\n"] {
            assert!(text.contains(part), "{part:?} in\n{text}");
        }
    }
}
