//! What is known of a tag on a former day, in words.

use super::remark::Remark;
use super::remark_code::RemarkCode;
use crate::catalogue::{Basis, Moment, Then};
use crate::windows::WindowsVersion;

/// The warning about what a tag pointed to on a former day, unless it was seen then.
pub(super) fn remark(tag: &str, then: &Then) -> Option<Remark> {
    let Then { as_of, basis, observed, around: [before, after] } = then;
    let seen = |(moment, version): &(Moment, Option<WindowsVersion>)| {
        let at = version.map_or_else(String::new, |version| format!(" at {version}"));
        match moment {
            Moment::Month(_) => format!("in {moment}{at}"),
            Moment::Day(_) => format!("on {moment}{at}"),
            Moment::At(_) => format!("at {moment}{at}"),
        }
    };
    let mut known = match (before, observed) {
        (Some(before), _) => format!("it was seen {}", seen(before)),
        (None, Some(observed)) => format!("it existed by {observed}"),
        (None, None) => "only its name is recorded".to_owned(),
    };
    if let Some(after) = after {
        known += &format!(", and next {}", seen(after));
    }
    let why = match basis {
        Basis::Seen => return None,
        Basis::Unknown => {
            let message = format!("what {tag} pointed to on {as_of} is not known: {known}");
            return Some(Remark::new(RemarkCode::AsOfUnknown, message));
        }
        Basis::ByUpdates => "no updates came out between, with which tags move",
        Basis::AfterSupport => "tags do not move after the end of support",
        Basis::Fixed => "a tag that names its update or day does not move",
    };
    let message = format!("{tag} was not seen on {as_of} itself: {known}, and {why}");
    Some(Remark::new(RemarkCode::AsOfByRule, message))
}
