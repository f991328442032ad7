//! What the kernel has ended for lack of memory, as it counts that for each control group (AS-02).
//!
//! A process that it kills cannot say so, and signal 9 may come from anybody. Executors are in the control group of the process
//! that started them.

use std::{fs, path::Path};

/// How many processes of this process's control group have been ended so far; none where the kernel does not say.
pub fn count() -> Option<u64> {
    count_in(Path::new("/sys/fs/cgroup"), &fs::read_to_string("/proc/self/cgroup").ok()?)
}

/// `membership` is what `/proc/PID/cgroup` holds. Only the unified hierarchy counts.
fn count_in(root: &Path, membership: &str) -> Option<u64> {
    let group = membership.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let events = fs::read_to_string(root.join(group).join("memory.events")).ok()?;
    events.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_the_own_group_is_read() {
        let root = tempfile::tempdir().unwrap();
        let group = root.path().join("user.slice/session");
        fs::create_dir_all(&group).unwrap();
        fs::write(group.join("memory.events"), "low 0\nhigh 4\nmax 7\noom 3\noom_kill 2\noom_group_kill 0\n").unwrap();
        assert_eq!(count_in(root.path(), "0::/user.slice/session\n"), Some(2));
        assert_eq!(count_in(root.path(), "12:memory:/old\n0::/user.slice/session\n"), Some(2));
        assert_eq!(count_in(root.path(), "0::/\n"), None, "the root has no count");
        assert_eq!(count_in(root.path(), "12:memory:/user.slice/session\n"), None);
    }
}
