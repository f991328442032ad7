//! A stage of a million tasks is small, and its tasks go in order.

use crate::story::*;

#[test]
fn a_million_tasks_wait_launch_and_are_cancelled() {
    let mut story = Story::with_executors(options(), &[("1", "a", 2)]);
    story.submit(0, &source(0, 1_000_000));
    assert_eq!(story.prepared(0, 0), ["launch on 1: 0=0.0 of 0.0, 1=1.0 of 0.0"]);
    assert_eq!(story.result(0, "1"), ["deliver 0 as 0 of job 0", "launch on 1: 2=2.0 of 0.0"]);
    assert_eq!(story.scheduler.pending_tasks(), 999_997);
    story.tell(firesteel_scheduler::Event::AllJobsCancelled);
    assert_eq!(story.scheduler.pending_tasks(), 0);
}
