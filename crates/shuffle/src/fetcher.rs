//! Fetches the segments of one reduce task.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use firesteel_io_encryption::IoEncryption;
use firesteel_model::{
    ApplicationId, BlockManagerId, ExecutorId, MapId, MapIndex, ReduceId, ShuffleId, ShuffleReadMetrics, error_chain,
};
use firesteel_transfer::{
    Body, CorruptSegment, CorruptionCause, FetchHandle, Fetched, PeerAddress, TransferClient, TransferError,
};

use crate::{
    BlockDecoder, FetchError, FetchFailedError, FetchLimits, OpenSegmentError, SegmentId, SegmentReader,
    ShuffleBlockResolver, StoredSegment,
    checksum::ChecksumReader,
    encrypted::EncryptedReader,
    fetch_plan::FetchPlan,
    segment_reader::{Failure, FileRange},
};

/// What one map task wrote for this reduce task.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockToFetch {
    /// Who serves it.
    pub block_manager_id: BlockManagerId,
    /// The task attempt that wrote it.
    pub map_id: MapId,
    /// The map partition.
    pub map_index: MapIndex,
    /// The first reducer.
    pub reduce_start: ReduceId,
    /// The reducer after the last one.
    pub reduce_end: ReduceId,
    /// About how many bytes; 0 exactly if there are none, and then it is not asked for.
    pub size: u64,
}

/// What all reduce tasks of an executor share.
#[derive(Clone, Debug)]
pub struct ShuffleReadContext {
    /// The application.
    pub application_id: ApplicationId,
    /// This executor: if its own files are gone, nobody else has them.
    pub executor_id: ExecutorId,
    /// Knows whose files are on this host.
    pub resolver: Arc<ShuffleBlockResolver>,
    /// Reaches everybody else.
    pub client: TransferClient,
    /// What the application's shuffle files are encrypted with, if they are.
    pub encryption: Option<IoEncryption>,
}

impl ShuffleReadContext {
    /// Decodes what is in memory, and has its checksum.
    fn decode_memory(&self, bytes: Bytes) -> BlockDecoder {
        match &self.encryption {
            None => BlockDecoder::from_bytes(bytes),
            Some(encryption) => {
                BlockDecoder::from_reader(Box::new(EncryptedReader::new(encryption, io::Cursor::new(bytes))))
            }
        }
    }

    /// Decodes a stream, which should be buffered, and compares it with its checksum, if it has one, on the way.
    fn decode_stream(&self, reader: impl Read + Send + 'static, checksum: Option<u32>) -> BlockDecoder {
        BlockDecoder::from_reader(match (checksum, &self.encryption) {
            (None, None) => Box::new(reader),
            (Some(checksum), None) => Box::new(ChecksumReader::new(reader, checksum)),
            (None, Some(encryption)) => Box::new(EncryptedReader::new(encryption, reader)),
            (Some(checksum), Some(encryption)) => {
                Box::new(EncryptedReader::new(encryption, ChecksumReader::new(reader, checksum)))
            }
        })
    }
}

/// A segment that is there.
#[derive(Debug)]
pub struct FetchedBlock {
    /// Which one.
    pub block: BlockToFetch,
    /// How many bytes it has, encoded.
    pub size: u64,
    /// Its records, decoded.
    pub reader: SegmentReader,
}

/// Fetches the segments of one reduce task, and gives each out when it is there: first come, first served, the files of this
/// host whenever nothing has come. The first error is the last item.
///
/// No wait is longer than [`KILL_CHECK`](Self::KILL_CHECK) without looking whether the task was killed, save for the question
/// where a segment was damaged. Dropping it cancels what is under way.
pub struct ShuffleFetcher {
    context: ShuffleReadContext,
    shuffle_id: ShuffleId,
    blocks: Vec<BlockToFetch>,
    /// Indexes of blocks whose files are on this host, to be read.
    local: Vec<usize>,
    plan: FetchPlan,
    requests: HashMap<u64, UnderWay>,
    next_request: u64,
    /// Holds no more than was asked for, which the plan's limits bound.
    sender: mpsc::Sender<Arrival>,
    arrivals: mpsc::Receiver<Arrival>,
    /// Blocks that came damaged once.
    damaged: HashSet<usize>,
    killed: Arc<AtomicBool>,
    fetch_wait: Duration,
    metrics: ShuffleReadMetrics,
    ended: bool,
}

struct UnderWay {
    peer: BlockManagerId,
    blocks: Vec<usize>,
    left: usize,
    /// Cancels it when this is dropped.
    _handle: FetchHandle,
}

struct Arrival {
    request: u64,
    position: usize,
    result: Result<Fetched, TransferError>,
}

/// A segment of this host is read into memory and checked before it is given out, if it is not longer.
const LOCAL_IN_MEMORY: u64 = 4 << 20;

impl ShuffleFetcher {
    /// How long it takes at most until it notices that the task was killed.
    pub const KILL_CHECK: Duration = Duration::from_millis(100);

    /// Starts fetching. `killed` is set by whoever kills the task.
    pub fn start(
        context: ShuffleReadContext,
        shuffle_id: ShuffleId,
        blocks: Vec<BlockToFetch>,
        limits: FetchLimits,
        killed: Arc<AtomicBool>,
    ) -> Self {
        let is_local = |block: &BlockToFetch| {
            context.resolver.is_registered(&context.application_id, &block.block_manager_id.executor_id)
        };
        let wanted = (0..blocks.len()).filter(|&index| blocks[index].size > 0);
        let (mut local, remote): (Vec<usize>, Vec<usize>) = wanted.partition(|&index| is_local(&blocks[index]));
        local.reverse();
        let plan = FetchPlan::new(limits, &blocks, remote, &mut rand::rng());
        let (sender, arrivals) = mpsc::channel();
        let mut fetcher = Self {
            context,
            shuffle_id,
            blocks,
            local,
            plan,
            requests: HashMap::new(),
            next_request: 0,
            sender,
            arrivals,
            damaged: HashSet::new(),
            killed,
            fetch_wait: Duration::ZERO,
            metrics: ShuffleReadMetrics::default(),
            ended: false,
        };
        fetcher.send_requests();
        fetcher
    }

    /// What was fetched so far. Records are counted by whoever decodes them.
    pub fn metrics(&self) -> ShuffleReadMetrics {
        ShuffleReadMetrics { fetch_wait_time_ms: self.fetch_wait.as_millis() as u64, ..self.metrics.clone() }
    }

    fn next_block(&mut self) -> Result<Option<FetchedBlock>, FetchError> {
        loop {
            if self.killed.load(Ordering::Relaxed) {
                return Err(FetchError::Killed);
            }
            self.send_requests();
            if let Ok(arrival) = self.arrivals.try_recv() {
                if let Some(block) = self.accept(arrival)? {
                    return Ok(Some(block));
                }
            } else if let Some(index) = self.local.pop() {
                if let Some(block) = self.read_local(index)? {
                    return Ok(Some(block));
                }
            } else if self.plan.is_done() {
                return Ok(None);
            } else {
                let started = Instant::now();
                let arrival = self.arrivals.recv_timeout(Self::KILL_CHECK);
                self.fetch_wait += started.elapsed();
                if let Ok(arrival) = arrival
                    && let Some(block) = self.accept(arrival)?
                {
                    return Ok(Some(block));
                }
            }
        }
    }

    fn send_requests(&mut self) {
        while let Some(request) = self.plan.next_request() {
            let id = self.next_request;
            self.next_request += 1;
            let segments = request.blocks.iter().map(|&index| self.segment_id(&self.blocks[index])).collect();
            let mut delivery =
                Delivery { request: id, next: 0, count: request.blocks.len(), sender: self.sender.clone() };
            let handle = self.context.client.fetch_segments(
                PeerAddress::from(&request.peer),
                request.peer.executor_id.clone(),
                segments,
                move |position, result| delivery.deliver(position, result),
            );
            let left = request.blocks.len();
            self.requests.insert(id, UnderWay { peer: request.peer, blocks: request.blocks, left, _handle: handle });
        }
    }

    /// Takes what came over the network; nothing if it has to be fetched again.
    fn accept(&mut self, arrival: Arrival) -> Result<Option<FetchedBlock>, FetchError> {
        let request = self.requests.get_mut(&arrival.request).expect("only what was asked arrives");
        let index = request.blocks[arrival.position];
        request.left -= 1;
        let last = request.left == 0;
        self.plan.arrived(&request.peer, last);
        if last {
            self.requests.remove(&arrival.request);
        }
        self.plan.taken(&self.blocks[index]);
        let fetched = arrival.result.map_err(|error| self.transfer_failed(index, error))?;
        let size = fetched.body.length();
        self.metrics.remote_bytes_read += size;
        let decoder = match (fetched.body, fetched.checksum) {
            (Body::Memory(bytes), checksum) => {
                let actual = checksum.map(|_| crc32fast::hash(&bytes));
                if let Some(actual) = actual.filter(|_| actual != checksum) {
                    self.came_damaged(index, actual)?;
                    return Ok(None);
                }
                self.context.decode_memory(bytes)
            }
            (Body::Spooled { reader, .. }, checksum) => {
                self.metrics.remote_bytes_read_to_disk += size;
                self.context.decode_stream(reader, checksum)
            }
        };
        self.metrics.remote_blocks_fetched += 1;
        let diagnose = self.remote_diagnosis(index);
        Ok(Some(self.fetched_block(index, size, decoder, diagnose)))
    }

    /// A segment came damaged: it is fetched once more, and the second time given up (RT-61).
    fn came_damaged(&mut self, index: usize, actual: u32) -> Result<(), FetchError> {
        let block = &self.blocks[index];
        if self.damaged.insert(index) {
            tracing::warn!(block = ?block, "a shuffle block came damaged and is fetched again");
            self.plan.add(index, block);
            return Ok(());
        }
        let cause = self.remote_diagnosis(index)(actual);
        let message = format!("the segment came damaged twice; the cause is {cause:?}");
        Err(FetchFailedError { corruption: Some(cause), ..self.failed(index, message) }.into())
    }

    fn remote_diagnosis(&self, index: usize) -> Diagnosis {
        let block = &self.blocks[index];
        let client = self.context.client.clone();
        let peer = PeerAddress::from(&block.block_manager_id);
        let (executor_id, segment_id) = (block.block_manager_id.executor_id.clone(), self.segment_id(block));
        Box::new(move |checksum_by_reader| {
            let corrupt = CorruptSegment { executor_id: executor_id.clone(), segment_id, checksum_by_reader };
            client.diagnose_corruption(&peer, corrupt).unwrap_or(CorruptionCause::Unknown)
        })
    }

    /// Reads a file of this host; nothing if it has to be fetched over the network after all.
    fn read_local(&mut self, index: usize) -> Result<Option<FetchedBlock>, FetchError> {
        let block = &self.blocks[index];
        let executor_id = &block.block_manager_id.executor_id;
        let opened =
            self.context.resolver.open_segment(&self.context.application_id, executor_id, self.segment_id(block));
        let segment = match opened {
            Ok(segment) => segment,
            Err(error @ OpenSegmentError::Damaged { .. }) => {
                let failed = self.failed(index, error_chain(&error));
                return Err(FetchFailedError { corruption: Some(CorruptionCause::Disk), ..failed }.into());
            }
            Err(error) if *executor_id != self.context.executor_id && block.block_manager_id.port != 0 => {
                tracing::info!(%error, "a shuffle file of another executor cannot be read here and is fetched from it");
                self.plan.add(index, block);
                return Ok(None);
            }
            Err(error) => return Err(self.failed(index, error_chain(&error)).into()),
        };
        let size = segment.length;
        let diagnose = self.local_diagnosis(index);
        let decoder = match self.context.read_in_place(segment) {
            Ok(decoder) => decoder,
            Err(ReadLocalError::Mismatch(actual)) => {
                let message = "the segment on this host's disk is damaged".to_owned();
                let failed = self.failed(index, message);
                return Err(FetchFailedError { corruption: Some(diagnose(actual)), ..failed }.into());
            }
            Err(ReadLocalError::Io(error)) => {
                let failed = self.failed(index, format!("could not read the segment on this host's disk: {error}"));
                return Err(failed.into());
            }
        };
        self.metrics.local_blocks_fetched += 1;
        self.metrics.local_bytes_read += size;
        Ok(Some(self.fetched_block(index, size, decoder, diagnose)))
    }

    fn local_diagnosis(&self, index: usize) -> Diagnosis {
        let block = &self.blocks[index];
        let (resolver, application_id) = (self.context.resolver.clone(), self.context.application_id.clone());
        let (executor_id, segment_id) = (block.block_manager_id.executor_id.clone(), self.segment_id(block));
        Box::new(move |actual| match resolver.diagnose_corruption(&application_id, &executor_id, segment_id, actual) {
            // No network was involved: the disk gave other bytes the second time.
            CorruptionCause::Network => CorruptionCause::Disk,
            cause => cause,
        })
    }

    fn fetched_block(&self, index: usize, size: u64, decoder: BlockDecoder, diagnose: Diagnosis) -> FetchedBlock {
        let failure = Failure { template: self.failed(index, String::new()), diagnose };
        FetchedBlock { block: self.blocks[index].clone(), size, reader: SegmentReader::new(decoder, failure) }
    }

    fn transfer_failed(&self, index: usize, error: TransferError) -> FetchError {
        match error {
            TransferError::Spool(error) => FetchError::LocalDisk(error),
            TransferError::Stopped => FetchError::Stopped,
            error => self.failed(index, error_chain(&error)).into(),
        }
    }

    fn failed(&self, index: usize, message: String) -> FetchFailedError {
        let block = &self.blocks[index];
        FetchFailedError {
            block_manager_id: block.block_manager_id.clone(),
            shuffle_id: self.shuffle_id,
            map_id: block.map_id,
            map_index: block.map_index,
            reduce_id: block.reduce_start,
            message,
            corruption: None,
        }
    }

    fn segment_id(&self, block: &BlockToFetch) -> SegmentId {
        SegmentId {
            shuffle_id: self.shuffle_id,
            map_id: block.map_id,
            reduce_start: block.reduce_start,
            reduce_end: block.reduce_end,
        }
    }
}

impl Iterator for ShuffleFetcher {
    type Item = Result<FetchedBlock, FetchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_block().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.ended = true;
            self.requests.clear();
        }
        next
    }
}

impl fmt::Debug for ShuffleFetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShuffleFetcher")
            .field("shuffle_id", &self.shuffle_id)
            .field("blocks", &self.blocks.len())
            .field("requests_under_way", &self.requests.len())
            .field("local_left", &self.local.len())
            .finish_non_exhaustive()
    }
}

type Diagnosis = Box<dyn Fn(u32) -> CorruptionCause + Send>;

enum ReadLocalError {
    Mismatch(u32),
    Io(io::Error),
}

impl ShuffleReadContext {
    fn read_in_place(&self, segment: StoredSegment) -> Result<BlockDecoder, ReadLocalError> {
        let mut range = FileRange::new(segment.file, segment.offset, segment.length);
        if segment.length <= LOCAL_IN_MEMORY {
            let mut bytes = vec![0; segment.length as usize];
            range.read_exact(&mut bytes).map_err(ReadLocalError::Io)?;
            if let Some(expected) = segment.checksum {
                let actual = crc32fast::hash(&bytes);
                if actual != expected {
                    return Err(ReadLocalError::Mismatch(actual));
                }
            }
            return Ok(self.decode_memory(Bytes::from(bytes)));
        }
        Ok(self.decode_stream(io::BufReader::with_capacity(128 << 10, range), segment.checksum))
    }
}

/// Passes on what comes for one request, and that nothing more will if it ends early: because the data plane stops.
struct Delivery {
    request: u64,
    next: usize,
    count: usize,
    sender: mpsc::Sender<Arrival>,
}

impl Delivery {
    fn deliver(&mut self, position: usize, result: Result<Fetched, TransferError>) {
        self.next = position + 1;
        // The reduce task may have ended.
        let _ = self.sender.send(Arrival { request: self.request, position, result });
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        for position in self.next..self.count {
            self.deliver(position, Err(TransferError::Stopped));
        }
    }
}
