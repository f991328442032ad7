//! Keys that older releases of Spark had and later ones dropped (SS-74). Keys that were only renamed are declared beside
//! their new name, with [`crate::Key`]'s older names.

/// What to do instead of setting a dropped key.
pub(crate) fn advice(key: &str) -> Option<&'static str> {
    DROPPED.iter().find(|(dropped, _)| *dropped == key).map(|(_, advice)| *advice)
}

/// Keys of cluster managers that were renamed: they are recognised, so that the warning can name the new key.
pub(crate) fn renamed(key: &str) -> Option<&'static str> {
    RENAMED.iter().find(|(older, _)| *older == key).map(|(_, newer)| *newer)
}

static DROPPED: &[(&str, &str)] = &[
    ("spark.cache.class", "choose a storage level with persist()"),
    ("spark.kryoserializer.buffer.mb", "there is no Kryo serializer"),
    ("spark.shuffle.memoryFraction", "spark.memory.fraction governs execution and storage together"),
    ("spark.storage.memoryFraction", "spark.memory.fraction and spark.memory.storageFraction govern it"),
    ("spark.storage.unrollFraction", "spark.memory.fraction and spark.memory.storageFraction govern it"),
    ("spark.shuffle.consolidateFiles", "sort shuffle always writes one file for each map task"),
    ("spark.shuffle.spill", "spilling cannot be switched off"),
    ("spark.shuffle.safetyFraction", "spark.memory.fraction governs it"),
    ("spark.storage.safetyFraction", "spark.memory.fraction governs it"),
    ("spark.speculation.efficiency", "use spark.speculation.efficiency.enabled"),
    ("spark.cleaner.ttl", "what the program drops is removed without a time limit"),
    ("spark.broadcast.factory", "there is one way to broadcast"),
    ("spark.broadcast.port", "broadcast values travel over spark.blockManager.port"),
    ("spark.fileserver.port", "files travel over spark.driver.blockManager.port"),
    ("spark.replClassServer.port", "there is no class server"),
    ("spark.fileserver.uri", "files travel over spark.driver.blockManager.port"),
    ("spark.executor.plugins", "plug-ins are JVM classes, which cannot run here"),
    ("spark.rpc", "there is one RPC implementation"),
    ("spark.rpc.numRetries", "requests are tried again by the part that sends them"),
    ("spark.rpc.retry.wait", "requests are tried again by the part that sends them"),
    ("spark.yarn.am.port", "it has had no effect since Spark 2.0"),
    ("spark.akka.heartbeat.pauses", "spark.network.timeout governs it"),
    ("spark.akka.heartbeat.interval", "spark.executor.heartbeatInterval governs it"),
    ("spark.akka.timeout", "spark.network.timeout governs it"),
    ("spark.akka.threads", "there is no Akka"),
];

static RENAMED: &[(&str, &str)] = &[
    ("spark.yarn.executor.memoryOverhead", "spark.executor.memoryOverhead"),
    ("spark.yarn.driver.memoryOverhead", "spark.driver.memoryOverhead"),
    ("spark.mesos.executor.memoryOverhead", "spark.executor.memoryOverhead"),
    ("spark.yarn.max.executor.failures", "spark.executor.maxNumFailures"),
    ("spark.yarn.executor.failuresValidityInterval", "spark.executor.failuresValidityInterval"),
    ("spark.yarn.jar", "spark.yarn.jars"),
    ("spark.yarn.access.namenodes", "spark.kerberos.access.hadoopFileSystems"),
    ("spark.yarn.access.hadoopFileSystems", "spark.kerberos.access.hadoopFileSystems"),
    ("spark.yarn.principal", "spark.kerberos.principal"),
    ("spark.yarn.keytab", "spark.kerberos.keytab"),
    ("spark.yarn.kerberos.relogin.period", "spark.kerberos.relogin.period"),
    ("spark.yarn.applicationMaster.waitTries", "spark.yarn.am.waitTime"),
    ("spark.yarn.user.classpath.first", "spark.executor.userClassPathFirst"),
    ("spark.files.userClassPathFirst", "spark.executor.userClassPathFirst"),
    ("spark.history.fs.update.interval.seconds", "spark.history.fs.update.interval"),
    ("spark.history.updateInterval", "spark.history.fs.update.interval"),
];
