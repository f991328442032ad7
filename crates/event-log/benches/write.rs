//! How fast the log takes tasks: a start and an end for each, with and without the accumulators and compression.
//!
//! Size: a job of 200,000 tasks, to be compared with the 50,000 tasks a second that the driver launches.

use std::{sync::Arc, time::Instant};

use firesteel_event_log::{CompressionCodec, EventLogListener, EventLogOptions};
use firesteel_listener_bus::Listener;
use firesteel_model::ListenerEvent;

#[path = "../tests/made_up/mod.rs"]
mod made_up;

const TASKS: u32 = 200_000;

fn main() {
    let events: Vec<Arc<ListenerEvent>> = made_up::wide_job(0, 0, TASKS).into_iter().map(Arc::new).collect();
    for (name, compression, accumulators) in [
        ("plain, with accumulators", None, true),
        ("plain, without", None, false),
        ("zstd, with accumulators", Some(CompressionCodec::Zstd), true),
        ("zstd, without", Some(CompressionCodec::Zstd), false),
    ] {
        let directory = tempfile::tempdir().expect("a directory for the log");
        let options = made_up::options(directory.path(), "app-1");
        let options = EventLogOptions { compression, include_task_metrics_accumulators: accumulators, ..options };
        let mut listener = EventLogListener::open(options).expect("the log opens");
        let begin = Instant::now();
        events.iter().for_each(|event| listener.on_event(event));
        listener.on_stop();
        let rate = f64::from(TASKS) / begin.elapsed().as_secs_f64();
        let bytes = std::fs::metadata(listener.path()).expect("the log is there").len() / u64::from(TASKS);
        println!("{name}: {rate:.0} tasks/s, {bytes} bytes for each");
    }
}
