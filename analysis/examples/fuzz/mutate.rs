//! Reports changed at random, by value and by byte: what others' files may hold. A function of the seed.

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};
use serde_json::{Value, json};

/// Changes of one report in one go.
const CHANGES_MAX: usize = 4;

/// A change that can be made to several reports alike.
#[derive(Debug, Clone)]
pub struct Change {
    /// Which of the children to go down to, at every level, as a share of them; what is reached is changed.
    path: Vec<f64>,
    /// What is put there.
    to: To,
}

#[derive(Debug, Clone)]
enum To {
    Value(Value),
    Scaled(f64),
    Removed,
    Doubled,
    Emptied,
}

/// Changes to be made one after the other.
pub fn changes(rng: &mut impl Rng) -> Vec<Change> {
    let number = rng.random_range(1..=CHANGES_MAX);
    (0..number).map(|_| change(rng)).collect()
}

fn change(rng: &mut impl Rng) -> Change {
    // Most reports are broad and flat: what is interesting lies two to four levels down.
    let depth = rng.random_range(1..=5);
    let path = (0..depth).map(|_| rng.random()).collect();
    let to = match rng.random_range(0..10) {
        0 => To::Removed,
        1 => To::Doubled,
        2 => To::Emptied,
        3 | 4 => To::Scaled(*[-1.0, 0.0, 1e-9, 0.5, 2.0, 1e9, 1e300].choose(rng).unwrap_or(&0.0)),
        _ => To::Value(interesting(rng)),
    };
    Change { path, to }
}

/// Values at the edges of what fields can hold, and of what text can do.
fn interesting(rng: &mut impl Rng) -> Value {
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(-1),
        json!(0.5),
        json!(-0.0),
        json!(1e-320),
        json!(1.797e308),
        json!(-1.797e308),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(u32::MAX),
        json!(1u64 << 53),
        json!(""),
        json!("\u{1b}[2J\u{9b}\n\r\t\u{202e}|`<b>=1+1"),
        json!("ok"),
        json!("overloaded"),
        json!("invalid"),
        json!("inconclusive"),
        json!("x".repeat(10_000)),
        json!([]),
        json!({}),
        json!([[[[]]]]),
    ];
    values.choose(rng).cloned().unwrap_or_default()
}

/// Makes `change` to `report`, as far down as it goes.
pub fn apply(change: &Change, report: &mut Value) {
    let mut at = report;
    for (level, share) in change.path.iter().enumerate() {
        let last = level + 1 == change.path.len();
        let children = match at {
            Value::Object(keys) => keys.len(),
            Value::Array(values) => values.len(),
            _ => 0,
        };
        if children == 0 {
            break;
        }
        let position = ((share * children as f64) as usize).min(children - 1);
        match at {
            Value::Object(keys) => {
                let Some(key) = keys.keys().nth(position).cloned() else { return };
                if last && matches!(change.to, To::Removed) {
                    keys.remove(&key);
                    return;
                }
                if last && matches!(change.to, To::Doubled) {
                    let value = keys[&key].clone();
                    keys.insert(format!("{key}/~\u{1b}"), value);
                    return;
                }
                let Some(child) = keys.get_mut(&key) else { return };
                at = child;
            }
            Value::Array(values) => {
                if last && matches!(change.to, To::Removed) {
                    values.remove(position);
                    return;
                }
                if last && matches!(change.to, To::Doubled) {
                    values.insert(position, values[position].clone());
                    return;
                }
                at = &mut values[position];
            }
            _ => return,
        }
    }
    match (&change.to, at.as_f64()) {
        (To::Value(value), _) => *at = value.clone(),
        (To::Scaled(factor), Some(number)) => *at = scaled(at, number, *factor),
        (To::Emptied, _) if at.is_array() => *at = json!([]),
        (To::Emptied, _) if at.is_object() => *at = json!({}),
        _ => {}
    }
}

/// Whole numbers stay whole.
fn scaled(value: &Value, number: f64, factor: f64) -> Value {
    let product = number * factor;
    if value.is_u64() && product >= 0.0 { json!(product as u64) } else { json!(product) }
}

/// Text with some bytes exchanged, left out, or doubled.
pub fn scramble(rng: &mut impl Rng, text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..rng.random_range(1..=CHANGES_MAX) {
        if bytes.is_empty() {
            break;
        }
        let at = rng.random_range(0..bytes.len());
        let end = (at + rng.random_range(1..64)).min(bytes.len());
        match rng.random_range(0..5) {
            0 => bytes[at] = rng.random(),
            1 => bytes[at] = *b"{}[]\",:0-eE.\\\x1b".choose(rng).unwrap_or(&0),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            _ => bytes.truncate(at),
        }
    }
    bytes
}
