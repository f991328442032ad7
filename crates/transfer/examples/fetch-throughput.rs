//! How fast segments travel between two processes over loopback, in blocks of 512 KiB:
//! `cargo run --release -p firesteel-transfer --example fetch-throughput [connections] [encrypt]`.
//!
//! The server is a process of its own and sends a file in the page cache. Its resident memory is printed too.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    num::NonZeroUsize,
    process::{Command, Stdio},
    sync::{Arc, mpsc},
    time::Instant,
};

use firesteel_local_dirs::LocalDirs;
use firesteel_model::{BlockId, ExecutorId, MapId, ReduceId, ShuffleId};
use firesteel_rpc::Secret;
use firesteel_transfer::{
    BlockSource, BlockUpload, ClientOptions, CorruptSegment, CorruptionCause, LocalDirsSpool, Payload, PeerAddress,
    Requester, Segment, SegmentId, ServerOptions, TransferClient, TransferRuntime, TransferServer, Unavailable,
    UploadSink,
};

const BLOCK: u64 = 512 << 10;
const BLOCKS_IN_FILE: u32 = 256;
/// As many blocks in one request as Spark's fifth of 48 MiB.
const BLOCKS_PER_REQUEST: u32 = 19;
const TOTAL: u64 = 8 << 30;

struct OneFile(Arc<File>);

impl BlockSource for OneFile {
    fn segment(&self, _: &Requester, _: &ExecutorId, id: SegmentId) -> Result<Segment, Unavailable> {
        let offset = u64::from(id.reduce_start.0 % BLOCKS_IN_FILE) * BLOCK;
        Ok(Segment { payload: Payload::File { file: self.0.clone(), offset, length: BLOCK }, checksum: Some(0) })
    }

    fn block(&self, _: &Requester, block_id: &BlockId) -> Result<Payload, Unavailable> {
        Err(Unavailable::NotFound(block_id.to_string()))
    }

    fn upload(&self, _: &Requester, _: &BlockUpload) -> Result<Box<dyn UploadSink>, Unavailable> {
        Err(Unavailable::Refused("this only sends".to_owned()))
    }

    fn diagnose_corruption(&self, _: &Requester, _: &CorruptSegment) -> CorruptionCause {
        CorruptionCause::Unknown
    }
}

fn resident_mib() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or("unknown");
    line.trim_start_matches("VmRSS:").trim().to_owned()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let secret = std::env::var("_SPARK_AUTH_SECRET").ok();
    match secret {
        Some(secret) => serve(Secret::parse(&secret)?),
        None => fetch(),
    }
}

fn serve(secret: Secret) -> Result<(), Box<dyn std::error::Error>> {
    let mut file = tempfile::tempfile()?;
    for _ in 0..BLOCKS_IN_FILE {
        file.write_all(&vec![7; BLOCK as usize])?;
    }
    let runtime = TransferRuntime::new(NonZeroUsize::MIN)?;
    let source = Arc::new(OneFile(Arc::new(file)));
    let server = TransferServer::start(&runtime, "127.0.0.1", 0, secret, source, ServerOptions::default())?;
    println!("{}", server.address().port());
    // Until the other process is done.
    std::io::stdin().read_line(&mut String::new())?;
    println!("{}", resident_mib());
    Ok(())
}

fn fetch() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let connections_per_peer = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(1);
    let encrypt = arguments.iter().any(|argument| argument == "encrypt");
    let secret = Secret::generate();
    let mut server = Command::new(std::env::current_exe()?)
        .env("_SPARK_AUTH_SECRET", secret.expose())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(server.stdout.take().expect("piped")).lines();
    let port = lines.next().ok_or("the server did not start")??.parse()?;

    let root = tempfile::tempdir()?;
    let spool = Arc::new(LocalDirsSpool::new(Arc::new(LocalDirs::create(&[root.path().to_owned()])?.0)));
    let runtime = TransferRuntime::new(NonZeroUsize::MIN)?;
    let options = ClientOptions { connections_per_peer, encrypt, ..ClientOptions::default() };
    let client = TransferClient::new(&runtime, secret, spool, options);
    let (sender, arrived) = mpsc::channel();
    let request = |first: u32| {
        let segment = |block| SegmentId::of_reducer(ShuffleId(0), MapId(0), ReduceId(block));
        let segments = (first..first + BLOCKS_PER_REQUEST).map(segment).collect();
        let sender = sender.clone();
        client.fetch_segments(PeerAddress::new("127.0.0.1", port), ExecutorId::from("1"), segments, move |_, result| {
            sender.send(result).expect("the receiver waits");
        })
    };
    let started = Instant::now();
    // Five requests under way, as a reduce task has.
    let mut under_way: std::collections::VecDeque<_> =
        (0..5).map(|number| request(number * BLOCKS_PER_REQUEST)).collect();
    let mut bytes = 0;
    let mut blocks = 0;
    while bytes < TOTAL {
        bytes += arrived.recv()??.body.length();
        blocks += 1;
        if blocks % BLOCKS_PER_REQUEST == 0 {
            under_way.pop_front();
            under_way.push_back(request(blocks));
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let mode = if encrypt { "encrypted" } else { "plain" };
    println!("{mode}, {connections_per_peer} connection(s): {:.0} MB/s", bytes as f64 / seconds / 1e6);
    drop(under_way);
    drop(server.stdin.take());
    println!("resident: server {}, client {}", lines.next().ok_or("the server ended early")??, resident_mib());
    server.wait()?;
    Ok(())
}
