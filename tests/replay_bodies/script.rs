//! A body that does what it is told, and what attempts get to see of it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use seawall::http::ReplayBody;
use tokio_test::task;

/// What the original does when it is polled; after the last of it, it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    Data(Bytes),
    Trailers(u8),
    /// Pending once; the test polls again.
    Stay,
    Fail,
    Panic,
}

#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) steps: VecDeque<Does>,
    /// Says how long it is, and when it has ended.
    pub(crate) honest: bool,
    /// Counts polls.
    pub(crate) polls: Arc<AtomicUsize>,
}

impl Script {
    pub(crate) fn new(steps: impl IntoIterator<Item = Does>, honest: bool) -> Self {
        Self { steps: steps.into_iter().collect(), honest, polls: Arc::default() }
    }
}

pub(crate) fn data(data: &'static str) -> Does {
    Does::Data(Bytes::from_static(data.as_bytes()))
}

pub(crate) fn trailers(n: u8) -> HeaderMap {
    HeaderMap::from_iter([(http::header::ETAG, http::HeaderValue::from(u16::from(n)))])
}

impl Body for Script {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(match self.steps.pop_front() {
            None => None,
            Some(Does::Data(data)) => Some(Ok(Frame::data(data))),
            Some(Does::Trailers(n)) => Some(Ok(Frame::trailers(trailers(n)))),
            Some(Does::Stay) => return Poll::Pending,
            Some(Does::Fail) => {
                self.steps.clear();
                Some(Err(std::io::ErrorKind::BrokenPipe.into()))
            }
            Some(Does::Panic) => panic!("the body's own panic"),
        })
    }

    fn size_hint(&self) -> SizeHint {
        if !self.honest {
            return SizeHint::new();
        }
        let length = |step: &Does| if let Does::Data(data) = step { data.len() as u64 } else { 0 };
        SizeHint::with_exact(self.steps.iter().map(length).sum())
    }

    fn is_end_stream(&self) -> bool {
        self.honest && self.steps.is_empty()
    }
}

/// What an attempt has sent, as it would be on the wire, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// What it said of its length at first.
    pub(crate) length: Option<u64>,
    pub(crate) data: Vec<u8>,
    pub(crate) trailers: Vec<HeaderMap>,
    pub(crate) end: Option<Result<(), String>>,
}

/// An attempt under way.
pub(crate) struct Attempt<B: Body> {
    pub(crate) body: Pin<Box<ReplayBody<B>>>,
    pub(crate) sent: Sent,
}

impl<B> Attempt<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    pub(crate) fn new(body: ReplayBody<B>) -> Self {
        let mut sent = Sent { length: body.size_hint().exact(), ..Sent::default() };
        // No client polls a body that says that it is empty.
        sent.end = body.is_end_stream().then_some(Ok(()));
        Self { body: Box::pin(body), sent }
    }

    /// One poll, as a client does it.
    pub(crate) fn step(&mut self) {
        if self.sent.end.is_some() {
            return;
        }
        let hint = self.body.size_hint();
        let polled = task::spawn(()).enter(|cx, _| self.body.as_mut().poll_frame(cx));
        match polled {
            Poll::Pending => {}
            Poll::Ready(None) => self.sent.end = Some(Ok(())),
            Poll::Ready(Some(Err(error))) => self.sent.end = Some(Err(error.to_string())),
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    assert!(data.len() as u64 <= hint.upper().unwrap_or(u64::MAX));
                    self.sent.data.extend_from_slice(data);
                }
                self.sent.trailers.extend(frame.trailers_ref().cloned());
                if self.body.is_end_stream() {
                    self.sent.end = Some(Ok(()));
                }
            }
        }
    }

    pub(crate) fn finish(mut self) -> Sent {
        for _ in 0..10_000 {
            if self.sent.end.is_some() {
                return self.sent;
            }
            self.step();
        }
        panic!("stuck: {:?}", self.sent);
    }
}
