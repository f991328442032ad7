//! Spark's keys that this engine does not act on, so that a warning can say why (AS-22).
//!
//! A name that ends in a dot stands for everything under it. The lists name what people set; they need not be complete,
//! because a key that is missing here is warned about as unknown.

use crate::{ClusterManager, Managers};

/// Why a key of Spark's does nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Elsewhere {
    /// It belongs to other cluster managers.
    Managers(Managers),
    /// It is about a JVM, and there is none.
    Jvm,
    /// Its part of Spark is not built in yet.
    NotBuiltIn(&'static str),
    /// What it governs is done in another way, always.
    Otherwise(&'static str),
    /// It is information that Spark leaves in the configuration, or is read by a client library.
    Harmless,
}

/// What is known about a key that is not declared.
pub(crate) fn find(key: &str) -> Option<Elsewhere> {
    let group = GROUPS.iter().find(|group| group.names.iter().any(|name| covers(name, key)));
    group.map(|group| group.reason)
}

/// Every single key that is known, for suggestions.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    GROUPS.iter().flat_map(|group| group.names).copied()
}

fn covers(name: &str, key: &str) -> bool {
    if name.ends_with('.') { key.starts_with(name) && key.len() > name.len() } else { key == name }
}

struct Group {
    reason: Elsewhere,
    names: &'static [&'static str],
}

const fn managers(managers: &[ClusterManager]) -> Elsewhere {
    Elsewhere::Managers(Managers::of(managers))
}

use ClusterManager::{Kubernetes, LocalCluster, Mesos, Standalone, Yarn};

static GROUPS: &[Group] = &[
    Group {
        reason: Elsewhere::Otherwise("map outputs are written in the blocks that are compressed"),
        names: &["spark.shuffle.file.buffer", "spark.shuffle.file.buffer.kb"],
    },
    Group { reason: Elsewhere::Otherwise("every connection is authenticated"), names: &["spark.authenticate"] },
    Group {
        reason: Elsewhere::Otherwise("there is one shuffle writer, for any number of reducers"),
        names: &["spark.shuffle.sort.bypassMergeThreshold"],
    },
    Group {
        reason: Elsewhere::Otherwise("checksums of shuffle files are CRC-32"),
        names: &["spark.shuffle.checksum.algorithm"],
    },
    Group {
        reason: Elsewhere::Otherwise(
            "every segment is compared with its checksum, if spark.shuffle.checksum.enabled is set",
        ),
        names: &["spark.shuffle.detectCorrupt", "spark.shuffle.detectCorrupt.useExtraMemory"],
    },
    Group {
        reason: Elsewhere::Otherwise("an executor ends as soon as its connection to the driver does"),
        names: &["spark.executor.heartbeat.maxFailures"],
    },
    Group {
        reason: Elsewhere::Otherwise("no context can be made inside a task"),
        names: &["spark.executor.allowSparkContext"],
    },
    Group {
        reason: Elsewhere::Otherwise("a secret that is generated has always the same length"),
        names: &["spark.authenticate.secretBitLength"],
    },
    Group {
        reason: Elsewhere::Otherwise("spilled files are put together in one way"),
        names: &["spark.file.transferTo"],
    },
    Group { reason: Elsewhere::NotBuiltIn("a time limit for drivers"), names: &["spark.driver.timeout"] },
    Group { reason: Elsewhere::NotBuiltIn("a time limit for shutdown hooks"), names: &["spark.shutdown.timeout"] },
    Group { reason: managers(&[Yarn]), names: &["spark.yarn."] },
    Group { reason: managers(&[Mesos]), names: &["spark.mesos.", "spark.executor.uri", "spark.executor.port"] },
    Group { reason: managers(&[Kubernetes]), names: &["spark.kubernetes."] },
    Group {
        reason: managers(&[Standalone]),
        names: &[
            "spark.standalone.",
            "spark.deploy.",
            "spark.worker.",
            "spark.master.ui.",
            "spark.master.rest.",
            "spark.storage.cleanupFilesAfterExecutorExit",
            "spark.master.useAppNameAsAppId.enabled",
            "spark.master.useDriverIdAsAppName.enabled",
            "spark.driver.resourcesFile",
        ],
    },
    Group {
        reason: managers(&[Yarn, Kubernetes]),
        names: &[
            "spark.executor.maxNumFailures",
            "spark.executor.failuresValidityInterval",
            "spark.kerberos.renewal.credentials",
        ],
    },
    Group {
        reason: managers(&[Yarn, Mesos, Kubernetes]),
        names: &[
            "spark.executor.memoryOverhead",
            "spark.executor.memoryOverheadFactor",
            "spark.driver.memoryOverhead",
            "spark.driver.memoryOverheadFactor",
            "spark.executor.minMemoryOverhead",
            "spark.driver.minMemoryOverhead",
        ],
    },
    Group {
        reason: managers(&[Standalone, Yarn, Mesos, Kubernetes]),
        names: &[
            "spark.decommission.enabled",
            "spark.executor.decommission.",
            "spark.storage.decommission.",
            "spark.excludeOnFailure.killExcludedExecutors.decommission",
            "spark.scheduler.maxRetainedRemovedDecommissionExecutors",
            "spark.scheduler.maxRetainedUnknownDecommissionExecutors",
        ],
    },
    Group {
        reason: managers(&[Standalone, Yarn, Mesos]),
        names: &["spark.shuffle.service.", "spark.shuffle.registration.", "spark.shuffle.maxChunksBeingTransferred"],
    },
    Group { reason: managers(&[Yarn]), names: &["spark.shuffle.push."] },
    Group {
        reason: Elsewhere::Jvm,
        names: &[
            "spark.driver.extraClassPath",
            "spark.driver.extraJavaOptions",
            "spark.driver.defaultJavaOptions",
            "spark.driver.extraLibraryPath",
            "spark.driver.userClassPathFirst",
            "spark.executor.extraClassPath",
            "spark.executor.extraJavaOptions",
            "spark.executor.defaultJavaOptions",
            "spark.executor.extraLibraryPath",
            "spark.executor.userClassPathFirst",
            "spark.jars.packages",
            "spark.jars.excludes",
            "spark.jars.repositories",
            "spark.jars.ivy",
            "spark.jars.ivySettings",
            "spark.serializer",
            "spark.serializer.objectStreamReset",
            "spark.closure.serializer",
            "spark.kryo.",
            "spark.kryoserializer.",
            "spark.extraListeners",
            "spark.plugins",
            "spark.plugins.defaultList",
            "spark.hadoop.cloneConf",
            "spark.broadcast.UDFCompressionThreshold",
            "spark.cleaner.periodicGC.interval",
            "spark.eventLog.gcMetrics.",
            "spark.eventLog.erasureCoding.enabled",
            "spark.repl.",
            "spark.rpc.io.",
            "spark.rpc.netty.",
            "spark.shuffle.io.preferDirectBufs",
            "spark.shuffle.io.mode",
            "spark.network.io.preferDirectBufs",
            "spark.shuffle.sort.io.plugin.class",
            "spark.shuffle.sort.useRadixSort",
            "spark.buffer.",
            "spark.executor.processTreeMetrics.enabled",
            "spark.driver.defaultExtraClassPath",
            "spark.executor.defaultExtraClassPath",
            "spark.driver.limitActiveProcessorCount.enabled",
            "spark.executor.limitActiveProcessorCount.enabled",
            "spark.serializer.extraDebugInfo",
            "spark.cloneBasedClosureCleaner.enabled",
            "spark.launcher.",
            "spark.unsafe.exceptionOnMemoryLeak",
            "spark.unsafe.sorter.",
        ],
    },
    Group {
        reason: Elsewhere::NotBuiltIn("SQL"),
        names: &[
            "spark.sql.",
            "spark.hive.",
            "spark.connect.",
            "spark.remote",
            "spark.api.mode",
            "spark.databricks.",
            "spark.redaction.string.regex",
            "spark.executor.isolatedSessionCache.size",
        ],
    },
    Group { reason: Elsewhere::NotBuiltIn("Spark Streaming"), names: &["spark.streaming.", "spark.kafka."] },
    // Read by PySpark, and by the driver of its programs: an application in Rust has no use for them, and no harm of them.
    Group {
        reason: Elsewhere::Harmless,
        names: &["spark.python.profile", "spark.python.profile.dump", "spark.python.profile.memory"],
    },
    Group {
        reason: Elsewhere::NotBuiltIn("this part of what Python programs can set"),
        names: &["spark.python.", "spark.executor.python.worker.log.details"],
    },
    Group { reason: Elsewhere::NotBuiltIn("R"), names: &["spark.r.", "spark.sparkr."] },
    Group {
        reason: Elsewhere::NotBuiltIn("the web UI"),
        names: &[
            "spark.ui.",
            "spark.acls.",
            "spark.admin.",
            "spark.modify.",
            "spark.user.groups.mapping",
            "spark.appStateStore.asyncTracking.enable",
            "spark.driver.appUIAddress",
        ],
    },
    Group { reason: Elsewhere::NotBuiltIn("the history server"), names: &["spark.history."] },
    Group {
        reason: Elsewhere::NotBuiltIn("the metrics system"),
        names: &["spark.metrics.", "spark.executor.metrics.", "spark.driver.metrics."],
    },
    Group { reason: Elsewhere::NotBuiltIn("TLS by configured certificates"), names: &["spark.ssl."] },
    Group {
        reason: Elsewhere::Otherwise(
            "keys of local files are random bytes, and their cipher is AES in Galois/counter mode",
        ),
        names: &["spark.io.encryption.keygen.algorithm", "spark.io.encryption.commons.config.", "spark.io.crypto."],
    },
    Group {
        reason: Elsewhere::NotBuiltIn("Spark's older wire encryption"),
        names: &["spark.network.crypto.", "spark.network.sasl."],
    },
    Group {
        reason: Elsewhere::NotBuiltIn("Kerberos"),
        names: &["spark.kerberos.", "spark.security.credentials.", "spark.security.directCredentialProviders.enabled"],
    },
    Group {
        reason: Elsewhere::NotBuiltIn("this part of logging"),
        names: &[
            "spark.driver.log.",
            "spark.log.structuredLogging.",
            "spark.log.callerContext",
            "spark.log.legacyRedirectEnabled",
            "spark.log.legacyTaskNameMdc.enabled",
            "spark.executor.syncLogLevel.enabled",
            "spark.executor.logs.redirectConsoleOutputs",
            "spark.scheduler.streaming.idAwareLogging.",
        ],
    },
    Group {
        reason: Elsewhere::NotBuiltIn("this part of the storage layer"),
        names: &[
            "spark.storage.replication.",
            "spark.storage.memoryMapThreshold",
            "spark.storage.localDiskByExecutors.cacheSize",
            "spark.cleaner.",
            "spark.checkpoint.",
            "spark.diskStore.subDirectories",
            "spark.locality.",
            "spark.io.compression.",
            "spark.rdd.parallelListingThreshold",
            "spark.memory.useLegacyMode",
            "spark.memory.unmanagedMemoryPollingInterval",
            "spark.memory.debugFill",
            "spark.block.failures.beforeLocationRefresh",
            "spark.rdd.cache.visibilityTracking.enabled",
            "spark.rdd.checkpoint.cachePreferredLocsExpireTime",
            "spark.storage.blockManagerMasterDriverHeartbeatTimeoutMs",
            "spark.storage.blockManagerTimeoutIntervalMs",
            "spark.storage.exceptionOnPinLeak",
            "spark.storage.memoryMapLimitForTests",
            "spark.storage.rddBlockChecksum.",
            "spark.storage.shuffleManager.initWaitingTimeout",
            "spark.storage.unrollMemoryCheckPeriod",
            "spark.storage.unrollMemoryGrowthFactor",
            "spark.taskMetrics.trackUpdatedBlockStatuses",
        ],
    },
    Group {
        reason: Elsewhere::NotBuiltIn("this part of the scheduler"),
        names: &[
            "spark.scheduler.revive.interval",
            "spark.scheduler.listenerbus.",
            "spark.scheduler.minRegisteredResources.",
            "spark.barrier.",
            "spark.stage.ignoreDecommissionFetchFailure",
            "spark.task.",
            "spark.resources.",
            "spark.executor.heartbeat.dropZeroAccumulatorUpdates",
            "spark.executor.killOnFatalError.depth",
            "spark.excludeOnFailure.application.enabled",
            "spark.excludeOnFailure.taskAndStage.enabled",
            "spark.scheduler.dropTaskInfoAccumulablesOnTaskCompletion.enabled",
            "spark.scheduler.executorTaskExcludeOnFailureTime",
            "spark.scheduler.numCancelledJobGroupsToTrack",
            "spark.scheduler.pipelinedGroup.slotCheck.enabled",
            "spark.scheduler.stage.legacyAbortAfterKillTasks",
            "spark.resultGetter.threads",
            "spark.test.noStageRetry",
            "spark.eventLog.",
            "spark.shuffle.",
            "spark.reducer.",
            "spark.network.",
            "spark.rpc.",
        ],
    },
    Group {
        reason: Elsewhere::Otherwise(
            "files of the application travel over the data plane; spark.files.fetchTimeout is how long it may be silent",
        ),
        names: &["spark.files.io."],
    },
    Group {
        reason: Elsewhere::NotBuiltIn("this part of reading files"),
        names: &["spark.files.", "spark.hadoopRDD.ignoreEmptySplits", "spark.io.warning.largeFileThreshold"],
    },
    Group { reason: Elsewhere::NotBuiltIn("machine learning"), names: &["spark.ml.", "spark.mllib.", "spark.graphx."] },
    Group {
        reason: Elsewhere::Harmless,
        names: &[
            "spark.app.startTime",
            "spark.app.initial.",
            "spark.submit.",
            "spark.home",
            "spark.dynamicAllocation.testing",
            "spark.testing",
            "spark.testing.",
            "spark.repl.local.jars",
            "spark.scheduler.pool",
            "spark.job.",
            "spark.jobGroup.id",
        ],
    },
];

/// `local-cluster` has executors but no manager that could act on any of these.
const _: () = {
    let mut index = 0;
    while index < GROUPS.len() {
        if let Elsewhere::Managers(managers) = GROUPS[index].reason {
            assert!(!managers.contains(LocalCluster));
        }
        index += 1;
    }
};
