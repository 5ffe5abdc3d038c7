//! The process that enforces.

use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use mqttguard::config::Hook;
use mqttguard::enforce::{Attachment, Enforcer, Progress, Report, Target};
use mqttguard::registry::{DevicePolicy, Standing};
use mqttguard_lab::wait_for;

use super::{BLOCKED, CHILD, DEVICE, HOOK};
use crate::bpf::{GOOD, rules};

/// How long the kernel may take to verify the program.
const LOADING: Duration = Duration::from_secs(60);

/// The child's side of [`super::Process`].
///
/// It is asked line by line: `count` and a reason, `hook` and a setting, `forget all`,
/// `attachments`, `detach`.
///
/// # Panics
///
/// If enforcement fails.
pub fn child() {
    let Some(pins) = std::env::var_os(CHILD) else {
        return;
    };
    let target = Target {
        devices: vec!["lanbr".into()],
        hook: hook(&std::env::var(HOOK).unwrap()),
    };
    let blocked = DevicePolicy {
        standing: Standing::Blocked,
        ..GOOD
    };
    let report = |report| match report {
        Report::Attachment {
            interface,
            what,
            detail,
            notes: _,
        } => println!("{interface} {what} {detail}"),
        Report::Frame(event) => println!("event {} {}", event.mac, event.reason.name()),
    };
    let devices = [(BLOCKED, blocked)];
    let mut enforcer =
        Enforcer::start(Path::new(&pins), &target, &rules(), &devices, report).unwrap();
    standing(&enforcer, |_| true);
    let known = enforcer.known().count();
    enforcer.set_device(DEVICE, &GOOD).unwrap();
    println!("ready, {known} known");
    for line in std::io::stdin().lines().map_while(Result::ok) {
        match line.split_once(' ') {
            Some(("count", reason)) => {
                let reason: usize = reason.parse().unwrap();
                let counters = enforcer.counters().unwrap();
                let found = counters.iter().find(|(mac, _)| *mac == DEVICE).unwrap();
                println!("counted {}", found.1.frames[reason]);
            }
            Some(("hook", name)) => {
                let target = Target {
                    hook: hook(name),
                    ..target.clone()
                };
                enforcer.retarget(&target);
                let by: &[_] = match name {
                    "auto" => &["xdp"],
                    "tc" => &["tc", "tcx"],
                    other => &[other],
                };
                standing(&enforcer, |attachment| {
                    attachment.hook.is_some_and(|hook| by.contains(&hook))
                });
                println!("retargeted");
            }
            Some(("forget", _)) => {
                enforcer.remove_device(DEVICE).unwrap();
                println!("{} known", enforcer.known().count());
            }
            _ if line == "attachments" => {
                for attachment in standing(&enforcer, |_| true) {
                    println!(
                        "at {} by {} {:?} {}",
                        attachment.interface,
                        attachment.hook.unwrap_or("nothing"),
                        attachment.proof,
                        attachment.why()
                    );
                }
            }
            _ => {
                enforcer.detach().unwrap();
                println!("detached all");
                return;
            }
        }
    }
}

/// Waits until the program stands, each attachment `as_wanted`.
fn standing(enforcer: &Enforcer, as_wanted: impl Fn(&Attachment) -> bool) -> Vec<Attachment> {
    wait_for("program that stands", LOADING, || {
        match enforcer.progress() {
            Progress::Standing(found) if found.iter().all(&as_wanted) => Ok(Some(found)),
            Progress::Failed(error) => panic!("{error}"),
            progress => bail!("{progress:?}"),
        }
    })
    .unwrap()
}

fn hook(name: &str) -> Hook {
    match name {
        "auto" => Hook::Auto,
        "xdp" => Hook::Xdp,
        "xdp-generic" => Hook::XdpGeneric,
        "tc" => Hook::Tc,
        other => panic!("{other}"),
    }
}
