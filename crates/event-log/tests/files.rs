//! Files of a log: names, modes, what is refused, what a disk that is full does, when lines become readable.

mod made_up;

use std::{
    env, fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
};

use firesteel_event_log::{CompressionCodec, EventLogListener, EventLogOptions, OpenEventLogError, RollingOptions};
use firesteel_listener_bus::{Listener, ListenerBus, ListenerBusOptions, QueueName};
use firesteel_model::{ByteCount, ListenerEvent};
use proptest::prelude::*;

fn options(directory: &Path) -> EventLogOptions {
    // Each event is a line then, except for those of executors' metrics.
    EventLogOptions { log_stage_executor_metrics: false, ..made_up::options(directory, "App 1.2") }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: PathBuf) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn write(listener: &mut EventLogListener, events: &[ListenerEvent]) {
    events.iter().for_each(|event| listener.on_event(event));
}

#[test]
fn a_log_is_in_progress_until_the_bus_stops() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let listener = EventLogListener::open(options(path)).unwrap();
    assert_eq!(listener.path(), path.join("app-1_2"));
    assert_eq!(names(path), ["app-1_2.inprogress"]);
    assert_eq!(mode(path.join("app-1_2.inprogress")), 0o660);

    let bus = ListenerBus::new(ListenerBusOptions::default());
    bus.add_listener(QueueName::EVENT_LOG, listener).unwrap();
    let events = made_up::events("app-1");
    let count = events.iter().filter(|event| !matches!(event, ListenerEvent::ExecutorMetricsUpdate { .. })).count();
    events.into_iter().for_each(|event| bus.post(event));
    let report = bus.stop(std::time::Duration::from_secs(60)).unwrap();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(names(path), ["app-1_2"]);
    // One line more for the version, and one for the old name of each of six exclusions.
    assert_eq!(fs::read_to_string(path.join("app-1_2")).unwrap().lines().count(), count + 1 + 6);
}

/// Runs this test once more by a process whose files may not grow, as on a full disk: names can be made, contents cannot.
#[test]
fn a_log_that_cannot_be_begun_is_not_left_behind() {
    const DIRECTORY: &str = "LOG_DIRECTORY_ON_A_FULL_DISK";
    if let Some(directory) = env::var_os(DIRECTORY) {
        let plain = options(Path::new(&directory));
        let rolling = Some(RollingOptions::new(ByteCount::mib(10)).unwrap());
        let compressed = EventLogOptions { compression: Some(CompressionCodec::Zstd), ..plain.clone() };
        for options in [EventLogOptions { rolling, ..plain.clone() }, compressed, plain] {
            let Err(error) = EventLogListener::open(options) else { panic!("it can be written") };
            assert!(matches!(error, OpenEventLogError::Create { .. }), "{error}");
        }
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new("sh")
        .args(["-c", r#"trap '' XFSZ; ulimit -f 0; exec "$0" "$@""#])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "a_log_that_cannot_be_begun_is_not_left_behind", "--nocapture"])
        .env(DIRECTORY, directory.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(names(directory.path()), [] as [&str; 0]);
}

#[test]
fn names_tell_attempt_and_codec() {
    let directory = tempfile::tempdir().unwrap();
    let codec = Some(CompressionCodec::Zstd);
    let attempt =
        EventLogOptions { app_attempt_id: Some("2".to_owned()), compression: codec, ..options(directory.path()) };
    let mut single = EventLogListener::open(attempt.clone()).unwrap();
    let rolling = Some(RollingOptions::new(ByteCount::mib(10)).unwrap());
    let mut several = EventLogListener::open(EventLogOptions { rolling, ..attempt }).unwrap();
    assert_eq!(names(directory.path()), ["app-1_2_2.zstd.inprogress", "eventlog_v2_app-1_2_2"]);
    let own = several.path().to_owned();
    assert_eq!(names(&own), ["appstatus_app-1_2_2.inprogress", "events_1_app-1_2_2.zstd"]);
    assert_eq!(mode(own.clone()), 0o770);
    for name in names(&own) {
        assert_eq!(mode(own.join(name)), 0o660);
    }
    single.on_stop();
    several.on_stop();
    assert_eq!(names(directory.path()), ["app-1_2_2.zstd", "eventlog_v2_app-1_2_2"]);
    assert_eq!(names(&own), ["appstatus_app-1_2_2", "events_1_app-1_2_2.zstd"]);
}

#[test]
fn opening_says_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let open = |options| EventLogListener::open(options).err().expect("opening fails");
    let error = open(options(&missing));
    assert!(matches!(error, OpenEventLogError::NoDirectory { .. }), "{error:?}");
    assert!(error.to_string().contains(missing.to_str().unwrap()), "{error}");

    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(open(options(&file)), OpenEventLogError::NotADirectory { .. }));
    assert!(RollingOptions::new(ByteCount(ByteCount::mib(10).bytes() - 1)).is_err());
}

#[test]
fn a_log_that_is_there_is_replaced_only_if_that_is_allowed() {
    for rolling in [None, Some(RollingOptions::new(ByteCount::mib(10)).unwrap())] {
        let directory = tempfile::tempdir().unwrap();
        let options = EventLogOptions { rolling, ..options(directory.path()) };
        let first = EventLogListener::open(options.clone()).unwrap();
        let refused = EventLogListener::open(options.clone()).err();
        assert!(matches!(refused, Some(OpenEventLogError::Exists { .. })), "{refused:?}");
        drop(first);
        let overwrite = EventLogOptions { overwrite: true, ..options.clone() };
        let mut second = EventLogListener::open(overwrite).unwrap();
        second.on_stop();
        assert!(matches!(EventLogListener::open(options).err(), Some(OpenEventLogError::Exists { .. })));
        assert_eq!(names(directory.path()).len(), 1);
    }
}

#[test]
fn ends_of_jobs_and_stages_make_lines_readable() {
    let directory = tempfile::tempdir().unwrap();
    let mut listener = EventLogListener::open(options(directory.path())).unwrap();
    let file = directory.path().join("app-1_2.inprogress");
    let last_kind = || {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.ends_with('\n'), "only whole lines are written");
        let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        last["Event"].as_str().unwrap().to_owned()
    };
    assert_eq!(last_kind(), "SparkListenerLogStart");
    for event in made_up::job_that_succeeds() {
        listener.on_event(&event);
        match event {
            ListenerEvent::JobStart { .. } => assert_eq!(last_kind(), "SparkListenerJobStart"),
            ListenerEvent::StageCompleted { .. } => assert_eq!(last_kind(), "SparkListenerStageCompleted"),
            ListenerEvent::JobEnd { .. } => assert_eq!(last_kind(), "SparkListenerJobEnd"),
            ListenerEvent::TaskStart { .. } => assert_ne!(last_kind(), "SparkListenerTaskStart"),
            _ => {}
        }
    }
}

#[test]
fn a_full_buffer_is_written_in_whole_lines() {
    let directory = tempfile::tempdir().unwrap();
    let small = EventLogOptions { buffer_size: ByteCount(1), ..options(directory.path()) };
    let mut listener = EventLogListener::open(small).unwrap();
    let file = directory.path().join("app-1_2.inprogress");
    let mut lines = 1;
    for event in made_up::wide_job(0, 0, 3) {
        listener.on_event(&event);
        lines += 1;
        assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), lines);
    }
}

#[test]
fn rolling_keeps_every_line_and_every_file_below_its_size() {
    let directory = tempfile::tempdir().unwrap();
    let max = ByteCount::mib(10);
    let rolling = Some(RollingOptions::new(max).unwrap());
    let mut listener = EventLogListener::open(EventLogOptions { rolling, ..options(directory.path()) }).unwrap();
    let events = made_up::wide_job(0, 0, 8000);
    write(&mut listener, &events);
    listener.on_stop();
    let own = listener.path();
    let mut lines = 0;
    let mut index = 1;
    while let Ok(text) = fs::read_to_string(own.join(format!("events_{index}_app-1_2"))) {
        assert!(text.len() as u64 <= max.bytes() && text.ends_with('\n'));
        lines += text.lines().count();
        index += 1;
    }
    assert!(index > 3, "{index}");
    assert_eq!(lines, events.len() + 1);
    assert_eq!(names(own).len(), index, "the files and the status");
}

#[test]
fn a_disk_that_fails_is_survived_and_leaves_the_log_in_progress() {
    let directory = tempfile::tempdir().unwrap();
    let rolling = Some(RollingOptions::new(ByteCount::mib(10)).unwrap());
    let mut listener = EventLogListener::open(EventLogOptions { rolling, ..options(directory.path()) }).unwrap();
    let own = listener.path().to_owned();
    // The name of the second file is taken: beginning it fails, as it would on a full disk.
    fs::create_dir(own.join("events_2_app-1_2")).unwrap();
    let reports = Reports::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(reports.clone());
    tracing::subscriber::with_default(subscriber.with_ansi(false).finish(), || {
        write(&mut listener, &made_up::wide_job(0, 0, 8000));
        write(&mut listener, &made_up::end());
        listener.on_stop();
    });
    let reports = reports.text();
    assert_eq!(reports.lines().count(), 1, "{reports}");
    assert!(reports.contains("ERROR") && reports.contains(own.to_str().unwrap()), "{reports}");
    assert_eq!(
        names(&own),
        ["appstatus_app-1_2.inprogress", "events_1_app-1_2", "events_2_app-1_2"],
        "a log that is not complete is not marked as complete"
    );
    let first = fs::read_to_string(own.join("events_1_app-1_2")).unwrap();
    assert!(first.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

/// What was logged.
#[derive(Clone, Default)]
struct Reports(Arc<Mutex<Vec<u8>>>);

impl Reports {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Reports {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Reports {
    type Writer = Self;
    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// What a codec of Spark's must read back, by rules of the format and not by our writer.
fn decompressed(codec: CompressionCodec, bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match codec {
        CompressionCodec::Zstd => plain = zstd::decode_all(bytes).unwrap(),
        CompressionCodec::Lz4 => {
            let mut rest = bytes;
            loop {
                let (head, after) = rest.split_at(21);
                assert_eq!(&head[..8], b"LZ4Block");
                let number = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().unwrap());
                let (stored, size, hash) = (number(9) as usize, number(13) as usize, number(17));
                if size == 0 {
                    assert!(after.is_empty());
                    break;
                }
                let block = match head[8] >> 4 {
                    1 => after[..stored].to_vec(),
                    _ => lz4_flex::block::decompress(&after[..stored], size).unwrap(),
                };
                assert_eq!(twox_hash::XxHash32::oneshot(0x9747_b28c, &block) & 0x0fff_ffff, hash);
                plain.extend(block);
                rest = &after[stored..];
            }
        }
        CompressionCodec::Snappy => {
            let mut rest = bytes.strip_prefix(b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01").unwrap();
            while !rest.is_empty() {
                let (length, after) = rest.split_at(4);
                let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
                plain.extend(snap::raw::Decoder::new().decompress_vec(&after[..length]).unwrap());
                rest = &after[length..];
            }
        }
    }
    plain
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Safety: whatever the codec and the buffer, the same lines come out.
    #[test]
    fn compressed_logs_hold_the_same_lines(tasks in 0u32..60, buffer in 1u64..200_000) {
        let events = made_up::wide_job(0, 0, tasks);
        let text = |codec: Option<CompressionCodec>| {
            let directory = tempfile::tempdir().unwrap();
            let buffer_size = ByteCount(buffer);
            let options = EventLogOptions { compression: codec, buffer_size, ..options(directory.path()) };
            let mut listener = EventLogListener::open(options).unwrap();
            write(&mut listener, &events);
            listener.on_stop();
            let mut bytes = Vec::new();
            fs::File::open(listener.path()).unwrap().read_to_end(&mut bytes).unwrap();
            codec.map_or_else(|| bytes.clone(), |codec| decompressed(codec, &bytes))
        };
        let plain = text(None);
        prop_assert_eq!(plain.iter().filter(|byte| **byte == b'\n').count(), events.len() + 1);
        for codec in [CompressionCodec::Zstd, CompressionCodec::Lz4, CompressionCodec::Snappy] {
            prop_assert!(text(Some(codec)) == plain, "{}", codec);
        }
    }
}
