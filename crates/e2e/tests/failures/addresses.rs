//! Where the processes of an application listen, and how they find each other (RT-51).

use std::{fs, net::TcpListener};

use serde_json::Value;

use crate::{
    CLUSTER,
    application::{Start, files_below},
    events::logging,
};

const RESULTS: &[&str] = &["results 9437184 right true", "then 100"];
const PORTS: [&str; 3] = ["spark.blockManager.port", "spark.driver.blockManager.port", "spark.driver.port"];

#[test]
fn a_taken_port_is_stepped_over_and_executors_of_one_machine_share_a_configured_one() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    let start = PORTS.iter().fold(Start::new("large-results", CLUSTER), |start, key| start.with(key, &port));
    start.finish().succeeded_with(RESULTS);
}

#[test]
fn without_retries_a_taken_port_ends_the_start_and_its_key_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    for key in &PORTS[1..] {
        let start = Start::new("large-results", CLUSTER).with(key, &port).with("spark.port.maxRetries", "0");
        start.finish().failed_with(&[key, &format!("port {port}"), "Address already in use"]);
    }
}

#[test]
fn the_driver_is_reached_by_the_name_that_is_configured() {
    for settings in [&[("spark.driver.host", "localhost")][..], &[("spark.driver.bindAddress", "0.0.0.0")]] {
        let start =
            settings.iter().fold(Start::new("large-results", CLUSTER), |start, (key, value)| start.with(key, value));
        start.finish().succeeded_with(RESULTS);
    }
}

/// A machine may have no other: executors listen where the driver does.
#[test]
fn every_process_is_at_the_address_that_the_environment_names() {
    TcpListener::bind(("::1", 0)).expect("this test needs IPv6 on loopback");
    let start = Start::new("large-results", CLUSTER).through(&["env", "SPARK_LOCAL_IP=::1"]);
    let finished = logging(start).complete().finish();
    finished.succeeded_with(RESULTS);
    let logs = files_below(&finished.directory().join("events"));
    let text = fs::read_to_string(&logs[0]).expect("the event log can be read");
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("each line is an event"));
    let added = events.filter(|event| event["Event"] == "SparkListenerBlockManagerAdded");
    let hosts: Vec<Value> = added.map(|event| event["Block Manager ID"]["Host"].clone()).collect();
    assert_eq!(hosts, ["::1", "::1", "::1"]);
}
