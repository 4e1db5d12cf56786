//! The tables of a comparison.

use analysis::export::markdown;
use analysis::tables;
use common::report::comparison::{Comparison, Distance};
use common::report::{Run, Severity};

use crate::support::{PLAN, check, compare, plan, runs, scale_cpu, scatter};

const PUBLISHED: &str = r#"
[published]
source = "a write-up"
result = "success"
sent = 201335
completed = 201302
uptime_s = 247
task_ms = 8.6
"#;

fn bench() -> Comparison {
    let plan = plan(&format!("{PLAN}{PUBLISHED}"));
    let runs = runs(&plan, |run: &mut Run| {
        let on_async = run.variant.name == "async";
        scale_cpu(run, scatter(run, 0.03) * if on_async { 0.85 } else { 1.0 });
        if on_async {
            run.resources.workers.threads = Some(6);
            run.latency_us.pool_wait.n = 4_000;
            run.validity.checks.push(check("steal", false, Severity::Warning));
        }
    });
    compare(&plan, runs)
}

#[test]
fn terminal() {
    insta::assert_snapshot!(tables::terminal(&bench()), @"
    two: which costs less?
    host: Example CPU, 2 CPUs, 8 GiB of memory, Linux 6.1.0, scheduling own sessions
    server: valkey 9.1.2; Headroom 0.1.0
    primary metric: CPU per task, margin 3 %, 10 blocks planned per cell
    generator: its ceiling is not known on this host (make calibrate)

    cell 0 (10 of 10 blocks)
      async needs 15 % less CPU per task than threads (95 % interval 12 to 18 %, p = 0.002, 10 blocks, uncalibrated); both
          kept up in every block

      metric                                      threads                 async       async / threads  detectable      p  verdict
      CPU per task                      201 µs [195, 205]     170 µs [165, 175]  0.849 [0.819, 0.876]       5.7 %  0.002  better, uncalibrated
      CPU per task, workers             150 µs [147, 154]     127 µs [124, 131]  0.849 [0.819, 0.876]       5.7 %  0.002  (better)
      CPU per task, redis            50.1 µs [48.8, 51.3]  42.4 µs [41.3, 43.7]  0.849 [0.819, 0.876]       5.7 %  0.002  (better)
      completed                      1000 /s [1000, 1000]  1000 /s [1000, 1000]  1.000 [1.000, 1.000]           -   1.00  (same)
      response p50                      900 µs [900, 900]     900 µs [900, 900]  1.000 [1.000, 1.000]           -   1.00  (same)
      response p90                      1.8 ms [1.8, 1.8]     1.8 ms [1.8, 1.8]  1.000 [1.000, 1.000]           -   1.00  (same)
      response p99                      3.6 ms [3.6, 3.6]     3.6 ms [3.6, 3.6]  1.000 [1.000, 1.000]           -   1.00  (same)
      response max                      7.2 ms [7.2, 7.2]     7.2 ms [7.2, 7.2]                     -           -      -  (described only)
      response from send p99         3.52 ms [3.52, 3.52]  3.52 ms [3.52, 3.52]  1.000 [1.000, 1.000]           -   1.00  (same)
      service p50                       800 µs [800, 800]     800 µs [800, 800]  1.000 [1.000, 1.000]           -   1.00  (same)
      service p99                       3.2 ms [3.2, 3.2]     3.2 ms [3.2, 3.2]  1.000 [1.000, 1.000]           -   1.00  (same)
      queue wait p50                       50 µs [50, 50]        50 µs [50, 50]  1.000 [1.000, 1.000]           -   1.00  (same)
      queue wait p99                    200 µs [200, 200]     200 µs [200, 200]  1.000 [1.000, 1.000]           -   1.00  (same)
      pool wait p50                           2 µs [2, 2]           2 µs [2, 2]  1.000 [1.000, 1.000]           -   1.00  (same)
      pool wait p99                           8 µs [8, 8]           8 µs [8, 8]                     -           -      -  (unknown: few tasks)
      fetch mean                        360 µs [360, 360]     360 µs [360, 360]  1.000 [1.000, 1.000]           -   1.00  (same)
      save mean                         480 µs [480, 480]     480 µs [480, 480]  1.000 [1.000, 1.000]           -   1.00  (same)
      ping mean                         120 µs [120, 120]     120 µs [120, 120]  1.000 [1.000, 1.000]           -   1.00  (same)
      peak memory                         40 MiB [40, 40]       40 MiB [40, 40]  1.000 [1.000, 1.000]           -   1.00  (same)
      start of the dynos                   15 ms [15, 15]        15 ms [15, 15]  1.000 [1.000, 1.000]           -   1.00  (same)
      voluntary switches per task                4 [4, 4]              4 [4, 4]  1.000 [1.000, 1.000]           -   1.00  (same)
      involuntary switches per task        0.1 [0.1, 0.1]        0.1 [0.1, 0.1]  1.000 [1.000, 1.000]           -   1.00  (same)
      threads                                 30 [30, 30]              6 [6, 6]  0.200 [0.200, 0.200]           -  0.002  (better)
      sockets                                 29 [29, 29]           29 [29, 29]  1.000 [1.000, 1.000]           -   1.00  (same)

      negative control                   threads              async       async / threads  detectable     p  verdict
      server time per command  3.5 µs [3.5, 3.5]  3.5 µs [3.5, 3.5]  1.000 [1.000, 1.000]           -  1.00  same

      runs and tasks  ok  overloaded  invalid  inconclusive  planned     sent  completed  failed  unfinished  missed
      threads         10           0        0             0  100 000  100 000    100 000       0           0       0
      async           10           0        0             0  100 000  100 000    100 000       0           0       0

      CPU per task, async / threads: 10 blocks, p = 0.002, adjusted p = 0.002, p of a difference beyond the margin = 1.00,
          adjusted = 1.00, a block scatters by 5.5 %, detectable 5.7 %, order effect -0.09 % [-4.2 %, +2.6 %],
          uncalibrated
      pool wait p99 (async): fewer than 50 tasks beyond pool wait p99 in some run; a longer window or a higher rate gives
          more
      validity of async: failed checks steal (10 runs)

    beside published figures

      published, measured        result            uptime s     sent  completed  sent /s  task ms  fetch  save  ping
      a write-up                 success                247  201 335    201 302        -      8.6      -     -     -
      measured, cell 0, threads  10 of 10 runs ok        11   10 000     10 000     1000     0.96   0.36  0.48  0.12
      measured, cell 0, async    10 of 10 runs ok        11   10 000     10 000     1000     0.96   0.36  0.48  0.12

      published counts include the warm-up where their source does; measured ones are medians of the window's

    notes
      values: medians over runs; all intervals are unadjusted 95 % intervals
      ratio: contender / baseline over blocks (Hodges-Lehmann); detectable: found in four cases of five by a test of its
          own
      p: of the primary metric adjusted for all its contrasts; of the others, whose words stand in brackets, as it is: the
          plan did not set out to decide them
      uncalibrated (every word above): no A/A benches of this host are known that fit; make aa
      negative controls: what should be the same whatever the variants are; p adjusted for all of them

    answer
      async needs 15 % less CPU per task than threads (95 % interval 12 to 18 %, p = 0.002, 10 blocks, uncalibrated); both
          kept up in every block

      cell  CPU per task     baseline  contender                 ratio      p  blocks  runs not ok  verdict
      0     async / threads    201 µs     170 µs  0.849 [0.819, 0.876]  0.002      10            0  better, uncalibrated

      how sure: low (p = 0.002, 10 blocks)
      doubt: checks that warn: steal in 10 of 10 runs of async
      uncalibrated: no A/A benches of this host are known that fit
      headroom: threads held the 1000 tasks/s asked in all 10 runs: at least 1.0, not measured beyond; estimated, not
          measured: at most about 2.2 times what was asked, at the same cost per task (server CPU 46 % used)
      headroom: async held the 1000 tasks/s asked in all 10 runs: at least 1.0, not measured beyond; estimated, not
          measured: at most about 2.2 times what was asked, at the same cost per task (server CPU 46 % used)
      nearest to a limit: threads: server CPU (46 % used, in 10 of 10 runs); async: server CPU (46 % used, in 10 of 10
          runs)
      would change it: with a margin of 22 % or more no difference would matter: the 95 % interval of async lies within it
    ");
}

#[test]
fn markdown_has_the_same_figures() {
    let comparison = bench();
    let markdown = String::from_utf8(markdown::bytes(&comparison)).unwrap();
    let terminal = tables::terminal(&comparison);
    let words = |text: &str| {
        let mut words: Vec<String> =
            text.split(|c: char| c.is_whitespace() || "|*#".contains(c)).map(str::to_owned).collect();
        words.retain(|word| word.contains(|c: char| c.is_ascii_digit()));
        words.sort();
        words
    };
    assert_eq!(words(&markdown), words(&terminal));
    insta::assert_snapshot!(markdown.lines().take(17).collect::<Vec<_>>().join("\n"), @r"
    # two: which costs less?

    - host: Example CPU, 2 CPUs, 8 GiB of memory, Linux 6.1.0, scheduling own sessions
    - server: valkey 9.1.2; Headroom 0.1.0
    - primary metric: CPU per task, margin 3 %, 10 blocks planned per cell
    - generator: its ceiling is not known on this host (make calibrate)

    ## answer

    **async needs 15 % less CPU per task than threads (95 % interval 12 to 18 %, p = 0.002, 10 blocks, uncalibrated); both kept up in every block**

    | cell | CPU per task | baseline | contender | ratio | p | blocks | runs not ok | verdict |
    | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |
    | 0 | async / threads | 201 µs | 170 µs | 0.849 [0.819, 0.876] | 0.002 | 10 | 0 | better, uncalibrated |

    - how sure: low (p = 0.002, 10 blocks)
    - doubt: checks that warn: steal in 10 of 10 runs of async
    ");
}

#[test]
fn an_incomplete_bench_says_so() {
    let plan = plan(PLAN);
    let mut runs = runs(&plan, |_| {});
    runs.pop();
    let text = tables::terminal(&compare(&plan, runs));
    assert!(text.contains("INCOMPLETE") && text.contains("(9 of 10 blocks)"), "{text}");
}

#[test]
fn a_distance_is_said_with_what_was_measured_of_it() {
    let mut bench = bench();
    assert!(!tables::terminal(&bench).contains("distance"));
    bench.cells[0].distance = Some(Distance { asked_rtt_us: 1200, jitter_us: 100, added_us: Some(1234.0) });
    let text = tables::terminal(&bench);
    assert!(
        text.contains("distance: 1.2 ms and up to 100 µs of jitter a round trip asked, 1.23 ms measured"),
        "{text}"
    );
}
