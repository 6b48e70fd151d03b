//! The images of a Dockerfile (docs.docker.com/reference/dockerfile).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use parse_dockerfile::{ArgInstruction, Flag, FromInstruction, Instruction, UnescapedString};

use super::mention::{Found, Place, System, system_of};
use super::traced::Traced;
use super::variables::expand;

/// Some editors begin files with it.
const BYTE_ORDER_MARK: char = '\u{feff}';
/// The name that stands for no image.
const SCRATCH: &str = "scratch";
/// Set by the builder for every build, and known without `ARG`.
pub(super) const ARCHITECTURES: [&str; 2] = ["TARGETARCH", "BUILDARCH"];

/// Values of `ARG` that win over all defaults, by their names; `None` for one that is not known.
pub(super) type BuildArgs = BTreeMap<String, Option<Traced>>;

/// Reads the images, and says why the rest could not be read. Of what is not written in the file
/// that is audited, only images with a value that is written there are returned, with its place.
pub(super) fn read(source: &Traced, given: &BuildArgs) -> (Vec<Found>, Option<String>) {
    let text = source.as_str();
    let mut file = Dockerfile::new(source, given);
    let instructions = match parse_dockerfile::parse_iter(text) {
        Ok(instructions) => instructions,
        Err(error) => return (Vec::new(), Some(error.to_string())),
    };
    // The iterator keeps its directives to itself.
    let escapes_with_backtick = text
        .lines()
        .map_while(|line| line.trim_start_matches(BYTE_ORDER_MARK).trim_start().strip_prefix('#'))
        .filter_map(|comment| comment.split_once('='))
        .any(|(name, sign)| name.trim().eq_ignore_ascii_case("escape") && sign.trim() == "`");
    file.escape = if escapes_with_backtick { '`' } else { '\\' };
    let mut problem = None;
    for instruction in instructions {
        match instruction {
            Ok(instruction) => file.instruction(&instruction),
            Err(error) => problem = Some(error.to_string()),
        }
    }
    // Only Windows has a reason to escape by a backtick.
    if escapes_with_backtick {
        for found in &mut file.found {
            found.system = found.system.or(Some(System::Windows));
        }
    }
    (file.found, problem)
}

struct Dockerfile<'s> {
    source: &'s Traced,
    escape: char,
    /// The values of `ARG` before the first `FROM`, which `FROM` sees.
    args: BTreeMap<String, Traced>,
    given: &'s BuildArgs,
    /// Those of the current stage.
    own_args: BTreeMap<String, Traced>,
    stages: BTreeSet<String>,
    /// How many stages there are, named or not.
    count: usize,
    found: Vec<Found>,
}

impl<'s> Dockerfile<'s> {
    fn new(source: &'s Traced, given: &'s BuildArgs) -> Self {
        let known = ARCHITECTURES
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), given.get(*name)?.clone()?)));
        Self {
            source,
            escape: '\\',
            args: known.collect(),
            given,
            own_args: BTreeMap::new(),
            stages: BTreeSet::new(),
            count: 0,
            found: Vec::new(),
        }
    }

    fn instruction(&mut self, instruction: &Instruction<'_>) {
        match instruction {
            Instruction::Arg(arg) => self.arg(arg),
            Instruction::From(from) => self.from(from),
            Instruction::Copy(copy) => {
                for flag in copy.options.iter().filter(|flag| is_named(flag, "from")) {
                    if let Some(value) = &flag.value {
                        self.other(Place::CopyFrom, &self.traced(value));
                    }
                }
            }
            Instruction::Run(run) => {
                for flag in run.options.iter().filter(|flag| is_named(flag, "mount")) {
                    let Some(value) = &flag.value else { continue };
                    let value = self.traced(value);
                    let mut at = 0;
                    for field in value.as_str().split(',') {
                        let field = value.slice(at..at + field.len());
                        at += field.as_str().len() + 1;
                        if let Some(image) = field.after("from=") {
                            self.other(Place::Mount, &image);
                        }
                    }
                }
            }
            Instruction::Onbuild(onbuild) => {
                if let Instruction::Copy(_) | Instruction::Run(_) = *onbuild.instruction {
                    self.instruction(&onbuild.instruction);
                }
            }
            _ => {}
        }
    }

    /// `ARG NAME=value NAME`; the value may have quotes.
    fn arg(&mut self, arg: &ArgInstruction<'_>) {
        let arguments = self.traced(&arg.arguments);
        for word in words_of(&arguments) {
            let (name, value) = match word.as_str().split_once('=') {
                Some((name, _)) => (name, word.after(&format!("{name}="))),
                None => (word.as_str(), None),
            };
            let value = value.map(|value| self.expand(&unquoted(&value), self.count > 0));
            let value = match (self.given.get(name), value) {
                (Some(given), _) => given.clone(),
                (None, Some(value)) => value.ok(),
                (None, None) => self.args.get(name).cloned(),
            };
            let scope = if self.count == 0 { &mut self.args } else { &mut self.own_args };
            match value {
                Some(value) => drop(scope.insert(name.to_owned(), value)),
                None => drop(scope.remove(name)),
            }
        }
    }

    fn expand(&self, text: &Traced, in_stage: bool) -> Result<Traced, String> {
        let value_of = |name: &str| {
            let own = self.own_args.get(name).filter(|_| in_stage);
            own.or_else(|| self.args.get(name).filter(|_| !in_stage))
        };
        expand(text, Some(self.escape), &value_of)
    }

    fn from(&mut self, from: &FromInstruction<'_>) {
        self.own_args.clear();
        let written = self.traced(&from.image);
        let image = self.expand(&unquoted(&written), false);
        let is_stage = image.as_ref().is_ok_and(|image| self.names_stage(image.as_str()));
        let platform = from.options.iter().find(|flag| is_named(flag, "platform"));
        let platform = platform.and_then(|flag| flag.value.as_ref());
        let platform = platform.and_then(|value| self.expand(&self.traced(value), false).ok());
        let system = platform.and_then(|platform| system_of(platform.as_str()));
        let is_scratch = image.as_ref().is_ok_and(|image| image.as_str() == SCRATCH);
        if !is_stage && !is_scratch {
            let place = self.place(&from.image);
            let span = self.source.slice(place.clone()).span().or_else(|| place_of_value(&image));
            // An image that Compose put there is shown at what comes before it.
            let before = || self.source.slice(0..place.start).places().last();
            self.found(Place::From, span.or_else(before), image, system);
        }
        if let Some((_, name)) = &from.as_ {
            self.stages.insert(name.value.to_ascii_lowercase());
        }
        self.count += 1;
    }

    /// The image of `COPY --from` or a mount, which may be a stage by its name or number.
    fn other(&mut self, place: Place, written: &Traced) {
        let image = self.expand(&unquoted(written), true);
        let is_stage = image.as_ref().is_ok_and(|image| {
            self.names_stage(image.as_str()) || image.as_str().parse::<usize>().is_ok()
        });
        if !is_stage {
            let span = written.span().or_else(|| place_of_value(&image));
            self.found(place, span, image, None);
        }
    }

    fn found(
        &mut self,
        place: Place,
        span: Option<Range<usize>>,
        image: Result<Traced, String>,
        system: Option<System>,
    ) {
        if let Some(span) = span {
            self.found.push(Found { place, span, image, system, group: 0 });
        }
    }

    /// The place of a text of the parser, whose positions leave a byte order mark out.
    fn place(&self, value: &UnescapedString<'_>) -> Range<usize> {
        let has_mark = self.source.as_str().starts_with(BYTE_ORDER_MARK);
        let mark = if has_mark { BYTE_ORDER_MARK.len_utf8() } else { 0 };
        value.span.start + mark..value.span.end + mark
    }

    /// The text of the parser with its place, if it is written as it is.
    fn traced(&self, value: &UnescapedString<'_>) -> Traced {
        let place = self.place(value);
        match self.source.as_str().get(place.clone()) {
            Some(written) if written == value.value => self.source.slice(place),
            _ => Traced::unwritten(&value.value),
        }
    }

    fn names_stage(&self, name: &str) -> bool {
        self.stages.contains(&name.to_ascii_lowercase())
    }
}

/// Where the last value of an image is written.
fn place_of_value(image: &Result<Traced, String>) -> Option<Range<usize>> {
    image.as_ref().ok()?.places().last()
}

fn is_named(flag: &Flag<'_>, name: &str) -> bool {
    flag.name.value.eq_ignore_ascii_case(name)
}

/// The text without quotes around it.
fn unquoted(text: &Traced) -> Traced {
    let all = text.as_str();
    let is_quoted = |quote| all.len() > 1 && all.starts_with(quote) && all.ends_with(quote);
    if is_quoted('"') || is_quoted('\'') { text.slice(1..all.len() - 1) } else { text.clone() }
}

/// The words of a text; spaces in quotes do not separate.
fn words_of(text: &Traced) -> Vec<Traced> {
    let (mut words, mut start, mut quote) = (Vec::new(), 0, None);
    let all = text.as_str();
    for (at, c) in all.char_indices() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, _) if c.is_whitespace() => {
                words.push(text.slice(start..at));
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    words.push(text.slice(start..all.len()));
    words.retain(|word| !word.as_str().is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(text: &str) -> Vec<String> {
        let (found, problem) = read(&Traced::written(text, 0), &BTreeMap::new());
        assert_eq!(problem, None, "{text}");
        found.iter().map(|found| describe(text, found)).collect()
    }

    fn describe(text: &str, found: &Found) -> String {
        let image = found
            .image
            .as_ref()
            .map_or_else(|name| format!("?{name}"), |image| image.as_str().to_owned());
        format!("{} {image}", &text[found.span.clone()])
    }

    #[test]
    fn every_stage_and_source_is_found() {
        assert_eq!(
            images(
                "# escape=`\n# a comment\nARG TAG=ltsc2019 OTHER=\"x y\"\nARG NONE\n\
                 FROM --platform=windows/amd64 a/core:${TAG} AS build\nARG TAG\n\
                 RUN <<EOF\nFROM not/an:image\nEOF\nCOPY --from=b/c:$TAG x y\n\
                 FROM build AS next\nFROM scratch\nCOPY --from=build x `\n  y\n\
                 COPY --from=0 x y\nFROM a/none:$NONE\n\
                 RUN --mount=type=bind,from=d/e:1,target=/x cmd\n"
            ),
            [
                "a/core:${TAG} a/core:ltsc2019",
                "b/c:$TAG b/c:ltsc2019",
                "a/none:$NONE ?NONE",
                "d/e:1 d/e:1"
            ]
        );
    }

    #[test]
    fn values_of_the_command_line_win() {
        let value = |text: &str| Some(Traced::unwritten(text));
        let names = ["TAG", "TARGETARCH", "UNKNOWN"].map(str::to_owned);
        let given = names.into_iter().zip([value("1909"), value("arm64"), None]).collect();
        let text = "ARG TAG=1809\nARG UNKNOWN=x\nFROM a:$TAG-$TARGETARCH\nFROM a:$UNKNOWN\n";
        let (found, _) = read(&Traced::written(text, 0), &given);
        assert_eq!(describe(text, &found[0]), "a:$TAG-$TARGETARCH a:1909-arm64");
        assert_eq!(describe(text, &found[1]), "a:$UNKNOWN ?UNKNOWN");
    }

    #[test]
    fn what_comes_before_an_error_is_read() {
        let text = Traced::written("FROM a:1\nNONSENSE x\nFROM b:1\n", 0);
        let (found, problem) = read(&text, &BTreeMap::new());
        assert_eq!(found.len(), 1);
        assert!(problem.is_some_and(|problem| problem.contains("NONSENSE")));
    }

    #[test]
    fn a_byte_order_mark_moves_positions() {
        assert_eq!(images("\u{feff}FROM a:1\n"), ["a:1 a:1"]);
    }
}
