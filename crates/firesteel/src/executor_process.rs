//! This binary as an executor of a native application.

use std::{env, fs, path::Path, sync::Arc};

use firesteel_block_store::MemoryManager;
use firesteel_closure::build_id;
use firesteel_conf::{SparkConf, keys};
use firesteel_executor::{
    DriverLink, Environment, Executor, ExecutorBlockSource, ExecutorShuffle, ExecutorStorage, Questions, StoragePlace,
};
use firesteel_executor_backend::{ExecutorExitCode, ExecutorParts, ExecutorProcess, read_launch};
use firesteel_memory::{MemoryMode, MemoryOptions, ResidentLimits, UnifiedMemoryManager};
use firesteel_model::{BlockManagerId, ByteCount};
use firesteel_rpc::Secret;
use firesteel_transfer::{LocalDirsSpool, TransferClient, TransferServer};

use crate::{
    application_files, error::chain, io_encryption, logging, resources::CustomResources, runner::RustTaskRunner,
    settings,
};

/// What a process holds beside what the pools account for: at least so much, and a tenth of the executor's memory.
const MINIMUM_OVERHEAD: ByteCount = ByteCount::mib(384);

/// Runs as the executor that standard input describes, until the driver says stop or is gone. Gives the exit code.
pub(crate) fn run() -> i32 {
    // The process was started through a link whose name says nothing in a list of processes.
    if let Some(name) = env::args_os().next().as_deref().map(Path::new).and_then(Path::file_name) {
        // Nothing but that list suffers if it cannot be had.
        let _ = fs::write("/proc/self/comm", name.as_encoded_bytes());
    }
    match try_run() {
        Ok(exit) => exit.code(),
        Err((exit, message)) => {
            eprintln!("executor could not start: {message}");
            exit.code()
        }
    }
}

/// How large the process may be: what it is given on and off heap, and the overhead.
fn memory_limits(memory: &MemoryOptions) -> ResidentLimits {
    let given = memory.heap + memory.off_heap;
    ResidentLimits { given, limit: given + MINIMUM_OVERHEAD.max(ByteCount(memory.heap.bytes() / 10)) }
}

type Failure = (ExecutorExitCode, String);

fn general(error: impl std::error::Error) -> Failure {
    (ExecutorExitCode::General, chain(&error))
}

fn try_run() -> Result<ExecutorExitCode, Failure> {
    let launch = read_launch().map_err(general)?;
    let mut conf = SparkConf::new();
    conf.set_all(launch.conf.iter().cloned());
    logging::start(&conf, None).map_err(general)?;
    let secret = Secret::parse(&launch.secret).map_err(general)?;
    let process = ExecutorProcess::new(launch).map_err(general)?;
    let launch = process.launch();

    // Before anything is taken from the machine: without its resources the executor is of no use.
    let resources =
        CustomResources::of(&conf).and_then(|resources| resources.discover_for_executor()).map_err(general)?;
    let encrypted = conf.get(&keys::IO_ENCRYPTION_ENABLED).map_err(general)?;
    let io_encryption = io_encryption::executor_key(encrypted, launch.io_encryption_key.as_deref()).map_err(general)?;
    let local_dirs = settings::create_local_directories(&conf);
    let local_dirs = local_dirs.map_err(|error| (ExecutorExitCode::LocalDirectory, error.to_string()))?;
    let local_dirs = Arc::new(local_dirs.with_encryption(io_encryption));
    let memory_options = settings::memory(&conf, &keys::EXECUTOR_MEMORY).map_err(general)?;
    let memory = UnifiedMemoryManager::from_options(&memory_options).map_err(general)?;
    let memory = MemoryManager::new(memory, MemoryManager::WAIT_LIMIT);
    let shuffle_options = settings::shuffle(&conf).map_err(general)?;
    let files_client = application_files::client_options(&conf, &shuffle_options.client).map_err(general)?;
    let shuffle = Arc::new(ExecutorShuffle::new(
        launch.application_id.clone(),
        launch.executor_id.clone(),
        Arc::clone(&local_dirs),
        secret.clone(),
        shuffle_options,
    ));
    let source = ExecutorBlockSource::new(Arc::clone(shuffle.resolver()), launch.application_id.clone());
    let ports = settings::ports(&conf, &keys::BLOCK_MANAGER_PORT).map_err(general)?;
    let runtime = Arc::clone(shuffle.runtime().map_err(general)?);
    let server = TransferServer::start(
        &runtime,
        &launch.host,
        ports,
        secret.clone(),
        Arc::clone(&source) as _,
        settings::server(&conf).map_err(general)?,
    )
    .map_err(general)?;
    let block_port = server.address().port();
    let block_manager_id =
        BlockManagerId { executor_id: launch.executor_id.clone(), host: launch.host.clone(), port: block_port };
    let options = settings::environment(&conf, false).map_err(general)?;
    let link: Arc<dyn DriverLink> = process.link();
    let questions = Arc::<Questions>::default();
    let storage = ExecutorStorage::remote(
        StoragePlace { block_manager_id, memory, local_dirs: Arc::clone(&local_dirs) },
        settings::storage(&conf, settings::storage_seed(&launch.executor_id)).map_err(general)?,
        Arc::clone(&link),
        Arc::clone(&questions),
        options.ask_time_out,
        &shuffle,
    );
    source.serve_blocks(storage.blocks());
    let spool = Arc::new(LocalDirsSpool::new(Arc::clone(&local_dirs)));
    let client = TransferClient::new(&runtime, secret.clone(), spool, files_client);
    let cache = launch.files_cache.as_deref().map(Path::new);
    let files = application_files::of_executor(&conf, &local_dirs, client, cache).map_err(general)?;
    // SS-15: the files of the application are in the executor's working directory.
    env::set_current_dir(files.root_directory()).map_err(general)?;
    application_files::set_root_directory(Some(files.root_directory()));
    let environment = Environment::new(link, questions, local_dirs, shuffle, storage, options).with_files(files);
    let executor = Executor::new(Arc::new(environment), Arc::new(RustTaskRunner), launch.cores as usize);
    let parts = ExecutorParts {
        block_port,
        on_heap_memory: executor.environment().storage_memory(MemoryMode::OnHeap),
        off_heap_memory: executor.environment().storage_memory(MemoryMode::OffHeap),
        resources,
        build_id: build_id().map_err(general)?,
        heartbeat_interval: conf.get(&keys::EXECUTOR_HEARTBEAT_INTERVAL).map_err(general)?,
        reaper: settings::reaper(&conf).map_err(general)?,
        memory_limits: memory_limits(&memory_options),
        executor,
    };
    let options = settings::rpc(&conf).map_err(general)?;
    let exit = process.run(&secret, &options, parts);
    // Peers are served until here.
    drop(server);
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executor_may_hold_what_its_pools_may() {
        let limit = |settings: &[(&str, &str)], heap: u64| {
            let mut conf: SparkConf = settings.iter().copied().collect();
            conf.set("spark.executor.memory", format!("{heap}g"));
            memory_limits(&settings::memory(&conf, &keys::EXECUTOR_MEMORY).unwrap()).limit
        };
        assert_eq!(limit(&[], 1), ByteCount::mib(1024 + 384));
        assert_eq!(limit(&[], 10), ByteCount::gib(11));
        let off_heap = [("spark.memory.offHeap.enabled", "true"), ("spark.memory.offHeap.size", "8g")];
        assert_eq!(limit(&off_heap, 1), ByteCount::mib(1024 + 8192 + 384));
        let given = |off_heap| {
            let conf: SparkConf = off_heap;
            memory_limits(&settings::memory(&conf, &keys::EXECUTOR_MEMORY).unwrap()).given
        };
        assert_eq!(given(off_heap.into_iter().collect()), ByteCount::gib(9), "1g of spark.executor.memory by default");
        assert_eq!(limit(&off_heap[1..], 1), limit(&[], 1), "a size alone switches nothing on");
    }
}
