//! How much of a swept key is enough. Pure.

use std::collections::BTreeSet;

use common::report::search::{Enough, SearchCell, SearchVariant};
use serde_json::Value;

/// So much of the best rate.
const ENOUGH: f64 = 0.95;

/// Where one key is swept: the smallest value that is enough for each variant; of values that are words, the first in the plan's order.
/// None for a variant whose best may be a value of which only a lower bound is known.
pub(super) fn enough(cells: &[SearchCell]) -> Vec<Enough> {
    let keys: BTreeSet<&String> = cells.iter().flat_map(|cell| cell.parameters.keys()).collect();
    let [key] = keys.into_iter().collect::<Vec<_>>()[..] else { return Vec::new() };
    let variants = cells.first().map_or(0, |cell| cell.variants.len());
    (0..variants).filter_map(|variant| of_variant(cells, key, variant)).collect()
}

/// Of the variant at this place.
fn of_variant(cells: &[SearchCell], key: &str, variant: usize) -> Option<Enough> {
    let mut known: Vec<(&Value, &SearchVariant, f64)> = cells
        .iter()
        .filter_map(|cell| {
            let variant = cell.variants.get(variant)?;
            Some((cell.parameters.get(key)?, variant, variant.rate_per_s.value?))
        })
        .collect();
    let number = |value: &Value| value.as_f64().unwrap_or(0.0);
    // Words are all alike, and stay where they are.
    known.sort_by(|one, other| number(one.0).total_cmp(&number(other.0)));
    let &(best_value, of_best, best_per_s) = known.iter().max_by(|one, other| one.2.total_cmp(&other.2))?;
    let at_least = cells.iter().filter_map(|cell| cell.variants.get(variant)?.at_least_per_s).reduce(f64::max);
    if at_least.is_some_and(|at_least| at_least >= ENOUGH * best_per_s) {
        return None;
    }
    let &(value, _, rate_per_s) = known.iter().find(|(_, _, rate)| *rate >= ENOUGH * best_per_s)?;
    Some(Enough {
        variant: of_best.variant.name.clone(),
        key: key.to_owned(),
        value: value.clone(),
        rate_per_s,
        best_value: best_value.clone(),
        best_per_s,
        because: of_best.bottleneck,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use common::plan::Plan;
    use common::report::Resource;
    use common::report::comparison::Estimate;
    use common::report::search::{SearchCell, SearchVariant};
    use serde_json::json;

    use super::enough;

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
    }

    #[test]
    fn a_rate_that_may_be_the_best_leaves_nothing_enough() {
        let beyond = |at_least: f64| {
            let mut cell = cell(json!(10), None);
            cell.variants[0].at_least_per_s = Some(at_least);
            cell
        };
        assert_eq!(enough(&[cell(json!(1), Some(100.0)), beyond(95.0)]), []);
        assert_eq!(enough(&[cell(json!(1), Some(100.0)), beyond(94.0)])[0].value, json!(1));
    }

    #[test]
    fn what_was_not_found_is_not_enough() {
        assert_eq!(enough(&[cell(json!(1), None), cell(json!(2), None)]), []);
        assert_eq!(enough(&[cell(json!(1), None), cell(json!(2), Some(5.0))])[0].value, json!(2));
        // Words: the first of them.
        let words = [cell(json!("stream"), Some(99.0)), cell(json!("list"), Some(100.0))];
        assert_eq!(enough(&words)[0].value, json!("stream"));
        assert_eq!(enough(&[]), []);
    }
}
