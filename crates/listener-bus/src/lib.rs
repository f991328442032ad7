//! Carries [`ListenerEvent`]s from the driver to whoever listens: UI state, event log, metrics, executor allocation.
//!
//! The driver must never wait for a listener. So each listener sits behind a *queue*: a bounded channel with a thread of
//! its own. [`ListenerBus::post`] puts an `Arc` of the event into every queue and returns; a queue that is full drops the
//! event, counts it and warns, as Spark's does. Listeners of one queue share its thread and see every event in the order
//! in which it was posted; listeners of different queues do not wait for one another.
//!
//! ```
//! use std::time::Duration;
//! use firesteel_listener_bus::{ListenerBus, ListenerBusOptions, QueueName};
//! use firesteel_model::ListenerEvent;
//!
//! let bus = ListenerBus::new(ListenerBusOptions::default());
//! bus.add_listener(QueueName::APP_STATUS, |event: &ListenerEvent| println!("{event:?}")).unwrap();
//! bus.start();
//! bus.post(ListenerEvent::ApplicationEnd { time_ms: 0, exit_code: Some(0) });
//! let report = bus.stop(Duration::from_secs(10)).unwrap();
//! assert!(report.is_complete());
//! ```
//!
//! What an event means is not decided here.
//!
//! [`ListenerEvent`]: firesteel_model::ListenerEvent

#![forbid(unsafe_code)]

mod bus;
mod queue;

pub use bus::{AddListenerError, ListenerBus, ListenerBusOptions, StopError, StopReport};
pub use queue::{Listener, QueueMetrics, QueueName};
