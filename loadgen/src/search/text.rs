//! What a search has found, for a terminal.

use std::collections::BTreeMap;
use std::fmt::Write;

use analysis::escape;
use analysis::tables::grid;
use common::report::search::{Enough, FoundRate, Search, SearchContrast, SearchEnd, SearchVariant};

use super::confirm::Votes;
use super::enough::unknown;

/// As tables and sentences.
#[must_use]
pub fn text(search: &Search) -> String {
    let mut text = format!(
        "{}: the highest rate that half of the trials pass; {} searches, trials of {} s, rates {:.0} % apart\n\n",
        escape::line(&search.plan),
        search.searches,
        search.trial_s,
        (search.step - 1.0) * 100.0
    );
    let mut rows = Vec::new();
    for cell in &search.cells {
        let parameters: Vec<String> = cell.parameters.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        rows.extend(cell.variants.iter().map(|variant| row(&parameters.join(", "), variant)));
    }
    let header = ["cell", "variant", "tasks/s", "95 %", "searches", "confirmed", "limit"];
    let _ = writeln!(text, "{}", grid(&header, rows));
    for cell in &search.cells {
        let lines = cell.variants.iter().flat_map(of_variant).chain(cell.contrasts.iter().map(of_contrast));
        for line in lines {
            let _ = writeln!(text, "cell {}: {line}", cell.index);
        }
    }
    for line in search.enough.iter().map(of_enough).chain(unknown(&search.cells)) {
        let _ = writeln!(text, "{line}");
    }
    text
}

fn row(cell: &str, variant: &SearchVariant) -> Vec<String> {
    let rate = &variant.rate_per_s;
    let value = match (rate.value, variant.at_least_per_s) {
        (Some(value), _) => format!("{value:.0}"),
        (None, Some(at_least)) => format!("at least {at_least:.0}"),
        (None, None) => "-".to_owned(),
    };
    let interval = match (rate.low, rate.high) {
        (Some(low), Some(high)) => format!("{low:.0} to {high:.0}"),
        (Some(low), None) => format!("{low:.0} or more"),
        (None, Some(high)) => format!("{high:.0} or less"),
        (None, None) => "-".to_owned(),
    };
    let inversions: u32 = variant.found.iter().map(|found| found.inversions).sum();
    let searches = match inversions {
        0 => format!("{} of {}", rate.n, variant.found.len()),
        _ => format!("{} of {}, {inversions} inversions", rate.n, variant.found.len()),
    };
    let confirmed = match variant.confirmed {
        Some(true) => "yes",
        Some(false) => "no",
        None => "-",
    };
    vec![
        cell.to_owned(),
        variant.variant.name.clone(),
        value,
        interval,
        searches,
        confirmed.to_owned(),
        variant.bottleneck.map_or_else(|| "-".to_owned(), |limit| limit.to_string()),
    ]
}

/// What the table has no room for: searches that found no rate, and what longer runs say.
fn of_variant(variant: &SearchVariant) -> Vec<String> {
    let name = &variant.variant.name;
    let mut ends: BTreeMap<&str, Vec<&FoundRate>> = BTreeMap::new();
    for found in variant.found.iter().filter(|found| found.end != SearchEnd::Bracketed) {
        ends.entry(&found.reason).or_default().push(found);
    }
    let of = variant.found.len();
    let mut lines: Vec<String> = ends
        .into_iter()
        .map(|(reason, found)| {
            let least = found.iter().filter_map(|found| found.lower_per_s).reduce(f64::min);
            let most = found.iter().filter_map(|found| found.upper_per_s).reduce(f64::max);
            let end = match (found[0].end, least, most) {
                (SearchEnd::AtLeast, Some(least), _) => format!("found at least {least:.0} tasks/s"),
                (SearchEnd::AtMost, _, Some(most)) => format!("found less than {most:.0} tasks/s"),
                (_, Some(least), _) => format!("came to no end, after {least:.0} tasks/s had passed"),
                _ => "came to no end".to_owned(),
            };
            format!("{name}: {} of {of} searches {end}: {}", found.len(), escape::line(reason))
        })
        .collect();
    if let Some(found) = variant.rate_per_s.value.filter(|_| !variant.confirmation.is_empty()) {
        let is = match variant.confirmed {
            Some(true) => "is confirmed",
            Some(false) => "is not confirmed",
            None => "is neither confirmed nor refuted",
        };
        lines.push(format!(
            "{name}: {found:.0} tasks/s {is} by longer runs: {}",
            Votes::of(found, &variant.confirmation)
        ));
    }
    lines.extend(variant.confirmation.iter().filter(|trial| trial.passed.is_none()).map(|trial| {
        format!(
            "{name}: a longer run at {:.0} tasks/s stayed {}: {}",
            trial.rate_per_s,
            trial.result,
            escape::line(&trial.reason)
        )
    }));
    lines
}

fn of_contrast(contrast: &SearchContrast) -> String {
    let number = |number: Option<f64>| number.map_or_else(|| "-".to_owned(), |number| format!("{number:.3}"));
    let ratio = &contrast.ratio;
    format!(
        "{} / {}: {} [{}, {}], p = {}, {}",
        contrast.contender,
        contrast.baseline,
        number(ratio.value),
        number(ratio.low),
        number(ratio.high),
        number(contrast.p_value),
        if contrast.n == 1 { "1 search".to_owned() } else { format!("{} searches", contrast.n) }
    )
}

fn of_enough(enough: &Enough) -> String {
    let Enough { variant, key, value, rate_per_s, most_tried, best_value, best_per_s, because } = enough;
    let (is, place) = if *most_tried {
        (format!("the most that was tried, and more may help ({rate_per_s:.0} tasks/s)"), "there")
    } else {
        (format!("enough ({rate_per_s:.0} tasks/s; the best, {best_per_s:.0}, at {best_value})"), "beyond it")
    };
    let limit = because.map_or("no limit was seen".to_owned(), |limit| format!("{place} the limit is {limit}"));
    format!("{variant}: {key} = {value} is {is}; {limit}")
}

#[cfg(test)]
mod tests {
    use common::report::comparison::{Estimate, Ratio};
    use common::report::search::{FoundRate, SearchContrast, SearchEnd, SearchTrial};
    use common::report::{Resource, RunResult};
    use serde_json::json;

    use super::{of_contrast, of_enough, of_variant, row};
    use crate::search::enough::enough;
    use crate::search::enough::tests::cell;

    fn found(end: SearchEnd, lower: Option<f64>, upper: Option<f64>, reason: &str) -> FoundRate {
        FoundRate { end, lower_per_s: lower, upper_per_s: upper, inversions: 0, reason: reason.to_owned() }
    }

    #[test]
    fn a_search_without_a_rate_says_what_is_known_and_why() {
        let mut variant = cell(json!(1), None).variants.remove(0);
        variant.at_least_per_s = Some(510.0);
        variant.found = vec![
            found(SearchEnd::AtLeast, Some(500.0), None, "above half"),
            found(SearchEnd::AtLeast, Some(510.0), None, "above half"),
            found(SearchEnd::AtMost, None, Some(20.0), "too few"),
            found(SearchEnd::Unknown, Some(40.0), None, "a trial stayed invalid"),
            found(SearchEnd::Unknown, None, None, "another"),
        ];
        assert_eq!(row("", &variant)[2], "at least 510");
        let lines = of_variant(&variant);
        assert_eq!(
            lines,
            [
                "a: 1 of 5 searches came to no end, after 40 tasks/s had passed: a trial stayed invalid",
                "a: 2 of 5 searches found at least 500 tasks/s: above half",
                "a: 1 of 5 searches came to no end: another",
                "a: 1 of 5 searches found less than 20 tasks/s: too few",
            ]
        );
    }

    #[test]
    fn what_longer_runs_say_is_said_with_their_numbers() {
        let run = |rate_per_s, result, passed| SearchTrial {
            search: 0,
            rate_per_s,
            duration_s: 6.0,
            result,
            passed,
            reason: "because".to_owned(),
        };
        let (passed, failed) =
            (|at| run(at, RunResult::Ok, Some(true)), |at| run(at, RunResult::Overloaded, Some(false)));
        let mut variant = cell(json!(1), Some(100.0)).variants.remove(0);
        variant.found = vec![found(SearchEnd::Bracketed, Some(98.5), Some(101.5), "")];
        assert_eq!(of_variant(&variant), Vec::<String>::new());
        assert_eq!(row("", &variant)[5], "-");
        variant.confirmation =
            vec![passed(98.5), failed(98.5), passed(98.5), failed(101.5), failed(101.5), failed(101.5)];
        variant.confirmed = Some(true);
        assert_eq!(
            of_variant(&variant),
            [
                "a: 100 tasks/s is confirmed by longer runs: half a step lower 2 pass and 1 fail, half a step higher 0 pass and 3 fail"
            ]
        );
        variant.confirmation[0] = run(98.5, RunResult::Invalid, None);
        variant.confirmed = None;
        let lines = of_variant(&variant);
        assert!(
            lines[0].contains("is neither confirmed nor refuted by longer runs: half a step lower 1 pass and 1 fail")
        );
        assert_eq!(lines[1], "a: a longer run at 98 tasks/s stayed invalid: because");
        variant.confirmed = Some(false);
        assert!(of_variant(&variant)[0].contains("is not confirmed"));
        assert_eq!((row("", &variant)[2].as_str(), row("", &variant)[5].as_str()), ("100", "no"));
    }

    #[test]
    fn bounds_that_are_not_known_are_left_open() {
        let mut variant = cell(json!(1), Some(100.0)).variants.remove(0);
        let mut interval = |low, high| {
            variant.rate_per_s = Estimate { value: Some(100.0), low, high, n: 6 };
            row("", &variant)[3].clone()
        };
        assert_eq!(interval(Some(90.0), Some(110.0)), "90 to 110");
        assert_eq!(interval(Some(90.0), None), "90 or more");
        assert_eq!(interval(None, Some(110.0)), "110 or less");
        assert_eq!(interval(None, None), "-");
        let contrast = SearchContrast {
            baseline: "a".to_owned(),
            contender: "b".to_owned(),
            ratio: Ratio { value: None, low: Some(1.2), high: None },
            p_value: Some(0.002),
            n: 10,
        };
        assert_eq!(of_contrast(&contrast), "b / a: - [1.200, -], p = 0.002, 10 searches");
    }

    #[test]
    fn the_most_that_was_tried_is_not_called_enough() {
        let said = |rates: [f64; 2], limit: Option<Resource>| {
            let mut cells = [(1, rates[0]), (10, rates[1])].map(|(count, rate)| cell(json!(count), Some(rate)));
            cells.iter_mut().for_each(|cell| cell.variants[0].bottleneck = limit);
            enough(&cells).iter().map(of_enough).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(
            said([99.0, 100.0], Some(Resource::ServerCpu)),
            "a: workers.count = 1 is enough (99 tasks/s; the best, 100, at 10); beyond it the limit is server CPU"
        );
        assert_eq!(
            said([99.0, 100.0], None),
            "a: workers.count = 1 is enough (99 tasks/s; the best, 100, at 10); no limit was seen"
        );
        assert_eq!(
            said([50.0, 100.0], Some(Resource::Workers)),
            "a: workers.count = 10 is the most that was tried, and more may help (100 tasks/s); there the limit is workers"
        );
        assert_eq!(
            said([50.0, 100.0], None),
            "a: workers.count = 10 is the most that was tried, and more may help (100 tasks/s); no limit was seen"
        );
    }
}
