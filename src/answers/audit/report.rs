//! What is known about images, put together for each place that names them.

use std::collections::{BTreeMap, BTreeSet};

use crate::answers::host::HostDescription;
use crate::audit::{Edit, Mention, Reading};
use crate::catalogue::Miss;

use super::audited::{AuditFile, Audited, Counts, FileProblem, HostVerdict, Reference, Unchecked};
use super::finding::{Finding, FindingCode, Level};
use super::judge::Target;
use super::judgement::{Holds, Judgement};
use super::uses::{Uses, image_of};

/// Images for places.
pub(super) struct Report<'r> {
    pub(super) target: &'r Target,
    pub(super) judgements: &'r BTreeMap<&'r str, Judgement>,
    pub(super) uses: &'r Uses<'r>,
}

impl Report<'_> {
    /// The answer for these files.
    pub(super) fn of(&self, files: &[AuditFile], hosts: Vec<HostDescription>) -> Audited {
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
            audited.is_incomplete |= file.reading.is_unknown;
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
                let is_refusal = *miss == Miss::Offline || !miss.is_silence();
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
