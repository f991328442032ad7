//! What the bus promises: order, independence of queues, bounded memory, and an end.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use firesteel_listener_bus::{AddListenerError, Listener, ListenerBus, ListenerBusOptions, QueueName, StopError};
use firesteel_model::{ListenerEvent, RddId};
use proptest::prelude::*;

const PATIENCE: Duration = Duration::from_secs(60);

fn event(number: u32) -> ListenerEvent {
    ListenerEvent::UnpersistRdd { rdd_id: RddId(number) }
}

fn number(event: &ListenerEvent) -> u32 {
    match event {
        ListenerEvent::UnpersistRdd { rdd_id } => rdd_id.0,
        other => panic!("nobody posted {other:?}"),
    }
}

fn bus(capacity: usize) -> ListenerBus {
    ListenerBus::new(ListenerBusOptions { capacity, queue_capacities: Vec::new() })
}

/// Notes the numbers it sees.
fn recorder() -> (Arc<Mutex<Vec<u32>>>, impl FnMut(&ListenerEvent) + Send + 'static) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let listener = {
        let seen = Arc::clone(&seen);
        move |event: &ListenerEvent| seen.lock().unwrap().push(number(event))
    };
    (seen, listener)
}

/// A listener that takes an event and keeps it until it is let go. First it says so.
fn gate() -> (mpsc::Receiver<()>, mpsc::Sender<()>, impl FnMut(&ListenerEvent) + Send + 'static) {
    let (entered_sender, entered) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let listener = move |_: &ListenerEvent| {
        entered_sender.send(()).unwrap();
        // An end of the channel lets everything through.
        let _ = released.recv();
    };
    (entered, release, listener)
}

#[test]
fn listeners_added_before_the_start_see_everything_in_order() {
    let bus = bus(1000);
    bus.post(event(0));
    let (first, listener) = recorder();
    bus.add_listener(QueueName::SHARED, listener).unwrap();
    bus.post(event(1));
    let (second, listener) = recorder();
    bus.add_listener(QueueName::APP_STATUS, listener).unwrap();
    bus.start();
    (2..500).for_each(|number| bus.post(event(number)));
    assert!(bus.wait_until_empty(PATIENCE));
    let all: Vec<_> = (0..500).collect();
    assert_eq!(*first.lock().unwrap(), all);
    assert_eq!(*second.lock().unwrap(), all);
}

#[test]
fn a_full_queue_drops_and_counts_and_no_other_queue_notices() {
    let bus = bus(10);
    let (entered, release, listener) = gate();
    bus.add_listener(QueueName::EVENT_LOG, listener).unwrap();
    let (seen, listener) = recorder();
    bus.add_listener(QueueName::SHARED, listener).unwrap();
    bus.start();
    bus.post(event(0));
    entered.recv_timeout(PATIENCE).unwrap();
    for number in 1..=25 {
        bus.post(event(number));
        // So that this queue is never full itself.
        while seen.lock().unwrap().len() <= number as usize {
            std::thread::yield_now();
        }
    }
    let stuck = bus.metrics().into_iter().find(|queue| queue.name == QueueName::EVENT_LOG).unwrap();
    assert_eq!((stuck.size, stuck.dropped_events, stuck.processed_events), (10, 15, 0));
    drop(release);
    let report = bus.stop(PATIENCE).unwrap();
    assert!(!report.is_complete() && report.timed_out.is_empty());
    let drained = report.queues.iter().find(|queue| queue.name == QueueName::EVENT_LOG).unwrap();
    assert_eq!((drained.size, drained.dropped_events, drained.processed_events), (0, 15, 11));
    assert_eq!(*seen.lock().unwrap(), (0..=25).collect::<Vec<_>>());
}

#[test]
fn stopping_does_not_wait_longer_than_it_was_told() {
    let bus = bus(10);
    let (entered, release, listener) = gate();
    bus.add_listener(QueueName::EVENT_LOG, listener).unwrap();
    bus.start();
    (0..11).for_each(|number| bus.post(event(number)));
    entered.recv_timeout(PATIENCE).unwrap();
    let report = bus.stop(Duration::ZERO).unwrap();
    assert_eq!(report.timed_out, [QueueName::EVENT_LOG]);
    drop(release);
    // The thread ends by itself once its listener returns, and drops what it held.
    while entered.recv_timeout(PATIENCE).is_ok() {}
    assert_eq!(entered.recv(), Err(mpsc::RecvError));
}

#[test]
fn stopping_tells_the_listeners_once_and_later_calls_do_nothing() {
    struct Counting(Arc<AtomicUsize>, Arc<AtomicUsize>);
    impl Listener for Counting {
        fn on_event(&mut self, _: &ListenerEvent) {
            assert_eq!(self.1.load(Ordering::SeqCst), 0, "no event after the end");
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        fn on_stop(&mut self) {
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (events, stops) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let bus = bus(1000);
    bus.add_listener(QueueName::SHARED, Counting(Arc::clone(&events), Arc::clone(&stops))).unwrap();
    // Never started: what was posted is seen nevertheless.
    (0..100).for_each(|number| bus.post(event(number)));
    assert!(bus.stop(PATIENCE).unwrap().is_complete());
    bus.post(event(100));
    assert!(bus.stop(PATIENCE).unwrap().is_complete());
    assert_eq!((events.load(Ordering::SeqCst), stops.load(Ordering::SeqCst)), (100, 1));
    let late = bus.add_listener(QueueName::SHARED, |_: &ListenerEvent| {});
    assert!(matches!(late, Err(AddListenerError::Stopped)));
}

#[test]
fn a_listener_cannot_stop_the_bus_but_may_post() {
    let bus = bus(1000);
    let (sender, results) = mpsc::channel();
    let inner = bus.clone();
    bus.add_listener(QueueName::SHARED, move |event: &ListenerEvent| {
        if number(event) == 0 {
            inner.post(self::event(1));
            sender.send(inner.stop(PATIENCE)).unwrap();
        }
    })
    .unwrap();
    let (seen, listener) = recorder();
    bus.add_listener(QueueName::SHARED, listener).unwrap();
    bus.start();
    bus.post(event(0));
    let refused = results.recv_timeout(PATIENCE).unwrap();
    assert_eq!(refused, Err(StopError::FromListener { queue: QueueName::SHARED }));
    assert!(bus.stop(PATIENCE).unwrap().is_complete());
    assert_eq!(*seen.lock().unwrap(), [0, 1]);
}

#[test]
fn a_listener_that_panics_is_removed_and_its_neighbours_go_on() {
    let bus = bus(1000);
    let calls = Arc::new(AtomicUsize::new(0));
    bus.add_listener(QueueName::SHARED, {
        let calls = Arc::clone(&calls);
        move |_: &ListenerEvent| {
            calls.fetch_add(1, Ordering::SeqCst);
            panic!("made up");
        }
    })
    .unwrap();
    let (seen, listener) = recorder();
    bus.add_listener(QueueName::SHARED, listener).unwrap();
    bus.start();
    (0..10).for_each(|number| bus.post(event(number)));
    assert!(bus.stop(PATIENCE).unwrap().is_complete());
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!(*seen.lock().unwrap(), (0..10).collect::<Vec<_>>());
}

#[test]
fn queues_can_have_capacities_of_their_own() {
    let options =
        ListenerBusOptions { capacity: 7, queue_capacities: vec![(QueueName::EVENT_LOG, 70), (QueueName::SHARED, 0)] };
    let bus = ListenerBus::new(options);
    for queue in [QueueName::EVENT_LOG, QueueName::APP_STATUS, QueueName::SHARED] {
        bus.add_listener(queue, |_: &ListenerEvent| {}).unwrap();
    }
    let capacities: Vec<_> = bus.metrics().iter().map(|queue| queue.capacity).collect();
    assert_eq!(capacities, [70, 7, 1]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Safety: from several threads, each listener sees each thread's events in their order; seen and dropped add up.
    #[test]
    fn nothing_is_lost_uncounted(threads in 1usize..4, each in 0u32..300, capacity in 1usize..400) {
        let bus = bus(capacity);
        let (seen, listener) = recorder();
        bus.add_listener(QueueName::SHARED, listener).unwrap();
        bus.start();
        std::thread::scope(|scope| {
            for thread in 0..threads as u32 {
                let bus = &bus;
                scope.spawn(move || (0..each).for_each(|number| bus.post(event(thread * 1000 + number))));
            }
        });
        let report = bus.stop(PATIENCE).unwrap();
        let seen = seen.lock().unwrap();
        let queue = &report.queues[0];
        prop_assert_eq!(queue.processed_events, seen.len() as u64);
        prop_assert_eq!(queue.processed_events + queue.dropped_events, threads as u64 * u64::from(each));
        for thread in 0..threads as u32 {
            let own: Vec<_> = seen.iter().filter(|number| **number / 1000 == thread).collect();
            prop_assert!(own.is_sorted());
        }
    }
}
