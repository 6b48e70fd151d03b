//! The places for connections, and the memory for unfinished heads: what one client may have of
//! them, and who loses when they run out.
//!
//! A connection over the share of its client is closed when it is accepted, whatever it would ask.
//! When all places are taken, the client with the most connections loses its oldest one, so that a
//! client with few, such as a health check, always gets in. The memory for heads is allotted in the
//! same way.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use futures_util::task::AtomicWaker;

use super::clients::{Client, Clients};

/// One client may have a fourth of all connections.
const CONNECTION_SHARES: usize = 4;
/// The memory for unfinished heads of all connections, beyond what each has read at once. Nearly
/// all heads arrive in one piece and need nothing of it. Ours.
pub const MAX_ALL_HEADS_BYTES: usize = 4 << 20;
/// One client may have an eighth of it, which is enough for 28 heads of the largest size.
const HEAD_SHARES: usize = 8;

/// All connections of the public listener.
pub struct Connections {
    clients: Arc<Clients>,
    max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How many have a place, without those that have to close.
    count: usize,
    head_bytes: usize,
    last_number: u64,
    /// By client. Clients without a share are together.
    places: BTreeMap<Option<Client>, Places>,
}

/// The places of one client, by a number that grows with each.
type Places = BTreeMap<u64, Arc<Place>>;

/// The place of a connection.
#[derive(Default)]
struct Place {
    head_bytes: AtomicUsize,
    must_close: AtomicBool,
    waker: AtomicWaker,
}

/// A connection that has a place, until this is dropped.
pub struct OpenConnection {
    connections: Arc<Connections>,
    client: Option<Client>,
    number: u64,
    place: Arc<Place>,
}

impl Connections {
    /// No connections yet.
    pub fn new(clients: Arc<Clients>) -> Self {
        let max = clients.limits().max_connections.get() as usize;
        Self { clients, max, state: Mutex::default() }
    }

    /// A place for a new connection of this peer; `None` when it has to be closed.
    pub fn open(self: &Arc<Self>, peer: Option<IpAddr>) -> Option<OpenConnection> {
        let client = peer.and_then(|peer| self.clients.of_connection(peer));
        let mut state = self.lock();
        let has = state.places.get(&client).map_or(0, BTreeMap::len);
        if client.is_some() && has >= (self.max / CONNECTION_SHARES).max(1) {
            return None;
        }
        if state.count >= self.max {
            // The newcomer would have as many as the largest, and then loses.
            let (places, _) = state.largest(open_places, has + 1)?;
            let oldest = places.values().find(|place| !place.must_close())?.clone();
            state.close(&oldest);
        }
        let place = Arc::new(Place::default());
        state.count += 1;
        state.last_number += 1;
        let number = state.last_number;
        state.places.entry(client).or_default().insert(number, place.clone());
        drop(state);
        Some(OpenConnection { connections: self.clone(), client, number, place })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The places of the client that has most of something, if that is more than this. It looks at
    /// all clients, which is done only when something has run out.
    fn largest(&self, of: fn(&Places) -> usize, than: usize) -> Option<(&Places, usize)> {
        let limited = self.places.iter().filter(|(client, _)| client.is_some());
        let sizes = limited.map(|(_, places)| (places, of(places)));
        sizes.max_by_key(|(_, size)| *size).filter(|(_, size)| *size > than)
    }

    /// Closes a connection. What it has counts as free at once.
    fn close(&mut self, place: &Place) {
        place.must_close.store(true, Ordering::Relaxed);
        place.waker.wake();
        self.free(place);
    }

    fn free(&mut self, place: &Place) {
        self.count -= 1;
        self.head_bytes -= place.head_bytes.swap(0, Ordering::Relaxed);
    }
}

impl Place {
    fn must_close(&self) -> bool {
        self.must_close.load(Ordering::Relaxed)
    }

    fn head_bytes(&self) -> usize {
        self.head_bytes.load(Ordering::Relaxed)
    }
}

fn open_places(places: &Places) -> usize {
    places.values().filter(|place| !place.must_close()).count()
}

fn head_bytes(places: &Places) -> usize {
    places.values().map(|place| place.head_bytes()).sum()
}

impl OpenConnection {
    /// Whether it has to close, because its place is needed for another client.
    pub fn must_close(&self) -> bool {
        self.place.must_close()
    }

    /// What to wake when it has to close.
    pub fn wake_to_close(&self, waker: &Waker) {
        self.place.waker.register(waker);
    }

    /// Holds this much memory for an unfinished head; false when the client has its share already,
    /// or all of it is held by clients that have no more of it.
    pub fn hold_head(&self, bytes: usize) -> bool {
        let held = self.place.head_bytes();
        if bytes == held {
            return true;
        }
        let mut state = self.connections.lock();
        if self.must_close() {
            return false;
        }
        if bytes > held {
            let of_client = state.places.get(&self.client).map_or(0, head_bytes);
            let wanted = of_client - held + bytes;
            if self.client.is_some() && wanted > MAX_ALL_HEADS_BYTES / HEAD_SHARES {
                return false;
            }
            if state.head_bytes - held + bytes > MAX_ALL_HEADS_BYTES {
                let Some((places, _)) = state.largest(head_bytes, wanted) else { return false };
                let victim = places.values().max_by_key(|place| place.head_bytes()).cloned();
                let Some(victim) = victim else { return false };
                state.close(&victim);
            }
        }
        state.head_bytes = state.head_bytes - held + bytes;
        self.place.head_bytes.store(bytes, Ordering::Relaxed);
        true
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let mut state = self.connections.lock();
        if !self.must_close() {
            state.free(&self.place);
        }
        if let Some(places) = state.places.get_mut(&self.client) {
            places.remove(&self.number);
            if places.is_empty() {
                state.places.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::config::ClientLimits;

    fn connections(max: u32) -> Arc<Connections> {
        let max_connections = NonZeroU32::new(max).unwrap();
        let limits = ClientLimits { max_connections, ..ClientLimits::default() };
        Arc::new(Connections::new(Arc::new(Clients::new(limits))))
    }

    fn open(connections: &Arc<Connections>, last_byte: u8) -> Option<OpenConnection> {
        connections.open(Some(IpAddr::from([192, 0, 2, last_byte])))
    }

    #[test]
    fn h02_a_client_has_a_fourth_of_the_connections() {
        let connections = connections(16);
        let mut of_one: Vec<_> = (0..4).filter_map(|_| open(&connections, 1)).collect();
        assert_eq!(of_one.len(), 4);
        assert!(open(&connections, 1).is_none());
        assert!(open(&connections, 2).is_some());
        of_one.pop();
        assert!(open(&connections, 1).is_some());
    }

    #[test]
    fn h02_the_client_with_most_connections_loses_first() {
        let connections = connections(8);
        let mut all = Vec::new();
        for client in [1, 1, 2, 2, 3, 3, 4] {
            all.push(open(&connections, client).unwrap());
        }
        // Without a share: this machine.
        let own = connections.open(Some(IpAddr::from([127, 0, 0, 1]))).unwrap();
        // All have one or two, so that one with one already is refused.
        assert!(open(&connections, 4).is_none());
        let newcomer = open(&connections, 5).unwrap();
        let closed = |all: &[OpenConnection]| {
            all.iter().filter(|open| open.must_close()).map(|open| open.number).collect::<Vec<_>>()
        };
        assert_eq!((closed(&all).len(), own.must_close()), (1, false));
        let second = open(&connections, 6).unwrap();
        let first_two = closed(&all);
        assert_eq!(first_two.len(), 2, "another one has to close");
        // Closed ones are counted no more, however late they go.
        drop(all);
        drop((newcomer, second, own));
        let state = connections.lock();
        assert_eq!((state.count, state.places.len()), (0, 0));
    }

    #[test]
    fn h01_unfinished_heads_have_a_share_and_an_end() {
        const SHARE: usize = MAX_ALL_HEADS_BYTES / HEAD_SHARES;
        let connections = connections(1000);
        let (one, other) = (open(&connections, 1).unwrap(), open(&connections, 1).unwrap());
        assert!(one.hold_head(SHARE - 1) && other.hold_head(1));
        assert!(!other.hold_head(2));
        assert!(one.hold_head(0) && other.hold_head(SHARE));
        // Eight clients have it all; a ninth takes from the one with most.
        let others: Vec<_> = (2..9).filter_map(|client| open(&connections, client)).collect();
        assert!(others.iter().all(|open| open.hold_head(SHARE)));
        let ninth = open(&connections, 9).unwrap();
        assert!(ninth.hold_head(10));
        let closed = others.iter().chain([&other]).filter(|open| open.must_close()).count();
        assert_eq!(closed, 1);
        drop((one, other, others, ninth));
        assert_eq!(connections.lock().head_bytes, 0);
    }
}
