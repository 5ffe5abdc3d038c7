use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;
use ubus::client::UbusClient;
use ubus::json::{blobmsg_to_json, json_to_blobmsg};
use ubus::unix::UnixUbusTransport;

use crate::process::Process;
use crate::{Netns, PATIENCE, tools};

/// The socket of a ubus broker, and calls over it.
#[derive(Clone, Debug)]
pub struct Bus {
    socket: PathBuf,
}

impl Bus {
    /// Starts a broker with its socket in `dir`.
    pub(crate) fn start(netns: &Netns, dir: &Path) -> Result<(Self, Process)> {
        let bus = Self {
            socket: dir.join("ubus.sock"),
        };
        let mut process = Process::start(
            netns,
            Command::new(tools::tool("ubusd")?)
                .arg("--socket")
                .arg(&bus.socket),
            &dir.join("ubusd.log"),
        )?;
        process.wait_ready(PATIENCE, || bus.client())?;
        Ok((bus, process))
    }

    /// Its socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Calls `method` of `object` and gives its answer. Each call has its own connection.
    pub fn call(&self, object: &str, method: &str, arguments: &Value) -> Result<Value> {
        let mut client = self.client()?;
        let id = client
            .lookup(object)
            .map_err(|error| anyhow::anyhow!("no object {object} on the bus: {error}"))?;
        let arguments = json_to_blobmsg(arguments)
            .map_err(|error| anyhow::anyhow!("bad arguments: {error}"))?;
        let reply = client
            .invoke(id, method, &arguments)
            .map_err(|error| anyhow::anyhow!("{object} {method}: {error}"))?;
        blobmsg_to_json(&reply)
            .map_err(|error| anyhow::anyhow!("the answer of {object} {method}: {error}"))
    }

    fn client(&self) -> Result<UbusClient<UnixUbusTransport>> {
        let path = self.socket.to_str().context("socket path is not text")?;
        let mut transport = UnixUbusTransport::connect(path)
            .map_err(|error| anyhow::anyhow!("no bus at {path}: {error}"))?;
        transport.set_deadline(Some(PATIENCE));
        UbusClient::connect(transport).map_err(|error| anyhow::anyhow!("no bus: {error}"))
    }
}
