//! Taking over the file descriptor that the launcher left open.
//!
//! Its own module because it is the only place that needs unsafe code: no safe call takes a number for a file or removes
//! an environment variable.

#![expect(unsafe_code, reason = "an inherited descriptor is a number in an environment variable")]

use std::{
    fs::{self, File},
    io,
    os::fd::{FromRawFd, RawFd},
};

/// What the launcher calls its memory file; part of the name that the kernel shows for it.
pub(crate) const MEMORY_FILE_NAME: &str = "firesteel-conf";

/// Takes the memory file with this number, if that is what the number stands for. It is closed with the value.
pub(crate) fn take(number: RawFd) -> io::Result<File> {
    let target = fs::read_link(format!("/proc/self/fd/{number}"))?;
    if number <= 2 || !target.to_string_lossy().starts_with(&format!("/memfd:{MEMORY_FILE_NAME}")) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not the launcher's memory file"));
    }
    // SAFETY: the descriptor is open, and it is the launcher's memory file, which no other code in this process knows:
    // the caller reads the variable that names it once, under a lock, and removes it.
    Ok(unsafe { File::from_raw_fd(number) })
}

/// Removes a variable from the environment of this process, so that no child looks for a descriptor that it does not have.
pub(crate) fn remove_variable(name: &str) {
    // SAFETY: all Rust code goes through the standard library's lock around the environment. Foreign code that reads the
    // environment in another thread without it would race; `SparkConf::from_launcher` asks to be called before there is any.
    unsafe { std::env::remove_var(name) }
}
