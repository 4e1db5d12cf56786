//! Versions of Redis and Valkey, and the oldest that will do.

use std::fmt;

/// A server version, in release order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number; 0 where none was given.
    pub patch: u32,
}

impl Version {
    /// The oldest server that the engines' commands work on: `LMOVE`, `GETDEL` and `INFO`'s fields as read here came with 6.2.
    pub const OLDEST: Self = Self { major: 6, minor: 2, patch: 0 };

    /// Reads `7.2.4`, `6.2` or `8.0.0-rc1` (as 8.0.0); `None` for anything that does not begin with two numbers.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.trim().splitn(3, '.');
        Some(Self {
            major: numbers.next()?.parse().ok()?,
            minor: leading_number(numbers.next()?)?,
            patch: numbers.next().and_then(leading_number).unwrap_or(0),
        })
    }

    /// Reads what `redis-server --version` prints, such as `Valkey server v=9.1.2 sha=00000000:1 malloc=libc bits=64`.
    #[must_use]
    pub fn parse_banner(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once("server v=")?;
        Self::parse(rest.split_whitespace().next()?)
    }

    /// Whether it is [`Version::OLDEST`] or newer.
    #[must_use]
    pub fn is_supported(self) -> bool {
        self >= Self::OLDEST
    }
}

fn leading_number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_old_ones_refused() {
        for (text, expected, supported) in [
            ("7.2.4", Some("7.2.4"), true),
            ("6.2", Some("6.2.0"), true),
            ("6.2.0-rc3", Some("6.2.0"), true),
            ("8.0-rc1", Some("8.0.0"), true),
            ("255.255.255", Some("255.255.255"), true),
            ("6.0.16", Some("6.0.16"), false),
            ("5.0.7", Some("5.0.7"), false),
            (" 9.1.2\r", Some("9.1.2"), true),
            ("7", None, false),
            ("", None, false),
            ("v7.2", None, false),
            ("99999999999.0", None, false),
        ] {
            let version = Version::parse(text);
            assert_eq!(version.map(|version| version.to_string()).as_deref(), expected, "{text}");
            assert_eq!(version.is_some_and(Version::is_supported), supported, "{text}");
        }
    }

    #[test]
    fn banners_are_read() {
        for (text, expected) in [
            ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1\n", Some("7.0.15")),
            ("Valkey server v=9.1.2 sha=00000000:1 malloc=libc bits=64 build=1536df31c0395150", Some("9.1.2")),
            ("Redis server v=5.0.7", Some("5.0.7")),
            ("redis-cli 7.0.15", None),
            ("Redis server v=", None),
        ] {
            let version = Version::parse_banner(text).map(|version| version.to_string());
            assert_eq!(version.as_deref(), expected, "{text}");
        }
    }
}
