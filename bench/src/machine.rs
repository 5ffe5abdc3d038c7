use std::fs;

/// What the numbers were measured on, without saying whose it is.
pub fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split(": ").nth(1))
        .unwrap_or("unknown CPU");
    let cores = cpus.lines().filter(|l| l.starts_with("processor")).count();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory
        .split_whitespace()
        .nth(1)
        .and_then(|number| number.parse::<f64>().ok())
        .unwrap_or_default();
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = release.trim().split('-').next().unwrap_or_default();
    let gigabytes = kib / 1024.0 / 1024.0;
    format!("{model}, {cores} cores, {gigabytes:.0} GB of memory, Linux {kernel}")
}

/// Load on the machine in the last minute, this program's included.
pub fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
