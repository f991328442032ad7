//! What a run says on the terminal: the progress bar (UI-20), the line at its start and the line at its end, and a
//! terminal that they share with log lines.
//!
//! [`Console`] owns the terminal. Log lines go through [`Console::line_writer`], the bar through [`ConsoleProgress`];
//! the console takes the bar off the screen before a line is written and puts it back afterwards, so that neither tears
//! the other. What the bar looks like, when it shows and what the lines say are pure functions.
//!
//! ```no_run
//! use std::sync::Arc;
//! use firesteel_console::{Console, ConsoleProgress, ProgressOptions, show_progress};
//! use firesteel_status::ApplicationStatus;
//! use parking_lot::RwLock;
//!
//! let console = Console::stderr();
//! // The fmt layer of tracing takes this closure as it is: `.with_writer(writer)`.
//! let writer = { let console = console.clone(); move || console.line_writer() };
//! let status = Arc::new(RwLock::new(ApplicationStatus::default()));
//! if show_progress(None, console.is_terminal()) {
//!     let progress = ConsoleProgress::start(&console, ProgressOptions::default(), {
//!         let status = Arc::clone(&status);
//!         move || status.read().active_stages()
//!     }).unwrap();
//!     // … at the end of the application, before the end line:
//!     progress.stop();
//! }
//! # drop(writer);
//! ```

#![forbid(unsafe_code)]

mod bar;
mod lines;
mod progress;
mod say;
mod terminal;

pub use bar::{BarState, Draw, ProgressOptions, progress_line, show_progress};
pub use lines::{StartFacts, end_line, format_duration, start_line};
pub use progress::{ConsoleProgress, StartProgressError};
pub use say::say;
pub use terminal::{Console, LineWriter};
