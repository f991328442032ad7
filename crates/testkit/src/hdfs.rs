//! HDFS: Hadoop's own NameNode and DataNode, from Maven Central.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    ServerProcess, StartError, free_port, http_request, maven_jars,
    server_process::{ServerDirectory, with_free_ports},
};

/// The name of the cached directory changes with this list.
const ARTIFACTS: [&str; 3] = [
    "org.apache.hadoop:hadoop-common:3.5.0",
    "org.apache.hadoop:hadoop-hdfs:3.5.0",
    "org.apache.hadoop:hadoop-hdfs-client:3.5.0",
];

/// What Hadoop's classes reach into on Java 17.
const JAVA_OPTIONS: [&str; 5] = [
    "-Xmx256m",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
];

const LOG4J: &str = "log4j.rootLogger=INFO,stderr\nlog4j.appender.stderr=org.apache.log4j.ConsoleAppender\n\
    log4j.appender.stderr.target=System.err\nlog4j.appender.stderr.layout=org.apache.log4j.PatternLayout\n\
    log4j.appender.stderr.layout.ConversionPattern=%d{ISO8601} %p %c{1}: %m%n\n";

/// A running HDFS of one NameNode and one DataNode. Permissions are not checked.
#[derive(Debug)]
pub struct Hdfs {
    port: u16,
    // Dropped in this order: the processes before their directory.
    _data_node: ServerProcess,
    _name_node: ServerProcess,
    directory: ServerDirectory,
}

impl Hdfs {
    /// Installs it if need be, formats a new file system and starts it.
    pub fn start() -> Result<Self, StartError> {
        let jars = maven_jars("hadoop-hdfs-and-client-3.5.0", &ARTIFACTS)?;
        with_free_ports(|| Self::start_once(&jars))
    }

    fn start_once(jars: &Path) -> Result<Self, StartError> {
        let directory = ServerDirectory::new("hdfs")?;
        let (port, http_port) = (free_port()?, free_port()?);
        write_configuration(directory.path(), port, http_port)
            .map_err(|source| StartError::Prepare { what: "HDFS's configuration".to_owned(), source })?;
        let spawn = |name, class: &str, arguments: &[&str]| {
            let mut command = Command::new("java");
            let configuration = configuration(directory.path());
            command.args(JAVA_OPTIONS).arg("-cp").arg(format!("{}:{}/*", configuration.display(), jars.display()));
            command.arg(format!("org.apache.hadoop.hdfs.server.{class}")).args(arguments);
            command.env_remove("HADOOP_CONF_DIR").env("HADOOP_USER_NAME", "firesteel");
            ServerProcess::spawn(name, &command, directory.path())
        };
        let mut format = spawn("format", "namenode.NameNode", &["-format", "-nonInteractive"])?;
        let status = format.wait_for_exit()?;
        if !status.success() {
            return Err(StartError::Ended { name: "NameNode -format".to_owned(), status, log: format.log() });
        }
        let mut name_node = spawn("namenode", "namenode.NameNode", &[])?;
        let mut data_node = spawn("datanode", "datanode.DataNode", &[])?;
        let state = "/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState";
        name_node.wait_until(|| http_request(http_port, "GET", state).is_ok_and(|reply| reply.status == 200))?;
        let is_live = |body: &str| body.split_whitespace().collect::<String>().contains("\"NumLiveDataNodes\":1,");
        // The NameNode answers on HTTP before it has its other port, and ends if that one has been taken.
        let mut name_node_ended = None;
        let waited = data_node.wait_until(|| {
            name_node_ended = name_node.check_running().err();
            name_node_ended.is_some() || http_request(http_port, "GET", state).is_ok_and(|reply| is_live(&reply.body))
        });
        name_node_ended.map_or(waited, Err)?;
        Ok(Self { port, _data_node: data_node, _name_node: name_node, directory })
    }

    /// Its address, such as `hdfs://127.0.0.1:40123`.
    pub fn uri(&self) -> String {
        format!("hdfs://127.0.0.1:{}", self.port)
    }

    /// A directory with its `core-site.xml` and `hdfs-site.xml`, as `HADOOP_CONF_DIR` would name it.
    pub fn configuration(&self) -> PathBuf {
        configuration(self.directory.path())
    }
}

fn configuration(directory: &Path) -> PathBuf {
    directory.join("conf")
}

fn write_configuration(directory: &Path, port: u16, http_port: u16) -> std::io::Result<()> {
    let conf = configuration(directory);
    fs::create_dir_all(&conf)?;
    // The jars come without the pages, and the servers do not start without their directories.
    for application in ["hdfs", "datanode", "static"] {
        let web_inf = conf.join("webapps").join(application).join("WEB-INF");
        fs::create_dir_all(&web_inf)?;
        fs::write(web_inf.join("web.xml"), "<web-app/>")?;
    }
    fs::write(conf.join("log4j.properties"), LOG4J)?;
    let core = [
        ("fs.defaultFS", format!("hdfs://127.0.0.1:{port}")),
        ("hadoop.tmp.dir", format!("{}/tmp", directory.display())),
    ];
    fs::write(conf.join("core-site.xml"), site_file(&core))?;
    let hdfs = [
        ("dfs.namenode.http-address", format!("127.0.0.1:{http_port}")),
        ("dfs.namenode.safemode.extension", "0".to_owned()),
        ("dfs.datanode.address", "127.0.0.1:0".to_owned()),
        ("dfs.datanode.ipc.address", "127.0.0.1:0".to_owned()),
        ("dfs.datanode.http.address", "127.0.0.1:0".to_owned()),
        ("dfs.replication", "1".to_owned()),
        ("dfs.permissions.enabled", "false".to_owned()),
        ("dfs.namenode.fs-limits.min-block-size", "1048576".to_owned()),
        // A full disk of the test machine must not look like a failure of ours.
        ("dfs.namenode.resource.du.reserved", "0".to_owned()),
        ("dfs.datanode.du.reserved", "0".to_owned()),
    ];
    fs::write(conf.join("hdfs-site.xml"), site_file(&hdfs))
}

fn site_file(properties: &[(&str, String)]) -> String {
    let properties: String = properties
        .iter()
        .map(|(name, value)| format!("<property><name>{name}</name><value>{value}</value></property>\n"))
        .collect();
    format!("<?xml version=\"1.0\"?>\n<configuration>\n{properties}</configuration>\n")
}
