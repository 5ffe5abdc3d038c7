use std::net::{SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::Device;

/// How often a flood sends a batch.
const TICK: Duration = Duration::from_millis(1);

/// Sends UDP datagrams of `size` bytes from `device` at `rate` a second for `time`, and gives how
/// many were sent.
pub fn flood(
    device: &Device,
    to: SocketAddr,
    rate: u32,
    size: usize,
    time: Duration,
) -> Result<u64> {
    let socket = device.udp(to)?;
    let payload = vec![0x55; size];
    let start = Instant::now();
    let mut sent: u64 = 0;
    loop {
        let elapsed = start.elapsed().min(time);
        let due = elapsed.as_nanos() * u128::from(rate) / 1_000_000_000;
        while u128::from(sent) < due {
            // An ICMP error about an earlier datagram is told here, once, in place of sending.
            if socket.send(&payload).is_err() {
                socket.send(&payload)?;
            }
            sent += 1;
        }
        if elapsed == time {
            return Ok(sent);
        }
        sleep(TICK);
    }
}

/// Opens `count` TCP connections from `device` to `to` one after another, waiting at most `limit`
/// for each, and gives how many were established.
pub fn open_connections(
    device: &Device,
    to: SocketAddr,
    count: u32,
    limit: Duration,
) -> Result<u32> {
    device.netns().run(|| {
        let mut open = 0;
        for _ in 0..count {
            if TcpStream::connect_timeout(&to, limit).is_ok() {
                open += 1;
            }
        }
        Ok(open)
    })
}
