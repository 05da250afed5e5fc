//! The rest of a body that a refusal left unread: it is read away before the refusal goes out, because many clients write
//! all of a request before they read anything, and find the connection closed instead of the answer.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Error;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::EXPECT;
use axum::response::Response;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// What the buffers between client and server take up in any case.
const BUFFERED_BYTES: u64 = 1 << 16;
/// How much is read away. Whoever sends more is cut off.
const READ_AWAY_BYTES_MAX: usize = 64 << 20;
/// How long it is read away, and how long nothing more may come in between.
const READ_AWAY_MAX: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_millis(300);

/// What `answer` leaves unread of a request that it refuses is read away first.
pub(super) async fn read_away<F>(request: Request, answer: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    let is_small = request.body().size_hint().exact().is_some_and(|bytes| bytes <= BUFFERED_BYTES);
    // Who asks before sending sends nothing more after a refusal.
    if is_small || request.headers().contains_key(EXPECT) {
        return answer(request).await;
    }
    let (back, mut unread) = oneshot::channel();
    let response = answer(request.map(|body| Body::new(Lent { body, back: Some(back) }))).await;
    let is_refused = response.status().is_client_error() || response.status().is_server_error();
    if is_refused && let Ok(mut body) = unread.try_recv() {
        let mut left = READ_AWAY_BYTES_MAX;
        let all = async {
            while let Ok(Some(Ok(frame))) = timeout(PAUSE_MAX, body.frame()).await {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                match left.checked_sub(bytes) {
                    Some(less) => left = less,
                    None => break,
                }
            }
        };
        // The refusal goes out whether the rest came or not.
        let _ = timeout(READ_AWAY_MAX, all).await;
    }
    response
}

/// A body that comes back when nobody reads it any more.
struct Lent {
    body: Body,
    back: Option<oneshot::Sender<Body>>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(back) = self.back.take() {
            // Nobody wants it back where the answer is on its way already.
            let _ = back.send(std::mem::take(&mut self.body));
        }
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
