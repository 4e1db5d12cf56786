//! The keys of the document store, as the original names them.
//!
//! Values refer to each other by *reference*: a key without the prefix, a space, and the options of the collection
//! behind it in JSON.

/// Prefix of every key in the server.
pub const PREFIX: &str = "test:";

const HASH: &str = r#"{"type":"hash"}"#;
const LAZY_HASH: &str = r#"{"type":"hash","lazy":true}"#;
const LAZY_APPEND_LIST: &str = r#"{"type":"list","lazy":true,"append":true}"#;

/// Document ids have five digits up to worker 89 999.
#[must_use]
pub fn document_id(worker: u32) -> String {
    (10_000 + u64::from(worker)).to_string()
}

/// The root's key.
#[must_use]
pub fn root(document: &str) -> String {
    format!("{PREFIX}building:{document}")
}

/// The key of the hash of flats.
#[must_use]
pub fn flats(document: &str) -> String {
    format!("{PREFIX}building:{document}:flats")
}

/// The key of a flat's list of mails.
#[must_use]
pub fn mail(document: &str, flat: &str) -> String {
    format!("{PREFIX}building:{document}:flats:{flat}:mail")
}

/// The root's reference to its flats.
#[must_use]
pub fn flats_reference(document: &str) -> String {
    format!("building:{document}:flats {HASH}")
}

/// The root's reference to its visitors.
#[must_use]
pub fn root_visitors_reference(document: &str) -> String {
    format!("building:{document}:visitors {LAZY_HASH}")
}

/// The root's reference to its mails.
#[must_use]
pub fn root_mail_reference(document: &str) -> String {
    format!("building:{document}:mail {LAZY_APPEND_LIST}")
}

/// A flat's reference to its mails.
#[must_use]
pub fn mail_reference(document: &str, flat: &str) -> String {
    format!("building:{document}:flats:{flat}:mail {LAZY_APPEND_LIST}")
}

/// A flat's reference to its visitors.
#[must_use]
pub fn visitors_reference(document: &str, flat: &str) -> String {
    format!("building:{document}:flats:{flat}:visitors {LAZY_HASH}")
}
