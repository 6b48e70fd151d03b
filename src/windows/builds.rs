//! The builds that the compatibility rule names, and the floor of the stable container interface.

/// Windows Server 2016 and Windows 10, version 1607: the first build with containers.
pub const BUILD_2016: u32 = 14393;
/// Windows Server, version 1709.
pub(super) const BUILD_1709: u32 = 16299;
/// Windows Server, version 1803.
pub(super) const BUILD_1803: u32 = 17134;
/// Windows Server 2019 and Windows 10, version 1809.
pub const BUILD_2019: u32 = 17763;
/// Windows Server 2022. The stable container interface begins here (R3).
pub const BUILD_2022: u32 = 20348;
/// Windows Server, version 23H2: the Annual Channel (R10).
pub const BUILD_ANNUAL_23H2: u32 = 25398;
/// Windows Server 2025 and Windows 11, version 24H2.
pub const BUILD_2025: u32 = 26100;
/// Windows 11, version 25H2.
pub const BUILD_25H2: u32 = 26200;

/// The long-term builds of the stable-interface era, oldest first (containerd/platforms
/// v1.0.0-rc.5). The next long-term release is added here and moves the floor of its hosts to
/// 26100.
const STABLE_LONG_TERM_BUILDS: [u32; 2] = [BUILD_2022, BUILD_2025];

/// The oldest build whose images a host of the stable-interface era runs in process isolation (R3):
/// the long-term release before the host's own one, or the first of the era.
pub(super) fn stable_floor(host_build: u32) -> u32 {
    let own = STABLE_LONG_TERM_BUILDS.iter().rposition(|build| *build <= host_build).unwrap_or(0);
    STABLE_LONG_TERM_BUILDS.get(own.saturating_sub(1)).copied().unwrap_or(BUILD_2022)
}
