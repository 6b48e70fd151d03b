//! The image of a sister family, where a family has none for the host's build: `windows` ended with
//! 20H2, `windows/server` begins with Windows Server 2022.

use std::sync::Arc;

use jiff::civil::Date;

use super::selection::Selection;
use crate::answers::context::Context;
use crate::answers::question::ResolveQuestion;
use crate::windows::Isolation;

/// The reference of the first sister with a tag that runs in process isolation on the host, as far
/// as its tags are known; no registry is queried for it.
pub(super) fn sister(context: &Context, question: &ResolveQuestion, today: Date) -> Option<String> {
    // Which tags it had then is a question of its own.
    let family = question.image.family.as_ref().filter(|_| question.as_of.is_none())?;
    // IIS has had no image on Nano Server since Windows Server 2016, only on Server Core.
    let base = question.tag.as_ref().and_then(|tag| tag.base?.base());
    let has_other_base = base.is_some_and(|base| base != family.base);
    let itself = has_other_base.then_some(&family.name);
    itself.into_iter().chain(&family.sisters).find_map(|name| {
        let image = Arc::new(context.families.read(name).ok()?);
        let tags = context.catalogue.known_tags(&image.repository)?;
        let isolation = Some(Isolation::Process);
        let question = ResolveQuestion { image, isolation, tag: None, ..question.clone() };
        let plan = Selection::new(&question, &tags, &context.tables, today).plan().ok()?;
        Some(format!("{}:{}", question.image.repository, plan.first()?.tag.text))
    })
}
