//! The way of answers to the client: a body that holds a bounded number of bytes and makes its writer wait beyond that.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use futures::Stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Nobody reads the answers any more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gone;

/// Where answers are put in.
#[derive(Debug)]
pub(super) struct Outlet {
    sender: mpsc::UnboundedSender<(Bytes, u32)>,
    /// A permit for each byte that may still be put in; so the channel is bounded, though it does not bound itself.
    room: Arc<Semaphore>,
    bytes_max: u32,
}

/// A body that holds at most so many bytes that were not read, or one piece that is larger. It keeps its place among
/// the batches that are taken at once for as long as it holds anything.
pub(super) fn outlet(bytes_max: usize, place: OwnedSemaphorePermit) -> (Outlet, Body) {
    let bytes_max = u32::try_from(bytes_max.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
    let (sender, receiver) = mpsc::unbounded_channel();
    let room = Arc::new(Semaphore::new(bytes_max as usize));
    let body = Body::from_stream(Answers { receiver, room: Arc::clone(&room), _place: place });
    (Outlet { sender, room, bytes_max }, body)
}

impl Outlet {
    /// Puts a piece in, once there is room.
    ///
    /// # Errors
    /// [`Gone`] when nobody reads any more.
    pub(super) async fn put(&self, piece: Vec<u8>) -> Result<(), Gone> {
        let weight = u32::try_from(piece.len()).unwrap_or(u32::MAX).min(self.bytes_max);
        self.room.acquire_many(weight).await.map_err(|_| Gone)?.forget();
        self.sender.send((Bytes::from(piece), weight)).map_err(|_| Gone)
    }
}

/// What the client reads.
struct Answers {
    receiver: mpsc::UnboundedReceiver<(Bytes, u32)>,
    room: Arc<Semaphore>,
    _place: OwnedSemaphorePermit,
}

impl Stream for Answers {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.receiver.poll_recv(context).map(|received| {
            received.map(|(piece, weight)| {
                self.room.add_permits(weight as usize);
                Ok(piece)
            })
        })
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        // Who waits for room must learn that there will be none.
        self.room.close();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures::FutureExt;
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_writer_waits_until_there_is_room_and_is_told_when_nobody_reads() {
        let places = Arc::new(Semaphore::new(1));
        let (outlet, mut body) = outlet(4, Arc::clone(&places).try_acquire_owned().unwrap());
        outlet.put(b"abc".to_vec()).await.unwrap();
        assert!(outlet.put(b"de".to_vec()).now_or_never().is_none());
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "abc");
        outlet.put(b"more than four".to_vec()).await.unwrap();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "more than four");
        outlet.put(b"abcd".to_vec()).await.unwrap();
        let waiting = outlet.put(b"e".to_vec());
        drop(body);
        assert_eq!(waiting.await, Err(Gone));
        assert_eq!(places.available_permits(), 1);
    }
}
