//! Text on the page: HTML is escaped, and what could reorder or hide what stands around it is made visible.

use std::borrow::Cow;

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, Output, State, escape_formatter};

/// How templates write values: [`visible`] text, escaped.
pub(super) fn formatter(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) if value.kind() == ValueKind::String && !value.is_safe() => {
            escape_formatter(out, state, &Value::from(visible(text).into_owned()))
        }
        _ => escape_formatter(out, state, value),
    }
}

/// `text` with control and format characters written out, such as `\u{202e}`, which would turn the text behind it around.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_invisible) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_invisible(c) {
            out.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Controls but tabs and line ends; joiners, marks and overrides of direction; line and paragraph separators.
fn is_invisible(c: char) -> bool {
    match c {
        '\t' | '\n' => false,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' => true,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        _ => c.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn overrides_are_written_out() {
        assert_eq!(visible("fast\u{202e}wols\u{0}"), "fast\\u{202e}wols\\u{0}");
        assert_eq!(visible("two\nlines\tof ‘text’"), "two\nlines\tof ‘text’");
    }
}
