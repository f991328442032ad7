//! The terminal: whole log lines and one bar, never mixed.
//!
//! The bar is written as carriage return, text, carriage return. The cursor then stands at the start of the bar's line,
//! so that what the user's own program prints (which does not pass through here) overwrites it and nothing else.

use std::{
    io::{self, IsTerminal, Write},
    sync::Arc,
};

use firesteel_model::hide_secrets_of_urls;
use parking_lot::Mutex;

/// The width of what is no terminal; Spark's number.
const DEFAULT_WIDTH: usize = 80;

/// The terminal that log lines and bar share. Clones are handles to the same one.
#[derive(Clone)]
pub struct Console {
    screen: Arc<Mutex<Screen>>,
    is_terminal: bool,
}

struct Screen {
    out: Box<dyn Write + Send>,
    /// The bar as it is on the screen; empty if there is none.
    bar: String,
    /// Nothing of a line has been written that is not ended yet.
    at_line_start: bool,
}

impl Console {
    /// The console of this process: standard error.
    pub fn stderr() -> Self {
        Self::new(io::stderr(), io::stderr().is_terminal())
    }

    /// A console that writes elsewhere.
    pub fn new(out: impl Write + Send + 'static, is_terminal: bool) -> Self {
        let screen = Screen { out: Box::new(out), bar: String::new(), at_line_start: true };
        Self { screen: Arc::new(Mutex::new(screen)), is_terminal }
    }

    /// Does someone watch?
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// How many columns there are: what the terminal says, else `COLUMNS`, else 80.
    pub fn width(&self) -> usize {
        let asked = self.is_terminal.then(|| rustix::termios::tcgetwinsize(io::stderr()).ok()).flatten();
        let asked = asked.map(|size| usize::from(size.ws_col));
        let columns = || std::env::var("COLUMNS").ok()?.parse().ok();
        asked.filter(|columns| *columns > 0).or_else(columns).filter(|columns| *columns > 0).unwrap_or(DEFAULT_WIDTH)
    }

    /// Writes text, with the bar out of the way. Text that does not end in a newline keeps the bar off until one comes.
    ///
    /// Whoever made the text should have seen to its secrets; what of URLs is left is hidden here.
    pub fn print(&self, text: &[u8]) -> io::Result<()> {
        match std::str::from_utf8(text) {
            Ok(text) => self.screen.lock().print(hide_secrets_of_urls(text).as_bytes()),
            Err(_) => self.screen.lock().print(text),
        }
    }

    /// Writes one line.
    pub fn print_line(&self, line: &str) -> io::Result<()> {
        self.print(format!("{line}\n").as_bytes())
    }

    /// A writer for one log record: what is written to it appears at once and in one piece when it is dropped.
    pub fn line_writer(&self) -> LineWriter {
        LineWriter { console: self.clone(), record: Vec::new() }
    }

    /// Puts the bar on the screen in place of the one that is there; an empty one takes it off.
    pub(crate) fn set_bar(&self, bar: &str) -> io::Result<()> {
        self.screen.lock().set_bar(bar)
    }
}

impl Screen {
    fn print(&mut self, text: &[u8]) -> io::Result<()> {
        let Some(last) = text.last() else { return Ok(()) };
        let mut output = Vec::with_capacity(text.len() + 3 * self.bar.len());
        self.erase_into(&mut output);
        output.extend_from_slice(text);
        self.at_line_start = *last == b'\n';
        if self.at_line_start {
            self.draw_into(&mut output);
        }
        self.out.write_all(&output)?;
        self.out.flush()
    }

    fn set_bar(&mut self, bar: &str) -> io::Result<()> {
        let mut output = Vec::new();
        if self.at_line_start {
            // A bar of the same length or longer covers the old one by itself.
            if bar.len() < self.bar.len() {
                self.erase_into(&mut output);
            }
            self.bar = bar.to_owned();
            self.draw_into(&mut output);
        } else {
            self.bar = bar.to_owned();
        }
        self.out.write_all(&output)?;
        self.out.flush()
    }

    fn erase_into(&self, output: &mut Vec<u8>) {
        if !self.bar.is_empty() && self.at_line_start {
            output.push(b'\r');
            output.resize(output.len() + self.bar.len(), b' ');
            output.push(b'\r');
        }
    }

    fn draw_into(&self, output: &mut Vec<u8>) {
        if !self.bar.is_empty() {
            output.push(b'\r');
            output.extend_from_slice(self.bar.as_bytes());
            output.push(b'\r');
        }
    }
}

/// Writes one log record to a [`Console`]; made by [`Console::line_writer`].
pub struct LineWriter {
    console: Console,
    record: Vec<u8>,
}

impl Write for LineWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.record.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.console.print(&self.record);
        self.record.clear();
        written
    }
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        // Nobody is left to tell that standard error is closed.
        let _ = self.flush();
    }
}
