//! Ten seconds in which connections break all the time: afterwards nobody holds more than before.

use std::fs;

use common::report::Ended;
use redis::Connection;
use testkit::TestServer;

use crate::support::process::{Process, await_children, until};
use crate::support::redis::Watch;
use crate::support::runs::assert_conserved;
use crate::support::{Invocation, start};

fn entries(pid: u32, what: &str) -> usize {
    fs::read_dir(format!("/proc/{pid}/{what}")).unwrap().count()
}

/// Open files and threads.
fn held(processes: &[Process]) -> Vec<(usize, usize)> {
    processes.iter().map(|process| (entries(process.pid, "fd"), entries(process.pid, "task"))).collect()
}

/// Ids of the connections over which tasks were done.
fn task_connections(connection: &mut Connection) -> Vec<u64> {
    let list: String = redis::cmd("CLIENT").arg("LIST").query(connection).unwrap();
    let field = |line: &str, name: &str| {
        line.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
    };
    let of_task = |line: &&str| {
        field(line, "cmd").is_some_and(|command| ["get", "evalsha", "exec", "ping"].contains(&command.as_str()))
    };
    list.lines().filter(of_task).map(|line| field(line, "id").unwrap().parse().unwrap()).collect()
}

fn clients(connection: &mut Connection) -> usize {
    let list: String = redis::cmd("CLIENT").arg("LIST").query(connection).unwrap();
    list.lines().count()
}

#[test]
fn broken_connections_are_replaced_and_nothing_piles_up() {
    for (engine, connections) in
        [("threaded", "own"), ("threaded", "pool"), ("async", "own"), ("async", "pool"), ("async", "shared")]
    {
        let server = TestServer::start();
        let mut control = server.connection();
        let mut watch = Watch::on(server.addr());
        let clients_before = clients(&mut control);
        let run = start(&format!(
            "run --engine {engine} --connections {connections} --workers 4 --dynos 2 --rate 200 --duration 10 --warmup 0 \
             --list-max 3 --payload-kb 0.1 --backlog-max 100000 --set slo.drain_within_s=60 --redis-url {}",
            server.url()
        ));
        watch.tasks(8 + 100);
        let mut processes = await_children(run.pid(), "workers-", 2);
        processes.extend(Process::read(run.pid()));
        let before = held(&processes);
        let connections_before = task_connections(&mut control).len();
        let mut killed = 0;
        for _ in 0..12 {
            watch.tasks(100);
            for id in task_connections(&mut control) {
                let count: u64 = redis::cmd("CLIENT").arg(("KILL", "ID", id)).query(&mut control).unwrap();
                killed += count;
            }
        }
        watch.tasks(100);
        until("the connections to be replaced", || (held(&processes) == before).then_some(()));
        let finished = run.finish();
        let run = finished.run();
        assert_conserved(run);
        assert_eq!((&run.ended, run.counts.sent), (&Ended::Complete, 2000), "{finished}");
        assert!(
            killed >= connections_before as u64 && run.redis_work.reconnects > 0,
            "{killed} killed, {:?}",
            run.redis_work
        );
        // A connection that dies takes with it the tasks that use it: one, or those of all workers that share it.
        let users = if connections == "shared" { 4 } else { 1 };
        assert!(
            run.counts.failed.total() <= killed * users && run.counts.unfinished == 0,
            "{killed} killed, {:?}",
            run.counts
        );
        until("the server to be left alone", || (clients(&mut control) == clients_before).then_some(()));
    }
}

/// Each run of a bench opens a door for its dynos, and shuts it.
#[test]
fn a_bench_of_many_runs_holds_no_more_than_a_bench_of_one() {
    let plan = "name = \"p\"\n[task]\nkind = \"null\"\n[load]\nrate_per_s = 20\nduration_s = 0.1\nwarmup_s = 0\n[workers]\ncount = 1\n\
                [repeat]\nblocks = 9\n[[variant]]\nname = \"a\"\nengine = \"async\"\n";
    let mut bench = Invocation::new("bench p.toml").file("p.toml", plan).start();
    bench.await_stderr("run 8/");
    let tasks = fs::read_dir(format!("/proc/{}/task", bench.pid())).unwrap().map(Result::unwrap);
    // A thread may end while it is looked at.
    let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    let doors = names.filter(|name| name.trim() == "accept").count();
    assert!(doors <= 1, "{doors} threads accept connections, of {doors} runs of which only one goes on");
    bench.finish();
}
