//! The labels of the traces as causes: `e2` is a gRPC code, `r2` an HTTP status.

use seawall::Cause;

/// The labels that the recorder knows, of errors and of results.
const KINDS: u16 = 4;

pub(crate) fn cause(label: &str) -> Result<Cause, String> {
    (0..KINDS)
        .flat_map(|n| [Cause::Grpc(n.into()), Cause::Status(n)])
        .find(|cause| name(*cause) == label)
        .ok_or_else(|| format!("unknown label `{label}`"))
}

pub(crate) fn name(cause: Cause) -> String {
    match cause {
        Cause::Grpc(n) => format!("e{n}"),
        Cause::Status(n) => format!("r{n}"),
        other => format!("{other:?}"),
    }
}

/// Checks labels on behalf of `key`.
pub(crate) fn check(key: &str, labels: &[String]) -> Result<(), String> {
    labels.iter().try_for_each(|label| match cause(label) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("`{key}`: {error}")),
    })
}
