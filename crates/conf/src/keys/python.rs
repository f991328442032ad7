//! Python programs and their workers.

use super::{AnyKey, Key, Section};

keys! { Python:
    /// The interpreter of a submitted program's workers, and of the program itself unless `spark.pyspark.driver.python` says otherwise. Without it the variable `PYSPARK_PYTHON` counts, then `python3` (UI-07).
    PYSPARK_PYTHON: Option<String> = "spark.pyspark.python", since "2.1.0", computed("`PYSPARK_PYTHON`, then `python3`");

    /// The interpreter of a submitted program, if that is to be another than that of its workers (UI-07).
    PYSPARK_DRIVER_PYTHON: Option<String> = "spark.pyspark.driver.python", since "2.1.0",
        computed("`spark.pyspark.python`, then `PYSPARK_DRIVER_PYTHON`, then `PYSPARK_PYTHON`, then `python3`");

    /// A Python worker runs one task after another. With `false` each task has a worker of its own, which ends with it (RT-84).
    PYTHON_WORKER_REUSE: bool = "spark.python.worker.reuse", since "1.2.0", default("true");
}
