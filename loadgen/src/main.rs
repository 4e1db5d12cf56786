//! `loadgen`: parses the command line, does what it says, maps the outcome to an exit code.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use analysis::load::Mixed;
use analysis::tables;
use anyhow::Context;
use clap::Parser;
use common::plan::Plan;
use common::random::block_seed;
use common::report::comparison::Comparison;
use common::report::search::Search;
use common::report::{Ended, RunResult};
use dyno::limits;
use loadgen::aa::HostResults;
use loadgen::args::{self, Cli, Command, Common};
use loadgen::bench::Admitted;
use loadgen::calibration::HostFile;
use loadgen::dynos::Origin;
use loadgen::error::{Interrupted, Refused, exit_code};
use loadgen::limits::Capacity;
use loadgen::placement::Placement;
use loadgen::progress::Progress;
use loadgen::run::Spec;
use loadgen::server::Source;
use loadgen::signals::Interrupt;
use loadgen::store::Store;
use loadgen::{arrivals, bench, calibrate, ceiling, handicap, host, proxy, run, search, sweep, warmup};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const OVERLOADED: u8 = 3;
const INVALID: u8 = 4;
const INCONCLUSIVE: u8 = 5;
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    // Inherited by servers and dynos.
    limits::turn_off_huge_pages();
    limits::raise();
    match carry_out(&Cli::parse().command) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("loadgen: {error:#}");
            ExitCode::from(exit_code(&error))
        }
    }
}

fn carry_out(command: &Command) -> anyhow::Result<u8> {
    match command {
        Command::Bench(args) => {
            let plans = args.plans(args::read_plan(&args.plan, &args.common.sets())?)?;
            let (placement, interrupt) = begin(&args.common, true, plans.iter().any(has_distance))?;
            bench_plans(args, &plans, &placement, &interrupt)
        }
        Command::Run(args) => {
            let plan = args::parse_plan(&args.plan(), &args.common.sets(), Path::new(""))?;
            let (placement, interrupt) = begin(&args.common, args.listen.is_none(), has_distance(&plan))?;
            run_once(args, &plan, &placement, &interrupt)
        }
        Command::Calibrate(args) => {
            let (placement, interrupt) = begin(&args.common, true, false)?;
            calibrate_host(args, &placement, &interrupt)
        }
        Command::Warmup(args) => {
            let plans = warmup::Plans::read(args)?;
            let (placement, interrupt) = begin(&args.common, true, has_distance(&plans.probed))?;
            probe_warmup(args, &plans, &placement, &interrupt)
        }
        Command::Sweep(args) => {
            let plan = args::read_plan(&args.plan, &args.common.sets())?;
            let (placement, interrupt) = begin(&args.common, true, has_distance(&plan))?;
            sweep_plan(args, &plan, &placement, &interrupt)
        }
        Command::Search(args) => {
            let plan = search::plan(args)?;
            let (placement, interrupt) = begin(&args.common, true, has_distance(&plan))?;
            search_rates(args, &plan, &placement, &interrupt)
        }
        Command::Arrivals(args) => show_arrivals(args),
        Command::Proxy(options) => proxy::serve::run(options).map(|()| 0),
    }
}

/// Both before there is another thread.
fn begin(common: &Common, starts_dynos: bool, starts_proxy: bool) -> anyhow::Result<(Placement, Interrupt)> {
    let started = common.started(starts_dynos, starts_proxy);
    let placement = Placement::new(&common.pin, common.scheduling, started)?;
    Ok((placement, Interrupt::install()?))
}

/// Whether any of its cells has one.
fn has_distance(plan: &Plan) -> bool {
    plan.cells.iter().any(|cell| cell.settings.redis.rtt_us > 0)
}

fn show_arrivals(args: &args::Arrivals) -> anyhow::Result<u8> {
    let plan = args::read_plan(&args.plan, &args.sets())?;
    let cells = arrivals::cells(&plan, args)?;
    arrivals::admit(&plan, cells, &Capacity::read())?;
    match &args.csv {
        Some(path) if path.as_os_str() == "-" => {
            let written = arrivals::write_csv(&arrivals::of(&cells[0], args.block), std::io::stdout().lock());
            unless_closed(written)?;
            return Ok(0);
        }
        Some(path) => {
            let write = |file| arrivals::write_csv(&arrivals::of(&cells[0], args.block), file);
            File::create(path).and_then(write).map_err(|error| {
                Refused(format!("--csv {}: {error}; name a file that can be written", path.display()))
            })?;
        }
        None => {}
    }
    print(&arrivals::text(&plan, cells, args.block))?;
    Ok(0)
}

/// One bench, or those A/A benches of a series that this host has not had; the worst of their codes.
fn bench_plans(args: &args::Bench, plans: &[Plan], placement: &Placement, interrupt: &Interrupt) -> anyhow::Result<u8> {
    let out = args.common.out.as_deref();
    if let [plan] = plans {
        return bench_plan(args, plan, (out, args.resume), None, placement, interrupt);
    }
    let known = HostResults::of(&host::read(placement.cpus()).fingerprint);
    let mut code = 0;
    for (number, plan) in (1..).zip(plans) {
        let had = known.has(plan);
        let state = if had { ", which this host has had" } else { "" };
        eprintln!("A/A bench {number}/{}: {}{state}", plans.len(), plan.name);
        if !had {
            let out = out.map(|out| out.join(format!("{number:03}")));
            let resume = args.resume && out.as_ref().is_some_and(|out| out.join("plan.toml").exists());
            code = code.max(bench_plan(args, plan, (out.as_deref(), resume), None, placement, interrupt)?);
        }
    }
    Ok(code)
}

/// A bench that is part of a sweep.
struct Part<'a> {
    /// It only says where to look closer.
    scouts: bool,
    /// The command that goes on with all of it.
    to_go_on: &'a str,
}

fn bench_plan(
    args: &args::Bench,
    plan: &Plan,
    (out, resume): (Option<&Path>, bool),
    part: Option<&Part<'_>>,
    placement: &Placement,
    interrupt: &Interrupt,
) -> anyhow::Result<u8> {
    let mut progress = Progress::new(args.common.live(), interrupt)?;
    let admitted = Admitted::new(plan, &args.common, args.handicap.clone(), placement, &progress)?;
    match part {
        Some(part) if part.scouts => progress.line(&format!(
            "scouting: {} blocks of every cell, too few for a verdict, to see where the winner changes",
            sweep::SCOUTING
        )),
        _ => analysis::too_few_blocks(plan).iter().for_each(|warning| progress.line(warning)),
    }
    let (store, kept) =
        if resume { Store::resume(out, plan)? } else { (Store::create_latest(out, &plan.name)?, Vec::new()) };
    handicap::same(&kept, args.handicap.as_ref())?;
    store.write_plan(&plan.source)?;
    let known = HostResults::of(&host::read(placement.cpus()).fingerprint);
    known.copy_into(store.directory(), plan, |line| progress.line(line))?;
    let outcome = bench::bench(plan, &kept, &admitted, placement, &store, interrupt, &mut progress);
    progress.finish();
    let interrupted = matches!(&outcome, Err(error) if error.downcast_ref::<Interrupted>().is_some());
    if let Err(error) = &outcome
        && !interrupted
    {
        eprintln!("loadgen: the bench ended early: {error:#}");
    }
    let directory = store.directory();
    // Whatever was measured so far is compared: an interrupted bench keeps what it has.
    match analysis::compare(directory, Mixed::Refused) {
        Ok((results, comparison)) => {
            let written = analysis::write(directory, &results, &comparison)?;
            let text = if args.benches > 1 { answers(&comparison) } else { tables::terminal(&comparison) };
            let kept = known.keep(&results, &comparison)?.map_or_else(String::new, |line| format!("{line}\n"));
            print(&format!("{text}{kept}{}", tables::written(&written)))?;
        }
        Err(_) if outcome.is_err() => print(&format!("no whole block was measured; see {}\n", directory.display()))?,
        Err(error) => return Err(error.into()),
    }
    if interrupted {
        let alone = args.to_go_on(directory);
        eprintln!("loadgen: to go on: {}", part.map_or(alone.as_str(), |part| part.to_go_on));
    }
    let summary = outcome?;
    Ok(match &args.require {
        _ if summary.void > 0 => INVALID,
        Some(_) if summary.overloaded => OVERLOADED,
        Some(_) if summary.inconclusive => INCONCLUSIVE,
        _ => 0,
    })
}

/// Scouts everywhere, then looks closer where the winner changes: two benches, one directory.
fn sweep_plan(args: &args::Sweep, plan: &Plan, placement: &Placement, interrupt: &Interrupt) -> anyhow::Result<u8> {
    if plan.cells.len() < 2 || plan.variants.len() < 2 {
        return Err(Refused(format!(
            "{}: a sweep has at least two cells and two variants: give a key a list of values",
            args.plan.display()
        ))
        .into());
    }
    let directory = match &args.common.out {
        Some(out) => out.clone(),
        None if args.resume => {
            return Err(Refused("--resume needs --out DIR: the directory of the sweep".to_owned()).into());
        }
        None => Store::create(None, &format!("{}-sweep", plan.name))?.directory().to_owned(),
    };
    let bench = args.bench();
    let to_go_on = args.to_go_on(&directory);
    let part = |name: &str, sets: &[String]| -> anyhow::Result<(Plan, PathBuf, bool)> {
        let directory = directory.join(name);
        let resume = args.resume && directory.join("plan.toml").exists();
        Ok((Plan::parse(&plan.source, sets)?, directory, resume))
    };
    let (scouting, scouts, resume) =
        part("scouting", &[format!("repeat.blocks={}", sweep::SCOUTING), "repeat.extend_to=".to_owned()])?;
    let scout = Part { scouts: true, to_go_on: &to_go_on };
    let code = bench_plan(&bench, &scouting, (Some(&scouts), resume), Some(&scout), placement, interrupt)?;
    let (_, comparison) = analysis::compare(&scouts, Mixed::Refused)?;
    let cells = sweep::beside_crossovers(&comparison, plan.repeat.margin);
    if cells.is_empty() {
        print("the scouting saw the winner change nowhere: there is nothing to look at more closely\n")?;
        return Ok(code);
    }
    let list: Vec<String> = cells.iter().map(u32::to_string).collect();
    print(&format!("the winner changes beside the cells {}: {} blocks each\n", list.join(", "), plan.repeat.blocks))?;
    let (closer, directory, resume) = part("crossovers", &[format!("cells=[{}]", list.join(", "))])?;
    let closer_look = Part { scouts: false, to_go_on: &to_go_on };
    let looked = bench_plan(&bench, &closer, (Some(&directory), resume), Some(&closer_look), placement, interrupt)?;
    Ok(code.max(looked))
}

/// Of a series its answers are enough.
fn answers(comparison: &Comparison) -> String {
    format!("{}\n", comparison.answer.sentence)
}

fn print(text: &str) -> anyhow::Result<()> {
    unless_closed(std::io::stdout().write_all(text.as_bytes()))
}

/// A reader that has seen enough (`| head`) is no error: everything is in the files, or can be had again.
fn unless_closed(written: std::io::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("stdout"),
        _ => Ok(()),
    }
}

fn run_once(args: &args::Run, plan: &Plan, placement: &Placement, interrupt: &Interrupt) -> anyhow::Result<u8> {
    let ([cell], [variant]) = (plan.cells.as_slice(), plan.variants.as_slice()) else {
        return Err(Refused(format!(
            "`loadgen run` is one run and --set makes {} cells of it: give a plan to `loadgen bench`",
            plan.cells.len()
        ))
        .into());
    };
    let mut progress = Progress::new(args.common.live(), interrupt)?;
    let admitted = Admitted::new(plan, &args.common, None, placement, &progress)?;
    let dynos = match args.listen {
        Some(address) if cell.settings.redis.rtt_us > 0 && !address.ip().is_loopback() => {
            return Err(Refused(format!(
                "--listen {address}: the delay proxy of redis.rtt_us is on loopback, where dynos of other machines cannot reach it: \
                 listen on 127.0.0.1, or leave redis.rtt_us out"
            ))
            .into());
        }
        Some(address) => Origin::awaited(address)?,
        None => Origin::Spawned { padding: 0 },
    };
    let store = Store::create_latest(args.common.out.as_deref(), &plan.name)?;
    store.write_plan(&plan.source)?;
    let seed = block_seed(cell.settings.load.seed, cell.index, 0);
    let spec = Spec { plan, cell, variant, block: 0, position: 0, attempt: 0, seed };
    let site = admitted.site(plan, dynos, store.directory(), interrupt, placement);
    let length = cell.settings.load.duration_s + cell.settings.load.warmup_s;
    progress.begin(1, 1, &variant.name, std::time::Duration::from_secs_f64(length));
    let measurement = run::run(&spec, &site, &mut progress);
    progress.finish();
    let measurement = measurement?;
    let path = store.write_run(&measurement)?;
    let report = measurement.report;
    if let Some(difference) = ceiling::differs(&report.host) {
        progress.line(&difference);
    }
    print(&format!("{}\n{}\n", analysis::show::text(&report), path.display()))?;
    Ok(match (&report.ended, report.verdict.result) {
        (Ended::Interrupted, _) => INTERRUPTED,
        (_, RunResult::Ok) => 0,
        (_, RunResult::Overloaded) => OVERLOADED,
        (_, RunResult::Invalid) => INVALID,
        (_, RunResult::Inconclusive) => INCONCLUSIVE,
    })
}

fn calibrate_host(args: &args::Calibrate, placement: &Placement, interrupt: &Interrupt) -> anyhow::Result<u8> {
    let mut progress = Progress::new(args.common.live(), interrupt)?;
    let source = Source::find(args.common.redis_url.as_deref(), args.common.flush, &mut |line| progress.line(line))?;
    let store = Store::create(args.common.out.as_deref(), "calibration")?;
    let site = calibrate::Site { source: &source, placement, interrupt, directory: store.directory() };
    let calibration = calibrate::calibrate(args, &site, &mut progress);
    progress.finish();
    let calibration = calibration?;
    let path = store.write_report("calibration.json", &calibration)?;
    print(&format!("{}{}\n", calibrate::table(&calibration), path.display()))?;
    for ceiling in calibration.engines.iter().filter_map(|engine| engine.ceiling.as_ref()) {
        let kept = HostFile::of(&calibration.host.fingerprint);
        let kept = kept.keep_ceiling(ceiling).context("what was found cannot be kept for the plans to come")?;
        print(&format!("kept for plans with the {} engine: {}\n", ceiling.engine, kept.display()))?;
    }
    let unknown = calibration.engines.iter().any(|engine| engine.ceiling.is_none());
    Ok(if unknown { INCONCLUSIVE } else { 0 })
}

fn search_rates(args: &args::Search, plan: &Plan, placement: &Placement, interrupt: &Interrupt) -> anyhow::Result<u8> {
    let mut progress = Progress::new(args.common.live(), interrupt)?;
    let store = Store::create(args.common.out.as_deref(), &format!("{}-search", plan.name))?;
    store.write_plan(&plan.source)?;
    let mut last = None;
    let keep = |search: Search| {
        let written = store.write_report("search.json", &search).map(drop);
        last = Some(search);
        written
    };
    let outcome = search::search(args, plan, placement, store.directory(), interrupt, &mut progress, keep);
    progress.finish();
    // Whatever was found so far is said, whatever ended it.
    let Some(found) = last else { return outcome.map(|()| INCONCLUSIVE) };
    print(&format!("{}{}\n", search::text(&found), store.directory().join("search.json").display()))?;
    outcome?;
    Ok(match search::verdict(&found) {
        RunResult::Ok => 0,
        RunResult::Overloaded => OVERLOADED,
        RunResult::Invalid => INVALID,
        RunResult::Inconclusive => INCONCLUSIVE,
    })
}

fn probe_warmup(
    args: &args::Warmup,
    plans: &warmup::Plans,
    placement: &Placement,
    interrupt: &Interrupt,
) -> anyhow::Result<u8> {
    let mut progress = Progress::new(args.common.live(), interrupt)?;
    let store = Store::create(args.common.out.as_deref(), "warmup")?;
    store.write_plan(&plans.given.source)?;
    let found = warmup::probe(args, plans, placement, store.directory(), interrupt, &mut progress);
    progress.finish();
    let found = found?;
    let path = store.write_report("warmup.json", &found)?;
    print(&format!("{}{}\n", analysis::warmup::text(&found), path.display()))?;
    Ok(if found.needed_s.is_some_and(|needed_s| needed_s <= found.planned_s) { 0 } else { INCONCLUSIVE })
}
