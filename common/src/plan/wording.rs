//! What serde says of a value that does not fit, in a plan's words: `f64`, `sequence` and `struct Repeat` mean nothing to
//! whoever wrote the plan, and "unknown variant" would mean something else.

use super::PlanError;

/// The refusal of the value at `key`.
pub(super) fn refusal(key: &str, message: &str) -> PlanError {
    unknown_key(key, message)
        .or_else(|| missing_key(key, message))
        .or_else(|| unknown_word(key, message))
        .or_else(|| misfit(key, message))
        .unwrap_or_else(|| PlanError::Key { key: key.to_owned(), message: message.to_owned() })
}

fn unknown_key(key: &str, message: &str) -> Option<PlanError> {
    let (field, known) = message.strip_prefix("unknown field `")?.split_once("`, expected ")?;
    let known = list(known).replace("one of ", "").replace(" or ", ", ");
    Some(PlanError::Key { key: format!("{key}.{field}"), message: format!("unknown key; use one of {known}") })
}

fn missing_key(key: &str, message: &str) -> Option<PlanError> {
    let field = message.strip_prefix("missing field `")?.strip_suffix('`')?;
    Some(PlanError::Key { key: format!("{key}.{field}"), message: "missing, and it has no default".to_owned() })
}

fn unknown_word(key: &str, message: &str) -> Option<PlanError> {
    let (word, known) = message.strip_prefix("unknown variant `")?.split_once("`, expected ")?;
    Some(PlanError::value(key, format!("{word:?}"), list(known)))
}

fn misfit(key: &str, message: &str) -> Option<PlanError> {
    let found = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))?;
    let (found, expected) = found.rsplit_once(", expected ")?;
    let value = match found {
        "sequence" => "[...]",
        "map" => "{...}",
        found => {
            found.split_once('`').map_or_else(|| found.trim_start_matches("string "), |(_, v)| v.trim_matches('`'))
        }
    };
    let expected = match expected {
        "f64" => "a number",
        "u32" => "a whole number, not negative",
        "u64" => "a whole number, not negative",
        "a boolean" => "true or false",
        "a string" => "text in quotes",
        "a sequence" => "a list of tables",
        expected if expected.starts_with("struct ") => "a table",
        expected => expected,
    };
    Some(PlanError::value(key, value, expected))
}

/// Serde's list of names without its quotes.
fn list(names: &str) -> String {
    names.replace('`', "")
}
