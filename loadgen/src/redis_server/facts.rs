//! What a server says about itself: `INFO` as a map, and the facts and command statistics read from it.

use std::collections::BTreeMap;
use std::fmt;

use redis::{ConnectionLike, RedisResult};

use super::version::Version;

/// Which server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// Redis, or a server that says no better.
    Redis,
    /// Valkey.
    Valkey,
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redis => "redis",
            Self::Valkey => "valkey",
        })
    }
}

/// A server's product, version and settings, for the report. `None` where a managed server does not tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// Redis or Valkey.
    pub product: Product,
    /// The product's own version: Valkey 9.1.2 also answers `redis_version:7.2.4`, which is not this one.
    pub version: Option<String>,
    /// Its memory allocator, such as `jemalloc-5.3.0` or `libc`.
    pub allocator: Option<String>,
    /// `io-threads`: 1 means that the main thread does all reading and writing.
    pub io_threads: Option<u32>,
    /// `maxmemory`, in bytes; 0 means no bound.
    pub maxmemory_bytes: Option<u64>,
    /// `maxmemory-policy`, such as `noeviction`.
    pub maxmemory_policy: Option<String>,
    /// Keys thrown away for want of memory, since the server started.
    pub evicted_keys: Option<u64>,
    /// Operating system, kernel and architecture of the server's host.
    pub os: Option<String>,
    /// Process id on the server's host.
    pub process_id: Option<u32>,
}

impl ServerFacts {
    /// Asks a server: `INFO`, and `CONFIG GET io-threads`, which may be refused.
    ///
    /// # Errors
    /// What redis-rs says when `INFO` fails, or when the connection does.
    pub fn read(connection: &mut dyn ConnectionLike) -> RedisResult<Self> {
        let info: String = redis::cmd("INFO").query(connection)?;
        let mut facts = Self::from_info(&parse_info(&info));
        let answer: RedisResult<BTreeMap<String, String>> =
            redis::cmd("CONFIG").arg("GET").arg("io-threads").query(connection);
        facts.io_threads = match answer {
            Ok(config) => config.get("io-threads").and_then(|value| value.parse().ok()),
            Err(error) if error.is_io_error() => return Err(error),
            // Managed servers refuse or rename CONFIG.
            Err(_) => None,
        };
        Ok(facts)
    }

    /// The facts that are in `INFO`; all but `io_threads`.
    #[must_use]
    pub fn from_info(info: &BTreeMap<String, String>) -> Self {
        let text = |name: &str| info.get(name).filter(|value| !value.is_empty()).cloned();
        let valkey_version = text("valkey_version");
        let is_valkey = valkey_version.is_some() || text("server_name").is_some_and(|name| name == "valkey");
        Self {
            product: if is_valkey { Product::Valkey } else { Product::Redis },
            version: valkey_version.or_else(|| text("redis_version")),
            allocator: text("mem_allocator"),
            io_threads: None,
            maxmemory_bytes: text("maxmemory").and_then(|value| value.parse().ok()),
            maxmemory_policy: text("maxmemory_policy"),
            evicted_keys: text("evicted_keys").and_then(|value| value.parse().ok()),
            os: text("os"),
            process_id: text("process_id").and_then(|value| value.parse().ok()),
        }
    }

    /// The version in numbers, if the server told one that can be read.
    #[must_use]
    pub fn parsed_version(&self) -> Option<Version> {
        self.version.as_deref().and_then(Version::parse)
    }
}

/// One line of `INFO commandstats`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CommandStat {
    /// Executions.
    pub calls: u64,
    /// Time inside the command, summed, in microseconds.
    pub usec: u64,
}

/// Asks a server for its command statistics.
///
/// # Errors
/// What redis-rs says.
pub fn read_commandstats(connection: &mut dyn ConnectionLike) -> RedisResult<BTreeMap<String, CommandStat>> {
    let info: String = redis::cmd("INFO").arg("commandstats").query(connection)?;
    Ok(parse_commandstats(&parse_info(&info)))
}

/// The `name:value` lines of an `INFO` answer; section titles and empty lines are left out.
#[must_use]
pub fn parse_info(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once(':'));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The `cmdstat_*` entries, by lower-case command name; subcommands are `client|setinfo`. An entry without its two numbers is
/// left out.
#[must_use]
pub fn parse_commandstats(info: &BTreeMap<String, String>) -> BTreeMap<String, CommandStat> {
    let entries = info.iter().filter_map(|(name, value)| {
        let command = name.strip_prefix("cmdstat_")?.to_ascii_lowercase();
        Some((command, parse_commandstat(value)?))
    });
    entries.collect()
}

fn parse_commandstat(value: &str) -> Option<CommandStat> {
    let number = |wanted: &str| {
        let mut fields = value.split(',').filter_map(|field| field.split_once('='));
        fields.find(|(name, _)| *name == wanted)?.1.parse().ok()
    };
    Some(CommandStat { calls: number("calls")?, usec: number("usec")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALKEY: &str = "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\n\
        os:Linux 6.18.44 x86_64\r\nprocess_id:7854\r\nexecutable:/a:b/valkey-server\r\nconfig_file:\r\n\r\n# Memory\r\n\
        maxmemory:100000000\r\nmaxmemory_policy:noeviction\r\nmem_allocator:libc\r\n";
    const REDIS: &str = "# Server\r\nredis_version:6.2.14\r\nos:Linux 5.4\r\nprocess_id:1\r\nmaxmemory:0\r\n\
        maxmemory_policy:allkeys-lru\r\nmem_allocator:jemalloc-5.1.0\r\n";

    #[test]
    fn info_is_a_map() {
        let info = parse_info(VALKEY);
        assert_eq!(info.len(), 10);
        assert_eq!(info["executable"], "/a:b/valkey-server", "only the first colon separates");
        assert_eq!(info["config_file"], "");
        assert!(parse_info("").is_empty());
    }

    #[test]
    fn facts_tell_valkey_from_redis() {
        for (text, product, version, allocator, maxmemory_bytes, process_id) in [
            (VALKEY, Product::Valkey, Some("9.1.2"), Some("libc"), Some(100_000_000), Some(7854)),
            (REDIS, Product::Redis, Some("6.2.14"), Some("jemalloc-5.1.0"), Some(0), Some(1)),
            ("", Product::Redis, None, None, None, None),
            ("redis_version:\nmaxmemory:lots", Product::Redis, None, None, None, None),
        ] {
            let facts = ServerFacts::from_info(&parse_info(text));
            assert_eq!(facts.product, product);
            assert_eq!(facts.version.as_deref(), version);
            assert_eq!(facts.allocator.as_deref(), allocator);
            assert_eq!(facts.maxmemory_bytes, maxmemory_bytes);
            assert_eq!(facts.process_id, process_id);
        }
    }

    #[test]
    fn commandstats_keep_subcommands_apart() {
        let text = "# Commandstats\r\ncmdstat_get:calls=21,usec=175,usec_per_call=8.33,rejected_calls=0,failed_calls=0\r\n\
            cmdstat_client|setinfo:calls=2,usec=12,usec_per_call=6.00\r\ncmdstat_CONFIG|GET:calls=1,usec=3\r\n\
            cmdstat_broken:calls=many,usec=1\r\ncmdstat_short:calls=1\r\nother:calls=1,usec=1\r\n";
        let stats = parse_commandstats(&parse_info(text));
        let expected = [("client|setinfo", 2, 12), ("config|get", 1, 3), ("get", 21, 175)];
        let expected = expected.map(|(name, calls, usec)| (name.to_owned(), CommandStat { calls, usec }));
        assert_eq!(stats, BTreeMap::from(expected));
    }
}
