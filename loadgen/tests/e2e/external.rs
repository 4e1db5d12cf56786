//! The user's own server: keys that nobody allowed to be deleted stay, credentials are shown to nobody.

use common::report::RunResult;
use testkit::TestServer;

use crate::support::redis::database;
use crate::support::runs::assert_run;
use crate::support::{Finished, Invocation, loadgen};

const RUN: &str =
    "run --engine async --workers 2 --list-max 3 --rate 20 --duration 0.5 --warmup 0 --set slo.drain_within_s=60";

fn fill(server: &TestServer, db: u32, keys: u32) {
    for key in 0..keys {
        redis::cmd("SET").arg((format!("mine:{key}"), "precious")).exec(&mut database(server, db)).unwrap();
    }
}

/// How many of the keys that [`fill`] wrote are there, and how many keys in all.
fn keys(server: &TestServer, db: u32) -> (usize, usize) {
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut database(server, db)).unwrap();
    (keys.iter().filter(|key| key.starts_with("mine:")).count(), keys.len())
}

#[test]
fn a_database_with_keys_is_left_alone_unless_flushing_is_allowed() {
    let server = TestServer::start();
    fill(&server, 0, 2);
    fill(&server, 2, 3);
    let url = format!("redis://{}/2", server.addr());
    let refused = Invocation::new(&format!("{RUN} --redis-url {url}")).without_out().start().finish();
    assert_eq!((refused.code, refused.stdout.as_str(), refused.stderr.lines().count()), (Some(2), "", 1), "{refused}");
    for word in ["database 2", url.as_str(), "not empty (3 keys;", "--flush"] {
        assert!(refused.stderr.contains(word), "{refused}");
    }
    assert!(!refused.work().join("results").exists());
    assert_eq!((keys(&server, 0), keys(&server, 2)), ((2, 2), (3, 3)));
    assert!(!server.commandstats().keys().any(|command| command.starts_with("flush")), "{:?}", server.commandstats());

    let flushed = loadgen(&format!("{RUN} --redis-url {url} --flush"));
    let run = assert_run(&flushed, RunResult::Ok);
    assert_eq!((run.redis_server.private, run.redis_server.origin.as_str()), (false, url.as_str()));
    assert_eq!(keys(&server, 0), (2, 2), "only the named database is flushed");
    let (mine, all) = keys(&server, 2);
    assert_eq!((mine, Some(all as u64)), (0, run.redis_server.keys_end), "the documents are where the URL says");
    let stats = server.commandstats();
    assert!(!stats.contains_key("flushall") && stats["flushdb"].calls > 0, "{stats:?}");
}

/// An empty database needs no permission, and between the runs of a bench it is flushed.
#[test]
fn an_empty_database_is_used_as_it_is() {
    let server = TestServer::start();
    fill(&server, 0, 1);
    let finished = Invocation::new(RUN).env("REDIS_URL", &format!("redis://{}/7", server.addr())).start().finish();
    assert_run(&finished, RunResult::Ok);
    assert_eq!(keys(&server, 0), (1, 1));
}

/// No output and no file holds the word.
fn assert_hidden(finished: &Finished, words: &[&str]) {
    let files = finished.files();
    let texts = files.iter().map(|(_, text)| text).chain([&finished.stdout, &finished.stderr]);
    for text in texts {
        assert!(!words.iter().any(|word| text.contains(word)), "{words:?} in\n{text}\n{finished}");
    }
}

#[test]
fn a_password_is_asked_for_used_and_shown_to_nobody() {
    let server = TestServer::start_with(&["--requirepass", "s3cret"]);
    let address = server.addr();
    for (credentials, words) in [
        ("", ["asks for a password", "redis://:PASSWORD@host:port/0"].as_slice()),
        (":wr0ng@", &["refuses the user name or the password", "%XX"]),
        ("b0b:wr0ng@", &["refuses the user name or the password"]),
    ] {
        let url = format!("redis://{credentials}{address}/0");
        let finished = loadgen(&format!("{RUN} --redis-url {url}"));
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(2), ""), "{finished}");
        assert_eq!(finished.stderr.lines().count(), 1, "{finished}");
        assert!(words.iter().all(|word| finished.stderr.contains(word)), "{finished}");
        assert_hidden(&finished, &["wr0ng", "b0b"]);
    }
    // Every kind of connection must say it.
    for (engine, connections) in
        [("threaded", "own"), ("threaded", "pool"), ("async", "own"), ("async", "pool"), ("async", "shared")]
    {
        let run = RUN.replace("async", engine);
        let line = format!("{run} --connections {connections} --redis-url redis://:s3cret@{address}/1 --flush");
        let finished = loadgen(&line);
        let run = assert_run(&finished, RunResult::Ok);
        assert_eq!(run.redis_server.origin, format!("redis://***@{address}/1"));
        assert_hidden(&finished, &["s3cret"]);
    }
}

#[test]
fn a_password_that_the_server_does_not_have_is_no_accident() {
    let server = TestServer::start();
    let finished = loadgen(&format!("{RUN} --redis-url redis://:s3cret@{}/0", server.addr()));
    assert_eq!(finished.code, Some(2), "{finished}");
    assert!(finished.stderr.contains("has no password set"), "{finished}");
    assert_hidden(&finished, &["s3cret"]);
}

#[test]
fn a_database_that_the_server_does_not_have_is_named() {
    let server = TestServer::start_with(&["--databases", "4"]);
    let finished = loadgen(&format!("{RUN} --redis-url redis://{}/9", server.addr()));
    assert_eq!(finished.code, Some(2), "{finished}");
    assert!(finished.stderr.contains("has no database 9"), "{finished}");
}
