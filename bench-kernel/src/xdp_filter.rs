use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result, anyhow};
use aya::programs::{ProgramFd, loaded_programs};
use mqttguard_common::Mac;
use mqttguard_tests::net::Namespace;

use crate::command::run;

const INTERFACE: &str = "filtered";

/// xdp-filter, loaded with all its features and a rule of each kind on an interface where nothing
/// passes.
pub(crate) struct XdpFilter {
    program: ProgramFd,
    _namespace: Namespace,
}

impl XdpFilter {
    /// Loads it. It drops what comes from `blocked`, and TCP to `port`.
    pub(crate) fn load(blocked: Mac, port: u16) -> Result<Self> {
        let namespace = Namespace::new();
        namespace.ip(&format!("link add {INTERFACE} type veth peer name other"));
        let id = namespace.run(move || -> Result<u32> {
            run("xdp-filter", &format!("load --mode native {INTERFACE}"))?;
            run("xdp-filter", &format!("port {port} --mode dst --proto tcp"))?;
            run("xdp-filter", &format!("ether {blocked} --mode src"))?;
            // TEST-NET-2 (RFC 5737) and the prefix for documentation (RFC 3849).
            run("xdp-filter", "ip 198.51.100.7 --mode dst")?;
            run("xdp-filter", "ip 2001:db8:7::7 --mode dst")?;
            let link = run("ip", &format!("-json link show dev {INTERFACE}"))?;
            let link: serde_json::Value = serde_json::from_str(&link)?;
            let id = link.pointer("/0/xdp/prog/id").and_then(|id| id.as_u64());
            Ok(u32::try_from(id.context("no program on its interface")?)?)
        })?;
        let mut programs = loaded_programs().filter_map(Result::ok);
        let info = programs
            .find(|info| info.id() == id)
            .ok_or_else(|| anyhow!("the kernel does not list program {id}"))?;
        Ok(XdpFilter {
            program: info.fd()?,
            _namespace: namespace,
        })
    }
}

impl AsFd for XdpFilter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.program.as_fd()
    }
}
