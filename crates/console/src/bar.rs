//! What the progress bar looks like and when it shows: Spark's rules (UI-20), as functions of numbers.

use std::time::Duration;

use firesteel_status::StageProgress;

/// More stages than this are not drawn side by side; Spark's number.
const STAGES_MAX: usize = 3;

/// A bar that has not changed is drawn again after this time, so that whoever watches through a remote session sees that
/// it lives; Spark's interval.
const REDRAW_MS: i64 = 60_000;

/// When the bar shows and how wide it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProgressOptions {
    /// `spark.ui.consoleProgress.update.interval`: how often it is looked at.
    pub update_interval: Duration,
    /// How long a stage must have run before it shows, and how long the screen stays empty after the last one ended, so
    /// that short jobs in a loop do not flicker.
    pub first_delay: Duration,
    /// The width in columns; none to ask the terminal, each time.
    pub width: Option<usize>,
}

impl Default for ProgressOptions {
    /// Spark's numbers: 200 ms and 500 ms.
    fn default() -> Self {
        Self { update_interval: Duration::from_millis(200), first_delay: Duration::from_millis(500), width: None }
    }
}

/// Does the bar show at all? `setting` is `spark.ui.showConsoleProgress` if it is set; if not, a terminal decides.
pub fn show_progress(setting: Option<bool>, is_terminal: bool) -> bool {
    setting.unwrap_or(is_terminal)
}

/// The bar: the given stages side by side, each `[Stage 3:=====>     (34 + 2) / 100]` with the tasks that have succeeded,
/// those that run, and all. Never wider than `width`: bars shrink first, then stages are left out from the right.
pub fn progress_line(stages: &[StageProgress], width: usize) -> String {
    let mut stages = &stages[..stages.len().min(STAGES_MAX)];
    while let Some((_, fewer)) = stages.split_last() {
        let parts: Vec<_> = stages.iter().map(header_and_tail).collect();
        let text_width: usize = parts.iter().map(|(header, tail)| header.len() + tail.len()).sum();
        if text_width <= width {
            let bar_widths = shares(width - text_width, &parts, width / stages.len());
            return stages
                .iter()
                .zip(parts)
                .zip(bar_widths)
                .map(|((stage, (header, tail)), bar_width)| format!("{header}{}{tail}", bar(stage, bar_width)))
                .collect();
        }
        stages = fewer;
    }
    String::new()
}

fn header_and_tail(stage: &StageProgress) -> (String, String) {
    let header = format!("[Stage {}:", stage.id.stage_id);
    let tail = format!("({} + {}) / {}]", stage.completed_tasks, stage.active_tasks, stage.tasks);
    (header, tail)
}

/// The columns that each bar gets: what its text leaves of an equal share of the line, as in Spark; and no more than
/// there are, where another stage's text is wider than its share.
fn shares(mut free: usize, parts: &[(String, String)], share: usize) -> Vec<usize> {
    parts
        .iter()
        .map(|(header, tail)| {
            let width = share.saturating_sub(header.len() + tail.len()).min(free);
            free -= width;
            width
        })
        .collect()
}

fn bar(stage: &StageProgress, width: usize) -> String {
    let done = stage.completed_tasks.min(stage.tasks);
    // A stage without tasks is over at once and is drawn as full.
    let filled =
        (width as u128 * u128::from(done)).checked_div(u128::from(stage.tasks)).unwrap_or(width as u128) as usize;
    let mut bar = "=".repeat(filled);
    if filled < width {
        bar.push('>');
        bar.push_str(&" ".repeat(width - filled - 1));
    }
    bar
}

/// What to do with the bar on the screen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Draw {
    /// Leave it.
    Nothing,
    /// Take it off.
    Erase,
    /// Put this there.
    Line(String),
}

/// What the bar must remember from one look to the next.
#[derive(Clone, Debug, Default)]
pub struct BarState {
    drawn: String,
    drawn_at_ms: i64,
    finished_at_ms: Option<i64>,
}

impl BarState {
    /// One look at `now_ms`: which stages run, and how wide the terminal is.
    pub fn tick(&mut self, now_ms: i64, stages: &[StageProgress], width: usize, first_delay: Duration) -> Draw {
        let delay_ms = i64::try_from(first_delay.as_millis()).unwrap_or(i64::MAX);
        if stages.is_empty() {
            return self.finish(now_ms);
        }
        let too_soon = self.finished_at_ms.is_some_and(|finished| now_ms.saturating_sub(finished) < delay_ms);
        if too_soon {
            return Draw::Nothing;
        }
        let old_enough = |stage: &&StageProgress| now_ms.saturating_sub(stage.submission_time_ms) > delay_ms;
        let visible: Vec<_> = stages.iter().filter(old_enough).copied().collect();
        let line = progress_line(&visible, width);
        if line.is_empty() {
            return self.erase();
        }
        if line == self.drawn && now_ms.saturating_sub(self.drawn_at_ms) < REDRAW_MS {
            return Draw::Nothing;
        }
        self.drawn.clone_from(&line);
        self.drawn_at_ms = now_ms;
        Draw::Line(line)
    }

    /// A job has ended: what its caller prints next shall stand on an empty line, whether or not the last look has seen that
    /// the stages are over.
    pub fn job_ended(&mut self, now_ms: i64) -> Draw {
        self.finished_at_ms = Some(now_ms);
        self.erase()
    }

    fn finish(&mut self, now_ms: i64) -> Draw {
        if !self.drawn.is_empty() {
            self.finished_at_ms = Some(now_ms);
        }
        self.erase()
    }

    fn erase(&mut self) -> Draw {
        if self.drawn.is_empty() {
            return Draw::Nothing;
        }
        self.drawn.clear();
        Draw::Erase
    }
}
