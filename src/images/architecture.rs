//! The architecture of an image, and how tags name it.

use crate::words::{UnknownWord, words};

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
    /// Reads the word, also as other tools write it: `uname -m`, .NET and Windows.
    ///
    /// # Errors
    /// When it is none of these words.
    pub fn read(text: &str) -> Result<Self, UnknownWord> {
        match text.to_ascii_lowercase().as_str() {
            "x86_64" | "x64" => Ok(Self::Amd64),
            "aarch64" => Ok(Self::Arm64),
            word => word.parse(),
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_other_tools_are_read() {
        for (text, expected) in [
            ("amd64", Architecture::Amd64),
            ("x86_64", Architecture::Amd64),
            ("x64", Architecture::Amd64),
            ("AMD64", Architecture::Amd64),
            ("aarch64", Architecture::Arm64),
            ("ARM64", Architecture::Arm64),
            ("arm", Architecture::Arm),
        ] {
            assert_eq!(Architecture::read(text), Ok(expected), "{text}");
        }
        assert!(Architecture::read("x86").is_err());
    }
}
