//! Feeds in the Atom format (RFC 4287), which feed readers and chats follow.

use jiff::Timestamp;

use super::xml::Escaped;
use crate::images::Digest;

/// A feed.
#[derive(Clone, Debug)]
pub struct AtomFeed {
    /// What it is about.
    pub title: String,
    /// Its address, which may be relative.
    pub address: String,
    /// When it changed last.
    pub updated: Timestamp,
    /// Its entries, the newest first.
    pub entries: Vec<AtomEntry>,
}

/// An entry of a feed.
#[derive(Clone, Debug)]
pub struct AtomEntry {
    /// What makes it another entry than all others, for good.
    pub key: String,
    /// What happened.
    pub title: String,
    /// When that was seen first.
    pub updated: Timestamp,
    /// The details.
    pub text: String,
}

impl AtomFeed {
    /// The feed as a document.
    pub fn document(&self) -> String {
        let Self { title, address, updated, .. } = self;
        let mut document = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed \
             xmlns=\"http://www.w3.org/2005/Atom\" \
             xml:lang=\"en\">\n<id>{}</id>\n<title>{}</title>\n<updated>{}</updated>\n<author>\
             <name>wintag</name></author>\n<link rel=\"self\" type=\"application/atom+xml\" \
             href=\"{}\"/>\n",
            id(title),
            Escaped(title),
            seconds(*updated),
            Escaped(address),
        );
        for AtomEntry { key, title, updated, text } in &self.entries {
            document += &format!(
                "<entry>\n<id>{}</id>\n<title>{}</title>\n<updated>{}</updated>\n<content \
                 type=\"text\">{}</content>\n</entry>\n",
                id(key),
                Escaped(title),
                seconds(*updated),
                Escaped(text),
            );
        }
        document + "</feed>\n"
    }
}

fn seconds(moment: Timestamp) -> Timestamp {
    moment.round(jiff::Unit::Second).unwrap_or(moment)
}

/// A permanent identifier made of a text: a UUID of version 8 (RFC 9562, 5.8) from its hash.
fn id(text: &str) -> String {
    let digest = Digest::of(text.as_bytes());
    let part = |from: usize, to: usize| digest.hex().get(from..to).unwrap_or_default();
    format!(
        "urn:uuid:{}-{}-8{}-a{}-{}",
        part(0, 8),
        part(8, 12),
        part(13, 16),
        part(17, 20),
        part(20, 32)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_a_uuid_and_stays() {
        assert_eq!(id("a"), "urn:uuid:ca978112-ca1b-8dca-aac2-31b39a23dc4d");
        assert_ne!(id("a"), id("b"));
    }

    #[test]
    fn texts_cannot_leave_their_place() {
        let hostile = "</title><script>&'\"\u{0}";
        let updated = Timestamp::UNIX_EPOCH;
        let (title, text) = (hostile.to_owned(), hostile.to_owned());
        let entry = AtomEntry { key: hostile.to_owned(), title: title.clone(), updated, text };
        let feed = AtomFeed { title, address: hostile.to_owned(), updated, entries: vec![entry] };
        let document = feed.document();
        assert!(!document.contains("<script>") && !document.contains('\u{0}'), "{document}");
        assert_eq!(document.matches("</title>").count(), 2);
    }
}
