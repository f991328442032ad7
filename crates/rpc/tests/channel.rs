//! Channels between two sides: what is said arrives, in order, and ends are told apart from breaks.

use std::time::Duration;

use firesteel_model::ByteCount;
use firesteel_rpc::{
    Address, ConnectError, Connection, Listener, MemoryAddress, Options, ReceiveError, Receiver, Secret, SendError,
    Sender, TrySendError, connect,
    handshake::{HandshakeError, Protocol},
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
enum Message {
    Ping(u64),
    Text(String),
    Bytes(Vec<u8>),
    Nothing,
}

type Halves = (Sender<Message>, Receiver<Message>);

async fn pair(address: Address, options: &Options) -> (Halves, Halves) {
    let secret = Secret::generate();
    let mut listener = Listener::bind(&address, secret.clone(), options.clone()).await.unwrap();
    let near: Connection<Message, Message> = connect(listener.address(), &secret, options).await.unwrap();
    let far = listener.accept().await.unwrap();
    (near.split(), far.split())
}

async fn memory_pair(options: &Options) -> (Halves, Halves) {
    pair(Address::Memory(MemoryAddress::new("test")), options).await
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        any::<u64>().prop_map(Message::Ping),
        ".{0,40}".prop_map(Message::Text),
        prop::collection::vec(any::<u8>(), 0..300_000).prop_map(Message::Bytes),
        Just(Message::Nothing),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn all_that_is_sent_arrives_in_order(messages in prop::collection::vec(message(), 0..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let received = runtime.block_on(async {
            let ((sender, _near), (_far, mut receiver)) = memory_pair(&Options::default()).await;
            let sent = messages.clone();
            tokio::spawn(async move {
                for message in &sent {
                    sender.send(message).await.unwrap();
                }
            });
            let mut received = Vec::new();
            while let Some(message) = receiver.receive().await.unwrap() {
                received.push(message);
            }
            received
        });
        prop_assert_eq!(received, messages);
    }
}

#[tokio::test]
async fn every_kind_of_address_carries_both_ways() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    for address in
        [Address::tcp("127.0.0.1", 0), Address::Unix(socket.clone()), Address::Memory(MemoryAddress::new("test"))]
    {
        let ((sender, mut receiver), (far_sender, mut far_receiver)) = pair(address, &Options::default()).await;
        sender.send(&Message::Ping(1)).await.unwrap();
        assert_eq!(far_receiver.receive().await.unwrap(), Some(Message::Ping(1)));
        far_sender.send(&Message::Ping(2)).await.unwrap();
        assert_eq!(receiver.receive().await.unwrap(), Some(Message::Ping(2)));
        sender.close().await.unwrap();
        assert_eq!(far_receiver.receive().await.unwrap(), None);
        assert_eq!(far_receiver.receive().await.unwrap(), None);
        // The other direction is still open.
        far_sender.send(&Message::Ping(3)).await.unwrap();
        assert_eq!(receiver.receive().await.unwrap(), Some(Message::Ping(3)));
        assert_eq!(sender.send(&Message::Nothing).await, Err(SendError::Closed));
    }
    assert!(!socket.exists(), "the socket file goes with its listener");
}

#[tokio::test]
async fn a_unix_socket_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let address = Address::Unix(socket.clone());
    let _listener = Listener::bind(&address, Secret::generate(), Options::default()).await.unwrap();
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn dropping_all_senders_is_a_clean_end_and_aborting_is_not() {
    let ((sender, _near), (_far, mut receiver)) = memory_pair(&Options::default()).await;
    let clone = sender.clone();
    sender.send(&Message::Ping(1)).await.unwrap();
    drop(sender);
    clone.send(&Message::Ping(2)).await.unwrap();
    drop(clone);
    assert_eq!(receiver.receive().await.unwrap(), Some(Message::Ping(1)));
    assert_eq!(receiver.receive().await.unwrap(), Some(Message::Ping(2)));
    assert_eq!(receiver.receive().await.unwrap(), None);

    let ((sender, mut near), (far, mut receiver)) = memory_pair(&Options::default()).await;
    sender.abort();
    assert!(matches!(near.receive().await, Err(ReceiveError::Broken)));
    assert!(matches!(receiver.receive().await, Err(ReceiveError::Lost)));
    assert!(matches!(receiver.receive().await, Err(ReceiveError::Broken)));
    assert_eq!(far.send(&Message::Nothing).await, Err(SendError::Broken));
    far.closed().await;
}

#[tokio::test]
async fn a_message_that_is_too_long_is_refused_and_the_connection_goes_on() {
    let options = Options { max_message_size: ByteCount(1000), ..Options::default() };
    let ((sender, _near), (_far, mut receiver)) = memory_pair(&options).await;
    let long = Message::Bytes(vec![0; 1000]);
    assert_eq!(sender.send(&long).await, Err(SendError::TooLarge { limit: 1000 }));
    assert_eq!(sender.try_send(&long), Err(TrySendError::Send(SendError::TooLarge { limit: 1000 })));
    let longest = Message::Bytes(vec![7; 1000 - 3]);
    sender.send(&longest).await.unwrap();
    assert_eq!(receiver.receive().await.unwrap(), Some(longest));
}

#[tokio::test]
async fn a_message_that_the_receiver_does_not_take_breaks_the_connection_before_it_is_held() {
    let secret = Secret::generate();
    let address = Address::Memory(MemoryAddress::new("test"));
    let strict = Options { max_message_size: ByteCount(1000), ..Options::default() };
    let mut listener = Listener::bind(&address, secret.clone(), strict).await.unwrap();
    let near: Connection<Message, Message> = connect(&address, &secret, &Options::default()).await.unwrap();
    let (_far, mut receiver) = listener.accept::<Message, Message>().await.unwrap().split();
    near.split().0.send(&Message::Bytes(vec![0; 5000])).await.unwrap();
    let error = receiver.receive().await.unwrap_err();
    assert!(matches!(error, ReceiveError::TooLarge { length: 5003, limit: 1000 }), "{error}");
}

#[tokio::test]
async fn messages_of_another_release_are_malformed() {
    let secret = Secret::generate();
    let address = Address::Memory(MemoryAddress::new("test"));
    let mut listener = Listener::bind(&address, secret.clone(), Options::default()).await.unwrap();
    let near: Connection<(), u64> = connect(&address, &secret, &Options::default()).await.unwrap();
    let (_far, mut receiver) = listener.accept::<Message, Message>().await.unwrap().split();
    near.split().0.send(&99).await.unwrap();
    assert!(matches!(receiver.receive().await, Err(ReceiveError::Malformed { .. })));
}

#[tokio::test]
async fn a_slow_reader_holds_the_sender_back_within_bounds() {
    let options = Options { send_queue_size: ByteCount::kib(64), ..Options::default() };
    let ((sender, _near), (_far, mut receiver)) = memory_pair(&options).await;
    let piece = Message::Bytes(vec![1; 1000]);
    // Queue, batch on its way, pipe; nothing is read.
    let mut queued = 0;
    loop {
        match sender.try_send(&piece) {
            Ok(()) => queued += 1,
            Err(TrySendError::Full) => {
                // The writer may make room once or twice more, until the pipe is full too.
                tokio::task::yield_now().await;
                if sender.try_send(&piece) == Err(TrySendError::Full) {
                    break;
                }
                queued += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(queued < 400, "{queued} messages of 1 kB were taken");
    let blocked = tokio::spawn({
        let (sender, piece) = (sender.clone(), piece.clone());
        async move { sender.send(&piece).await }
    });
    let blocked_thread = std::thread::spawn({
        let (sender, piece) = (sender.clone(), piece.clone());
        move || sender.send_blocking(&piece)
    });
    for _ in 0..queued + 2 {
        assert_eq!(receiver.receive().await.unwrap(), Some(piece.clone()));
    }
    assert_eq!(blocked.await.unwrap(), Ok(()));
    assert_eq!(blocked_thread.join().unwrap(), Ok(()));
}

#[tokio::test]
async fn whoever_waits_for_room_is_told_when_the_connection_breaks() {
    let options = Options { send_queue_size: ByteCount(1), ..Options::default() };
    let ((sender, near), (_far, receiver)) = memory_pair(&options).await;
    let large = Message::Bytes(vec![1; 1 << 20]);
    sender.send(&large).await.unwrap();
    sender.send(&large).await.unwrap();
    let blocked = std::thread::spawn({
        let sender = sender.clone();
        move || sender.send_blocking(&large)
    });
    drop((_far, receiver));
    // The other side is gone with its end of the pipe, and the writer notices.
    assert_eq!(tokio::task::spawn_blocking(|| blocked.join().unwrap()).await.unwrap(), Err(SendError::Broken));
    drop(near);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_counts_as_broken_and_an_idle_one_does_not() {
    let secret = Secret::generate();
    let address = Address::Memory(MemoryAddress::new("test"));
    let impatient = Options {
        idle_time_out: Duration::from_secs(120),
        keep_alive_interval: Duration::from_secs(20),
        ..Options::default()
    };
    let mut listener = Listener::bind(&address, secret.clone(), impatient.clone()).await.unwrap();
    // This one never says that it is there: half open, as far as the other side can tell.
    let mute = Options { keep_alive_interval: Duration::from_secs(1 << 30), ..Options::default() };
    let silent: Connection<Message, Message> = connect(&address, &secret, &mute).await.unwrap();
    let (_far, mut receiver) = listener.accept::<Message, Message>().await.unwrap().split();
    let error = receiver.receive().await.unwrap_err();
    assert!(matches!(error, ReceiveError::TimedOut(_)), "{error}");
    drop(silent);

    let idle: Connection<Message, Message> = connect(&address, &secret, &impatient).await.unwrap();
    let (sender, _near) = idle.split();
    let (_far, mut receiver) = listener.accept::<Message, Message>().await.unwrap().split();
    let waited = tokio::time::timeout(Duration::from_secs(3600), receiver.receive()).await;
    assert!(waited.is_err(), "an hour of silence is no end: {waited:?}");
    sender.send(&Message::Ping(1)).await.unwrap();
    assert_eq!(receiver.receive().await.unwrap(), Some(Message::Ping(1)));
}

#[tokio::test]
async fn other_versions_and_other_services_are_refused_with_both_named() {
    let secret = Secret::generate();
    let address = Address::Memory(MemoryAddress::new("test"));
    let _listener = Listener::bind(&address, secret.clone(), Options::default()).await.unwrap();
    for protocol in [Protocol { version: 2, ..Protocol::RPC }, Protocol { name: *b"transfer", version: 1 }] {
        let options = Options { protocol, ..Options::default() };
        let error = connect::<(), ()>(&address, &secret, &options).await.unwrap_err();
        assert!(!error.is_retryable());
        let ConnectError::Handshake { source, .. } = error else { panic!("{error}") };
        assert!(matches!(source, HandshakeError::ProtocolMismatch { .. }), "{source}");
        assert!(source.to_string().contains("rpc/1") && source.to_string().contains(&protocol.to_string()));
    }
}

#[tokio::test]
async fn a_wrong_secret_is_refused_and_not_worth_another_try() {
    let address = Address::Memory(MemoryAddress::new("test"));
    let secret = Secret::generate();
    let mut listener = Listener::bind(&address, secret.clone(), Options::default()).await.unwrap();
    let error = connect::<(), ()>(&address, &Secret::generate(), &Options::default()).await.unwrap_err();
    assert!(!error.is_retryable());
    assert!(matches!(error, ConnectError::Handshake { source: HandshakeError::Unauthenticated, .. }), "{error}");
    // Only the one who knows the secret comes through.
    let _right: Connection<(), ()> = connect(&address, &secret, &Options::default()).await.unwrap();
    listener.accept::<(), ()>().await.unwrap();
}

#[tokio::test]
async fn nobody_there_is_worth_another_try() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::tcp("127.0.0.1", listener.local_addr().unwrap().port());
    drop(listener);
    let error = connect::<(), ()>(&address, &Secret::generate(), &Options::default()).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
}
