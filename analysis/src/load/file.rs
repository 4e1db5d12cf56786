//! One report, from a file that anybody may have made: what is read is bounded, and what is no report is refused by a
//! sentence that names it.

use std::collections::HashSet;
use std::fmt::{self, Formatter};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use common::report::SCHEMA_VERSION;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::LoadError;
use crate::format::excerpt;

/// Largest report that is read, in bytes: a run of half a million workers, or of a day. What is read takes a few times as
/// much memory.
pub const BYTES_MAX: u64 = 32 << 20;
/// Characters of what stands in place of something else that a message quotes.
const QUOTED_MAX: usize = 80;

/// What every report starts with; read first, so that the message is about kind or version and not about a field.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    kind: serde_json::Value,
    #[serde(default)]
    schema_version: serde_json::Value,
}

/// The report in the file at `path`, which must be of `kind`.
///
/// # Errors
/// A file that is missing, too large, no JSON, of another kind or of another schema version.
pub(crate) fn report<T: DeserializeOwned>(path: &Path, kind: &'static str) -> Result<T, LoadError> {
    parse(path, &text(path)?, kind)
}

/// The report in `text`, which must be of `kind`. `path` is for messages.
///
/// # Errors
/// As [`report`], but for the file system.
pub(crate) fn parse<T: DeserializeOwned>(path: &Path, text: &str, kind: &'static str) -> Result<T, LoadError> {
    kind_of(path, text, &[kind])?;
    serde_json::from_str(text).map_err(|error| LoadError::Json { path: path.to_owned(), kind, error })
}

/// Which of `kinds` the report in `text` says it is; its schema version is the one that this crate knows.
///
/// # Errors
/// Not JSON, none of these kinds, another version.
pub(crate) fn kind_of(path: &Path, text: &str, kinds: &[&'static str]) -> Result<&'static str, LoadError> {
    let wanted = if let [kind] = kinds { kind } else { "report" };
    let json = |error| LoadError::Json { path: path.to_owned(), kind: wanted, error };
    if text.trim_ascii().is_empty() {
        return Err(LoadError::Text { path: path.to_owned(), reason: "nothing in it".to_owned() });
    }
    serde_json::from_str::<EveryKeyOnce>(text).map_err(json)?;
    let expected = kinds.iter().map(|kind| format!("{kind:?}")).collect::<Vec<_>>().join(" or ");
    // Of a list serde would make a report as well.
    let head: Head = if text.trim_ascii_start().starts_with('{') {
        serde_json::from_str(text).map_err(json)?
    } else {
        Head { kind: serde_json::Value::Null, schema_version: serde_json::Value::Null }
    };
    let Some(kind) = kinds.iter().find(|&&kind| head.kind == kind) else {
        let found = excerpt(&head.kind.to_string(), QUOTED_MAX);
        return Err(LoadError::Kind { path: path.to_owned(), found, expected });
    };
    if head.schema_version != SCHEMA_VERSION {
        let found = excerpt(&head.schema_version.to_string(), QUOTED_MAX);
        return Err(LoadError::SchemaVersion { path: path.to_owned(), found });
    }
    Ok(kind)
}

/// The text of the file at `path`.
///
/// # Errors
/// It cannot be read, has more than [`BYTES_MAX`], or is not UTF-8.
pub(crate) fn text(path: &Path) -> Result<String, LoadError> {
    let io = |error| LoadError::Io { path: path.to_owned(), error };
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    let too_large = |bytes| LoadError::TooLarge { path: path.to_owned(), bytes, limit: BYTES_MAX };
    if metadata.is_file() && metadata.len() > BYTES_MAX {
        return Err(too_large(Some(metadata.len())));
    }
    let mut bytes = Vec::new();
    // A pipe has no size, and a file may grow.
    let read = file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
    if read as u64 > BYTES_MAX {
        return Err(too_large(None));
    }
    decode(path, bytes)
}

fn decode(path: &Path, bytes: Vec<u8>) -> Result<String, LoadError> {
    let refuse = |reason: String| LoadError::Text { path: path.to_owned(), reason };
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(refuse("it begins with a byte order mark, which JSON has none of".to_owned()));
    }
    String::from_utf8(bytes)
        .map_err(|error| refuse(format!("not UTF-8 from byte {} on", error.utf8_error().valid_up_to())))
}

/// Any JSON in which no object has a key twice: which of the two counts is not said anywhere. Holds nothing.
struct EveryKeyOnce;

impl<'de> Deserialize<'de> for EveryKeyOnce {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<EveryKeyOnce, D::Error> {
        deserializer.deserialize_any(EveryKeyOnce)
    }
}

impl<'de> Visitor<'de> for EveryKeyOnce {
    type Value = EveryKeyOnce;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<EveryKeyOnce, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<EveryKeyOnce, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<EveryKeyOnce, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<EveryKeyOnce, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<EveryKeyOnce, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<EveryKeyOnce, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<EveryKeyOnce, A::Error> {
        while values.next_element::<EveryKeyOnce>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<EveryKeyOnce, A::Error> {
        let mut keys: HashSet<String> = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if keys.contains(&key) {
                return Err(A::Error::custom(format_args!(
                    "the key {:?} stands there twice",
                    excerpt(&key, QUOTED_MAX)
                )));
            }
            keys.insert(key);
            entries.next_value::<EveryKeyOnce>()?;
        }
        Ok(self)
    }
}
