//! `host:port[,host:port…][/path]`, with the path once at the end or after every host (DX-4).

use std::{fmt, str::FromStr};

/// The servers of an ensemble, and the directory that everything is below.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectString {
    servers: Vec<String>,
    chroot: String,
}

/// `spark.deploy.zookeeper.url` is no list of servers.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{text:?} is no list of ZooKeeper servers such as host:2181,host:2181/path: {reason}")]
pub struct ParseConnectStringError {
    text: String,
    reason: String,
}

const PORT: u16 = 2181;

impl ConnectString {
    /// The directory, such as `/a/b`; empty for none.
    pub fn chroot(&self) -> &str {
        &self.chroot
    }

    /// `host:port,host:port`
    pub fn servers(&self) -> String {
        self.servers.join(",")
    }
}

impl fmt::Display for ConnectString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.servers(), self.chroot)
    }
}

impl FromStr for ConnectString {
    type Err = ParseConnectStringError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = |reason: String| ParseConnectStringError { text: text.to_owned(), reason };
        let (mut servers, mut chroots) = (Vec::new(), Vec::new());
        for part in text.trim().trim_start_matches("zk://").split(',') {
            let part = part.trim();
            let (server, path) = part.split_at(part.find('/').unwrap_or(part.len()));
            servers.push(server_of(server).map_err(&refused)?);
            let path = path.trim_end_matches('/');
            if path.contains("//") || path.split('/').any(|name| name == "." || name == "..") {
                return Err(refused(format!("{path:?} is no path")));
            }
            chroots.push(path.to_owned());
        }
        let chroot = chroots.last().cloned().unwrap_or_default();
        // Once at the end, or the same everywhere.
        let (before, _) = chroots.split_at(chroots.len() - 1);
        let same = before.iter().all(|path| *path == chroot) || before.iter().all(String::is_empty);
        if !same {
            return Err(refused("the path is to be the same after every host, or once at the end".to_owned()));
        }
        Ok(Self { servers, chroot })
    }
}

fn server_of(text: &str) -> Result<String, String> {
    let (host, port) = match text.rsplit_once(':') {
        // An IPv6 address in brackets, without a port.
        Some((_, port)) if port.ends_with(']') => (text, None),
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    if host.is_empty() || host.contains(char::is_whitespace) {
        return Err(format!("{text:?} names no host"));
    }
    let port = match port {
        Some(port) => port.parse().ok().filter(|port: &u16| *port > 0).ok_or_else(|| format!("{port:?} is no port"))?,
        None => PORT,
    };
    Ok(format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String, String> {
        text.parse::<ConnectString>().map(|parsed| parsed.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_path_comes_once_at_the_end_or_after_every_host() {
        for text in ["a:1,b:2,c/x/y", "a:1/x/y,b:2/x/y,c/x/y/", " a:1, b:2 ,c:2181/x/y", "zk://a:1,b:2,c/x/y"] {
            assert_eq!(parsed(text).as_deref(), Ok("a:1,b:2,c:2181/x/y"), "{text}");
        }
        assert_eq!(parsed("a").as_deref(), Ok("a:2181"));
        assert_eq!(parsed("a:1/").as_deref(), Ok("a:1"));
        assert_eq!(parsed("[::1]:5,[fe80::2]").as_deref(), Ok("[::1]:5,[fe80::2]:2181"));
    }

    #[test]
    fn what_is_no_list_of_servers_is_refused_with_why() {
        for (text, why) in [
            ("", "names no host"),
            ("a:1,,b", "names no host"),
            ("a:0", "is no port"),
            ("a:x", "is no port"),
            ("a b:1", "names no host"),
            ("a:1/x,b:1", "once at the end"),
            ("a:1/x,b:1/y", "once at the end"),
            ("a:1//x", "is no path"),
            ("a:1/../x", "is no path"),
        ] {
            assert!(parsed(text).unwrap_err().contains(why), "{text}");
        }
    }
}
