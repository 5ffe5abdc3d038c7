//! Wires that can be cut.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A wire to a server on loopback that can be cut, at any byte.
pub struct Wire {
    /// Where to connect to have it in between.
    pub port: u16,
    left: Arc<AtomicI64>,
}

impl Wire {
    /// To a port.
    pub fn to(port: u16) -> Wire {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let wire = Wire {
            port: socket.local_addr().unwrap().port(),
            left: Arc::new(AtomicI64::new(i64::MAX)),
        };
        let left = Arc::clone(&wire.left);
        std::thread::spawn(move || {
            for near in socket.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
                    continue;
                };
                for (mut from, mut to) in [
                    (near.try_clone().unwrap(), far.try_clone().unwrap()),
                    (far, near),
                ] {
                    let left = Arc::clone(&left);
                    std::thread::spawn(move || pass(&mut from, &mut to, &left));
                }
            }
        });
        wire
    }

    /// Cuts it after so many more bytes, in both directions together.
    pub fn cut_after(&self, bytes: i64) {
        self.left.store(bytes, Ordering::SeqCst);
    }

    /// Whether it was cut since.
    pub fn is_cut(&self) -> bool {
        self.left.load(Ordering::SeqCst) <= 0
    }
}

fn pass(from: &mut TcpStream, to: &mut TcpStream, left: &AtomicI64) {
    let mut bytes = [0; 1024];
    while let Ok(found @ 1..) = from.read(&mut bytes) {
        let length = i64::try_from(found).unwrap();
        let before = left.fetch_sub(length, Ordering::SeqCst);
        let passes = usize::try_from(before.clamp(0, length)).unwrap();
        if to.write_all(&bytes[..passes]).is_err() || passes < found {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
