use std::collections::HashMap;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv, sockopt};

use crate::Netns;
use crate::packet::Arrived;
use crate::traffic::packet_socket;

/// Room for what arrives while the witness does not run; a flood of small frames for a second.
const BUFFER: usize = 64 << 20;

/// Sees every frame that comes in on one interface, and remembers how many came from whom to
/// which port, and each one that was MQTT in the clear.
#[derive(Debug)]
pub struct Witness {
    seen: Arc<Mutex<Seen>>,
    socket: Arc<OwnedFd>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

/// Frames and the bytes in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Frames.
    pub frames: u64,
    /// Bytes, Ethernet header included.
    pub bytes: u64,
}

#[derive(Debug, Default)]
struct Seen {
    flows: HashMap<(IpAddr, u8, u16), Tally>,
    plaintext: Vec<String>,
    secret: Option<Vec<u8>>,
    secret_frames: u64,
}

impl Witness {
    /// Watches `interface` of `netns` until dropped.
    pub fn start(netns: &Netns, interface: &str) -> Result<Self> {
        let socket = Arc::new(netns.run(|| packet_socket(interface, true))?);
        sockopt::set_socket_recv_buffer_size_force(&*socket, BUFFER)?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = netns.spawn({
            let (socket, seen, stop) = (socket.clone(), seen.clone(), stop.clone());
            move || watch(&socket, &seen, &stop)
        });
        Ok(Self {
            seen,
            socket,
            stop,
            thread: Some(thread),
        })
    }

    /// All MQTT in the clear that arrived so far: from where, to which port, what it was.
    /// An error if frames arrived that the witness could not see.
    pub fn plaintext(&self) -> Result<Vec<String>> {
        self.settle()?;
        Ok(self.lock().plaintext.clone())
    }

    /// From now on looks for `secret` in each frame.
    pub fn look_for(&self, secret: &[u8]) {
        self.lock().secret = Some(secret.to_vec());
    }

    /// Frames that the secret stood in so far.
    pub fn secret_frames(&self) -> Result<u64> {
        self.settle()?;
        Ok(self.lock().secret_frames)
    }

    /// What arrived from `source` to `port` by `protocol` so far.
    pub fn tally(&self, source: IpAddr, protocol: u8, port: u16) -> Result<Tally> {
        self.settle()?;
        let flows = &self.lock().flows;
        Ok(flows
            .get(&(source, protocol, port))
            .copied()
            .unwrap_or_default())
    }

    /// Waits until what has arrived is counted, and checks that nothing was missed.
    fn settle(&self) -> Result<()> {
        // Frames are queued on the socket before their sender's system call returns, but for
        // those that the kernel hands to another CPU: give it the time.
        std::thread::sleep(Duration::from_millis(100));
        // The thread may have had no turn.
        self.lock().take_all(&self.socket)?;
        let missed = missed(&self.socket)?;
        if missed > 0 {
            bail!("{missed} frames arrived faster than the witness could look at them");
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Seen {
    /// Takes in all frames that are queued.
    fn take_all(&mut self, socket: &OwnedFd) -> Result<()> {
        let mut buffer = [0; 1 << 16];
        loop {
            match recv(socket, &mut buffer, RecvFlags::DONTWAIT) {
                Ok((length, _)) => self.take(buffer.get(..length).unwrap_or_default())?,
                Err(Errno::INTR | Errno::NETDOWN) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn take(&mut self, frame: &[u8]) -> Result<()> {
        if let Some(secret) = &self.secret
            && frame.windows(secret.len()).any(|part| part == secret)
        {
            self.secret_frames += 1;
        }
        let Some(arrived) = Arrived::parse(frame) else {
            return Ok(());
        };
        let tally = self
            .flows
            .entry((arrived.source, arrived.protocol, arrived.port))
            .or_default();
        tally.frames += 1;
        tally.bytes += u64::try_from(frame.len())?;
        if let Some(what) = arrived.plaintext_mqtt() {
            let line = format!("{} to port {}: {what}", arrived.source, arrived.port);
            self.plaintext.push(line);
        }
        Ok(())
    }
}

/// Takes frames in as they come, so that the socket has room for more.
fn watch(socket: &OwnedFd, seen: &Mutex<Seen>, stop: &AtomicBool) -> Result<()> {
    let turn = Timespec {
        tv_sec: 0,
        tv_nsec: 50_000_000,
    };
    while !stop.load(Ordering::Relaxed) {
        match poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&turn)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.take_all(socket)?;
    }
    Ok(())
}

/// Frames that the kernel had no room for, since this was last asked (PACKET_STATISTICS).
fn missed(socket: &OwnedFd) -> Result<u32> {
    let mut statistics = libc::tpacket_stats {
        tp_packets: 0,
        tp_drops: 0,
    };
    let mut length = libc::socklen_t::try_from(size_of_val(&statistics))?;
    // SAFETY: the pointers are to live locals, and `length` is the size of the first.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut statistics).cast(),
            &raw mut length,
        )
    };
    if result < 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    Ok(statistics.tp_drops)
}
