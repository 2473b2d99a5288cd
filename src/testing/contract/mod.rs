//! The laws that a layer has to keep, as one test for any layer.
//!
//! tower leaves a lot to the good will of a layer's author. This kit holds a layer to it: it puts the
//! layer over a [`Probe`], a service that notices misuse, plays many small scenes (answers, failures,
//! panics, late readiness, few places, several callers) and drops each call at every point where it
//! can be dropped. A law that does not hold ends in a panic that names the [`Law`] and the scene.
//!
//! ```
//! use std::future::Future;
//! use std::pin::Pin;
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicUsize, Ordering};
//! use std::task::{Context, Poll};
//!
//! use seawall::testing::contract::Contract;
//! use tower::Service;
//!
//! /// Counts the calls under way.
//! #[derive(Clone)]
//! struct Counted<S> {
//!     inner: S,
//!     calls: Arc<AtomicUsize>,
//! }
//!
//! struct OneCall(Arc<AtomicUsize>);
//!
//! impl Drop for OneCall {
//!     fn drop(&mut self) {
//!         self.0.fetch_sub(1, Ordering::Relaxed);
//!     }
//! }
//!
//! impl<S, Req> Service<Req> for Counted<S>
//! where
//!     S: Service<Req>,
//!     S::Future: 'static,
//! {
//!     type Response = S::Response;
//!     type Error = S::Error;
//!     type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>>>>;
//!
//!     fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
//!         self.inner.poll_ready(cx)
//!     }
//!
//!     fn call(&mut self, request: Req) -> Self::Future {
//!         self.calls.fetch_add(1, Ordering::Relaxed);
//!         let counted = OneCall(self.calls.clone());
//!         let call = self.inner.call(request);
//!         Box::pin(async move {
//!             let _counted = counted; // given back at the end, and wherever this is dropped
//!             call.await
//!         })
//!     }
//! }
//!
//! # /*
//! #[tokio::test(start_paused = true)]
//! # */
//! async fn a_layer_of_mine_keeps_the_laws() {
//!     Contract::new(|| {
//!         let calls = Arc::new(AtomicUsize::new(0));
//!         let counter = calls.clone();
//!         let layer = tower::layer::layer_fn(move |inner| Counted { inner, calls: calls.clone() });
//!         // The layer, and how to see that nothing of it is taken.
//!         (layer, move || counter.load(Ordering::Relaxed) == 0)
//!     })
//!     .check()
//!     .await;
//! }
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
//! #     .block_on(a_layer_of_mine_keeps_the_laws());
//! ```
//!
//! It needs tokio's timer, and is meant for its paused clock (`#[tokio::test(start_paused = true)]`): a
//! layer that waits is given hours. What is to be checked in a certain state (an open circuit, a full
//! bulkhead) is brought into it by the closure. A callback that panics belongs into the closure too;
//! see [`may_panic`](Contract::may_panic).

mod law;
mod local;
mod probe;
mod readiness;
mod scene;
mod stage;

use std::time::Duration;

use tower_layer::Layer;
use tower_service::Service;

pub use law::Law;
pub use local::{Local, LocalFuture, check_local};
pub use probe::{Act, Backend, End, Fault, Probe, ProbeFuture};
use scene::{Exit, Scene};

/// The laws, for one layer in one state. See the [module](self).
#[derive(Clone, Debug)]
#[must_use = "nothing is checked until `check`"]
pub struct Contract<M, Q = fn() -> u32, A = fn() -> u32> {
    make: M,
    request: Q,
    response: A,
    rules: Rules,
}

/// What is to be expected of the layer.
#[derive(Clone, Debug, Default)]
struct Rules {
    refuses: bool,
    may_panic: bool,
    limits_time: bool,
    recovers_after: Duration,
    excepted: Vec<Law>,
}

impl Rules {
    /// Fails the test, unless the law does not hold for this layer.
    fn broken(&self, law: Law, what: &str, scene: &dyn std::fmt::Debug) {
        assert!(self.excepted.contains(&law), "contract broken: {law}: {what}; in {scene:?}");
    }

    fn demand(&self, holds: bool, law: Law, what: &str, scene: &dyn std::fmt::Debug) {
        if !holds {
            self.broken(law, what, scene);
        }
    }
}

impl<M> Contract<M> {
    /// For the layer that `make` makes: a new one with a state of its own at every call. Beside it
    /// `make` returns a look at that state: is nothing of it taken?
    pub fn new(make: M) -> Self {
        Self { make, request: || 1, response: || 1, rules: Rules::default() }
    }
}

impl<M, Q, A> Contract<M, Q, A> {
    /// Calls with these requests, and answers with these responses. Default: numbers.
    pub fn messages<Q2, A2>(self, request: Q2, response: A2) -> Contract<M, Q2, A2> {
        Contract { make: self.make, request, response, rules: self.rules }
    }

    /// The layer as it is made refuses every call; the probe must never be called.
    pub const fn refuses(mut self) -> Self {
        self.rules.refuses = true;
        self
    }

    /// A callback of the layer panics now and then. That may fail a call, but must cost no more.
    pub const fn may_panic(mut self) -> Self {
        self.rules.may_panic = true;
        self
    }

    /// The layer gives up calls that hang: there will be some.
    pub const fn limits_time(mut self) -> Self {
        self.rules.limits_time = true;
        self
    }

    /// After so long at rest the layer lets calls pass again. Default: at once.
    pub const fn recovers_after(mut self, rest: Duration) -> Self {
        self.rules.recovers_after = rest;
        self
    }

    /// This law does not hold for the layer, and you know why.
    pub fn except(mut self, law: Law) -> Self {
        self.rules.excepted.push(law);
        self
    }

    /// Holds the layer to every law.
    ///
    /// # Panics
    ///
    /// With the law's name if one is broken.
    pub async fn check<L, F, Req, Res>(self)
    where
        M: Fn() -> (L, F),
        F: Fn() -> bool,
        Q: Fn() -> Req,
        A: Fn() -> Res + Clone + Send + Sync + 'static,
        L: Layer<Probe<Res>>,
        L::Service: Service<Req> + Clone,
    {
        let Self { make, request, response, rules } = &self;
        readiness::clones_carry_nothing(make, request, response, rules).await;
        readiness::readiness_is_free(make, request, response, rules).await;
        for scene in Scene::all(rules) {
            let steps = stage::play(make, request, response, rules, scene).await;
            if !scene.has_exits() {
                continue;
            }
            // The same again, and each caller leaves after each of its steps.
            for (caller, steps) in steps.into_iter().enumerate() {
                for (step, woken) in (0..steps).flat_map(|step| [(step, false), (step, true)]) {
                    let scene = scene.with_exit(Exit { caller, step, woken });
                    stage::play(make, request, response, rules, scene).await;
                }
            }
        }
    }
}
