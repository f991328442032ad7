//! Something between the driver and its executors that looks at what the driver sends.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use crate::application::Start;

/// Where executors find the driver.
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Where the driver listens. Nobody else listens there by name.
const INSIDE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// Passes on what comes to one port of the driver, and what the driver answers.
pub struct Relay {
    port: u16,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Bytes that the driver has sent.
    sent: AtomicU64,
    /// The text was among them.
    text: AtomicBool,
}

/// Puts a relay before each of the driver's two ports; gives that of its blocks, which looks for `text`.
pub fn between(start: Start, text: &'static str) -> (Start, Relay) {
    let (blocks, control) = (Relay::start(text), Relay::start(text));
    let start = start
        .with("spark.driver.host", &OUTSIDE.to_string())
        .with("spark.driver.bindAddress", &INSIDE.to_string())
        .with("spark.driver.port", &control.port.to_string())
        .with("spark.driver.blockManager.port", &blocks.port.to_string());
    (start, blocks)
}

impl Relay {
    fn start(text: &'static str) -> Self {
        let listener = TcpListener::bind((OUTSIDE, 0)).expect("all of 127.0.0.0/8 is this machine");
        let port = listener.local_addr().expect("it listens").port();
        let seen = Arc::<Seen>::default();
        let relay = Self { port, seen: Arc::clone(&seen) };
        // It goes with the test's process.
        thread::spawn(move || {
            for executor in listener.incoming().map_while(Result::ok) {
                let Ok(driver) = TcpStream::connect((INSIDE, port)) else { continue };
                let (from_driver, to_executor) = (clone(&driver), clone(&executor));
                let seen = Arc::clone(&seen);
                thread::spawn(move || pass(from_driver, to_executor, |bytes| seen.look(bytes, text)));
                thread::spawn(move || pass(executor, driver, |_| {}));
            }
        });
        relay
    }

    /// How many bytes the driver has sent so far.
    pub fn sent(&self) -> u64 {
        self.seen.sent.load(Ordering::SeqCst)
    }

    /// Has the text come by?
    pub fn has_seen_text(&self) -> bool {
        self.seen.text.load(Ordering::SeqCst)
    }
}

impl Seen {
    fn look(&self, bytes: &[u8], text: &str) {
        self.sent.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        // The text is there many times, so that one that is cut in two does not matter.
        if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
            self.text.store(true, Ordering::SeqCst);
        }
    }
}

fn clone(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("a descriptor is free")
}

/// Until one side ends; then both do.
fn pass(mut from: TcpStream, mut to: TcpStream, look: impl Fn(&[u8])) {
    let mut buffer = vec![0; 256 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                look(&buffer[..read]);
                if to.write_all(&buffer[..read]).is_err() {
                    break;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    // It may have ended by itself.
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
