//! YAML as a graph of nodes with their places. Aliases lead to the nodes of their anchors and are
//! never copied, so that a short text cannot become a large one.

use std::cell::Cell;
use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::traced::Traced;

/// The most nodes of one file. Ours: ten times a large `helm template`; a node takes some hundred
/// bytes.
const MAX_NODES: usize = 200_000;
/// How deep nodes lie in each other. Ours: Kubernetes objects have about 20 levels.
const MAX_DEPTH: usize = 100;
/// The most mappings in which one key is looked for, because of `<<`. Ours: real files have three.
const MAX_MERGES: usize = 64;
/// The most entries and items that are looked at, aliases counted as often as they are followed.
/// Ours: reading a file of the most nodes takes about a million.
const MAX_STEPS: usize = 4_000_000;

/// The longest text, in bytes, except for [`Yaml::long_text`]. An image reference has at most 512;
/// aliases would multiply longer ones.
const MAX_TEXT_BYTES: usize = 4096;

/// A node, by its number.
pub(super) type Node = usize;

#[derive(Debug)]
enum Kind {
    Scalar(Traced),
    Sequence(Vec<Node>),
    Mapping(Vec<(Node, Node)>),
}

/// The documents of a file.
#[derive(Debug, Default)]
pub(super) struct Yaml {
    nodes: Vec<(Kind, Range<usize>)>,
    roots: Vec<Node>,
    /// Why the rest could not be read.
    problem: Option<String>,
    /// The entries and items that were looked at.
    steps: Cell<usize>,
}

impl Yaml {
    /// Reads a text. What comes before an error is kept.
    pub(super) fn read(text: &str) -> Self {
        let mut builder = Builder { places: Places::new(text), ..Builder::default() };
        for event in Parser::new_from_str(text) {
            let step = match event {
                Ok((event, span)) => {
                    let range = span.start.index()..span.end.index();
                    builder.event(text, event, range)
                }
                Err(error) => Err(format!("not YAML: {error}")),
            };
            if let Err(problem) = step {
                builder.yaml.problem = Some(problem);
                break;
            }
        }
        // A document that was not finished is read as far as it goes.
        if let Some((root, _)) = builder.open.first() {
            builder.yaml.roots.push(*root);
        }
        builder.yaml
    }

    /// Why not all was read, after the documents were looked at.
    pub(super) fn problem(&self) -> Option<String> {
        let is_exhausted = self.steps.get() >= MAX_STEPS;
        let unread = "too many values with its aliases; the rest was not read";
        self.problem.clone().or_else(|| is_exhausted.then(|| unread.to_owned()))
    }

    /// Counts steps; whether they are allowed.
    fn may_step(&self, count: usize) -> bool {
        self.steps.set(self.steps.get().saturating_add(count + 1));
        self.steps.get() < MAX_STEPS
    }

    /// The first node of each document.
    pub(super) fn roots(&self) -> &[Node] {
        &self.roots
    }

    /// The value of a key of a mapping; `<<` adds those of other mappings.
    pub(super) fn get(&self, node: Node, key: &str) -> Option<Node> {
        let mut next = vec![node];
        for _ in 0..MAX_MERGES {
            let entries = self.entries(next.pop()?);
            if let Some((_, value)) = entries.iter().find(|(name, _)| self.is(*name, key)) {
                return Some(*value);
            }
            for (_, value) in entries.iter().filter(|(name, _)| self.is(*name, "<<")) {
                match self.items(*value) {
                    [] => next.push(*value),
                    several => next.extend(several.iter().rev()),
                }
            }
        }
        None
    }

    /// The value at the end of a path of keys.
    pub(super) fn path(&self, node: Node, keys: &[&str]) -> Option<Node> {
        keys.iter().try_fold(node, |node, key| self.get(node, key))
    }

    /// The entries of a mapping; of anything else none.
    pub(super) fn entries(&self, node: Node) -> &[(Node, Node)] {
        match self.nodes.get(node) {
            Some((Kind::Mapping(entries), _)) if self.may_step(entries.len()) => entries,
            _ => &[],
        }
    }

    /// The items of a sequence; of anything else none.
    pub(super) fn items(&self, node: Node) -> &[Node] {
        match self.nodes.get(node) {
            Some((Kind::Sequence(items), _)) if self.may_step(items.len()) => items,
            _ => &[],
        }
    }

    /// The text of a scalar that is neither empty nor too long for a name or a reference.
    pub(super) fn text(&self, node: Node) -> Option<&Traced> {
        self.long_text(node).filter(|text| text.as_str().len() <= MAX_TEXT_BYTES)
    }

    /// The text of a scalar that is not empty.
    pub(super) fn long_text(&self, node: Node) -> Option<&Traced> {
        match self.nodes.get(node) {
            Some((Kind::Scalar(text), _)) if !text.as_str().is_empty() => Some(text),
            _ => None,
        }
    }

    /// Whether a document has nothing but comments.
    pub(super) fn is_null(&self, node: Node) -> bool {
        let Some((Kind::Scalar(text), _)) = self.nodes.get(node) else { return false };
        ["", "~", "null"].contains(&text.as_str())
    }

    /// The text of the scalar at the end of a path of keys.
    pub(super) fn text_at(&self, node: Node, keys: &[&str]) -> Option<&str> {
        self.text(self.path(node, keys)?).map(Traced::as_str)
    }

    /// The bytes of a node.
    pub(super) fn span(&self, node: Node) -> Range<usize> {
        self.nodes.get(node).map_or(0..0, |(_, span)| span.clone())
    }

    fn is(&self, node: Node, text: &str) -> bool {
        self.text(node).is_some_and(|scalar| scalar.as_str() == text)
    }
}

#[derive(Default)]
struct Builder {
    yaml: Yaml,
    places: Places,
    anchors: HashMap<usize, Node>,
    /// The collections that are not finished, each with a key that waits for its value.
    open: Vec<(Node, Option<Node>)>,
}

impl Builder {
    fn event(&mut self, text: &str, event: Event<'_>, range: Range<usize>) -> Result<(), String> {
        let span = self.places.bytes(range);
        match event {
            Event::Alias(anchor) => {
                if let Some(node) = self.anchors.get(&anchor).copied() {
                    self.attach(node);
                }
            }
            Event::Scalar(value, style, anchor, _) => {
                let (scalar, span) = scalar(text, &value, style, span);
                let node = self.add(Kind::Scalar(scalar), span, anchor)?;
                self.attach(node);
            }
            Event::SequenceStart(anchor, _) => {
                let node = self.add(Kind::Sequence(Vec::new()), span, anchor)?;
                self.open(node)?;
            }
            Event::MappingStart(anchor, _) => {
                let node = self.add(Kind::Mapping(Vec::new()), span, anchor)?;
                self.open(node)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some((node, _)) = self.open.pop() {
                    self.yaml.nodes[node].1.end = span.end;
                    self.attach(node);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn add(&mut self, kind: Kind, span: Range<usize>, anchor: usize) -> Result<Node, String> {
        let node = self.yaml.nodes.len();
        if node >= MAX_NODES {
            return Err(format!("more than {MAX_NODES} values; the rest was not read"));
        }
        self.yaml.nodes.push((kind, span));
        // Anchors are numbered from 1.
        if anchor > 0 {
            self.anchors.insert(anchor, node);
        }
        Ok(node)
    }

    fn open(&mut self, node: Node) -> Result<(), String> {
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("deeper than {MAX_DEPTH} levels; the rest was not read"));
        }
        self.open.push((node, None));
        Ok(())
    }

    fn attach(&mut self, node: Node) {
        let Some((parent, key)) = self.open.last_mut() else {
            self.yaml.roots.push(node);
            return;
        };
        match &mut self.yaml.nodes[*parent].0 {
            Kind::Sequence(items) => items.push(node),
            Kind::Mapping(entries) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => *key = Some(node),
            },
            Kind::Scalar(_) => {}
        }
    }
}

/// A scalar, and the bytes that are its value, without quotes.
fn scalar(
    text: &str,
    value: &str,
    style: ScalarStyle,
    span: Range<usize>,
) -> (Traced, Range<usize>) {
    let written = text.get(span.clone()).unwrap_or_default();
    if style == ScalarStyle::Literal {
        return (literal(written, value, span.start).unwrap_or(Traced::unwritten(value)), span);
    }
    // What looks like the value may be the end of an escape.
    if style == ScalarStyle::DoubleQuoted && written.contains('\\') {
        return (Traced::unwritten(value), span);
    }
    let mut places = written.match_indices(value).map(|(at, _)| span.start + at);
    match (places.next(), places.next()) {
        (Some(at), None) if !value.is_empty() => (Traced::written(value, at), at..at + value.len()),
        _ => (Traced::unwritten(value), span),
    }
}

/// A block whose lines are indented: each line of the value is the end of one that is written.
fn literal(written: &str, value: &str, at: usize) -> Option<Traced> {
    let mut block = Traced::default();
    let mut at = at;
    let mut lines = written.split_inclusive('\n');
    if written.starts_with('|') {
        at += lines.next()?.len();
    }
    for line in value.split_inclusive('\n') {
        let raw = lines.next()?;
        let text = line.trim_end_matches('\n');
        let indentation = raw.trim_end_matches(['\r', '\n']).strip_suffix(text)?;
        if !indentation.bytes().all(|byte| byte == b' ') {
            return None;
        }
        if !text.is_empty() {
            block.push(&Traced::written(text, at + indentation.len()));
        }
        block.push(&Traced::unwritten(&line[text.len()..]));
        at += raw.len();
    }
    Some(block)
}

/// The bytes of characters, which the parser counts.
#[derive(Default)]
struct Places {
    /// Where each character begins; empty if all characters are bytes.
    starts: Vec<usize>,
    len: usize,
}

impl Places {
    fn new(text: &str) -> Self {
        let starts = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().map(|(at, _)| at).collect()
        };
        Self { starts, len: text.len() }
    }

    fn bytes(&self, characters: Range<usize>) -> Range<usize> {
        let byte = |at: usize| match self.starts.is_empty() {
            true => at.min(self.len),
            false => self.starts.get(at).copied().unwrap_or(self.len),
        };
        byte(characters.start)..byte(characters.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_places() {
        let text =
            "é: &a\n  image: \"a:1\" # x\n  'k': >-\n    b:2\nc:\n  <<: *a\n  d: x\n---\n- z\n";
        let yaml = Yaml::read(text);
        assert_eq!(yaml.problem(), None);
        let [first, second] = yaml.roots() else { panic!("two documents: {yaml:?}") };
        for (path, expected) in
            [(&["é", "image"][..], "a:1"), (&["é", "k"], "b:2"), (&["c", "image"], "a:1")]
        {
            let node = yaml.path(*first, path).expect("it is there");
            assert_eq!(&text[yaml.span(node)], expected);
            assert_eq!(yaml.text(node).map(Traced::as_str), Some(expected));
        }
        let [z] = yaml.items(*second) else { panic!("one item") };
        assert_eq!(&text[yaml.span(*z)], "z");
    }

    #[test]
    fn escapes_have_no_place_and_blocks_have_their_lines() {
        let text = "a: \"\\x787878\"\nb: |-\n  é\r\n\r\n    x:1\r\nc: >\n  a\n  b\n";
        let yaml = Yaml::read(text);
        let places = |key: &str| {
            let node = yaml.get(yaml.roots()[0], key).expect("it is there");
            yaml.text(node).expect("it is short").places().collect::<Vec<_>>()
        };
        assert!(places("a").is_empty());
        let lines: Vec<&str> = places("b").into_iter().map(|place| &text[place]).collect();
        assert_eq!(lines, ["é", "  x:1"]);
        assert!(places("c").is_empty());
    }

    #[test]
    fn hostile_texts_are_bounded() {
        let bomb: String =
            (1..40).map(|n| format!("a{n}: &a{n} [*a{}, *a{}]\n", n - 1, n - 1)).collect();
        let yaml = Yaml::read(&format!("a0: &a0 x\n{bomb}"));
        assert!(yaml.nodes.len() < 200, "{}", yaml.nodes.len());
        let cycle = Yaml::read("a: &a\n  <<: *a\n  b: *a\n");
        assert_eq!(cycle.path(cycle.roots()[0], &["a", "none"]), None);
        let merges: String =
            (1..40).map(|n| format!("a{n}: &a{n} {{<<: [*a{}, *a{}]}}\n", n - 1, n - 1)).collect();
        let merges = Yaml::read(&format!("a0: &a0 {{x: y}}\n{merges}"));
        assert_eq!(merges.path(merges.roots()[0], &["a39", "none"]), None);
        let deep = Yaml::read(&"- ".repeat(5000));
        assert!(deep.problem.is_some_and(|problem| problem.contains("not read")));
        assert!(Yaml::read(&"[".repeat(5000)).problem.is_some());
        let marked = Yaml::read("\u{feff}a: b");
        let b = marked.get(marked.roots()[0], "a").expect("it is there");
        assert_eq!(marked.span(b), 6..7);
        let long = Yaml::read(&format!("a: {}\n", "x".repeat(MAX_TEXT_BYTES + 1)));
        let node = long.get(long.roots()[0], "a").expect("it is there");
        assert!(long.text(node).is_none() && long.long_text(node).is_some());
        for text in ["a: b: c", "{", "\"", "&", "*x", "%YAML 9", "\t- a", "a: !x!y z", "\0"] {
            Yaml::read(text);
        }
    }
}
