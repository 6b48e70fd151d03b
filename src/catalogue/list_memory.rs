//! The memory for lists of tags, wherever they are: in the cache, on their way to it, or only with
//! questions that still use them.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::registry::RegistryError;

/// The memory for the lists in the cache. Twenty repositories of 3,000 tags take 24 MB.
pub const MAX_TAG_BYTES: usize = 48 << 20;
/// The memory for lists that are not in the cache. One list may take all of it: 100,000 tags of
/// base images, or 40,000 of other software. Ours.
pub const MAX_NEW_LIST_BYTES: usize = 40 << 20;
/// How long a list waits for memory: as long as the questions that have it usually take.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// When a list that got none is fetched again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

static FREE_BYTES: Semaphore = Semaphore::const_new(MAX_TAG_BYTES + MAX_NEW_LIST_BYTES);

/// The memory of one list, held until this is dropped.
#[derive(Debug)]
pub struct ListMemory(SemaphorePermit<'static>);

impl ListMemory {
    /// Waits for so much.
    ///
    /// # Errors
    /// When there is not so much for a while.
    pub async fn acquire(bytes: usize) -> Result<Self, RegistryError> {
        let wanted = FREE_BYTES.acquire_many(u32::try_from(bytes).unwrap_or(u32::MAX));
        match tokio::time::timeout(MAX_WAIT, wanted).await {
            Ok(Ok(permit)) => Ok(Self(permit)),
            _ => Err(RegistryError::Suspended {
                detail: "too many large lists of tags are in use",
                retry_after: RETRY_AFTER,
                is_of_client: false,
            }),
        }
    }

    /// So much, if it is free.
    pub fn try_acquire(bytes: usize) -> Option<Self> {
        FREE_BYTES.try_acquire_many(u32::try_from(bytes).unwrap_or(u32::MAX)).ok().map(Self)
    }

    /// Holds only so much from now on.
    pub fn shrunk_to(mut self, bytes: usize) -> Self {
        match self.0.split(bytes) {
            Some(permit) => Self(permit),
            None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn h06_a_list_holds_its_memory_until_it_is_dropped() {
        let most = MAX_TAG_BYTES;
        let held = ListMemory::acquire(most).await.unwrap();
        assert!(ListMemory::try_acquire(most).is_none());
        let held = held.shrunk_to(1000);
        let more = ListMemory::try_acquire(most).unwrap();
        drop((held, more));
        assert!(ListMemory::try_acquire(most).is_some());
    }
}
