//! How long the driver waits for a post: nanoseconds for each event, with four queues that keep up.
//!
//! Size: two million events, what a driver posts in 20 seconds at 50,000 tasks a second.

use std::{sync::Arc, time::Instant};

use firesteel_listener_bus::{ListenerBus, ListenerBusOptions, QueueName};
use firesteel_model::{ListenerEvent, RddId};

const EVENTS: u32 = 2_000_000;

fn main() {
    let bus = ListenerBus::new(ListenerBusOptions { capacity: EVENTS as usize + 1, queue_capacities: Vec::new() });
    let queues = [QueueName::SHARED, QueueName::APP_STATUS, QueueName::EXECUTOR_MANAGEMENT, QueueName::EVENT_LOG];
    for queue in queues {
        bus.add_listener(queue, |event: &ListenerEvent| {
            std::hint::black_box(event);
        })
        .expect("the bus runs");
    }
    bus.start();
    let event = Arc::new(ListenerEvent::UnpersistRdd { rdd_id: RddId(0) });
    let begin = Instant::now();
    for _ in 0..EVENTS {
        bus.post(Arc::clone(&event));
    }
    let elapsed = begin.elapsed();
    println!("post to {} queues: {} ns for each event", queues.len(), elapsed.as_nanos() / u128::from(EVENTS));
}
