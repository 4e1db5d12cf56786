//! Just enough of HTML to check a page that we write ourselves: every element is closed in order.

use std::collections::BTreeMap;

const VOID: [&str; 6] = ["meta", "link", "br", "img", "input", "hr"];
/// Their contents are no markup.
const RAW: [&str; 2] = ["script", "style"];

/// An element, with what it is within.
#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: BTreeMap<String, String>,
    /// Of itself and everything within.
    pub(crate) text: String,
    pub(crate) within: Vec<String>,
}

impl Element {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

/// All elements of `html`, in the order in which they end.
#[track_caller]
pub(crate) fn elements(html: &str) -> Vec<Element> {
    let mut rest = html.strip_prefix("<!doctype html>").unwrap();
    let mut open: Vec<Element> = Vec::new();
    let mut all = Vec::new();
    while !rest.is_empty() {
        if let Some(raw) = open.last().filter(|element| RAW.contains(&element.name.as_str())) {
            let end = rest.find(&format!("</{}>", raw.name)).unwrap();
            open.last_mut().unwrap().text.push_str(&rest[..end]);
            rest = &rest[end..];
        }
        let Some(tag) = rest.strip_prefix('<') else {
            let end = rest.find('<').unwrap_or(rest.len());
            let text = decoded(&rest[..end]);
            open.iter_mut().for_each(|element| element.text.push_str(&text));
            rest = &rest[end..];
            continue;
        };
        let end = end_of(tag);
        rest = &tag[end + 1..];
        let tag = &tag[..end];
        if let Some(name) = tag.strip_prefix('/') {
            let element = open.pop().unwrap_or_else(|| panic!("</{name}> closes nothing"));
            assert_eq!(element.name, name, "closed out of order, within {:?}", element.within);
            all.push(element);
            continue;
        }
        let within = open.iter().map(|element| element.name.clone()).collect();
        let (name, attributes, closed) = opened(tag);
        let element = Element { attributes, text: String::new(), within, name };
        if closed || VOID.contains(&element.name.as_str()) { all.push(element) } else { open.push(element) }
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    all
}

/// Where the tag ends: the first `>` outside of quotes.
fn end_of(tag: &str) -> usize {
    let mut quoted = false;
    tag.find(|c| {
        quoted ^= c == '"';
        c == '>' && !quoted
    })
    .unwrap_or_else(|| panic!("a tag without end: {tag:.80}"))
}

fn opened(tag: &str) -> (String, BTreeMap<String, String>, bool) {
    let closed = tag.ends_with('/');
    let tag = tag.trim_end_matches('/').trim_end();
    let (name, mut rest) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
    assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "a tag called {name:?}");
    let mut attributes = BTreeMap::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return (name.to_owned(), attributes, closed);
        }
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let key = &rest[..end];
        rest = &rest[end..];
        let mut value = "";
        if let Some(quoted) = rest.strip_prefix('=') {
            let quoted = quoted.strip_prefix('"').unwrap_or_else(|| panic!("{key} of <{name}> is not quoted"));
            let end = quoted.find('"').unwrap();
            (value, rest) = (&quoted[..end], &quoted[end + 1..]);
        }
        assert!(attributes.insert(key.to_owned(), decoded(value)).is_none(), "{key} twice in <{name}>");
    }
}

fn decoded(text: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&#39;", "'"), ("&#x2f;", "/"), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}
