//! The trace context among the headers of a request.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::TraceContext;

const PARENT: HeaderName = HeaderName::from_static("traceparent");
const STATE: HeaderName = HeaderName::from_static("tracestate");

impl TraceContext {
    /// What a request that came in says, if it says it well: see [`parse`](Self::parse). Several `tracestate` are one.
    ///
    /// ```
    /// use seawall::telemetry::TraceContext;
    ///
    /// # async fn handle(request: http::Request<()>) {
    /// let call_others = async { /* … */ };
    /// match TraceContext::from_headers(request.headers()) {
    ///     Some(context) => context.scope(call_others).await,
    ///     None => call_others.await,
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut parents = headers.get_all(PARENT).iter();
        let (Some(parent), None) = (parents.next(), parents.next()) else { return None };
        let mut states = headers.get_all(STATE).iter().map(|state| state.to_str().ok());
        let state = states.try_fold(String::new(), |all, state| {
            Some(if all.is_empty() { state?.to_owned() } else { all + "," + state? })
        });
        Self::parse(parent.to_str().ok()?, state.as_deref())
    }

    /// Says it in `traceparent` and `tracestate`, in the place of what they said.
    pub fn write(&self, headers: &mut HeaderMap) {
        let value = |text: &str| HeaderValue::from_str(text).expect("visible ASCII");
        headers.insert(PARENT, value(&self.to_string()));
        match self.trace_state() {
            Some(state) => headers.insert(STATE, value(state)),
            None => headers.remove(STATE),
        };
    }

    /// Sends this on with an attempt. A request that names a trace of its own keeps it, and gets the parent id alone.
    pub(crate) fn send(&self, headers: &mut HeaderMap) -> Self {
        let sent = match Self::from_headers(headers) {
            Some(own) => self.within(own),
            None => self.clone(),
        };
        sent.write(headers);
        sent
    }
}
