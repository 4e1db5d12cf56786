//! The typed values of a document and their JSON, byte for byte the original's.
//!
//! A document of 100 flats is decoded and encoded in every task, so both are written out here: every field is parsed
//! into its type and written from it, without an allocation. What does not look exactly as this module writes it is
//! handed to [`lenient`](super::lenient), which understands any JSON with these fields.

use super::cursor::Cursor;
use super::lenient;
use crate::buffer::Buffer;
use crate::keys::{DocumentId, FlatId};
use crate::request::RequestError;

/// The root: references to what belongs to a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Building {
    /// Decimal digits.
    pub id: DocumentId,
    /// The hash of flats.
    pub flats: Reference,
    /// The hash of visitors.
    pub visitors: Reference,
    /// The list of mails.
    pub mail: Reference,
}

/// A flat as it stands in its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flat {
    /// Its place in the list.
    pub i: u32,
    /// The field in the hash.
    pub id: FlatId,
    /// 1 to 5: one digit, so that every flat has the same length.
    pub bedrooms: u32,
    /// Its list of mails.
    pub mail: Reference,
    /// Its hash of visitors.
    pub visitors: Reference,
}

/// One element of a flat's list of mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mail<'a> {
    /// Twelve hex digits.
    pub id: FlatId,
    /// `payload_kb` kilobytes of characters that JSON need not escape.
    pub text: &'a str,
}

/// A collection that belongs to a document or to one of its flats: in JSON a string of the collection's key without
/// its prefix, a space, and the options in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// Whose document.
    pub document: DocumentId,
    /// Which flat of it; `None`: the document itself.
    pub flat: Option<FlatId>,
    /// Which of the collections.
    pub part: Part,
    /// What it is.
    pub options: Options,
}

/// Which collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The flats of a document.
    Flats,
    /// Who came by.
    Visitors,
    /// What was written.
    Mail,
}

/// What a collection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How Redis stores it.
    pub container: Container,
    /// Not read with its owner.
    pub lazy: bool,
    /// Written by appending.
    pub append: bool,
}

/// How Redis stores a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// `hash`
    Hash,
    /// `list`
    List,
}

impl Part {
    /// Every part.
    pub const ALL: [Part; 3] = [Part::Flats, Part::Visitors, Part::Mail];

    /// The last word of its key.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Part::Flats => "flats",
            Part::Visitors => "visitors",
            Part::Mail => "mail",
        }
    }

    /// What it is in this data model.
    fn options(self) -> Options {
        match self {
            Part::Flats => Options { container: Container::Hash, lazy: false, append: false },
            Part::Visitors => Options { container: Container::Hash, lazy: true, append: false },
            Part::Mail => Options { container: Container::List, lazy: true, append: true },
        }
    }
}

impl Container {
    /// Every container.
    pub const ALL: [Container; 2] = [Container::Hash, Container::List];

    /// As `type` says it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Container::Hash => "hash",
            Container::List => "list",
        }
    }
}

impl Building {
    /// The root of an empty document.
    #[must_use]
    pub fn new(id: DocumentId) -> Building {
        let reference = |part: Part| Reference { document: id, flat: None, part, options: part.options() };
        Building { id, flats: reference(Part::Flats), visitors: reference(Part::Visitors), mail: reference(Part::Mail) }
    }

    /// From JSON.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(json: &[u8]) -> Result<Building, RequestError> {
        Building::canonical(&mut Cursor::new(json)).map_or_else(|| lenient::building(json), Ok)
    }

    fn canonical(json: &mut Cursor<'_>) -> Option<Building> {
        json.literal(b"{\"id\":\"")?;
        let id = json.digits()?;
        json.literal(b"\",\"flats\":\"")?;
        let flats = Reference::canonical(json)?;
        json.literal(b"\",\"visitors\":\"")?;
        let visitors = Reference::canonical(json)?;
        json.literal(b"\",\"mail\":\"")?;
        let mail = Reference::canonical(json)?;
        json.literal(b"\"}")?;
        json.end(Building { id, flats, visitors, mail })
    }

    /// Appends its JSON.
    pub fn encode(&self, json: &mut Buffer) {
        json.extend(b"{\"id\":\"");
        json.extend(&self.id);
        json.extend(b"\",\"flats\":\"");
        self.flats.encode(json);
        json.extend(b"\",\"visitors\":\"");
        self.visitors.encode(json);
        json.extend(b"\",\"mail\":\"");
        self.mail.encode(json);
        json.extend(b"\"}");
    }
}

impl Flat {
    /// Flat `i` of a document.
    #[must_use]
    pub fn new(i: u32, document: DocumentId, id: FlatId, bits: u64) -> Flat {
        let reference = |part: Part| Reference { document, flat: Some(id), part, options: part.options() };
        Flat {
            i,
            id,
            bedrooms: (bits % 5) as u32 + 1,
            mail: reference(Part::Mail),
            visitors: reference(Part::Visitors),
        }
    }

    /// From JSON.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(json: &[u8]) -> Result<Flat, RequestError> {
        Flat::canonical(&mut Cursor::new(json)).map_or_else(|| lenient::flat(json), Ok)
    }

    fn canonical(json: &mut Cursor<'_>) -> Option<Flat> {
        json.literal(b"{\"i\":")?;
        let i = json.number()?;
        json.literal(b",\"json\":{\"id\":\"")?;
        let id = json.hex()?;
        json.literal(b"\",\"bedrooms\":")?;
        let bedrooms = json.number()?;
        json.literal(b",\"mail\":\"")?;
        let mail = Reference::canonical(json)?;
        json.literal(b"\",\"visitors\":\"")?;
        let visitors = Reference::canonical(json)?;
        json.literal(b"\"}}")?;
        json.end(Flat { i, id, bedrooms, mail, visitors })
    }

    /// Appends its JSON.
    pub fn encode(&self, json: &mut Buffer) {
        json.extend(b"{\"i\":");
        json.extend(itoa::Buffer::new().format(self.i).as_bytes());
        json.extend(b",\"json\":{\"id\":\"");
        json.extend(&self.id);
        json.extend(b"\",\"bedrooms\":");
        json.extend(itoa::Buffer::new().format(self.bedrooms).as_bytes());
        json.extend(b",\"mail\":\"");
        self.mail.encode(json);
        json.extend(b"\",\"visitors\":\"");
        self.visitors.encode(json);
        json.extend(b"\"}}");
    }
}

impl Mail<'_> {
    /// Appends its JSON.
    pub fn encode(&self, json: &mut Buffer) {
        json.extend(b"{\"id\":\"");
        json.extend(&self.id);
        json.extend(b"\",\"text\":\"");
        json.extend(self.text.as_bytes());
        json.extend(b"\"}");
    }
}

impl Reference {
    /// The inside of a JSON string, where the quotes of the options are escaped.
    fn canonical(json: &mut Cursor<'_>) -> Option<Reference> {
        let (document, flat, part) = path(json)?;
        json.literal(b" {\\\"type\\\":\\\"")?;
        let container = json.one_of(Container::ALL, Container::name)?;
        json.literal(b"\\\"")?;
        let lazy = json.literal(b",\\\"lazy\\\":true").is_some();
        let append = json.literal(b",\\\"append\\\":true").is_some();
        json.literal(b"}")?;
        Some(Reference { document, flat, part, options: Options { container, lazy, append } })
    }

    fn encode(&self, json: &mut Buffer) {
        json.extend(b"building:");
        json.extend(&self.document);
        if let Some(flat) = &self.flat {
            json.extend(b":flats:");
            json.extend(flat);
        }
        json.extend(b":");
        json.extend(self.part.name().as_bytes());
        json.extend(b" {\\\"type\\\":\\\"");
        json.extend(self.options.container.name().as_bytes());
        json.extend(b"\\\"");
        if self.options.lazy {
            json.extend(b",\\\"lazy\\\":true");
        }
        if self.options.append {
            json.extend(b",\\\"append\\\":true");
        }
        json.extend(b"}");
    }
}

/// The key of a collection without its prefix.
pub(super) fn path(text: &mut Cursor<'_>) -> Option<(DocumentId, Option<FlatId>, Part)> {
    text.literal(b"building:")?;
    let document = text.digits()?;
    text.literal(b":")?;
    let flat = match text.literal(b"flats:") {
        Some(()) => Some(text.hex()?),
        None => None,
    };
    if flat.is_some() {
        text.literal(b":")?;
    }
    Some((document, flat, text.one_of(Part::ALL, Part::name)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::{Building, Flat, Mail, lenient};
    use crate::buffer::Buffer;
    use crate::keys;

    fn json(encode: impl FnOnce(&mut Buffer)) -> Vec<u8> {
        let mut buffer = Buffer::take();
        encode(&mut buffer);
        buffer.contents().to_vec()
    }

    proptest! {
        /// What is written is read again, by the short way and by the long one, and is JSON to everybody else.
        #[test]
        fn flats_and_roots_survive(i in any::<u32>(), worker in any::<u32>(), bits in any::<u64>()) {
            let flat = Flat::new(i, keys::document_id(worker), keys::flat_id(bits), bits);
            let text = json(|json| flat.encode(json));
            prop_assert_eq!(Flat::canonical(&mut super::Cursor::new(&text)), Some(flat));
            prop_assert_eq!(lenient::flat(&text), Ok(flat));
            let root = Building::new(keys::document_id(worker));
            let text = json(|json| root.encode(json));
            prop_assert_eq!(Building::canonical(&mut super::Cursor::new(&text)), Some(root));
            prop_assert_eq!(lenient::building(&text), Ok(root));
            let mail = json(|json| Mail { id: keys::flat_id(bits), text: "Ab3 ." }.encode(json));
            let mail: serde_json::Value = serde_json::from_slice(&mail).unwrap();
            prop_assert_eq!(mail["text"].as_str(), Some("Ab3 ."));
        }
    }

    #[test]
    fn another_order_and_more_space_are_understood_and_nonsense_is_not() {
        let flat = Flat::new(3, keys::document_id(0), *b"899ab2027227", 1);
        let other = br#" {"json": {"visitors": "building:10000:flats:899ab2027227:visitors {\"lazy\": true, \"type\": \"hash\"}",
            "mail": "building:10000:flats:899ab2027227:mail {\"append\":true,\"lazy\":true,\"type\":\"list\"}",
            "bedrooms": 2, "id": "899ab2027227", "balcony": true}, "i": 3}"#;
        assert_eq!(Flat::decode(other), Ok(flat));
        for nonsense in ["", "{}", "[1]", r#"{"i":0,"json":{"id":"x","bedrooms":1,"mail":"a","visitors":"b"}}"#] {
            let error = Flat::decode(nonsense.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("broken document"), "{error}");
        }
    }
}
