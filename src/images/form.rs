//! The forms of tags.

use crate::words::words;

words! {
    /// The form of a tag.
    pub enum TagKind {
        /// Names a release and moves with its updates.
        Release = "release",
        /// Names one update by its KB.
        Kb = "kb",
        /// Names one update by its version.
        Build = "build",
        /// Any other form. It is listed, never chosen.
        Other = "other",
    }

    /// The form of a tag to choose.
    #[derive(Default)]
    pub enum Pin {
        /// The floating tag of the release, which has the latest updates.
        #[default]
        Release = "release",
        /// The tag that names the KB.
        Kb = "kb",
        /// The tag that names the full version.
        Build = "build",
    }
}
