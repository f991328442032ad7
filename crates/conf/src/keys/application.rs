//! The application: name, master, files, driver.

use firesteel_model::ByteCount;

use super::{AnyKey, DeployMode, Key, Section, Unit};
use crate::MasterUrl;

keys! { Application:
    /// The application's name, shown in user interfaces and logs. `--name`; else the main class or the file name.
    APP_NAME: Option<String> = "spark.app.name", since "0.9.0";

    /// The application's id. Set by the cluster manager when the application starts; in local mode `local-` and the time. What is set here before is overwritten, with a warning.
    APP_ID: Option<String> = "spark.app.id", since "1.4.0", computed("given at start");

    /// Which attempt of the application this is, where the cluster manager counts them; part of the event log's name.
    APP_ATTEMPT_ID: Option<String> = "spark.app.attempt.id", since "3.2.0", computed("none");

    /// When `spark-submit` handed the application over, in milliseconds since 1970.
    APP_SUBMIT_TIME: Option<u64> = "spark.app.submitTime", since "3.1.0", computed("set by `spark-submit`");

    /// The cluster manager: a master URL. `--master`, then the environment variable `MASTER`, then `local[*]`.
    MASTER: Option<MasterUrl> = "spark.master", since "0.9.0";

    /// Where the driver runs: `client`, here; `cluster`, inside the cluster. `--deploy-mode`.
    DEPLOY_MODE: DeployMode = "spark.submit.deployMode", since "1.5.0", default("client");

    /// Libraries that came with `--jars`, as `file:` or `local:` URIs. They are shipped to executors as files are; no JVM loads classes from them (SS-14).
    JARS: Vec<String> = "spark.jars", since "0.9.0";

    /// Files that came with `--files`; each is placed in every executor's working directory under its name, or the one behind `#`, where `SparkFiles` finds it (SS-15).
    FILES: Vec<String> = "spark.files", since "1.0.0";

    /// Archives that came with `--archives`; unpacked in every executor's working directory, under the name behind `#` if there is one (SS-17).
    ARCHIVES: Vec<String> = "spark.archives", since "3.1.0";

    /// Python files that came with `--py-files`: `.py`, `.zip` and `.egg`, in the order of the module search path (SS-16).
    SUBMIT_PY_FILES: Vec<String> = "spark.submit.pyFiles", since "1.0.1";

    /// Memory of the driver process. In local mode this is the memory that tasks and cached blocks share. A number alone means MiB.
    DRIVER_MEMORY: ByteCount = "spark.driver.memory", since "1.1.1",
        default("1g"), unit(Unit::MiB), check(|size| size.bytes() > 0, "more than 0");

    /// How much all results of one job may be together before the job is aborted; 0 means no limit (RT-33).
    DRIVER_MAX_RESULT_SIZE: ByteCount = "spark.driver.maxResultSize", since "1.2.0", default("1g"), unit(Unit::Bytes);

    /// Roots of the scratch directories for shuffle files, spills and cached blocks: a comma list, best one per disk. The environment variables `SPARK_EXECUTOR_DIRS`, then `SPARK_LOCAL_DIRS` override it (RT-17).
    LOCAL_DIR: Vec<String> = "spark.local.dir", since "0.5.0", default("/tmp"),
        check(
            |dirs| !dirs.is_empty() && dirs.iter().all(|dir| !dir.contains("://")),
            "at least one directory of this machine, each as a path and not as a URI"
        );

    /// Number of partitions of shuffles that do not say how many, and what `SparkContext::default_parallelism` gives. `parallelize` and `range` of the Rust API always take a number, which may be that one.
    DEFAULT_PARALLELISM: Option<u32> = "spark.default.parallelism", since "0.5.0",
        computed("shuffles: the largest number of partitions of a parent; `default_parallelism`: all cores, at least 2 where executors are processes"),
        check(|number| *number != Some(0), "at least 1");

    /// Write the configuration to the log when the application starts, without secrets.
    LOG_CONF: bool = "spark.logConf", since "0.9.0", default("false");
}
