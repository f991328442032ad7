//! From `spark.*` keys to the options of each part: the one place where strings become what subsystems take.

use std::{
    env,
    ffi::OsString,
    hash::{DefaultHasher, Hash, Hasher},
    num::NonZeroU32,
    path::{self, PathBuf},
    time::Duration,
};

use firesteel_allocation::AllocationOptions;
use firesteel_block_store::{BlockManagerOptions, BroadcastOptions, CompressionCodec as BlockCodec};
use firesteel_conf::{
    CompressionCodec, ConfError, Key, MasterUrl, SchedulingMode as ConfMode, SparkConf, Timeout, keys,
};
use firesteel_driver::DriverOptions;
use firesteel_executor::{EnvironmentOptions, ReaperOptions, ShuffleOptions, StorageOptions};
use firesteel_local_dirs::LocalDirs;
use firesteel_memory::MemoryOptions;
use firesteel_model::{ByteCount, ExecutorId, MapStatusOptions};
use firesteel_rpc::{Options, Ports};
use firesteel_scheduler::{
    BarrierOptions, EfficiencyOptions, ExclusionOptions, ExpectedResources, HeartbeatOptions, LaunchAheadOptions,
    LocalityOptions, MinRegisteredOptions, PoolOptions, ReducerLocalityOptions, SchedulerOptions, SchedulingMode,
    SpeculationOptions, StageOptions, TaskRequirements,
};
use firesteel_shuffle::{Codec, Compression, FetchLimits, WriterOptions};
use firesteel_transfer::{ClientOptions, ServerOptions};
use tracing::warn;

use crate::{
    dynamic_allocation,
    error::{SparkError, chain},
};

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

/// `spark.task.cpus` (SC-07).
pub(crate) fn task_cpus(conf: &SparkConf) -> Result<NonZeroU32, SparkError> {
    Ok(positive(conf.get(&keys::TASK_CPUS)?))
}

/// The scheduler's options. `task` is what a task takes, `expected_cores` what was asked of a cluster manager.
pub(crate) fn scheduler(
    conf: &SparkConf,
    pools: Vec<PoolOptions>,
    master: &MasterUrl,
    task: TaskRequirements,
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
        task,
        locality: LocalityOptions {
            wait_process: conf.get(&keys::LOCALITY_WAIT_PROCESS)?,
            wait_node: conf.get(&keys::LOCALITY_WAIT_NODE)?,
            wait_rack: conf.get(&keys::LOCALITY_WAIT_RACK)?,
            legacy_reset_on_task_launch: conf.get(&keys::LOCALITY_WAIT_LEGACY_RESET)?,
        },
        speculation: speculation(conf, local_failures.is_some())?,
        exclusion: exclusion(conf, local_failures.is_some())?,
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
        dynamic_allocation: dynamic_allocation::is_enabled(conf, master)?,
        decommission_kill_interval: None,
        launch_ahead: launch_ahead(conf)?,
        cancelled_job_groups_tracked: CANCELLED_JOB_GROUPS_TRACKED,
    };
    options.validate().map_err(|error| SparkError::Configuration(error.to_string()))?;
    Ok(options)
}

/// Of no more than a stage's last tasks may have to wait in the worst case; a slot is never idle for as long as a message takes.
const LAUNCH_AHEAD_QUEUE_TIME: Duration = Duration::from_millis(2);
/// Beside a task of this length the round trip to the driver is nothing.
const LAUNCH_AHEAD_LONGEST_TASK: Duration = Duration::from_millis(5);

fn launch_ahead(conf: &SparkConf) -> Result<Option<LaunchAheadOptions>, SparkError> {
    let most_per_slot = conf.get(&keys::LAUNCH_AHEAD_MAX_TASKS_PER_SLOT)?;
    Ok((most_per_slot > 0).then_some(LaunchAheadOptions {
        most_per_slot,
        queue_time: LAUNCH_AHEAD_QUEUE_TIME,
        longest_task: LAUNCH_AHEAD_LONGEST_TASK,
    }))
}

fn speculation(conf: &SparkConf, local: bool) -> Result<Option<SpeculationOptions>, SparkError> {
    if !conf.get(&keys::SPECULATION_ENABLED)? {
        return Ok(None);
    }
    if local {
        // A copy runs on another host, and there is none. That the key does nothing there has been said.
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

fn exclusion(conf: &SparkConf, local: bool) -> Result<Option<ExclusionOptions>, SparkError> {
    if !conf.get(&keys::EXCLUDE_ON_FAILURE_ENABLED)? {
        return Ok(None);
    }
    if local {
        // It would keep every retry from the only executor. That the key does nothing there has been said.
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
pub(crate) fn driver(
    conf: &SparkConf,
    scheduler: SchedulerOptions,
    allocation: Option<AllocationOptions>,
    seed: u64,
) -> Result<DriverOptions, SparkError> {
    let max_message_size = conf.get(&keys::RPC_MESSAGE_MAX_SIZE)?;
    let min_size_for_broadcast = conf.get(&keys::SHUFFLE_MAP_OUTPUT_MIN_SIZE_FOR_BROADCAST)?;
    if min_size_for_broadcast > max_message_size {
        return Err(SparkError::Configuration(format!(
            "{} ({min_size_for_broadcast}) must be <= {} ({max_message_size}) to prevent sending an rpc message that is \
             too large",
            keys::SHUFFLE_MAP_OUTPUT_MIN_SIZE_FOR_BROADCAST.name(),
            keys::RPC_MESSAGE_MAX_SIZE.name(),
        )));
    }
    Ok(DriverOptions { scheduler, allocation, seed, max_message_size, min_size_for_broadcast })
}

/// What each executor's environment is told. In local mode results are handed over as they are, however large.
pub(crate) fn environment(conf: &SparkConf, local: bool) -> Result<EnvironmentOptions, SparkError> {
    let direct = if local { ByteCount(u64::MAX) } else { conf.get(&keys::TASK_MAX_DIRECT_RESULT_SIZE)? };
    Ok(EnvironmentOptions {
        max_direct_result_size: direct,
        ask_time_out: conf.get(&keys::RPC_ASK_TIMEOUT)?,
        barrier_sync_time_out: conf.get(&keys::BARRIER_SYNC_TIMEOUT)?,
        compress_spills: conf.get(&keys::SHUFFLE_SPILL_COMPRESS)?,
        force_spill_records: conf.get(&keys::SHUFFLE_SPILL_NUM_ELEMENTS_FORCE_SPILL_THRESHOLD)?,
    })
}

/// How killed tasks are watched, if they are (RT-38).
pub(crate) fn reaper(conf: &SparkConf) -> Result<Option<ReaperOptions>, SparkError> {
    if !conf.get(&keys::TASK_REAPER_ENABLED)? {
        return Ok(None);
    }
    let kill_timeout = match conf.get(&keys::TASK_REAPER_KILL_TIMEOUT)? {
        // As in Spark, 0 is no time-out either.
        Timeout::After(time) if !time.is_zero() => Some(time),
        Timeout::After(_) | Timeout::Never => None,
    };
    Ok(Some(ReaperOptions {
        polling_interval: conf.get(&keys::TASK_REAPER_POLLING_INTERVAL)?,
        kill_timeout,
        thread_dump: conf.get(&keys::TASK_REAPER_THREAD_DUMP)?,
    }))
}

/// The port that a key says, and how many others may be tried (RT-51).
pub(crate) fn ports(conf: &SparkConf, port: &'static Key<u16>) -> Result<Ports, SparkError> {
    Ok(Ports { port: conf.get(port)?, max_retries: conf.get(&keys::PORT_MAX_RETRIES)? })
}

/// Of the control plane's connections.
pub(crate) fn rpc(conf: &SparkConf) -> Result<Options, SparkError> {
    let idle_time_out = conf.get(&keys::NETWORK_TIMEOUT)?;
    let defaults = Options::default();
    Ok(Options {
        max_message_size: conf.get(&keys::RPC_MESSAGE_MAX_SIZE)?,
        idle_time_out,
        connect_time_out: conf.get(&keys::RPC_LOOKUP_TIMEOUT)?,
        // Several fit into the other side's patience, however short that is.
        keep_alive_interval: defaults.keep_alive_interval.min(idle_time_out / 4),
        ..defaults
    })
}

/// Where the local directories of other executors of the application can be on this host, by the environment that `variable`
/// looks up; nowhere if their files are not to be read in place.
fn host_local_roots(
    conf: &SparkConf,
    variable: impl Fn(&str) -> Option<OsString> + Copy,
) -> Result<Vec<PathBuf>, SparkError> {
    if !conf.get(&keys::SHUFFLE_READ_HOST_LOCAL_DISK)? {
        return Ok(Vec::new());
    }
    let roots = conf.local_dirs(variable)?;
    // A worker makes directories for each executor alone, side by side.
    let own: Vec<PathBuf> = variable("SPARK_EXECUTOR_DIRS").iter().flat_map(env::split_paths).collect();
    let parents = roots.iter().filter(|root| own.contains(root)).filter_map(|root| root.parent());
    // What is beside a directory right below the root of the file system belongs to anybody.
    let parents: Vec<PathBuf> = parents.filter(|parent| parent.parent().is_some()).map(PathBuf::from).collect();
    Ok(roots.into_iter().chain(parents).collect())
}

/// Is every byte between block managers to be encrypted (SE-03)? Both of Spark's keys ask for it.
pub(crate) fn encrypts_network(conf: &SparkConf) -> Result<bool, SparkError> {
    Ok(conf.get(&keys::NETWORK_CRYPTO_ENABLED)? || conf.get(&keys::AUTHENTICATE_ENABLE_SASL_ENCRYPTION)?)
}

/// How blocks are served.
pub(crate) fn server(conf: &SparkConf) -> Result<ServerOptions, SparkError> {
    Ok(ServerOptions { encrypt: encrypts_network(conf)?, ..ServerOptions::default() })
}

/// How shuffles are written and read.
pub(crate) fn shuffle(conf: &SparkConf) -> Result<ShuffleOptions, SparkError> {
    Ok(ShuffleOptions {
        writer: WriterOptions {
            compression: compression(conf)?,
            checksums: conf.get(&keys::SHUFFLE_CHECKSUM_ENABLED)?,
        },
        map_status: MapStatusOptions {
            min_partitions_to_highly_compress: conf.get(&keys::SHUFFLE_MIN_NUM_PARTITIONS_TO_HIGHLY_COMPRESS)?,
            accurate_block_threshold: conf.get(&keys::SHUFFLE_ACCURATE_BLOCK_THRESHOLD)?,
        },
        limits: FetchLimits {
            max_size_in_flight: conf.get(&keys::REDUCER_MAX_SIZE_IN_FLIGHT)?,
            max_requests_in_flight: conf.get(&keys::REDUCER_MAX_REQS_IN_FLIGHT)? as usize,
            max_blocks_in_flight_per_address: conf.get(&keys::REDUCER_MAX_BLOCKS_IN_FLIGHT_PER_ADDRESS)? as usize,
        },
        client: ClientOptions {
            key_id: String::new(),
            encrypt: encrypts_network(conf)?,
            connections_per_peer: conf.get(&keys::SHUFFLE_IO_NUM_CONNECTIONS_PER_PEER)? as usize,
            connection_time_out: conf.get(&keys::SHUFFLE_IO_CONNECTION_TIMEOUT)?,
            max_retries: conf.get(&keys::SHUFFLE_IO_MAX_RETRIES)?,
            retry_wait: conf.get(&keys::SHUFFLE_IO_RETRY_WAIT)?,
            max_size_in_memory: conf.get(&keys::MAX_REMOTE_BLOCK_SIZE_FETCH_TO_MEM)?,
        },
        host_local_roots: host_local_roots(conf, |name| env::var_os(name))?,
    })
}

/// How shuffle files are compressed.
fn compression(conf: &SparkConf) -> Result<Compression, SparkError> {
    let codec = if conf.get(&keys::SHUFFLE_COMPRESS)? { codec(conf)? } else { Codec::None };
    let compression = Compression::new(codec);
    Ok(match codec {
        Codec::Lz4 => Compression { block_size: conf.get(&keys::IO_COMPRESSION_LZ4_BLOCK_SIZE)?, ..compression },
        Codec::Snappy => Compression { block_size: conf.get(&keys::IO_COMPRESSION_SNAPPY_BLOCK_SIZE)?, ..compression },
        Codec::None | Codec::Zstd { .. } => compression,
    })
}

/// The codec of shuffle files and of serialized blocks.
fn codec(conf: &SparkConf) -> Result<Codec, SparkError> {
    match conf.get(&keys::IO_COMPRESSION_CODEC)? {
        CompressionCodec::Lz4 => Ok(Codec::Lz4),
        CompressionCodec::Snappy => Ok(Codec::Snappy),
        CompressionCodec::Zstd => Ok(Codec::Zstd { level: conf.get(&keys::IO_COMPRESSION_ZSTD_LEVEL)? as i32 }),
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

/// The memory of a process that may use as much heap as this key says.
pub(crate) fn memory(conf: &SparkConf, heap: &'static Key<ByteCount>) -> Result<MemoryOptions, SparkError> {
    let off_heap = conf.get(&keys::MEMORY_OFF_HEAP_ENABLED)?;
    Ok(MemoryOptions {
        heap: conf.get(heap)?,
        heap_setting: heap.name(),
        fraction: conf.get(&keys::MEMORY_FRACTION)?,
        storage_fraction: conf.get(&keys::MEMORY_STORAGE_FRACTION)?,
        off_heap: if off_heap { conf.get(&keys::MEMORY_OFF_HEAP_SIZE)? } else { ByteCount::ZERO },
    })
}

/// Makes the scratch directories of this process (RT-17). A root that cannot be used is left out, with a warning, unless it is
/// the last one.
pub(crate) fn create_local_directories(conf: &SparkConf) -> Result<LocalDirs, SparkError> {
    let (local_dirs, failed) =
        LocalDirs::create(&local_directories(conf)?).map_err(|error| SparkError::Configuration(chain(&error)))?;
    for (root, error) in failed {
        warn!(root = %root.display(), %error, "a local directory cannot be used");
    }
    Ok(local_dirs)
}

/// The roots of scratch directories, absolute: an executor process has another working directory than its driver.
fn local_directories(conf: &SparkConf) -> Result<Vec<PathBuf>, SparkError> {
    let roots = conf.local_dirs(|name| env::var_os(name))?.into_iter();
    // What cannot be made absolute fails when it is made, with its name.
    Ok(roots.map(|root| path::absolute(&root).unwrap_or(root)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conf(settings: &[(&str, &str)]) -> SparkConf {
        settings.iter().copied().collect()
    }

    #[test]
    fn either_key_has_both_sides_of_the_data_plane_encrypt() {
        let cases = [
            (vec![], false),
            (vec![("spark.network.crypto.enabled", "true")], true),
            (vec![("spark.authenticate.enableSaslEncryption", "true")], true),
        ];
        for (settings, encrypt) in cases {
            let conf = conf(&settings);
            assert_eq!(shuffle(&conf).unwrap().client.encrypt, encrypt, "{settings:?}");
            assert_eq!(server(&conf).unwrap().encrypt, encrypt, "{settings:?}");
        }
    }

    /// RT-45. The events of copies that cannot start would mislead.
    #[test]
    fn nothing_is_speculated_where_there_is_one_executor() {
        let speculates = |master: &str| {
            let conf = conf(&[("spark.speculation", "true")]);
            let task = TaskRequirements { cpus: NonZeroU32::MIN, resources: Vec::new() };
            scheduler(&conf, Vec::new(), &master.parse().unwrap(), task, None).unwrap().speculation.is_some()
        };
        for (master, expected) in [("local", false), ("local[4,2]", false), ("local-cluster[2,1,1024]", true)] {
            assert_eq!(speculates(master), expected, "{master}");
        }
    }

    /// RT-59. What the other keys of compression do is seen on disk.
    #[test]
    fn spilled_runs_are_compressed_unless_that_is_switched_off() {
        assert!(environment(&conf(&[]), true).unwrap().compress_spills);
        assert!(!environment(&conf(&[("spark.shuffle.spill.compress", "false")]), true).unwrap().compress_spills);
    }

    /// RT-62.
    #[test]
    fn what_is_told_of_map_outputs_is_as_the_keys_say() {
        let settings =
            [("spark.shuffle.minNumPartitionsToHighlyCompress", "7"), ("spark.shuffle.accurateBlockThreshold", "1m")];
        let expected =
            MapStatusOptions { min_partitions_to_highly_compress: 7, accurate_block_threshold: ByteCount::mib(1) };
        assert_eq!(shuffle(&conf(&settings)).unwrap().map_status, expected);
        assert_eq!(shuffle(&conf(&[])).unwrap().map_status, MapStatusOptions::default());
    }

    #[test]
    fn blocks_of_shuffle_files_are_as_large_as_their_codec_s_key_says() {
        let block_size = |settings: &[(&str, &str)]| compression(&conf(settings)).unwrap().block_size;
        let lz4 = ("spark.io.compression.lz4.blockSize", "32k");
        let snappy = ("spark.io.compression.snappy.blockSize", "16k");
        let codec = |name| ("spark.io.compression.codec", name);
        assert_eq!(block_size(&[]), ByteCount::kib(63));
        assert_eq!(block_size(&[lz4, snappy]), ByteCount::kib(32));
        assert_eq!(block_size(&[lz4, snappy, codec("snappy")]), ByteCount::kib(16));
        assert_eq!(block_size(&[lz4, snappy, codec("zstd")]), ByteCount::kib(256));
        let class = codec("org.apache.spark.io.SnappyCompressionCodec");
        assert_eq!(block_size(&[lz4, snappy, class]), ByteCount::kib(16));
        let too_large = compression(&conf(&[("spark.io.compression.lz4.blockSize", "9m")])).unwrap_err().to_string();
        assert!(too_large.contains("at most 8m"), "{too_large}");
    }

    #[test]
    fn killed_tasks_are_watched_if_that_is_wanted_and_for_ever_unless_a_time_is_given() {
        assert_eq!(reaper(&conf(&[("spark.task.reaper.killTimeout", "1s")])).unwrap(), None);
        let timeout = |time: &str| {
            let conf = conf(&[("spark.task.reaper.enabled", "true"), ("spark.task.reaper.killTimeout", time)]);
            reaper(&conf).unwrap().unwrap().kill_timeout
        };
        assert_eq!(timeout("-1"), None);
        assert_eq!(timeout("0"), None);
        assert_eq!(timeout("2min"), Some(Duration::from_secs(120)));
    }

    #[test]
    fn files_of_others_are_looked_for_where_executors_of_the_application_can_be() {
        let roots = |variables: &[(&str, &str)], setting: &str| {
            let conf = conf(&[("spark.local.dir", "/scratch/one,/two"), ("spark.shuffle.readHostLocalDisk", setting)]);
            let variable =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
            let roots = host_local_roots(&conf, variable).unwrap();
            roots.iter().map(|root| root.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(roots(&[], "true"), ["/scratch/one", "/two"]);
        assert_eq!(roots(&[], "false"), [] as [&str; 0]);
        let worker = ("SPARK_EXECUTOR_DIRS", "/workers/app-1/executor-0:/executor-0");
        assert_eq!(roots(&[worker], "true"), ["/workers/app-1/executor-0", "/executor-0", "/workers/app-1"]);
        // In a YARN container its own directories count, and they are the application's.
        let container = [("CONTAINER_ID", "c"), ("LOCAL_DIRS", "/yarn/app-1"), worker];
        assert_eq!(roots(&container, "true"), ["/yarn/app-1"]);
    }
}
