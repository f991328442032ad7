//! How many small messages one connection carries: `cargo run --release -p firesteel-rpc --example rpc_throughput`.

use std::time::Instant;

use firesteel_rpc::{Address, Connection, Listener, Options, Secret, connect};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct StatusUpdate {
    task_id: u64,
    state: u8,
    data: Vec<u8>,
}

const MESSAGES: u64 = 10_000_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let secret = Secret::generate();
    let options = Options::default();
    let mut listener = Listener::bind(&Address::tcp("127.0.0.1", 0), secret.clone(), options.clone()).await?;
    let near: Connection<(), StatusUpdate> = connect(listener.address(), &secret, &options).await?;
    let (_sender, mut receiver) = listener.accept::<StatusUpdate, ()>().await?.split();
    let (sender, _receiver) = near.split();

    let started = Instant::now();
    let sending = tokio::spawn(async move {
        for task_id in 0..MESSAGES {
            let update = StatusUpdate { task_id, state: 2, data: vec![1; 16] };
            sender.send(&update).await.expect("the receiver is there");
        }
        sender.close().await
    });
    let mut received = 0;
    while let Some(update) = receiver.receive().await? {
        assert_eq!((update.task_id, update.state, update.data.len()), (received, 2, 16));
        received += 1;
    }
    sending.await??;
    let seconds = started.elapsed().as_secs_f64();
    println!("{received} messages in {seconds:.2} s: {:.2} million/s", received as f64 / seconds / 1e6);

    let near: Connection<u32, u32> = connect(listener.address(), &secret, &options).await?;
    let (echo, mut questions) = listener.accept::<u32, u32>().await?.split();
    tokio::spawn(async move {
        while let Ok(Some(question)) = questions.receive().await {
            echo.send(&question).await.expect("the other side waits for it");
        }
    });
    let (sender, mut receiver) = near.split();
    let rounds = 20_000;
    let started = Instant::now();
    for round in 0..rounds {
        sender.send(&round).await?;
        assert_eq!(receiver.receive().await?, Some(round));
    }
    println!("one message there and back: {:.1} µs", started.elapsed().as_secs_f64() / f64::from(rounds) * 1e6);
    Ok(())
}
