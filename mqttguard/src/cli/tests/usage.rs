//! What goes wrong, and what to do then.

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use super::answers::answer;
use super::bus::{Bus, Written};
use crate::cli::output::Output;
use crate::cli::{Failure, dispatch};

#[test]
fn failures_say_what_to_do_and_have_their_codes() {
    let bus = Bus::start();
    let absent = bus.run(&["status"]).0.unwrap_err();
    assert!(
        matches!(&absent, Failure::Unreachable(why) if why.contains("/etc/init.d/mqttguard start")),
        "{absent:?}"
    );
    let (_object, _) = bus.serve(answer);
    let refused = bus.run(&["block", "nobody"]).0.unwrap_err();
    assert!(
        matches!(&refused, Failure::Refused(why) if why.contains("no device 'nobody'")),
        "{refused:?}"
    );
    let (code, text) = bus.run(&["reload"]);
    assert_eq!(code.unwrap(), ExitCode::from(1));
    assert!(
        text.starts_with("/etc/config/mqttguard:2: wrong\n"),
        "{text}"
    );

    let socket = bus.socket();
    drop(bus);
    let args = ["--socket", socket.to_str().unwrap(), "status"].map(OsString::from);
    let gone = dispatch(args.into_iter(), &mut Output::plain(Box::new(io::sink()))).unwrap_err();
    assert!(
        matches!(&gone, Failure::Unreachable(why) if why.contains("ubusd")),
        "{gone:?}"
    );
}

#[test]
fn wrong_usage_is_told() {
    for (args, told) in [
        (&[][..], "expected a command"),
        (&["fly"], "unknown command 'fly'"),
        (
            &["enrol"],
            "expected: mqttguard enrol DEVICE [--profile NAME] [--username NAME]",
        ),
        (&["ca", "plug"], "ca: unexpected 'plug'"),
        (&["status", "now"], "status: unexpected 'now'"),
        (&["status", "--follow"], "status has no option --follow"),
        (&["status", "--fly"], "no command has an option --fly"),
        (
            &["events", "--limit", "many"],
            "--limit: found 'many', expected a number",
        ),
        (
            &["block", "a", "--why", "b", "--why", "c"],
            "--why is given twice",
        ),
        (
            &["block", "a", "--why"],
            "missing argument for option '--why'",
        ),
        (&["-x", "status"], "invalid option '-x'"),
    ] {
        let mut output = Output::plain(Box::new(io::sink()));
        match dispatch(args.iter().map(OsString::from), &mut output) {
            Err(Failure::Usage(message)) => assert_eq!(message, told, "{args:?}"),
            other => panic!("{args:?}: {other:?}"),
        }
    }
}

#[test]
fn check_needs_no_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mqttguard");
    std::fs::write(&file, "config mqttguard 'main'\n\toption mode 'x'\n").unwrap();
    let run = || {
        let written = Written::default();
        let args = ["check", "--config", file.to_str().unwrap()].map(OsString::from);
        let code = dispatch(
            args.into_iter(),
            &mut Output::plain(Box::new(written.clone())),
        );
        (code.unwrap(), written.text())
    };
    let name = file.display();
    let mistake = "mqttguard 'main': option mode: found 'x', expected one of: enforce, monitor";
    assert_eq!(run(), (ExitCode::from(1), format!("{name}:2: {mistake}\n")));
    std::fs::write(&file, "").unwrap();
    assert_eq!(run(), (ExitCode::SUCCESS, format!("{name}: no mistakes\n")));
}
