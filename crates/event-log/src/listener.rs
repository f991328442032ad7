//! The listener: events in, lines out, and one report if the disk fails.

use std::{io, path::Path};

use firesteel_listener_bus::Listener;
use firesteel_model::ListenerEvent;
use tracing::{error, info};

use crate::{
    EventLogOptions, OpenEventLogError,
    json::{EventEncoder, log_start},
    log_file::LogFile,
};

/// Writes the event log of one application. It belongs into a queue of its own
/// ([`QueueName::EVENT_LOG`](firesteel_listener_bus::QueueName::EVENT_LOG)), because it waits for the disk.
///
/// An error of the disk never reaches the application: it is logged once, nothing is written after it, and the log keeps
/// the mark of a running application, as it is not complete.
pub struct EventLogListener {
    file: LogFile,
    encoder: EventEncoder,
    lines: Vec<u8>,
    failed: bool,
}

impl EventLogListener {
    /// Creates the log and writes its first line. Leaves nothing behind if that fails.
    pub fn open(options: EventLogOptions) -> Result<Self, OpenEventLogError> {
        let mut file = LogFile::open(&options)?;
        let mut lines = Vec::new();
        log_start(&mut lines);
        if let Err(source) = file.write_line(&lines).and_then(|()| file.flush()) {
            let path = file.path().to_owned();
            file.discard();
            return Err(OpenEventLogError::Create { path, source });
        }
        info!(path = %file.path().display(), "writing the event log");
        Ok(Self { file, encoder: EventEncoder::new(options), lines, failed: false })
    }

    /// The log's file, or its directory if it rolls, as it is called once the application has ended.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    fn write(&mut self, event: &ListenerEvent) -> io::Result<()> {
        self.lines.clear();
        let flush = self.encoder.encode(event, &mut self.lines);
        for line in self.lines.split_inclusive(|byte| *byte == b'\n') {
            self.file.write_line(line)?;
        }
        if flush { self.file.flush() } else { Ok(()) }
    }

    fn report(&mut self, error: &io::Error) {
        self.failed = true;
        error!(path = %self.file.path().display(), %error, "the event log could not be written and ends here");
    }
}

impl Listener for EventLogListener {
    fn on_event(&mut self, event: &ListenerEvent) {
        if self.failed {
            return;
        }
        if let Err(error) = self.write(event) {
            self.report(&error);
        }
    }

    fn on_stop(&mut self) {
        if self.failed {
            return;
        }
        if let Err(error) = self.file.finish() {
            self.report(&error);
        }
    }
}
