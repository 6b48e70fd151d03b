//! The use case behind `wintag audit`: the images that files name, against the hosts there are.
//!
//! Each image is asked for once, however often it is named. How it runs is decided by the use cases
//! behind `/check` and `/resolve` alone.

// In reading order.

mod finding;
mod judge;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt as _};
use serde::Serialize;
use utoipa::ToSchema;

use super::context::Context;
use super::host::HostDescription;
use crate::audit::{Edit, Mention, Place, Reading, System};
use crate::windows::Isolation;

pub use finding::{Finding, FindingCode, Level};
pub use judge::Target;
use judge::{Asked, Holds, Judgement};

/// How many images are looked up at once. What a registry is sent at once is limited further down.
const MAX_PARALLEL: usize = 16;

/// A file and what it names.
#[derive(Clone, Debug)]
pub struct AuditFile {
    /// Its path, as it is shown.
    pub path: String,
    /// What it names.
    pub reading: Reading,
}

/// The answer of an audit.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Audit)]
pub struct Audited {
    /// The hosts.
    pub hosts: Vec<HostDescription>,
    /// The findings, in the order of files and lines.
    pub findings: Vec<Finding>,
    /// Every image reference for Windows, and how it runs.
    pub references: Vec<Reference>,
    /// Images that could not be checked, each once.
    pub unchecked: Vec<Unchecked>,
    /// Files that could not be read, or not to their end.
    pub problems: Vec<FileProblem>,
    /// How many there are of what.
    pub counts: Counts,
    /// The changes of files that write the replacements.
    #[serde(skip)]
    #[schema(ignore)]
    pub edits: BTreeMap<String, BTreeSet<Edit>>,
    /// Whether a registry failed, so that an image could not be checked.
    #[serde(skip)]
    #[schema(ignore)]
    pub is_incomplete: bool,
}

/// How many there are of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AuditCounts)]
pub struct Counts {
    /// Files.
    pub files: usize,
    /// Image references of these files.
    pub references: usize,
    /// Of these, images for Linux, which are skipped.
    pub linux: usize,
    /// Of these, images for Windows and Linux, where nothing says that Windows is meant; they are
    /// skipped too.
    pub either: usize,
    /// Findings of the level `error` that no comment silences.
    pub errors: usize,
    /// The same of the level `warning`.
    pub warnings: usize,
    /// The same of the level `note`.
    pub notes: usize,
    /// Findings that a comment silences.
    pub ignored: usize,
}

/// An image reference of a file.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = AuditReference)]
pub struct Reference {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The kind of place.
    pub place: Place,
    /// The reference as it is written.
    pub written: String,
    /// The image, with variables replaced.
    pub image: String,
    /// How it runs, in the order of `hosts`.
    pub verdicts: Vec<HostVerdict>,
    /// A reference that works on all hosts; null if none is needed or known.
    pub replacement: Option<String>,
}

/// How an image runs on one host.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = AuditVerdict)]
pub struct HostVerdict {
    /// The host as it was given.
    pub host: String,
    /// Whether it runs; null if that is not known.
    pub runs: Option<bool>,
    /// The isolation mode to use; null if it does not run.
    pub isolation: Option<Isolation>,
    /// The reference to use on this host instead; null if none is needed or known.
    pub instead: Option<String>,
}

/// An image that could not be checked.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = AuditUnchecked)]
pub struct Unchecked {
    /// The image.
    pub image: String,
    /// Why.
    pub why: String,
}

/// A file that could not be read, or not to its end.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = AuditProblem)]
pub struct FileProblem {
    /// The file.
    pub file: String,
    /// Why.
    pub why: String,
}

/// Answers the question. `step` is called when an image was looked up, with how many are done and
/// how many there are.
pub async fn audit(
    context: &Context,
    files: Vec<AuditFile>,
    target: &Target,
    step: impl Fn(usize, usize),
) -> Audited {
    let images: BTreeSet<&str> = files
        .iter()
        .flat_map(|file| &file.reading.mentions)
        .filter(|mention| mention.system != Some(System::Linux))
        .filter_map(image_of)
        .collect();
    let total = images.len();
    let held = stream::iter(images.into_iter().map(|image| async move {
        let held = match Asked::read(context, image) {
            Ok(asked) => asked.holds(context, target).await.map(|holds| (holds, asked)),
            Err(judgement) => Err(judgement),
        };
        (image, held)
    }));
    let mut lookups = held.buffer_unordered(MAX_PARALLEL);
    let mut known = BTreeMap::new();
    while let Some((image, held)) = lookups.next().await {
        known.insert(image, held);
        step(known.len(), total);
    }
    drop(lookups);
    let holds = |mention: &Mention| {
        let held = known.get(image_of(mention)?)?;
        Some(held.as_ref().map_or(Holds::Windows, |(holds, _)| *holds))
    };
    let uses = Uses::new(&files, &holds);
    let asked = known.iter().filter_map(|(image, held)| {
        let (_, asked) = held.as_ref().ok().filter(|_| uses.windows.contains(image))?;
        Some(async move { (*image, asked.judge(context, target).await) })
    });
    let judged = stream::iter(asked).buffer_unordered(MAX_PARALLEL);
    let mut judgements: BTreeMap<&str, Judgement> = judged.collect().await;
    for (image, held) in &known {
        if let Err(judgement) = held {
            judgements.insert(image, judgement.clone());
        }
    }
    let today = context.now().date();
    let describe = |host| HostDescription::of(host, context.tables, today);
    let hosts = target.hosts.iter().map(describe).collect();
    Report { target, judgements: &judgements, uses: &uses }.of(&files, hosts)
}

fn image_of(mention: &Mention) -> Option<&str> {
    mention.image.as_ref().ok().map(|image| image.as_str())
}

/// Which mentions mean Windows.
struct Uses<'f> {
    /// The images that are used for Windows.
    windows: BTreeSet<&'f str>,
    /// The groups of each file, by its number, that are for Windows.
    groups: BTreeSet<(usize, usize)>,
    /// The images that are for Linux only.
    linux: BTreeSet<&'f str>,
    /// The images that are for both.
    both: BTreeSet<&'f str>,
}

impl<'f> Uses<'f> {
    /// An image for both systems is used for Windows if its file says so, or if another image of
    /// its group is for Windows alone.
    fn new(files: &'f [AuditFile], holds: &dyn Fn(&Mention) -> Option<Holds>) -> Self {
        let mut uses = Self {
            windows: BTreeSet::new(),
            groups: BTreeSet::new(),
            linux: BTreeSet::new(),
            both: BTreeSet::new(),
        };
        let mentions = || {
            let files = files.iter().enumerate();
            files.flat_map(|(at, file)| file.reading.mentions.iter().map(move |it| (at, it)))
        };
        for (file, mention) in mentions() {
            let held = holds(mention);
            let is_windows = mention.system == Some(System::Windows)
                || (mention.system.is_none() && held == Some(Holds::Windows));
            if is_windows && held != Some(Holds::Other) {
                uses.groups.insert((file, mention.group));
            }
            let Some(image) = image_of(mention) else { continue };
            match held {
                Some(Holds::Other) => drop(uses.linux.insert(image)),
                Some(Holds::Both) => drop(uses.both.insert(image)),
                Some(Holds::Windows) | None => {}
            }
        }
        for (file, mention) in mentions() {
            let Some(image) = image_of(mention) else { continue };
            if uses.skipped(file, mention).is_none() {
                uses.windows.insert(image);
            }
        }
        uses
    }

    /// The system for which a mention is, if it is skipped.
    fn skipped(&self, file: usize, mention: &Mention) -> Option<Holds> {
        let image = image_of(mention)?;
        if mention.system == Some(System::Linux) {
            return Some(Holds::Other);
        }
        if self.linux.contains(image) {
            // On Windows, an image for Linux alone does not run.
            return (mention.system != Some(System::Windows)).then_some(Holds::Other);
        }
        let is_in_windows = self.groups.contains(&(file, mention.group));
        (self.both.contains(image) && !is_in_windows).then_some(Holds::Both)
    }
}

struct Report<'r> {
    target: &'r Target,
    judgements: &'r BTreeMap<&'r str, Judgement>,
    uses: &'r Uses<'r>,
}

impl Report<'_> {
    fn of(&self, files: &[AuditFile], hosts: Vec<HostDescription>) -> Audited {
        let mut audited = Audited {
            hosts,
            findings: Vec::new(),
            references: Vec::new(),
            unchecked: Vec::new(),
            problems: Vec::new(),
            counts: Counts { files: files.len(), ..Counts::default() },
            edits: BTreeMap::new(),
            is_incomplete: false,
        };
        for (number, file) in files.iter().enumerate() {
            let path = &file.path;
            if let Some(why) = &file.reading.problem {
                audited.problems.push(FileProblem { file: path.clone(), why: why.clone() });
            }
            for mention in &file.reading.mentions {
                audited.counts.references += 1;
                match self.uses.skipped(number, mention) {
                    Some(Holds::Both) => audited.counts.either += 1,
                    Some(_) => audited.counts.linux += 1,
                    None => self.mention(&mut audited, path, mention),
                }
            }
            let edits = self.edits(number, &file.reading);
            if !edits.is_empty() {
                audited.edits.insert(path.clone(), edits);
            }
        }
        for (image, judgement) in self.judgements {
            if let Some(miss) =
                judgement.miss.as_ref().filter(|_| self.uses.windows.contains(image))
            {
                let is_refusal = *miss == crate::catalogue::Miss::Offline || !miss.is_silence();
                audited.is_incomplete |= !is_refusal;
                let (image, why) = ((*image).to_owned(), miss.to_string());
                audited.unchecked.push(Unchecked { image, why });
            }
        }
        for finding in &audited.findings {
            let counts = &mut audited.counts;
            *match (&finding.ignored, finding.level) {
                (Some(_), _) => &mut counts.ignored,
                (None, Level::Error) => &mut counts.errors,
                (None, Level::Warning) => &mut counts.warnings,
                (None, Level::Note) => &mut counts.notes,
            } += 1;
        }
        audited
    }

    fn mention(&self, audited: &mut Audited, file: &str, mention: &Mention) {
        let find = |code: FindingCode, message: String, hosts, replacement| Finding {
            code,
            level: code.level(),
            message,
            hosts,
            file: file.to_owned(),
            line: mention.line,
            column: mention.column,
            end_column: mention.end_column,
            start: mention.span.start,
            end: mention.span.end,
            image: image_of(mention).map(str::to_owned),
            replacement,
            ignored: ignored(mention, code).map(str::to_owned),
        };
        let image = match &mention.image {
            Ok(image) => image.as_str(),
            Err(variable) => {
                let message = format!(
                    "{} has the variable {variable}, which has no value here; give it a default \
                     or a value",
                    mention.written
                );
                let code = FindingCode::UnresolvedVariable;
                audited.findings.push(find(code, message, Vec::new(), None));
                return;
            }
        };
        let Some(judgement) = self.judgements.get(image) else { return };
        for statement in &judgement.statements {
            let hosts = statement.hosts.iter();
            let hosts = hosts.map(|host| self.target.hosts[*host].requested.clone()).collect();
            let mut message = statement.message.clone();
            if judgement.replacement.is_none() {
                // No one reference serves all hosts.
                for host in &statement.hosts {
                    if let Some(instead) = &judgement.verdicts[*host].instead {
                        let host = &self.target.hosts[*host].requested;
                        message.push_str(&format!("; on {host}, {instead} runs"));
                    }
                }
            }
            let replacement = judgement.replacement.clone();
            audited.findings.push(find(statement.code, message, hosts, replacement));
        }
        let verdicts = self.target.hosts.iter().zip(&judgement.verdicts);
        let verdicts: Vec<HostVerdict> = verdicts
            .map(|(host, verdict)| HostVerdict {
                host: host.requested.clone(),
                runs: verdict.runs,
                isolation: verdict.isolation,
                instead: verdict.instead.clone(),
            })
            .collect();
        if !verdicts.is_empty() {
            audited.references.push(Reference {
                file: file.to_owned(),
                line: mention.line,
                column: mention.column,
                place: mention.place,
                written: mention.written.clone(),
                image: image.to_owned(),
                verdicts,
                replacement: judgement.replacement.clone(),
            });
        }
    }

    /// The changes that write the replacements. A text that several images are made of is changed
    /// only if it serves them all.
    fn edits(&self, file: usize, reading: &Reading) -> BTreeSet<Edit> {
        let wanted = |mention: &Mention| {
            let judgement = self.judgements.get(image_of(mention)?)?;
            let is_silenced = |code| ignored(mention, code).is_some();
            let replacement = judgement.replacement.as_ref()?;
            let all_silenced = judgement.statements.iter().all(|it| is_silenced(it.code));
            let is_used = self.uses.skipped(file, mention).is_none() && !all_silenced;
            mention.image.as_ref().ok()?.edit(replacement).filter(|_| is_used)
        };
        let edits: BTreeSet<Edit> = reading.mentions.iter().filter_map(wanted).collect();
        let serves = |edit: &Edit, mention: &Mention| {
            let Ok(image) = &mention.image else { return true };
            let overlaps = image.places().any(|it| it.start < edit.end && edit.start < it.end);
            !overlaps || wanted(mention).as_ref() == Some(edit)
        };
        let serves_all = |edit: &Edit| reading.mentions.iter().all(|it| serves(edit, it));
        edits.iter().filter(|edit| serves_all(edit)).cloned().collect()
    }
}

/// The reason of the comment that silences findings with this code on the line of a mention.
fn ignored(mention: &Mention, code: FindingCode) -> Option<&str> {
    let comment = mention.ignored.iter().find(|ignore| ignore.code == code.as_str())?;
    Some(&comment.reason)
}
