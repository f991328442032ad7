//! `moto_server`: S3 (and much else of AWS) on loopback, forgetting everything at its end.

use std::process::Command;

use crate::{
    ServerProcess, StartError, free_port, http_request, python_environment,
    server_process::{ServerDirectory, with_free_ports},
};

const REQUIREMENT: &str = "moto[server,s3]==5.2.5";

/// A running `moto_server`.
#[derive(Debug)]
pub struct Moto {
    port: u16,
    // Dropped in this order: the process before its directory.
    _process: ServerProcess,
    _directory: ServerDirectory,
}

impl Moto {
    /// Installs it if need be and starts it. It takes any credentials.
    pub fn start() -> Result<Self, StartError> {
        let environment = python_environment("moto-5.2.5", &[REQUIREMENT])?;
        with_free_ports(|| {
            let directory = ServerDirectory::new("moto")?;
            let port = free_port()?;
            let mut command = Command::new(environment.join("bin/moto_server"));
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
            let mut process = ServerProcess::spawn("moto", &command, directory.path())?;
            process.wait_until(|| {
                http_request(port, "GET", "/moto-api/data.json").is_ok_and(|reply| reply.status == 200)
            })?;
            Ok(Self { port, _process: process, _directory: directory })
        })
    }

    /// Its address, such as `http://127.0.0.1:40123`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}
