//! Fetches an application that is somewhere else, before it is started (SS-81).

use std::{
    error::Error,
    fs::File,
    io::{ErrorKind, Read},
};

use firesteel_conf::{SparkConf, keys};
use firesteel_filesystem::{FileSystems, HadoopConf, HttpFile};
use firesteel_local_dirs::DiskReserve;

/// How much is copied at once.
const BUFFER: usize = 256 << 10;

/// Writes what is behind a URL into a file.
pub fn download(url: &str, conf: &SparkConf, file: &mut File) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut content: Box<dyn Read> = if HttpFile::is_address(url) {
        Box::new(HttpFile::open(url, conf.get(&keys::FILES_FETCH_TIMEOUT)?)?)
    } else {
        let systems = FileSystems::new(HadoopConf::from_spark(conf.get_all()).with_environment()?);
        let path = systems.path(url)?;
        Box::new(systems.get(&path)?.open(&path)?)
    };
    let mut reserve = DiskReserve::default();
    let mut buffer = vec![0; BUFFER];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => reserve.write_all(file, &buffer[..length])?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}
