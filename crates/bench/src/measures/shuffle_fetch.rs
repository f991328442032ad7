//! How fast a reducer gets what mappers on another machine wrote, with a loopback connection for the network.

use std::{
    env,
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    num::NonZeroUsize,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, mpsc},
};

use anyhow::{Context, bail, ensure};
use firesteel_model::{BlockId, ExecutorId, MapId, ReduceId, ShuffleId};
use firesteel_rpc::Secret;
use firesteel_transfer::{
    BlockSource, BlockUpload, ClientOptions, CorruptSegment, CorruptionCause, Payload, PeerAddress, Requester, Segment,
    SegmentId, ServerOptions, Spool, SpoolWriter, TransferClient, TransferRuntime, TransferServer, Unavailable,
    UploadSink,
};

use crate::{
    data,
    measure::{Better, Measure, Role, Side, Target},
    parameters::{Parameters, Scale},
    process::Running,
    rounds::{Rounds, Sample},
};

pub const MEASURE: Measure = Measure {
    name: "shuffle-fetch",
    unit: "MB/s",
    better: Better::Higher,
    target: Some(Target::OfLimit(0.6)),
    timed: "another process fetches segments of 512 KiB out of a file in the page cache over one loopback connection, 2 GB in \
            all; limit: iperf3 with one connection and as many bytes",
    rounds: 5,
    parameters,
    firesteel: Some(Side::Session(firesteel)),
    spark: None,
    limit: Some(Side::SessionOf { program: IPERF, install: "apt-get install iperf3", session: iperf }),
};

/// The same beside a limit that is there on every machine.
pub const BESIDE_PAIR: Measure = Measure {
    name: "shuffle-fetch-pair",
    target: None,
    timed: "as shuffle-fetch; limit: hand-written, a process that writes one buffer again and again and one that reads",
    limit: Some(Side::Session(pair)),
    ..MEASURE
};

const IPERF: &str = "iperf3";
/// A server that was left behind notices after so long that nobody listens to it, and ends.
const IDLE_SECONDS: &str = "300";

const SEGMENT_BYTES: u64 = 512 << 10;
/// Of the file, over and over again, so that it stays in the page cache.
const SEGMENTS_IN_FILE: u32 = 256;

fn parameters(scale: Scale) -> anyhow::Result<Parameters> {
    let file = data::once("segments-1", |directory| {
        let mut random = data::SplitMix::new(7);
        let mut file = io::BufWriter::new(File::create(directory.join("shuffle.data"))?);
        for _ in 0..u64::from(SEGMENTS_IN_FILE) * SEGMENT_BYTES / 8 {
            file.write_all(&random.next().to_le_bytes())?;
        }
        Ok(file.flush()?)
    })?;
    let segments = scale.of(4096);
    Ok(Parameters::default()
        .with("file", file.join("shuffle.data").display())
        .with("segments", segments)
        .with("warm-up", 1))
}

/// The process at the other end; it ends when its standard input does.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    /// Starts this program as a server, which reads the secret and prints its port.
    fn start(role: Role, parameters: &Parameters, secret: &Secret) -> anyhow::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["side", role.name(), BESIDE_PAIR.name]).args(parameters.clone().with("serve", true).words());
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        writeln!(process.stdin.as_mut().context("standard input is a pipe")?, "{}", secret.expose())?;
        let mut port = String::new();
        BufReader::new(process.stdout.as_mut().context("standard output is a pipe")?).read_line(&mut port)?;
        let port = port.trim().parse().context("the server did not print its port")?;
        Ok(Self { process, port })
    }

    fn end(mut self) -> anyhow::Result<()> {
        drop(self.process.stdin.take());
        let status = self.process.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

/// The other side of [`Server::start`]: reads the secret, lets `listen` start, and waits until it may end.
fn serve<L>(listen: impl FnOnce(&Secret) -> anyhow::Result<(L, u16)>) -> anyhow::Result<()> {
    let mut lines = io::stdin().lock().lines();
    let secret = Secret::parse(&lines.next().context("no secret came")??)?;
    let (listening, port) = listen(&secret)?;
    println!("{port}");
    lines.by_ref().for_each(drop);
    drop(listening);
    Ok(())
}

fn rate(segments: u64) -> impl Fn(std::time::Duration) -> f64 {
    move |elapsed| (segments * SEGMENT_BYTES) as f64 / 1e6 / elapsed.as_secs_f64()
}

fn firesteel(parameters: &Parameters, rounds: &Rounds) -> anyhow::Result<()> {
    let runtime = TransferRuntime::new(NonZeroUsize::new(2).expect("two is not zero"))?;
    if parameters.text("serve").is_ok() {
        let source = Arc::new(OneFile(Arc::new(File::open(PathBuf::from(parameters.text("file")?))?)));
        return serve(|secret| {
            let options = ServerOptions::default();
            let server = TransferServer::start(&runtime, "127.0.0.1", 0, secret.clone(), source, options)?;
            let port = server.address().port();
            Ok((server, port))
        });
    }
    let secret = Secret::generate();
    let server = Server::start(Role::Firesteel, parameters, &secret)?;
    let client = TransferClient::new(&runtime, secret, Arc::new(NoSpool), ClientOptions::default());
    let peer = PeerAddress::new("127.0.0.1", server.port);
    let segments = parameters.number("segments")?;
    rounds.serve(|| Sample::timed(|| fetch(&client, &peer, segments), rate(segments)))?;
    server.end()
}

/// Fetches so many segments, in requests of at most 48 MiB under way as a reducer does (`spark.reducer.maxSizeInFlight`).
fn fetch(client: &TransferClient, peer: &PeerAddress, segments: u64) -> anyhow::Result<String> {
    const SEGMENTS_IN_REQUEST: u32 = 16;
    const REQUESTS: u64 = 6;
    let (deliver, delivered) = mpsc::channel();
    let mut handles = std::collections::VecDeque::new();
    let (mut asked, mut received, mut bytes) = (0, 0, 0);
    while received < segments {
        while asked < segments && asked - received < REQUESTS * u64::from(SEGMENTS_IN_REQUEST) {
            let count = u64::from(SEGMENTS_IN_REQUEST).min(segments - asked);
            let ids = (asked..asked + count).map(|index| segment_id(index as u32 % SEGMENTS_IN_FILE)).collect();
            let deliver = deliver.clone();
            handles.push_back(client.fetch_segments(peer.clone(), ExecutorId::new("1"), ids, move |_, fetched| {
                // Nobody waits any more if another one failed.
                let _ = deliver.send(fetched);
            }));
            asked += count;
        }
        bytes += delivered.recv()??.body.length();
        received += 1;
    }
    Ok(format!("{bytes} bytes"))
}

fn segment_id(index: u32) -> SegmentId {
    SegmentId::of_reducer(ShuffleId(0), MapId(0), ReduceId(index))
}

/// Every reducer's segment is a part of one file.
struct OneFile(Arc<File>);

impl BlockSource for OneFile {
    fn segment(&self, _: &Requester, _: &ExecutorId, segment_id: SegmentId) -> Result<Segment, Unavailable> {
        let offset = u64::from(segment_id.reduce_start.0) * SEGMENT_BYTES;
        let payload = Payload::File { file: Arc::clone(&self.0), offset, length: SEGMENT_BYTES };
        Ok(Segment { payload, checksum: None })
    }

    fn block(&self, _: &Requester, block_id: &BlockId) -> Result<Payload, Unavailable> {
        Err(Unavailable::NotFound(block_id.to_string()))
    }

    fn upload(&self, _: &Requester, _: &BlockUpload) -> Result<Box<dyn UploadSink>, Unavailable> {
        Err(Unavailable::Refused("only segments are measured".to_owned()))
    }

    fn diagnose_corruption(&self, _: &Requester, _: &CorruptSegment) -> CorruptionCause {
        CorruptionCause::Unknown
    }
}

/// Segments of this size stay in memory.
struct NoSpool;

impl Spool for NoSpool {
    fn create(&self) -> io::Result<Box<dyn SpoolWriter>> {
        Err(io::Error::other("nothing here is too large for memory"))
    }
}

fn pair(parameters: &Parameters, rounds: &Rounds) -> anyhow::Result<()> {
    let segments = parameters.number("segments")?;
    if parameters.text("serve").is_ok() {
        return serve(|_| {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let port = listener.local_addr()?.port();
            let writing = std::thread::spawn(move || write_to_each(&listener, segments));
            Ok((writing, port))
        });
    }
    let server = Server::start(Role::Limit, parameters, &Secret::generate())?;
    let mut buffer = vec![0; SEGMENT_BYTES as usize];
    rounds.serve(|| {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port))?;
        let read_all = || {
            let mut bytes = 0;
            loop {
                match stream.read(&mut buffer)? {
                    0 => return Ok(format!("{bytes} bytes")),
                    read => bytes += read,
                }
            }
        };
        Sample::timed(read_all, rate(segments))
    })?;
    server.end()
}

/// One server for all rounds, and a client for each.
fn iperf(parameters: &Parameters, rounds: &Rounds) -> anyhow::Result<()> {
    let bytes = parameters.number("segments")? * SEGMENT_BYTES;
    // It cannot be told to choose a port itself. If another program takes this one, it says so and ends.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
    let mut server = Command::new(IPERF);
    server.args(["--server", "--forceflush", "--bind", "127.0.0.1", "--port", &port, "--idle-timeout", IDLE_SECONDS]);
    let mut server = Running::start(server.stdin(Stdio::null()).stdout(Stdio::piped()))?;
    let mut said = BufReader::new(server.0.stdout.take().context("standard output is a pipe")?);
    let mut line = String::new();
    while !line.contains("listening") {
        line.clear();
        ensure!(said.read_line(&mut line)? > 0, "the server of {IPERF} ended before it listened on port {port}");
    }
    // What it goes on to say would block it.
    std::thread::spawn(move || io::copy(&mut said, &mut io::sink()));
    rounds.serve(|| {
        let mut client = Command::new(IPERF);
        client.args(["--client", "127.0.0.1", "--port", &port, "--json", "--bytes"]).arg(bytes.to_string());
        let output = client.stdin(Stdio::null()).output()?;
        received(&output.stdout, bytes)
    })
}

/// What the receiving side of iperf3 has measured. It stops counting, bytes and time, when the sender is done, and so may miss
/// the last ones; the sender counts in buffers, and so may send some more than it was asked for.
fn received(json: &[u8], bytes: u64) -> anyhow::Result<Sample> {
    let report: serde_json::Value = serde_json::from_slice(json).context("iperf3 printed no JSON")?;
    if let Some(error) = report.get("error") {
        bail!("iperf3 failed: {error}");
    }
    let number = |path: &str| {
        let number = report.pointer(path).and_then(serde_json::Value::as_f64);
        number.with_context(|| format!("iperf3 reported no {path}"))
    };
    let sent = number("/end/sum_sent/bytes")?;
    ensure!(sent >= bytes as f64, "iperf3 sent {sent} bytes of {bytes}");
    Ok(Sample { value: number("/end/sum_received/bits_per_second")? / 8e6, answer: format!("{bytes} bytes") })
}

fn write_to_each(listener: &TcpListener, segments: u64) -> io::Result<()> {
    let buffer = vec![1; SEGMENT_BYTES as usize];
    loop {
        let (mut stream, _) = listener.accept()?;
        for _ in 0..segments {
            stream.write_all(&buffer)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::received;

    #[test]
    fn the_receiver_s_figure_counts() {
        let report = |sent: u64| {
            let sum = |bytes: u64, rate: f64| serde_json::json!({"bytes": bytes, "bits_per_second": rate});
            let sums = serde_json::json!({"sum_sent": sum(sent, 9e9), "sum_received": sum(sent - 10, 8e9)});
            serde_json::json!({ "end": sums }).to_string()
        };
        let sample = received(report(1000).as_bytes(), 1000).unwrap();
        assert_eq!((sample.value, &*sample.answer), (1000.0, "1000 bytes"));
        assert!(received(report(900).as_bytes(), 1000).is_err());
        let failed = received(br#"{"start": {}, "end": {}, "error": "unable to connect"}"#, 1).unwrap_err();
        assert_eq!(failed.to_string(), "iperf3 failed: \"unable to connect\"");
    }
}
