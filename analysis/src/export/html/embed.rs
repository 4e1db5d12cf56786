//! JSON inside of a `<script>`: text that no HTML parser can take for an end of it.

/// `json` with every `<`, `>` and `&`, and the two line ends that older scripts do not allow, as `\u` escapes. Outside of
/// strings JSON has none of them, and the writer of `comparison.json` never makes such escapes by itself, so that what the
/// page gives back is the same file byte for byte.
pub(super) fn script_safe(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::script_safe;

    #[test]
    fn nothing_ends_the_script() {
        assert_eq!(script_safe(r#"["</script><!--"]"#), r#"["\u003c/script\u003e\u003c!--"]"#);
        assert_eq!(script_safe("[\"a\u{2028}&\u{2029}\"]"), r#"["a\u2028\u0026\u2029"]"#);
    }

    proptest! {
        #[test]
        fn the_value_stays_the_same(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            let safe = script_safe(&json);
            assert!(!safe.contains(['<', '>', '&', '\u{2028}', '\u{2029}']));
            assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
        }
    }
}
