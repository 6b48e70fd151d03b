//! The memory that manifests take in the cache.

use crate::registry::{Entry, Manifest};

/// The approximate memory of a manifest, in bytes. The registry decides the number and length of
/// its texts, so they are measured.
pub fn manifest_weight(manifest: &Manifest) -> usize {
    /// The digest, the key and the cache's own bookkeeping.
    const BASE_BYTES: usize = 200;
    BASE_BYTES + manifest.entries.iter().map(entry_weight).sum::<usize>()
}

fn entry_weight(entry: &Entry) -> usize {
    // Taken apart in full, so that a new field cannot be forgotten here.
    let Entry {
        role: _,
        digest,
        operating_system: os,
        architecture,
        variant,
        os_version,
        os_features,
    } = entry;
    let platform = [os, architecture, variant, os_version].into_iter().flatten().map(String::len);
    let features = os_features.iter().map(|feature| size_of::<String>() + feature.len());
    size_of::<Entry>() + digest.as_str().len() + platform.chain(features).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::Digest;
    use crate::registry::EntryRole;

    #[test]
    fn s08_the_weight_of_a_manifest_covers_its_texts() {
        /// The most that is read of one platform: four texts and the features, each of 128 bytes.
        const TEXT_BYTES: usize = 128;
        const FEATURES: usize = 32;
        let text = || Some("x".repeat(TEXT_BYTES));
        let entry = Entry {
            digest: Digest::of(b""),
            operating_system: text(),
            architecture: text(),
            variant: text(),
            os_version: text(),
            os_features: vec!["x".repeat(TEXT_BYTES); FEATURES],
            role: EntryRole::Image,
        };
        let weight = |count| {
            let entries = vec![entry.clone(); count];
            manifest_weight(&Manifest { digest: Digest::of(b""), is_index: true, entries })
        };
        assert!(weight(1) > (4 + FEATURES) * TEXT_BYTES, "{}", weight(1));
        assert_eq!(weight(256) - weight(0), 256 * (weight(1) - weight(0)));
        assert!(weight(0) < 1000, "{}", weight(0));
    }
}
