//! The typed values of a document and their JSON. Field order is the original's: the bytes are compared.

use serde::{Deserialize, Serialize};

use crate::keys;
use crate::request::RequestError;

/// The root: references to what belongs to a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Building {
    /// Decimal digits.
    pub id: String,
    /// Reference to the hash of flats.
    pub flats: String,
    /// Reference.
    pub visitors: String,
    /// Reference.
    pub mail: String,
}

/// A flat as it stands in its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flat {
    /// Its place in the list.
    pub i: u32,
    /// Its fields.
    pub json: FlatFields,
}

/// The fields of a flat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlatFields {
    /// Twelve hex digits; the field in the hash.
    pub id: String,
    /// 1 to 5: one digit, so that every flat has the same length.
    pub bedrooms: u32,
    /// Reference to its list of mails.
    pub mail: String,
    /// Reference.
    pub visitors: String,
}

/// One element of a flat's list of mails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mail<'a> {
    /// Twelve hex digits.
    pub id: String,
    /// `payload_kb` kilobytes.
    pub text: &'a str,
}

impl Building {
    /// The root of an empty document.
    #[must_use]
    pub fn new(document: &str) -> Building {
        Building {
            id: document.to_owned(),
            flats: keys::flats_reference(document),
            visitors: keys::root_visitors_reference(document),
            mail: keys::root_mail_reference(document),
        }
    }

    /// From JSON.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(json: &[u8]) -> Result<Building, RequestError> {
        decode(json)
    }

    /// To JSON.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(self, 256)
    }
}

impl Flat {
    /// Flat `i` of a document.
    #[must_use]
    pub fn new(i: u32, document: &str, id: &str, bits: u64) -> Flat {
        Flat {
            i,
            json: FlatFields {
                id: id.to_owned(),
                bedrooms: (bits % 5) as u32 + 1,
                mail: keys::mail_reference(document, id),
                visitors: keys::visitors_reference(document, id),
            },
        }
    }

    /// From JSON.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(json: &[u8]) -> Result<Flat, RequestError> {
        decode(json)
    }

    /// Appends its JSON.
    pub fn encode(&self, json: &mut Vec<u8>) {
        append(self, json);
    }
}

impl Mail<'_> {
    /// To JSON.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(self, self.text.len() + 64)
    }
}

fn decode<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, RequestError> {
    serde_json::from_slice(json).map_err(|error| RequestError::unexpected(format!("broken document: {error}")))
}

fn encode(value: &impl Serialize, capacity: usize) -> Vec<u8> {
    let mut json = Vec::with_capacity(capacity);
    append(value, &mut json);
    json
}

fn append(value: &impl Serialize, json: &mut Vec<u8>) {
    // Writing to a Vec cannot fail, and these types have string keys only.
    let written = serde_json::to_writer(json, value);
    debug_assert!(written.is_ok());
}
