use std::io;

use anyhow::{Context, Result};
use mqttguard_tests::bpf::pin_to;

/// Keeps this thread on one processor and puts it before whatever else wants that: a machine that
/// does other things too would be measured with them. Threads and processes that it starts do not
/// inherit the priority.
pub(crate) fn have_processor(cpu: usize) -> Result<()> {
    pin_to(cpu);
    let parameters = libc::sched_param { sched_priority: 1 };
    let policy = libc::SCHED_RR | libc::SCHED_RESET_ON_FORK;
    // SAFETY: the parameters outlive the call, which only reads them.
    let result = unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) };
    if result != 0 {
        return Err(io::Error::last_os_error()).context("no real-time priority");
    }
    Ok(())
}
