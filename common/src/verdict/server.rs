//! Whether the server kept everything that it was given.

use super::{invalid, warning};
use crate::report::{Check, Ended, RedisServer, RedisWork};
use crate::request::RequestErrorKind;

/// What was evicted or refused for want of memory.
#[must_use]
pub fn checks(server: &RedisServer, work: &RedisWork, ended: &Ended) -> Vec<Check> {
    let refused = refused(work);
    let full = matches!(ended, Ended::ServerFull { .. });
    let mut checks = vec![invalid(
        "server memory",
        refused == 0 && !full,
        Some(refused as f64),
        Some(0.0),
        "the server had no memory left for writes: shorten load.duration_s, lower the rate or the payload, or raise its maxmemory",
    )];
    if let Some(evicted) = server.evicted_keys {
        checks.push(invalid(
            "evictions",
            evicted == 0,
            Some(evicted as f64),
            Some(0.0),
            "the server threw documents away to make room: set maxmemory-policy noeviction, and give it more memory",
        ));
    }
    let bounded = server.maxmemory_bytes.is_some_and(|bytes| bytes > 0);
    if let Some(policy) = server.maxmemory_policy.as_deref().filter(|_| bounded) {
        checks.push(warning(
            "eviction policy",
            // Documents have no time to live, so that no other policy can take them.
            !policy.starts_with("allkeys"),
            None,
            None,
            "the server may throw documents away when its memory is used up: set maxmemory-policy noeviction",
        ));
    }
    checks
}

fn refused(work: &RedisWork) -> u64 {
    work.request_errors.get(RequestErrorKind::OutOfMemory.name()).copied().unwrap_or(0)
}

/// At how much of how much the server refused writes; `None` when it did not.
#[must_use]
pub fn out_of_memory(server: &RedisServer, work: &RedisWork, ended: &Ended) -> Option<String> {
    let full = matches!(ended, Ended::ServerFull { .. }) || refused(work) > 0;
    let bytes = |bytes: Option<u64>| bytes.map_or("an unknown number of".to_owned(), |bytes| bytes.to_string());
    full.then(|| {
        let (used, most) = (bytes(server.used_memory_end_bytes), bytes(server.maxmemory_bytes));
        format!("the server was out of memory at {used} of {most} bytes")
    })
}

#[cfg(test)]
mod tests {
    use super::{checks, out_of_memory};
    use crate::report::{Ended, RedisServer, RedisWork};

    fn server(policy: &str, maxmemory: u64, evicted: Option<u64>) -> RedisServer {
        RedisServer {
            product: "redis".to_owned(),
            version: "7.4.0".to_owned(),
            allocator: String::new(),
            io_threads: None,
            maxmemory_bytes: Some(maxmemory),
            maxmemory_policy: Some(policy.to_owned()),
            private: false,
            origin: String::new(),
            keys_start: 0,
            keys_end: None,
            used_memory_start_bytes: 1,
            used_memory_end_bytes: Some(99),
            evicted_keys: evicted,
        }
    }

    fn failed(server: &RedisServer, refused: u64, ended: &Ended) -> Vec<String> {
        let mut work = RedisWork::default();
        if refused > 0 {
            work.request_errors.insert("out_of_memory".to_owned(), refused);
        }
        let failed = checks(server, &work, ended).into_iter().filter(|check| !check.ok).map(|check| check.name);
        failed.collect()
    }

    #[test]
    fn what_is_thrown_away_or_refused_is_found() {
        let fine = server("noeviction", 100, Some(0));
        assert!(failed(&fine, 0, &Ended::Complete).is_empty());
        assert!(failed(&server("volatile-lru", 100, None), 0, &Ended::Complete).is_empty());
        assert!(failed(&server("allkeys-lru", 0, Some(0)), 0, &Ended::Complete).is_empty());
        assert_eq!(failed(&server("allkeys-lru", 100, Some(0)), 0, &Ended::Complete), ["eviction policy"]);
        assert_eq!(failed(&server("noeviction", 100, Some(3)), 0, &Ended::Complete), ["evictions"]);
        assert_eq!(failed(&fine, 1, &Ended::Complete), ["server memory"]);
        assert_eq!(failed(&fine, 0, &Ended::ServerFull { at_s: 1.0 }), ["server memory"]);
    }

    #[test]
    fn the_reason_says_at_how_much() {
        let (server, work) = (server("noeviction", 100, None), RedisWork::default());
        assert_eq!(out_of_memory(&server, &work, &Ended::Complete), None);
        let reason = out_of_memory(&server, &work, &Ended::ServerFull { at_s: 1.0 }).unwrap();
        assert_eq!(reason, "the server was out of memory at 99 of 100 bytes");
    }
}
