//! Which PySpark the user's program has. Pickled functions are for workers of the same release, and PySpark does not say which that
//! is. Its interpreter is asked, in a process of its own beside the program's start, which imports nothing of PySpark.

use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::{ffi::OsStringExt, process::parent_id},
    path::Path,
    process::{Command, Stdio},
    thread::{self, JoinHandle},
};

use parking_lot::Mutex;
use tracing::debug;

/// Prints the version of the PySpark that would be imported.
const PROBE: &str = "\
import importlib.util, os, re
place = importlib.util.find_spec('pyspark').submodule_search_locations[0]
with open(os.path.join(place, 'version.py'), encoding='utf-8') as file:
    print(re.search('__version__[^=]*= *[\"\\']([^\"\\']+)', file.read()).group(1), end='')
";

/// The answer, or that it is awaited.
pub(crate) struct ProgramRelease(Mutex<State>);

enum State {
    Asked(JoinHandle<Option<String>>),
    Known(Option<String>),
}

impl ProgramRelease {
    /// Asks the interpreter that a command would become.
    pub(crate) fn of_child(python: &str, command: &Command) -> Self {
        let mut probe = Command::new(python);
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => probe.env(name, value),
                None => probe.env_remove(name),
            };
        }
        Self::ask(probe)
    }

    /// Nobody is asked.
    #[cfg(test)]
    pub(crate) fn unknown() -> Self {
        Self(Mutex::new(State::Known(None)))
    }

    /// Asks the interpreter of the process that has started this one.
    pub(crate) fn of_parent() -> Self {
        let process = Path::new("/proc").join(parent_id().to_string());
        let strings = |name: &str| {
            let bytes = fs::read(process.join(name)).unwrap_or_default();
            bytes.split(|byte| *byte == 0).map(|part| OsString::from_vec(part.to_vec())).collect::<Vec<_>>()
        };
        let Some(interpreter) = strings("cmdline").into_iter().next().filter(|name| is_python(Path::new(name))) else {
            return Self(Mutex::new(State::Known(None)));
        };
        let mut probe = Command::new(interpreter);
        probe.env_clear();
        for variable in strings("environ") {
            if let Some((name, value)) = variable.to_string_lossy().split_once('=') {
                probe.env(name, value);
            }
        }
        if let Ok(directory) = fs::read_link(process.join("cwd")).or_else(|_| env::current_dir()) {
            probe.current_dir(directory);
        }
        Self::ask(probe)
    }

    fn ask(mut probe: Command) -> Self {
        probe.args(["-c", PROBE]).stdin(Stdio::null()).stderr(Stdio::null());
        let ask = move || {
            let output = probe.output().ok().filter(|output| output.status.success())?;
            String::from_utf8(output.stdout).ok().filter(|version| !version.is_empty())
        };
        let asked = thread::Builder::new().name("python-release".to_owned()).spawn(ask);
        Self(Mutex::new(asked.map_or(State::Known(None), State::Asked)))
    }

    /// The release. None if it could not be found out.
    pub(crate) fn get(&self) -> Option<String> {
        let mut state = self.0.lock();
        let release = match std::mem::replace(&mut *state, State::Known(None)) {
            State::Asked(asked) => asked.join().ok().flatten(),
            State::Known(release) => release,
        };
        debug!(?release, "the PySpark of the program");
        *state = State::Known(release.clone());
        release
    }
}

fn is_python(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase());
    name.is_some_and(|name| name.starts_with("python") || name.starts_with("pypy"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_that_would_be_imported_is_looked_at() {
        let place = env::temp_dir().join(format!("firesteel-program-{}", std::process::id()));
        fs::create_dir_all(place.join("pyspark")).unwrap();
        fs::write(place.join("pyspark/__init__.py"), "raise ImportError('not to be imported')\n").unwrap();
        fs::write(place.join("pyspark/version.py"), "# a comment\n__version__: str = '4.9.1'\n").unwrap();
        let mut command = Command::new("a-launcher");
        command.env("PYTHONPATH", &place);
        let release = ProgramRelease::of_child("python3", &command);
        assert_eq!([release.get(), release.get()], [Some("4.9.1".to_owned()), Some("4.9.1".to_owned())]);
        fs::remove_dir_all(&place).unwrap();
        assert_eq!(ProgramRelease::of_child("/no/such/python", &command).get(), None);
    }

    #[test]
    fn only_an_interpreter_is_asked() {
        for (path, expected) in [("/venv/bin/python3.11", true), ("python", true), ("/bin/sh", false), ("", false)] {
            assert_eq!(is_python(Path::new(path)), expected, "{path}");
        }
    }
}
