//! What strangers, and those who sit on the wire, can do: nothing.

use std::time::Duration;

use firesteel_rpc::{
    Address, ConnectError, Connection, Listener, Options, ReceiveError, Secret, Secrets, connect,
    handshake::{self, HandshakeError, Protocol},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    net::{TcpListener, TcpStream},
};

async fn bind(secret: &Secret, options: Options) -> Listener {
    Listener::bind(&Address::tcp("127.0.0.1", 0), secret.clone(), options).await.unwrap()
}

async fn dial(listener: &Listener) -> TcpStream {
    TcpStream::connect(("127.0.0.1", listener.address().port().unwrap())).await.unwrap()
}

/// Stands between the two sides; `meddle` gets what the connecting side sends, piece by piece, with its offset.
async fn proxy(listener: &Listener, mut meddle: impl FnMut(usize, &mut Vec<u8>) + Send + 'static) -> Address {
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = proxy.local_addr().unwrap().port();
    let mut far = dial(listener).await;
    tokio::spawn(async move {
        let (mut near, _) = proxy.accept().await.unwrap();
        let (mut near_read, mut near_write) = near.split();
        let (mut far_read, mut far_write) = far.split();
        let forward = async {
            let mut offset = 0;
            let mut piece = Vec::new();
            while near_read.read_buf(&mut piece).await.is_ok_and(|read| read > 0) {
                let read = piece.len();
                meddle(offset, &mut piece);
                offset += read;
                if far_write.write_all(&piece).await.is_err() {
                    break;
                }
                piece.clear();
            }
            let _ = far_write.shutdown().await;
        };
        tokio::join!(forward, tokio::io::copy(&mut far_read, &mut near_write)).1.ok();
    });
    Address::tcp("127.0.0.1", port)
}

/// Bytes of the connecting side before the first record: preamble and two messages.
const HANDSHAKE: usize = FIRST_FLIGHT + (2 + 16);
/// Preamble and one message.
const FIRST_FLIGHT: usize = 15 + (2 + 48);

#[tokio::test]
async fn a_flipped_bit_drops_the_connection() {
    let secret = Secret::generate();
    let mut listener = bind(&secret, Options::default()).await;
    for flipped in [HANDSHAKE, HANDSHAKE + 1, HANDSHAKE + 2, HANDSHAKE + 30, HANDSHAKE + 200] {
        let address = proxy(&listener, move |offset, piece| {
            if let Some(byte) = flipped.checked_sub(offset).and_then(|at| piece.get_mut(at)) {
                *byte ^= 1;
            }
        })
        .await;
        let near: Connection<(), Vec<u8>> = connect(&address, &secret, &Options::default()).await.unwrap();
        let (_far, mut receiver) = listener.accept::<Vec<u8>, ()>().await.unwrap().split();
        let (sender, _receiver) = near.split();
        sender.send(&vec![5; 300]).await.unwrap();
        sender.close().await.unwrap();
        let error = receiver.receive().await.unwrap_err();
        // A flipped length makes a record of other bytes, or one that never gets complete.
        let expected = matches!(error, ReceiveError::NotAuthentic(_))
            || (flipped < HANDSHAKE + 2 && matches!(error, ReceiveError::Lost));
        assert!(expected, "byte {flipped}: {error}");
    }
}

#[tokio::test]
async fn a_record_that_is_cut_off_is_a_lost_connection() {
    let secret = Secret::generate();
    let mut listener = bind(&secret, Options::default()).await;
    let address = proxy(&listener, |offset, piece| piece.truncate((HANDSHAKE + 100usize).saturating_sub(offset))).await;
    let near: Connection<(), Vec<u8>> = connect(&address, &secret, &Options::default()).await.unwrap();
    let (_far, mut receiver) = listener.accept::<Vec<u8>, ()>().await.unwrap().split();
    let (sender, _receiver) = near.split();
    sender.send(&vec![5; 300]).await.unwrap();
    sender.close().await.unwrap();
    let error = receiver.receive().await.unwrap_err();
    assert!(matches!(error, ReceiveError::Lost), "{error}");
}

#[tokio::test]
async fn the_secret_and_the_messages_are_not_to_be_seen_on_the_wire() {
    let secret = Secret::parse("correct horse battery staple").unwrap();
    let mut listener = bind(&secret, Options::default()).await;
    let (seen, recorded) = std::sync::mpsc::channel();
    let address = proxy(&listener, move |_, piece| seen.send(piece.clone()).unwrap()).await;
    let near: Connection<(), String> = connect(&address, &secret, &Options::default()).await.unwrap();
    let (_far, mut receiver) = listener.accept::<String, ()>().await.unwrap().split();
    near.split().0.send(&"attack at dawn".to_owned()).await.unwrap();
    assert_eq!(receiver.receive().await.unwrap().as_deref(), Some("attack at dawn"));
    let recorded: Vec<u8> = recorded.try_iter().flatten().collect();
    assert!(recorded.len() > HANDSHAKE);
    for text in [&b"attack"[..], b"horse"] {
        assert!(!recorded.windows(text.len()).any(|window| window == text));
    }
}

#[tokio::test]
async fn a_recorded_connection_played_again_gets_nowhere() {
    let secret = Secret::generate();
    let mut listener = bind(&secret, Options::default()).await;
    let (seen, recorded) = std::sync::mpsc::channel();
    let address = proxy(&listener, move |_, piece| seen.send(piece.clone()).unwrap()).await;
    let near: Connection<(), String> = connect(&address, &secret, &Options::default()).await.unwrap();
    let (_far, mut receiver) = listener.accept::<String, ()>().await.unwrap().split();
    near.split().0.send(&"launch task".to_owned()).await.unwrap();
    receiver.receive().await.unwrap();
    let recorded: Vec<u8> = recorded.try_iter().flatten().collect();

    let mut replay = dial(&listener).await;
    replay.write_all(&recorded).await.unwrap();
    let mut answer = Vec::new();
    // Refused and closed, perhaps with a reset because of what was not read.
    let _ = replay.read_to_end(&mut answer).await;

    // The next one that is accepted is the honest one.
    let honest: Connection<String, ()> = connect(listener.address(), &secret, &Options::default()).await.unwrap();
    let (sender, mut receiver) = listener.accept::<(), String>().await.unwrap().split();
    sender.send(&"for you".to_owned()).await.unwrap();
    assert_eq!(honest.split().1.receive().await.unwrap().as_deref(), Some("for you"));
    drop(sender);
    assert!(matches!(receiver.receive().await, Ok(None) | Err(_)));
}

#[tokio::test]
async fn a_server_that_does_not_know_the_secret_learns_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::tcp("127.0.0.1", listener.local_addr().unwrap().port());
    let impostor = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let result = handshake::respond(&mut stream, &Secret::generate(), Protocol::RPC, |_| Ok(Vec::new())).await;
        result.map(|_| ()).unwrap_err()
    });
    let error = connect::<(), ()>(&address, &Secret::generate(), &Options::default()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Handshake { source: HandshakeError::Unauthenticated, .. }), "{error}");
    assert!(matches!(impostor.await.unwrap(), HandshakeError::Unauthenticated));
}

#[tokio::test]
async fn whoever_speaks_something_else_is_closed_without_an_answer() {
    let secret = Secret::generate();
    let listener = bind(&secret, Options::default()).await;
    let mut stream = dial(&listener).await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: driver\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert_eq!(answer, b"");
}

#[tokio::test]
async fn those_who_hold_connections_open_do_not_lock_others_out() {
    let secret = Secret::generate();
    let options =
        Options { max_unauthenticated: 4, handshake_time_out: Duration::from_secs(3600), ..Options::default() };
    let mut listener = bind(&secret, options.clone()).await;
    let mut loris = Vec::new();
    for _ in 0..8 {
        let mut stream = dial(&listener).await;
        stream.write_all(b"FSTL").await.unwrap();
        loris.push(stream);
    }
    let patient = Options { handshake_time_out: Duration::from_secs(3600), ..Options::default() };
    let _honest: Connection<(), ()> = connect(listener.address(), &secret, &patient).await.unwrap();
    listener.accept::<(), ()>().await.unwrap();
    drop(loris);
}

#[tokio::test]
async fn a_handshake_that_is_not_finished_in_time_is_dropped() {
    let options = Options { handshake_time_out: Duration::from_millis(50), ..Options::default() };
    let listener = bind(&Secret::generate(), options.clone()).await;
    let mut stream = dial(&listener).await;
    stream.write_all(b"FSTL").await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert_eq!(answer, b"");

    // And the connecting side does not wait for ever either.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::tcp("127.0.0.1", silent.local_addr().unwrap().port());
    let error = connect::<(), ()>(&address, &Secret::generate(), &options).await.unwrap_err();
    assert!(matches!(error, ConnectError::TimedOut { .. }) && error.is_retryable(), "{error}");
}

struct Applications(Vec<(&'static str, Secret)>);

impl Secrets for Applications {
    fn secret(&self, key_id: &str) -> Option<Secret> {
        self.0.iter().find(|(id, _)| *id == key_id).map(|(_, secret)| secret.clone())
    }
}

#[tokio::test]
async fn an_application_proves_its_own_secret_and_no_other() {
    let (one, two) = (Secret::generate(), Secret::generate());
    let applications = Applications(vec![("app-1", one.clone()), ("app-2", two.clone())]);
    let mut listener = Listener::bind(&Address::tcp("127.0.0.1", 0), applications, Options::default()).await.unwrap();
    let with_id = |id: &str| Options { key_id: id.to_owned(), ..Options::default() };
    for (id, secret) in [("app-1", &two), ("app-3", &one), ("", &one)] {
        let error = connect::<(), ()>(listener.address(), secret, &with_id(id)).await.unwrap_err();
        assert!(matches!(error, ConnectError::Handshake { source: HandshakeError::Unauthenticated, .. }), "{error}");
    }
    let _near: Connection<(), ()> = connect(listener.address(), &two, &with_id("app-2")).await.unwrap();
    assert_eq!(listener.accept::<(), ()>().await.unwrap().peer().key_id, "app-2");
}

async fn handshake_pair(
    near: &mut DuplexStream,
    far: &mut DuplexStream,
    admit: Result<Vec<u8>, String>,
) -> (Result<Vec<u8>, HandshakeError>, Result<Vec<u8>, HandshakeError>) {
    let secret = Secret::generate();
    let initiate = handshake::initiate(near, &secret, Protocol::RPC, "app", b"hello");
    let respond = handshake::respond(far, &secret, Protocol::RPC, |greeting| {
        assert_eq!((greeting.key_id.as_str(), &greeting.bytes[..]), ("app", &b"hello"[..]));
        admit
    });
    let (near, far) = tokio::join!(initiate, respond);
    (near.map(|(_, answer)| answer), far.map(|(_, greeting)| greeting.bytes))
}

#[tokio::test]
async fn greetings_are_exchanged_and_a_refusal_gives_its_reason() {
    let (mut near, mut far) = tokio::io::duplex(4096);
    let (answer, greeting) = handshake_pair(&mut near, &mut far, Ok(b"welcome".to_vec())).await;
    assert_eq!((answer.unwrap(), greeting.unwrap()), (b"welcome".to_vec(), b"hello".to_vec()));

    let (mut near, mut far) = tokio::io::duplex(4096);
    let (answer, greeting) = handshake_pair(&mut near, &mut far, Err("another build".to_owned())).await;
    for error in [answer.unwrap_err(), greeting.unwrap_err()] {
        assert!(matches!(&error, HandshakeError::Refused { reason } if reason == "another build"), "{error}");
    }
}

#[tokio::test]
async fn a_first_flight_altered_on_the_way_is_refused_whichever_byte_it_is() {
    let secret = Secret::generate();
    for flipped in 0..FIRST_FLIGHT {
        let (mut near, mut middle) = tokio::io::duplex(4096);
        let initiate = async {
            let _ = handshake::initiate(&mut near, &secret, Protocol::RPC, "", b"").await;
        };
        let mut flight = vec![0; FIRST_FLIGHT];
        tokio::select! {
            () = initiate => panic!("nobody answered"),
            read = middle.read_exact(&mut flight) => drop(read.unwrap()),
        }
        flight[flipped] ^= 1;
        let (mut sender, mut far) = tokio::io::duplex(4096);
        sender.write_all(&flight).await.unwrap();
        sender.shutdown().await.unwrap();
        let result = handshake::respond(&mut far, &secret, Protocol::RPC, |_| panic!("byte {flipped}")).await;
        assert!(result.is_err(), "byte {flipped}");
    }
}
