//! How much of each resource was used over the window. Pure.

use std::collections::BTreeSet;

use common::plan::{Checkout, Connections, Settings, Variant};
use common::report::{
    DepthAt, Host, Latencies, Machine, Placed, Pressure, QueueReport, RedisServer, Resource, Resources, Usage, Workers,
};

use crate::placement::Cpus;

/// What it is read from.
pub(super) struct Used<'a> {
    pub(super) settings: &'a Settings,
    pub(super) variant: &'a Variant,
    pub(super) host: &'a Host,
    pub(super) server: &'a RedisServer,
    pub(super) latency_us: &'a Latencies,
    pub(super) resources: &'a Resources,
    pub(super) machine: &'a Machine,
    pub(super) workers: &'a Workers,
    /// Where tasks wait in one.
    pub(super) queue: Option<&'a QueueReport>,
    /// From the first arrival to the last word, seconds.
    pub(super) run_s: f64,
}

/// Every resource that was measured over the window, or before it by a run that ended in its warm-up, in the order in which
/// one hides the next: a server without CPU makes workers wait, and not the other way round.
pub(super) fn of(used: &Used<'_>) -> Vec<Pressure> {
    let window_s = used.resources.window_s;
    if window_s <= 0.0 {
        return Vec::new();
    }
    let Resources { workers, redis, loadgen, proxy, .. } = used.resources;
    let [workers_s, redis_s, loadgen_s] = [workers, redis, loadgen].map(Usage::cpu_s);
    let proxy_s = proxy.as_ref().and_then(Usage::cpu_s);
    let cpus_s = f64::from(used.host.cpus) * window_s;
    // What the others leave of the CPUs, other programs among them; pinned processes leave each other everything.
    let strangers_s = used.machine.others_share.unwrap_or(0.0) * cpus_s;
    let left = |others: [Option<f64>; 3]| {
        let shared = used.host.placement.windows(2).all(|pair| pair[0].cpus == pair[1].cpus);
        let taken: f64 = if shared { others.into_iter().flatten().sum::<f64>() + strangers_s } else { 0.0 };
        (cpus_s - taken).max(f64::MIN_POSITIVE)
    };
    // A server elsewhere has CPUs of its own.
    let redis_here_s = redis_s.filter(|_| used.host.placement.iter().any(|placed| placed.process == "redis"));
    let threads_s = f64::from(used.server.io_threads.unwrap_or(1).max(1)) * window_s;
    let server_left = match redis_here_s {
        Some(_) => left([workers_s, loadgen_s, proxy_s]).min(threads_s),
        None => threads_s,
    };
    let share = |used: Option<f64>, there_is: f64| used.map(|used| (used / there_is).min(1.0));
    let all = [
        (Resource::Generator, share(loadgen_s, window_s)),
        (Resource::Proxy, share(proxy_s, window_s)),
        (Resource::ServerCpu, share(redis_s, server_left)),
        (Resource::WorkerCpu, share(workers_s, left([redis_here_s, loadgen_s, proxy_s]).min(dyno_cpus_s(used)))),
        (Resource::Connections, connections(used)),
        (Resource::Permits, permits(used)),
        (
            Resource::Workers,
            [workers_at_a_task(used), used.queue.and_then(|queue| room_taken(used.settings, &queue.depth))]
                .into_iter()
                .flatten()
                .reduce(f64::max),
        ),
    ];
    all.into_iter().filter_map(|(resource, share)| Some(Pressure { resource, share: share? })).collect()
}

/// CPU seconds that all dynos together may have: of the CPUs that any of them may use, or of their quotas. Those that are not
/// on this machine are taken to have as many CPUs as it.
fn dyno_cpus_s(used: &Used<'_>) -> f64 {
    let dynos: Vec<&Placed> = used.host.placement.iter().filter(|placed| placed.process.starts_with("dyno-")).collect();
    let mut cpus = BTreeSet::new();
    dynos.iter().filter_map(|dyno| dyno.cpus.parse::<Cpus>().ok()).for_each(|of_dyno| cpus.extend(of_dyno.numbers()));
    let cpus = if cpus.is_empty() { f64::from(used.host.cpus) } else { cpus.len() as f64 };
    let quotas: Option<f64> = dynos.iter().map(|dyno| dyno.cpu_quota).sum();
    quotas.filter(|_| !dynos.is_empty()).map_or(cpus, |quotas| quotas.min(cpus)) * used.resources.window_s
}

/// Time that pooled connections were handed out. A connection of one's own is never short, and a shared one takes as many
/// requests as there are.
fn connections(used: &Used<'_>) -> Option<f64> {
    if used.variant.connections != Connections::Pool {
        return None;
    }
    let of_dyno = f64::from(used.variant.pool_size?);
    let tasks_per_s = used.resources.tasks? as f64 / used.resources.window_s;
    let held_us = match used.variant.checkout {
        Some(Checkout::Task) => used.latency_us.service.mean? - used.latency_us.pool_wait.mean?,
        _ => requests_us(used.latency_us),
    };
    Some((tasks_per_s * held_us / 1e6 / (of_dyno * f64::from(used.settings.workers.dynos))).min(1.0))
}

/// Mean time of a task at its requests, waiting for a connection left out.
fn requests_us(latency_us: &Latencies) -> f64 {
    const REQUESTS: [&str; 5] = ["fetch", "save", "ping", "exchange", "settle"];
    // The sum of no floats is minus zero.
    REQUESTS.iter().filter_map(|name| latency_us.spans.get(*name)?.mean).sum::<f64>() + 0.0
}

/// Time that permits were held, from the first step of a task to its last, in vain too.
fn permits(used: &Used<'_>) -> Option<f64> {
    let there_are = f64::from(used.settings.limiting_permits()?) * f64::from(used.settings.workers.dynos);
    let in_vain = used.queue.map_or(0, |queue| queue.duplicates_in_window);
    let tasks_per_s = (used.resources.tasks? + in_vain) as f64 / used.resources.window_s;
    Some((tasks_per_s * used.latency_us.permit_held_us()? / 1e6 / there_are).min(1.0))
}

/// Time that workers spent in tasks, over the whole run.
fn workers_at_a_task(used: &Used<'_>) -> Option<f64> {
    let busy_ns: u64 = used.workers.busy_ns.iter().copied().sum::<Option<u64>>()?;
    (used.run_s > 0.0).then(|| (busy_ns as f64 / 1e9 / (f64::from(used.workers.count) * used.run_s)).min(1.0))
}

/// Where tasks wait in Redis, a worker that is done with its task waits on until the server knows and has given out another. So what was
/// claimed is set against the room there is, prefetch included, as it was seen ten times a second over the window. Where nothing was there to
/// be claimed nobody waited for room, and a task that is done may be told a little later. What was put back for it was held too long is no
/// more among it, though a worker has it.
fn room_taken(settings: &Settings, depth: &[DepthAt]) -> Option<f64> {
    let workers = &settings.workers;
    let room = f64::from(settings.queue.as_ref()?.room(workers.count)) * f64::from(workers.dynos);
    let seen = depth.iter().filter(|at| (0.0..=settings.load.duration_s).contains(&at.t_s));
    let awaited = |at: &DepthAt| if at.depth.visible > 0 { at.depth.in_flight } else { 0 };
    let (taken, looks) = seen.fold((0, 0_u32), |(taken, looks), at| (taken + awaited(at), looks + 1));
    (looks > 0).then(|| (taken as f64 / f64::from(looks) / room).min(1.0))
}

#[cfg(test)]
mod tests {
    use common::plan::Plan;
    use common::report::{Depth, DepthAt};

    use super::room_taken;

    #[test]
    fn what_is_claimed_takes_room_of_workers_and_prefetch() {
        let settings = |queue: &str| {
            let plan = format!(
                "name = \"t\"\n[task]\nkind = \"null\"\n{queue}\n[load]\nrate_per_s = 1\nduration_s = 1\n[workers]\ncount = 4\n\
                 dynos = 2\n[[variant]]\nname = \"a\"\nengine = \"async\"\n"
            );
            Plan::parse(&plan, &[]).unwrap().cells.remove(0).settings
        };
        let at = |t_s, in_flight| DepthAt { t_s, depth: Depth { visible: 1, in_flight, ..Depth::default() } };
        let nothing_waits = DepthAt { t_s: 0.7, depth: Depth { in_flight: 8, ..Depth::default() } };
        // Before the window and after it nothing counts.
        let depth = [at(-0.1, 0), at(0.0, 8), at(0.5, 4), at(1.1, 0)];
        for (queue, depth, expected) in [
            ("[queue]", &depth[..], Some(6.0 / 8.0)),
            ("[queue]\nprefetch = 2", &depth, Some(6.0 / 12.0)),
            ("[queue]", &[at(0.5, 9)], Some(1.0)),
            ("[queue]", &[at(0.5, 8), nothing_waits], Some(0.5)),
            ("[queue]", &[at(2.0, 9)], None),
            ("", &depth, None),
        ] {
            assert_eq!(room_taken(&settings(queue), depth), expected, "{queue}");
        }
    }
}
