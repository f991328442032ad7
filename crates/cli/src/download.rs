//! Fetches an application that is somewhere else, before it is started (SS-81).

use std::{
    error::Error,
    fs::OpenOptions,
    io::{ErrorKind, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use firesteel_conf::{SparkConf, keys};
use firesteel_filesystem::{FileSystems, HadoopConf, HttpFile};
use firesteel_local_dirs::DiskReserve;

/// How much is copied at once.
const BUFFER: usize = 256 << 10;

/// Writes what is behind a URL into a new file, which its owner may execute.
pub fn download(url: &str, conf: &SparkConf, to: &Path) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut content: Box<dyn Read> = if HttpFile::is_address(url) {
        Box::new(HttpFile::open(url, conf.get(&keys::FILES_FETCH_TIMEOUT)?)?)
    } else {
        let systems = FileSystems::new(HadoopConf::from_spark(conf.get_all()).with_environment()?);
        let path = systems.path(url)?;
        Box::new(systems.get(&path)?.open(&path)?)
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o700).open(to)?;
    let mut reserve = DiskReserve::default();
    let mut buffer = vec![0; BUFFER];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => reserve.write_all(&mut file, &buffer[..length])?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}
