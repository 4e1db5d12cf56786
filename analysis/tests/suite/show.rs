//! One run as text.

use analysis::show;
use common::report::{RunResult, Severity};

use crate::support::{PLAN, check, failures, overload, plan, run, verdict};

#[test]
fn a_run_that_kept_up() {
    insta::assert_snapshot!(show::text(&run(&plan(PLAN), 0, 3, 0)), @"
    two: which costs less?
    variant threads, cell 0, block 3, attempt 0, started 2026-11-23T12:00:00Z

    constants
      rate_per_s   1000 (poisson)
      duration_s   10
      warmup_s     1
      task         document
      list_max     100
      payload_kb   5
      backlog_max  100
      workers      28 in 1 dyno
      engine       threaded, executor dedicated, stacks of 256 KiB
      allocator    mimalloc
      connections  pool of 28, one for each step, client direct
      server       valkey 9.1.2
      scheduling   own sessions
      calibration  none: make calibrate

    messaging
      planned     10 000 at 1000 /s
      sent        10 000 at 1000 /s
      completed   10 000 at 1000 /s
      rejected    0
      failed      0 (timeout 0, disconnected 0, server error 0, pool timeout 0)
      unfinished  0
      missed      0
      warm-up     1 000 sent, in no other count
      uptime      11 s
      backlog     at one worker 3 of 100 (2 ms of its work), in all 17, slope 0.2 /s, drained in 2.5 ms

    workers, the five with the largest backlog
       worker  cycles  max backlog    busy  of uptime
           27     417            3  627 ms        6 %
           23     413            3  623 ms        6 %
           19     409            3  619 ms        6 %
           15     405            3  615 ms        6 %
           11     401            3  611 ms        6 %

    mean times
      task   0.96 ms
      fetch  0.36 ms
      save   0.48 ms
      ping   0.12 ms

    result
      success after 11 s

    latency over the window
                                n  unbounded     mean     p50      p90      p99  p99.9      max
       response            10 000          0  1.08 ms  900 µs   1.8 ms   3.6 ms      -   7.2 ms
       response from send  10 000          0  1.06 ms  880 µs  1.76 ms  3.52 ms      -  7.04 ms
       lateness            10 000          0    24 µs   20 µs    40 µs    80 µs      -   160 µs
       queue wait          10 000          0    60 µs   50 µs   100 µs   200 µs      -   400 µs
       pool wait           10 000          0   2.4 µs    2 µs     4 µs     8 µs      -    16 µs
       service             10 000          0   960 µs  800 µs   1.6 ms   3.2 ms      -   6.4 ms
         fetch             10 000          0   360 µs  300 µs   600 µs   1.2 ms      -   2.4 ms
         save              10 000          0   480 µs  400 µs   800 µs   1.6 ms      -   3.2 ms
         ping              10 000          0   120 µs  100 µs   200 µs   400 µs      -   800 µs
      means are of tasks with a value; a percentile needs 30 tasks beyond it

    resources over the window
                CPU user s  CPU system s  CPU per task  peak memory  threads  voluntary  involuntary  sockets
       workers           1           0.5        150 µs       40 MiB       30     40 000        1 000       29
       redis           0.3           0.2         50 µs            -        -          -            -        -
       loadgen           -             -             -            -        -          -            -        -
      voluntary, involuntary: context switches
      used of what there was: server CPU 46 %

    redis
       command  per task  server time per task
       get             1                3.5 µs
       hset            1                3.5 µs
       ping            1                3.5 µs
      over 11 000 tasks: 32 205 bytes in and 26 700 out per task, 0 reconnects
      request errors: noscript 1

    validity
      valid
       check     state   value  limit  remedy
       lateness  ok     0.9981   0.99

    verdict
      ok: everything completed
      nearest to a limit: server CPU (46 %)
    ");
}

#[test]
fn a_run_that_did_not() {
    let mut run = run(&plan(PLAN), 0, 3, 1);
    overload(&mut run);
    run.counts.completed = 3_000;
    run.counts.sent = 3_200;
    run.counts.missed = 6_800;
    run.counts.failed = failures();
    run.counts.unfinished = 190;
    run.backlog.drain_ms = None;
    run.latency_us.response.n = 3_000;
    run.latency_us.response.unbounded = 200;
    run.latency_us.response.p99 = None;
    run.latency_us.response.max = None;
    run.validity.checks.push(check("watchdog", false, Severity::Warning));
    let text = show::text(&run);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| {
            ["failure", "failed", "missed", "backlog", "  response ", "watchdog", "lateness ", "overloaded"]
                .iter()
                .any(|part| line.contains(part))
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @"
      backlog_max  100
      failed      10 (timeout 4, disconnected 3, server error 2, pool timeout 1)
      missed      6 800
      backlog     at one worker 3 of 100 (2 ms of its work), in all 17, slope 0.2 /s, not drained
    workers, the five with the largest backlog
       worker  cycles  max backlog    busy  of uptime
      failure after 4.2 s, stopped by the backlog rule
       response             3 000        200  1.08 ms  900 µs   1.8 ms  unbounded      -  unbounded
       response from send  10 000          0  1.06 ms  880 µs  1.76 ms    3.52 ms      -    7.04 ms
       lateness            10 000          0    24 µs   20 µs    40 µs      80 µs      -     160 µs
       watchdog  WARNING  0.9981   0.99  use a slower rate
       lateness  ok       0.9981   0.99
      overloaded: worker 4 had 100 tasks waiting after 3.2 s
    ");
}

#[test]
fn an_invalid_run_says_so() {
    let mut run = run(&plan(PLAN), 0, 3, 1);
    run.validity.valid = false;
    run.validity.checks.push(check("counts", false, Severity::Invalid));
    run.verdict = verdict(RunResult::Invalid, "counts do not add up");
    let text = show::text(&run);
    assert!(text.contains("\n  NOT VALID\n"));
    assert!(text.contains("neither success nor failure after 11 s"));
    let failed = text.find("counts    INVALID").unwrap();
    assert!(failed < text.find("lateness  ok").unwrap(), "failed checks first");
}
