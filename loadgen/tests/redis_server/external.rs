//! External servers: what is refused and why, and what is flushed.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use loadgen::redis_server::facts::read_commandstats;
use loadgen::redis_server::{ExternalError, ExternalOptions, ExternalServer, PrivateServer, Product, ServerUrl};

use super::{connect, dbsize, start};

fn fill(server: &PrivateServer, db: u32, keys: u64) {
    for key in 0..keys {
        redis::cmd("SET").arg(key).arg("value").exec(&mut connect(server, db)).unwrap();
    }
}

fn external(server: &PrivateServer, credentials: &str, db: u32) -> ServerUrl {
    format!("redis://{credentials}{}/{db}", server.addr()).parse().unwrap()
}

#[test]
fn an_external_database_that_is_not_empty_is_refused_and_left_alone() {
    let (server, _directory) = start(&[]);
    fill(&server, 0, 1);
    fill(&server, 2, 3);
    let error = ExternalServer::admit(external(&server, "", 2), ExternalOptions::default()).unwrap_err();
    assert!(matches!(error, ExternalError::NotEmpty { db: 2, keys: 3, .. }), "{error}");
    let text = error.to_string();
    for part in ["database 2 of redis://127.0.0.1:", "(3 keys;", "--flush"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!((dbsize(&server, 0), dbsize(&server, 2)), (1, 3));
    let stats = read_commandstats(&mut connect(&server, 0)).unwrap();
    assert!(!stats.keys().any(|command| command.starts_with("flush")), "{stats:?}");

    let flush = ExternalOptions { flush: true, ..ExternalOptions::default() };
    let admitted = ExternalServer::admit(external(&server, "", 2), flush).unwrap();
    assert_eq!(dbsize(&server, 2), 3, "a run may still be refused for other reasons");
    admitted.flush().unwrap();
    assert_eq!((dbsize(&server, 0), dbsize(&server, 2)), (1, 0), "only the named one is flushed");
}

#[test]
fn an_empty_external_database_is_admitted_and_may_be_emptied_again() {
    let (server, _directory) = start(&[]);
    fill(&server, 0, 1);
    let admitted = ExternalServer::admit(external(&server, "", 1), ExternalOptions::default()).unwrap();
    assert_eq!(admitted.facts().process_id, Some(server.pid()));
    assert!(matches!(admitted.facts().product, Product::Redis | Product::Valkey));
    fill(&server, 1, 2);
    admitted.flush().unwrap();
    assert_eq!((dbsize(&server, 0), dbsize(&server, 1)), (1, 0));

    let error = ExternalServer::admit(external(&server, "", 99), ExternalOptions::default()).unwrap_err();
    assert!(matches!(error, ExternalError::NoSuchDatabase { db: 99, .. }), "{error}");
}

#[test]
fn passwords_are_asked_for_and_never_shown() {
    let users = "--user ann on >s3cret ~* +@all -info --user default on >s3cret ~* +@all";
    let (locked, _directory) = start(&users.split(' ').collect::<Vec<_>>());
    let (open, _other_directory) = start(&[]);
    let admit =
        |server, credentials, db| ExternalServer::admit(external(server, credentials, db), ExternalOptions::default());

    assert_eq!(admit(&locked, ":s3cret@", 3).unwrap().url().to_string(), format!("redis://***@{}/3", locked.addr()));
    for (server, credentials, db, expected) in [
        (&locked, "", 0, "asks for a password; give it in the URL"),
        (&locked, "", 2, "asks for a password; give it in the URL"),
        (&locked, "ann@", 0, "asks for a password; give it in the URL"),
        (&locked, ":wr0ng@", 0, "refuses the user name or the password"),
        (&locked, "bob:s3cret@", 0, "refuses the user name or the password"),
        (&locked, "ann:s3cret@", 0, "answers INFO with NOPERM"),
        (&open, ":s3cret@", 0, "has no password set"),
    ] {
        let error = admit(server, credentials, db).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(expected), "{text}");
        assert!(text.contains(&server.addr().to_string()), "{text}");
        for shown in [text, format!("{error:?}")] {
            let hidden = ["s3cret", "wr0ng", "ann", "bob"];
            assert!(!hidden.iter().any(|word| shown.contains(word)), "{shown}");
        }
    }
}

#[test]
fn what_does_not_answer_as_redis_is_refused_within_the_timeouts() {
    let options = ExternalOptions {
        response_timeout: Duration::from_millis(50),
        connect_timeout: Duration::from_secs(5),
        ..ExternalOptions::default()
    };
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let web = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (silent_port, web_port) = (silent.local_addr().unwrap().port(), web.local_addr().unwrap().port());
    let answer = std::thread::spawn(move || {
        let (mut stream, _) = web.accept().unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        stream
    });
    // Nothing but the kernel hands out port 1 on a machine without tcpmux, and nothing listens there.
    for (port, expected) in
        [(silent_port, "no answer in time"), (web_port, "does not speak Redis's protocol"), (1, "refused")]
    {
        let url: ServerUrl = format!("redis://:s3cret@127.0.0.1:{port}/0").parse().unwrap();
        let shown = url.to_string();
        let error = ExternalServer::admit(url, options).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(&shown) && text.contains(expected), "{text}");
        assert!(!format!("{text} {error:?}").contains("s3cret"), "{text}");
    }
    answer.join().unwrap();
}
