//! Room on the stack for parsers that call themselves: a stack that overflows ends the process,
//! whatever the text was.

/// CEL's parser takes up to 200 KB for each bracket it stands in, more than an ordinary thread
/// has; Jinja's a few KB for each link of a chain.
const STACK_BYTES: usize = 128 * 1024 * 1024;

/// Runs `work` to its end on a stack of [`STACK_BYTES`], of which only what is used is taken.
/// `what` is read, for the sentence that says it could not be.
pub(crate) fn with_room<T: Send>(
    what: &str,
    work: impl FnOnce() -> Result<T, String> + Send,
) -> Result<T, String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name(format!("reading {what}"))
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, work)
            .map_err(|error| format!("no thread to read {what} on: {error}"))?;
        thread.join().unwrap_or_else(|_| Err(format!("{what} cannot be read")))
    })
}
