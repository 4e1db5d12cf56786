//! Text out of files on its way to people: a name may hold anything, and a terminal obeys what it is told.

/// `text` without anything that a terminal would obey: control characters, line breaks included, and those that turn the
/// direction of writing stand there as `\u{1b}`.
#[must_use]
pub fn line(text: &str) -> String {
    escaped(text, |_| false)
}

/// The same of text that has lines.
#[must_use]
pub fn lines(text: &str) -> String {
    escaped(text, |c| c == '\n')
}

/// JSON text that was written by serde: what it leaves as it is in strings is escaped as JSON has it.
#[must_use]
pub fn json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_obeyed(c) && c != '\n' { safe.push_str(&format!("\\u{:04x}", u32::from(c))) } else { safe.push(c) }
    }
    safe
}

/// `text` as Markdown that looks like it: no markup, no HTML, no links.
#[must_use]
pub fn markdown(text: &str) -> String {
    let text = line(text);
    let mut safe = String::with_capacity(text.len());
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let next = rest.peek().copied().unwrap_or(' ');
        match c {
            '<' => safe.push_str("&lt;"),
            '&' => safe.push_str("&amp;"),
            '\\' | '`' | '*' | '|' | '~' => safe.extend(['\\', c]),
            // Within a word it is a letter.
            '_' if !(before.is_alphanumeric() && next.is_alphanumeric()) => safe.push_str("\\_"),
            ']' if "([:".contains(next) => safe.push_str("\\]"),
            c => safe.push(c),
        }
        before = c;
    }
    safe
}

fn escaped(text: &str, kept: impl Fn(char) -> bool) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_obeyed(c) && !kept(c) { safe.extend(c.escape_unicode()) } else { safe.push(c) }
    }
    safe
}

/// Control characters of both sets, and what reorders text (Boucher, Anderson 2021, *Trojan Source*).
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::{json, line, lines, markdown};

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        for (text, safe) in [
            ("response p99 µs", "response p99 µs"),
            ("\u{1b}[2Jx", "\\u{1b}[2Jx"),
            ("a\nb\tc\r", "a\\u{a}b\\u{9}c\\u{d}"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}"),
            ("\u{202e}txt.exe", "\\u{202e}txt.exe"),
        ] {
            assert_eq!(line(text), safe);
        }
        assert_eq!(lines("a\n\u{1b}b\n"), "a\n\\u{1b}b\n");
    }

    #[test]
    fn json_stays_what_it_was() {
        let value = serde_json::json!({"name": "\u{1b}[2J\u{9b}\u{7f}\u{202e}\n"});
        let text = json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!text.chars().any(|c| c.is_control() && c != '\n') && !text.contains('\u{202e}'), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn markdown_is_only_text() {
        for (text, safe) in [
            ("load.rate_per_s = 800", "load.rate_per_s = 800"),
            ("0.849 [0.819, 0.876]", "0.849 [0.819, 0.876]"),
            ("<script>alert(1)</script>", "&lt;script>alert(1)&lt;/script>"),
            ("[x](http://y) ![i](z)", "[x\\](http://y) ![i\\](z)"),
            ("a|b `c` *d* __e__", "a\\|b \\`c\\` \\*d\\* \\_\\_e\\_\\_"),
            ("&lt;", "&amp;lt;"),
        ] {
            assert_eq!(markdown(text), safe);
        }
    }
}
