//! SVG as text: elements that are well-formed whatever stands in them.

use std::fmt::{Display, Formatter, Result, Write as _};

use crate::export::html::visible;

/// An element with its children.
#[derive(Debug, Clone)]
pub(super) struct Element {
    name: &'static str,
    attributes: String,
    content: String,
}

impl Element {
    pub(super) fn new(name: &'static str) -> Element {
        Element { name, attributes: String::new(), content: String::new() }
    }

    /// A group of `children`.
    pub(super) fn group(class: &str, children: impl IntoIterator<Item = Element>) -> Element {
        Element::new("g").set("class", class).all(children)
    }

    /// Text whose baseline begins (or, by its class, ends or has its middle) at this place.
    pub(super) fn label(class: &str, x: f64, y: f64, text: &str) -> Element {
        Element::new("text").set("class", class).number("x", x).number("y", y).text(text)
    }

    pub(super) fn rectangle(class: &str, x: f64, y: f64, width: f64, height: f64) -> Element {
        let size = |value: f64| value.max(0.0);
        let at = Element::new("rect").set("class", class).number("x", x).number("y", y);
        at.number("width", size(width)).number("height", size(height))
    }

    pub(super) fn straight(class: &str, from: (f64, f64), to: (f64, f64)) -> Element {
        let start = Element::new("line").set("class", class).number("x1", from.0).number("y1", from.1);
        start.number("x2", to.0).number("y2", to.1)
    }

    pub(super) fn path(class: &str, d: &str) -> Element {
        Element::new("path").set("class", class).set("d", d)
    }

    pub(super) fn set(mut self, key: &str, value: &str) -> Element {
        // Writing to a String cannot fail.
        let _ = write!(self.attributes, " {key}=\"{}\"", escaped(value));
        self
    }

    pub(super) fn number(self, key: &str, value: f64) -> Element {
        self.set(key, &short(value))
    }

    pub(super) fn with(mut self, child: &Element) -> Element {
        let _ = write!(self.content, "{child}");
        self
    }

    pub(super) fn all(self, children: impl IntoIterator<Item = Element>) -> Element {
        children.into_iter().fold(self, |parent, child| parent.with(&child))
    }

    pub(super) fn text(mut self, text: &str) -> Element {
        self.content.push_str(&escaped(text));
        self
    }

    /// Says `tip` when it is pointed at; `lines` are its lines.
    pub(super) fn hint(self, tip: &str) -> Element {
        self.set("data-tip", tip).with(&Element::new("title").text(tip))
    }

    /// As [`Element::hint`], and reached by the keyboard.
    pub(super) fn tip(self, tip: &str) -> Element {
        self.set("tabindex", "0").hint(tip)
    }
}

impl Display for Element {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Element { name, attributes, content } = self;
        if content.is_empty() {
            return write!(f, "<{name}{attributes}/>");
        }
        write!(f, "<{name}{attributes}>{content}</{name}>")
    }
}

/// A tenth of a unit of the drawing is as fine as anybody sees.
pub(super) fn short(value: f64) -> String {
    let text = format!("{:.1}", if value.is_finite() { value } else { 0.0 });
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// `text` as content or attribute, with what XML does not know, or would hide something, written out.
fn escaped(text: &str) -> String {
    let text = visible(text);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Else a parser would make spaces of them.
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Mean width of a character of a wide sans-serif, in ems.
const CHARACTER: f64 = 0.57;

/// About how wide `text` is at this font size.
pub(super) fn width_of(text: &str, font_size: f64) -> f64 {
    CHARACTER * font_size * text.chars().count() as f64
}

/// `text`, cut so that it is about `width` wide at most.
pub(super) fn fitting(text: &str, font_size: f64, width: f64) -> String {
    if width_of(text, font_size) <= width {
        return text.to_owned();
    }
    let room = (width / (CHARACTER * font_size)).floor() as usize;
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

/// A path through `points`, with gaps where there are none. A point between two gaps is a dot by round line ends.
pub(super) fn line(points: &[Option<(f64, f64)>]) -> String {
    let mut d = String::new();
    let mut drawing = false;
    for (i, point) in points.iter().enumerate() {
        let Some((x, y)) = point else {
            drawing = false;
            continue;
        };
        let alone = !drawing && points.get(i + 1).is_none_or(Option::is_none);
        let _ = write!(d, "{}{} {}", if drawing { 'L' } else { 'M' }, short(*x), short(*y));
        d.push_str(if alone { "h0" } else { "" });
        drawing = true;
    }
    d
}

/// Closed areas between `(x, low, high)`, one for each stretch without gap.
pub(super) fn band(points: &[Option<(f64, f64, f64)>]) -> String {
    let mut d = String::new();
    for stretch in points.split(Option::is_none) {
        let there = stretch.iter().flatten().map(|&(x, _, high)| (x, high));
        let back = stretch.iter().flatten().rev().map(|&(x, low, _)| (x, low));
        for (i, (x, y)) in there.chain(back).enumerate() {
            let _ = write!(d, "{}{} {}", if i == 0 { 'M' } else { 'L' }, short(x), short(y));
        }
        d.push_str(if stretch.is_empty() { "" } else { "Z" });
    }
    d
}

#[cfg(test)]
mod tests {
    use super::{Element, band, fitting, line, short};

    #[test]
    fn whatever_is_named_stays_text() {
        let hostile = "<script>alert(\"1\")</script>&'\u{0}\n";
        let element = Element::new("g").set("data-tip", hostile).with(&Element::new("text").text(hostile));
        let text = element.to_string();
        assert!(!text.contains("<script"), "{text}");
        let document = roxmltree::Document::parse(&text).unwrap();
        let expected = hostile.replace('\u{0}', "\\u{0}");
        assert_eq!(document.root_element().attribute("data-tip"), Some(expected.as_str()));
        assert_eq!(document.root_element().first_element_child().unwrap().text(), Some(expected.as_str()));
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [(1.0, "1"), (1.26, "1.3"), (-0.01, "0"), (12.04, "12"), (f64::NAN, "0")] {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn paths_have_gaps() {
        assert_eq!(line(&[Some((0.0, 1.0)), Some((1.0, 2.0)), None, Some((3.0, 4.0)), None]), "M0 1L1 2M3 4h0");
        assert_eq!(line(&[None, None]), "");
        assert_eq!(band(&[Some((0.0, 1.0, 2.0)), Some((1.0, 1.0, 3.0)), None]), "M0 2L1 3L1 1L0 1Z");
    }

    #[test]
    fn long_names_are_cut() {
        assert_eq!(fitting("threads", 10.0, 100.0), "threads");
        assert_eq!(fitting("threads-with-a-name", 10.0, 57.5), "threads-w…");
    }
}
