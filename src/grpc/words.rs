//! Errors in words a person can use.

use std::error::Error;

use tonic::Status;

/// An error and what caused it, without saying the same twice.
pub(crate) fn causes(error: &dyn Error) -> String {
    told_with_causes(error.to_string(), error)
}

/// A gRPC status and what caused it; tonic's own wording is for its developers.
pub(crate) fn status(status: &Status) -> String {
    let told = match status.message() {
        "" => format!("{:?}", status.code()),
        message => format!("{message} ({:?})", status.code()),
    };
    told_with_causes(told, status)
}

fn told_with_causes(mut told: String, error: &dyn Error) -> String {
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !told.contains(&words) {
            told = format!("{told}: {words}");
        }
        next = cause.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_told_once_with_its_cause() {
        let told = status(&Status::unavailable("so long"));
        assert_eq!(told, "so long (Unavailable)");
        assert_eq!(status(&Status::cancelled("")), "Cancelled");
        let caused = Status::from_error(Box::new(std::io::Error::other("the cable is out")));
        assert_eq!(status(&caused), "the cable is out (Unknown)");
    }
}
