//! Documents in any JSON with the right fields: what somebody else wrote, in another order, with spaces.

use std::borrow::Cow;

use serde::Deserialize;

use super::cursor::Cursor;
use super::model::{Building, Container, Flat, Options, Reference, path};
use crate::keys::{DocumentId, FlatId};
use crate::request::RequestError;

#[derive(Deserialize)]
struct BuildingJson<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    flats: Cow<'a, str>,
    #[serde(borrow)]
    visitors: Cow<'a, str>,
    #[serde(borrow)]
    mail: Cow<'a, str>,
}

#[derive(Deserialize)]
struct FlatJson<'a> {
    i: u32,
    #[serde(borrow)]
    json: FieldsJson<'a>,
}

#[derive(Deserialize)]
struct FieldsJson<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    bedrooms: u32,
    #[serde(borrow)]
    mail: Cow<'a, str>,
    #[serde(borrow)]
    visitors: Cow<'a, str>,
}

#[derive(Deserialize)]
struct OptionsJson<'a> {
    #[serde(borrow, rename = "type")]
    container: Cow<'a, str>,
    #[serde(default)]
    lazy: bool,
    #[serde(default)]
    append: bool,
}

pub(super) fn building(json: &[u8]) -> Result<Building, RequestError> {
    let root: BuildingJson<'_> = parse(json)?;
    Ok(Building {
        id: document_id(&root.id)?,
        flats: reference(&root.flats)?,
        visitors: reference(&root.visitors)?,
        mail: reference(&root.mail)?,
    })
}

pub(super) fn flat(json: &[u8]) -> Result<Flat, RequestError> {
    let FlatJson { i, json } = parse(json)?;
    Ok(Flat {
        i,
        id: flat_id(&json.id)?,
        bedrooms: json.bedrooms,
        mail: reference(&json.mail)?,
        visitors: reference(&json.visitors)?,
    })
}

fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, RequestError> {
    serde_json::from_slice(json).map_err(|error| broken(&error.to_string()))
}

fn broken(what: &str) -> RequestError {
    RequestError::unexpected(format!("broken document: {what}"))
}

fn document_id(text: &str) -> Result<DocumentId, RequestError> {
    let mut cursor = Cursor::new(text.as_bytes());
    cursor.digits().and_then(|id| cursor.end(id)).ok_or_else(|| broken("an id that is no number"))
}

fn flat_id(text: &str) -> Result<FlatId, RequestError> {
    let mut cursor = Cursor::new(text.as_bytes());
    cursor.hex().and_then(|id| cursor.end(id)).ok_or_else(|| broken("an id of a flat that is not twelve hex digits"))
}

fn reference(text: &str) -> Result<Reference, RequestError> {
    let mut cursor = Cursor::new(text.as_bytes());
    let (document, flat, part) = path(&mut cursor).ok_or_else(|| broken("a reference to nothing known"))?;
    let options: OptionsJson<'_> = parse(cursor.rest())?;
    let container = Container::ALL.into_iter().find(|container| container.name() == options.container);
    let container = container.ok_or_else(|| broken("a collection of an unknown type"))?;
    let options = Options { container, lazy: options.lazy, append: options.append };
    Ok(Reference { document, flat, part, options })
}
