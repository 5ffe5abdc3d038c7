//! The `mqttguard` command; see [`mqttguard::cli`].

fn main() -> std::process::ExitCode {
    mqttguard::cli::run(std::env::args_os().skip(1))
}
