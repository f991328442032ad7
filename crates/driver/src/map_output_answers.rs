//! Answers to where map outputs are: the sending half of Spark's `MapOutputTrackerMaster` (RT-62).
//!
//! All executors of a shuffle ask at about the same time, and all get the same answer. So it is encoded once, and kept until
//! the outputs change. Large answers are encoded away from the event loop and become a broadcast value, which executors
//! fetch over the data plane, mostly from one another; the answer then only says which value it is.

use std::{collections::HashMap, mem, sync::Arc, thread};

use firesteel_messages::{Answer, EncodedMapStatuses, ExecutorMessage, encode_map_statuses};
use firesteel_model::{ByteCount, ExecutorId, MapStatus, ShuffleId};
use tracing::warn;

use crate::{DriverHandle, PublishedBytes, SchedulerBackend, input::Input};

/// What is known of the answers.
pub(crate) struct MapOutputAnswers {
    driver: DriverHandle,
    backend: Arc<dyn SchedulerBackend>,
    /// Answers of this size and above are broadcast.
    min_size_for_broadcast: ByteCount,
    shuffles: HashMap<ShuffleId, ShuffleAnswers>,
    /// By number. Some may be for outputs that have changed meanwhile.
    preparations: HashMap<u64, Preparation>,
    next_preparation: u64,
}

/// Who asks, and the number of its question.
type Asker = (ExecutorId, u64);

#[derive(Default)]
struct ShuffleAnswers {
    current: Current,
    /// A value of earlier outputs. It stays until there is another one like it, for those who are just reading it.
    retired: Option<PublishedBytes>,
}

#[derive(Default)]
enum Current {
    /// Nobody has asked for the outputs as they are.
    #[default]
    Unasked,
    /// The number of the preparation.
    Preparing(u64),
    Ready(PreparedAnswer),
}

struct Preparation {
    shuffle_id: ShuffleId,
    /// At which the outputs were as they are being encoded.
    epoch: u64,
    waiting: Vec<Asker>,
}

/// An answer that can be sent.
pub(crate) struct PreparedAnswer {
    statuses: EncodedMapStatuses,
    /// As long as the answer may be given.
    published: Option<PublishedBytes>,
}

impl MapOutputAnswers {
    pub(crate) fn new(
        driver: DriverHandle,
        backend: Arc<dyn SchedulerBackend>,
        min_size_for_broadcast: ByteCount,
    ) -> Self {
        Self {
            driver,
            backend,
            min_size_for_broadcast,
            shuffles: HashMap::new(),
            preparations: HashMap::new(),
            next_preparation: 0,
        }
    }

    /// Answers with these outputs, which are the shuffle's at this epoch; at once, or when the answer is prepared.
    pub(crate) fn ask(&mut self, asker: Asker, shuffle_id: ShuffleId, epoch: u64, statuses: &[Option<Arc<MapStatus>>]) {
        let shuffle = self.shuffles.entry(shuffle_id).or_default();
        match &shuffle.current {
            Current::Ready(prepared) => {
                let answer = Answer::MapOutputs { epoch, statuses: prepared.statuses.clone() };
                send(&*self.backend, &asker, answer);
            }
            Current::Preparing(number) => {
                if let Some(preparation) = self.preparations.get_mut(number) {
                    preparation.waiting.push(asker);
                }
            }
            Current::Unasked => {
                let number = self.next_preparation;
                self.next_preparation += 1;
                shuffle.current = Current::Preparing(number);
                self.preparations.insert(number, Preparation { shuffle_id, epoch, waiting: vec![asker] });
                let weight: u64 = statuses.iter().flatten().map(|status| status.weight()).sum();
                let (backend, least) = (Arc::clone(&self.backend), self.min_size_for_broadcast);
                if ByteCount(weight) < least {
                    let prepared = prepare(&*backend, least, statuses);
                    return self.prepared(number, prepared);
                }
                let (driver, statuses) = (self.driver.clone(), statuses.to_vec());
                // A thread of its own: answers this large are few, and other events must not wait for them.
                let started = thread::Builder::new().name("map-output-dispatcher".to_owned()).spawn(move || {
                    let prepared = prepare(&*backend, least, &statuses);
                    driver.send(Input::MapOutputsPrepared { number, prepared });
                });
                if let Err(error) = started {
                    self.prepared(number, Err(format!("no thread to encode map outputs in: {error}")));
                }
            }
        }
    }

    /// A preparation has ended: answers all who wait for it.
    pub(crate) fn prepared(&mut self, number: u64, prepared: Result<PreparedAnswer, String>) {
        let Some(Preparation { shuffle_id, epoch, waiting }) = self.preparations.remove(&number) else { return };
        let answer = match &prepared {
            Ok(prepared) => Answer::MapOutputs { epoch, statuses: prepared.statuses.clone() },
            Err(reason) => {
                warn!(%shuffle_id, reason, "map outputs cannot be told to executors");
                Answer::CannotBeSent(reason.clone())
            }
        };
        for asker in &waiting {
            send(&*self.backend, asker, answer.clone());
        }
        // Nobody has the shuffle any more, or it has changed: then the epoch in the answer keeps it from being remembered.
        let Some(shuffle) = self.shuffles.get_mut(&shuffle_id) else { return };
        let is_current = matches!(shuffle.current, Current::Preparing(current) if current == number);
        match prepared {
            Ok(prepared) if is_current => shuffle.current = Current::Ready(prepared),
            Ok(prepared) => shuffle.retire(prepared),
            Err(_) if is_current => shuffle.current = Current::Unasked,
            Err(_) => {}
        }
    }

    /// The outputs have changed.
    pub(crate) fn changed(&mut self, shuffle_id: ShuffleId) {
        if let Some(shuffle) = self.shuffles.get_mut(&shuffle_id)
            && let Current::Ready(prepared) = mem::take(&mut shuffle.current)
        {
            shuffle.retire(prepared);
        }
    }

    /// The shuffle is gone.
    pub(crate) fn forget(&mut self, shuffle_id: ShuffleId) {
        self.shuffles.remove(&shuffle_id);
    }
}

impl ShuffleAnswers {
    fn retire(&mut self, prepared: PreparedAnswer) {
        if prepared.published.is_some() {
            self.retired = prepared.published;
        }
    }
}

fn prepare(
    backend: &dyn SchedulerBackend,
    min_size_for_broadcast: ByteCount,
    statuses: &[Option<Arc<MapStatus>>],
) -> Result<PreparedAnswer, String> {
    let bytes = encode_map_statuses(statuses).map_err(|error| error.to_string())?;
    let published = if ByteCount(bytes.len() as u64) < min_size_for_broadcast { None } else { backend.publish(&bytes) };
    match published.transpose()? {
        Some(published) => {
            let statuses = EncodedMapStatuses::Broadcast(published.info().clone());
            Ok(PreparedAnswer { statuses, published: Some(published) })
        }
        None => Ok(PreparedAnswer { statuses: EncodedMapStatuses::Here(bytes), published: None }),
    }
}

fn send(backend: &dyn SchedulerBackend, (executor_id, number): &Asker, answer: Answer) {
    backend.send(executor_id, ExecutorMessage::Answer { number: *number, answer });
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use crossbeam_channel::{Receiver, unbounded};
    use firesteel_messages::decode_map_statuses;
    use firesteel_model::{BlockManagerId, BroadcastId, BroadcastInfo, MapId};
    use parking_lot::Mutex;

    use super::*;
    use crate::ResultFetch;

    const SHUFFLE: ShuffleId = ShuffleId(3);

    #[derive(Default)]
    struct Backend {
        sent: Mutex<Vec<(ExecutorId, u64, Answer)>>,
        published: AtomicU64,
        /// How many of them are still there.
        kept: Arc<AtomicU64>,
        broken: bool,
    }

    struct Kept(Arc<AtomicU64>);

    impl Drop for Kept {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }

    impl SchedulerBackend for Backend {
        fn send(&self, executor_id: &ExecutorId, message: ExecutorMessage) -> bool {
            let ExecutorMessage::Answer { number, answer } = message else { panic!("{message:?}") };
            self.sent.lock().push((executor_id.clone(), number, answer));
            true
        }

        fn kill_executor(&self, _: &ExecutorId, _: &str, _: bool) {}

        fn fetch_result(&self, _: ResultFetch) {}

        fn publish(&self, bytes: &[u8]) -> Option<Result<PublishedBytes, String>> {
            if self.broken {
                return Some(Err("the disk is full".to_owned()));
            }
            let id = BroadcastId(self.published.fetch_add(1, Ordering::Relaxed));
            let info = BroadcastInfo { id, size: bytes.len() as u64, piece_size: 1 << 20, checksums: Vec::new() };
            self.kept.fetch_add(1, Ordering::Relaxed);
            Some(Ok(PublishedBytes::new(info, Kept(Arc::clone(&self.kept)))))
        }
    }

    struct Story {
        answers: MapOutputAnswers,
        backend: Arc<Backend>,
        inputs: Receiver<Input>,
    }

    impl Story {
        fn new(backend: Backend) -> Self {
            let (sender, inputs) = unbounded();
            let backend = Arc::new(backend);
            let answers = MapOutputAnswers::new(
                DriverHandle::new(sender, ByteCount::mib(1)),
                Arc::clone(&backend) as _,
                ByteCount::kib(512),
            );
            Self { answers, backend, inputs }
        }

        fn ask(&mut self, number: u64, epoch: u64, maps: usize) {
            let location = BlockManagerId { executor_id: "1".into(), host: "host".to_owned(), port: 7337 };
            let status = Arc::new(MapStatus::new(location, MapId(7), [100; 1000]));
            self.answers.ask(("1".into(), number), SHUFFLE, epoch, &vec![Some(status); maps]);
        }

        fn end_preparation(&mut self) {
            let Ok(Input::MapOutputsPrepared { number, prepared }) = self.inputs.recv() else {
                panic!("no preparation")
            };
            self.answers.prepared(number, prepared);
        }

        /// The answers since the last time: question, epoch, and the value or how many maps the answer holds.
        fn sent(&self) -> Vec<(u64, u64, Result<u64, usize>)> {
            let sent = self.backend.sent.lock().drain(..).collect::<Vec<_>>();
            let each = sent.into_iter().map(|(_, number, answer)| match answer {
                Answer::MapOutputs { epoch, statuses: EncodedMapStatuses::Broadcast(info) } => {
                    (number, epoch, Ok(info.id.0))
                }
                Answer::MapOutputs { epoch, statuses: EncodedMapStatuses::Here(bytes) } => {
                    (number, epoch, Err(decode_map_statuses(&bytes).unwrap().len()))
                }
                other => panic!("{other:?}"),
            });
            each.collect()
        }

        fn kept(&self) -> u64 {
            self.backend.kept.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn a_small_answer_is_given_at_once_and_anew_when_outputs_change() {
        let mut story = Story::new(Backend::default());
        story.ask(1, 5, 2);
        assert_eq!(story.sent(), [(1, 5, Err(2))]);
        // Another shuffle's stage was completed: what is encoded stays, and holds at the new epoch.
        story.ask(2, 6, 2);
        assert_eq!(story.sent(), [(2, 6, Err(2))]);
        story.answers.changed(SHUFFLE);
        story.ask(3, 7, 1);
        assert_eq!(story.sent(), [(3, 7, Err(1))]);
        assert_eq!(story.backend.published.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_large_answer_is_one_broadcast_value_for_all_who_ask() {
        let mut story = Story::new(Backend::default());
        story.ask(1, 5, 1000);
        story.ask(2, 5, 1000);
        assert_eq!(story.sent(), [], "the event loop does not encode it");
        story.end_preparation();
        story.ask(3, 6, 1000);
        assert_eq!(story.sent(), [(1, 5, Ok(0)), (2, 5, Ok(0)), (3, 6, Ok(0))]);
        // Whoever is reading the value can end.
        story.answers.changed(SHUFFLE);
        assert_eq!(story.kept(), 1);
        story.ask(4, 7, 1000);
        story.end_preparation();
        assert_eq!(story.sent(), [(4, 7, Ok(1))]);
        story.answers.forget(SHUFFLE);
        assert_eq!(story.kept(), 0);
    }

    /// It says the epoch it was true at, and the next one who asks gets another.
    #[test]
    fn outputs_that_change_while_they_are_encoded_are_encoded_again() {
        let mut story = Story::new(Backend::default());
        story.ask(1, 5, 1000);
        story.answers.changed(SHUFFLE);
        story.ask(2, 6, 1000);
        story.end_preparation();
        story.end_preparation();
        let mut sent = story.sent();
        sent.sort_unstable();
        let values: Vec<_> = sent.iter().map(|(_, _, value)| *value).collect();
        assert_eq!(sent.iter().map(|(number, epoch, _)| (*number, *epoch)).collect::<Vec<_>>(), [(1, 5), (2, 6)]);
        story.ask(3, 6, 1000);
        assert_eq!(story.sent(), [(3, 6, values[1])]);
        assert_ne!(values[0], values[1]);
    }

    #[test]
    fn what_cannot_be_published_is_said_at_once() {
        let mut story = Story::new(Backend { broken: true, ..Backend::default() });
        story.ask(1, 5, 1000);
        story.end_preparation();
        let sent = story.backend.sent.lock().drain(..).collect::<Vec<_>>();
        assert_eq!(sent, [("1".into(), 1, Answer::CannotBeSent("the disk is full".to_owned()))]);
    }
}
