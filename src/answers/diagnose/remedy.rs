//! Something to do about an error.

use crate::answers::resolve::Resolution;
use crate::windows::Isolation;

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// The stable code.
    pub code: &'static str,
    /// What to do, in words.
    pub message: String,
    /// The tag to use.
    pub tag: Option<String>,
    /// The image to use.
    pub reference: Option<String>,
    /// The isolation mode to use.
    pub isolation: Option<Isolation>,
    /// The command to run, or the line to write into a file, as the message says.
    pub command: Option<String>,
}

impl Remedy {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            tag: None,
            reference: None,
            isolation: None,
            command: None,
        }
    }

    pub(super) fn command(mut self, command: impl Into<String>) -> Self {
        self.command = Some(command.into());
        self
    }

    pub(super) fn isolated(mut self, isolation: Isolation) -> Self {
        self.isolation = Some(isolation);
        self
    }

    pub(super) fn image(mut self, repository: &dyn std::fmt::Display, tag: &str) -> Self {
        self.reference = Some(format!("{repository}:{tag}"));
        self.tag = Some(tag.to_owned());
        self
    }

    pub(super) fn resolved(self, resolution: &Resolution) -> Self {
        self.image(&resolution.image.repository, &resolution.tag).isolated(resolution.isolation)
    }
}
