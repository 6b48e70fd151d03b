//! The entries of a cache, bounded in memory, in two parts: what a client asks for must not push
//! out the base images, nor what the cluster asks for.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;

use crate::clock::Now;

/// The memory divided by the reserved part of it. All base images together have some 3,000 tags,
/// which need a fifth of that part. The other part has room for the largest list. Ours.
const PARTS: u64 = 8;
/// The most keys that are reserved. Ours.
const MAX_RESERVED_KEYS: u64 = 10_000;
/// The reserved part divided by the largest entry that a reserved key puts into it, since anybody
/// may reserve a key. The manifest of a Windows image is far smaller. Ours.
const MIN_RESERVED_ENTRIES: u64 = 64;

/// A fact and when it was learnt.
#[derive(Debug)]
pub struct CacheEntry<V> {
    /// The fact.
    pub value: Arc<V>,
    /// When the registry gave it. Of a loaded fact, `elapsed` is the moment of loading.
    pub learnt: Now,
    /// How old a fact from a snapshot was when it was loaded, by the wall clock; `None` for what a
    /// registry gave to this process.
    pub age_when_loaded: Option<Duration>,
    /// Whether it was got with credentials, so that it is only for as long as the registry accepts
    /// them.
    pub is_private: bool,
}

impl<V> Clone for CacheEntry<V> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), ..*self }
    }
}

impl<V> CacheEntry<V> {
    /// The time since the registry gave the fact.
    pub fn age(&self, now: Now) -> Duration {
        now.elapsed
            .saturating_sub(self.learnt.elapsed)
            .saturating_add(self.age_when_loaded.unwrap_or_default())
    }
}

/// The entries. Cheap to clone; clones share them.
pub struct Entries<K, V> {
    reserved: Cache<K, CacheEntry<V>>,
    others: Cache<K, CacheEntry<V>>,
    /// Keys whose entries are reserved wherever they come from.
    reserved_keys: Cache<K, ()>,
    weigh: fn(&V) -> usize,
}

// A derived `Clone` would ask for `V: Clone`.
impl<K, V> Clone for Entries<K, V> {
    fn clone(&self) -> Self {
        Self {
            reserved: self.reserved.clone(),
            others: self.others.clone(),
            reserved_keys: self.reserved_keys.clone(),
            weigh: self.weigh,
        }
    }
}

impl<K, V> Entries<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// None yet, and at most `max_bytes` as `weigh` weighs their values.
    pub fn new(max_bytes: u64, weigh: fn(&V) -> usize) -> Self {
        let part = |bytes| {
            Cache::builder()
                .max_capacity(bytes)
                .weigher(move |_, entry: &CacheEntry<V>| {
                    u32::try_from(weigh(&entry.value)).unwrap_or(u32::MAX)
                })
                .build()
        };
        let reserved = max_bytes / PARTS;
        Self {
            reserved: part(reserved),
            others: part(max_bytes - reserved),
            reserved_keys: Cache::new(MAX_RESERVED_KEYS),
            weigh,
        }
    }

    /// The entry for a key.
    pub fn get(&self, key: &K) -> Option<CacheEntry<V>> {
        self.reserved.get(key).or_else(|| self.others.get(key))
    }

    /// Whether there is an entry for a key.
    pub fn has(&self, key: &K) -> bool {
        self.reserved.contains_key(key) || self.others.contains_key(key)
    }

    /// Replaces the entry for a key, and waits until the memory is within its bound again.
    pub fn insert(&self, key: K, entry: CacheEntry<V>, is_reserved: bool) {
        let is_reserved =
            is_reserved || (self.reserved_keys.contains_key(&key) && self.is_small(&entry));
        let (part, other) = match is_reserved {
            true => (&self.reserved, &self.others),
            false => (&self.others, &self.reserved),
        };
        other.invalidate(&key);
        part.insert(key, entry);
        // Otherwise several large values are in memory before the first is evicted.
        part.run_pending_tasks();
    }

    /// Reserves room for the entry of a key, also for a later one.
    pub fn reserve(&self, key: &K) {
        self.reserved_keys.insert(key.clone(), ());
        if let Some(entry) = self.others.get(key) {
            self.insert(key.clone(), entry, false);
        }
    }

    /// Evicts the entry for a key.
    pub fn remove(&self, key: &K) {
        self.reserved.invalidate(key);
        self.others.invalidate(key);
    }

    /// All entries, the reserved ones first.
    pub fn iter(&self) -> impl Iterator<Item = (Arc<K>, CacheEntry<V>)> {
        self.reserved.iter().chain(self.others.iter())
    }

    fn is_small(&self, entry: &CacheEntry<V>) -> bool {
        let max_bytes = self.reserved.policy().max_capacity().unwrap_or(u64::MAX);
        u64::try_from((self.weigh)(&entry.value))
            .is_ok_and(|bytes| bytes <= max_bytes / MIN_RESERVED_ENTRIES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::list_memory::{MAX_NEW_LIST_BYTES, MAX_TAG_BYTES};
    use crate::clock::Clock;

    /// Entries whose values are their weights.
    fn entries() -> (Entries<u32, usize>, impl Fn(usize) -> CacheEntry<usize>) {
        let now = Clock::manual("2026-08-12T00:00:00Z".parse().unwrap()).now();
        let entry = move |bytes| CacheEntry {
            value: Arc::new(bytes),
            learnt: now,
            age_when_loaded: None,
            is_private: false,
        };
        (Entries::new(40_000, |bytes| *bytes), entry)
    }

    #[test]
    fn h16_other_entries_do_not_push_out_reserved_ones() {
        let (entries, entry) = entries();
        entries.insert(0, entry(100), true);
        // One that is known before it is reserved, and one that is not yet.
        entries.insert(1, entry(100), false);
        entries.reserve(&1);
        entries.reserve(&2);
        entries.insert(2, entry(100), false);
        for key in 100..200 {
            entries.insert(key, entry(10_000), false);
            // In use, so that it is wanted more than the others.
            for _ in 0..10 {
                entries.get(&key);
            }
        }
        assert!([0, 1, 2].iter().all(|key| entries.get(key).is_some()));
        assert!(entries.iter().any(|(key, _)| *key >= 100));
    }

    #[test]
    fn h16_a_large_entry_is_not_reserved_by_its_key() {
        let (entries, entry) = entries();
        entries.reserve(&1);
        entries.insert(1, entry(1000), false);
        assert!(entries.has(&1) && !entries.reserved.contains_key(&1));
    }

    #[test]
    fn h06_the_bound_holds_after_each_insertion() {
        let (entries, entry) = entries();
        for key in 0..100 {
            entries.insert(key, entry(9000), false);
            let bytes: usize = entries.iter().map(|(_, entry)| *entry.value).sum();
            assert!(bytes <= 35_000, "{bytes}");
        }
    }

    #[test]
    fn the_largest_list_has_room_beside_the_reserved_entries() {
        let (_, entry) = entries();
        let entries = Entries::new(MAX_TAG_BYTES as u64, |bytes: &usize| *bytes);
        entries.insert(1, entry(MAX_NEW_LIST_BYTES), false);
        assert!(entries.has(&1));
    }
}
