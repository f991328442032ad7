//! Calls that the program waits for no longer.
//!
//! While a call runs, its connection is silent: the program waits for the reply. A program that is interrupted (Ctrl-C) closes the
//! connection, or sends its next command already. Java would not notice before the call has ended.

use std::{
    cell::RefCell,
    io,
    net::TcpStream,
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};
use tracing::warn;

thread_local! {
    static CONNECTION: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

/// What this thread serves.
#[derive(Clone)]
pub(crate) struct Connection {
    stream: Arc<TcpStream>,
    is_abandoned: Arc<AtomicBool>,
}

impl Connection {
    /// Makes a connection that of this thread, which serves no other.
    pub(crate) fn of_this_thread(stream: &TcpStream) -> io::Result<Self> {
        let connection = Self { stream: Arc::new(stream.try_clone()?), is_abandoned: Arc::default() };
        CONNECTION.set(Some(connection.clone()));
        Ok(connection)
    }

    /// Did the program give up a call on it? What it has sent meanwhile is no command to be followed then: it did not wait for a reply.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.is_abandoned.load(Ordering::Relaxed)
    }

    /// Waits until the program gives up, and says true; or until the other end of `open` is closed, and says false.
    fn wait(&self, open: &UnixStream) -> io::Result<bool> {
        loop {
            let mut descriptors = [PollFd::new(open, PollFlags::IN), PollFd::new(&*self.stream, PollFlags::IN)];
            match poll(&mut descriptors, None) {
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                // A call that has just ended was not given up.
                Ok(_) => return Ok(descriptors[0].revents().is_empty()),
            }
        }
    }
}

/// Runs `work` on this thread, for a call on its connection. If the program gives up the call meanwhile, `abandoned` is called, once,
/// on another thread; it should see to it that `work` ends soon. The connection is closed after that.
///
/// On a thread that serves no connection, only `work` is run.
pub fn unless_abandoned<R>(abandoned: impl FnOnce() + Send, work: impl FnOnce() -> R) -> R {
    let Some(connection) = CONNECTION.with_borrow(Clone::clone) else { return work() };
    let (ended, open) = match UnixStream::pair() {
        Ok(pair) => pair,
        Err(error) => {
            warn!(%error, "a job cannot be cancelled by Ctrl-C");
            return work();
        }
    };
    thread::scope(|scope| {
        let watch = || match connection.wait(&open) {
            Ok(true) => {
                connection.is_abandoned.store(true, Ordering::Relaxed);
                abandoned();
            }
            Ok(false) => {}
            Err(error) => warn!(%error, "a job cannot be cancelled by Ctrl-C any more"),
        };
        if let Err(error) = thread::Builder::new().name("py4j-abandoned".to_owned()).spawn_scoped(scope, watch) {
            warn!(%error, "a job cannot be cancelled by Ctrl-C");
        }
        // Closed also if `work` panics, so that the other thread ends.
        let _ended = ended;
        work()
    })
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        net::{Ipv4Addr, TcpListener},
        sync::mpsc::channel,
    };

    use super::*;

    fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    #[test]
    fn a_call_is_given_up_by_sending_more_or_closing() {
        for close in [false, true] {
            let (client, server) = connected();
            let mut client = Some(client);
            thread::spawn(move || {
                let connection = Connection::of_this_thread(&server).unwrap();
                let (send, abandoned) = channel();
                unless_abandoned(
                    move || send.send(()).unwrap(),
                    || {
                        client.as_mut().unwrap().write_all(if close { b"" } else { b"c\n" }).unwrap();
                        if close {
                            client = None;
                        }
                        abandoned.recv().unwrap();
                    },
                );
                assert!(connection.is_abandoned());
            })
            .join()
            .unwrap();
        }
    }

    #[test]
    fn a_call_that_is_waited_for_is_not_given_up() {
        let (_client, server) = connected();
        thread::spawn(move || {
            let connection = Connection::of_this_thread(&server).unwrap();
            assert_eq!(unless_abandoned(|| panic!("nobody gave up"), || 7), 7);
            assert!(!connection.is_abandoned());
        })
        .join()
        .unwrap();
    }
}
