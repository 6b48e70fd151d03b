//! The memory for what registries send, until it is in its final form: one sum for all requests, so
//! that many large answers at once do not take more than there is.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::RegistryError;

/// The most that is held at once: three of the largest lists, or hundreds of the usual ones. Ours.
pub const MAX_RECEIVED_BYTES: usize = 16 << 20;
/// The unit in which it is held.
const PIECE_BYTES: usize = 1 << 10;
/// When it is tried again: most answers are read within less.
const RETRY_AFTER: Duration = Duration::from_secs(1);

static FREE_PIECES: Semaphore = Semaphore::const_new(MAX_RECEIVED_BYTES / PIECE_BYTES);

/// A part of the memory, held until this is dropped.
#[derive(Debug, Default)]
pub struct ReceivedMemory(Option<SemaphorePermit<'static>>);

impl ReceivedMemory {
    /// Holds so much, unless it holds more already.
    ///
    /// # Errors
    /// When there is not so much left.
    pub fn grow_to(&mut self, bytes: usize) -> Result<(), RegistryError> {
        let held = self.0.as_ref().map_or(0, SemaphorePermit::num_permits);
        let missing = bytes.div_ceil(PIECE_BYTES).saturating_sub(held);
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        let more = FREE_PIECES.try_acquire_many(missing).map_err(|_| RegistryError::Suspended {
            detail: "too much data of registries is being read at once",
            retry_after: RETRY_AFTER,
            is_of_client: false,
        })?;
        match &mut self.0 {
            Some(held) => held.merge(more),
            None => self.0 = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h06_all_that_is_received_has_one_bound() {
        let mut all = ReceivedMemory::default();
        // Tests beside this one hold little.
        let most = MAX_RECEIVED_BYTES * 3 / 4;
        assert_eq!(all.grow_to(most), Ok(()));
        let mut more = ReceivedMemory::default();
        assert!(matches!(more.grow_to(most), Err(RegistryError::Suspended { .. })));
        drop(all);
        assert_eq!((more.grow_to(most), more.grow_to(1)), (Ok(()), Ok(())));
    }
}
