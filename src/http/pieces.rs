//! Large bodies in pieces, for clients that read slowly.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;

/// The HTTP library gets a large body in pieces of this size.
const PIECE_BYTES: usize = 16 << 10;

/// A body that takes no more memory when its client reads slowly, or never: the HTTP library
/// copies all it gets at once.
pub fn in_pieces(body: Bytes) -> BoxBody {
    if body.len() > PIECE_BYTES { BoxBody::new(Pieces(body)) } else { BoxBody::new(body) }
}

/// The rest of a body.
struct Pieces(Bytes);

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        // The length of what is in memory is a length on the wire.
        BodySize::Sized(self.0.len() as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let bytes = self.0.len().min(PIECE_BYTES);
        let piece = self.0.split_to(bytes);
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }
}
