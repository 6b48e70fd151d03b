//! What runs the containers that a text is about, by the words that only one setting uses.

use std::sync::LazyLock;

use regex::Regex;

use super::pasted::MAX_MENTIONS;
use crate::windows::Platform;
use crate::words::words;

words! {
    /// What runs the container.
    #[derive(Default)]
    pub enum Setting {
        /// A Docker Engine on its own.
        #[default]
        Docker = "docker",
        /// A build by BuildKit.
        BuildKit = "buildkit",
        /// A Docker Swarm service.
        Swarm = "swarm",
        /// A Kubernetes pod.
        Kubernetes = "kubernetes",
        /// A task of Amazon ECS.
        Ecs = "ecs",
        /// containerd without Kubernetes: nerdctl or ctr.
        Containerd = "containerd",
    }
}

impl Setting {
    /// Whether its containers can run in Hyper-V isolation.
    pub const fn can_isolate_with_hyperv(self) -> bool {
        matches!(self, Self::Docker | Self::Swarm | Self::Containerd)
    }

    /// The platform whose compatibility rules apply.
    pub const fn platform(self) -> Platform {
        match self {
            Self::Kubernetes => Platform::Kubernetes,
            Self::Swarm => Platform::Swarm,
            Self::Docker | Self::BuildKit | Self::Ecs | Self::Containerd => Platform::Docker,
        }
    }
}

/// Every word of the tight text that only one setting uses, and the steps of BuildKit, which are in
/// the text given alone.
pub(super) fn settings(tight: &str, given: &str) -> Vec<(usize, Setting)> {
    let mut settings = Vec::new();
    if BUILDKIT_STEP.is_match(given) {
        settings.push((0, Setting::BuildKit));
    }
    for (setting, words) in SETTINGS {
        for word in *words {
            let found = tight.match_indices(word).take(MAX_MENTIONS);
            settings.extend(found.map(|(at, _)| (at, *setting)));
        }
    }
    // Compose prints the same about several containers, with an `s`.
    let is_container = |(at, word): &(usize, &str)| {
        tight.as_bytes().get(at + word.len()).is_some_and(|next| *next != b's')
    };
    let started = tight.match_indices(KUBELET_FAILED_TO_START).filter(is_container);
    settings.extend(started.take(MAX_MENTIONS).map(|(at, _)| (at, Setting::Kubernetes)));
    settings.sort_unstable();
    settings
}

/// The setting of the container that failed in the tight text: the last one before the end of the
/// error, else the first one after it.
pub(super) fn setting_at(settings: &[(usize, Setting)], end: usize) -> Setting {
    let before = settings.iter().take_while(|(at, _)| *at < end).last();
    before.or(settings.first()).map(|(_, setting)| *setting).unwrap_or_default()
}

/// Words of the tight text that only one setting uses.
const SETTINGS: &[(Setting, &[&str])] = &[
    (
        Setting::Kubernetes,
        &[
            "kubernetes.io/",
            "node-selectors:",
            "starterror",
            "containerversion:containerd://",
            "kubelet",
            "runtimeservicefailed",
            "kubectl",
            "podsandbox",
            "sandboxcontainer",
            "sandboximage",
            "crictl",
            "crashloopbackoff",
            "imagepullbackoff",
            "containercannotrun",
            "failedtopullimage",
        ],
    ),
    (
        Setting::Swarm,
        &[
            "dockerservice",
            "dockerstack",
            "startingcontainerfailed",
            "nosuitablenode",
            "desiredstatecurrentstate",
            "dockernode",
        ],
    ),
    (
        Setting::Ecs,
        &[
            "cannotpullcontainererror",
            "cannotstartcontainererror",
            "cannotcreatecontainererror",
            "arn:aws:ecs:",
        ],
    ),
    (
        Setting::BuildKit,
        &[
            "failedtosolve",
            "dockerbuildx",
            "buildkit",
            "[internal]load",
            "failedtoresolvesourcemetadata",
        ],
    ),
    (Setting::Containerd, &["nerdctl", "ctr:failed", "ctr-n", "ctrrun"]),
];
/// A step in the plain progress of BuildKit: `#8 [stage-1 2/5] RUN cmd`, `#8 0.731 output`.
static BUILDKIT_STEP: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m-u)^#[0-9]{1,4} (?:\[[a-z0-9/ -]{1,60}\] |[0-9]{1,6}\.[0-9]{1,3} )")
        .expect("a test compiles the pattern")
});
/// The kubelet's event for a container, whose name follows.
const KUBELET_FAILED_TO_START: &str = "error:failedtostartcontainer";
