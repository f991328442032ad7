//! Broadcast values on their way to executors, and their end (RT-55).

use crate::{CLUSTER, application::Start, relay};

/// No part of a random value.
const TEXT: &str = "in the clear for everyone to read";

#[test]
fn executors_fetch_a_large_value_from_one_another_and_only_once() {
    let (start, driver) = relay::between(Start::new("broadcast", "local-cluster[4,1,1024]"), TEXT);
    let mut application = start.start();
    application.wait_for("between");
    let sent = driver.sent();
    application.gates().open("between");
    let finished = application.finish();
    finished.succeeded_with(&["first: 4 executors, right true", "second: 4 executors, right true"]);
    let size = 88_000_000;
    assert!(sent >= size, "the driver has sent the value at least once: {sent}\n{finished:?}");
    // It would be four times the size if each had it from the driver.
    assert!(sent < 2 * size, "the driver has sent {sent} bytes for {size}\n{finished:?}");
    // What comes on top is the other job's stage, not the value.
    assert!(driver.sent() - sent < size / 100, "the second job was sent {}\n{finished:?}", driver.sent() - sent);
}

#[test]
fn a_value_goes_from_the_executors_with_unpersist_and_from_everywhere_with_destroy() {
    Start::new("unpersist-and-destroy", "local-cluster[4,1,1024]").finish().succeeded_with(&[
        "first: 4 executors, right true",
        "stored: executors true, driver true",
        "unpersisted: executors false, driver true",
        "again: 4 executors, right true",
        "destroyed: executors false, driver false",
        "refused: true",
    ]);
}

#[test]
fn values_travel_in_clear_unless_encryption_is_asked_for() {
    let cases = [(None, true), (Some("spark.network.crypto.enabled"), false)];
    let cases = cases.into_iter().chain([(Some("spark.authenticate.enableSaslEncryption"), false)]);
    for (key, in_clear) in cases {
        let mut start = Start::new("broadcast-text", CLUSTER).with("spark.broadcast.compress", "false");
        if let Some(key) = key {
            start = start.with(key, "true");
        }
        let (start, driver) = relay::between(start, TEXT);
        let finished = start.finish();
        finished.succeeded_with(&["lengths [34000, 34000]"]);
        assert!(driver.sent() > 34_000, "{key:?}: the value came by\n{finished:?}");
        assert_eq!(driver.has_seen_text(), in_clear, "{key:?}\n{finished:?}");
    }
}
