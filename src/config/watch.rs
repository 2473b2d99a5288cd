//! Applies a file again whenever it changes.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::MissedTickBehavior;

use super::loader::read_file;
use super::problem::ConfigErrors;
use super::{Config, Format, Loader};
use crate::registry::Registry;
use crate::sync::Lock;
use crate::telemetry::ReloadEvent;

/// A file of settings that is watched for as long as this lives.
///
/// The file is read every so often and compared with what it was, so any way to change it will do: writing it, putting another in
/// its place, a `ConfigMap`'s links. What is found changed is looked at again, for it may be half written or about to come back, and
/// counts once it stays the same for a tenth of a second. A good change is applied [in place](Config::apply). A bad one is refused whole, and told
/// by [`last_error`](Self::last_error) and an [event](ReloadEvent) of the registry's; so is a file that is gone. The settings
/// that were good last stay.
///
/// Dropped, it ends the watching; the settings stay.
#[must_use = "dropped, it watches no longer"]
pub struct Watch {
    shared: Arc<Shared>,
    task: AbortHandle,
}

struct Shared {
    loader: Loader,
    path: PathBuf,
    registry: Registry,
    state: Lock<State>,
}

/// How long a file has to stay as it is.
const SETTLE: Duration = Duration::from_millis(100);

struct State {
    config: Arc<Config>,
    /// What counted last, good or bad; nothing if it could not be read.
    seen: Option<Vec<u8>>,
    /// What was there at the last look, if that was something else.
    fresh: Option<Option<Vec<u8>>>,
    error: Option<ConfigErrors>,
    applied: u64,
    refused: u64,
}

impl Loader {
    /// Reads a file, applies it, and from then on looks every `interval` whether it has changed. See [`Watch`].
    ///
    /// Range of `interval`: from 1 ms; a second or two will do. To be called on a tokio runtime.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the file as it is now.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn watch(
        self,
        path: impl AsRef<Path>,
        registry: &Registry,
        interval: Duration,
    ) -> Result<Watch, ConfigErrors> {
        let path = path.as_ref().to_owned();
        let name = path.to_string_lossy().into_owned();
        let seen = read_file(&path);
        let config = match &seen {
            Ok(bytes) => self.read_named(&path, bytes)?,
            Err(_) => self.load(&path)?,
        };
        config.apply(registry).map_err(|error| ConfigErrors::unreadable(&name, error))?;
        let state = State {
            config: Arc::new(config),
            seen: seen.ok(),
            fresh: None,
            error: None,
            applied: 1,
            refused: 0,
        };
        let shared =
            Shared { loader: self, path, registry: registry.clone(), state: Lock::new(state) };
        let shared = Arc::new(shared);
        let watched = Arc::downgrade(&shared);
        let interval = interval.max(Duration::from_millis(1));
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(interval);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks.tick().await;
            let mut settles = true;
            loop {
                if settles {
                    ticks.tick().await;
                } else {
                    tokio::time::sleep(interval.min(SETTLE)).await;
                }
                let Some(shared) = watched.upgrade() else { return };
                // A file system may be slow, and a large file takes its time.
                let looked = tokio::task::spawn_blocking(move || shared.look());
                // A panic in an observer is caught by itself, and nothing else in there has one.
                let Ok(settled) = looked.await else { return };
                settles = settled;
            }
        });
        Ok(Watch { shared, task: task.abort_handle() })
    }

    fn read_named(&self, path: &Path, bytes: &[u8]) -> Result<Config, ConfigErrors> {
        let name = path.to_string_lossy();
        let Some(format) = Format::of(path) else { return self.load(path) };
        self.read(format, &name, bytes)
    }
}

impl Shared {
    /// Says `false` if the file has changed, and is to be looked at again soon.
    fn look(&self) -> bool {
        let read = read_file(&self.path);
        let name = self.path.to_string_lossy();
        let now = read.as_ref().ok();
        let before = {
            let mut state = self.state.lock();
            // It is told once that it is gone.
            if now == state.seen.as_ref() && (now.is_some() || state.error.is_some()) {
                state.fresh = None;
                return true;
            }
            if state.fresh.as_ref().map(Option::as_ref) != Some(now) {
                state.fresh = Some(now.cloned());
                return false;
            }
            state.seen = state.fresh.take().flatten();
            state.config.clone()
        };
        let config = match read {
            Ok(bytes) => self.loader.read_named(&self.path, &bytes),
            Err(error) => {
                let message = format_args!("cannot be read: {error}");
                Err(ConfigErrors::unreadable(&name, message))
            }
        };
        let applied = config.and_then(|config| {
            let applied = config.apply_after(&self.registry, Some(&before));
            let applied = applied.map_err(|error| ConfigErrors::unreadable(&name, error))?;
            Ok((config, applied))
        });
        let event = {
            let mut state = self.state.lock();
            match applied {
                Ok((config, applied)) => {
                    state.config = Arc::new(config);
                    state.error = None;
                    state.applied += 1;
                    let (created, updated) = (applied.created.len(), applied.updated.len());
                    ReloadEvent::Applied { created, updated }
                }
                Err(errors) => {
                    let count = errors.len();
                    state.error = Some(errors);
                    state.refused += 1;
                    ReloadEvent::Refused { errors: count }
                }
            }
        };
        self.registry.reloaded(&name, event);
        true
    }
}

impl Watch {
    /// The settings that hold.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        self.shared.state.lock().config.clone()
    }

    /// What is wrong with the file as it was seen last; nothing if its settings hold.
    #[must_use]
    pub fn last_error(&self) -> Option<ConfigErrors> {
        self.shared.state.lock().error.clone()
    }

    /// How many times the file was applied, the first time included, and how many times it was refused.
    #[must_use]
    pub fn reloads(&self) -> (u64, u64) {
        let state = self.shared.state.lock();
        (state.applied, state.refused)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("path", &self.shared.path).finish_non_exhaustive()
    }
}
