//! Texts that know which bytes of the file they were made of, so that a change of the text becomes
//! a change of the file.

use std::ops::Range;

/// A text, and where in the file its parts are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traced {
    text: String,
    /// In the order of the text; what is in no part is not written in the file as it is.
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    /// Where the part begins in the text.
    start: usize,
    len: usize,
    /// Where it begins in the file.
    at: usize,
}

/// A change of a file: the bytes to replace, and the text to put there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edit {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
    /// The new text.
    pub text: String,
}

impl Traced {
    /// A text that is written in the file from this byte on.
    pub fn written(text: &str, at: usize) -> Self {
        let part = Part { start: 0, len: text.len(), at };
        Self { text: text.to_owned(), parts: vec![part] }
    }

    /// A text that is not written in the file as it is.
    pub fn unwritten(text: &str) -> Self {
        Self { text: text.to_owned(), parts: Vec::new() }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Appends another text.
    pub(super) fn push(&mut self, other: &Self) {
        let base = self.text.len();
        self.parts
            .extend(other.parts.iter().map(|part| Part { start: base + part.start, ..*part }));
        self.text.push_str(&other.text);
    }

    /// A part of the text. The range is between characters.
    pub(super) fn slice(&self, range: Range<usize>) -> Self {
        let first = self.parts.partition_point(|part| part.start + part.len <= range.start);
        let parts = self.parts[first..].iter().take_while(|part| part.start < range.end);
        let inside = parts.filter_map(|part| {
            let start = part.start.max(range.start);
            let end = (part.start + part.len).min(range.end);
            (start < end).then(|| Part {
                start: start - range.start,
                len: end - start,
                at: part.at + (start - part.start),
            })
        });
        Self { parts: inside.collect(), text: self.text[range.clone()].to_owned() }
    }

    /// The text after this prefix.
    pub(super) fn after(&self, prefix: &str) -> Option<Self> {
        let rest = self.text.strip_prefix(prefix)?;
        Some(self.slice(self.text.len() - rest.len()..self.text.len()))
    }

    /// The bytes of the file from the first part to the last; `None` if no part is written there.
    pub(super) fn span(&self) -> Option<Range<usize>> {
        let start = self.places().map(|place| place.start).min()?;
        Some(start..self.places().map(|place| place.end).max()?)
    }

    /// The bytes of the file that the text is made of.
    pub fn places(&self) -> impl Iterator<Item = Range<usize>> {
        self.parts.iter().map(|part| part.at..part.at + part.len)
    }

    /// The change of the file that turns this text into another. `None` if what differs is not
    /// written in one place.
    pub fn edit(&self, new: &str) -> Option<Edit> {
        let same_start = common_bytes(self.text.chars(), new.chars());
        let (old_rest, new_rest) = (&self.text[same_start..], &new[same_start..]);
        let same_end = common_bytes(old_rest.chars().rev(), new_rest.chars().rev());
        let (start, end) = (same_start, self.text.len() - same_end);
        let part = self
            .parts
            .iter()
            .find(|part| part.start <= start && end <= part.start + part.len && part.len > 0)?;
        let (before, after) = (part.start, self.text.len() - part.start - part.len);
        let text = new.get(before..new.len().checked_sub(after)?)?.to_owned();
        Some(Edit { start: part.at, end: part.at + part.len, text })
    }
}

/// The bytes of the characters that two texts begin with.
fn common_bytes(a: impl Iterator<Item = char>, b: impl Iterator<Item = char>) -> usize {
    a.zip(b).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_goes_where_the_text_is_written() {
        let whole = Traced::written("a/b:1809", 10);
        let edit = whole.edit("a/b:ltsc2022");
        assert_eq!(edit, Some(Edit { start: 10, end: 18, text: "a/b:ltsc2022".to_owned() }));

        let mut made = Traced::written("a/b:", 100);
        made.push(&Traced::written("1809", 20));
        let edit = made.edit("a/b:1803");
        assert_eq!(edit, Some(Edit { start: 20, end: 24, text: "1803".to_owned() }));
        let both = made.edit("c/d:1803");
        assert_eq!(both, None, "two places would have to change");

        made.push(&Traced::unwritten("-amd64"));
        assert_eq!(made.edit("a/b:1809-arm64"), None);
        assert_eq!(made.slice(4..8), Traced::written("1809", 20));
        // A tag is added where there was none.
        let edit = Traced::written("a/b", 5).edit("a/b:1809");
        assert_eq!(edit, Some(Edit { start: 5, end: 8, text: "a/b:1809".to_owned() }));
    }
}
