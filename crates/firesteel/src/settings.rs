//! From `spark.*` keys to the options of each part: the one place where strings become what subsystems take.

use std::{
    env,
    hash::{DefaultHasher, Hash, Hasher},
    num::NonZeroU32,
    path::PathBuf,
    time::Duration,
};

use firesteel_block_store::{BlockManagerOptions, BroadcastOptions, CompressionCodec as BlockCodec};
use firesteel_conf::{CompressionCodec, ConfError, MasterUrl, SchedulingMode as ConfMode, SparkConf, keys};
use firesteel_driver::DriverOptions;
use firesteel_executor::{EnvironmentOptions, ShuffleOptions, StorageOptions};
use firesteel_memory::MemoryOptions;
use firesteel_model::{ByteCount, ExecutorId};
use firesteel_rpc::Options;
use firesteel_scheduler::{
    BarrierOptions, EfficiencyOptions, ExclusionOptions, ExpectedResources, HeartbeatOptions, LocalityOptions,
    MinRegisteredOptions, PoolOptions, ReducerLocalityOptions, SchedulerOptions, SchedulingMode, SpeculationOptions,
    StageOptions, TaskRequirements,
};

use firesteel_shuffle::{Codec, Compression, FetchLimits, WriterOptions};
use firesteel_transfer::ClientOptions;

use crate::error::SparkError;

/// Spark's `DAGScheduler.RESUBMIT_TIMEOUT`: failed stages are gathered so long, as fetch failures come in crowds (RT-35).
const RESUBMIT_DELAY: Duration = Duration::from_millis(200);
/// A host that holds this part of a reducer's input is worth running on (RT-10).
const REDUCER_LOCALITY_FRACTION: f64 = 0.2;
/// With so many map tasks or reducers, computing preferences costs more than they bring (RT-10).
const REDUCER_LOCALITY_THRESHOLD: u32 = 1000;
/// Spark's `spark.scheduler.numCancelledJobGroupsToTrack`.
const CANCELLED_JOB_GROUPS_TRACKED: usize = 1000;

impl From<ConfError> for SparkError {
    fn from(error: ConfError) -> Self {
        Self::Configuration(error.to_string())
    }
}

/// At least 1: the keys' own checks say so.
fn positive(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

/// A size of 0 means that there is no limit.
fn unless_zero(size: ByteCount) -> Option<ByteCount> {
    (size != ByteCount::ZERO).then_some(size)
}

/// Refuses files that nothing would place where the application looks for them (SS-15, SS-17, SS-80).
pub(crate) fn refuse_shipped_files(conf: &SparkConf) -> Result<(), SparkError> {
    for key in [&keys::FILES, &keys::ARCHIVES] {
        if !conf.get(key)?.is_empty() {
            return Err(SparkError::Configuration(format!(
                "{} is set, but shipping files to executors is not built in yet; put them on every machine and open them by \
                 their paths",
                key.name()
            )));
        }
    }
    Ok(())
}

/// Refuses what is declared and not built in (SC-07): a task that asks for a GPU must not run without one.
pub(crate) fn refuse_custom_resources(conf: &SparkConf) -> Result<(), SparkError> {
    let families = [&keys::TASK_RESOURCE, &keys::EXECUTOR_RESOURCE, &keys::DRIVER_RESOURCE];
    let mut set = families
        .into_iter()
        .flat_map(|family| conf.get_prefix(family).map(move |(rest, _)| format!("{}{rest}", family.prefix)));
    match set.next() {
        Some(key) => Err(SparkError::Configuration(format!(
            "{key} is set, but custom resources are not built in yet; unset it to run without them"
        ))),
        None => Ok(()),
    }
}

/// The scheduler's options. `expected_cores` is what was asked of a cluster manager.
pub(crate) fn scheduler(
    conf: &SparkConf,
    pools: Vec<PoolOptions>,
    master: &MasterUrl,
    expected_cores: Option<u32>,
) -> Result<SchedulerOptions, SparkError> {
    let local_failures = match master {
        MasterUrl::Local { max_failures, .. } => Some(*max_failures),
        _ => None,
    };
    let ratio = conf.get(&keys::SCHEDULER_MIN_REGISTERED_RESOURCES_RATIO)?.unwrap_or(0.0);
    let max_wait = conf.get(&keys::SCHEDULER_MAX_REGISTERED_RESOURCES_WAITING_TIME)?;
    let options = SchedulerOptions {
        mode: match conf.get(&keys::SCHEDULER_MODE)? {
            ConfMode::Fifo => SchedulingMode::Fifo,
            ConfMode::Fair => SchedulingMode::Fair,
        },
        pools,
        // RT-05: in local mode the master URL decides.
        task_max_failures: positive(match local_failures {
            Some(failures) => failures,
            None => conf.get(&keys::TASK_MAX_FAILURES)?,
        }),
        task: TaskRequirements { cpus: positive(conf.get(&keys::TASK_CPUS)?), resources: Vec::new() },
        locality: LocalityOptions {
            wait_process: conf.get(&keys::LOCALITY_WAIT_PROCESS)?,
            wait_node: conf.get(&keys::LOCALITY_WAIT_NODE)?,
            wait_rack: conf.get(&keys::LOCALITY_WAIT_RACK)?,
            legacy_reset_on_task_launch: conf.get(&keys::LOCALITY_WAIT_LEGACY_RESET)?,
        },
        speculation: speculation(conf)?,
        exclusion: exclusion(conf)?,
        barrier: BarrierOptions {
            slots_check_interval: conf.get(&keys::BARRIER_MAX_CONCURRENT_TASKS_CHECK_INTERVAL)?,
            slots_check_max_failures: conf.get(&keys::BARRIER_MAX_CONCURRENT_TASKS_CHECK_MAX_FAILURES)?,
            sync_timeout: conf.get(&keys::BARRIER_SYNC_TIMEOUT)?,
        },
        stage: StageOptions {
            max_consecutive_attempts: positive(conf.get(&keys::STAGE_MAX_CONSECUTIVE_ATTEMPTS)?),
            max_attempts: conf.get(&keys::STAGE_MAX_ATTEMPTS)?.and_then(NonZeroU32::new),
            unregister_output_on_host: conf.get(&keys::FETCH_FAILURE_UNREGISTER_OUTPUT_ON_HOST)?,
            resubmit_delay: RESUBMIT_DELAY,
            ignore_decommission_fetch_failure: false,
        },
        reducer_locality: ReducerLocalityOptions {
            enabled: conf.get(&keys::SHUFFLE_REDUCE_LOCALITY_ENABLED)?,
            fraction: REDUCER_LOCALITY_FRACTION,
            maps_threshold: REDUCER_LOCALITY_THRESHOLD,
            reducers_threshold: REDUCER_LOCALITY_THRESHOLD,
        },
        max_result_size: unless_zero(conf.get(&keys::DRIVER_MAX_RESULT_SIZE)?),
        min_registered: expected_cores.filter(|_| ratio > 0.0).map(|cores| MinRegisteredOptions {
            ratio,
            expected: ExpectedResources::Cores(cores),
            max_wait,
        }),
        starvation_timeout: conf.get(&keys::STARVATION_TIMEOUT)?,
        heartbeat: match local_failures {
            Some(_) => None,
            None => Some(HeartbeatOptions {
                interval: conf.get(&keys::EXECUTOR_HEARTBEAT_INTERVAL)?,
                timeout: conf.get(&keys::BLOCK_MANAGER_HEARTBEAT_TIMEOUT)?,
                check_interval: conf.get(&keys::NETWORK_TIMEOUT_INTERVAL)?,
            }),
        },
        output_commit_coordination: conf.get(&keys::OUTPUT_COMMIT_COORDINATION_ENABLED)?,
        external_shuffle_service: false,
        dynamic_allocation: false,
        decommission_kill_interval: None,
        cancelled_job_groups_tracked: CANCELLED_JOB_GROUPS_TRACKED,
    };
    options.validate().map_err(|error| SparkError::Configuration(error.to_string()))?;
    Ok(options)
}

fn speculation(conf: &SparkConf) -> Result<Option<SpeculationOptions>, SparkError> {
    if !conf.get(&keys::SPECULATION_ENABLED)? {
        return Ok(None);
    }
    let efficiency = if conf.get(&keys::SPECULATION_EFFICIENCY_ENABLED)? {
        Some(EfficiencyOptions {
            process_rate_multiplier: conf.get(&keys::SPECULATION_EFFICIENCY_PROCESS_RATE_MULTIPLIER)?,
            long_run_task_factor: conf.get(&keys::SPECULATION_EFFICIENCY_LONG_RUN_TASK_FACTOR)?,
        })
    } else {
        None
    };
    Ok(Some(SpeculationOptions {
        interval: conf.get(&keys::SPECULATION_INTERVAL)?,
        quantile: conf.get(&keys::SPECULATION_QUANTILE)?,
        multiplier: conf.get(&keys::SPECULATION_MULTIPLIER)?,
        min_task_runtime: conf.get(&keys::SPECULATION_MIN_TASK_RUNTIME)?,
        task_duration_threshold: conf.get(&keys::SPECULATION_TASK_DURATION_THRESHOLD)?,
        efficiency,
    }))
}

fn exclusion(conf: &SparkConf) -> Result<Option<ExclusionOptions>, SparkError> {
    if !conf.get(&keys::EXCLUDE_ON_FAILURE_ENABLED)? {
        return Ok(None);
    }
    let number = |key| conf.get(key).map(positive);
    Ok(Some(ExclusionOptions {
        max_task_attempts_per_executor: number(&keys::EXCLUDE_MAX_TASK_ATTEMPTS_PER_EXECUTOR)?,
        max_task_attempts_per_node: number(&keys::EXCLUDE_MAX_TASK_ATTEMPTS_PER_NODE)?,
        max_failed_tasks_per_executor_stage: number(&keys::EXCLUDE_STAGE_MAX_FAILED_TASKS_PER_EXECUTOR)?,
        max_failed_executors_per_node_stage: number(&keys::EXCLUDE_STAGE_MAX_FAILED_EXECUTORS_PER_NODE)?,
        max_failed_tasks_per_executor: number(&keys::EXCLUDE_APPLICATION_MAX_FAILED_TASKS_PER_EXECUTOR)?,
        max_failed_executors_per_node: number(&keys::EXCLUDE_APPLICATION_MAX_FAILED_EXECUTORS_PER_NODE)?,
        timeout: conf.get(&keys::EXCLUDE_TIMEOUT)?,
        kill_excluded_executors: conf.get(&keys::EXCLUDE_KILL_EXCLUDED_EXECUTORS)?,
        exclude_on_fetch_failure: conf.get(&keys::EXCLUDE_APPLICATION_FETCH_FAILURE_ENABLED)?,
        unschedulable_task_set_timeout: conf.get(&keys::UNSCHEDULABLE_TASK_SET_TIMEOUT)?,
    }))
}

/// What the event loop is told.
pub(crate) fn driver(conf: &SparkConf, scheduler: SchedulerOptions, seed: u64) -> Result<DriverOptions, SparkError> {
    Ok(DriverOptions { scheduler, seed, max_message_size: conf.get(&keys::RPC_MESSAGE_MAX_SIZE)? })
}

/// What each executor's environment is told. In local mode results are handed over as they are, however large.
pub(crate) fn environment(conf: &SparkConf, local: bool) -> Result<EnvironmentOptions, SparkError> {
    let direct = if local { ByteCount(u64::MAX) } else { conf.get(&keys::TASK_MAX_DIRECT_RESULT_SIZE)? };
    Ok(EnvironmentOptions {
        max_direct_result_size: direct,
        ask_time_out: conf.get(&keys::RPC_ASK_TIMEOUT)?,
        barrier_sync_time_out: conf.get(&keys::BARRIER_SYNC_TIMEOUT)?,
        compress_spills: conf.get(&keys::SHUFFLE_SPILL_COMPRESS)?,
    })
}

/// Of the control plane's connections.
pub(crate) fn rpc(conf: &SparkConf) -> Result<Options, SparkError> {
    let idle_time_out = conf.get(&keys::NETWORK_TIMEOUT)?;
    let defaults = Options::default();
    Ok(Options {
        max_message_size: conf.get(&keys::RPC_MESSAGE_MAX_SIZE)?,
        idle_time_out,
        // Several fit into the other side's patience, however short that is.
        keep_alive_interval: defaults.keep_alive_interval.min(idle_time_out / 4),
        ..defaults
    })
}

/// How shuffles are written and read.
pub(crate) fn shuffle(conf: &SparkConf) -> Result<ShuffleOptions, SparkError> {
    let compression = if conf.get(&keys::SHUFFLE_COMPRESS)? { codec(conf)? } else { Codec::None };
    Ok(ShuffleOptions {
        writer: WriterOptions {
            compression: Compression::new(compression),
            checksums: conf.get(&keys::SHUFFLE_CHECKSUM_ENABLED)?,
        },
        limits: FetchLimits {
            max_size_in_flight: conf.get(&keys::REDUCER_MAX_SIZE_IN_FLIGHT)?,
            max_requests_in_flight: conf.get(&keys::REDUCER_MAX_REQS_IN_FLIGHT)? as usize,
            max_blocks_in_flight_per_address: conf.get(&keys::REDUCER_MAX_BLOCKS_IN_FLIGHT_PER_ADDRESS)? as usize,
        },
        client: ClientOptions {
            key_id: String::new(),
            encrypt: false,
            connections_per_peer: conf.get(&keys::SHUFFLE_IO_NUM_CONNECTIONS_PER_PEER)? as usize,
            connection_time_out: conf.get(&keys::SHUFFLE_IO_CONNECTION_TIMEOUT)?,
            max_retries: conf.get(&keys::SHUFFLE_IO_MAX_RETRIES)?,
            retry_wait: conf.get(&keys::SHUFFLE_IO_RETRY_WAIT)?,
            max_size_in_memory: conf.get(&keys::MAX_REMOTE_BLOCK_SIZE_FETCH_TO_MEM)?,
        },
    })
}

/// The codec of shuffle and spill files.
fn codec(conf: &SparkConf) -> Result<Codec, SparkError> {
    match conf.get(&keys::IO_COMPRESSION_CODEC)? {
        CompressionCodec::Lz4 => Ok(Codec::Lz4),
        CompressionCodec::Snappy => Ok(Codec::Snappy),
        CompressionCodec::Zstd => Ok(Codec::Zstd { level: conf.get(&keys::IO_COMPRESSION_ZSTD_LEVEL)? as i32 }),
        other => Err(SparkError::Configuration(format!(
            "spark.io.compression.codec: {other:?} is not built in; use lz4, zstd or snappy"
        ))),
    }
}

/// A seed that is different in each executor of an application.
pub(crate) fn storage_seed(executor_id: &ExecutorId) -> u64 {
    let mut hasher = DefaultHasher::new();
    executor_id.hash(&mut hasher);
    hasher.finish()
}

/// How blocks are kept. `seed` must be different in each executor.
pub(crate) fn storage(conf: &SparkConf, seed: u64) -> Result<StorageOptions, SparkError> {
    let compression = match codec(conf)? {
        Codec::Lz4 | Codec::None => BlockCodec::Lz4,
        Codec::Snappy => BlockCodec::Snappy,
        Codec::Zstd { level } => BlockCodec::Zstd { level },
    };
    Ok(StorageOptions {
        blocks: BlockManagerOptions {
            compress_rdds: conf.get(&keys::RDD_COMPRESS)?,
            compression,
            unroll_memory_threshold: conf.get(&keys::STORAGE_UNROLL_MEMORY_THRESHOLD)?,
            max_replication_failures: conf.get(&keys::STORAGE_MAX_REPLICATION_FAILURES)?,
            cached_peers_ttl: conf.get(&keys::STORAGE_CACHED_PEERS_TTL)?,
            seed,
        },
        broadcast: BroadcastOptions {
            block_size: conf.get(&keys::BROADCAST_BLOCK_SIZE)?,
            compress: conf.get(&keys::BROADCAST_COMPRESS)?,
            checksum: conf.get(&keys::BROADCAST_CHECKSUM)?,
        },
    })
}

/// The memory of a process that may use `heap`.
pub(crate) fn memory(conf: &SparkConf, heap: ByteCount) -> Result<MemoryOptions, SparkError> {
    let off_heap = conf.get(&keys::MEMORY_OFF_HEAP_ENABLED)?;
    Ok(MemoryOptions {
        heap,
        fraction: conf.get(&keys::MEMORY_FRACTION)?,
        storage_fraction: conf.get(&keys::MEMORY_STORAGE_FRACTION)?,
        off_heap: if off_heap { conf.get(&keys::MEMORY_OFF_HEAP_SIZE)? } else { ByteCount::ZERO },
    })
}

/// The roots of scratch directories (RT-17).
pub(crate) fn local_directories(conf: &SparkConf) -> Result<Vec<PathBuf>, SparkError> {
    Ok(conf.local_dirs(|name| env::var_os(name))?)
}
