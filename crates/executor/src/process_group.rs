//! A command of the user's that ends when this process does.

use std::{
    io,
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process_group};

/// A command in a process group of its own, together with a guard: a shell that leads the group, waits for the end of its standard
/// input, which comes when this process ends, however it ends, and then kills the group. The guard is there before the command is,
/// which is never without it.
///
/// Without it, a script that hangs would outlive an executor that is killed, and the whole application.
///
/// Dropping it kills the group.
pub struct ProcessGroup {
    child: Child,
    /// The group has its number. Not reaped before the end: as long as it is there, no other group can get that.
    guard: Child,
    is_guarded: bool,
}

impl ProcessGroup {
    /// Starts the command.
    ///
    /// # Errors
    ///
    /// What the system says if the command, or `sh`, cannot be run.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        let mut guard = Command::new("/bin/sh");
        guard.args(["-c", "read -r _; kill -KILL 0"]).process_group(0);
        guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut guard = guard.spawn()?;
        let group = i32::try_from(guard.id()).map_err(io::Error::other)?;
        match command.process_group(group).spawn() {
            Ok(child) => Ok(Self { child, guard, is_guarded: true }),
            Err(error) => {
                guard.kill()?;
                guard.wait()?;
                Err(error)
            }
        }
    }

    /// The command's process.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Kills what is left of the group, unless it was released: the command, if it has not ended, and what it has started.
    /// Gives the command's status.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn kill(&mut self) -> io::Result<ExitStatus> {
        if self.is_guarded {
            // Fails only if there is nobody left, and the guard at least is.
            let _ = kill_process_group(Pid::from_child(&self.guard), Signal::KILL);
            self.guard.wait()?;
            self.is_guarded = false;
        }
        self.child.wait()
    }

    /// Lets go of a command that has ended: what it has left running goes on.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn release(&mut self) -> io::Result<()> {
        // Killed first: at the end of its input it would kill the rest.
        self.guard.kill()?;
        self.guard.wait()?;
        self.is_guarded = false;
        Ok(())
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};

    use super::*;

    /// A command whose standard output is open for as long as anything of it runs.
    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::piped());
        command
    }

    #[test]
    fn all_of_a_group_ends_when_its_guard_sees_the_end_of_this_process() {
        let mut group = ProcessGroup::spawn(&mut shell("sleep 1000 & echo started; sleep 1000")).unwrap();
        let mut output = BufReader::new(group.child().stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, "started\n");
        // What the system does when a process ends.
        drop(group.guard.stdin.take());
        assert_eq!(output.read_to_string(&mut line).unwrap(), 0, "nobody has the pipe open any more");
    }

    #[test]
    fn dropping_kills_and_releasing_does_not() {
        for (release, expected) in [(false, ""), (true, "went on\n")] {
            let mut group = ProcessGroup::spawn(shell("exec 3<&0; cat <&3 & exit 3").stdin(Stdio::piped())).unwrap();
            // Taken, as to wait would close it.
            let (mut stdin, mut stdout) = (group.child().stdin.take().unwrap(), group.child().stdout.take().unwrap());
            assert_eq!(group.child().wait().unwrap().code(), Some(3));
            if release {
                group.release().unwrap();
            }
            drop(group);
            // Nobody reads it if the group was killed.
            let _ = stdin.write_all(b"went on\n");
            drop(stdin);
            let mut output = String::new();
            stdout.read_to_string(&mut output).unwrap();
            assert_eq!(output, expected);
        }
    }
}
