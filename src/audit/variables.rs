//! Variables in image references: `$NAME`, `${NAME}`, `${NAME:-default}` and their relatives, which
//! Dockerfiles, Compose files and GitLab CI share.

use super::traced::Traced;

/// How deep defaults hold further variables. Ours: real files have one level.
const MAX_DEPTH: usize = 4;
/// The longest result, in bytes. Ours: an image reference has at most 512.
const MAX_RESULT_BYTES: usize = 2048;

/// Replaces the variables of a text.
///
/// # Errors
/// The name of the variable that has no value, or the text of a form that is not known.
pub(super) fn expand<'v>(
    text: &Traced,
    escape: Option<char>,
    value_of: &dyn Fn(&str) -> Option<&'v Traced>,
) -> Result<Traced, String> {
    expand_at(text, escape, value_of, 0)
}

fn expand_at<'v>(
    text: &Traced,
    escape: Option<char>,
    value_of: &dyn Fn(&str) -> Option<&'v Traced>,
    depth: usize,
) -> Result<Traced, String> {
    let written = text.as_str();
    if depth > MAX_DEPTH {
        return Err(written.to_owned());
    }
    let mut result = Traced::default();
    let mut at = 0;
    while let Some(found) = written[at..].find(|c| c == '$' || Some(c) == escape) {
        let sign = at + found;
        result.push(&text.slice(at..sign));
        let rest = &written[sign..];
        let first_len = rest.chars().next().map_or(1, char::len_utf8);
        let after = &rest[first_len..];
        if !rest.starts_with('$') {
            // The next character stands for itself.
            let next = after.chars().next().map_or(0, char::len_utf8);
            result.push(&text.slice(sign + first_len..sign + first_len + next));
            at = sign + first_len + next;
        } else if after.starts_with('$') {
            result.push(&Traced::unwritten("$"));
            at = sign + 2;
        } else if after.starts_with('{') {
            let inner_start = sign + 2;
            let len = closing_brace(&written[inner_start..]).ok_or_else(|| rest.to_owned())?;
            let inner = text.slice(inner_start..inner_start + len);
            result.push(&expand_braces(&inner, escape, value_of, depth)?);
            at = inner_start + len + 1;
        } else {
            let len = name_len(after);
            let name = &after[..len];
            if name.is_empty() {
                result.push(&text.slice(sign..sign + 1));
            } else {
                result.push(value_of(name).ok_or_else(|| name.to_owned())?);
            }
            at = sign + 1 + len;
        }
        if result.as_str().len() > MAX_RESULT_BYTES {
            return Err(written.chars().take(MAX_RESULT_BYTES).collect());
        }
    }
    result.push(&text.slice(at..written.len()));
    Ok(result)
}

/// The inside of `${…}`.
fn expand_braces<'v>(
    inner: &Traced,
    escape: Option<char>,
    value_of: &dyn Fn(&str) -> Option<&'v Traced>,
    depth: usize,
) -> Result<Traced, String> {
    let text = inner.as_str();
    let (name, form) = text.split_at(name_len(text));
    let value = value_of(name);
    let set = value.filter(|value| !value.as_str().is_empty());
    let word = |sign: &str| {
        let word = inner.after(&format!("{name}{sign}")).unwrap_or_default();
        expand_at(&word, escape, value_of, depth + 1)
    };
    let sign: String = form.chars().take_while(|c| ":-+?".contains(*c)).take(2).collect();
    match (sign.as_str(), value, set) {
        _ if name.is_empty() => Err(text.to_owned()),
        ("", Some(value), _) if form.is_empty() => Ok(value.clone()),
        (":-" | ":?", _, Some(value)) | ("-" | "?", Some(value), _) => Ok(value.clone()),
        (":-" | "-", ..) => word(&sign),
        (":+", _, Some(_)) | ("+", Some(_), _) => word(&sign),
        (":+" | "+", ..) => Ok(Traced::default()),
        _ => Err(name.to_owned()),
    }
}

/// The bytes before the brace that closes, with those inside counted.
fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' if open == 0 => return Some(at),
            b'}' => open -= 1,
            _ => {}
        }
    }
    None
}

fn name_len(text: &str) -> usize {
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_as_in_a_shell() {
        let (tag, empty) = (Traced::written("1809", 50), Traced::unwritten(""));
        let value_of = |name: &str| match name {
            "TAG" => Some(&tag),
            "EMPTY" => Some(&empty),
            _ => None,
        };
        let read = |text: &str| {
            let text = Traced::written(text, 0);
            expand(&text, Some('\\'), &value_of).map(|text| text.as_str().to_owned())
        };
        for (text, expected) in [
            ("a:$TAG", Ok("a:1809")),
            ("a:${TAG}-x", Ok("a:1809-x")),
            ("a:${NONE:-b}", Ok("a:b")),
            ("a:${EMPTY:-b}", Ok("a:b")),
            ("a:${EMPTY-b}", Ok("a:")),
            ("a:${NONE:-${TAG}}", Ok("a:1809")),
            ("a:${TAG:+x}${NONE:+y}", Ok("a:x")),
            ("a:$$TAG", Ok("a:$TAG")),
            ("a:\\$TAG", Ok("a:$TAG")),
            ("a:${NONE}", Err("NONE")),
            ("a:$NONE", Err("NONE")),
            ("a:${TAG#x}", Err("TAG")),
            ("a:${TAG", Err("${TAG")),
            ("a:${{ matrix.tag }}", Err("{ matrix.tag }")),
            ("é$", Ok("é$")),
        ] {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(read(text), expected, "{text}");
        }
        let made = expand(&Traced::written("a:${TAG}", 0), None, &value_of);
        let edit = made.expect("it has a value").edit("a:1803").expect("the value is written");
        assert_eq!((edit.start, edit.text.as_str()), (50, "1803"));
    }
}
