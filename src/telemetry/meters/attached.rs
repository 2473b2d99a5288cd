//! Which observers a source has attached.

use super::source::ExporterId;
use crate::sync::Lock;
use crate::telemetry::ObserverId;

/// For an exporter, or (none) for the meters themselves.
type Of = (Option<ExporterId>, ObserverId);

/// The observers that a source has attached. Nothing once it is closed: whoever comes late finds that out under the same lock.
pub(super) struct Attached(Lock<Option<Vec<Of>>>);

impl Attached {
    pub(super) fn new() -> Self {
        Self(Lock::new(Some(Vec::new())))
    }

    /// Says `false` if it is too late: then the observer has to come off again.
    pub(super) fn note(&self, exporter: Option<ExporterId>, id: ObserverId) -> bool {
        self.0.lock().as_mut().map(|attached| attached.push((exporter, id))).is_some()
    }

    /// Those of an exporter, which have to come off.
    #[cfg(any(feature = "metrics", feature = "otel"))]
    pub(super) fn take(&self, exporter: ExporterId) -> Vec<ObserverId> {
        let mut attached = self.0.lock();
        let Some(attached) = attached.as_mut() else { return Vec::new() };
        attached.extract_if(.., |(of, _)| *of == Some(exporter)).map(|(_, id)| id).collect()
    }

    /// All, which have to come off.
    pub(super) fn close(&self) -> Vec<ObserverId> {
        self.0.lock().take().into_iter().flatten().map(|(_, id)| id).collect()
    }
}
