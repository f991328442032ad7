//! Becoming the application.

use std::{
    fs::File,
    io::{self, Seek, Write},
    os::{fd::AsRawFd, unix::process::CommandExt},
    path::PathBuf,
    process::{Command, Stdio},
};

use firesteel_conf::{CONF_FD_VARIABLE, FETCHED_VARIABLE, MAIN_CLASS_VARIABLE, SparkConf};
use rustix::{
    fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create},
    io::{FdFlags, fcntl_setfd},
};

use crate::Application;

/// The application was not started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The configuration could not be put where the application inherits it.
    #[error("could not hand the configuration over")]
    HandOver(#[source] io::Error),
    /// The system refused to execute the file.
    #[error("could not execute {}", path.display())]
    Execute {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl LaunchError {
    /// The exit code of the command: that of an application whose code cannot be loaded is 101 (SS-102).
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::HandOver(_) => 1,
            Self::Execute { .. } => 101,
        }
    }
}

impl Application {
    /// Replaces this process by the application: same process id, so signals and the exit code are its own (SS-104,
    /// SS-107). Returns only if that fails.
    pub fn launch(self) -> LaunchError {
        self.launch_with(Stdio::inherit())
    }

    /// The same, and the application reads nothing on its standard input: its user sits elsewhere.
    pub fn launch_without_input(self) -> LaunchError {
        self.launch_with(Stdio::null())
    }

    fn launch_with(self, input: Stdio) -> LaunchError {
        let file = match memory_file(&self.conf.to_launcher_text()) {
            Ok(file) => file,
            Err(error) => return LaunchError::HandOver(error),
        };
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).env_clear().envs(&self.environment).stdin(input);
        command.env(CONF_FD_VARIABLE, file.as_raw_fd().to_string());
        match &self.main_class {
            Some(class) => command.env(MAIN_CLASS_VARIABLE, class),
            None => command.env_remove(MAIN_CLASS_VARIABLE),
        };
        match &self.fetched {
            Some(fetched) => command.env(FETCHED_VARIABLE, fetched.path()),
            None => command.env_remove(FETCHED_VARIABLE),
        };
        let source = command.exec();
        LaunchError::Execute { path: self.path, source }
    }
}

/// A file in memory that the application inherits and nobody can change.
fn memory_file(text: &str) -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create(SparkConf::LAUNCHER_FILE_NAME, flags)?);
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    fcntl_setfd(&file, FdFlags::empty())?;
    Ok(file)
}
