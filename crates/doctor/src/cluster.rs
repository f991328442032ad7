//! The masters of a cluster: whether they can be reached, know the same secret, and what they say.

use std::{
    net::ToSocketAddrs,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use firesteel_master_client::{ask, options};
use firesteel_model::error_chain;
use firesteel_rpc::{Address, Secret};
use firesteel_standalone::{
    RecoveryState,
    protocol::{ClientAnswer, ClientRequest},
};
use tokio::runtime::Builder;

use crate::finding::Finding;

/// How long each master may take to answer.
const TIME_OUT: Duration = Duration::from_secs(5);
/// Times in logs and pages of several machines that differ by more mislead.
const CLOCK_DIFFERENCE_MS: i64 = 2000;

const SUBJECT: &str = "master";

pub(crate) fn look(masters: &[Address], secret: &Secret) -> Vec<Finding> {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return vec![Finding::problem(SUBJECT, format!("no thread to ask it with: {error}"), "")],
    };
    let mut findings = Vec::new();
    let mut leads = false;
    for master in masters {
        if let Some(finding) = unresolved(master) {
            findings.push(finding);
            continue;
        }
        let alone = std::slice::from_ref(master);
        let asked = Instant::now();
        match runtime.block_on(ask(alone, secret, &options(), &ClientRequest::MasterStatus, TIME_OUT)) {
            Ok(ClientAnswer::Master { state, leader }) => {
                let took = asked.elapsed().as_millis();
                leads |= state == RecoveryState::Alive;
                let leader = leader.map(|leader| format!("; {} leads", leader.url)).unwrap_or_default();
                findings.push(Finding::fine(SUBJECT, format!("{master} is {state}, {took} ms away{leader}")));
            }
            Ok(_) => findings.push(Finding::problem(
                SUBJECT,
                format!("{master} has answered another question"),
                "use the same release on every machine",
            )),
            Err(error) => findings.push(Finding::problem(
                SUBJECT,
                error_chain(&error),
                "is it running, its port open in firewalls, and conf/cluster-secret the same as there?",
            )),
        }
    }
    if leads {
        let asked_ms = now_ms();
        let new = runtime.block_on(ask(masters, secret, &options(), &ClientRequest::NewApplication, TIME_OUT));
        if let Ok(ClientAnswer::NewApplication(new)) = new {
            findings.push(workers(new.workers, new.cores));
            findings.push(clock(new.submitted_ms - asked_ms.midpoint(now_ms())));
        }
    } else if findings.iter().all(|finding| finding.verdict == crate::Verdict::Fine) {
        findings.push(Finding::problem(SUBJECT, "no master leads", "wait until one has recovered; see its log"));
    }
    findings
}

fn unresolved(master: &Address) -> Option<Finding> {
    let Address::Tcp { host, port } = master else { return None };
    let found = (host.as_str(), *port).to_socket_addrs().map(|mut found| found.next().is_some());
    if found.as_ref().is_ok_and(|found| *found) {
        return None;
    }
    let why = found.err().map(|error| format!(": {error}")).unwrap_or_default();
    Some(Finding::problem(
        SUBJECT,
        format!("{host} leads to no address{why}"),
        "check its name; add it to /etc/hosts or DNS",
    ))
}

fn workers(workers: u32, cores: u32) -> Finding {
    const SUBJECT: &str = "workers";
    match workers {
        0 => Finding::problem(
            SUBJECT,
            "none has registered, so applications wait",
            "run sbin/start-workers.sh, and see the workers' logs",
        ),
        _ => Finding::fine(SUBJECT, format!("{workers} with {cores} cores")),
    }
}

fn clock(ahead_ms: i64) -> Finding {
    const SUBJECT: &str = "clock";
    if ahead_ms.abs() > CLOCK_DIFFERENCE_MS {
        let which = if ahead_ms > 0 { "ahead of" } else { "behind" };
        return Finding::warning(
            SUBJECT,
            format!("the master's is {:.1} s {which} this machine's", ahead_ms.abs() as f64 / 1000.0),
            "times in logs and pages will not fit together: let NTP set both",
        );
    }
    Finding::fine(SUBJECT, format!("the master's differs by {} ms", ahead_ms.abs()))
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Verdict;

    #[test]
    fn clocks_and_workers_are_judged() {
        assert_eq!((clock(-1500).verdict, clock(9000).verdict), (Verdict::Fine, Verdict::Warning));
        assert!(clock(-9000).found.contains("9.0 s behind"));
        assert_eq!((workers(0, 0).verdict, workers(2, 8).verdict), (Verdict::Problem, Verdict::Fine));
    }

    #[test]
    fn a_master_that_is_not_there_is_a_problem_and_so_is_a_name_that_leads_nowhere() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let masters = [Address::tcp("127.0.0.1", closed), Address::tcp("no-such-host.invalid", 7077)];
        let findings = look(&masters, &Secret::generate());
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings.iter().all(|finding| finding.verdict == Verdict::Problem), "{findings:?}");
        assert!(findings[1].found.contains("no-such-host.invalid leads to no address"), "{findings:?}");
    }
}
