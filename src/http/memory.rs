//! What this room may hold at once, for the test that adds up all limits.

use super::body::{LARGE_REVIEWS, LISTS, QUESTIONS, REVIEWS};
use super::connections::MAX_ALL_HEADS_BYTES;
use super::middleware::MAX_ALL_RESPONSES_BYTES;
use crate::config::ClientLimits;

/// What a connection takes, measured with idle ones that were answered before.
const BYTES_PER_CONNECTION: usize = 15_900;

/// Each limit, in bytes.
pub fn limits() -> [(&'static str, usize); 6] {
    let connections = ClientLimits::default().max_connections.get() as usize;
    [
        ("connections", connections * BYTES_PER_CONNECTION),
        // A buffer that grows doubles.
        ("heads that have not arrived completely", 2 * MAX_ALL_HEADS_BYTES),
        ("bodies of questions", QUESTIONS.max_bytes()),
        ("bodies of lists", LISTS.max_bytes()),
        ("admission reviews", REVIEWS.max_bytes() + LARGE_REVIEWS.max_bytes()),
        ("answers of the last second", MAX_ALL_RESPONSES_BYTES),
    ]
}
