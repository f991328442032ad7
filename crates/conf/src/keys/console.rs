//! Progress and logs (UI-20, UI-70).

use std::time::Duration;

use super::{AnyKey, Key, Section, Unit};
use crate::LogLevel;

keys! { Console:
    /// Show the progress of stages on the terminal (UI-20).
    UI_SHOW_CONSOLE_PROGRESS: Option<bool> = "spark.ui.showConsoleProgress", since "1.2.1",
        computed("`true` if standard error is a terminal");

    /// How often the progress is drawn again.
    UI_CONSOLE_PROGRESS_UPDATE_INTERVAL: Duration = "spark.ui.consoleProgress.update.interval", since "2.1.0",
        default("200ms"), unit(Unit::Milliseconds), check(|time| !time.is_zero(), "more than 0");

    /// The log level, whatever else configures logging.
    LOG_LEVEL: Option<LogLevel> = "spark.log.level", since "3.5.0", computed("WARN");
}
