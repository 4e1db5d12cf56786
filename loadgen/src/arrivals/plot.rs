//! A rate over time, drawn with characters. Pure.

use common::arrivals::Schedule;

/// Columns of the drawing, each as long as the others.
const COLUMNS: usize = 72;
/// Lines of the drawing.
const LINES: usize = 10;
/// A column's last character is one of eight heights.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Room for the numbers of the rate.
const LABEL: usize = 9;

/// Planned tasks a second over warm-up and window, in seconds since the window began; ends with a newline.
pub(super) fn rate_over_time(made: &Schedule) -> String {
    let column_s = made.window_end_ns as f64 / 1e9 / COLUMNS as f64;
    let mut counts = [0u32; COLUMNS];
    for arrival in &made.arrivals {
        let share = arrival.intended_ns as f64 / made.window_end_ns as f64;
        counts[((share * COLUMNS as f64) as usize).min(COLUMNS - 1)] += 1;
    }
    let rates = counts.map(|count| f64::from(count) / column_s);
    let highest = rates.iter().copied().fold(0.0, f64::max);
    // Where nothing ever comes the scale is of no matter, but there must be one.
    let top = if highest > 0.0 { round_up(highest) } else { 1.0 };
    let mut text = format!("{:>LABEL$}\n", "tasks/s");
    for line in (0..LINES).rev() {
        let label = match line + 1 {
            LINES => top.to_string(),
            middle if middle * 2 == LINES => (top / 2.0).to_string(),
            _ => String::new(),
        };
        let tick = if label.is_empty() { '│' } else { '┤' };
        let blocks: String = rates.iter().map(|rate| block(rate / top, line)).collect();
        text.push_str(format!("{label:>LABEL$} {tick}{blocks}").trim_end());
        text.push('\n');
    }
    let begin = (made.window_start_ns as f64 / made.window_end_ns as f64 * COLUMNS as f64) as usize;
    let axis: String = (0..COLUMNS).map(|column| if column == begin { '┬' } else { '─' }).collect();
    text.push_str(&format!("{:>LABEL$} └{axis}\n{:>LABEL$}  {}\n", "0", "", seconds(made, begin)));
    text
}

/// The part of a column of height `share` that lies in `line`, counted from below.
fn block(share: f64, line: usize) -> char {
    let eighths = (share * (LINES * 8) as f64).round() as usize;
    // What is not nothing is to be seen.
    let eighths = if share > 0.0 { eighths.max(1) } else { 0 };
    EIGHTHS[eighths.saturating_sub(line * 8).min(8)]
}

/// The numbers below the axis: where warm-up and window begin, and where the window ends.
fn seconds(made: &Schedule, begin: usize) -> String {
    let [start, end] = [made.window_start_ns, made.window_end_ns - made.window_start_ns].map(|ns| ns as f64 / 1e9);
    let (first, last) = (format!("-{start}"), format!("{end} s"));
    let mut line = if begin > first.len() { first } else { String::new() };
    line = format!("{line:begin$}0");
    let rest = COLUMNS.saturating_sub(line.chars().count());
    format!("{line}{last:>rest$}")
}

/// The next number that is 1, 2, 2.5 or 5 times a power of ten; of a number above 0.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 2.5, 5.0].map(|step| step * power).into_iter().find(|&step| step >= value).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use common::arrivals::{Arrival, Schedule};

    use super::{rate_over_time, round_up};

    #[test]
    fn scales_end_at_round_numbers() {
        let rounded = [0.3, 1.0, 1.01, 2.2, 499.0, 5001.0].map(round_up);
        assert_eq!(rounded, [0.5, 1.0, 2.0, 2.5, 500.0, 10_000.0]);
    }

    /// Eight columns a second: one task in the first, a rising rate, nothing at all, four at the end.
    #[test]
    fn what_little_there_is_is_seen() {
        let second = 1_000_000_000;
        let at = |intended_ns| Arrival { intended_ns, dyno: 0, worker: 0 };
        let mut arrivals = vec![at(0)];
        arrivals.extend((0..900u64).map(|i| at(second + ((i * 10_000) as f64).sqrt() as u64 * second / 1000)));
        arrivals.extend([at(9 * second - 1); 4]);
        let made = Schedule {
            arrivals,
            batch_due_ns: Vec::new(),
            warmup: 1,
            window_start_ns: second,
            window_end_ns: 9 * second,
        };
        insta::assert_snapshot!(rate_over_time(&made), @"
        tasks/s
           1000 ┤
                │
                │
                │
                │                            ▂▃▅▇
            500 ┤                        ▁▃▅▆████
                │                    ▂▃▅▇████████
                │                ▁▃▅▆████████████
                │            ▂▃▅▇████████████████
                │▁       ▁▃▅▆████████████████████                                       ▃
              0 └────────┬───────────────────────────────────────────────────────────────
                 -1      0                                                            8 s
        ");
    }
}
