use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::{Device, PATIENCE};

/// An MQTT 3.1.1 CONNECT (section 3.1) with the client identifier `lab`.
pub const CONNECT: &[u8] = b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03lab";

/// Asks the web server at `to` for a page and gives its status line.
pub fn web_request(device: &Device, to: SocketAddr) -> Result<String> {
    let mut stream = device.connect(to, PATIENCE)?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: cloud\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let line = answer.lines().next().unwrap_or_default();
    if !line.starts_with("HTTP/1.1 200") {
        bail!("the web server at {to} answered {line:?}");
    }
    Ok(line.to_owned())
}

/// Connects to `to` and says `bytes`; gives what comes back, at least one byte.
pub fn say(device: &Device, to: SocketAddr, bytes: &[u8], limit: Duration) -> Result<Vec<u8>> {
    let mut stream = device.connect(to, limit)?;
    stream.write_all(bytes)?;
    let mut answer = vec![0; 4096];
    let length = stream
        .read(&mut answer)
        .with_context(|| format!("{to} did not answer {}", device.name()))?;
    if length == 0 {
        bail!("{to} closed the connection of {}", device.name());
    }
    answer.truncate(length);
    Ok(answer)
}

/// Connects to `to` and says an MQTT CONNECT in the clear; gives what comes back.
pub fn plaintext_connect(device: &Device, to: SocketAddr, limit: Duration) -> Result<Vec<u8>> {
    say(device, to, CONNECT, limit)
}

/// Sends a datagram to the name server at `to` and waits for its answer.
pub fn ask_name(device: &Device, to: SocketAddr) -> Result<()> {
    let socket = device.udp(to)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send(b"who is cloud?")?;
    let mut answer = [0; 512];
    socket
        .recv(&mut answer)
        .with_context(|| format!("{} got no answer from the name server {to}", device.name()))?;
    Ok(())
}
