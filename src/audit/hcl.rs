//! The base images that a bake file in HCL replaces (docs.docker.com/build/bake/contexts):
//! `contexts = { base = "docker-image://IMAGE" }`. Only strings and the defaults of variables are
//! read; a bake file has no other place for an image.

use std::collections::BTreeMap;

use super::json::string_len;
use super::mention::{Found, Place};
use super::traced::Traced;
use super::variables::expand;

/// What begins the image of a context.
pub(super) const IMAGE_SCHEME: &str = "docker-image://";

/// Reads the images.
pub(super) fn read(text: &str) -> Vec<Found> {
    let strings = strings(text);
    let mut variables = BTreeMap::new();
    for pair in strings.windows(2) {
        let [(name, before, end), (value, between, _)] = pair else { continue };
        let is_default = text.get(*end..*between).is_some_and(|between| {
            let words: String = between.split_whitespace().collect();
            words.starts_with('{') && words.ends_with("default=") && !words.contains('}')
        });
        let is_variable =
            text.get(..*before).is_some_and(|before| before.trim_end().ends_with("variable"));
        if is_variable && is_default {
            variables.insert(name.as_str().to_owned(), value.clone());
        }
    }
    let images = strings.iter().filter_map(|(string, ..)| string.after(IMAGE_SCHEME));
    images
        .filter_map(|image| {
            let start = image.places().next()?.start;
            let span = start..start + image.as_str().len();
            let image = expand(&image, None, &|name| variables.get(name));
            Some(Found { place: Place::Bake, span, image, system: None, group: 0 })
        })
        .collect()
}

/// The strings of a text, each with the byte of its first quote and the one after its last.
fn strings(text: &str) -> Vec<(Traced, usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let len = if c == '"' {
            let len = string_len(rest);
            if let Some(inner) = rest.get(1..len.saturating_sub(1)) {
                found.push((Traced::written(inner, at + 1), at, at + len));
            }
            len
        } else if c == '#' || rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("<<") {
            heredoc_len(rest)
        } else {
            c.len_utf8()
        };
        at += len;
    }
    found
}

/// The bytes of `<<WORD` and the lines up to WORD.
fn heredoc_len(text: &str) -> usize {
    let word = text.trim_start_matches(['<', '-']).lines().next().unwrap_or_default().trim();
    let first = text.find('\n').map_or(text.len(), |end| end + 1);
    let mut at = first;
    for line in text[first..].split_inclusive('\n') {
        at += line.len();
        if line.trim() == word {
            return at;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_name_images() {
        let text = "# \"docker-image://no:1\"\nvariable \"TAG\" {\n  default = \"ltsc2019\"\n}\n\
                    target \"app\" {\n  contexts = {\n    base = \"docker-image://a/b:${TAG}\"\n\
                    src = \"../src\"\n  }\n  dockerfile-inline = <<EOT\nFROM \"docker-image://x\"\n\
                    EOT\n}\ntarget \"b\" { contexts = { c = \"docker-image://d:${NONE}\" } }\n";
        let found = read(text);
        let images: Vec<_> = found
            .iter()
            .map(|found| (&text[found.span.clone()], found.image.as_ref().map(Traced::as_str)))
            .collect();
        let none = "NONE".to_owned();
        assert_eq!(images, [("a/b:${TAG}", Ok("a/b:ltsc2019")), ("d:${NONE}", Err(&none))]);
        for text in ["\"", "<<", "/*", "variable \"a\" {", "\"\\"] {
            assert!(read(text).is_empty(), "{text}");
        }
    }
}
