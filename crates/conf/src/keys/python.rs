//! Python programs and their workers.

use std::time::Duration;

use firesteel_model::ByteCount;

use super::{AnyKey, Key, Section, Unit};

keys! { Python:
    /// The interpreter of a submitted program's workers, and of the program itself unless `spark.pyspark.driver.python` says otherwise. Without it the variable `PYSPARK_PYTHON` counts, then `python3` (UI-07).
    PYSPARK_PYTHON: Option<String> = "spark.pyspark.python", since "2.1.0", computed("`PYSPARK_PYTHON`, then `python3`");

    /// The interpreter of a submitted program, if that is to be another than that of its workers (UI-07).
    PYSPARK_DRIVER_PYTHON: Option<String> = "spark.pyspark.driver.python", since "2.1.0",
        computed("`spark.pyspark.python`, then `PYSPARK_DRIVER_PYTHON`, then `PYSPARK_PYTHON`, then `python3`");

    /// A Python worker runs one task after another. Otherwise every task has a process of its own.
    PYTHON_WORKER_REUSE: bool = "spark.python.worker.reuse", since "1.2.0", default("true");

    /// Python workers are forked by a daemon, which has imported PySpark already. Otherwise every task starts an interpreter of its own, and workers are not reused.
    PYTHON_USE_DAEMON: bool = "spark.python.use.daemon", since "2.3.0", default("true");

    /// The module that is the daemon of Python workers.
    PYTHON_DAEMON_MODULE: String = "spark.python.daemon.module", since "2.4.0", default("pyspark.daemon");

    /// The module whose function `main` runs tasks in Python workers. Without a daemon it is run as a program.
    PYTHON_WORKER_MODULE: String = "spark.python.worker.module", since "2.4.0", default("pyspark.worker");

    /// Functions of PySpark's own that workers run, those of `map`, `reduceByKey` and the like, are replaced there by equivalents that take less time, if their text is known. `false` to rule that out as the cause of something.
    PYTHON_WORKER_REPLACE_FUNCTIONS: bool = "spark.firesteel.python.worker.replaceFunctions", since "firesteel 0.1.0",
        default("true");

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

    /// How long the Python worker of a killed task may go on before it is ended, unless it says something before: time for a function to come to the end of what it is at.
    PYTHON_TASK_KILL_TIMEOUT: Duration = "spark.python.task.killTimeout", since "2.2.2", default("2s"), unit(Unit::Milliseconds);

    /// How long Python programs and workers have to connect to a socket that was opened for them, and to prove who they are.
    PYTHON_AUTHENTICATE_SOCKET_TIMEOUT: Duration = "spark.python.authenticate.socketTimeout", since "3.1.0",
        default("15s"), unit(Unit::Seconds), check(|timeout| !timeout.is_zero(), "more than 0");

    /// Python programs and workers are talked to on sockets of the file system and not of the network.
    PYTHON_UNIX_DOMAIN_SOCKET_ENABLED: Option<bool> = "spark.python.unix.domain.socket.enabled", since "4.1.0",
        computed("`true` if the environment has `PYSPARK_UDS_MODE=true`");

    /// Where those sockets are.
    PYTHON_UNIX_DOMAIN_SOCKET_DIR: Option<String> = "spark.python.unix.domain.socket.dir", since "4.1.0",
        computed("the system's directory for temporary files"),
        check(|path| path.as_ref().is_none_or(|path| path.len() <= 61), "a path of at most 61 bytes, as names of sockets are short");
}
