//! Finds the custom resources of a process, such as GPUs, by the script that the user names (SC-07).
//!
//! The script prints one line of JSON, `{"name": "gpu", "addresses": ["0", "1"]}`. It belongs to the user, so it is not
//! trusted to end: it runs in a [`ProcessGroup`], which is killed when the script takes too long or this process ends.

use std::{
    collections::BTreeSet,
    io::{self, Read},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use firesteel_model::ResourceInformation;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use serde::Deserialize;

use crate::ProcessGroup;

/// A custom resource to find.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResourceToDiscover {
    /// The kind, such as `gpu`.
    pub name: String,
    /// How many addresses there must be at least.
    pub amount: u32,
    /// `discoveryScript`: what finds them.
    pub discovery_script: Option<PathBuf>,
    /// Where the script is configured, for people: `spark.executor.resource.gpu`.
    pub configured_at: String,
}

/// The resource could not be found.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverResourceError {
    /// Nothing says how.
    #[error(
        "resource {name} is asked for, but {configured_at}.discoveryScript does not say which script finds its addresses"
    )]
    NoScript {
        /// Which resource.
        name: String,
        /// Where it is configured.
        configured_at: String,
    },
    /// The script cannot be run.
    #[error(
        "the discovery script {} of resource {name} could not be run; it must exist on this machine and be executable",
        script.display()
    )]
    Run {
        /// Which resource.
        name: String,
        /// Its script.
        script: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The script did not end in time and was killed.
    #[error(
        "the discovery script {} of resource {name} did not end within {} s and was killed",
        script.display(),
        time_out.as_secs()
    )]
    TimedOut {
        /// Which resource.
        name: String,
        /// Its script.
        script: PathBuf,
        /// How long it had.
        time_out: Duration,
    },
    /// The script says that it failed.
    #[error("the discovery script {} of resource {name} ended with {status}: {said}", script.display())]
    Failed {
        /// Which resource.
        name: String,
        /// Its script.
        script: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The beginning of what it printed on standard error.
        said: String,
    },
    /// What the script printed is no answer.
    #[error(
        "the discovery script {} of resource {name} must print {{\"name\": \"{name}\", \"addresses\": [\"0\", …]}}, but printed {printed:?}",
        script.display()
    )]
    Output {
        /// Which resource.
        name: String,
        /// Its script.
        script: PathBuf,
        /// The beginning of what it printed.
        printed: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The script found something else.
    #[error("the discovery script {} was to find resource {name}, but found {found}", script.display())]
    OtherName {
        /// Which resource.
        name: String,
        /// Its script.
        script: PathBuf,
        /// What it found.
        found: String,
    },
    /// One address stands there twice: two tasks would believe to have it for themselves.
    #[error("the discovery script {} of resource {name} printed address {address} twice", script.display())]
    AddressTwice {
        /// Which resource.
        name: String,
        /// Its script.
        script: PathBuf,
        /// The address.
        address: String,
    },
    /// There are fewer addresses than were asked for.
    #[error(
        "resource {name} has {} here ({}), fewer than the {amount} of {configured_at}.amount",
        addresses_in_words(found.len()),
        found.join(", ")
    )]
    TooFew {
        /// Which resource.
        name: String,
        /// The addresses that there are.
        found: Vec<String>,
        /// How many were asked for.
        amount: u32,
        /// Where it is configured.
        configured_at: String,
    },
}

fn addresses_in_words(count: usize) -> String {
    if count == 1 { "1 address".to_owned() } else { format!("{count} addresses") }
}

/// What a script prints. Numbers are taken for the texts they look like, as Spark does.
#[derive(Deserialize)]
struct Printed {
    name: String,
    addresses: Vec<Address>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Address {
    Text(String),
    Number(serde_json::Number),
}

/// More output than any answer has.
const OUTPUT_BYTES_MAX: u64 = 1 << 20;
/// How much of what a script printed an error repeats.
const REPEATED_CHARS_MAX: usize = 200;
/// How often it is looked whether the script has ended. Scripts that ask a driver for its devices take longer than this.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Runs the script of a resource and gives every address that it found, which may be more than were asked for.
///
/// # Errors
///
/// See [`DiscoverResourceError`]; none of them goes away by trying again at once.
pub fn discover_resource(
    resource: &ResourceToDiscover,
    time_out: Duration,
) -> Result<ResourceInformation, DiscoverResourceError> {
    let ResourceToDiscover { name, amount, discovery_script, configured_at } = resource.clone();
    let Some(script) = discovery_script else {
        return Err(DiscoverResourceError::NoScript { name, configured_at });
    };
    let ran = run(&script, time_out);
    let ran =
        ran.map_err(|source| DiscoverResourceError::Run { name: name.clone(), script: script.clone(), source })?;
    let Some(Ran { status, output, errors }) = ran else {
        return Err(DiscoverResourceError::TimedOut { name, script, time_out });
    };
    if !status.success() {
        return Err(DiscoverResourceError::Failed { name, script, status, said: beginning(&errors) });
    }
    let printed: Printed = match serde_json::from_slice(&output) {
        Ok(printed) => printed,
        Err(source) => {
            return Err(DiscoverResourceError::Output { name, script, printed: beginning(&output), source });
        }
    };
    if printed.name != name {
        return Err(DiscoverResourceError::OtherName { name, script, found: printed.name });
    }
    let texts = printed.addresses.into_iter().map(|address| match address {
        Address::Text(text) => text,
        Address::Number(number) => number.to_string(),
    });
    let addresses: Vec<String> = texts.collect();
    let mut seen = BTreeSet::new();
    if let Some(twice) = addresses.iter().find(|address| !seen.insert(*address)) {
        return Err(DiscoverResourceError::AddressTwice { name, script, address: twice.clone() });
    }
    if addresses.len() < amount as usize {
        return Err(DiscoverResourceError::TooFew { name, found: addresses, amount, configured_at });
    }
    Ok(ResourceInformation { name, addresses })
}

struct Ran {
    status: ExitStatus,
    output: Vec<u8>,
    errors: Vec<u8>,
}

/// Runs a script to its end; none if it did not come in time.
fn run(script: &PathBuf, time_out: Duration) -> io::Result<Option<Ran>> {
    let mut command = Command::new(script);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut group = ProcessGroup::spawn(&mut command)?;
    let output = group.child().stdout.take().map(read_pipe);
    let errors = group.child().stderr.take().map(read_pipe);
    let in_time = wait(group.child(), time_out);
    // What the script has left running would keep the pipes open.
    let status = group.kill()?;
    let read = |reader: Option<JoinHandle<Vec<u8>>>| reader.and_then(|it| it.join().ok()).unwrap_or_default();
    let (output, errors) = (read(output), read(errors));
    Ok(in_time.then_some(Ran { status, output, errors }))
}

/// Has the process ended before the time is over? It is not reaped.
fn wait(child: &Child, time_out: Duration) -> bool {
    let start = Instant::now();
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    loop {
        match waitid(WaitId::Pid(Pid::from_child(child)), options) {
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Ok(Some(_)) | Err(_) => return true,
        }
        if start.elapsed() >= time_out {
            return false;
        }
        thread::sleep(LOOK_INTERVAL);
    }
}

fn read_pipe(pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before an error is judged as it is.
        let _ = pipe.take(OUTPUT_BYTES_MAX).read_to_end(&mut bytes);
        bytes
    })
}

fn beginning(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim();
    match text.char_indices().nth(REPEATED_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, path::Path};

    use super::*;

    /// Longer than any of these scripts takes on any machine.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// Writes a script by another process: while this one has it open, a process that another test starts may have it open
    /// too, and then it cannot be run.
    fn script(directory: &Path, body: &str) -> PathBuf {
        let path = directory.join("discover.sh");
        let mut writer = Command::new("sh")
            .args(["-c", "cat > \"$0\" && chmod +x \"$0\""])
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        writer.stdin.take().unwrap().write_all(format!("#!/bin/sh\n{body}\n").as_bytes()).unwrap();
        assert!(writer.wait().unwrap().success());
        path
    }

    fn gpus(amount: u32, discovery_script: Option<PathBuf>) -> ResourceToDiscover {
        let configured_at = "spark.executor.resource.gpu".to_owned();
        ResourceToDiscover { name: "gpu".to_owned(), amount, discovery_script, configured_at }
    }

    fn discover(amount: u32, body: &str) -> Result<Vec<String>, String> {
        let directory = tempfile::tempdir().unwrap();
        let found = discover_resource(&gpus(amount, Some(script(directory.path(), body))), PATIENCE);
        found.map(|found| found.addresses).map_err(|error| error.to_string())
    }

    #[test]
    fn what_the_script_prints_is_taken() {
        assert_eq!(discover(2, r#"echo '{"name": "gpu", "addresses": ["0", "1"]}'"#).unwrap(), ["0", "1"]);
        assert_eq!(discover(1, r#"echo '{"name": "gpu", "addresses": [0, 1, 2]}'"#).unwrap(), ["0", "1", "2"]);
        assert_eq!(discover(0, r#"echo '{"name": "gpu", "addresses": []}'"#).unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases = [
            (r#"echo '{"name": "gpu", "addresses": ["0"]}'"#, "has 1 address here (0), fewer than the 2 of spark."),
            (r#"echo '{"name": "gpu", "addresses": ["0", "0"]}'"#, "address 0 twice"),
            (r#"echo '{"name": "fpga", "addresses": ["0", "1"]}'"#, "was to find resource gpu, but found fpga"),
            ("echo no devices", "but printed \"no devices\""),
            (":", "but printed \"\""),
            ("echo the driver is not loaded >&2; exit 3", "ended with exit status: 3: the driver is not loaded"),
        ];
        for (body, expected) in cases {
            let error = discover(2, body).unwrap_err();
            assert!(error.contains(expected), "{body}: {error}");
        }
        let none = discover_resource(&gpus(1, None), PATIENCE).unwrap_err().to_string();
        assert!(none.contains("spark.executor.resource.gpu.discoveryScript"), "{none}");
        let missing = discover_resource(&gpus(1, Some("/nowhere/gpus.sh".into())), PATIENCE).unwrap_err();
        assert!(matches!(missing, DiscoverResourceError::Run { .. }), "{missing}");
    }

    #[test]
    fn a_script_that_hangs_is_killed_with_what_it_has_started() {
        let directory = tempfile::tempdir().unwrap();
        let path = script(directory.path(), "sleep 1000 & sleep 1000");
        let error = discover_resource(&gpus(1, Some(path)), Duration::from_millis(1)).unwrap_err();
        // That this returns at all shows that nothing has the pipes open any more.
        assert!(matches!(error, DiscoverResourceError::TimedOut { .. }), "{error}");
    }

    #[test]
    fn what_a_script_leaves_running_is_not_waited_for() {
        let body = r#"sleep 1000 & echo '{"name": "gpu", "addresses": ["0"]}'"#;
        assert_eq!(discover(1, body).unwrap(), ["0"]);
    }
}
