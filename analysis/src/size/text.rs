//! A size, for a terminal.

use common::report::size::{Dynos, Size, SizeOption};

use crate::escape;
use crate::format::{self, NOTHING, counted, grouped, significant};
use crate::metric::Unit;
use crate::tables::{grid_text, layout::Grid};

/// More options than this are counted, and not named.
const NAMED_MAX: usize = 4;

/// As text.
#[must_use]
pub fn text(size: &Size) -> String {
    let demand = &size.demand;
    let mut text = format!("{}: dynos for {} tasks/s", escape::line(&size.plan), significant(demand.rate_per_s, 4));
    if let Some((burst_s, within_s)) = demand.burst_s.zip(demand.drain_within_s) {
        text.push_str(&format!(
            ", and for a burst of {} s at that rate, drained within {} s",
            significant(burst_s, 4),
            significant(within_s, 4)
        ));
    }
    if size.options.is_empty() {
        return format!("{text}\n\nno run of a complete block says what a dyno can do\n");
    }
    text.push_str(&format!("\n\n{}\n", grid_text(&grid(size))));
    text.push_str("\nruns: valid ones, one of each complete block\n");
    text.push_str("in brackets: by the 95 % interval of what a dyno can do; who wants to be sure takes the larger");
    text.push_str(if size.options.iter().any(|option| option.capacity_per_s.low.is_none()) {
        "; it takes six runs\n"
    } else {
        "\n"
    });
    let mut said: Vec<&String> = Vec::new();
    for assumption in size.options.iter().flat_map(|option| &option.assumptions) {
        if !said.contains(&assumption) {
            said.push(assumption);
            text.push_str(&format!("assumed{}: {}\n", of_whom(size, assumption), escape::line(assumption)));
        }
    }
    text
}

/// Of which options it has to be true; nothing when of all.
fn of_whom(size: &Size, assumption: &String) -> String {
    let of: Vec<&SizeOption> = size.options.iter().filter(|option| option.assumptions.contains(assumption)).collect();
    match of.len() {
        all if all == size.options.len() => return String::new(),
        many if many > NAMED_MAX => return format!(" of {many} of {}", size.options.len()),
        _ => {}
    }
    let names: Vec<String> =
        of.iter().map(|option| format!("{} with {}", name(option), counted(option.workers.into(), "worker"))).collect();
    escape::line(&format!(" of {}", names.join("; ")))
}

/// A row for each option.
fn grid(size: &Size) -> Grid {
    let priced = size.demand.price_per_month.is_some();
    let mut header = vec!["variant", "workers", "runs", "of a dyno", "", "sustain", "drain"];
    if priced {
        header.extend(["a month", "drain only"]);
    }
    header.extend(["mean wait", "one server", "limited by"]);
    let dynos = |dynos: &Dynos| match (dynos.low, dynos.high) {
        (Some(low), Some(high)) if low != high => {
            format!("{} [{}, {}]", grouped(dynos.value), grouped(low), grouped(high))
        }
        _ => grouped(dynos.value),
    };
    let money = |dynos: &Dynos| dynos.cost_per_month.map_or_else(|| NOTHING.to_owned(), |cost| significant(cost, 4));
    let no_drain = if size.demand.drain_within_s.is_some() { "impossible" } else { NOTHING };
    let row = |option: &SizeOption| {
        let mut row = vec![
            name(option),
            grouped(option.workers.into()),
            grouped(option.capacity_per_s.n.into()),
            format::estimate(Unit::PerSecond, &option.capacity_per_s),
            if option.measured { "measured" } else { "reckoned" }.to_owned(),
            dynos(&option.sustain),
            option.drain.as_ref().map_or_else(|| no_drain.to_owned(), dynos),
        ];
        if priced {
            row.push(money(&option.sustain));
            row.push(option.drain.as_ref().map_or_else(|| NOTHING.to_owned(), money));
        }
        row.push(option.wait_ms.map_or_else(|| NOTHING.to_owned(), |ms| format::quantity(Unit::Millis, ms)));
        row.push(
            option.server_per_s.map_or_else(|| NOTHING.to_owned(), |per_s| format!("{} /s", significant(per_s, 3))),
        );
        row.push(option.limited_by.clone());
        row
    };
    let last = header.len() - 1;
    let header = header.into_iter().map(str::to_owned).collect();
    Grid { header, rows: size.options.iter().map(row).collect(), left: vec![0, 4, last] }
}

/// "async, redis.rtt_us = 200"; workers have a column of their own.
fn name(option: &SizeOption) -> String {
    let parameters = option.parameters.iter().filter(|(key, _)| *key != "workers.count");
    let parameters = parameters.map(|(key, value)| format!(", {key} = {value}"));
    format!("{}{}", option.variant, parameters.collect::<String>())
}
