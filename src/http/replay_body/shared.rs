//! What all attempts at one body share: the original, and what has come of it so far.

use std::error::Error as StdError;
use std::fmt;
use std::task::Waker;

use bytes::Buf;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::BoxError;
use crate::sync::Lock;

/// What a frame counts for at least, so that a body of tiny frames is bounded too.
const LEAST: usize = 64;

pub(super) struct Shared<B: Body> {
    state: Lock<State<B>>,
    /// What the original said of itself before it began.
    pub(super) hint: SizeHint,
    pub(super) was_empty: bool,
}

/// Nothing of the original's own runs under the lock: it is lent out to be polled. An attempt has a
/// number and the frames have positions, so that attempts side by side would only need a position each.
struct State<B: Body> {
    original: Original<B>,
    /// Why the original has broken, for an attempt that comes to that place later.
    error: Option<BoxError>,
    has_ended: bool,
    kept: Vec<Piece<B::Data>>,
    /// What the pieces count for.
    cost: usize,
    limit: usize,
    /// May there be a further attempt?
    repeats: bool,
    /// The attempt that reads, and how many pieces it has given out.
    reader: u32,
    position: usize,
    /// The attempt that will read once it is polled.
    standby: Option<u32>,
    newest: u32,
    /// The reader's, once it has been kept waiting: by the original, by its successor, or by an attempt
    /// before it that has the original still.
    waiting: Option<Waker>,
}

enum Original<B> {
    Here(B),
    /// Being polled.
    Lent,
    /// It has ended, broken or panicked, or goes on with the only attempt that is left.
    Gone,
}

enum Piece<D> {
    Data(D),
    Trailers(Box<HeaderMap>),
}

/// What an attempt has to do next.
pub(super) enum Next<B: Body> {
    Frame {
        frame: Frame<B::Data>,
        last: bool,
    },
    /// Poll the original, and give it back.
    Original(B),
    /// Go on with the original; nobody will ask for it again.
    Alone(B),
    End,
    Broken(BoxError),
    Pending,
}

impl<B: Body> Shared<B> {
    pub(super) fn new(body: B, limit: usize) -> Self {
        let (hint, was_empty) = (body.size_hint(), body.is_end_stream());
        let state = State {
            original: Original::Here(body),
            error: None,
            has_ended: false,
            kept: Vec::new(),
            cost: 0,
            limit,
            repeats: true,
            reader: 0,
            position: 0,
            standby: None,
            newest: 0,
            waiting: None,
        };
        Self { state: Lock::new(state), hint, was_empty }
    }

    /// The number of one more attempt.
    pub(super) fn stand_by(&self) -> Option<u32> {
        let mut state = self.state.lock();
        if !state.repeats {
            return None;
        }
        state.newest = state.newest.wrapping_add(1);
        state.standby = Some(state.newest);
        state.standby
    }

    /// An attempt is over. What it has not read is there for the next one.
    pub(super) fn leave(&self, number: u32) {
        let mut state = self.state.lock();
        let woken = if state.standby == Some(number) {
            state.standby = None;
            state.waiting.take()
        } else {
            None
        };
        drop(state);
        wake(woken);
    }

    /// There will be no further attempt.
    pub(super) fn forget(&self) {
        let mut state = self.state.lock();
        state.repeats = false;
        let freed = state.free();
        drop(state);
        drop(freed);
    }

    pub(super) fn next(&self, number: u32, waker: &Waker) -> Next<B>
    where
        B::Data: Clone,
    {
        let mut state = self.state.lock();
        let woken = state.take_over(number);
        let next = state.next(number, waker);
        let freed = state.free();
        drop(state);
        wake(woken);
        drop(freed);
        next
    }
}

impl<B: Body> State<B> {
    /// From its first poll on the newest attempt is the one that reads.
    fn take_over(&mut self, number: u32) -> Option<Waker> {
        if self.standby != Some(number) {
            return None;
        }
        self.standby = None;
        self.reader = number;
        self.position = 0;
        self.waiting.take()
    }

    fn next(&mut self, number: u32, waker: &Waker) -> Next<B>
    where
        B::Data: Clone,
    {
        if self.reader != number {
            return Next::Broken(Box::new(Superseded));
        }
        // Reading on now could make the attempt that stands by impossible.
        if self.standby.is_some() {
            self.wait(waker);
            return Next::Pending;
        }
        if let Some(piece) = self.kept.get(self.position) {
            let frame = match piece {
                Piece::Data(data) => Frame::data(data.clone()),
                Piece::Trailers(trailers) => Frame::trailers((**trailers).clone()),
            };
            self.position += 1;
            return Next::Frame { frame, last: self.has_ended && self.has_caught_up() };
        }
        if self.has_ended {
            return Next::End;
        }
        match std::mem::replace(&mut self.original, Original::Gone) {
            Original::Here(body) if self.repeats => {
                self.original = Original::Lent;
                Next::Original(body)
            }
            Original::Here(body) => Next::Alone(body),
            Original::Lent => {
                self.original = Original::Lent;
                self.wait(waker);
                Next::Pending
            }
            Original::Gone => Next::Broken(self.error.take().unwrap_or_else(|| Box::new(Lost))),
        }
    }

    fn wait(&mut self, waker: &Waker) {
        if !self.waiting.as_ref().is_some_and(|waiting| waiting.will_wake(waker)) {
            self.waiting = Some(waker.clone());
        }
    }

    const fn has_caught_up(&self) -> bool {
        self.position >= self.kept.len()
    }

    /// Has another attempt the say, or will it have?
    fn has_successor(&self, number: u32) -> bool {
        self.reader != number || self.standby.is_some()
    }

    /// What nobody will ask for any more, to be dropped without the lock.
    fn free(&mut self) -> Vec<Piece<B::Data>> {
        if self.repeats || self.standby.is_some() || !self.has_caught_up() {
            return Vec::new();
        }
        self.position = 0;
        std::mem::take(&mut self.kept)
    }
}

/// The original in the hands of the attempt that polls it. Dropped without being given back, it is lost.
pub(super) struct Loan<'a, B: Body> {
    shared: &'a Shared<B>,
    number: u32,
    body: Option<B>,
}

impl<'a, B: Body> Loan<'a, B> {
    pub(super) const fn new(shared: &'a Shared<B>, number: u32, body: B) -> Self {
        Self { shared, number, body: Some(body) }
    }

    pub(super) const fn body(&mut self) -> &mut B {
        self.body.as_mut().expect("lent")
    }

    /// After nothing. An attempt that is not the reader any more need not wait.
    pub(super) fn give_back(mut self, waker: &Waker) -> Result<(), BoxError> {
        let Some(body) = self.body.take() else { return Ok(()) };
        let number = self.number;
        self.settle(|state| {
            state.original = Original::Here(body);
            if state.reader != number {
                return Err(Box::new(Superseded).into());
            }
            state.wait(waker);
            Ok(())
        })
    }

    /// After a frame, which is kept. If it cannot be, the original comes back and is the attempt's own.
    pub(super) fn give_back_after(mut self, frame: &Frame<B::Data>, last: bool) -> Option<B>
    where
        B::Data: Clone,
    {
        let body = self.body.take()?;
        let (piece, cost) = piece(frame);
        let too_much = self.shared.hint.lower();
        let number = self.number;
        self.settle(|state| {
            let cost = state.cost.saturating_add(cost);
            let fits = cost <= state.limit && too_much <= state.limit as u64;
            // A successor needs it in any case; it is one frame at most.
            if state.has_successor(number) || fits && state.repeats {
                let has_caught_up = state.has_caught_up();
                state.kept.extend(piece);
                state.cost = cost;
                state.has_ended = last;
                state.original = Original::Here(body);
                if state.reader == number && has_caught_up {
                    state.position = state.kept.len();
                }
                return None;
            }
            state.repeats = false;
            state.original = Original::Gone;
            Some(body)
        })
    }

    /// The original has ended.
    pub(super) fn end(mut self) {
        let body = self.body.take();
        self.settle(|state| {
            state.original = Original::Gone;
            state.has_ended = true;
        });
        drop(body);
    }

    /// The original has broken. Comes back as what this attempt shall say.
    pub(super) fn fail(mut self, error: BoxError) -> BoxError {
        let body = self.body.take();
        let number = self.number;
        let error = self.settle(|state| {
            state.original = Original::Gone;
            state.repeats = false;
            if state.has_successor(number) {
                state.error = Some(error);
                return Box::new(Superseded) as BoxError;
            }
            error
        });
        drop(body);
        error
    }

    /// Changes the state, wakes a successor that waits for it, and frees what is not needed any more.
    fn settle<T>(&self, change: impl FnOnce(&mut State<B>) -> T) -> T {
        let mut state = self.shared.state.lock();
        let result = change(&mut state);
        let woken = if state.reader == self.number { None } else { state.waiting.take() };
        let freed = state.free();
        drop(state);
        wake(woken);
        drop(freed);
        result
    }
}

impl<B: Body> Drop for Loan<'_, B> {
    fn drop(&mut self) {
        if self.body.is_some() {
            self.settle(|state| {
                state.original = Original::Gone;
                state.repeats = false;
            });
        }
    }
}

/// How many bytes of data a frame has.
pub(super) fn length<D: Buf>(frame: &Frame<D>) -> usize {
    frame.data_ref().map_or(0, Buf::remaining)
}

/// What is kept of a frame, and what it counts for. An empty one is not worth keeping, nor is one of a
/// kind that no client knows.
fn piece<D: Buf + Clone>(frame: &Frame<D>) -> (Option<Piece<D>>, usize) {
    if let Some(data) = frame.data_ref().filter(|data| data.has_remaining()) {
        return (Some(Piece::Data(data.clone())), data.remaining().max(LEAST));
    }
    let Some(trailers) = frame.trailers_ref() else { return (None, 0) };
    let cost = trailers.iter().map(|(name, value)| name.as_str().len() + value.len() + LEAST);
    (Some(Piece::Trailers(Box::new(trailers.clone()))), cost.sum())
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// A later attempt has taken the original over.
#[derive(Debug)]
struct Superseded;

impl fmt::Display for Superseded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the attempt was given up for a later one")
    }
}

impl StdError for Superseded {}

/// The original panicked while it was polled.
#[derive(Debug)]
struct Lost;

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body was lost in an earlier attempt")
    }
}

impl StdError for Lost {}
