//! The cases, one promise each.

use firesteel_messages::ExecutorMessage;
use firesteel_model::ExecutorId;
use rustix::process::Signal;

use crate::{
    ManagerHarness,
    application::{Application, News},
    executor::{BUILD_ID, Behaviour},
};

pub(crate) type Case = fn(&dyn ManagerHarness);

pub(crate) const ALL: &[(&str, Case)] = &[
    ("as_many_executors_start_as_are_wanted", as_many_executors_start_as_are_wanted),
    ("a_killed_executor_is_replaced_if_that_is_wanted", a_killed_executor_is_replaced_if_that_is_wanted),
    ("a_killed_executor_is_not_replaced_if_that_is_not_wanted", a_killed_executor_is_not_replaced_if_not_wanted),
    ("as_many_executors_are_started_as_are_requested", as_many_executors_are_started_as_are_requested),
    ("an_executor_is_killed_before_it_has_registered", an_executor_is_killed_before_it_has_registered),
    ("an_executor_that_dies_is_replaced_and_the_reason_told", an_executor_that_dies_is_replaced),
    ("executors_that_never_register_are_given_up_with_a_reason", executors_that_never_register_are_given_up),
    ("stop_ends_executors_that_do_not_listen", stop_ends_executors_that_do_not_listen),
    ("stop_ends_executors_that_are_starting", stop_ends_executors_that_are_starting),
    ("a_second_stop_does_nothing", a_second_stop_does_nothing),
    ("unknown_executors_are_ignored", unknown_executors_are_ignored),
    ("registrations_that_nobody_asked_for_are_refused", registrations_that_nobody_asked_for_are_refused),
];

fn as_many_executors_start_as_are_wanted(harness: &dyn ManagerHarness) {
    let application = Application::start(harness, 3, Behaviour::Good);
    let executors = application.wait_for_added(3);
    assert!(executors.iter().all(|executor_id| application.is_running(executor_id)));
    let ended = application.stop();
    assert_eq!(ended.started, 3);
}

fn a_killed_executor_is_replaced_if_that_is_wanted(harness: &dyn ManagerHarness) {
    let application = Application::start(harness, 2, Behaviour::Good);
    let killed = application.wait_for_added(2)[0].clone();
    application.kill(&killed, true);
    let reason = application.wait_for_removed(&killed);
    assert!(reason.contains("the suite wants it so"), "{reason}");
    application.wait_for_added(3);
    application.wait_until("the killed process to end", || (!application.is_running(&killed)).then_some(()));
    assert_eq!(application.stop().started, 3);
}

fn a_killed_executor_is_not_replaced_if_not_wanted(harness: &dyn ManagerHarness) {
    let application = Application::start(harness, 2, Behaviour::Good);
    let executors = application.wait_for_added(2);
    application.kill(&executors[0], false);
    application.wait_for_removed(&executors[0]);
    application.wait_until("the killed process to end", || (!application.is_running(&executors[0])).then_some(()));
    // The other one's successor comes after all that could have come for the first.
    application.kill(&executors[1], true);
    application.wait_for_added(3);
    assert_eq!(application.stop().started, 3);
}

fn as_many_executors_are_started_as_are_requested(harness: &dyn ManagerHarness) {
    let application = Application::start(harness, 3, Behaviour::Good);
    let executors = application.wait_for_added(3);
    // Fewer end nobody, and nobody follows who ends.
    application.request_total(1);
    for executor_id in &executors[..2] {
        application.kill(executor_id, true);
        application.wait_for_removed(executor_id);
        application.wait_until("the killed process to end", || (!application.is_running(executor_id)).then_some(()));
    }
    assert_eq!(application.started().len(), 3);
    application.request_total(3);
    application.wait_for_added(5);
    application.kill(&executors[2], false);
    application.wait_for_removed(&executors[2]);
    application.request_total(3);
    application.wait_for_added(6);
    assert_eq!(application.stop().started, 6);
}

fn an_executor_is_killed_before_it_has_registered(harness: &dyn ManagerHarness) {
    let application = Application::start(harness, 1, Behaviour::NeverRegisters);
    let started = application.wait_until("an executor to start", || application.started().first().cloned());
    application.kill(&started, false);
    application.wait_until("the killed process to end", || (!application.is_running(&started)).then_some(()));
    assert_eq!(application.stop().started, 1);
}

fn an_executor_that_dies_is_replaced(harness: &dyn ManagerHarness) {
    let application = Application::start(harness, 2, Behaviour::Good);
    let died = application.wait_for_added(2)[1].clone();
    application.signal(&died, Signal::KILL);
    let reason = application.wait_for_removed(&died);
    assert!(reason.contains("signal 9"), "{reason}");
    application.wait_for_added(3);
    assert_eq!(application.stop().started, 3);
}

fn executors_that_never_register_are_given_up(harness: &dyn ManagerHarness) {
    let application = Application::start(harness, 1, Behaviour::EndsAtOnce);
    let message = application.failure_of_job();
    assert!(message.contains("before they had registered"), "{message}");
    assert!(message.contains("code 3"), "{message}");
    // Nor does a later job wait for ever.
    assert!(application.failure_of_job().contains("before they had registered"));
    let ended = application.stop();
    assert_eq!(ended.news, [] as [News; 0]);
    assert!(ended.started > 1, "one failure is not yet a reason to give up");
}

fn stop_ends_executors_that_do_not_listen(harness: &dyn ManagerHarness) {
    let application = Application::start(harness, 2, Behaviour::IgnoresStop);
    application.wait_for_added(2);
    assert_eq!(application.stop().started, 2);
}

fn stop_ends_executors_that_are_starting(harness: &dyn ManagerHarness) {
    // At once, and when the first process is there: whatever the manager is at.
    Application::start(harness, 3, Behaviour::Good).stop();
    for behaviour in [Behaviour::Good, Behaviour::NeverRegisters, Behaviour::EndsAtOnce] {
        let application = Application::start(harness, 3, behaviour);
        application.wait_until("an executor to start", || application.started().first().cloned());
        application.stop();
    }
}

fn a_second_stop_does_nothing(harness: &dyn ManagerHarness) {
    let application = Application::start(harness, 1, Behaviour::Good);
    application.wait_for_added(1);
    application.stop_twice();
}

fn unknown_executors_are_ignored(harness: &dyn ManagerHarness) {
    let application = Application::start(harness, 1, Behaviour::Good);
    let executor_id = application.wait_for_added(1)[0].clone();
    for replace in [true, false] {
        application.kill(&ExecutorId::new("nobody"), replace);
    }
    // What comes after it is as ever.
    application.kill(&executor_id, true);
    application.wait_for_added(2);
    // Of one that is gone, too.
    application.kill(&executor_id, true);
    assert_eq!(application.stop().started, 2);
}

fn registrations_that_nobody_asked_for_are_refused(harness: &dyn ManagerHarness) {
    let application = Application::start(harness, 1, Behaviour::Good);
    let executor_id = application.wait_for_added(1)[0].clone();
    let version = firesteel_messages::VERSION;
    let builds = format!(
        "another binary than the driver: build 08080808 of Firesteel {version}, where the driver is build 07070707 of \
         Firesteel {version}"
    );
    let strangers = [
        (executor_id.clone(), BUILD_ID, "registered already"),
        (ExecutorId::new("stranger"), BUILD_ID, "asked for no executor"),
        (executor_id.clone(), [8; 32], &builds),
    ];
    for (stranger, build_id, expected) in strangers {
        match application.register(&stranger, build_id) {
            Some(ExecutorMessage::Refused(reason)) => assert!(reason.contains(expected), "{reason}"),
            other => panic!("{stranger} was not refused but told {other:?}"),
        }
    }
    assert!(application.is_running(&executor_id));
    assert_eq!(application.news(), [News::Added(executor_id)]);
    assert_eq!(application.stop().started, 1);
}
