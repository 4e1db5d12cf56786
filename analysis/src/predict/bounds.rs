//! Asymptotic bounds of throughput: X <= min(N / R, 1 / Dmax) (Denning and Buzen 1978; Lazowska et al. 1984, chapter 5), with
//! what a task was measured to need of every resource. Pure.

use std::collections::BTreeSet;

use common::plan::{Checkout, Connections};
use common::report::prediction::{ResourceBound, ThroughputBounds};
use common::report::{Placed, Resource, Run, Usage};

const ASSUMES: &str = "a task needs at every rate what it needed in this run, of the generator too, and other programs need \
                       nothing";

/// The bounds of `run`; `None` when it says of no resource what a task needs.
pub(super) fn bounds(run: &Run) -> Option<ThroughputBounds> {
    let all = [workers(run), permits(run), connections(run), server(run), worker_cpu(run), proxy(run)];
    let mut resources: Vec<ResourceBound> = all.into_iter().flatten().collect();
    resources.sort_by(|a, b| a.at_most_per_s.total_cmp(&b.at_most_per_s));
    let lowest = *resources.first()?;
    let completed_per_s = run.rate_per_s.completed.filter(|rate| rate.is_finite());
    Some(ThroughputBounds {
        at_most_per_s: lowest.at_most_per_s,
        bound_by: lowest.resource,
        completed_per_s,
        used: completed_per_s.map(|completed| completed / lowest.at_most_per_s),
        assumes: ASSUMES.to_owned(),
        resources,
    })
}

/// `None` for a demand of nothing, which bounds nothing.
fn bound(resource: Resource, units: f64, demand_us: Option<f64>) -> Option<ResourceBound> {
    let demand_us = demand_us?;
    let at_most_per_s = units * 1e6 / demand_us;
    (demand_us > 0.0 && at_most_per_s > 0.0 && at_most_per_s.is_finite()).then_some(ResourceBound {
        resource,
        units,
        demand_us,
        at_most_per_s,
    })
}

/// N / R: every worker has one task at a time, and is not done with it before the queue knows, where it says so itself.
fn workers(run: &Run) -> Option<ResourceBound> {
    let settle_us = run.latency_us.spans.get("settle").and_then(|span| span.mean).unwrap_or(0.0);
    bound(Resource::Workers, f64::from(run.workers.count), run.latency_us.service.mean.map(|us| us + settle_us))
}

/// A permit is with one task at a time, from its first step to its last.
fn permits(run: &Run) -> Option<ResourceBound> {
    let of_dyno = run.plan.settings.limiting_permits()?;
    bound(Resource::Permits, f64::from(of_dyno) * f64::from(run.workers.dynos), run.latency_us.permit_held_us())
}

/// A pooled connection is with one task at a time.
fn connections(run: &Run) -> Option<ResourceBound> {
    if run.variant.connections != Connections::Pool {
        return None;
    }
    let connections = f64::from(run.variant.pool_size?) * f64::from(run.workers.dynos);
    let latency = &run.latency_us;
    let held_us = match run.variant.checkout {
        Some(Checkout::Task) => latency.service.mean? - latency.pool_wait.mean?,
        _ => ["fetch", "save", "ping", "exchange", "settle"]
            .iter()
            .filter_map(|span| latency.spans.get(*span)?.mean)
            .sum(),
    };
    bound(Resource::Connections, connections, Some(held_us))
}

/// As many threads of the server as can work.
fn server(run: &Run) -> Option<ResourceBound> {
    let threads = f64::from(run.redis_server.io_threads.unwrap_or(1).max(1));
    bound(Resource::ServerCpu, threads, run.resources.redis.cpu_us_per_task)
}

/// The delay proxy has one thread.
fn proxy(run: &Run) -> Option<ResourceBound> {
    bound(Resource::Proxy, 1.0, run.resources.proxy?.cpu_us_per_task)
}

/// The dynos' CPUs. Where everybody may use the same ones, they are short when everybody's work together fills them.
fn worker_cpu(run: &Run) -> Option<ResourceBound> {
    let own_us = run.resources.workers.cpu_us_per_task?;
    let cpus = dyno_cpus(run);
    if !shared(run) {
        return bound(Resource::WorkerCpu, cpus, Some(own_us));
    }
    let here = run.host.placement.iter().any(|placed| placed.process == "redis");
    let redis_us = run.resources.redis.cpu_us_per_task.filter(|_| here).unwrap_or(0.0);
    let of = |usage: &Usage| usage.cpu_us_per_task.unwrap_or(0.0);
    let others_us = redis_us + of(&run.resources.loadgen) + run.resources.proxy.as_ref().map_or(0.0, of);
    let all = bound(Resource::WorkerCpu, f64::from(run.host.cpus), Some(own_us + others_us));
    let quota = bound(Resource::WorkerCpu, cpus, Some(own_us));
    [all, quota].into_iter().flatten().min_by(|a, b| a.at_most_per_s.total_cmp(&b.at_most_per_s))
}

/// Whether the processes may use the same CPUs.
fn shared(run: &Run) -> bool {
    run.host.placement.windows(2).all(|pair| pair[0].cpus == pair[1].cpus)
}

/// CPUs that all dynos together may use, or their quotas; those elsewhere are taken to have as many as this machine.
fn dyno_cpus(run: &Run) -> f64 {
    let dynos: Vec<&Placed> = run.host.placement.iter().filter(|placed| placed.process.starts_with("dyno-")).collect();
    let cpus: BTreeSet<u32> = dynos.iter().flat_map(|dyno| numbers(&dyno.cpus)).collect();
    let cpus = if cpus.is_empty() { f64::from(run.host.cpus) } else { cpus.len() as f64 };
    let quotas: Option<f64> = dynos.iter().map(|dyno| dyno.cpu_quota).sum();
    quotas.filter(|_| !dynos.is_empty()).map_or(cpus, |quotas| quotas.min(cpus))
}

/// The CPUs of a list such as `0-3,6`; what is no number is left out, and a range is taken for as long as a machine is wide.
fn numbers(list: &str) -> impl Iterator<Item = u32> {
    const CPUS_MAX: usize = 4096;
    list.split(',').flat_map(|part| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let range = from.trim().parse::<u32>().ok().zip(to.trim().parse::<u32>().ok());
        range.into_iter().flat_map(|(from, to)| (from..=to).take(CPUS_MAX))
    })
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn lists_of_cpus() {
        for (list, expected) in
            [("0-1", vec![0, 1]), ("0-2,6", vec![0, 1, 2, 6]), ("5", vec![5]), ("", vec![]), ("x-", vec![])]
        {
            assert_eq!(numbers(list).collect::<Vec<_>>(), expected, "{list}");
        }
        assert_eq!(numbers("0-4294967295").count(), 4096);
    }
}
