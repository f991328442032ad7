//! What this executor knows of where map outputs are: the worker side of Spark's `MapOutputTracker` (RT-62).

use std::{collections::HashMap, sync::Arc, time::Duration};

use firesteel_block_store::{CodecError, ReadBroadcastError, RecordCodec};
use firesteel_messages::{Answer, EncodedMapStatuses, decode_map_statuses, encode_map_statuses};
use firesteel_model::{BroadcastInfo, MapStatus, ShuffleId, error_chain};
use parking_lot::Mutex;

use crate::driver_link::{AskError, take_turn};

/// The outputs of one shuffle by map partition; none where one is missing.
pub type MapStatuses = Arc<Vec<Option<MapStatus>>>;

/// Map outputs that the driver has told of.
#[derive(Default)]
pub struct MapOutputs {
    known: Mutex<Known>,
    /// Held while the driver is asked, so that the tasks of a stage ask once, not once each.
    asking: Mutex<()>,
}

#[derive(Default)]
struct Known {
    epoch: u64,
    shuffles: HashMap<ShuffleId, MapStatuses>,
}

impl MapOutputs {
    /// Where the outputs of a shuffle are: as known, or as the driver says when it is asked. `read` reads an answer that is a
    /// broadcast value. Waits for others who ask at most `time_out`, and only as long as `killed` stays false.
    pub fn get(
        &self,
        shuffle_id: ShuffleId,
        time_out: Duration,
        ask: impl Fn() -> Result<Answer, AskError>,
        read: impl Fn(&BroadcastInfo) -> Result<MapStatuses, ReadBroadcastError>,
        killed: impl Fn() -> bool,
    ) -> Result<MapStatuses, AskError> {
        if let Some(statuses) = self.known.lock().shuffles.get(&shuffle_id) {
            return Ok(Arc::clone(statuses));
        }
        let _asking = take_turn(&self.asking, time_out, &killed)?;
        if let Some(statuses) = self.known.lock().shuffles.get(&shuffle_id) {
            return Ok(Arc::clone(statuses));
        }
        let (epoch, statuses) = fetch(ask, read)?;
        let mut known = self.known.lock();
        // An answer from before outputs were lost serves the asking task, which may fail on it, and nobody else.
        if epoch >= known.epoch {
            known.shuffles.insert(shuffle_id, Arc::clone(&statuses));
        }
        Ok(statuses)
    }

    /// Outputs were lost or made anew before this epoch: what was learnt earlier is void.
    pub fn forget_before(&self, epoch: u64) {
        let mut known = self.known.lock();
        if epoch > known.epoch {
            known.epoch = epoch;
            known.shuffles.clear();
        }
    }

    /// The shuffle is gone.
    pub fn forget(&self, shuffle_id: ShuffleId) {
        self.known.lock().shuffles.remove(&shuffle_id);
    }
}

/// Asks, and reads the answer where it is.
fn fetch(
    ask: impl Fn() -> Result<Answer, AskError>,
    read: impl Fn(&BroadcastInfo) -> Result<MapStatuses, ReadBroadcastError>,
) -> Result<(u64, MapStatuses), AskError> {
    let mut unreadable = None;
    loop {
        let (epoch, statuses) = match ask()? {
            Answer::MapOutputs { epoch, statuses } => (epoch, statuses),
            other => {
                return Err(AskError::Refused(format!("it answered a question for map outputs with {other:?}")));
            }
        };
        let info = match statuses {
            EncodedMapStatuses::Here(bytes) => {
                let statuses =
                    decode_map_statuses(&bytes).map_err(|error| AskError::Unreadable(error_chain(&error)))?;
                return Ok((epoch, Arc::new(statuses)));
            }
            EncodedMapStatuses::Broadcast(info) => info,
        };
        match read(&info) {
            Ok(statuses) => return Ok((epoch, statuses)),
            // The driver drops the value when outputs are lost or made anew, and then has another one.
            Err(_) if unreadable != Some(info.id) => unreadable = Some(info.id),
            Err(error) => return Err(AskError::Unreadable(error_chain(&error))),
        }
    }
}

/// Reads a broadcast value that the driver has encoded for all executors.
pub(crate) struct MapStatusesCodec;

impl RecordCodec<Vec<Option<MapStatus>>> for MapStatusesCodec {
    fn memory_size(&self, records: &[Vec<Option<MapStatus>>]) -> u64 {
        records.iter().flatten().flatten().map(MapStatus::weight).sum()
    }

    fn encode(&self, record: &Vec<Option<MapStatus>>, output: &mut Vec<u8>) -> Result<(), CodecError> {
        let shared: Vec<_> = record.iter().cloned().map(|status| status.map(Arc::new)).collect();
        output.extend_from_slice(&encode_map_statuses(&shared)?);
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<Vec<Option<MapStatus>>, CodecError> {
        Ok(decode_map_statuses(bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::Cell,
        sync::atomic::{AtomicBool, Ordering},
        thread,
    };

    use firesteel_model::{BlockManagerId, BroadcastId, MapId};

    use super::*;

    const SHUFFLE: ShuffleId = ShuffleId(3);
    /// Longer than any question takes on any machine.
    const PATIENCE: Duration = Duration::from_secs(60);

    fn statuses() -> Vec<Option<Arc<MapStatus>>> {
        let location = BlockManagerId { executor_id: "1".into(), host: "host".to_owned(), port: 7337 };
        vec![Some(Arc::new(MapStatus::new(location, MapId(7), [1, 0]))), None]
    }

    fn broadcast(id: u64) -> Answer {
        let info = BroadcastInfo { id: BroadcastId(id), size: 1, piece_size: 1, checksums: Vec::new() };
        Answer::MapOutputs { epoch: 0, statuses: EncodedMapStatuses::Broadcast(info) }
    }

    fn no_broadcast(_: &BroadcastInfo) -> Result<MapStatuses, ReadBroadcastError> {
        panic!("the answer holds the statuses");
    }

    #[test]
    fn the_driver_is_asked_once_for_an_epoch() {
        let outputs = MapOutputs::default();
        let asked = Cell::new(0);
        let ask = || {
            asked.set(asked.get() + 1);
            let statuses = EncodedMapStatuses::Here(encode_map_statuses(&statuses()).unwrap());
            Ok(Answer::MapOutputs { epoch: 4, statuses })
        };
        for _ in 0..2 {
            let got = outputs.get(SHUFFLE, PATIENCE, ask, no_broadcast, || false).unwrap();
            assert_eq!(got.len(), 2);
            assert!(got[1].is_none());
        }
        assert_eq!(asked.get(), 1);
        outputs.forget_before(5);
        for asked_then in [2, 3] {
            outputs.get(SHUFFLE, PATIENCE, ask, no_broadcast, || false).unwrap();
            assert_eq!(asked.get(), asked_then, "an answer of epoch 4 serves nobody else at epoch 5");
        }
    }

    /// The driver replaced the value between its answer and the reading of it.
    #[test]
    fn a_broadcast_value_that_was_replaced_is_asked_for_again() {
        let asked = Cell::new(0);
        let ask = || {
            asked.set(asked.get() + 1);
            Ok(broadcast(asked.get()))
        };
        let read = |info: &BroadcastInfo| match info.id {
            BroadcastId(3) => Ok(Arc::default()),
            id => Err(ReadBroadcastError::PieceNotFound { id, piece: 0 }),
        };
        assert!(MapOutputs::default().get(SHUFFLE, PATIENCE, ask, read, || false).unwrap().is_empty());
        assert_eq!(asked.get(), 3);
    }

    #[test]
    fn a_broadcast_value_that_stays_unreadable_is_given_up() {
        let read = |info: &BroadcastInfo| Err(ReadBroadcastError::PieceNotFound { id: info.id, piece: 0 });
        let error = MapOutputs::default().get(SHUFFLE, PATIENCE, || Ok(broadcast(1)), read, || false).unwrap_err();
        assert!(matches!(&error, AskError::Unreadable(why) if why.contains("piece 0 of broadcast 1")), "{error}");
    }

    /// RT-38: whoever asks may have to wait as long as spark.rpc.askTimeout says.
    #[test]
    fn a_killed_task_does_not_wait_for_another_ones_question() {
        let (outputs, asking, done) = (MapOutputs::default(), AtomicBool::new(false), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                let ask = || {
                    asking.store(true, Ordering::Release);
                    while !done.load(Ordering::Acquire) {
                        thread::yield_now();
                    }
                    Err(AskError::Killed)
                };
                assert!(outputs.get(SHUFFLE, PATIENCE, ask, no_broadcast, || false).is_err());
            });
            while !asking.load(Ordering::Acquire) {
                thread::yield_now();
            }
            let waiting = outputs.get(SHUFFLE, PATIENCE, || panic!("another one asks"), no_broadcast, || true);
            assert!(matches!(waiting, Err(AskError::Killed)));
            done.store(true, Ordering::Release);
        });
    }
}
