//! The architecture of an image, and how tags name it.

use crate::words::words;

words! {
    /// The architecture as tags write it.
    pub enum TagArchitecture {
        /// 64-bit x86.
        Amd64 = "amd64",
        /// 64-bit ARM.
        Arm64 = "arm64",
        /// 32-bit ARM.
        Arm32v7 = "arm32v7",
        /// The older word for `arm32v7`.
        Arm = "arm",
    }

    /// The architecture of an image, as image indexes and configurations name it.
    #[derive(Default)]
    pub enum Architecture {
        /// 64-bit x86.
        #[default]
        Amd64 = "amd64",
        /// 64-bit ARM; images from ltsc2025 on.
        Arm64 = "arm64",
        /// 32-bit ARM; only a few nanoserver 1809 images.
        Arm = "arm",
    }
}

impl Architecture {
    /// How well a tag fits: 0 is best, `None` is another architecture. A tag that names no
    /// architecture is an index; the indexes of the base images hold amd64 only, so only a tag that
    /// names ARM fits ARM.
    pub const fn rank_of(self, named: Option<TagArchitecture>) -> Option<usize> {
        match (self, named) {
            (Self::Amd64, None)
            | (Self::Arm64, Some(TagArchitecture::Arm64))
            | (Self::Arm, Some(TagArchitecture::Arm32v7)) => Some(0),
            (Self::Amd64, Some(TagArchitecture::Amd64))
            | (Self::Arm, Some(TagArchitecture::Arm)) => Some(1),
            _ => None,
        }
    }
}
