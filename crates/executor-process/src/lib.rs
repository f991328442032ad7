//! An executor's process as those see it who start it: `local-cluster` and the workers of a standalone cluster.
//!
//! ```text
//! ExecutorStart { … }.start() -> ExecutorProcess
//!     tell(launch)     what it is, on its standard input, where nobody else can read it
//!     wait()           until it has ended; its number is still its own
//!     reap()           how it has ended, and the most memory that it held
//! exit_reason(…)       what that means
//! ```
//!
//! A driver that a worker starts is such a process too, told and asked in another way: [`DriverStart`].
//!
//! Between `wait` and `reap` whoever has the process in a table takes it out: nobody sends signals to a number that may be
//! another's by then.
//!
//! When executors are started, and what follows their end, is decided elsewhere.

#![deny(unsafe_code)]

mod driver;
mod end;
pub mod oom_kills;
mod process;
mod reap;

pub use driver::{DriverInput, DriverStart};
pub use end::{exit_reason, last_lines};
pub use process::{ExecutorProcess, ExecutorStart, LAUNCH_ARGUMENT, LAUNCH_VARIABLE, arguments};
pub use reap::Reaped;
