//! JSON with comments, as dev containers have it, made readable as YAML.

/// The same text with comments, and tabs outside of strings, replaced by as many spaces, so that
/// all positions stay.
pub(super) fn without_comments(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (len, is_kept) = if c == '"' {
            (string_len(rest), true)
        } else if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), false)
        } else if rest.starts_with("/*") {
            (rest.find("*/").map_or(rest.len(), |end| end + 2), false)
        } else {
            (c.len_utf8(), c != '\t')
        };
        let (part, after) = rest.split_at(len);
        if is_kept {
            plain.push_str(part);
        } else {
            plain.extend(part.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        }
        rest = after;
    }
    plain
}

/// The bytes of the string at the start of a text, with its quotes.
pub(super) fn string_len(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_stay() {
        let text = "{ // é \"x\"\n\t\"a\": \"//b\\\"\", /* c\n */ \"d\": 1 }";
        let plain = without_comments(text);
        assert_eq!(plain.len(), text.len());
        assert_eq!(plain.find("\"//b\\\"\""), text.find("\"//b\\\"\""));
        assert_eq!(plain.find("\"d\""), text.find("\"d\""));
        assert!(!plain.contains('é') && !plain.contains('\t') && !plain.contains('c'), "{plain}");
    }
}
