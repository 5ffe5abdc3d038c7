use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::home::Home;
use crate::packet::Mac;
use crate::traffic::RawSender;
use crate::{Netns, address, dhcp};

/// A device on the LAN, in a namespace of its own with one interface, `eth0`.
#[derive(Debug)]
pub struct Device {
    name: String,
    mac: Mac,
    port: String,
    netns: Netns,
    dir: PathBuf,
    address: Option<Ipv4Addr>,
    address6: Ipv6Addr,
}

impl Device {
    /// Makes the device and plugs it into the router's bridge.
    pub(crate) fn plug_in(home: &Home, router: &Netns, index: usize, name: &str) -> Result<Self> {
        let number = u8::try_from(index + 1).context("too many devices")?;
        let mac = Mac([0x02, 0x4d, 0x47, 0x00, 0x01, number]);
        let address6 = Ipv6Addr::new(0xfd77, 0x77, 0x77, 0, 0, 0, 0, 0x100 + u16::from(number));
        let netns = Netns::create(home.netns_name(name))?;
        let port = format!("lan{index}");
        router.ip_batch(&format!(
            "link add {port} type veth peer name eth0 address {mac} netns {}\n\
             link set {port} master br-lan\n\
             link set {port} up\n",
            netns.name()
        ))?;
        netns.ip_batch(&format!(
            "link set eth0 up\n\
             address add {address6}/64 dev eth0\n\
             route add default via {} dev eth0\n",
            address::ROUTER6
        ))?;
        let dir = home.dir().join(name);
        fs::create_dir(&dir)?;
        Ok(Self {
            name: name.to_owned(),
            mac,
            port,
            netns,
            dir,
            address: None,
            address6,
        })
    }

    /// Asks for an address by DHCP, with the device's name as host name, and sets it.
    pub fn request_address(&mut self) -> Result<Ipv4Addr> {
        self.request_address_saying(None, &[])
    }

    /// The same, and says more of itself: a vendor class, and options by number and bytes.
    pub fn request_address_saying(
        &mut self,
        vendor_class: Option<&str>,
        options: &[(u8, &[u8])],
    ) -> Result<Ipv4Addr> {
        let mut more = Vec::new();
        if let Some(class) = vendor_class {
            more.extend(["-V".to_owned(), class.to_owned()]);
        }
        for (number, bytes) in options {
            let bytes: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            more.extend(["-x".to_owned(), format!("{number}:{bytes}")]);
        }
        let address = dhcp::request(&self.netns, &self.dir, &self.name, &more)?;
        self.address = Some(address);
        Ok(address)
    }

    /// Its name: the host name it gives to DHCP.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its MAC address.
    pub fn mac(&self) -> Mac {
        self.mac
    }

    /// Its MAC address as text, as mqttguard shows it.
    pub fn mac_text(&self) -> String {
        self.mac.to_string()
    }

    /// The bridge port that it is plugged into.
    pub fn port(&self) -> &str {
        &self.port
    }

    /// Its namespace.
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// The directory of its files.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The address that DHCP gave it.
    pub fn address(&self) -> Result<Ipv4Addr> {
        self.address
            .with_context(|| format!("{} has not asked for an address", self.name))
    }

    /// Its IPv6 address.
    pub fn address6(&self) -> Ipv6Addr {
        self.address6
    }

    /// Opens a TCP connection from the device.
    pub fn connect(&self, to: SocketAddr, limit: Duration) -> Result<TcpStream> {
        self.netns.run(|| {
            let stream = TcpStream::connect_timeout(&to, limit)
                .with_context(|| format!("{} cannot connect to {to}", self.name))?;
            stream.set_read_timeout(Some(limit))?;
            stream.set_write_timeout(Some(limit))?;
            Ok(stream)
        })
    }

    /// Opens a UDP socket on the device, of the family of `to`, connected to it.
    pub fn udp(&self, to: SocketAddr) -> Result<UdpSocket> {
        self.netns.run(|| {
            let any: SocketAddr = match to {
                SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
                SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
            };
            let socket = UdpSocket::bind(any)?;
            socket.connect(to)?;
            Ok(socket)
        })
    }

    /// Opens a socket that sends frames as they are from the device's interface.
    pub fn raw(&self) -> Result<RawSender> {
        self.netns.run(|| RawSender::open("eth0"))
    }
}
