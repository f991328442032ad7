//! Whether the threads of an asynchronous runtime can be had: tokio panics where they cannot.

use std::{io, sync::RwLock, thread};

/// Has the system room for so many more threads? Asked by having them, all at once, for a moment. Another process may take the
/// room before it is used, but a limit that is too low is found.
///
/// # Errors
///
/// What the system says, and what to do.
pub fn check_threads(count: usize) -> io::Result<()> {
    let gate = RwLock::new(());
    thread::scope(|scope| {
        // Each stays until the last one was started.
        let _closed = gate.write();
        for _ in 0..count {
            thread::Builder::new().spawn_scoped(scope, || drop(gate.read())).map_err(|error| no_room(count, &error))?;
        }
        Ok(())
    })
}

fn no_room(count: usize, error: &io::Error) -> io::Error {
    let message = format!(
        "the system has no room for {count} more threads: raise the limit of processes (ulimit -u) or of the control group \
         (pids.max), or run less beside it: {error}"
    );
    io::Error::new(error.kind(), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_threads_can_be_had_and_the_error_says_what_to_raise() {
        check_threads(2).unwrap();
        let message = no_room(2, &io::Error::from_raw_os_error(11)).to_string();
        assert!(message.contains("no room for 2 more threads") && message.contains("ulimit -u"), "{message}");
    }
}
