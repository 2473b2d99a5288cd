//! The service at the bottom: it does as it is told and notices misuse.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tower_service::Service;

use crate::error::{FromRejected, Rejected};
use crate::sync::Lock;

/// What one call of a [`Probe`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Act {
    /// So many times it is pending, and waits for [`Backend::release`].
    pub pendings: u32,
    /// What it ends with.
    pub end: End,
}

/// What a call of a [`Probe`] ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// A response.
    Answer,
    /// [`Fault::Broken`].
    Fail,
    /// Nothing, ever.
    Hang,
    /// A panic of the future.
    Panic,
    /// A panic of `call` itself.
    PanicInCall,
}

/// The error of a [`Probe`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The probe was told to fail.
    Broken,
    /// A layer of seawall refused the call or gave it up.
    Rejected(Rejected),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken => f.write_str("the probe was told to fail"),
            Self::Rejected(rejected) => rejected.fmt(f),
        }
    }
}

impl StdError for Fault {}

impl FromRejected for Fault {
    fn from_rejected(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }

    fn as_rejected(&self) -> Option<&Rejected> {
        match self {
            Self::Broken => None,
            Self::Rejected(rejected) => Some(rejected),
        }
    }
}

/// What stands behind all clones of a [`Probe`]: tells them what to do, and counts.
///
/// A probe is like a service under tower's `ConcurrencyLimit`: being ready takes one of its places, which
/// is free again when the call has ended or the instance is dropped. A clone has no place.
#[derive(Debug)]
pub struct Backend<Res> {
    shared: Arc<Shared<Res>>,
}

struct Shared<Res> {
    response: Box<dyn Fn() -> Res + Send + Sync>,
    state: Lock<State>,
}

#[derive(Debug)]
struct State {
    script: Vec<Act>,
    usual: Act,
    late_readiness: u32,
    places: usize,
    /// Places taken, by instances that are ready and by calls.
    taken: usize,
    live: usize,
    calls: usize,
    misused: usize,
    panicked: usize,
    next_id: u64,
    /// Who waits for a release, in the order of coming.
    waits: BTreeMap<u64, Wait>,
    /// Instances that wait for a place.
    line: BTreeMap<u64, Waker>,
}

#[derive(Debug)]
struct Wait {
    left: u32,
    waker: Option<Waker>,
}

impl<Res> fmt::Debug for Shared<Res> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.state.fmt(f)
    }
}

impl<Res> Clone for Backend<Res> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<Res> Backend<Res> {
    /// A backend that always answers, at once, with these responses.
    pub fn new(response: impl Fn() -> Res + Send + Sync + 'static) -> Self {
        let state = State {
            script: Vec::new(),
            usual: Act { pendings: 0, end: End::Answer },
            late_readiness: 0,
            places: usize::MAX,
            taken: 0,
            live: 0,
            calls: 0,
            misused: 0,
            panicked: 0,
            next_id: 0,
            waits: BTreeMap::new(),
            line: BTreeMap::new(),
        };
        Self { shared: Arc::new(Shared { response: Box::new(response), state: Lock::new(state) }) }
    }

    /// A service.
    #[must_use]
    pub fn probe(&self) -> Probe<Res> {
        Probe { shared: self.shared.clone(), id: self.shared.id(), asked: false, place: None }
    }

    /// What the next calls do, one after the other, and what all later ones do.
    pub fn script(&self, next: &[Act], then: Act) {
        let mut state = self.shared.state.lock();
        // A call takes the last one.
        state.script = next.iter().rev().copied().collect();
        state.usual = then;
    }

    /// How many times each instance is pending before it is ready.
    pub fn late_readiness(&self, pendings: u32) {
        self.shared.state.lock().late_readiness = pendings;
    }

    /// How many instances may be ready or busy at once.
    pub fn places(&self, places: usize) {
        self.shared.state.lock().places = places;
    }

    /// Lets the one that is pending for longest go on by one step. Is there one?
    pub fn release(&self) -> bool {
        let mut state = self.shared.state.lock();
        let waker = state.waits.values_mut().find_map(|wait| {
            let waker = wait.waker.take()?;
            wait.left -= 1;
            Some(waker)
        });
        drop(state);
        waker.map(Waker::wake).is_some()
    }

    /// Calls under way.
    #[must_use]
    pub fn live(&self) -> usize {
        self.shared.state.lock().live
    }

    /// Instances that are ready and have not been called.
    #[must_use]
    pub fn held(&self) -> usize {
        let state = self.shared.state.lock();
        state.taken.saturating_sub(state.live)
    }

    /// Calls made so far.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.shared.state.lock().calls
    }

    /// Calls made so far on an instance that was not ready.
    #[must_use]
    pub fn misused(&self) -> usize {
        self.shared.state.lock().misused
    }

    /// Panics so far that it was told to have.
    #[must_use]
    pub fn panicked(&self) -> usize {
        self.shared.state.lock().panicked
    }
}

/// Without a word of the panic hook: there are many, and none is news.
fn quiet_panic() -> ! {
    resume_unwind(Box::new("the probe was told to panic"))
}

impl<Res> Shared<Res> {
    fn id(&self) -> u64 {
        let mut state = self.state.lock();
        state.next_id += 1;
        state.next_id
    }

    /// Waits for so many releases, the count beginning with the first question.
    fn wait(&self, id: u64, pendings: u32, waker: &Waker) -> Poll<()> {
        let mut state = self.state.lock();
        let wait = state.waits.entry(id).or_insert(Wait { left: pendings, waker: None });
        if wait.left == 0 {
            state.waits.remove(&id);
            return Poll::Ready(());
        }
        wait.waker = Some(waker.clone());
        Poll::Pending
    }

    fn forget(&self, id: u64) {
        let mut state = self.state.lock();
        let gone = (state.waits.remove(&id), state.line.remove(&id));
        drop(state);
        drop(gone);
    }
}

/// A service that does what its [`Backend`] says, and tells it when it is misused.
#[derive(Debug)]
pub struct Probe<Res> {
    shared: Arc<Shared<Res>>,
    id: u64,
    asked: bool,
    place: Option<Place<Res>>,
}

/// One of the places, until dropped.
#[derive(Debug)]
struct Place<Res> {
    shared: Arc<Shared<Res>>,
}

impl<Res> Drop for Place<Res> {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.taken -= 1;
        let line = std::mem::take(&mut state.line);
        drop(state);
        line.into_values().for_each(Waker::wake);
    }
}

impl<Res> Clone for Probe<Res> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), id: self.shared.id(), asked: false, place: None }
    }
}

impl<Res> Drop for Probe<Res> {
    fn drop(&mut self) {
        self.shared.forget(self.id);
    }
}

impl<Req, Res> Service<Req> for Probe<Res> {
    type Response = Res;
    type Error = Fault;
    type Future = ProbeFuture<Res>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        if self.place.is_some() {
            return Poll::Ready(Ok(()));
        }
        if !self.asked {
            let late = self.shared.state.lock().late_readiness;
            if self.shared.wait(self.id, late, cx.waker()).is_pending() {
                return Poll::Pending;
            }
            self.asked = true;
        }
        let mut state = self.shared.state.lock();
        if state.taken >= state.places {
            let old = state.line.insert(self.id, cx.waker().clone());
            drop(state);
            drop(old);
            return Poll::Pending;
        }
        state.taken += 1;
        state.line.remove(&self.id);
        drop(state);
        self.place = Some(Place { shared: self.shared.clone() });
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Req) -> ProbeFuture<Res> {
        let place = self.place.take();
        self.asked = false;
        let mut state = self.shared.state.lock();
        state.calls += 1;
        let act = state.script.pop().unwrap_or(state.usual);
        if place.is_none() {
            state.misused += 1;
        }
        if act.end == End::PanicInCall {
            state.panicked += 1;
            drop(state);
            quiet_panic();
        }
        state.live += 1;
        drop(state);
        let id = self.shared.id();
        ProbeFuture { shared: self.shared.clone(), id, act, live: Some(place), over: false }
    }
}

/// The response future of a [`Probe`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct ProbeFuture<Res> {
    shared: Arc<Shared<Res>>,
    id: u64,
    act: Act,
    /// The place, if the instance had one; gone when the call is over.
    live: Option<Option<Place<Res>>>,
    over: bool,
}

impl<Res> ProbeFuture<Res> {
    fn end(&mut self) {
        if let Some(place) = self.live.take() {
            self.shared.state.lock().live -= 1;
            drop(place);
        }
        self.shared.forget(self.id);
    }
}

impl<Res> Drop for ProbeFuture<Res> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<Res> Future for ProbeFuture<Res> {
    type Output = Result<Res, Fault>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        assert!(!self.over, "the probe's future was polled again after completion");
        if self.act.end == End::Hang {
            return Poll::Pending;
        }
        if self.shared.wait(self.id, self.act.pendings, cx.waker()).is_pending() {
            return Poll::Pending;
        }
        self.over = true;
        if self.act.end == End::Panic {
            self.shared.state.lock().panicked += 1;
            quiet_panic();
        }
        self.end();
        Poll::Ready(match self.act.end {
            End::Answer => Ok((self.shared.response)()),
            _ => Err(Fault::Broken),
        })
    }
}
