//! The lines of a file: positions for people, and the comments that silence findings.

use super::mention::{Found, Ignore, Mention};

/// The word that begins a comment for this program.
const MARK: &str = "wintag:ignore";

/// The most comment lines before a reference that are read, and the longest line with a comment.
/// Ours: both are several times those of real files.
const MAX_COMMENT_LINES: usize = 16;
const MAX_COMMENT_BYTES: usize = 4096;

/// The lines of a text.
pub(super) struct Lines<'t> {
    text: &'t str,
    /// The first byte of each line.
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// Gives a reference its place in the lines.
    pub(super) fn place(&self, found: Found) -> Option<Mention> {
        let Found { place, span, image, system, group } = found;
        let written = self.text.get(span.clone())?.to_owned();
        let line = self.starts.partition_point(|start| *start <= span.start);
        let start = self.starts[line - 1];
        let column = self.text.get(start..span.start)?.chars().count() + 1;
        let on_line = written.lines().next().unwrap_or_default().chars().count();
        Some(Mention {
            place,
            line,
            column,
            end_column: column + on_line,
            written,
            image,
            system,
            group,
            ignored: self.ignored(line),
            span,
        })
    }

    fn line(&self, number: usize) -> Option<&'t str> {
        let start = *self.starts.get(number.checked_sub(1)?)?;
        self.text.get(start..)?.lines().next()
    }

    /// The comments on this line, and on the lines before it that are nothing but comments.
    fn ignored(&self, line: usize) -> Vec<Ignore> {
        let is_comment = |text: &&str| text.trim_start().starts_with(['#', '/']);
        let before = (1..line).rev().map_while(|line| self.line(line)).take_while(is_comment);
        let before = before.take(MAX_COMMENT_LINES);
        let own = self.line(line);
        own.into_iter().chain(before).filter_map(ignore_of).collect()
    }
}

fn ignore_of(line: &str) -> Option<Ignore> {
    let line = Some(line).filter(|line| line.len() <= MAX_COMMENT_BYTES)?;
    let (before, after) = line.split_once(MARK)?;
    let before = before.trim_end();
    let begins_comment = before.ends_with('#') || before.ends_with("//");
    let (code, reason) = after.trim().split_once(char::is_whitespace)?;
    begins_comment.then(|| Ignore { code: code.to_owned(), reason: reason.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_silences_its_line_and_the_next() {
        let lines = Lines::new(
            "image: a # wintag:ignore needs-hyperv the nodes have it\n\
             # wintag:ignore out-of-support replaced in May\n# more\nFROM b\nFROM c\n\
             # wintag:ignore no-reason\nFROM d\nRUN wintag:ignore x y\n",
        );
        let codes =
            |line| lines.ignored(line).into_iter().map(|ignore| ignore.code).collect::<Vec<_>>();
        assert_eq!(codes(1), ["needs-hyperv"]);
        assert_eq!(codes(4), ["out-of-support"]);
        for line in [5, 7, 8] {
            assert!(codes(line).is_empty(), "{line}");
        }
    }
}
