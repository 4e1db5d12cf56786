//! What cannot be done is refused before anything starts: exit code 2, one sentence that names key and value and says
//! what would do, nothing written.

use std::net::TcpListener;

use crate::support::redis::free_address;
use crate::support::{Finished, Invocation};

const RUN: &str = "run --engine async --rate 10";

/// A plan in which everything but `load` is right.
fn plan(load: &str) -> String {
    format!(
        "name = \"p\"\n[task]\nkind = \"null\"\n[load]\n{load}\n[workers]\ncount = 1\n[[variant]]\nname = \"a\"\nengine = \"async\"\n"
    )
}

/// Refused, for each of the reasons: its words in stderr, nothing on stdout, nothing on disk.
fn assert_refused(finished: &Finished, files_before: usize, words: &[&str]) {
    assert_eq!(finished.code, Some(2), "{finished}");
    for word in words {
        assert!(finished.stderr.contains(word), "no {word:?} in:\n{finished}");
    }
    assert_eq!(finished.stdout, "", "{finished}");
    assert!(!finished.stderr.contains("panicked"), "{finished}");
    assert_eq!(finished.files().len(), files_before, "{finished}\n{:?}", finished.files());
    assert!(!finished.work().join("results").exists(), "{finished}");
}

fn refused(line: &str, words: &[&str]) -> Finished {
    let finished = Invocation::new(line).without_out().start().finish();
    assert_refused(&finished, 0, words);
    let finished_with_out = Invocation::new(line).start().finish();
    assert_refused(&finished_with_out, 0, words);
    finished
}

#[test]
fn values_that_no_run_can_have_are_named_with_what_would_do() {
    let cases: &[(&str, &[&str])] = &[
        ("run --engine async --rate 0", &["load.rate_per_s = 0", "nothing is ever asked", "a rate above 0 beside it"]),
        ("run --engine async --rate NaN", &["load.rate_per_s = NaN", "from 0 to 10000000"]),
        ("run --engine async --rate -5", &["load.rate_per_s = -5", "from 0"]),
        ("run --engine async --rate=-5", &["load.rate_per_s = -5", "from 0"]),
        ("run --engine async --rate 1e999", &["load.rate_per_s = inf", "to 10000000"]),
        ("run --engine async --rate 10 --duration 0", &["load.duration_s = 0", "seconds above 0"]),
        ("run --engine async --rate 10 --duration 0.01", &["load.duration_s = 0.01", "at least 0.1 s would do"]),
        ("run --engine async --rate 10 --warmup=-1", &["load.warmup_s = -1", "seconds from 0 to 3600"]),
        ("run --engine async --rate 10 --workers 0", &["workers.count = 0", "1 to 1000000 workers"]),
        ("run --engine async --rate 10 --dynos 0", &["workers.dynos = 0", "1 to 1000 processes"]),
        ("run --engine async --rate 10 --backlog-max 0", &["workers.backlog_max = 0", "at least 1"]),
        ("run --engine async --rate 10 --list-max 0", &["task.list_max = 0", "1 to 100000 flats"]),
        ("run --engine async --rate 10 --payload-kb 0", &["task.payload_kb = 0", "kilobytes above 0"]),
        ("run --engine async --rate 10 --pool-size 0", &["pool_size = 0", "at least 1"]),
        (
            "run --engine async --rate 10 --connections own --pool-size 5",
            &["connections = \"own\"", "leave pool_size out"],
        ),
        ("run --engine threaded --rate 10 --connections shared", &["connections = \"shared\"", "engine = \"async\""]),
        ("run --engine async --rate 10 --pin dynos=1023", &["--pin dynos=1023", "loadgen may use the CPUs"]),
        ("run --engine async --rate 10 --connections many", &["connections = \"many\"", "own, pool, shared"]),
        (
            "run --engine async --rate 10 --task walk",
            &["task.kind = \"walk\"", "one of document, replay, synthetic, job, order, null"],
        ),
        ("run --engine async --rate 10 --arrivals now", &["load.arrivals = \"now\"", "one of constant, poisson"]),
        ("run --engine async --rate 10 --choice best", &["workers.choice = \"best\"", "round-robin or random"]),
        ("run --engine async --rate 10 --order any", &["workers.order = \"any\"", "fifo or lifo"]),
    ];
    for (line, words) in cases {
        let finished = refused(line, words);
        assert_eq!(finished.stderr.lines().count(), 1, "one sentence:\n{finished}");
        assert!(finished.stderr.starts_with("loadgen: "), "{finished}");
    }
}

#[test]
fn overrides_that_are_none_are_refused() {
    for (set, words) in [
        ("load.rate_per_s", ["--set \"load.rate_per_s\"", "write KEY=VALUE"].as_slice()),
        ("=5", &["--set \"=5\"", "write KEY=VALUE"]),
        ("load.rat=5", &["load.rat: unknown key", "use one of rate_per_s, arrivals"]),
        ("lode.rate_per_s=5", &["lode: unknown key", "use one of name, question"]),
        ("load.rate_per_s=fast", &["load.rate_per_s = \"fast\"", "a number"]),
        ("variant.b.pool_size=5", &["variant.NAME.KEY", "async"]),
        ("load.rate_per_s=[5,6]", &["one run", "2 cells", "loadgen bench"]),
        ("redis.response_timeout_s=0", &["redis.response_timeout_s = 0", "seconds above 0"]),
    ] {
        refused(&format!("{RUN} --set {set}"), words);
    }
}

#[test]
fn command_lines_that_are_none_are_refused() {
    for (line, words) in [
        ("", ["Usage: loadgen <COMMAND>", "bench"].as_slice()),
        ("walk", &["unrecognized subcommand 'walk'", "--help"]),
        ("run --rate 10", &["--engine"]),
        ("run --engine async", &["--rate"]),
        ("run --engine sync --rate 10", &["'sync' for '--engine", "threaded or async"]),
        ("run --engine async --rate fast", &["'fast' for '--rate"]),
        ("run --engine async --rate 10 --listen here", &["'here' for '--listen"]),
        ("run --engine async --rate 10 --on-overload cry", &["'cry' for '--on-overload", "stop, continue"]),
        ("run --engine async --rate 10 --pin server=0", &["--pin", "loadgen=0/redis=1/dynos=2-3"]),
        ("run --engine async --rate 10 --pin redis=3-1", &["--pin", "\"3-1\" is no list of CPUs"]),
        ("run --engine async --rate 10 --scheduling fair", &["'fair' for '--scheduling", "cgroups, sessions"]),
        ("bench", &["<PLAN>"]),
        ("bench p.toml --require better", &["'better' for '--require", "ok"]),
    ] {
        let finished = Invocation::new(line).without_out().start().finish();
        assert_refused(&finished, 0, words);
    }
}

#[test]
fn plans_are_refused_by_file_and_key() {
    let cases = [
        ("rate = 5\nduration_s = 1", ["p.toml: load.rate: unknown key", "use one of rate_per_s"].as_slice()),
        ("duration_s = 1", &["p.toml: load.rate_per_s: missing"]),
        ("rate_per_s = 0\nduration_s = 1", &["p.toml: load.rate_per_s = 0", "nothing is ever asked"]),
        ("rate_per_s = [5, -1]\nduration_s = 1", &["p.toml: load.rate_per_s = -1", "from 0"]),
        ("rate_per_s = []\nduration_s = 1", &["p.toml: load.rate_per_s = []", "at least one value"]),
        ("rate_per_s = \"a\nduration_s = 1", &["p.toml: ", "line 5"]),
    ];
    for (load, words) in cases {
        let finished = Invocation::new("bench p.toml").file("p.toml", &plan(load)).without_out().start().finish();
        assert_refused(&finished, 1, words);
    }
    let good = plan("rate_per_s = 5\nduration_s = 1");
    for (line, words) in [
        ("bench other.toml", ["other.toml: No such file", "give a plan such as plans/default.toml"].as_slice()),
        ("bench .", &[".: Is a directory", "give a plan"]),
        ("bench p.toml --set load.rate_per_s=0", &["p.toml: load.rate_per_s = 0"]),
        ("bench p.toml --set variant.a.pool_size=0", &["variant \"a\"", "pool_size = 0"]),
    ] {
        let finished = Invocation::new(line).file("p.toml", &good).without_out().start().finish();
        assert_refused(&finished, 1, words);
    }
}

#[test]
fn traces_are_refused_by_file_and_line() {
    let plan = plan("arrivals = \"trace\"\ntrace = \"t.csv\"\nduration_s = 1");
    let missing = Invocation::new("bench p.toml").file("p.toml", &plan).without_out().start().finish();
    assert_refused(&missing, 1, &["p.toml: load.trace = \"t.csv\": t.csv: No such file", "lies beside the plan"]);
    for (line, trace, words) in [
        ("bench p.toml", "0.1\n0.2;0.3\n", ["load.trace = \"t.csv\", line 2: \"0.2;0.3\"", "one instant a line"]),
        ("arrivals p.toml", "0.1\n1.5\n", ["load.duration_s = 1", "comes at 1.5 s: 2 would do"]),
    ] {
        let invocation = Invocation::new(line).file("p.toml", &plan).file("t.csv", trace);
        assert_refused(&invocation.without_out().start().finish(), 2, &words);
    }
}

#[test]
fn what_this_machine_cannot_give_is_refused_before_anything_starts() {
    // A hundred terabytes of mails; with --set on a plan too.
    refused(
        "run --engine async --rate 10000 --duration 9000 --payload-kb 1000",
        &["of memory", "available", "load.rate_per_s"],
    );
    // Threads, their stacks, or their mappings: whatever this machine has least of.
    refused("run --engine threaded --workers 900000 --rate 10 --task null", &["the run needs", "workers.count"]);
    let line = "run --engine async --connections own --workers 2000 --rate 10 --task null";
    let finished = Invocation::new(line).without_out().files_max(1024).start().finish();
    assert_refused(&finished, 0, &["2032 open files", "`ulimit -Hn` is 1024", "workers.count"]);
    // The server's share is looked at too: one connection of each dyno is little, all together are not.
    let line = "run --engine async --connections own --workers 200 --dynos 8 --rate 10 --task null";
    let finished = Invocation::new(line).without_out().files_max(1024).start().finish();
    assert_refused(&finished, 0, &["open files", "`ulimit -Hn` is 1024"]);
    let many = plan("rate_per_s = 5\nduration_s = 1");
    let line = "bench p.toml --set workers.count=2000 --set variant.a.connections=own";
    let bench = Invocation::new(line).file("p.toml", &many).without_out().files_max(1024).start().finish();
    assert_refused(&bench, 1, &["2032 open files"]);
}

#[test]
fn places_that_cannot_be_had_are_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    refused(&format!("{RUN} --listen {address}"), &["--listen", &address, "choose a free address"]);
    // No directory can be made there, whoever asks.
    let finished = Invocation::new(&format!("{RUN} --out /proc/nowhere")).without_out().start().finish();
    assert_refused(&finished, 0, &["--out /proc/nowhere", "a directory that can be written"]);
}

#[test]
fn redis_urls_that_lead_nowhere_are_refused() {
    let nobody = format!("redis://{}/0", free_address());
    for (url, words) in [
        (nobody.as_str(), [nobody.as_str(), "cannot be used", "refused", "Is the address right"].as_slice()),
        ("localhost:6379", &["does not begin with redis://", "redis://localhost:6379/0"]),
        ("rediss://localhost", &["TLS"]),
        ("redis://localhost/first", &["database number"]),
    ] {
        let by_flag = refused(&format!("{RUN} --redis-url {url}"), words);
        let by_environment = Invocation::new(RUN).env("REDIS_URL", url).without_out().start().finish();
        assert_refused(&by_environment, 0, words);
        assert_eq!(by_flag.stderr, by_environment.stderr);
        assert_eq!(by_flag.stderr.lines().count(), 1, "one sentence:\n{by_flag}");
    }
}
