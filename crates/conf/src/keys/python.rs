//! Python worker processes.

use std::time::Duration;

use firesteel_model::ByteCount;

use super::{AnyKey, Key, Section, Unit};

keys! { Python:
    /// A Python worker runs one task after another. Otherwise every task has a process of its own.
    PYTHON_WORKER_REUSE: bool = "spark.python.worker.reuse", since "1.2.0", default("true");

    /// Python workers are forked by a daemon, which has imported PySpark already. Otherwise every task starts an interpreter of its own, and workers are not reused.
    PYTHON_USE_DAEMON: bool = "spark.python.use.daemon", since "2.3.0", default("true");

    /// The module that is the daemon of Python workers.
    PYTHON_DAEMON_MODULE: String = "spark.python.daemon.module", since "2.4.0", default("pyspark.daemon");

    /// The module whose function `main` runs tasks in Python workers. Without a daemon it is run as a program.
    PYTHON_WORKER_MODULE: String = "spark.python.worker.module", since "2.4.0", default("pyspark.worker");

    /// Memory of all Python workers of an executor together: each has its share of the address space, by how many tasks run at once, and a `MemoryError` beyond.
    PYSPARK_EXECUTOR_MEMORY: Option<ByteCount> = "spark.executor.pyspark.memory", since "2.4.0",
        computed("no limit"), unit(Unit::MiB);

    /// A Python worker that crashes says where its threads were; its task's error shows it.
    PYTHON_WORKER_FAULTHANDLER_ENABLED: bool = "spark.python.worker.faulthandler.enabled", since "3.2.0",
        default("false");

    /// If nothing goes to a Python worker that has a task, nor comes from it, for so long, a line in the log says so. 0 for never.
    PYTHON_WORKER_IDLE_TIMEOUT: Duration = "spark.python.worker.idleTimeoutSeconds", since "4.0.0",
        default("0"), unit(Unit::Seconds);

    /// A Python worker that `spark.python.worker.idleTimeoutSeconds` has passed for is ended, and its task has failed.
    PYTHON_WORKER_KILL_ON_IDLE_TIMEOUT: bool = "spark.python.worker.killOnIdleTimeout", since "4.1.0",
        default("false");

    /// How often a Python worker that runs a task writes to standard error where its threads are. 0 for never.
    PYTHON_WORKER_TRACEBACK_DUMP_INTERVAL: Duration = "spark.python.worker.tracebackDumpIntervalSeconds", since "4.1.0",
        default("0"), unit(Unit::Seconds);

    /// How many idle Python workers an executor keeps for each interpreter and environment. Those beyond are ended, the one that was idle longest first.
    PYTHON_FACTORY_IDLE_WORKER_MAX_POOL_SIZE: Option<u32> = "spark.python.factory.idleWorkerMaxPoolSize", since "4.1.0",
        computed("no limit"), check(|number| *number != Some(0), "at least 1");

    /// Python programs and workers are talked to on sockets of the file system and not of the network.
    PYTHON_UNIX_DOMAIN_SOCKET_ENABLED: Option<bool> = "spark.python.unix.domain.socket.enabled", since "4.1.0",
        computed("`true` if the environment has `PYSPARK_UDS_MODE=true`");

    /// Where those sockets are.
    PYTHON_UNIX_DOMAIN_SOCKET_DIR: Option<String> = "spark.python.unix.domain.socket.dir", since "4.1.0",
        computed("the system's directory for temporary files"),
        check(|path| path.as_ref().is_none_or(|path| path.len() <= 61), "a path of at most 61 bytes, as names of sockets are short");
}
