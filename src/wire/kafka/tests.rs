//! The wire against the client library's own mock cluster.
