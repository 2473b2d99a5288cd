//! The success path allocates nothing, and neither does a refusal.
//!
//! The cases are those of the benches: a new one there is held to this here.

#[path = "support/alloc.rs"]
mod alloc;
#[path = "../benches/cases/mod.rs"]
mod cases;

use std::hint::black_box;

use alloc::allocations;
use cases::{Case, Immediate};

const CALLS: u64 = 1000;

/// Allocations in [`CALLS`] calls, once everything lazy has come to be and the windows are full.
fn counted(case: &mut Case) -> u64 {
    case.run(CALLS);
    allocations(|| case.run(CALLS))
}

#[tokio::test]
async fn a_call_allocates_nothing() {
    let counts = cases::all().into_iter().map(|mut case| (case.name, counted(&mut case)));
    let guilty: Vec<_> = counts.filter(|&(_, count)| count > 0).collect();
    assert!(guilty.is_empty(), "allocations in {CALLS} calls: {guilty:?}");
}

#[tokio::test]
async fn the_counter_counts() {
    let mut boxed = Case::service("box", tower::util::BoxService::new(Immediate));
    assert_eq!(counted(&mut boxed), CALLS);
    assert_eq!(allocations(|| drop(black_box(Vec::<u8>::with_capacity(9)))), 1);
    let other_thread = || {
        std::thread::scope(|scope| {
            scope.spawn(|| drop(black_box(vec![1; 9])));
        });
    };
    // Starting a thread allocates here; what the thread does is not counted.
    let idle_thread = || std::thread::scope(|scope| drop(scope.spawn(|| {})));
    assert_eq!(allocations(other_thread), allocations(idle_thread));
}
