//! Authentication, encryption and redaction (SE-01, SE-02, SE-06, SE-08).

use regex::Regex;

use super::{AnyKey, Key, Managers, Section};

keys! { Security:
    /// The shared secret of the application's processes. Generated if neither it nor a file is given (SE-02).
    AUTHENTICATE_SECRET: Option<String> = "spark.authenticate.secret", since "1.0.0",
        check(|secret| secret.as_deref() != Some(""), "a secret that is not empty"), only_on(Managers::WITH_EXECUTORS);

    /// A file that holds the secret, at the same path for driver and executors.
    AUTHENTICATE_SECRET_FILE: Option<String> = "spark.authenticate.secret.file", since "3.0.0",
        only_on(Managers::WITH_EXECUTORS);

    /// The file for the driver.
    AUTHENTICATE_SECRET_DRIVER_FILE: Option<String> = "spark.authenticate.secret.driver.file", since "3.0.0",
        falls_back_to(&AUTHENTICATE_SECRET_FILE), only_on(Managers::WITH_EXECUTORS);

    /// The file for executors.
    AUTHENTICATE_SECRET_EXECUTOR_FILE: Option<String> = "spark.authenticate.secret.executor.file", since "3.0.0",
        falls_back_to(&AUTHENTICATE_SECRET_FILE), only_on(Managers::WITH_EXECUTORS);

    /// Encrypt what block managers send to one another and to the driver: shuffle segments, cached blocks, broadcast values. Control messages are encrypted in any case, and so is the proof of the secret, which needs no `spark.authenticate` here.
    NETWORK_CRYPTO_ENABLED: bool = "spark.network.crypto.enabled", since "2.2.0", default("false"),
        only_on(Managers::WITH_EXECUTORS);

    /// Spark's older key for the same; either one switches encryption on.
    AUTHENTICATE_ENABLE_SASL_ENCRYPTION: bool = "spark.authenticate.enableSaslEncryption", since "1.4.0",
        default("false"), only_on(Managers::WITH_EXECUTORS);

    /// Encrypt what is written to local directories: shuffle files, spilled data, blocks and broadcast values on disk, large blocks on their way from other executors, broadcast values of Python. Each application has a key of its own, which no configuration holds. Index and checksum files, shipped files, event logs and what Python's own workers spill stay in clear. What is on the network `spark.network.crypto.enabled` decides.
    IO_ENCRYPTION_ENABLED: bool = "spark.io.encryption.enabled", since "2.1.0", default("false");

    /// The length of that key: AES-128, AES-192 or AES-256 in Galois/counter mode, which notices what was changed.
    IO_ENCRYPTION_KEY_SIZE_BITS: u32 = "spark.io.encryption.keySizeBits", since "2.1.0", default("128"),
        check(|bits| matches!(bits, 128 | 192 | 256), "128, 192 or 256");

    /// A value is hidden in logs, user interfaces and event logs if its key or the value itself matches. User and password of URLs, and the queries of HTTP, are hidden in any case.
    REDACTION_REGEX: Regex = "spark.redaction.regex", since "2.1.2",
        default("(?i)secret|password|token|access[.]?key");
}
