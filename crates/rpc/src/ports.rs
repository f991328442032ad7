//! Which port to listen on, and what if it is taken.

use std::{fmt, io};

/// A configured port and how many above it are tried, one after another, if it is taken: `spark.port.maxRetries` (RT-51).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ports {
    /// The first to try; 0 lets the system choose a free one.
    pub port: u16,
    /// How many further ones.
    pub max_retries: u16,
}

/// A single port.
impl From<u16> for Ports {
    fn from(port: u16) -> Self {
        Self { port, max_retries: 0 }
    }
}

impl Ports {
    /// Calls `listen` with each port in turn until one is not taken.
    ///
    /// # Errors
    ///
    /// The first error that is not about a taken port, or the last one.
    pub fn listen<T>(self, mut listen: impl FnMut(u16) -> io::Result<T>) -> io::Result<T> {
        let mut retries = 0;
        loop {
            match listen(self.retry(retries)) {
                Err(error)
                    if error.kind() == io::ErrorKind::AddrInUse && self.port != 0 && retries < self.max_retries =>
                {
                    retries += 1;
                }
                result => return result,
            }
        }
    }

    /// Behind the last port comes the first that is not privileged, as in Spark.
    fn retry(self, retries: u16) -> u16 {
        const UNPRIVILEGED: u32 = 1024;
        let port = u32::from(self.port) + u32::from(retries);
        let wrapped = if port > u32::from(u16::MAX) { port - (u32::from(u16::MAX) + 1) + UNPRIVILEGED } else { port };
        u16::try_from(wrapped).unwrap_or(u16::MAX)
    }
}

impl fmt::Display for Ports {
    /// `port 7001`, `port 7001 or one of the 16 above it`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { port: 0, .. } => f.write_str("a free port"),
            Self { port, max_retries: 0 } => write!(f, "port {port}"),
            Self { port, max_retries } => write!(f, "port {port} or one of the {max_retries} above it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(ports: Ports, taken: usize) -> (Vec<u16>, Result<u16, io::ErrorKind>) {
        let mut tried = Vec::new();
        let listened = ports.listen(|port| {
            tried.push(port);
            if tried.len() > taken { Ok(port) } else { Err(io::ErrorKind::AddrInUse.into()) }
        });
        (tried, listened.map_err(|error| error.kind()))
    }

    #[test]
    fn the_ports_above_a_taken_one_are_tried() {
        let ports = |port, max_retries| Ports { port, max_retries };
        assert_eq!(tried(ports(7000, 16), 0), (vec![7000], Ok(7000)));
        assert_eq!(tried(ports(7000, 16), 2), (vec![7000, 7001, 7002], Ok(7002)));
        assert_eq!(tried(ports(7000, 2), 9), (vec![7000, 7001, 7002], Err(io::ErrorKind::AddrInUse)));
        assert_eq!(tried(ports(65_534, 3), 3), (vec![65_534, 65_535, 1024, 1025], Ok(1025)));
        // The system has no free one: there is no other to try.
        assert_eq!(tried(ports(0, 16), 9), (vec![0], Err(io::ErrorKind::AddrInUse)));
    }

    #[test]
    fn other_errors_are_final() {
        let error = Ports { port: 80, max_retries: 16 }
            .listen(|_| Err::<(), _>(io::ErrorKind::PermissionDenied.into()))
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }
}
