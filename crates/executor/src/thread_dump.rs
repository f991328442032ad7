//! What a thread of this process does, as the kernel tells it.
//!
//! Rust has no stack of another thread to show without stopping it in a signal handler, where unwinding may deadlock on a
//! lock that the interrupted code holds. So this says whether the thread computes or waits, for what, and how much
//! processor time it has used; `gdb -p` or `perf` shows the rest.

use std::{fmt, fs, io};

/// What a thread does at one moment. `Display` says it in a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ThreadDump {
    thread_id: i32,
    name: String,
    /// The kernel's letter for its state.
    state: char,
    user_ticks: u64,
    system_ticks: u64,
    /// The kernel function in which it waits, if it does and the kernel tells.
    waits_in: Option<String>,
    /// The number of the system call that it is in, if it is in one and the kernel tells.
    system_call: Option<i64>,
}

/// The kernel's USER_HZ, which is part of its interface to programs on every architecture that Rust's Linux targets have.
const TICKS_PER_SECOND: u64 = 100;

/// The kernel's number of the calling thread.
pub(crate) fn this_thread() -> io::Result<i32> {
    let link = fs::read_link("/proc/thread-self")?;
    let number = link.file_name().and_then(|name| name.to_str()?.parse().ok());
    number.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc/thread-self names no thread"))
}

impl ThreadDump {
    /// Of all threads of this process, the oldest first.
    ///
    /// # Errors
    ///
    /// If `/proc` cannot be read.
    pub fn of_all() -> io::Result<Vec<Self>> {
        let names = fs::read_dir("/proc/self/task")?;
        let mut thread_ids: Vec<i32> = names.filter_map(|name| name.ok()?.file_name().to_str()?.parse().ok()).collect();
        thread_ids.sort_unstable();
        // Some may have ended meanwhile.
        Ok(thread_ids.into_iter().filter_map(|thread_id| Self::of(thread_id).ok()).collect())
    }

    /// Of a thread of this process, by the kernel's number. An error if it has ended.
    pub(crate) fn of(thread_id: i32) -> io::Result<Self> {
        let read = |name: &str| fs::read_to_string(format!("/proc/self/task/{thread_id}/{name}"));
        let stat = read("stat")?;
        let invalid =
            || io::Error::new(io::ErrorKind::InvalidData, "the kernel's line about the thread is not understood");
        let mut dump = Self::parse(thread_id, &stat).ok_or_else(invalid)?;
        // These two need rights that a process may lack for itself, in some containers.
        dump.waits_in = read("wchan").ok().filter(|name| !matches!(name.trim(), "" | "0"));
        dump.system_call = read("syscall").ok().and_then(|line| line.split_whitespace().next()?.parse().ok());
        Ok(dump)
    }

    fn parse(thread_id: i32, stat: &str) -> Option<Self> {
        // The name may have anything in it, and ends at the last parenthesis.
        let (before, after) = stat.rsplit_once(") ")?;
        let (_, name) = before.split_once('(')?;
        let fields: Vec<&str> = after.split_whitespace().collect();
        Some(Self {
            thread_id,
            name: name.to_owned(),
            state: fields.first()?.chars().next()?,
            // Fields 14 and 15 of the line, of which the state is the third.
            user_ticks: fields.get(11)?.parse().ok()?,
            system_ticks: fields.get(12)?.parse().ok()?,
            waits_in: None,
            system_call: None,
        })
    }

    fn state(&self) -> &'static str {
        match self.state {
            'R' => "running",
            'S' => "waiting",
            'D' => "waiting for a device, not to be interrupted",
            'T' | 't' => "stopped",
            'Z' | 'X' => "ended",
            'I' => "idle",
            _ => "in an unknown state",
        }
    }
}

impl fmt::Display for ThreadDump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "thread {} \"{}\" is {}", self.thread_id, self.name, self.state())?;
        if let Some(function) = &self.waits_in {
            write!(f, " in {}", function.trim())?;
        }
        match self.system_call.filter(|&number| number >= 0) {
            Some(number) => write!(f, " (system call {number})")?,
            None if self.state == 'R' => write!(f, ", in no system call")?,
            None => {}
        }
        let seconds = |ticks: u64| ticks as f64 / TICKS_PER_SECOND as f64;
        let (user, system) = (seconds(self.user_ticks), seconds(self.system_ticks));
        write!(f, "; it has used {user:.2} s of processor time, and {system:.2} s in the kernel")
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;

    #[test]
    fn a_line_is_read_whatever_the_name_has_in_it() {
        let stat = "77 (task) R (x) S 1 77 77 0 -1 4194304 90 0 0 0 250 75 0 0 20 0 1 0 100 0 0";
        let dump = ThreadDump::parse(77, stat).unwrap();
        let expected =
            "thread 77 \"task) R (x\" is waiting; it has used 2.50 s of processor time, and 0.75 s in the kernel";
        assert_eq!(dump.to_string(), expected);
        assert_eq!(ThreadDump::parse(77, "77 (task"), None);
        assert_eq!(ThreadDump::parse(77, "77 (task) R 1"), None);
    }

    #[test]
    fn a_thread_that_waits_is_shown_as_such_and_one_that_has_ended_is_an_error() {
        let (number, numbers) = mpsc::channel();
        let (end, ends) = mpsc::channel::<()>();
        let named = thread::Builder::new().name("waits".to_owned());
        let waiting = named.spawn(move || {
            number.send(this_thread().unwrap()).unwrap();
            let _ = ends.recv();
        });
        let thread_id = numbers.recv().unwrap();
        let dump = loop {
            // It waits a moment after it has sent its number.
            let dump = ThreadDump::of(thread_id).unwrap();
            if dump.state == 'S' {
                break dump.to_string();
            }
            thread::yield_now();
        };
        assert!(dump.starts_with(&format!("thread {thread_id} \"waits\" is waiting")), "{dump}");
        let all = ThreadDump::of_all().unwrap();
        assert!(all.iter().any(|dump| dump.thread_id == thread_id && dump.name == "waits"), "{all:?}");
        assert!(all.iter().any(|dump| dump.thread_id == this_thread().unwrap()), "{all:?}");
        drop(end);
        waiting.unwrap().join().unwrap();
        assert!(ThreadDump::of(i32::MAX).is_err());
    }
}
