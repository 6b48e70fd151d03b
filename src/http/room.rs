//! Memory that all clients share, and of which one client may hold a part only.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::clients::Client;

/// An amount of memory.
pub struct Room {
    max_bytes: usize,
    max_bytes_of_client: usize,
    held: Mutex<HeldBytes>,
}

struct HeldBytes {
    all: usize,
    by_client: BTreeMap<Client, usize>,
}

/// A part of the memory, held until this is dropped.
pub struct Held {
    room: &'static Room,
    client: Option<Client>,
    bytes: usize,
}

/// Why no more can be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The client has its part.
    OfClient,
    /// All of it is held.
    OfAll,
}

impl Room {
    /// Memory of which nothing is held.
    pub const fn new(max_bytes: usize, max_bytes_of_client: usize) -> Self {
        let held = HeldBytes { all: 0, by_client: BTreeMap::new() };
        Self { max_bytes, max_bytes_of_client, held: Mutex::new(held) }
    }

    /// The most that is held by all clients together.
    #[cfg(test)]
    pub const fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Nothing yet, for this client; without one, only the limit for all holds.
    pub const fn hold(&'static self, client: Option<Client>) -> Held {
        Held { room: self, client, bytes: 0 }
    }

    fn lock(&self) -> MutexGuard<'_, HeldBytes> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Holds this much instead.
    ///
    /// # Errors
    /// When there is not so much left.
    pub fn set(&mut self, bytes: usize) -> Result<(), Full> {
        if bytes == self.bytes {
            return Ok(());
        }
        let mut held = self.room.lock();
        let all = held.all - self.bytes + bytes;
        if all > self.room.max_bytes {
            return Err(Full::OfAll);
        }
        if let Some(client) = self.client {
            let before = held.by_client.get(&client).copied().unwrap_or_default();
            let of_client = before - self.bytes + bytes;
            if of_client > self.room.max_bytes_of_client {
                return Err(Full::OfClient);
            }
            if of_client == 0 {
                held.by_client.remove(&client);
            } else {
                held.by_client.insert(client, of_client);
            }
        }
        held.all = all;
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Less is always possible.
        let _ = self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn h03_a_client_holds_its_part_and_all_hold_no_more_than_there_is() {
        static ROOM: Room = Room::new(100, 40);
        let hold = |last_byte| ROOM.hold(Some(Client::of(IpAddr::from([192, 0, 2, last_byte]))));
        let (mut one, mut same, mut other) = (hold(1), hold(1), hold(2));
        assert_eq!(
            (one.set(30), same.set(11), same.set(10)),
            (Ok(()), Err(Full::OfClient), Ok(()))
        );
        assert_eq!(other.set(40), Ok(()));
        let mut proxy = ROOM.hold(None);
        assert_eq!((proxy.set(21), proxy.set(20)), (Err(Full::OfAll), Ok(())));
        drop(one);
        assert_eq!((proxy.set(50), same.set(0)), (Ok(()), Ok(())));
        drop((same, other, proxy));
        let held = ROOM.lock();
        assert_eq!((held.all, held.by_client.len()), (0, 0));
    }
}
