use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Runs a program, with arguments that have no spaces in them, to its end and gives what it said.
pub(crate) fn run(program: &str, arguments: &str) -> Result<String> {
    run_with(program, arguments, "")
}

/// Likewise, with this on its standard input.
pub(crate) fn run_with(program: &str, arguments: &str, input: &str) -> Result<String> {
    let mut child = Command::new(program)
        .args(arguments.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {program}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "{program} {arguments}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8(output.stdout)?)
}
