//! What a call costs.

/// How many permissions a request takes.
///
/// A closure will do: `|request: &Request| 1 + request.rows / 100`. It is asked once a call, before any
/// lock; in a [`Pipeline`](crate::Pipeline) each attempt pays as much. A request that costs nothing
/// passes without asking.
pub trait Cost<Req> {
    /// Permissions for this request.
    fn cost(&self, request: &Req) -> u32;
}

impl<Req, F: Fn(&Req) -> u32> Cost<Req> for F {
    #[inline]
    fn cost(&self, request: &Req) -> u32 {
        self(request)
    }
}

/// Every call costs one permission.
#[derive(Clone, Copy, Debug, Default)]
pub struct OnePermission;

impl<Req> Cost<Req> for OnePermission {
    #[inline]
    fn cost(&self, _: &Req) -> u32 {
        1
    }
}
