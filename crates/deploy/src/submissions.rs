//! Drivers inside of a standalone cluster, as those see them who submit them, ask for them and end them (SA-71, SS-27, SS-105).

use std::{collections::BTreeMap, fs::File, path::Path, time::Duration};

use firesteel_conf::{MasterUrl, SparkConf, account_name, keys};
use firesteel_console::say;
use firesteel_model::{SubmissionId, error_chain, hide_secrets_of_urls};
use firesteel_standalone::{
    ArtifactContent, DriverDescription, DriverState, LaunchData,
    protocol::{ClientAnswer, ClientRequest, DriverStatus},
};
use firesteel_submit::ClusterApplication;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    Environment,
    daemon::{report, run_alone},
    masters::Masters,
    refusal::Refusal,
};

/// How often a driver's state is asked for, at most so many times until it is more than submitted (SS-95).
const POLL_INTERVAL: Duration = Duration::from_secs(1);
const POLLS: u32 = 10;
/// While the end of a driver is waited for, the masters may be gone for so long: one takes over, or is started again.
const MASTERS_TIME_OUT: Duration = Duration::from_secs(180);
/// And a master that was started again may not know the driver for so long: its worker tells it of the driver.
const UNKNOWN_TIME_OUT: Duration = Duration::from_secs(60);

/// The code of a command that does not know what became of its driver, or that no master has taken (SS-105).
const LOST: u8 = 255;

/// Submits a driver; the result is the exit code of `spark-submit`.
pub fn submit(application: ClusterApplication, url: &MasterUrl, environment: &Environment) -> u8 {
    let submitted = Masters::of(url, &application.conf, environment).and_then(|masters| {
        let wait = application.conf.get(&keys::STANDALONE_SUBMIT_WAIT_APP_COMPLETION)?;
        let description = describe(&application, environment)?;
        run_alone(async {
            Ok(match send(&masters, application, description).await {
                Ok(id) => {
                    say(format_args!("Driver successfully submitted as {id}"));
                    follow(&masters, &id, wait).await
                }
                Err(reason) => {
                    say(format_args!("Error: {reason}"));
                    LOST
                }
            })
        })
    });
    report(submitted, "")
}

fn describe(application: &ClusterApplication, environment: &Environment) -> Result<DriverDescription, Refusal> {
    let conf = &application.conf;
    let variable =
        |name: &str| environment.get(std::ffi::OsStr::new(name)).and_then(|value| value.to_str().map(str::to_owned));
    Ok(DriverDescription {
        name: hide_secrets_of_urls(&application.name).into(),
        user: account_name(variable).unwrap_or_default(),
        cores: conf.get(&keys::DRIVER_CORES)?,
        memory: conf.get(&keys::DRIVER_MEMORY)?,
        resources: Vec::new(),
        supervise: conf.get(&keys::DRIVER_SUPERVISE)?,
        artifacts: None,
        launch: LaunchData(application.command.seal()),
    })
}

/// Brings the files, then the driver, on one connection: whatever is lost on the way, no driver runs twice.
async fn send(
    masters: &Masters,
    application: ClusterApplication,
    mut description: DriverDescription,
) -> Result<SubmissionId, String> {
    let mut leader = masters.leader().await.map_err(|error| error_chain(&error))?;
    if !application.files.is_empty() {
        let mut files = open(&application)?;
        let brought = leader.bring(&mut files).await;
        description.artifacts = Some(brought.map_err(|error| error_chain(&error))?);
    }
    let answer = leader.ask(ClientRequest::SubmitDriver(Box::new(description))).await;
    let address = leader.address().clone();
    leader.close().await;
    match answer {
        Ok(ClientAnswer::Submitted(submitted)) => {
            submitted.map_err(|reason| format!("the master {address} does not take the driver: {reason}"))
        }
        Ok(other) => Err(format!("the master {address} has answered something else: {other:?}")),
        Err(error) => Err(format!(
            "{}; it may have taken the driver all the same, and lists it in that case",
            error_chain(&error)
        )),
    }
}

fn open(application: &ClusterApplication) -> Result<Vec<(String, ArtifactContent, File)>, String> {
    let open = |path: &Path| File::open(path).map_err(|error| format!("{}: {error}", path.display()));
    let files = application.files.iter().zip(&application.command.files);
    files
        .map(|(path, file)| {
            let content = ArtifactContent { length: file.length, digest: file.digest };
            Ok((path.display().to_string(), content, open(path)?))
        })
        .collect()
}

/// Tells what becomes of the driver: until it is more than submitted, or until its end. The result is the exit code.
async fn follow(masters: &Masters, id: &SubmissionId, wait: bool) -> u8 {
    let (mut polls, mut told, mut heard) = (0, None, Instant::now());
    loop {
        let status = match masters.ask(ClientRequest::DriverStatus(id.clone())).await {
            Ok(ClientAnswer::Status(Some(status))) => {
                heard = Instant::now();
                Some(status)
            }
            Ok(ClientAnswer::Status(None)) if wait && heard.elapsed() < UNKNOWN_TIME_OUT => None,
            Ok(ClientAnswer::Status(None)) => {
                say(format_args!("Error: the master does not know {id} any more"));
                return LOST;
            }
            Ok(other) => {
                say(format_args!("Error: the master has answered something else: {other:?}"));
                return LOST;
            }
            Err(error) if wait && heard.elapsed() < MASTERS_TIME_OUT => {
                say(format_args!("Warning: {}; it is asked again", error_chain(&error)));
                None
            }
            Err(error) => {
                say(format_args!("Error: {}", error_chain(&error)));
                return LOST;
            }
        };
        if let Some(status) = status {
            if told != Some(status.state) {
                tell(id, &status);
                told = Some(status.state);
            }
            if status.state.is_final() {
                return exit_code(&status);
            }
            polls += 1;
            if !wait && (status.state != DriverState::Submitted || polls >= POLLS) {
                return 0;
            }
        }
        sleep(POLL_INTERVAL).await;
    }
}

fn tell(id: &SubmissionId, status: &DriverStatus) {
    say(format_args!("State of {id} is {}", status.state));
    if let (DriverState::Running, Some((worker_id, address))) = (status.state, &status.worker) {
        say(format_args!("Driver running on {address} ({worker_id})"));
    }
    if !status.message.is_empty() {
        say(&status.message);
    }
}

/// AS-14: that of the driver, as far as it has one.
fn exit_code(status: &DriverStatus) -> u8 {
    match status.state {
        DriverState::Finished => 0,
        DriverState::Failed => {
            status.exit_code.and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0).unwrap_or(1)
        }
        _ => 1,
    }
}

/// `--kill`: has a driver ended; the result is the exit code.
pub fn kill(url: &MasterUrl, submission_id: &str, conf: &SparkConf, environment: &Environment) -> u8 {
    answer(url, conf, environment, ClientRequest::KillDriver(submission_id.into()), |answer| {
        let ClientAnswer::Killed(killed) = answer else { return None };
        let (success, message) = match killed {
            Ok(message) => (true, message),
            Err(message) => (false, message),
        };
        let fields = [("message", json!(message)), ("submissionId", json!(submission_id)), ("success", json!(success))];
        Some(("KillSubmissionResponse", fields.into_iter().collect(), success))
    })
}

/// `--status`: what a driver is; the result is the exit code.
pub fn status(url: &MasterUrl, submission_id: &str, conf: &SparkConf, environment: &Environment) -> u8 {
    answer(url, conf, environment, ClientRequest::DriverStatus(submission_id.into()), |answer| {
        let ClientAnswer::Status(status) = answer else { return None };
        let success = status.is_some();
        let mut fields: Vec<(&str, Value)> = Vec::new();
        match status {
            Some(status) => {
                fields.push(("driverState", json!(status.state.as_str())));
                if !status.message.is_empty() {
                    fields.push(("message", json!(status.message)));
                }
                if let Some((worker_id, address)) = status.worker {
                    fields.extend([("workerHostPort", json!(address)), ("workerId", json!(worker_id.as_str()))]);
                }
            }
            None => fields.push(("message", json!(format!("Driver {submission_id} is not known")))),
        }
        fields.extend([("submissionId", json!(submission_id)), ("success", json!(success))]);
        Some(("SubmissionStatusResponse", fields.into_iter().collect(), success))
    })
}

type Response<'a> = (&'a str, Vec<(&'a str, Value)>, bool);

/// Asks, and prints the answer as Spark's REST client does: scripts read it.
fn answer<'a>(
    url: &MasterUrl,
    conf: &SparkConf,
    environment: &Environment,
    request: ClientRequest,
    read: impl FnOnce(ClientAnswer) -> Option<Response<'a>>,
) -> u8 {
    let asked = Masters::of(url, conf, environment).and_then(|masters| {
        run_alone(async {
            let answered = masters.ask(request).await.map_err(|error| Refusal::Start(error_chain(&error)))?;
            let confused = || Refusal::Start("the master has answered something else".to_owned());
            let (action, fields, success) = read(answered).ok_or_else(confused)?;
            let mut response: BTreeMap<String, Value> =
                fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            response.insert("action".to_owned(), json!(action));
            response.insert("serverSparkVersion".to_owned(), json!(firesteel_conf::SPARK_VERSION));
            let text = serde_json::to_string_pretty(&response).unwrap_or_default();
            say(format_args!("Server responded with {action}:\n{text}"));
            Ok(u8::from(!success))
        })
    });
    report(asked, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_that_of_the_driver() {
        let code = |state, exit_code| {
            super::exit_code(&DriverStatus { state, worker: None, exit_code, message: String::new() })
        };
        assert_eq!(code(DriverState::Finished, Some(0)), 0);
        assert_eq!(code(DriverState::Failed, Some(7)), 7);
        assert_eq!([code(DriverState::Failed, None), code(DriverState::Failed, Some(256))], [1, 1]);
        assert_eq!([code(DriverState::Killed, Some(143)), code(DriverState::Error, None)], [1, 1]);
    }
}
