//! The one compatibility rule: which image runs on which host, per isolation mode, and why.
//!
//! [`verdict`] is its only implementation. It works on numbers alone, so that a build which is in
//! no table gets an answer too. The rules are named R1 to R12 as in the table below; each reason
//! carries the public source it comes from.
//!
//! | rule | says |
//! |---|---|
//! | R1 | Hyper-V isolation: the image's build is not above the host's |
//! | R2 | process isolation below build 20348: the builds are equal |
//! | R3 | process isolation from 20348 on: images from the long-term release before the host's on |
//! | R4 | 14393: process isolation needs the same revision too |
//! | R5 | warning: host and image on different sides of the February 2020 update |
//! | R6 | warning: equal builds, server host, image revision above the host's |
//! | R7 | clients: process isolation from 17763 on, for development; Home runs no containers |
//! | R8 | the default, and so the recommended, mode is process on servers and Hyper-V on clients |
//! | R9 | Kubernetes runs process isolation only |
//! | R10 | the Annual Channel (25398) has no images of its own |
//! | R11 | Hyper-V isolation needs the Hyper-V role; in a virtual machine, nested virtualization |
//! | R12 | containerd applies the process rule when it pulls |

use crate::words::words;

use super::builds::{
    BUILD_25H2, BUILD_1709, BUILD_1803, BUILD_2016, BUILD_2019, BUILD_2022, BUILD_2025,
    BUILD_ANNUAL_23H2, stable_floor,
};
use super::host::{Edition, HostFacts};
use super::reason::Reason;
use super::release::HostKind;
use super::version::WindowsVersion;

words! {
    /// Where a container runs.
    #[derive(Default)]
    pub enum Platform {
        /// A Docker engine on its own.
        #[default]
        Docker = "docker",
        /// A Kubernetes node.
        Kubernetes = "kubernetes",
        /// A Docker Swarm node.
        Swarm = "swarm",
    }

    /// How a Windows container is isolated from its host.
    pub enum Isolation {
        /// The container shares the host's kernel.
        Process = "process",
        /// The container has a kernel of its own in a small virtual machine.
        HyperV = "hyperv",
    }

    /// Whether an image runs.
    pub enum Verdict {
        /// It runs.
        Yes = "yes",
        /// It does not run.
        No = "no",
        /// It runs if a condition holds that the input does not settle; the reason names it.
        Conditional = "conditional",
        /// The image does not say which Windows it is.
        Unknown = "unknown",
    }
}

/// The verdict for one isolation mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModeVerdict {
    /// Whether the image runs in this mode.
    pub verdict: Verdict,
    /// Why; the most helpful reason first.
    pub reasons: Vec<Reason>,
    /// What may go wrong although the rule allows it, or what is disputed.
    pub warnings: Vec<Reason>,
}

/// The verdict for one host and one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compatibility {
    /// In process isolation.
    pub process: ModeVerdict,
    /// In Hyper-V isolation.
    pub hyperv: ModeVerdict,
}

impl Compatibility {
    /// The verdict for this mode.
    pub fn of(&self, isolation: Isolation) -> &ModeVerdict {
        match isolation {
            Isolation::Process => &self.process,
            Isolation::HyperV => &self.hyperv,
        }
    }

    /// The modes that work without a further condition, process first.
    pub fn supported(&self) -> Vec<Isolation> {
        Isolation::ALL
            .into_iter()
            .filter(|isolation| self.of(*isolation).verdict == Verdict::Yes)
            .collect()
    }

    /// Why, in both modes, as codes; a code that both share is there once.
    pub fn reason_codes(&self) -> Vec<&'static str> {
        let reasons = self.process.reasons.iter().chain(&self.hyperv.reasons);
        let mut codes: Vec<&'static str> = reasons.map(|reason| reason.as_str()).collect();
        codes.dedup();
        codes
    }

    /// The mode to use on this kind of host: its default where that works (R8), else the other.
    pub fn recommended(&self, kind: HostKind) -> Option<Isolation> {
        let supported = self.supported();
        let default = default_isolation(kind);
        if supported.contains(&default) { Some(default) } else { supported.first().copied() }
    }
}

/// The mode that an engine uses by default (R8; moby, daemon_windows.go,
/// setDefaultIsolation).
pub const fn default_isolation(kind: HostKind) -> Isolation {
    match kind {
        HostKind::Server => Isolation::Process,
        HostKind::Client => Isolation::HyperV,
    }
}

/// Whether this image runs on this host, per isolation mode, with reasons.
///
/// `image` is the image's os.version, or `None` when the image does not carry one.
pub fn verdict(
    host: HostFacts,
    image: Option<WindowsVersion>,
    platform: Platform,
) -> Compatibility {
    let Some(image) = image else {
        let unknown = ModeVerdict {
            verdict: Verdict::Unknown,
            reasons: vec![Reason::ImageWithoutOsVersion],
            warnings: Vec::new(),
        };
        return Compatibility { process: unknown.clone(), hyperv: unknown };
    };
    let process = process(host, image, platform);
    let hyperv = hyperv(host, image, platform, process.verdict);
    Compatibility { process, hyperv }
}

/// Whether a HostProcess container runs on this host. It uses the host's own Windows, so that the
/// version of its image does not matter; there is no such container elsewhere.
pub fn host_process_verdict(host: HostFacts, platform: Platform) -> Compatibility {
    let runs = platform == Platform::Kubernetes && host.kind == HostKind::Server;
    let mode =
        |verdict, reason| ModeVerdict { verdict, reasons: vec![reason], warnings: Vec::new() };
    let refused = || mode(Verdict::No, Reason::HostProcessNeedsKubernetes);
    let process = if runs { mode(Verdict::Yes, Reason::HostProcess) } else { refused() };
    let hyperv = match platform {
        Platform::Kubernetes if runs => mode(Verdict::No, Reason::KubernetesProcessOnly),
        _ => refused(),
    };
    Compatibility { process, hyperv }
}

fn process(host: HostFacts, image: WindowsVersion, platform: Platform) -> ModeVerdict {
    let (verdict, reason) = process_rule(host, image);
    let mut warnings = revision_warnings(host, image);
    let build = host.version.build;
    if verdict == Verdict::Yes {
        if host.kind == HostKind::Client {
            warnings.push(Reason::ClientProcessIsForDevelopment);
            if build < BUILD_2022 {
                warnings.push(Reason::ClientProcessDisputed);
            }
        }
        if build > BUILD_2025 && image.build < BUILD_2025 {
            warnings.push(Reason::EngineMayRefusePull);
        }
        if build >= BUILD_2025 && image.build < BUILD_2025 {
            warnings.push(Reason::FieldReportsPreferHyperV);
        }
        warnings.extend(reported_to_fail(host, image));
    }
    if verdict == Verdict::No && is_enablement_pair(build, image.build) {
        warnings.push(Reason::ReportedToRunUnsupported);
    }
    if platform == Platform::Kubernetes
        && (host.kind == HostKind::Client || ![BUILD_2022, BUILD_2025].contains(&build))
    {
        warnings.push(Reason::KubernetesNodeNotListed);
    }
    ModeVerdict { verdict, reasons: vec![reason], warnings }
}

/// The pair of which users report failures in both modes.
fn reported_to_fail(host: HostFacts, image: WindowsVersion) -> Option<Reason> {
    let is_newer_client = host.kind == HostKind::Client && host.version.build == BUILD_25H2;
    (is_newer_client && image.build == BUILD_2025).then_some(Reason::ReportedToFailOnNewerClient)
}

fn process_rule(host: HostFacts, image: WindowsVersion) -> (Verdict, Reason) {
    let build = host.version.build;
    if host.edition == Edition::Home {
        return (Verdict::No, Reason::EditionWithoutContainers);
    }
    if image.build > build {
        return (Verdict::No, Reason::ImageNewerThanHost);
    }
    if host.kind == HostKind::Client && build < BUILD_2019 {
        return (Verdict::No, Reason::ClientTooOldForProcess);
    }
    if build >= BUILD_2022 {
        return if image.build < stable_floor(build) {
            (Verdict::No, Reason::ImageBeforeStableInterface)
        } else if image.build == build {
            (Verdict::Yes, Reason::SameBuild)
        } else {
            (Verdict::Yes, Reason::StableInterface)
        };
    }
    if image.build != build {
        return (Verdict::No, Reason::BuildDiffers);
    }
    if build != BUILD_2016 {
        return (Verdict::Yes, Reason::SameBuild);
    }
    match (host.version.revision, image.revision) {
        (Some(of_host), Some(of_image)) if of_host == of_image => {
            (Verdict::Yes, Reason::SameRevision)
        }
        (Some(_), Some(_)) => (Verdict::No, Reason::RevisionDiffers),
        (None, _) => (Verdict::Conditional, Reason::HostRevisionUnknown),
        (Some(_), None) => (Verdict::Conditional, Reason::ImageRevisionUnknown),
    }
}

/// The warnings that compare revisions; they hold whatever the verdict is.
fn revision_warnings(host: HostFacts, image: WindowsVersion) -> Vec<Reason> {
    let mut warnings = Vec::new();
    if host.version.build != image.build {
        return warnings;
    }
    if let (Some(of_host), Some(of_image)) = (host.version.revision, image.revision) {
        if host.kind == HostKind::Server && of_image > of_host {
            warnings.push(Reason::ImageRevisionNewerThanHost);
        }
        if let Some(baseline) = BASELINES.iter().find(|baseline| baseline.build == image.build)
            && (of_host >= baseline.first_host_revision)
                != (of_image >= baseline.first_image_revision)
        {
            warnings.push(Reason::AcrossFebruary2020);
        }
    }
    let disputed = [BUILD_1709, BUILD_1803].contains(&image.build);
    if disputed && (image.revision.is_none() || image.revision != host.version.revision) {
        warnings.push(Reason::RevisionMatchDisputed);
    }
    warnings
}

/// The first revisions of a build with the February 2020 change of the 32-bit interface (R5).
struct Baseline {
    build: u32,
    /// Update of 11 February 2020 for hosts.
    first_host_revision: u32,
    /// Container-only update of 18 February 2020 (KB4546850 to KB4546853).
    first_image_revision: u32,
}

/// Hosts: the updates of 2020-02-11 (KB4537764, KB4537762, KB4532691, KB4532693). Images:
/// Microsoft's page "Update Windows Server containers", table of 1B, 2B and 3B images.
const BASELINES: [Baseline; 5] = [
    Baseline { build: 14393, first_host_revision: 3504, first_image_revision: 3506 },
    Baseline { build: 17134, first_host_revision: 1304, first_image_revision: 1305 },
    Baseline { build: 17763, first_host_revision: 1039, first_image_revision: 1040 },
    Baseline { build: 18362, first_host_revision: 657, first_image_revision: 658 },
    Baseline { build: 18363, first_host_revision: 657, first_image_revision: 658 },
];

/// Hosts that are an older build with an enablement package: the same kernel under another number.
/// People report that the images of the older build run there, which Microsoft's table denies.
fn is_enablement_pair(host_build: u32, image_build: u32) -> bool {
    matches!((host_build, image_build), (18363, 18362) | (19042..=19045, 19041))
}

fn hyperv(
    host: HostFacts,
    image: WindowsVersion,
    platform: Platform,
    process: Verdict,
) -> ModeVerdict {
    let refused =
        |reason| ModeVerdict { verdict: Verdict::No, reasons: vec![reason], warnings: Vec::new() };
    if host.edition == Edition::Home {
        return refused(Reason::EditionWithoutContainers);
    }
    if platform == Platform::Kubernetes {
        return refused(Reason::KubernetesProcessOnly);
    }
    if image.build > host.version.build {
        return refused(Reason::ImageNewerThanHost);
    }
    let mut warnings = vec![Reason::HyperVNeedsRole];
    if process != Verdict::Yes {
        warnings.push(Reason::ContainerdMayRefusePull);
    }
    if host.version.build == BUILD_ANNUAL_23H2 && host.kind == HostKind::Server {
        warnings.push(Reason::AnnualChannelHyperVUndocumented);
    }
    warnings.extend(reported_to_fail(host, image));
    let mut reasons = vec![Reason::HyperVRunsOlderOrEqual];
    if host.kind == HostKind::Client && process == Verdict::Yes {
        reasons.push(Reason::HyperVIsClientDefault);
    }
    ModeVerdict { verdict: Verdict::Yes, reasons, warnings }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn server(text: &str) -> HostFacts {
        HostFacts {
            version: text.parse().unwrap(),
            kind: HostKind::Server,
            edition: Edition::Other,
        }
    }

    fn client(text: &str) -> HostFacts {
        HostFacts { kind: HostKind::Client, ..server(text) }
    }

    fn check(host: HostFacts, image: &str, process: Verdict, hyperv: Verdict) {
        let image = image.parse().unwrap();
        let compatibility = verdict(host, Some(image), Platform::Docker);
        assert_eq!(compatibility.process.verdict, process, "process: {host:?} {image}");
        assert_eq!(compatibility.hyperv.verdict, hyperv, "hyperv: {host:?} {image}");
    }

    #[test]
    fn the_worked_examples_of_the_2017_page() {
        use Verdict::{Conditional, No, Yes};
        check(server("10.0.14393.1715"), "10.0.14393.1715", Yes, Yes);
        check(server("10.0.14393.1715"), "10.0.14393.1770", No, Yes);
        check(server("10.0.14393"), "10.0.14393", Conditional, Yes);
        check(server("10.0.14393"), "10.0.16299", No, No);
        check(server("10.0.16299"), "10.0.14393", No, Yes);
        check(server("10.0.16299"), "10.0.16299", Yes, Yes);
        check(client("10.0.14393"), "10.0.14393", No, Yes);
        check(client("10.0.15063"), "10.0.14393", No, Yes);
        check(client("10.0.15063"), "10.0.16299", No, No);
        check(client("10.0.16299"), "10.0.16299", No, Yes);
    }

    #[test]
    fn the_stable_interface_floor() {
        use Verdict::{No, Yes};
        for host in
            ["10.0.20348", "10.0.22000", "10.0.25398", "10.0.26100", "10.0.26200", "10.0.28000"]
        {
            check(server(host), "10.0.20348", Yes, Yes);
            check(server(host), "10.0.19042", No, Yes);
            check(server(host), "10.0.17763", No, Yes);
        }
        check(server("10.0.26200"), "10.0.26100", Yes, Yes);
        check(server("10.0.25398"), "10.0.26100", No, No);
        check(server("10.0.20348"), "10.0.25398", No, No);
    }

    #[test]
    fn builds_that_are_in_no_table_get_an_answer() {
        check(server("10.0.27842"), "10.0.26100", Verdict::Yes, Verdict::Yes);
        check(server("10.0.18999"), "10.0.18999", Verdict::Yes, Verdict::Yes);
    }

    fn process_warnings(host: HostFacts, image: &str) -> Vec<Reason> {
        verdict(host, Some(image.parse().unwrap()), Platform::Docker).process.warnings
    }

    #[test]
    fn february_2020_and_newer_revisions_warn() {
        assert_eq!(process_warnings(server("10.0.17763.973"), "10.0.17763.914"), []);
        assert_eq!(
            process_warnings(server("10.0.17763.1039"), "10.0.17763.1039"),
            [Reason::AcrossFebruary2020]
        );
        assert_eq!(
            process_warnings(server("10.0.17763.1039"), "10.0.17763.1040"),
            [Reason::ImageRevisionNewerThanHost]
        );
        assert_eq!(
            process_warnings(server("10.0.17763.1098"), "10.0.17763.973"),
            [Reason::AcrossFebruary2020]
        );
        assert_eq!(
            process_warnings(server("10.0.26100.2894"), "10.0.26100.3194"),
            [Reason::ImageRevisionNewerThanHost]
        );
        assert_eq!(
            process_warnings(client("10.0.26100.7623"), "10.0.26100.32230"),
            [Reason::ClientProcessIsForDevelopment]
        );
    }

    #[test]
    fn kubernetes_and_home() {
        let on_kubernetes = verdict(
            server("10.0.20348"),
            Some(WindowsVersion::of_build(17763)),
            Platform::Kubernetes,
        );
        assert!(on_kubernetes.supported().is_empty());
        let home = HostFacts { edition: Edition::Home, ..client("10.0.22631") };
        assert!(
            verdict(home, Some(WindowsVersion::of_build(20348)), Platform::Docker)
                .supported()
                .is_empty()
        );
    }

    #[test]
    fn the_recommended_mode_is_the_default_where_that_works() {
        let image = Some(WindowsVersion::of_build(20348));
        let on = |host: HostFacts| verdict(host, image, Platform::Docker).recommended(host.kind);
        assert_eq!(on(server("10.0.20348")), Some(Isolation::Process));
        assert_eq!(on(client("10.0.22631")), Some(Isolation::HyperV));
        assert_eq!(on(server("10.0.17763")), None);
    }

    /// Builds around every threshold of the rule, and any other.
    fn any_build() -> impl Strategy<Value = u32> {
        prop_oneof![
            prop::sample::select(vec![
                14393, 15063, 16299, 17134, 17763, 18362, 18363, 19041, 19042, 19045, 20347, 20348,
                22000, 25398, 26100, 26200, 28000
            ]),
            14000..30000u32,
            any::<u32>(),
        ]
    }

    /// Revisions small enough to meet, and any other.
    fn any_revision() -> impl Strategy<Value = Option<u32>> {
        prop::option::of(prop_oneof![0..5000u32, any::<u32>()])
    }

    prop_compose! {
        fn any_host()(
            build in any_build(), revision in any_revision(), client: bool, home: bool
        ) -> HostFacts {
            HostFacts {
                version: WindowsVersion { build, revision },
                kind: if client { HostKind::Client } else { HostKind::Server },
                edition: if home && client { Edition::Home } else { Edition::Other },
            }
        }
    }

    fn any_platform() -> impl Strategy<Value = Platform> {
        prop::sample::select(Platform::ALL.to_vec())
    }

    proptest! {
        #[test]
        fn an_image_newer_than_its_host_never_runs(
            host in any_host(), build in any_build(), revision in any_revision(),
            platform in any_platform()
        ) {
            prop_assume!(build > host.version.build);
            let compatibility = verdict(host, Some(WindowsVersion { build, revision }), platform);
            prop_assert_eq!(compatibility.process.verdict, Verdict::No);
            prop_assert_eq!(compatibility.hyperv.verdict, Verdict::No);
        }

        #[test]
        fn process_means_an_equal_build_below_the_stable_interface(
            mut host in any_host(), below in 14000..20348u32, equal: bool, build in any_build(),
            revision in any_revision(), platform in any_platform()
        ) {
            host.version.build = below;
            let image = WindowsVersion { build: if equal { below } else { build }, revision };
            let process = verdict(host, Some(image), platform).process;
            if process.verdict != Verdict::No {
                prop_assert_eq!(image.build, host.version.build);
            }
        }

        #[test]
        fn every_verdict_has_a_reason(
            host in any_host(), build in any_build(), revision in any_revision(),
            platform in any_platform()
        ) {
            let compatibility = verdict(host, Some(WindowsVersion { build, revision }), platform);
            prop_assert!(!compatibility.process.reasons.is_empty());
            prop_assert!(!compatibility.hyperv.reasons.is_empty());
        }

        /// Warnings stay when an image's revision is raised above its host's. The one that may go
        /// is the February 2020 one, when the raise takes the image to its host's side; a server
        /// host then has the warning of the newer revision in its place, so there are never fewer.
        #[test]
        fn raising_the_revision_above_the_hosts_never_removes_a_warning(
            mut host in any_host(), host_revision in 0..4000u32,
            lower in 0..4000u32, raise in 1..4000u32,
            platform in any_platform()
        ) {
            host.version.revision = Some(host_revision);
            let build = host.version.build;
            let lower = WindowsVersion::new(build, lower.min(host_revision));
            let before = verdict(host, Some(lower), platform).process.warnings;
            let raised = WindowsVersion::new(build, host_revision + raise);
            let after = verdict(host, Some(raised), platform).process.warnings;
            for warning in &before {
                prop_assert!(
                    after.contains(warning) || *warning == Reason::AcrossFebruary2020,
                    "{warning:?} is gone: {after:?}"
                );
            }
            if host.kind == HostKind::Server {
                prop_assert!(after.contains(&Reason::ImageRevisionNewerThanHost));
                prop_assert!(after.len() >= before.len());
            }
        }
    }
}
