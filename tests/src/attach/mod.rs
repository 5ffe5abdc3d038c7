//! The program on real interfaces: veth pairs in a network namespace of the test's own.
//!
//! The enforcing process is the test run once more as a child in the namespace, so that it can
//! be killed like a daemon: a test file that uses this has an ignored test `child` that calls
//! [`child`].

mod child;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use mqttguard_common::{Mac, Reason};
use mqttguard_lab::PATIENCE;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::bpf::require_root;
use crate::frames::{Frame, SYN};
use crate::sniffer::{ETH_P_ALL, Sniffer, packet_socket};

pub use child::child;

/// The device whose frames are counted.
pub const DEVICE: Mac = Mac([0x02, 0xc1, 0x1e, 0, 0, 1]);
/// A device that is blocked from the start.
pub const BLOCKED: Mac = Mac([0x02, 0xc1, 0x1e, 0, 0, 2]);
const CHILD: &str = "MQTTGUARD_TEST_ENFORCER";
const HOOK: &str = "MQTTGUARD_TEST_HOOK";

/// A network namespace with a bridge `lanbr` and two ports, `lan1` and `lan2`, whose other ends
/// `dev1` and `dev2` are in it too; and a BPF file system. Gone when dropped.
pub struct Lab {
    namespace: String,
    bpf: PathBuf,
}

impl Lab {
    /// # Panics
    ///
    /// Without root, `ip` or a BPF file system.
    pub fn new(name: &str) -> Self {
        require_root();
        let namespace = format!("mqg-{name}-{}", std::process::id());
        let bpf = std::env::temp_dir().join(&namespace);
        fs::create_dir_all(&bpf).unwrap();
        let lab = Lab { namespace, bpf };
        sh(&format!("mount -t bpf bpf {}", lab.bpf.display()));
        sh(&format!("ip netns add {}", lab.namespace));
        lab.ip("link add name lanbr type bridge");
        lab.ip("link set lanbr up");
        for port in 1..=2 {
            lab.ip(&format!("link add lan{port} type veth peer name dev{port}"));
            lab.ip(&format!("link set lan{port} master lanbr up"));
            lab.ip(&format!("link set dev{port} up"));
        }
        lab
    }

    /// Runs `ip` in the namespace.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn ip(&self, arguments: &str) {
        sh(&format!("ip -n {} {arguments}", self.namespace));
    }

    /// Runs a command in the namespace. The BPF file systems are those of the test.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn run(&self, command: &str) {
        sh(&format!(
            "nsenter --net=/run/netns/{} {command}",
            self.namespace
        ));
    }

    /// Runs `work` on a thread in the namespace.
    ///
    /// # Panics
    ///
    /// If it does.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/run/netns/{}", self.namespace)).unwrap();
        thread::scope(|scope| {
            let entered = scope.spawn(move || {
                let network = Some(LinkNameSpaceType::Network);
                move_into_link_name_space(namespace.as_fd(), network).unwrap();
                work()
            });
            entered.join().unwrap()
        })
    }

    /// Has the kernel say nothing of its own accord out of an interface.
    ///
    /// # Panics
    ///
    /// If it cannot be silenced.
    pub fn silence(&self, interface: &str) {
        let switch = format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6");
        self.inside(|| fs::write(switch, "1").unwrap());
    }

    /// The index of an interface in the namespace.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn index(&self, interface: &str) -> u32 {
        self.inside(|| {
            let name = std::ffi::CString::new(interface).unwrap();
            // SAFETY: a string that ends with 0.
            let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
            assert!(index != 0, "{interface}: {}", io::Error::last_os_error());
            index
        })
    }

    /// Attaches a program as somebody else would, until what is returned is dropped.
    ///
    /// # Panics
    ///
    /// If the kernel refuses.
    pub fn attach(&self, program: BorrowedFd<'_>, interface: &str, place: Place) -> OwnedFd {
        const BPF_LINK_CREATE: libc::c_int = 28;
        let index = self.index(interface);
        let (kind, flags) = match place {
            Place::NativeXdp => (37, 4),
            Place::FirstTcx => (46, 8),
        };
        // prog_fd, target_ifindex, attach_type, flags; nothing about whom to stand before.
        let mut words = [program.as_raw_fd() as u32, index, kind, flags, 0, 0, 0, 0];
        self.inside(move || {
            // SAFETY: the attributes are as linux/bpf.h lays them out and outlive the call.
            let fd = unsafe {
                libc::syscall(
                    libc::SYS_bpf,
                    BPF_LINK_CREATE,
                    words.as_mut_ptr(),
                    size_of_val(&words),
                )
            };
            assert!(fd >= 0, "{}", io::Error::last_os_error());
            // SAFETY: just opened, owned by nobody else.
            unsafe { OwnedFd::from_raw_fd(fd as i32) }
        })
    }

    /// Sends a frame out of an interface again and again, with a pause in between, until told to
    /// stop. Returns how often.
    ///
    /// # Panics
    ///
    /// If it cannot be sent.
    pub fn flood(&self, interface: &str, frame: &[u8], pause: Duration, stop: &AtomicBool) -> u64 {
        let index = self.index(interface);
        let socket = self.inside(|| packet_socket(index, 0));
        let mut sent = 0;
        while !stop.load(Ordering::Relaxed) {
            match rustix::io::write(&socket, frame) {
                Ok(_) => sent += 1,
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::NOBUFS) => {}
                Err(error) => panic!("{error}"),
            }
            thread::sleep(pause);
        }
        sent
    }

    /// Counts the frames of both devices that come out of an interface, from now on.
    ///
    /// # Panics
    ///
    /// If it cannot be listened to.
    pub fn listen(&self, interface: &str) -> Sniffer {
        let index = self.index(interface);
        let socket = self.inside(|| packet_socket(index, ETH_P_ALL));
        Sniffer::new(socket, [DEVICE, BLOCKED])
    }

    /// A directory on the BPF file system for the pins of others.
    pub fn bpf(&self) -> &Path {
        &self.bpf
    }

    /// Where the enforcer's pins are.
    pub fn pins(&self) -> PathBuf {
        self.bpf.join("mqttguard")
    }

    /// Starts an enforcer by this hook setting, on all ports of the bridge.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn enforcer(&self, hook: &str) -> Process {
        let mut child = Command::new("nsenter")
            .arg(format!("--net=/run/netns/{}", self.namespace))
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored", "--nocapture"])
            .env(CHILD, self.pins())
            .env(HOOK, hook)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stdout = child.stdout.take().unwrap();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Process {
            stdin: child.stdin.take().unwrap(),
            child,
            lines,
        }
    }

    /// Sends frames out of an interface of the namespace.
    ///
    /// # Panics
    ///
    /// If they cannot be sent.
    pub fn send(&self, interface: &str, frame: &[u8], count: usize) {
        let index = self.index(interface);
        let socket = self.inside(|| packet_socket(index, 0));
        for _ in 0..count {
            assert_eq!(rustix::io::write(&socket, frame), Ok(frame.len()));
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for command in [
            format!("ip netns del {}", self.namespace),
            format!("umount {}", self.bpf.display()),
            format!("rmdir {}", self.bpf.display()),
        ] {
            let _ = Command::new("sh").args(["-c", &command]).status();
        }
    }
}

fn sh(command: &str) {
    let status = Command::new("sh").args(["-c", command]).status().unwrap();
    assert!(status.success(), "{command}");
}

/// Where another program is attached.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// The driver's XDP hook.
    NativeXdp,
    /// TCX ingress, before all that are there.
    FirstTcx,
}

/// A child that runs an [`mqttguard::enforce::Enforcer`] and answers on its standard output.
pub struct Process {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Process {
    /// Waits for a line that starts so; what comes before it is passed over.
    ///
    /// # Panics
    ///
    /// If there is none within [`PATIENCE`].
    pub fn expect(&self, start: &str) -> String {
        self.expect_within(start, PATIENCE)
    }

    /// As [`Process::expect`], within this time.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn expect_within(&self, start: &str, time: Duration) -> String {
        let deadline = Instant::now() + time;
        let mut passed = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.starts_with(start) => return line,
                Ok(line) => passed.push(line),
                Err(_) => panic!("no line starts with {start:?}; there were {passed:#?}"),
            }
        }
    }

    /// Tells it something; see [`child`].
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn ask(&mut self, question: &str) {
        writeln!(self.stdin, "{question}").unwrap();
    }

    /// How many of the device's frames it has counted so.
    ///
    /// # Panics
    ///
    /// If it does not answer.
    pub fn counted(&mut self, reason: Reason) -> u64 {
        self.ask(&format!("count {}", reason as u8));
        let line = self.expect("counted ");
        line["counted ".len()..].parse().unwrap()
    }

    /// The lines since the last that was waited for.
    pub fn lines(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    /// What it says of an interface: hook, proof and why.
    ///
    /// # Panics
    ///
    /// If it says nothing.
    pub fn attachment(&mut self, interface: &str) -> String {
        self.ask("attachments");
        let line = self.expect(&format!("at {interface} by "));
        line[format!("at {interface} by ").len()..].to_owned()
    }

    /// Waits until what it says of an interface starts so.
    ///
    /// # Panics
    ///
    /// If it does not within this time.
    pub fn wait_attachment(&mut self, interface: &str, start: &str, time: Duration) -> String {
        let deadline = Instant::now() + time;
        loop {
            let shown = self.attachment(interface);
            if shown.starts_with(start) {
                return shown;
            }
            assert!(Instant::now() < deadline, "{shown}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until that many frames are counted.
    ///
    /// # Panics
    ///
    /// If it is not so within [`PATIENCE`], or more are.
    pub fn wait_counted(&mut self, reason: Reason, frames: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.counted(reason) < frames && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(self.counted(reason), frames);
    }

    /// Kills it.
    ///
    /// # Panics
    ///
    /// If it cannot be killed.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Has it take the program off and end.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn detach(mut self) {
        self.ask("detach");
        self.expect("detached all");
        assert!(self.child.wait().unwrap().success());
    }
}

/// A SYN of the device to port 1883, to every port of the bridge.
pub fn plaintext() -> Vec<u8> {
    syn(DEVICE, 1883)
}

/// A SYN of the blocked device to port 443, to every port of the bridge.
pub fn from_blocked() -> Vec<u8> {
    syn(BLOCKED, 443)
}

fn syn(device: Mac, port: u16) -> Vec<u8> {
    let cloud = Ipv4Addr::new(192, 0, 2, 1).into();
    let mut frame = Frame::tcp(device, cloud, port, SYN, &[]).bytes();
    // To everybody, so that the bridge passes it on.
    frame[..6].fill(0xff);
    frame
}
