//! What the terminal shows, character by character.

use std::{
    io::{self, Write},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use firesteel_console::{
    BarState, Console, ConsoleProgress, Draw, ProgressOptions, StartFacts, end_line, format_duration, progress_line,
    show_progress, start_line,
};
use firesteel_model::{ApplicationId, ByteCount, ExecutorId, StageAttempt, StageAttemptId, StageId};
use firesteel_status::{ApplicationSummary, ExecutorRemoval, StageProgress};
use proptest::prelude::*;

fn stage(id: u32, completed: u64, active: u64, tasks: u64) -> StageProgress {
    StageProgress {
        id: StageAttemptId { stage_id: StageId(id), attempt: StageAttempt(0) },
        submission_time_ms: 1000,
        tasks,
        active_tasks: active,
        completed_tasks: completed,
        failed_tasks: 0,
    }
}

#[test]
fn one_stage_fills_the_line_as_in_spark() {
    // Both were recorded from Spark 4.3.
    assert_eq!(
        progress_line(&[stage(6, 1, 1, 2)], 80),
        "[Stage 6:=============================>                             (1 + 1) / 2]"
    );
    assert_eq!(
        progress_line(&[stage(5, 0, 1, 2)], 80),
        "[Stage 5:>                                                          (0 + 1) / 2]"
    );
    assert_eq!(progress_line(&[stage(3, 34, 2, 100)], 40), "[Stage 3:=====>          (34 + 2) / 100]");
    assert_eq!(progress_line(&[stage(3, 100, 0, 100)], 40), "[Stage 3:===============(100 + 0) / 100]");
}

#[test]
fn stages_stand_side_by_side_and_three_at_most() {
    let stages = [stage(1, 1, 1, 2), stage(2, 0, 2, 4), stage(3, 3, 0, 3), stage(4, 0, 0, 9)];
    assert_eq!(progress_line(&stages[..2], 60), "[Stage 1:====>    (1 + 1) / 2][Stage 2:>        (0 + 2) / 4]");
    assert_eq!(
        progress_line(&stages, 84),
        "[Stage 1:===>   (1 + 1) / 2][Stage 2:>      (0 + 2) / 4][Stage 3:=======(3 + 0) / 3]"
    );
}

#[test]
fn a_narrow_terminal_loses_bars_then_stages_but_never_wraps() {
    let stages = [stage(1, 1, 1, 2), stage(2, 0, 2, 4)];
    assert_eq!(progress_line(&stages, 42), "[Stage 1:(1 + 1) / 2][Stage 2:(0 + 2) / 4]");
    assert_eq!(progress_line(&stages, 41), "[Stage 1:==========>         (1 + 1) / 2]");
    assert_eq!(progress_line(&stages, 21), "[Stage 1:(1 + 1) / 2]");
    assert_eq!(progress_line(&stages, 20), "");
    assert_eq!(progress_line(&[], 80), "");
}

proptest! {
    /// Safety: never wider than the terminal, and never a torn part.
    #[test]
    fn the_bar_fits(
        numbers in prop::collection::vec((any::<u32>(), 0u64..1 << 40, any::<u32>(), 0u64..1 << 40), 0..6),
        width in 0usize..300,
    ) {
        let stages: Vec<_> = numbers
            .iter()
            .map(|(id, completed, active, tasks)| stage(*id, *completed, u64::from(*active), *tasks))
            .collect();
        let line = progress_line(&stages, width);
        prop_assert!(line.len() <= width, "{line}");
        prop_assert_eq!(line.matches("[Stage ").count(), line.matches(']').count());
        prop_assert!(line.is_empty() || line.ends_with(']'));
    }
}

const DELAY: Duration = Duration::from_millis(500);

#[test]
fn a_stage_shows_once_it_is_old_enough() {
    let mut state = BarState::default();
    assert_eq!(state.tick(1500, &[stage(0, 0, 1, 2)], 30, DELAY), Draw::Nothing);
    let line = progress_line(&[stage(0, 0, 1, 2)], 30);
    assert_eq!(state.tick(1501, &[stage(0, 0, 1, 2)], 30, DELAY), Draw::Line(line.clone()));
    assert_eq!(state.tick(1701, &[stage(0, 0, 1, 2)], 30, DELAY), Draw::Nothing, "nothing changed");
    assert_eq!(state.tick(61_501, &[stage(0, 0, 1, 2)], 30, DELAY), Draw::Line(line), "a sign of life");
    assert_eq!(state.tick(61_701, &[], 30, DELAY), Draw::Erase);
    assert_eq!(state.tick(61_901, &[], 30, DELAY), Draw::Nothing);
}

#[test]
fn after_a_job_the_screen_stays_empty_for_a_while() {
    let mut state = BarState::default();
    assert!(matches!(state.tick(2000, &[stage(0, 0, 1, 2)], 30, DELAY), Draw::Line(_)));
    assert_eq!(state.tick(2200, &[], 30, DELAY), Draw::Erase);
    assert_eq!(state.tick(2400, &[stage(1, 0, 1, 2)], 30, DELAY), Draw::Nothing);
    assert!(matches!(state.tick(2700, &[stage(1, 0, 1, 2)], 30, DELAY), Draw::Line(_)));
    assert_eq!(state.tick(2900, &[stage(1, 0, 1, 2)], 10, DELAY), Draw::Erase, "no room at all");
    assert!(matches!(state.tick(3100, &[stage(1, 0, 1, 2)], 30, DELAY), Draw::Line(_)));
    assert_eq!(state.job_ended(3200), Draw::Erase);
    assert_eq!(state.job_ended(3200), Draw::Nothing);
    assert_eq!(state.tick(3300, &[stage(1, 0, 1, 2)], 30, DELAY), Draw::Nothing, "nobody has said yet that it is over");
}

#[test]
fn a_terminal_decides_unless_it_is_set() {
    let cases = [(None, true, true), (None, false, false), (Some(true), false, true), (Some(false), true, false)];
    for (setting, terminal, shows) in cases {
        assert_eq!(show_progress(setting, terminal), shows);
    }
}

/// A terminal that only keeps what it was sent.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a terminal shows of what it was sent: carriage return goes back, later characters replace earlier ones.
fn shown(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let mut cells: Vec<char> = Vec::new();
        let mut column = 0;
        for char in line.chars() {
            if char == '\r' {
                column = 0;
                continue;
            }
            if column == cells.len() {
                cells.push(char);
            } else {
                cells[column] = char;
            }
            column += 1;
        }
        lines.push(cells.into_iter().collect::<String>().trim_end().to_owned());
    }
    lines
}

fn wait_until(condition: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "it never came");
        std::thread::yield_now();
    }
}

#[test]
fn log_lines_and_the_bar_do_not_tear_each_other() {
    let paper = Paper::default();
    let console = Console::new(paper.clone(), false);
    let options =
        ProgressOptions { update_interval: Duration::from_millis(1), first_delay: Duration::ZERO, width: Some(30) };
    let progress = ConsoleProgress::start(&console, options, || vec![stage(7, 1, 1, 2)]).unwrap();
    let bar = progress_line(&[stage(7, 1, 1, 2)], 30);
    wait_until(|| paper.text().contains(&bar));
    let mut record = console.line_writer();
    record.write_all(b"a log line ").unwrap();
    record.write_all(b"in two pieces\n").unwrap();
    assert!(!paper.text().contains("a log line"), "a record appears in one piece");
    drop(record);
    console.print_line("short").unwrap();
    assert_eq!(shown(&paper.text()), ["a log line in two pieces", "short", &bar]);
    progress.stop();
    progress.stop();
    assert_eq!(shown(&paper.text()), ["a log line in two pieces", "short", ""]);
    let before = paper.text();
    console.print_line("after the end").unwrap();
    assert_eq!(paper.text(), format!("{before}after the end\n"));
}

#[test]
fn the_bar_is_gone_before_the_result_is_printed() {
    let paper = Paper::default();
    let console = Console::new(paper.clone(), false);
    let hour = Duration::from_secs(3600);
    let options = ProgressOptions { update_interval: Duration::from_millis(1), first_delay: hour, width: Some(30) };
    let (sender, looks) = std::sync::mpsc::channel();
    let progress = ConsoleProgress::start(&console, options, move || {
        // The receiver goes at the end of the test.
        let _ = sender.send(());
        vec![stage(7, 1, 1, 2)]
    })
    .unwrap();
    wait_until(|| !paper.text().is_empty());
    progress.job_ended();
    assert_eq!(shown(&paper.text()), [""]);
    while looks.try_recv().is_ok() {}
    for _ in 0..2 {
        looks.recv_timeout(Duration::from_secs(60)).unwrap();
    }
    console.print_line("Pi is roughly 3").unwrap();
    assert_eq!(shown(&paper.text()), ["Pi is roughly 3", ""], "looks that come late draw nothing");
    progress.stop();
}

#[test]
fn tracing_writes_through_the_console() {
    let paper = Paper::default();
    let console = Console::new(paper.clone(), false);
    let writer = move || console.line_writer();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).without_time().with_writer(writer).finish();
    tracing::subscriber::with_default(subscriber, || tracing::info!(executor_id = "1", "executor registered"));
    assert_eq!(paper.text().trim(), "INFO golden: executor registered executor_id=\"1\"");
}

#[test]
fn a_line_that_is_not_ended_keeps_the_bar_away() {
    let paper = Paper::default();
    let console = Console::new(paper.clone(), false);
    console.print(b"password: ").unwrap();
    let options =
        ProgressOptions { update_interval: Duration::from_millis(1), first_delay: Duration::ZERO, width: Some(30) };
    let (sender, looks) = std::sync::mpsc::channel();
    let progress = ConsoleProgress::start(&console, options, move || {
        // The receiver goes at the end of the test.
        let _ = sender.send(());
        vec![stage(7, 1, 1, 2)]
    })
    .unwrap();
    // At the second look, what the first one drew has been drawn.
    looks.recv_timeout(Duration::from_secs(60)).unwrap();
    looks.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(paper.text(), "password: ");
    console.print(b"ok\n").unwrap();
    assert_eq!(shown(&paper.text()), ["password: ok".to_owned(), progress_line(&[stage(7, 1, 1, 2)], 30)]);
    progress.stop();
}

#[test]
fn the_start_line() {
    let mut facts = StartFacts {
        app_name: "word count".to_owned(),
        app_id: ApplicationId::from("local-1795265600000"),
        master: "local[2]".to_owned(),
        cores: Some(2),
        memory: ByteCount::gib(2),
        local_dirs: vec![PathBuf::from("/tmp"), PathBuf::from("/data")],
        version: "0.1.0".to_owned(),
        ui: None,
    };
    assert_eq!(
        start_line(&facts),
        "Firesteel 0.1.0: application \"word count\" (local-1795265600000) on local[2], 2 cores, 2.0 GiB memory, \
         local dir /tmp,/data, UI none"
    );
    facts.cores = None;
    facts.local_dirs.clear();
    facts.ui = Some("http://host:4040".to_owned());
    assert!(start_line(&facts).ends_with("all cores it is given, 2.0 GiB memory, local dir none, UI http://host:4040"));
}

#[test]
fn the_end_line() {
    let mut summary = ApplicationSummary {
        app_name: Some("word count".to_owned()),
        app_id: Some(ApplicationId::from("app-1")),
        start_time_ms: Some(1000),
        end_time_ms: Some(13_345),
        exit_code: Some(0),
        jobs: 1,
        stages: 2,
        tasks: 4,
        completed_tasks: 4,
        ..ApplicationSummary::default()
    };
    assert_eq!(end_line(&summary, 99_999), "application \"word count\" (app-1) took 12.3 s: 1 job, 2 stages, 4 tasks");

    summary.end_time_ms = None;
    summary.exit_code = Some(52);
    summary.failed_jobs = 1;
    summary.failed_stages = 1;
    summary.skipped_stages = 3;
    summary.failed_tasks = 4;
    summary.killed_tasks = 1;
    summary.totals.input.bytes_read = 3 << 20;
    summary.totals.shuffle_write.bytes_written = 5000;
    summary.totals.shuffle_read.remote_bytes_read = 1000;
    summary.totals.shuffle_read.local_bytes_read = 4000;
    summary.totals.disk_bytes_spilled = 1;
    summary.removed_executors = 4;
    let removal = |id: &str, reason: &str| ExecutorRemoval {
        executor_id: ExecutorId::from(id),
        host: "h".to_owned(),
        reason: reason.to_owned(),
    };
    summary.removals = vec![
        removal("1", "exited with code 52"),
        removal("2", "exited with code 52\nlast words"),
        removal("3", "no heartbeat for 120000 ms"),
    ];
    assert_eq!(
        end_line(&summary, 126_000),
        "application \"word count\" (app-1) took 2 min 5 s, exit code 52: 1 job (1 failed), \
         2 stages (1 failed, 3 skipped), 4 tasks (4 failed, 1 killed), input 3.0 MiB, shuffle written 4.9 KiB, \
         shuffle read 4.9 KiB, spilled to disk 1.0 B, \
         4 executors removed (2× exited with code 52; no heartbeat for 120000 ms; 1 more)"
    );
    assert_eq!(end_line(&ApplicationSummary::default(), 0), "application took 0 ms: 0 jobs, 0 stages, 0 tasks");
}

#[test]
fn durations_are_said_as_people_say_them() {
    for (ms, text) in [(0, "0 ms"), (999, "999 ms"), (1000, "1.0 s"), (59_999, "59.9 s"), (60_000, "1 min 0 s")] {
        assert_eq!(format_duration(Duration::from_millis(ms)), text);
    }
    assert_eq!(format_duration(Duration::from_secs(2 * 3600 + 61)), "2 h 1 min");
}
