//! The shell with IPython, and notebooks: `bin/pyspark` with the programs of Jupyter's in place of Python.

use std::{path::PathBuf, process::Command, sync::LazyLock};

use crate::{
    assert_ok,
    installation::{Installation, place_of},
};

/// IPython and what runs notebooks.
static IPYTHON: LazyLock<PathBuf> = LazyLock::new(|| firesteel_testkit::ipython().unwrap());

/// A command that has PySpark beside IPython's packages, as if both were installed in one environment.
fn with_pyspark(installation: &Installation, program: PathBuf) -> Command {
    let mut command = installation.clean(program);
    let packages = installation.pyspark().parent().unwrap().to_owned();
    command.env("PYTHONPATH", packages);
    // Settings, history and connections of the user's are nobody's business here.
    for (name, directory) in
        [("IPYTHONDIR", "ipython"), ("JUPYTER_CONFIG_DIR", "jupyter"), ("JUPYTER_RUNTIME_DIR", "runtime")]
    {
        command.env(name, installation.path("scratch").join(directory));
    }
    command
}

#[test]
fn ipython_is_a_shell_that_runs_shows_completes_and_is_interrupted() {
    let installation = Installation::new();
    let mut command = with_pyspark(&installation, IPYTHON.join("bin/python"));
    command.env("PYSPARK_DRIVER_PYTHON", IPYTHON.join("bin/ipython"));
    // Without it a terminal is asked where its cursor is, which somebody would have to answer.
    command.env("PYSPARK_DRIVER_PYTHON_OPTS", "--simple-prompt --colors=nocolor");
    command.arg(place_of("ipython.py")).arg(installation.path("bin/pyspark")).arg(installation.path("scratch"));
    assert_ok(&command.args(["--master", "local[2]"]).output().unwrap().into());
}

#[test]
fn a_notebook_runs_jobs_shows_what_tasks_throw_and_is_interrupted() {
    let installation = Installation::new();
    let mut command = with_pyspark(&installation, installation.path("bin/pyspark"));
    command.env("PYSPARK_DRIVER_PYTHON", IPYTHON.join("bin/python"));
    let arguments = [place_of("notebook.py"), installation.path("scratch")];
    let arguments = arguments.map(|argument| format!("'{}'", argument.display()));
    command.env("PYSPARK_DRIVER_PYTHON_OPTS", arguments.join(" "));
    assert_ok(&command.args(["--master", "local[2]"]).output().unwrap().into());
}
