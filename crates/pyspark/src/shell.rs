//! `spark-submit pyspark-shell`: the program is the parent process, and lives longer than this one.
//!
//! It has named a file for the gateway's port and secret, and waits for it to appear. This process ends when the program
//! closes its end of standard input: with the program at the latest.

use std::{
    env,
    error::Error,
    ffi::OsString,
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use firesteel::SparkConf;

use crate::{gateway, program::ProgramRelease};

const PLACE: &str = "_PYSPARK_DRIVER_CONN_INFO_PATH";

/// The program cannot be served.
#[derive(Debug, thiserror::Error)]
enum ShellError {
    #[error(
        "pyspark-shell is what PySpark submits by itself when a Python program makes a SparkContext; run the program with python, or submit its .py file"
    )]
    NoPlace,
    #[error("could not write the gateway's address to {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Serves the parent until it ends.
pub(crate) fn run(_arguments: Vec<String>) -> Result<(), Box<dyn Error>> {
    let place = env::var_os(PLACE).filter(|place| !place.is_empty()).ok_or(ShellError::NoPlace)?;
    let address = gateway::serve(SparkConf::from_launcher()?, ProgramRelease::of_parent())?;
    let path = PathBuf::from(place);
    write_address(&path, address.port, &address.secret).map_err(|source| ShellError::Write { path, source })?;
    let mut bytes = [0; 1024];
    let mut input = io::stdin().lock();
    loop {
        match input.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
            Ok(_) | Err(_) => {}
        }
    }
}

/// The file appears with its contents or not at all, and only its owner can read it.
fn write_address(path: &Path, port: u16, secret: &str) -> io::Result<()> {
    let mut temporary = OsString::from(path);
    temporary.push(".part");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(&i32::from(port).to_be_bytes())?;
    file.write_all(&(secret.len() as i32).to_be_bytes())?;
    file.write_all(secret.as_bytes())?;
    fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_as_pyspark_reads_it() {
        let path = env::temp_dir().join(format!("firesteel-address-{}", std::process::id()));
        write_address(&path, 258, "abc").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"\0\0\x01\x02\0\0\0\x03abc");
        fs::remove_file(&path).unwrap();
    }
}
