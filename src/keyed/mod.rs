//! One instance per key drawn from the request: a circuit breaker for each host, a rate limiter for each tenant.
//!
//! # When
//!
//! Where names come with the requests, so that nobody knows them beforehand and there may be any number. Where the names are the
//! program's own, take a [`Registry`](crate::Registry).
//!
//! ```
//! use seawall::{Pipeline, keyed::{Keyed, KeyedLayer}};
//! # use seawall::keyed::key_fn;
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use std::borrow::Cow;
//! # use tower::{Service, ServiceExt};
//!
//! // Each key gets a pipeline of its own, which bears the key for a name.
//! let pipelines = Keyed::new("tenants", |tenant| {
//!     Pipeline::builder(tenant).retry(seawall::RetryConfig::safe()).build()
//! })?;
//! let tenant = key_fn(|request: &(String, u32)| Some(Cow::Borrowed(&*request.0)));
//! # let client = tower::service_fn(async |request: (String, u32)| Ok::<u32, std::io::Error>(request.1));
//! let mut service = tower::ServiceBuilder::new()
//!     .layer(KeyedLayer::new(pipelines.clone(), tenant))
//!     .service(client);
//!
//! assert_eq!(service.ready().await?.call(("acme".into(), 42)).await?, 42);
//! assert!(pipelines.find("acme").is_some());
//! # Ok(()) }
//! ```
//!
//! Over HTTP the key is usually the [`Host`] (a client of [`reqwest`](crate::reqwest) takes one with
//! [`per_host`](crate::reqwest::ClientBuilder::per_host)), a [`Header`], or one of some [`PathTemplates`]. Without tower ask for the
//! instance: [`Keyed::get`].
//!
//! # Bounds
//!
//! Whoever sends requests chooses the keys, so nothing grows with their number.
//!
//! | setting | default | what it bounds |
//! |---|---|---|
//! | [`max_entries`](KeyedBuilder::max_entries) | 1024 | instances there are, beside the one for overflow |
//! | [`idle_expiry`](KeyedBuilder::idle_expiry) | 10 min | an instance that nobody uses is given up after this, at most half as much later, as calls come |
//! | [`forget_after`](KeyedBuilder::forget_after) | never | even one whose circuit breaker is not at rest |
//! | [`max_key_length`](KeyedBuilder::max_key_length) | 256 bytes | longer keys share the instance for overflow |
//!
//! For a new key beyond the bound the least lately used of several is given up. What is *in use* is spared, whatever the reason to give it
//! up: through which a call is under way, up to the end of its body where a pattern holds on until then; of which anybody keeps a
//! handle; and whose circuit breaker is not at rest (open, half-open, or forced open: what it has learnt is not lost). What
//! the template gives to all keys, such as one retry budget, does not count.
//!
//! If nothing can be given up, new keys share one instance, named `overflow`, and
//! [`KeyedEvent::Overflow`](crate::telemetry::KeyedEvent) says so once; the next new key that gets an instance again ends that
//! ([`Recovered`](crate::telemetry::KeyedEvent)). Keys that have an instance notice nothing. The map is not searched in vain for each
//! of them: after a fruitless search the next is a second later.
//!
//! A rate limiter that is given up is forgotten with what it has granted. Whoever can make up keys can so get more than the rate of
//! one; set `max_entries` to more than there are honest keys.
//!
//! # Cost
//!
//! A key that is there costs a hash, one short lock of a 64th of the map (of less for small maps), and a look at its text; no
//! allocation and no look at the clock. A key takes some 35 bytes beside its instance and its text, which is the instance's name too.
//!
//! # Telemetry
//!
//! [`Registry::add_keyed`](crate::Registry::add_keyed) makes a group known. Its numbers are those of the [group](KeyedStats), never
//! of single keys; events of its instances bear the key.

mod builder;
mod evict;
mod fit;
mod group;
#[cfg(feature = "http")]
mod http;
mod key;
mod layer;
mod parts;
mod service;
mod stats;
mod table;

pub use builder::KeyedBuilder;
pub(crate) use group::AnyGroup;
pub use group::Keyed;
#[cfg(feature = "http")]
pub use http::{Header, Host, PathTemplates};
pub use key::{Key, KeyFn, key_fn};
pub use layer::KeyedLayer;
pub use parts::Keyable;
pub use service::KeyedService;
pub use stats::{KeyedGroup, KeyedStates, KeyedStats};
