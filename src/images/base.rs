//! The base of an image, and how tags name it.

use crate::windows::Base;
use crate::words::words;

words! {
    /// The base of an image, as tags write it.
    pub enum TagBase {
        /// Windows Server Core.
        WindowsServerCore = "windowsservercore",
        /// Nano Server.
        NanoServer = "nanoserver",
        /// Windows Server Core, at GitLab.
        ServerCore = "servercore",
        /// Windows Server Core, in some tags of PowerShell.
        WindowsServer = "windowsserver",
        /// Windows, on a base that the tag does not name.
        Windows = "windows",
    }
}

impl TagBase {
    /// The base that decides how long the image is supported; `None` if the word does not say.
    pub const fn base(self) -> Option<Base> {
        match self {
            Self::NanoServer => Some(Base::Nanoserver),
            Self::WindowsServerCore | Self::ServerCore | Self::WindowsServer => {
                Some(Base::Servercore)
            }
            Self::Windows => None,
        }
    }
}
