//! The traces in `plans/traces/` are what their recipes make.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and this one reads files; the crate does not"
)]

use std::fmt::Write;
use std::path::Path;

use common::random::mix;
use common::rate::Rate;

const UPDATE: &str = "UPDATE_TRACES";

/// Visitors of a shop, (seconds, a second at their begin, at their end): quiet; an announcement; waiting; the sale begins;
/// sold out, and a long tail.
const FLASH_SALE: [(f64, f64, f64); 8] = [
    (15.0, 6.0, 6.0),
    (3.0, 6.0, 45.0),
    (12.0, 45.0, 15.0),
    (0.5, 15.0, 260.0),
    (1.5, 260.0, 200.0),
    (4.0, 200.0, 70.0),
    (12.0, 70.0, 16.0),
    (12.0, 16.0, 8.0),
];
const FLASH_SALE_SEED: u64 = 1;

/// A share of 1, from bits.
fn share(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// Visitor i comes at an instant drawn by the rate, and makes one to three tasks, 50 to 450 ms after each other: what
/// people do comes in lumps.
fn flash_sale() -> String {
    let rate = Rate::lines(&FLASH_SALE);
    let mut instants_us = Vec::new();
    for visitor in 0..rate.tasks().round() as u64 {
        let bits = |what: u64| mix(mix(FLASH_SALE_SEED, visitor), what);
        let mut at_s = rate.instant_of(share(bits(0)) * rate.tasks());
        for task in 0..1 + bits(1) % 3 {
            if task > 0 {
                at_s += 0.05 + 0.4 * share(bits(1 + task));
            }
            instants_us.push((at_s * 1e6) as u64);
        }
    }
    instants_us.retain(|&at_us| at_us < 60_000_000);
    instants_us.sort_unstable();
    let mut text = String::from(
        "# A flash sale, made up: quiet until 15 s, an announcement, the sale from 30 s on, a long tail until 60 s.\n\
         # Made by common/tests/traces.rs, which holds the recipe: UPDATE_TRACES=1 cargo test -p common --test traces\n\
         at_s\n",
    );
    for at_us in instants_us {
        writeln!(text, "{}.{:06}", at_us / 1_000_000, at_us % 1_000_000).unwrap();
    }
    text
}

#[test]
fn the_flash_sale_is_what_its_recipe_makes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plans/traces/flash-sale.csv");
    let made = flash_sale();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == made, "plans/traces/flash-sale.csv is not what its recipe makes; {UPDATE}=1 writes it anew");
}
