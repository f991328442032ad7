//! Hadoop's properties, set as `spark.hadoop.*`: those that the file systems act on, each once, and what their names once were.
//!
//! Hadoop says nothing about a property that nothing reads. Here the tables tell apart what is honoured, what is known and does
//! nothing, and what nobody knows.

/// What Spark's configuration puts in front of Hadoop's names.
pub const PREFIX: &str = "spark.hadoop.";

/// A property that is honoured, or a family of them if the name ends in a dot. The names here have [`PREFIX`].
pub(crate) struct Property {
    pub(crate) name: &'static str,
    pub(crate) meaning: &'static str,
}

/// The name that Hadoop has for a property today; names without [`PREFIX`].
pub fn current_name(name: &str) -> &str {
    RENAMED.iter().find(|(older, _)| without_prefix(older) == name).map_or(name, |(_, newer)| without_prefix(newer))
}

/// The newer name of a key, both with [`PREFIX`].
pub(crate) fn newer_name(key: &str) -> Option<&'static str> {
    RENAMED.iter().find(|(older, _)| *older == key).map(|(_, newer)| *newer)
}

/// The older names of a key, all with [`PREFIX`].
pub(crate) fn older_names(key: &str) -> impl Iterator<Item = &'static str> {
    RENAMED.iter().filter(move |(_, newer)| *newer == key).map(|(older, _)| *older)
}

/// Whether something reads the key, which has [`PREFIX`].
pub(crate) fn is_honoured(key: &str) -> bool {
    let own = |name: &str| properties().any(|property| covers(property.name, name));
    own(key) || of_one_bucket(key).is_some_and(|name| own(&name))
}

/// Every property that is honoured, in the order of the manual.
pub(crate) fn properties() -> impl Iterator<Item = &'static Property> {
    PROPERTIES.iter()
}

/// Why a key that nothing reads does nothing, if it is one of those that others read.
pub(crate) fn does_nothing(key: &str) -> Option<&'static str> {
    let name = of_one_bucket(key).unwrap_or_else(|| key.to_owned());
    let (_, reason) = OTHERS.iter().find(|(names, _)| names.iter().any(|other| covers(other, &name)))?;
    Some(reason)
}

/// `spark.hadoop.fs.s3a.endpoint` for `spark.hadoop.fs.s3a.bucket.NAME.endpoint`. A bucket's name may have dots: the property is the
/// longest that is one.
fn of_one_bucket(key: &str) -> Option<String> {
    let rest = key.strip_prefix("spark.hadoop.fs.s3a.bucket.")?;
    let mut names = rest.match_indices('.').map(|(dot, _)| format!("spark.hadoop.fs.s3a.{}", &rest[dot + 1..]));
    let last = names.clone().next_back();
    names.find(|name| properties().any(|property| property.name == name)).or(last)
}

fn covers(name: &str, key: &str) -> bool {
    if name.ends_with('.') { key.starts_with(name) && key.len() > name.len() } else { key == name }
}

fn without_prefix(key: &'static str) -> &'static str {
    key.strip_prefix(PREFIX).unwrap_or(key)
}

/// Declares properties; the names are written without the prefix.
macro_rules! properties {
    ($($name:literal: $meaning:literal;)*) => {
        static PROPERTIES: &[Property] =
            &[$(Property { name: concat!("spark.hadoop.", $name), meaning: $meaning }),*];
    };
}

properties! {
    "fs.defaultFS": "Where paths without a scheme are.";
    "fs.permissions.umask-mode": "What new files and directories do not get of the permissions 666 and 777: `027`, or `u=rwx,g=rx,o=`. Without it, the process's mask counts for local files, 022 for those on HDFS.";
    "fs.local.block.size": "What counts as the block size of local files.";
    "fs.s3a.access.key": "The access key; `fs.s3a.bucket.NAME.access.key` for one bucket, and so for every `fs.s3a.` property.";
    "fs.s3a.secret.key": "The secret key. Where no key is set, `AWS_ACCESS_KEY_ID` and its like, or the instance's credentials count.";
    "fs.s3a.session.token": "The token of temporary keys.";
    "fs.s3a.aws.credentials.provider": "A name with `AnonymousAWSCredentialsProvider` means that requests are not signed; others do nothing.";
    "fs.s3a.endpoint": "The server, with or without `https://`.";
    "fs.s3a.endpoint.region": "The region.";
    "fs.s3a.path.style.access": "`true` has buckets in the path, not in the host's name.";
    "fs.s3a.connection.ssl.enabled": "`false` means `http://` where the endpoint does not say.";
    "fs.s3a.block.size": "What counts as the block size of objects.";
    "fs.s3a.multipart.size": "The size of each part of an upload.";
    "fs.s3n.awsAccessKeyId": "Out of date; use `fs.s3a.access.key`.";
    "fs.s3n.awsSecretAccessKey": "Out of date; use `fs.s3a.secret.key`.";
    "fs.s3.awsAccessKeyId": "Out of date; use `fs.s3a.access.key`.";
    "fs.s3.awsSecretAccessKey": "Out of date; use `fs.s3a.secret.key`.";
    "dfs.ha.namenodes.": "The name nodes of a name service.";
    "dfs.namenode.rpc-address.": "The address of a name node.";
    "dfs.nameservices": "The name services; each is found by properties of its own.";
    "dfs.blocksize": "The size of new files' blocks.";
    "dfs.replication": "How many data nodes a pipeline should keep when one of them fails.";
    "dfs.client.failover.max.attempts": "How often a request is sent.";
    "dfs.client.failover.sleep.base.millis": "The first wait between attempts.";
    "dfs.client.failover.sleep.max.millis": "The longest wait between attempts.";
    "dfs.client.failover.proxy.provider.": "How name nodes of a name service are chosen.";
    "dfs.client.failover.random.order.": "Name nodes of a name service are tried in any order.";
    "dfs.client.failover.resolve-needed.": "The addresses of a name service are resolved first.";
    "dfs.client.failover.resolver.useFQDN.": "They are resolved to full names.";
    "dfs.client.socket-timeout": "How long a data node may be silent.";
    "dfs.client.use.datanode.hostname": "Data nodes are called by name, not by address.";
    "dfs.client.block.write.replace-datanode-on-failure.enable": "A data node that fails is replaced.";
    "dfs.client.block.write.replace-datanode-on-failure.policy": "When it is.";
    "dfs.client.block.write.replace-datanode-on-failure.best-effort": "Writing goes on if there is no other.";
    "dfs.data.transfer.protection": "How blocks are protected on their way.";
    "hadoop.security.authentication": "`simple` or `kerberos`.";
    "mapreduce.input.fileinputformat.split.minsize": "No part of a file that a task reads is smaller.";
    "mapreduce.input.fileinputformat.split.maxsize": "No part of a file that a task of `newAPIHadoopFile` reads is larger.";
    "mapreduce.input.fileinputformat.input.dir.recursive": "Directories in input directories are read, too.";
    "mapreduce.input.fileinputformat.input.dir.nonrecursive.ignore.subdirs": "Directories in input directories are left out.";
    "mapreduce.input.linerecordreader.line.maxlength": "Lines that with their end have so many bytes or more are left out.";
    "mapreduce.input.pathFilter.class": "Refused: a filter of paths is a JVM class.";
    "textinputformat.record.delimiter": "What is between two lines, in place of line ends.";
    "mapreduce.output.fileoutputformat.compress": "Text files are compressed.";
    "mapreduce.output.fileoutputformat.compress.codec": "How: a class of Hadoop's, or `gzip`, `bzip2`, `zstd`, `lz4`, `deflate`, `snappy`.";
    "mapreduce.output.fileoutputformat.compress.type": "What of a sequence file is compressed at once: `RECORD`, `BLOCK` or `NONE`.";
    "mapreduce.output.textoutputformat.separator": "What is between key and value in a line of `TextOutputFormat`.";
    "io.seqfile.compress.blocksize": "The size of blocks of a sequence file, before they are compressed.";
    "mapreduce.fileoutputcommitter.algorithm.version": "`1`: output is moved when the job ends; `2`: when a task does.";
    "mapreduce.fileoutputcommitter.marksuccessfuljobs": "Whether `_SUCCESS` is written.";
}

const MAP_REDUCE: &str = "nothing of MapReduce runs here but its files are read and written";

/// Families that others read, most special first.
static OTHERS: &[(&[&str], &str)] = &[
    (
        &[
            "spark.hadoop.mapreduce.outputcommitter.",
            "spark.hadoop.mapreduce.fileoutputcommitter.",
            "spark.hadoop.mapred.output.committer.class",
            "spark.hadoop.fs.s3a.committer.",
            "spark.hadoop.mapreduce.job.committer.",
        ],
        "output becomes visible in one way on each file system: by renaming, and on S3 by completing uploads",
    ),
    (
        &["spark.hadoop.fs.s3a.", "spark.hadoop.fs.s3n.", "spark.hadoop.fs.s3."],
        "Firesteel's S3 client has no such setting",
    ),
    (
        &["spark.hadoop.dfs.", "spark.hadoop.hadoop.", "spark.hadoop.ipc.", "spark.hadoop.io.", "spark.hadoop.net."],
        "Firesteel's HDFS client has no such setting",
    ),
    (
        &[
            "spark.hadoop.fs.gs.",
            "spark.hadoop.google.",
            "spark.hadoop.fs.azure.",
            "spark.hadoop.fs.adl.",
            "spark.hadoop.fs.oss.",
        ],
        "the file systems are file:, hdfs: and s3a:",
    ),
    (
        &[
            "spark.hadoop.fs.file.impl",
            "spark.hadoop.fs.hdfs.impl",
            "spark.hadoop.fs.AbstractFileSystem.",
            "spark.hadoop.fs.trash.",
            "spark.hadoop.fs.permissions.enabled",
            "spark.hadoop.file.",
            "spark.hadoop.ftp.",
        ],
        "Firesteel's file systems are its own",
    ),
    (&["spark.hadoop.mapreduce.", "spark.hadoop.mapred.", "spark.hadoop.yarn."], MAP_REDUCE),
    (&["spark.hadoop.hive.", "spark.hadoop.parquet.", "spark.hadoop.javax.jdo."], "SQL is not built in yet"),
];

/// Declares pairs of an older name and the one of today; written without the prefix.
macro_rules! renamed {
    ($($older:literal => $newer:literal;)*) => {
        static RENAMED: &[(&str, &str)] =
            &[$((concat!("spark.hadoop.", $older), concat!("spark.hadoop.", $newer))),*];
    };
}

// Of `Configuration.dumpDeprecatedKeys` in Hadoop 3.5: those about files.
renamed! {
    "dfs.block.size" => "dfs.blocksize";
    "dfs.federation.nameservices" => "dfs.nameservices";
    "dfs.socket.timeout" => "dfs.client.socket-timeout";
    "dfs.umaskmode" => "fs.permissions.umask-mode";
    "fs.default.name" => "fs.defaultFS";
    "mapred.input.dir" => "mapreduce.input.fileinputformat.inputdir";
    "mapred.input.dir.recursive" => "mapreduce.input.fileinputformat.input.dir.recursive";
    "mapred.input.pathFilter.class" => "mapreduce.input.pathFilter.class";
    "mapred.linerecordreader.maxlength" => "mapreduce.input.linerecordreader.line.maxlength";
    "mapred.max.split.size" => "mapreduce.input.fileinputformat.split.maxsize";
    "mapred.min.split.size" => "mapreduce.input.fileinputformat.split.minsize";
    "mapred.min.split.size.per.node" => "mapreduce.input.fileinputformat.split.minsize.per.node";
    "mapred.min.split.size.per.rack" => "mapreduce.input.fileinputformat.split.minsize.per.rack";
    "mapred.output.compress" => "mapreduce.output.fileoutputformat.compress";
    "mapred.output.compression.codec" => "mapreduce.output.fileoutputformat.compress.codec";
    "mapred.output.compression.type" => "mapreduce.output.fileoutputformat.compress.type";
    "mapred.output.dir" => "mapreduce.output.fileoutputformat.outputdir";
    "mapred.output.key.class" => "mapreduce.job.output.key.class";
    "mapred.output.value.class" => "mapreduce.job.output.value.class";
    "mapred.textoutputformat.separator" => "mapreduce.output.textoutputformat.separator";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_today_stay_and_older_ones_are_followed() {
        assert_eq!(current_name("mapred.min.split.size"), "mapreduce.input.fileinputformat.split.minsize");
        assert_eq!(current_name("fs.default.name"), "fs.defaultFS");
        for name in ["fs.defaultFS", "x", ""] {
            assert_eq!(current_name(name), name);
        }
        for (older, newer) in RENAMED {
            assert_eq!(newer_name(newer), None, "{older} is followed in one step");
            assert!(!is_honoured(older), "{older} is honoured by its newer name");
        }
    }

    #[test]
    fn each_bucket_has_the_same_properties() {
        assert!(is_honoured("spark.hadoop.fs.s3a.bucket.my.data.endpoint.region"));
        assert!(!is_honoured("spark.hadoop.fs.s3a.bucket.my.data.endpiont"));
        assert!(does_nothing("spark.hadoop.fs.s3a.bucket.b.connection.maximum").is_some());
        assert!(does_nothing("spark.hadoop.anything").is_none());
    }
}
