//! Ports that daemons listen at, and who has them if they are taken.

use std::{
    fs, io,
    net::{Ipv4Addr, TcpListener},
};

use crate::finding::Finding;

/// A port, and what listens there.
pub(crate) struct Wanted {
    pub(crate) port: u16,
    pub(crate) what: &'static str,
    /// The next free one is taken instead.
    pub(crate) goes_on: bool,
}

pub(crate) fn look(wanted: &Wanted) -> Finding {
    let Wanted { port, what, goes_on } = *wanted;
    const SUBJECT: &str = "port";
    match TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)) {
        Ok(_) => Finding::fine(SUBJECT, format!("{port} ({what}) is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let owner = owner_of(port).map_or_else(
                || "of another account, or one that is going away".to_owned(),
                |(pid, name)| format!("{pid} ({name})"),
            );
            let found = format!("{port} ({what}) is taken by process {owner}");
            if is_ours(port) {
                return Finding::fine(SUBJECT, format!("{found}: one of this installation's daemons"));
            }
            let advice =
                if goes_on { "the next free one will be taken" } else { "end that process, or choose another port" };
            Finding::warning(SUBJECT, found, advice)
        }
        Err(error) => Finding::problem(
            SUBJECT,
            format!("{port} ({what}) cannot be listened at: {error}"),
            "choose another port, above 1023 for accounts without privileges",
        ),
    }
}

/// The process that listens at a port, as far as this account may see it.
fn owner_of(port: u16) -> Option<(u32, String)> {
    let inode = listening_inode(port)?;
    let wanted = format!("socket:[{inode}]");
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else { continue };
        let has = descriptors.flatten().any(|descriptor| {
            fs::read_link(descriptor.path()).is_ok_and(|target| target.as_os_str() == wanted.as_str())
        });
        if has {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some((pid, name.trim().to_owned()));
        }
    }
    None
}

/// `spark-daemon.sh` marks what it starts.
fn is_ours(port: u16) -> bool {
    let environment = owner_of(port).and_then(|(pid, _)| fs::read(format!("/proc/{pid}/environ")).ok());
    let marked = |variable: &[u8]| variable.starts_with(b"SPARK_DAEMON=org.apache.spark.deploy.");
    environment.is_some_and(|environment| environment.split(|byte| *byte == 0).any(marked))
}

fn listening_inode(port: u16) -> Option<String> {
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|file| {
        let text = fs::read_to_string(file).ok()?;
        text.lines().skip(1).find_map(|line| inode_of(line, port))
    })
}

/// Of a line of `/proc/net/tcp`, if it is of a socket that listens there.
fn inode_of(line: &str, port: u16) -> Option<String> {
    const LISTENS: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
    let local_port = u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()?;
    (*state == LISTENS && local_port == port).then(|| (*inode).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Verdict;

    #[test]
    fn a_taken_port_is_told_with_who_has_it() {
        let listener = TcpListener::bind(("0.0.0.0", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let wanted = |goes_on| Wanted { port, what: "the master", goes_on };
        let finding = look(&wanted(false));
        assert_eq!(finding.verdict, Verdict::Warning, "{finding}");
        assert!(finding.found.contains(&format!("is taken by process {}", std::process::id())), "{finding}");
        assert!(look(&wanted(true)).advice.contains("next free one"));
        drop(listener);
        assert_eq!(owner_of(port), None);
    }

    #[test]
    fn lines_of_other_sockets_are_skipped() {
        let line = |state: &str| {
            format!(
                "   0: 0100007F:1BA5 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0"
            )
        };
        assert_eq!(inode_of(&line("0A"), 7077), Some("4242".to_owned()));
        assert_eq!(inode_of(&line("01"), 7077), None);
        assert_eq!(inode_of(&line("0A"), 7078), None);
        assert_eq!(inode_of("nonsense", 7077), None);
    }
}
