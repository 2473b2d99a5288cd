//! What holds answers back.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Holds answers back until the test lets them go. Clones are the same gate.
///
/// See [`Behaviour::held`](super::Behaviour::held).
#[derive(Clone, Debug)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    /// A gate that lets nothing go yet.
    #[must_use]
    pub fn shut() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets so many answers go, now or when they come.
    pub fn release(&self, answers: usize) {
        self.0.add_permits(answers);
    }

    /// Lets all go, from now on.
    pub fn open(&self) {
        self.0.close();
    }

    pub(super) async fn pass(&self) {
        // A gate that is open for good has a closed semaphore.
        if let Ok(permit) = self.0.acquire().await {
            permit.forget();
        }
    }
}
