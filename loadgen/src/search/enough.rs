//! How much of a swept key is enough. Pure.

use std::collections::BTreeSet;

use common::report::search::{Enough, SearchCell, SearchEnd, SearchVariant};
use serde_json::Value;

/// So much of the best rate.
const ENOUGH: f64 = 0.95;

/// How much is enough, of every swept key for every variant: the smallest value; of values that are words, the first in
/// the plan's order.
pub(super) fn enough(cells: &[SearchCell]) -> Vec<Enough> {
    answers(cells).into_iter().filter_map(Result::ok).collect()
}

/// Where that is not known: a sentence each, which says why.
pub(super) fn unknown(cells: &[SearchCell]) -> Vec<String> {
    answers(cells).into_iter().filter_map(Result::err).collect()
}

/// By the cells that differ from the first in one key alone: all cells of a plan that sweeps one, those of an arm of a
/// star. Of keys that are swept together nothing is said: how much of one is enough may depend on the others.
fn answers(cells: &[SearchCell]) -> Vec<Result<Enough, String>> {
    let Some(centre) = cells.first() else { return Vec::new() };
    let together: BTreeSet<&str> =
        cells.iter().map(|cell| apart(centre, cell)).filter(|keys| keys.len() > 1).flatten().collect();
    if !together.is_empty() {
        let keys: Vec<&str> = together.into_iter().collect();
        let keys = keys.join(" and ");
        return vec![Err(format!("{keys} are swept together: nothing is said of how much of each is enough"))];
    }
    let mut answers = Vec::new();
    for key in centre.parameters.keys() {
        let line: Vec<&SearchCell> =
            cells.iter().filter(|cell| apart(centre, cell).into_iter().all(|other| other == key)).collect();
        if line.len() > 1 {
            let names = centre.variants.iter().map(|of| &of.variant.name);
            answers.extend(names.enumerate().map(|(place, name)| of_variant(&line, key, place, name)));
        }
    }
    answers
}

/// The keys in which `cell` differs from `centre`.
fn apart<'a>(centre: &'a SearchCell, cell: &SearchCell) -> Vec<&'a str> {
    let differing = centre.parameters.iter().filter(|&(key, value)| cell.parameters.get(key) != Some(value));
    differing.map(|(key, _)| key.as_str()).collect()
}

/// Of the variant at this place, in cells that differ in `key` alone.
fn of_variant(line: &[&SearchCell], key: &str, place: usize, name: &str) -> Result<Enough, String> {
    let mut tried: Vec<(&Value, &SearchVariant)> =
        line.iter().filter_map(|cell| Some((cell.parameters.get(key)?, cell.variants.get(place)?))).collect();
    let number = |value: &Value| value.as_f64().unwrap_or(0.0);
    // Words are all alike, and stay where they are.
    tried.sort_by(|one, other| number(one.0).total_cmp(&number(other.0)));
    let rates: Vec<(&Value, &SearchVariant, f64)> =
        tried.iter().filter_map(|&(value, variant)| Some((value, variant, variant.rate_per_s.value?))).collect();
    let best = rates.iter().max_by(|one, other| one.2.total_cmp(&other.2));
    let enough_per_s = ENOUGH * best.map_or(0.0, |best| best.2);
    let open = |&(value, variant): &(&Value, &SearchVariant)| {
        leaves_open(variant, enough_per_s).map(|found| format!("{found} at {value}"))
    };
    let open: Vec<String> = tried.iter().filter_map(open).collect();
    match (rates.iter().find(|(_, _, rate)| *rate >= enough_per_s), best) {
        (Some(&(value, _, rate_per_s)), Some(&(best_value, of_best, best_per_s))) if open.is_empty() => Ok(Enough {
            variant: name.to_owned(),
            key: key.to_owned(),
            value: value.clone(),
            rate_per_s,
            most_tried: value.is_number() && tried.last().is_some_and(|&(last, _)| last == value),
            best_value: best_value.clone(),
            best_per_s,
            because: of_best.bottleneck,
        }),
        _ => Err(format!("{name}: how much of {key} is enough is not known: {}", open.join(", "))),
    }
}

/// What was found of a variant without a rate, which may be better than all that are known, or enough; `None`: it has a
/// rate, or surely less than is enough.
fn leaves_open(variant: &SearchVariant, enough_per_s: f64) -> Option<String> {
    // Where every search ended below something.
    let at_most = variant.found.iter().map(|found| match found.end {
        SearchEnd::AtMost | SearchEnd::Bracketed => found.upper_per_s,
        SearchEnd::AtLeast | SearchEnd::Unknown => None,
    });
    let at_most = at_most.reduce(|one, other| Some(one?.max(other?))).flatten();
    match (variant.rate_per_s.value, variant.at_least_per_s, at_most) {
        (Some(_), ..) => None,
        (None, Some(at_least), _) => Some(format!("at least {at_least:.0} tasks/s")),
        (None, None, Some(at_most)) if at_most < enough_per_s => None,
        (None, None, Some(at_most)) => Some(format!("less than {at_most:.0} tasks/s")),
        (None, None, None) => Some("no rate".to_owned()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use common::plan::Plan;
    use common::report::Resource;
    use common::report::comparison::Estimate;
    use common::report::search::{Enough, FoundRate, SearchCell, SearchEnd, SearchVariant};
    use serde_json::json;

    use super::{enough, unknown};

    /// With one variant.
    pub(in crate::search) fn cell(value: serde_json::Value, per_s: Option<f64>) -> SearchCell {
        let plan = "name = \"t\"\n[task]\nkind = \"null\"\n[load]\nrate_per_s = 1\nduration_s = 1\n[workers]\ncount = 1\n\
                    [[variant]]\nname = \"a\"\nengine = \"async\"\n";
        let variant = Plan::parse(plan, &[]).unwrap().variants.remove(0);
        SearchCell {
            index: 0,
            parameters: [("workers.count".to_owned(), value)].into(),
            variants: vec![SearchVariant {
                variant,
                rate_per_s: Estimate { value: per_s, low: None, high: None, n: 1 },
                at_least_per_s: None,
                found: Vec::new(),
                trials: Vec::new(),
                confirmation: Vec::new(),
                confirmed: None,
                bottleneck: Some(Resource::ServerCpu),
            }],
            contrasts: Vec::new(),
        }
    }

    #[test]
    fn the_smallest_number_with_nearly_the_best_rate_is_enough() {
        let cells = [(json!(100), 990.0), (json!(1), 100.0), (json!(10), 960.0), (json!(1000), 1000.0)]
            .map(|(n, rate)| cell(n, Some(rate)));
        let found = enough(&cells);
        assert_eq!(found.len(), 1);
        let found = &found[0];
        assert_eq!((&found.value, found.rate_per_s, &found.best_value), (&json!(10), 960.0, &json!(1000)));
        assert_eq!((found.key.as_str(), found.because), ("workers.count", Some(Resource::ServerCpu)));
        assert!(!found.most_tried);
    }

    #[test]
    fn the_largest_number_alone_is_the_most_that_was_tried() {
        let only = |cells: &[SearchCell]| -> Enough {
            let [found]: [Enough; 1] = enough(cells).try_into().unwrap();
            found
        };
        let found = only(&[cell(json!(1000), Some(1000.0)), cell(json!(100), Some(949.0))]);
        assert!(found.value == json!(1000) && found.most_tried, "{found:?}");
        let found = only(&[cell(json!(1000), Some(1000.0)), cell(json!(100), Some(950.0))]);
        assert!(found.value == json!(100) && !found.most_tried, "{found:?}");
        // Of words there is no largest, and the first that does is enough.
        let found = only(&[cell(json!("stream"), Some(50.0)), cell(json!("list"), Some(100.0))]);
        assert!(found.value == json!("list") && !found.most_tried, "{found:?}");
        assert_eq!(only(&[cell(json!("stream"), Some(99.0)), cell(json!("list"), Some(100.0))]).value, json!("stream"));
    }

    #[test]
    fn a_value_without_a_rate_leaves_it_open_what_is_enough() {
        let without = |at_least: Option<f64>, at_most: Option<f64>| {
            let mut cell = cell(json!(10), None);
            cell.variants[0].at_least_per_s = at_least;
            cell.variants[0].found.extend(at_most.map(|at_most| FoundRate {
                end: SearchEnd::AtMost,
                lower_per_s: None,
                upper_per_s: Some(at_most),
                inversions: 0,
                reason: String::new(),
            }));
            cell
        };
        let check = |other: SearchCell, why: &str| {
            let cells = [cell(json!(1), Some(100.0)), other];
            assert_eq!(enough(&cells), [], "{why}");
            assert_eq!(unknown(&cells), [format!("a: how much of workers.count is enough is not known: {why}")]);
        };
        check(without(None, None), "no rate at 10");
        check(without(None, Some(96.0)), "less than 96 tasks/s at 10");
        check(without(Some(120.0), None), "at least 120 tasks/s at 10");
        // How much more than that nobody knows.
        check(without(Some(20.0), None), "at least 20 tasks/s at 10");
        // Half of them too low, and half well above: nobody knows.
        let mut half = without(None, Some(5.0));
        half.variants[0].found.push(FoundRate {
            end: SearchEnd::Bracketed,
            lower_per_s: Some(130.0),
            upper_per_s: Some(134.0),
            inversions: 0,
            reason: String::new(),
        });
        check(half, "less than 134 tasks/s at 10");
        // What is surely less takes nothing from the others.
        let cells = [cell(json!(20), Some(100.0)), without(None, Some(94.0))];
        assert_eq!((enough(&cells)[0].value.clone(), unknown(&cells)), (json!(20), Vec::new()));
        let nothing = [cell(json!(2), None), cell(json!(1), None)];
        assert_eq!(enough(&nothing), []);
        assert_eq!(
            unknown(&nothing),
            ["a: how much of workers.count is enough is not known: no rate at 1, no rate at 2"]
        );
    }

    #[test]
    fn of_several_keys_each_arm_of_a_star_has_its_own_and_a_grid_none() {
        let of = |count: u32, rtt_us: u32, per_s: f64| {
            let mut cell = cell(json!(count), Some(per_s));
            cell.parameters.insert("redis.rtt_us".to_owned(), json!(rtt_us));
            cell
        };
        let star = [of(100, 1200, 100.0), of(1, 1200, 10.0), of(10, 1200, 96.0), of(100, 0, 500.0)];
        let found: Vec<_> = enough(&star).into_iter().map(|found| (found.key, found.value, found.best_per_s)).collect();
        let expected = [("redis.rtt_us".to_owned(), json!(0), 500.0), ("workers.count".to_owned(), json!(10), 100.0)];
        assert_eq!((found, unknown(&star)), (expected.to_vec(), Vec::new()));
        let grid = [of(1, 0, 1.0), of(1, 1200, 1.0), of(2, 0, 1.0), of(2, 1200, 1.0)];
        assert_eq!(enough(&grid), []);
        assert_eq!(
            unknown(&grid),
            ["redis.rtt_us and workers.count are swept together: nothing is said of how much of each is enough"]
        );
        // One cell sweeps nothing.
        assert_eq!((enough(&star[..1]), unknown(&star[..1])), (Vec::new(), Vec::new()));
        assert_eq!((enough(&[]), unknown(&[])), (Vec::new(), Vec::new()));
    }
}
