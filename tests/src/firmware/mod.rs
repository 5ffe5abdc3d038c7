//! Devices with a web interface, as the sources and documents of three firmwares have it: small
//! servers in a device's namespace that store what they are sent, and tell what a device would do
//! with it. None of mqttguard's code is in them.

mod http;
mod openbeken;
mod shelly;
mod tasmota;

use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use mqttguard::ubus::{self, CallError};
use mqttguard_lab::{Device, Lab};
use serde_json::Value;

pub use http::{Reply, Request};
pub use openbeken::OpenBeken;
pub use shelly::{Fault, Shelly};
pub use tasmota::Tasmota;

/// How long a push may take, with what is around it.
const PATIENCE: Duration = Duration::from_secs(25);

/// What a device has been set to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mqtt {
    /// The broker's name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The user name.
    pub username: String,
    /// The password.
    pub password: String,
    /// The device's own topic.
    pub topic: String,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// The CA that it verifies by, in PEM; empty if it has none.
    pub ca: String,
}

/// A web interface.
pub trait Firmware: Send + 'static {
    /// The answer to a request; None drops the connection.
    fn answer(&mut self, request: &Request) -> Option<Reply>;
}

/// A device with its web interface on port 80, until the house is taken down.
pub struct Served<F> {
    firmware: Arc<Mutex<F>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl<F: Firmware> Served<F> {
    /// Serves on the device.
    pub fn on(device: &Device, firmware: F) -> Served<F> {
        let served = Served {
            firmware: Arc::new(Mutex::new(firmware)),
            asked: Arc::default(),
        };
        let (firmware, asked) = (Arc::clone(&served.firmware), Arc::clone(&served.asked));
        let listener = listen(device);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let Some(request) = http::read(&mut stream) else {
                    continue;
                };
                locked(&asked).push(format!("{} {}", request.method, request.path));
                if let Some(reply) = locked(&firmware).answer(&request) {
                    http::write(&mut stream, &reply);
                }
            }
        });
        served
    }

    /// The device as it is now.
    pub fn now(&self) -> MutexGuard<'_, F> {
        locked(&self.firmware)
    }

    /// Methods and paths of all requests so far.
    pub fn asked(&self) -> Vec<String> {
        locked(&self.asked).clone()
    }
}

/// A listener on port 80 of a device.
pub fn listen(device: &Device) -> TcpListener {
    let bind = || Ok(TcpListener::bind("0.0.0.0:80")?);
    device.netns().run(bind).expect("port 80 of a device")
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls `push`, which takes longer than other methods do.
///
/// # Errors
///
/// What the daemon refuses with.
pub fn push(lab: &Lab, args: &Value) -> Result<Value, CallError> {
    let socket = lab.router.bus().socket();
    ubus::call(socket, ubus::OBJECT, "push", args.clone(), PATIENCE)
}
