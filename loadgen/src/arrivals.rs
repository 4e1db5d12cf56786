//! `loadgen arrivals`: what a plan asks for, before anything is started.

use std::io::{self, BufWriter, Write};

use common::arrivals::{Schedule, schedule};
use common::plan::demand::demand;
use common::plan::{Cell, Load, Plan, Spacing, Trace};
use common::random::block_seed;

use crate::args::{self, Arrivals};
use crate::error::Refused;
use crate::limits::Capacity;

mod plot;

/// More cells than this are shown only one by one.
const CELLS_SHOWN: usize = 4;

/// The cells of `plan` that `args` ask for.
///
/// # Errors
/// A cell that the plan does not have, or several cells where a CSV is of one.
pub fn cells<'a>(plan: &'a Plan, args: &Arrivals) -> Result<&'a [Cell], Refused> {
    let count = plan.cells.len();
    match args.cell {
        Some(number) => args::cell(plan, number).map(std::slice::from_ref),
        None if args.csv.is_some() && count > 1 => {
            Err(Refused(format!("--csv holds one cell and the plan has {count} of them: choose one by --cell N")))
        }
        None => Ok(&plan.cells[..count.min(CELLS_SHOWN)]),
    }
}

/// Refuses what this machine has no memory for, before it is made.
///
/// # Errors
/// The first cell that needs more than there is.
pub fn admit(plan: &Plan, cells: &[Cell], capacity: &Capacity) -> Result<(), Refused> {
    // Whatever the variant, the arrivals are the same.
    let Some(variant) = plan.variants.first() else { return Ok(()) };
    cells.iter().try_for_each(|cell| capacity.admit_arrivals(&demand(&cell.settings, variant)))
}

/// The arrivals of `cell` in block `block`.
#[must_use]
pub fn of(cell: &Cell, block: u32) -> Schedule {
    schedule(&cell.settings, block_seed(cell.settings.load.seed, cell.index, block))
}

/// What `cells` of `plan` ask for in block `block`, as text that ends with a newline. Pure.
#[must_use]
pub fn text(plan: &Plan, cells: &[Cell], block: u32) -> String {
    let mut text = String::new();
    for cell in cells {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&cell_text(cell, block));
    }
    if cells.len() > 1 && cells.len() < plan.cells.len() {
        text.push_str(&format!("\n{} more cells: --cell N shows another one\n", plan.cells.len() - cells.len()));
    }
    text
}

fn cell_text(cell: &Cell, block: u32) -> String {
    let load = &cell.settings.load;
    let made = of(cell, block);
    let parameters: Vec<String> = cell.parameters.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    let parameters = if parameters.is_empty() { String::new() } else { format!(" ({})", parameters.join(", ")) };
    let window = made.arrivals.len() - made.warmup;
    format!(
        "cell {}{parameters}, block {block}, seed {}\n\
         \x20 arrivals  {}\n\
         \x20 tasks     {window} in the window of {} s, {} in the warm-up of {} s\n\
         \x20 rate      {} /s on average over the window\n\
         \x20 gaps      {}\n\
         \x20 hash      {}\n\n{}",
        cell.index,
        load.seed,
        process(load),
        load.duration_s,
        made.warmup,
        load.warmup_s,
        number(load.mean_rate_per_s(), 2),
        gaps(&made),
        made.hash(),
        plot::rate_over_time(&made),
    )
}

/// The process in words.
fn process(load: &Load) -> String {
    let name = serde_json::to_value(load.arrivals).ok();
    let name = name.as_ref().and_then(|name| name.as_str()).unwrap_or_default().to_owned();
    let spacing = match load.spacing {
        Some(Spacing::Constant) => ", evenly spaced about the rate",
        Some(Spacing::Poisson) => ", Poisson about the rate",
        None => "",
    };
    let file = load.trace.as_ref().map(Trace::file).map_or_else(String::new, |file| format!(" {file}"));
    format!("{name}{file}{spacing}")
}

fn gaps(made: &Schedule) -> String {
    let gaps = made.gaps();
    let or_none = |value: Option<f64>, decimals| value.map_or_else(|| "-".to_owned(), |value| number(value, decimals));
    format!(
        "mean {} ms, cv {}, index of dispersion {} at 10 ms, {} at 100 ms (0: even, 1: Poisson)",
        or_none(gaps.mean_s.map(|mean_s| mean_s * 1e3), 3),
        or_none(gaps.cv, 2),
        or_none(gaps.dispersion_10ms, 2),
        or_none(gaps.dispersion_100ms, 2),
    )
}

/// With at most so many decimals.
fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Every arrival as CSV, seconds counted from the begin of the window; the dyno's workers from 0.
///
/// # Errors
/// What `out` says.
pub fn write_csv(made: &Schedule, out: impl Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    writeln!(out, "task,intended_s,phase,dyno,worker")?;
    for (arrival, task) in made.arrivals.iter().zip(0usize..) {
        let phase = if task < made.warmup { "warm-up" } else { "window" };
        let sign = if arrival.intended_ns < made.window_start_ns { "-" } else { "" };
        let at_ns = arrival.intended_ns.abs_diff(made.window_start_ns);
        let (seconds, rest) = (at_ns / 1_000_000_000, at_ns % 1_000_000_000);
        writeln!(out, "{task},{sign}{seconds}.{rest:09},{phase},{},{}", arrival.dyno, arrival.worker)?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use common::plan::Plan;

    use super::{admit, of, text, write_csv};
    use crate::limits::Capacity;

    fn plan(load: &str, workers: &str) -> Plan {
        let text = format!(
            "name = \"t\"\n[task]\nkind = \"null\"\n[load]\n{load}\n[workers]\n{workers}\n[[variant]]\nname = \"a\"\nengine = \"async\"\n"
        );
        Plan::parse(&text, &[]).unwrap()
    }

    #[test]
    fn a_cell_is_shown_with_what_it_plans() {
        let plan = plan(
            "arrivals = \"ramp\"\nrate_per_s = 100\nrate_end_per_s = [500, 100]\nspacing = \"constant\"\nduration_s = 10\nwarmup_s = 2",
            "count = 4",
        );
        insta::assert_snapshot!(text(&plan, &plan.cells[..1], 0), @"
        cell 0 (load.rate_end_per_s = 500), block 0, seed 1
          arrivals  ramp, evenly spaced about the rate
          tasks     3000 in the window of 10 s, 200 in the warm-up of 2 s
          rate      300 /s on average over the window
          gaps      mean 3.334 ms, cv 0.46, index of dispersion 0.5 at 10 ms, 4.49 at 100 ms (0: even, 1: Poisson)
          hash      63f0a318020a249d

          tasks/s
              500 ┤                                                                 ▁▃▃▄▆▇▇
                  │                                                         ▁▁▂▄▅▅▇████████
                  │                                                  ▁▃▄▄▅▆▇███████████████
                  │                                          ▁▂▂▄▅▆████████████████████████
                  │                                    ▂▃▄▆▆▇██████████████████████████████
              250 ┤                           ▁▂▃▄▄▅▇██████████████████████████████████████
                  │                    ▁▃▃▄▆▇▇█████████████████████████████████████████████
                  │            ▁▁▂▄▅▅▇█████████████████████████████████████████████████████
                  │██▇██▇██▇██▇████████████████████████████████████████████████████████████
                  │████████████████████████████████████████████████████████████████████████
                0 └────────────┬───────────────────────────────────────────────────────────
                   -2          0                                                       10 s
        ");
    }

    #[test]
    fn a_cell_in_which_nothing_is_asked_is_empty() {
        let plan = plan("rate_per_s = [0, 10]\nduration_s = 10\nwarmup_s = 2", "count = 4");
        let shown = text(&plan, &plan.cells[..1], 0);
        for words in
            ["tasks     0 in the window of 10 s, 0 in the warm-up", "rate      0 /s", "mean - ms", "        1 ┤\n"]
        {
            assert!(shown.contains(words), "{words}: {shown}");
        }
    }

    #[test]
    fn what_there_is_no_memory_for_is_refused() {
        let plan = plan("rate_per_s = [10, 1000000]\nduration_s = 50\nwarmup_s = 0", "count = 1");
        let room = |memory_bytes| Capacity { memory_bytes, threads: 1, mappings: 1, files: 1 };
        assert_eq!(admit(&plan, &plan.cells, &room(4 << 30)), Ok(()));
        assert_eq!(admit(&plan, &plan.cells[..1], &room(1 << 30)), Ok(()));
        let refusal = admit(&plan, &plan.cells, &room(1 << 30)).unwrap_err().to_string();
        assert!(refusal.contains("need about 1.9 GiB of memory and 1.0 GiB are available"), "{refusal}");
    }

    #[test]
    fn a_csv_counts_from_the_begin_of_the_window() {
        let plan =
            plan("arrivals = \"constant\"\nrate_per_s = 4\nduration_s = 0.75\nwarmup_s = 0.5", "count = 2\ndynos = 2");
        let mut csv = Vec::new();
        write_csv(&of(&plan.cells[0], 0), &mut csv).unwrap();
        insta::assert_snapshot!(String::from_utf8(csv).unwrap(), @"
        task,intended_s,phase,dyno,worker
        0,-0.500000000,warm-up,0,0
        1,-0.250000000,warm-up,1,0
        2,0.000000000,window,0,1
        3,0.250000000,window,1,1
        4,0.500000000,window,0,0
        ");
    }
}
