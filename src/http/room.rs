//! Memory that all clients share, and of which one client may hold a part only.
//!
//! When all of it is held, the client that holds most loses first, if that is more than the one
//! that asks for memory would have.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::clients::Client;

/// An amount of memory.
pub struct Room {
    max_bytes: usize,
    max_bytes_of_client: usize,
    state: Mutex<State>,
}

struct State {
    held_bytes: usize,
    last_number: u64,
    /// By client, and by a number that grows with each. Clients without a share are together.
    parts: BTreeMap<(Option<Client>, u64), Part>,
}

struct Part {
    bytes: usize,
    /// Who to wake when it is taken away. Without it, it cannot be.
    taken: Option<Arc<Notify>>,
}

/// A part of the memory, held until this is dropped.
pub struct Held {
    room: &'static Room,
    key: (Option<Client>, u64),
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
        let state = State { held_bytes: 0, last_number: 0, parts: BTreeMap::new() };
        Self { max_bytes, max_bytes_of_client, state: Mutex::new(state) }
    }

    /// The most that is held by all clients together.
    #[cfg(test)]
    pub const fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Nothing yet, for this client; without one, only the limit for all holds. When what is held
    /// is needed for another client, `taken` is notified, and it is no longer held.
    pub fn hold(&'static self, client: Option<Client>, taken: Arc<Notify>) -> Held {
        let mut state = self.lock();
        state.last_number += 1;
        let key = (client, state.last_number);
        state.parts.insert(key, Part { bytes: 0, taken: Some(taken) });
        Held { room: self, key }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn of_client(&self, client: Option<Client>) -> usize {
        self.parts.range((client, 0)..=(client, u64::MAX)).map(|(_, part)| part.bytes).sum()
    }

    /// Takes the largest part of the client that holds most, if that is more than this. It looks at
    /// all parts, which is done only when there is no memory left.
    fn take_from_largest(&mut self, than: usize) -> bool {
        let can_lose = |(key, part): &(&(Option<Client>, u64), &Part)| {
            key.0.is_some() && part.bytes > 0 && part.taken.is_some()
        };
        let candidates = self.parts.iter().filter(can_lose);
        let sizes = candidates.map(|(key, part)| (self.of_client(key.0), part.bytes, *key));
        let Some((_, bytes, key)) = sizes.max().filter(|(of_client, ..)| *of_client > than) else {
            return false;
        };
        self.held_bytes -= bytes;
        if let Some(taken) = self.parts.remove(&key).and_then(|part| part.taken) {
            taken.notify_one();
        }
        true
    }
}

impl Held {
    /// Holds this much instead.
    ///
    /// # Errors
    /// When there is not so much left, or when it was taken away.
    pub fn set(&mut self, bytes: usize) -> Result<(), Full> {
        let mut state = self.room.lock();
        let before = state.parts.get(&self.key).ok_or(Full::OfAll)?.bytes;
        if bytes > before {
            let of_client = state.of_client(self.key.0) - before + bytes;
            if self.key.0.is_some() && of_client > self.room.max_bytes_of_client {
                return Err(Full::OfClient);
            }
            while state.held_bytes - before + bytes > self.room.max_bytes {
                if !state.take_from_largest(of_client) {
                    return Err(Full::OfAll);
                }
            }
        }
        state.held_bytes = state.held_bytes - before + bytes;
        if let Some(part) = state.parts.get_mut(&self.key) {
            part.bytes = bytes;
        }
        Ok(())
    }

    /// Holds it to the end, whoever needs it.
    ///
    /// # Errors
    /// When it was taken away before.
    pub fn keep(&mut self) -> Result<(), Full> {
        self.room.lock().parts.get_mut(&self.key).ok_or(Full::OfAll)?.taken = None;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.room.lock();
        if let Some(part) = state.parts.remove(&self.key) {
            state.held_bytes -= part.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn hold(room: &'static Room, last_byte: u8) -> Held {
        room.hold(Some(Client::of(IpAddr::from([192, 0, 2, last_byte]))), Arc::default())
    }

    #[test]
    fn h03_a_client_holds_its_part_and_all_hold_no_more_than_there_is() {
        static ROOM: Room = Room::new(100, 40);
        let hold = |last_byte| hold(&ROOM, last_byte);
        let (mut one, mut same, mut other) = (hold(1), hold(1), hold(2));
        assert_eq!(
            (one.set(30), same.set(11), same.set(10)),
            (Ok(()), Err(Full::OfClient), Ok(()))
        );
        assert_eq!(other.set(40), Ok(()));
        for held in [&mut one, &mut same, &mut other] {
            assert_eq!(held.keep(), Ok(()));
        }
        let mut proxy = ROOM.hold(None, Arc::default());
        assert_eq!((proxy.set(21), proxy.set(20)), (Err(Full::OfAll), Ok(())));
        drop(one);
        assert_eq!((proxy.set(50), same.set(0)), (Ok(()), Ok(())));
        drop((same, other, proxy));
        let state = ROOM.lock();
        assert_eq!((state.held_bytes, state.parts.len()), (0, 0));
    }

    #[test]
    fn h03_the_client_that_holds_most_loses_first() {
        static ROOM: Room = Room::new(100, 40);
        let mut all = [1, 2, 3, 3].map(|client| hold(&ROOM, client));
        for (held, bytes) in all.iter_mut().zip([38, 22, 30, 10]) {
            assert_eq!(held.set(bytes), Ok(()));
        }
        let mut other = hold(&ROOM, 4);
        assert_eq!(other.set(40), Err(Full::OfAll), "it would have as much as the largest");
        // The third has most, and its larger part goes.
        assert_eq!((other.set(20), all[2].set(1)), (Ok(()), Err(Full::OfAll)));
        // What arrived whole stays: of the first, which has most now, and of those behind it.
        assert_eq!((all[0].keep(), all[2].keep()), (Ok(()), Err(Full::OfAll)));
        let mut another = hold(&ROOM, 5);
        assert_eq!((another.set(20), all[1].keep()), (Ok(()), Err(Full::OfAll)));
        assert_eq!(all[0].set(39), Ok(()));
        let held = ROOM.lock().held_bytes;
        assert_eq!(held, 38 + 1 + 10 + 20 + 20);
        drop((all, other, another));
        let state = ROOM.lock();
        assert_eq!((state.held_bytes, state.parts.len()), (0, 0));
    }
}
