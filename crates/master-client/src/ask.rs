//! One question to whichever master can answer it (SS-95).

use std::time::Duration;

use firesteel_model::error_chain;
use firesteel_rpc::{Address, Options, Secret, connect};
use firesteel_standalone::protocol::{ClientAnswer, ClientRequest, FromMaster, ToMaster};
use tokio::time::timeout;

/// No master has answered.
#[derive(Debug, thiserror::Error)]
#[error("no master could answer: {}", .0.join("; "))]
pub struct AskError(pub(crate) Vec<String>);

/// Puts a question to each master in turn until one answers that leads. `time_out` is for each of them.
pub async fn ask(
    masters: &[Address],
    secret: &Secret,
    options: &Options,
    request: &ClientRequest,
    time_out: Duration,
) -> Result<ClientAnswer, AskError> {
    let mut failures = Vec::new();
    for address in masters {
        match timeout(time_out, ask_one(address, secret, options, request)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(reason)) => failures.push(format!("{address}: {reason}")),
            Err(_) => failures.push(format!("{address}: no answer within {} s", time_out.as_secs_f64())),
        }
    }
    Err(AskError(failures))
}

async fn ask_one(
    address: &Address,
    secret: &Secret,
    options: &Options,
    request: &ClientRequest,
) -> Result<ClientAnswer, String> {
    let failed = |error: &dyn std::error::Error| error_chain(error);
    let connection = connect::<FromMaster, ToMaster>(address, secret, options).await.map_err(|error| failed(&error))?;
    let (sender, mut receiver) = connection.split();
    sender.send(&ToMaster::Client(request.clone())).await.map_err(|error| failed(&error))?;
    loop {
        match receiver.receive().await.map_err(|error| failed(&error))? {
            Some(FromMaster::Client(answer)) => return Ok(answer),
            Some(FromMaster::MasterInStandby) => return Err("it is STANDBY".to_owned()),
            Some(_) => {}
            None => return Err("it has closed the connection".to_owned()),
        }
    }
}
