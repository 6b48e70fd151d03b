//! The `WWW-Authenticate` header: the authentication schemes that a registry offers.
//!
//! The parser is ours because the crate `http-auth` rejects a whole header for one challenge with a
//! token68 (`Negotiate abc==, Bearer …`, valid by RFC 9110, section 11.3) or for a second space
//! after a scheme, and then there would be no way to authenticate at all.

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// The longest header that is read. Ours.
const MAX_HEADER_BYTES: usize = 4 << 10;

/// The number of headers that are read. Ours.
const MAX_HEADERS: usize = 4;

/// A challenge. Registries use only these two schemes; others are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// User name and password with each request (RFC 7617).
    Basic,
    /// A token from a token service (distribution, `docs/spec/auth/token.md`).
    Bearer {
        /// The URL of the token service, unchecked.
        realm: String,
        /// The name of the registry at the token service.
        service: Option<String>,
        /// The scope that the token must have.
        scope: Option<String>,
    },
}

/// All usable challenges of a response, in the order written. A header outside the grammar gives
/// none.
pub fn parse(headers: &HeaderMap) -> Vec<Challenge> {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .take(MAX_HEADERS)
        .filter(|value| value.len() <= MAX_HEADER_BYTES)
        .filter_map(|value| parse_header(value.to_str().ok()?))
        .flatten()
        .collect()
}

/// One scheme with its parameters, as written.
struct WrittenChallenge {
    scheme: String,
    parameters: Vec<(String, String)>,
}

/// Reads `scheme name=value, name="value", scheme …`. A comma separates parameters and challenges
/// alike; an element that starts with a word and no `=` starts a new challenge.
fn parse_header(header: &str) -> Option<Vec<Challenge>> {
    let mut written: Vec<WrittenChallenge> = Vec::new();
    for element in split_outside_quotes(header)? {
        let element = element.trim();
        if element.is_empty() {
            continue;
        }
        let word_end =
            element.find(|character: char| character == '=' || character.is_ascii_whitespace());
        let (word, rest) = element.split_at(word_end.unwrap_or(element.len()));
        let rest = rest.trim_start();
        let parameter = if rest.starts_with('=') {
            element
        } else {
            written.push(WrittenChallenge {
                scheme: word.to_ascii_lowercase(),
                parameters: Vec::new(),
            });
            rest
        };
        if let Some((name, value)) = parameter.split_once('=') {
            let challenge = written.last_mut()?;
            let name = name.trim().to_ascii_lowercase();
            if challenge.parameters.iter().any(|(known, _)| *known == name) {
                return None;
            }
            challenge.parameters.push((name, unquote(value.trim())));
        }
    }
    Some(written.into_iter().filter_map(understand).collect())
}

fn understand(written: WrittenChallenge) -> Option<Challenge> {
    let mut realm = None;
    let mut service = None;
    let mut scope = None;
    for (name, value) in written.parameters {
        match name.as_str() {
            "realm" => realm = Some(value),
            "service" => service = Some(value),
            "scope" => scope = Some(value),
            _ => {}
        }
    }
    match written.scheme.as_str() {
        "basic" => Some(Challenge::Basic),
        "bearer" => Some(Challenge::Bearer {
            realm: realm?,
            service,
            scope: scope.filter(|scope| !scope.is_empty()),
        }),
        _ => None,
    }
}

/// The elements between commas, but not those in quotes. `None` when a quote is left open.
fn split_outside_quotes(text: &str) -> Option<Vec<&str>> {
    let mut quoted = false;
    let mut escaped = false;
    let is_separator = |character| {
        if escaped {
            escaped = false;
            return false;
        }
        match character {
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            _ => {}
        }
        character == ',' && !quoted
    };
    let elements = text.split(is_separator).collect();
    (!quoted).then_some(elements)
}

/// The value of a quoted string, or the text itself.
fn unquote(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut value = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        value.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenges(values: &[&str]) -> Vec<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
        }
        parse(&headers)
    }

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        }
    }

    #[test]
    fn what_registries_send_is_read() {
        assert_eq!(
            challenges(&[
                "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",\
                 scope=\"repository:a/b:pull,push\""
            ]),
            [bearer(
                "https://auth.docker.io/token",
                Some("registry.docker.io"),
                Some("repository:a/b:pull,push")
            )]
        );
        assert_eq!(
            challenges(&[r#"Basic realm="Registry Realm", charset="UTF-8""#]),
            [Challenge::Basic]
        );
        assert_eq!(challenges(&["basic"]), [Challenge::Basic]);
        assert_eq!(
            challenges(&[r#"BEARER realm = "a\"b\\c" , scope="",error="insufficient_scope""#]),
            [bearer("a\"b\\c", None, None)]
        );
    }

    #[test]
    fn x05_several_challenges_are_read() {
        let both = [bearer("r", None, None), Challenge::Basic];
        assert_eq!(challenges(&[r#"Negotiate abc==, Bearer realm=r, Basic realm="x""#]), both);
        assert_eq!(challenges(&["Bearer realm=r", "Digest nonce=\"a, Basic\"", "Basic"]), both);
        assert_eq!(challenges(&[", ,Bearer realm=r,,Basic,"]), both);
    }

    #[test]
    fn what_is_not_in_the_grammar_gives_nothing() {
        for header in [
            "",
            ",",
            "=",
            "realm=\"x\"",
            "Bearer",
            "Bearer service=x",
            "Bearer realm=\"x",
            "Bearer realm=a, realm=b",
            "Bearer realm=\"x\\",
            "\"",
            "\\",
        ] {
            assert_eq!(challenges(&[header]), [], "{header:?}");
        }
        assert_eq!(challenges(&[&format!("Basic realm=\"{}\"", "x".repeat(5000))]), []);
        assert_eq!(challenges(&["Digest"; 50]), []);
    }
}
