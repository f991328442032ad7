//! A ZooKeeper ensemble on loopback, of the server that comes with PySpark.

use std::{
    fs,
    io::{self, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{
    InstallError, ServerProcess, StartError, free_port, pyspark_with_jars,
    server_process::{ServerDirectory, with_free_ports},
};

/// Milliseconds. A session may be as short as two of them.
const TICK_TIME: u32 = 500;
const ANSWER_TIME_OUT: Duration = Duration::from_secs(2);

/// A running ensemble.
#[derive(Debug)]
pub struct ZooKeeper {
    servers: Vec<Server>,
    jars: PathBuf,
    // Dropped last.
    directory: ServerDirectory,
}

#[derive(Debug)]
struct Server {
    number: usize,
    port: u16,
    /// None while it is down.
    process: Option<ServerProcess>,
}

impl ZooKeeper {
    /// Starts so many servers, and waits until they serve.
    pub fn start(servers: usize) -> Result<Self, StartError> {
        let jars = jars()?;
        with_free_ports(|| {
            let directory = ServerDirectory::new("zookeeper")?;
            let mut ports = Vec::new();
            while ports.len() < 3 * servers {
                let port = free_port()?;
                if !ports.contains(&port) {
                    ports.push(port);
                }
            }
            let (clients, peers) = ports.split_at(servers);
            let members: String = (0..servers)
                .map(|index| format!("server.{}=127.0.0.1:{}:{}\n", index + 1, peers[2 * index], peers[2 * index + 1]))
                .collect();
            for (index, port) in clients.iter().enumerate() {
                let members = if servers == 1 { "" } else { &members };
                write_configuration(directory.path(), index + 1, *port, members)
                    .map_err(|source| StartError::Prepare { what: "ZooKeeper's configuration".to_owned(), source })?;
            }
            let servers = clients.iter().enumerate();
            let servers =
                servers.map(|(index, port)| Server { number: index + 1, port: *port, process: None }).collect();
            let mut ensemble = Self { servers, jars: jars.clone(), directory };
            for index in 0..ensemble.servers.len() {
                ensemble.spawn(index)?;
            }
            for index in 0..ensemble.servers.len() {
                ensemble.wait_for(index)?;
            }
            Ok(ensemble)
        })
    }

    /// `127.0.0.1:port,…`
    pub fn connect_string(&self) -> String {
        self.servers.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect::<Vec<_>>().join(",")
    }

    /// Kills a server, as a crash of its machine would.
    pub fn kill(&mut self, index: usize) {
        if let Some(mut process) = self.servers[index].process.take() {
            process.kill();
        }
    }

    /// Starts a server again that was killed, with what it has on disk.
    pub fn restart(&mut self, index: usize) -> Result<(), StartError> {
        self.spawn(index)?;
        self.wait_for(index)
    }

    /// The server that the others follow now.
    pub fn leader(&self) -> Option<usize> {
        self.servers.iter().position(|server| mode(server.port).is_some_and(|mode| mode == "leader"))
    }

    fn spawn(&mut self, index: usize) -> Result<(), StartError> {
        let number = self.servers[index].number;
        let directory = self.directory.path().join(number.to_string());
        let mut command = Command::new("java");
        command.args(["-Xmx64m", "-XX:+UseSerialGC", "-cp"]).arg(format!("{}/*", self.jars.display()));
        command.arg("org.apache.zookeeper.server.quorum.QuorumPeerMain").arg(directory.join("zoo.cfg"));
        let name = format!("zookeeper-{number}");
        self.servers[index].process = Some(ServerProcess::spawn(&name, &command, self.directory.path())?);
        Ok(())
    }

    fn wait_for(&mut self, index: usize) -> Result<(), StartError> {
        let Server { port, process, .. } = &mut self.servers[index];
        let port = *port;
        match process {
            Some(process) => process.wait_until(|| mode(port).is_some()),
            None => Ok(()),
        }
    }
}

/// What a server is, once it serves.
fn mode(port: u16) -> Option<String> {
    let answer = four_letters(port, "srvr").ok()?;
    answer.lines().find_map(|line| line.strip_prefix("Mode: ")).map(str::to_owned)
}

fn four_letters(port: u16, word: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(ANSWER_TIME_OUT))?;
    stream.write_all(word.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn write_configuration(directory: &Path, number: usize, port: u16, members: &str) -> io::Result<()> {
    let directory = directory.join(number.to_string());
    let data = directory.join("data");
    fs::create_dir_all(&data)?;
    fs::write(data.join("myid"), number.to_string())?;
    let text = format!(
        "tickTime={TICK_TIME}\ninitLimit=40\nsyncLimit=10\ndataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\n\
         admin.enableServer=false\n4lw.commands.whitelist=srvr\n{members}",
        data.display()
    );
    fs::write(directory.join("zoo.cfg"), text)
}

/// The jars of PySpark, ZooKeeper's among them.
fn jars() -> Result<PathBuf, InstallError> {
    let environment = pyspark_with_jars()?;
    let library = environment.join("lib");
    let failed = |source| InstallError::Cache { path: library.clone(), source };
    for python in fs::read_dir(&library).map_err(failed)? {
        let jars = python.map_err(failed)?.path().join("site-packages/pyspark/jars");
        if jars.is_dir() {
            return Ok(jars);
        }
    }
    Err(failed(io::Error::new(io::ErrorKind::NotFound, "no pyspark/jars is below it")))
}
