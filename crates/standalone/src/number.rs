//! Ids with the time in them (SA-30).

use firesteel_model::{ApplicationId, SubmissionId, WorkerId};
use jiff::Timestamp;

/// `app-yyyyMMddHHmmss-NNNN`, in UTC, so that two masters of one cluster never count differently.
pub fn application_id(wall_clock_ms: i64, number: u64) -> ApplicationId {
    ApplicationId::new(format!("app-{}-{number:04}", date(wall_clock_ms)))
}

/// `driver-yyyyMMddHHmmss-NNNN`.
pub fn submission_id(wall_clock_ms: i64, number: u64) -> SubmissionId {
    SubmissionId::new(format!("driver-{}-{number:04}", date(wall_clock_ms)))
}

/// `worker-yyyyMMddHHmmss-HOST-PORT`. A host that is an IPv6 address keeps its colons, as in Spark.
pub fn worker_id(wall_clock_ms: i64, host: &str, port: u16) -> WorkerId {
    WorkerId::new(format!("worker-{}-{host}-{port}", date(wall_clock_ms)))
}

fn date(wall_clock_ms: i64) -> String {
    let moment = Timestamp::from_millisecond(wall_clock_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    moment.strftime("%Y%m%d%H%M%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_time_and_a_number() {
        let now = 1_795_264_440_123;
        assert_eq!(application_id(now, 7).as_str(), "app-20261121123400-0007");
        assert_eq!(submission_id(now, 12_345).as_str(), "driver-20261121123400-12345");
        assert_eq!(worker_id(now, "10.0.0.5", 7078).as_str(), "worker-20261121123400-10.0.0.5-7078");
        assert_eq!(application_id(i64::MAX, 0).as_str(), "app-19700101000000-0000", "a clock that is no clock");
    }
}
