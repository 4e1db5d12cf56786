//! Reports changed at random, a few hundred times: `examples/fuzz` does the same for as long as one likes.

use analysis::validate::Schemas;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::drive::{Bench, Fate, changed, drive};
use crate::support::{plan_with, runs};

#[test]
fn whatever_is_read_can_be_compared_shown_and_validated() {
    // Six blocks are the fewest that give an interval.
    let plan = plan_with(&["repeat.blocks=6"]);
    let runs = runs(&plan, |_| {}).iter().map(|run| serde_json::to_value(run).unwrap()).collect();
    let (bench, schemas) = (Bench { plan, runs }, Schemas::default());
    let fate = |seed| drive(&bench, &schemas, &changed(&mut Xoshiro256PlusPlus::seed_from_u64(seed), &bench));
    let fates: Vec<Fate> = (0..60).map(fate).collect();
    // Neither refuses everything, nor lets everything through.
    for fate in [Fate::Refused, Fate::Compared] {
        assert!(fates.iter().filter(|&&one| one == fate).count() > 5, "{fates:?}");
    }
}
