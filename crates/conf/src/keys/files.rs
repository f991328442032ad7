//! Files of the application, input files, and Hadoop settings.

use std::time::Duration;

use super::{AnyKey, Key, KeyPrefix, Managers, Section, Unit};

keys! { Files:
    /// How long the source of one of the application's files may be silent, and how long one executor waits for another that fetches the same file. An HTTP server that sends less than 1 KiB a second for so long is given up, too. For files that the driver serves, and for HTTP; S3 and HDFS have time-outs of their own (SS-80).
    FILES_FETCH_TIMEOUT: Duration = "spark.files.fetchTimeout", since "1.0.0",
        default("60s"), unit(Unit::Seconds), check(|time| !time.is_zero(), "more than 0");

    /// Executors of one application on one machine fetch a file once; each has a copy of its own (SS-80).
    FILES_USE_FETCH_CACHE: bool = "spark.files.useFetchCache", since "1.2.2", default("true");

    /// A file, archive or directory that is added under the name of one with other content replaces it; otherwise that is an error (SS-80).
    FILES_OVERWRITE: bool = "spark.files.overwrite", since "1.0.0", default("false");

    /// Output to a directory that exists is an error; `false` writes into it.
    HADOOP_VALIDATE_OUTPUT_SPECS: bool = "spark.hadoop.validateOutputSpecs", since "1.0.1", default("true");

    /// Skip input files that cannot be read to their end.
    FILES_IGNORE_CORRUPT_FILES: bool = "spark.files.ignoreCorruptFiles", since "2.1.0", default("false");

    /// Skip input files that have gone since the job began.
    FILES_IGNORE_MISSING_FILES: bool = "spark.files.ignoreMissingFiles", since "2.4.0", default("false");
}

prefixes! { Files:
    /// `spark.hadoop.KEY`: setting KEY of the file systems, such as `spark.hadoop.fs.s3a.endpoint`.
    HADOOP = "spark.hadoop.", since "1.2.0", on Managers::ALL;
}
