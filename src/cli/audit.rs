//! `wintag audit`: the images that files name, against hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;

use super::arguments::AuditArguments;
use super::diagnose::read_input;
use super::ending::{Ending, explain, print, say};
use super::lists::MAX_NODES_BYTES;
use super::question::{build, parameters};
use crate::answers::{AuditFile, Audited, Target, audit as run_audit, versions_of_nodes};
use crate::api::audit::{AuditFormat, apply, audit_text, patch, read_target};
use crate::api::reading::Reading as ApiReading;
use crate::app::App;
use crate::audit::{
    Around, Edit, FileBytes, MAX_FILE_BYTES, Reading, STDIN, find_files, read, read_beside,
};
use crate::config::ConfigFile;
use crate::images::{Architecture, Digest};
use crate::windows::Platform;
use crate::words::visible;

/// Prints the findings. All that prevents the audit has the same exit status, which is not that of
/// findings.
pub(super) async fn audit(arguments: AuditArguments, file: ConfigFile) -> Ending {
    match try_audit(arguments, file).await {
        ending @ (Ending::Answered | Ending::No) => ending,
        _ => Ending::BadArguments,
    }
}

async fn try_audit(arguments: AuditArguments, file: ConfigFile) -> Ending {
    let app = match build(&arguments.source, file) {
        Ok(app) => app,
        Err(ending) => return ending,
    };
    let (hosts, platform) = match &arguments.nodes {
        None => (arguments.hosts.clone(), None),
        Some(file) => match nodes(&app, file) {
            Ok((hosts, platform)) => (Some(hosts), Some(platform.to_string())),
            Err(ending) => return ending,
        },
    };
    let pairs = parameters([
        ("hosts", hosts),
        ("fleet", arguments.fleet.clone()),
        ("arch", arguments.arch.clone()),
        ("platform", arguments.platform.clone().or(platform)),
        ("engine", arguments.engine.clone()),
        ("store", arguments.store.clone()),
    ]);
    let target = match read_target(pairs, ApiReading::from(app.context())) {
        Ok(target) => target,
        Err(problem) => return explain(&problem),
    };
    if arguments.fix && arguments.paths.iter().any(|path| path == Path::new(STDIN)) {
        say("wintag: stdin cannot be changed; use --format patch, or name files");
        return Ending::BadArguments;
    }
    let mut files = match Files::read(&arguments, target.architecture) {
        Ok(files) => files,
        Err(ending) => return ending,
    };
    let mut audited = look_up(&app, &mut files, &target).await;
    let mut is_written = true;
    if arguments.fix && !audited.edits.is_empty() {
        is_written = files.write(&audited.edits);
        files = match Files::read(&arguments, target.architecture) {
            Ok(files) => files,
            Err(ending) => return ending,
        };
        audited = look_up(&app, &mut files, &target).await;
    }
    let ending = match text_of(&audited, &files, arguments.format) {
        Ok(text) if text.is_empty() => Ending::Answered,
        // The last line of a patch may end in spaces or a carriage return.
        Ok(text) => print(text.strip_suffix('\n').unwrap_or(&text)),
        Err(error) => super::ending::fail(Ending::Failed, &error),
    };
    let is_bad = arguments.fail_on.is_reached(&audited);
    match ending {
        Ending::Answered if is_bad => Ending::No,
        Ending::Answered if audited.is_incomplete || !is_written => Ending::BadArguments,
        ending => ending,
    }
}

/// The Windows versions of the nodes that a file lists, separated by commas, and their platform.
fn nodes(app: &App, file: &Path) -> Result<(String, Platform), Ending> {
    let list = read_input(Some(file), MAX_NODES_BYTES)?;
    let (platform, versions) = versions_of_nodes(app.context(), &list).map_err(|error| {
        say(&format!("wintag: {}: {error}", file.display()));
        Ending::BadArguments
    })?;
    if versions.is_empty() {
        say(&format!("wintag: {}: no node has a known Windows version", file.display()));
        return Err(Ending::BadArguments);
    }
    let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
    Ok((versions.join(","), platform))
}

/// Looks the images up, with a progress bar on a terminal.
async fn look_up(app: &App, files: &mut Files, target: &Target) -> Audited {
    // Where stderr is no terminal, indicatif shows nothing.
    let bar = ProgressBar::no_length().with_message("images");
    let step = |done: usize, total: usize| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    };
    let read = std::mem::take(&mut files.read);
    let audited = run_audit(app.context(), read, target, step).await;
    bar.finish_and_clear();
    audited
}

fn text_of(
    audited: &Audited,
    files: &Files,
    format: AuditFormat,
) -> Result<String, serde_json::Error> {
    let has_colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let Some(text) = audit_text(audited, format, has_colour)? else {
        let diffs = audited.edits.iter().filter_map(|(path, edits)| {
            let before = files.unchanged(path)?;
            Some(patch(path, &before, &apply(&before, edits)?))
        });
        return Ok(diffs.collect());
    };
    Ok(text)
}

/// The files of an audit.
struct Files {
    read: Vec<AuditFile>,
    /// Where those that name images lie, and what they held.
    known: BTreeMap<String, (PathBuf, Digest)>,
    /// All files, so that one under two names is read once.
    seen: BTreeSet<PathBuf>,
    /// What was on stdin.
    stdin: Option<String>,
}

impl Files {
    fn read(arguments: &AuditArguments, architecture: Architecture) -> Result<Self, Ending> {
        let build_args: BTreeMap<String, String> = arguments.build_arg.iter().cloned().collect();
        let alone = Around {
            build_args: &build_args,
            architecture: architecture.as_str(),
            beside: &|_| None,
        };
        let mut files =
            Self { read: Vec::new(), known: BTreeMap::new(), seen: BTreeSet::new(), stdin: None };
        for path in &arguments.paths {
            let shown = path.to_string_lossy();
            let found = if shown == STDIN {
                files.read_stdin(&alone)
            } else {
                find_files(path, &mut |root, file| {
                    let beside = |name: &str| read_beside(root, &file.0, name);
                    files.add(&file, &Around { beside: &beside, ..alone });
                })
            };
            if let Err(error) = found {
                say(&format!("wintag: {}: {error}", visible(&shown)));
                return Err(Ending::BadArguments);
            }
        }
        Ok(files)
    }

    fn read_stdin(&mut self, around: &Around<'_>) -> io::Result<()> {
        let mut bytes = Vec::new();
        io::stdin().take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        let reading = read(STDIN, &bytes, around);
        self.read.push(AuditFile { path: STDIN.to_owned(), reading });
        self.stdin = String::from_utf8(bytes).ok();
        Ok(())
    }

    fn add(&mut self, (path, bytes): &FileBytes, around: &Around<'_>) {
        if path.canonicalize().is_ok_and(|place| !self.seen.insert(place)) {
            return;
        }
        let shown = path.to_string_lossy();
        let shown = shown.strip_prefix("./").filter(|rest| *rest != STDIN).unwrap_or(&shown);
        let shown = shown.to_owned();
        let reading = match bytes {
            // The changes of one would be written into the other.
            Ok(_) if self.known.contains_key(&shown) => {
                Reading::unreadable("its name is not UTF-8, and looks like another's".to_owned())
            }
            Ok(bytes) => {
                let reading = read(&shown, bytes, around);
                if !reading.mentions.is_empty() {
                    self.known.insert(shown.clone(), (path.clone(), Digest::of(bytes)));
                }
                reading
            }
            Err(why) => Reading::unreadable(why.clone()),
        };
        // Most YAML files of a repository are of no interest.
        if !reading.mentions.is_empty() || reading.problem.is_some() {
            self.read.push(AuditFile { path: shown, reading });
        }
    }

    /// The text of a file, if it still is what was read.
    fn unchanged(&self, path: &str) -> Option<String> {
        if path == STDIN {
            return self.stdin.clone();
        }
        let (file, digest) = self.known.get(path)?;
        let bytes = fs::read(file).ok().filter(|bytes| Digest::of(bytes) == *digest)?;
        String::from_utf8(bytes).ok()
    }

    /// Writes the changes, and says which. Whether all were written.
    fn write(&self, all: &BTreeMap<String, BTreeSet<Edit>>) -> bool {
        let mut is_complete = true;
        for (path, edits) in all {
            let changed = self.unchanged(path).and_then(|before| apply(&before, edits));
            let written = match (changed, self.known.get(path)) {
                (Some(text), Some((file, _))) => {
                    replace(file, &text).map_err(|error| error.to_string())
                }
                _ => Err("it has changed since it was read".to_owned()),
            };
            let path = visible(path);
            match written {
                Ok(()) => say(&format!("wintag: {path}: {} replaced", edits.len())),
                Err(why) => {
                    is_complete = false;
                    say(&format!("wintag: {path}: not written: {why}"));
                }
            }
        }
        is_complete
    }
}

/// Replaces a file in one step, so that a crash leaves the old or the new one.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    // A link stays one.
    let file = file.canonicalize()?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(text.as_bytes())?;
    let old = fs::metadata(&file)?;
    new.as_file().set_permissions(old.permissions())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, fchown};
        // Only root may give a file away; for all others it is theirs already.
        let _ = fchown(new.as_file(), Some(old.uid()), Some(old.gid()));
    }
    new.persist(&file)?;
    Ok(())
}
