//! Ways to other addresses.

use std::io;
use std::net::IpAddr;

use super::message::{attributes, octets, push, word};
use super::socket::{Family, Socket};

// linux/rtnetlink.h
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_VIA: u16 = 18;
const RTN_UNICAST: u8 = 1;
/// struct rtmsg.
const RTMSG: usize = 12;

/// The index of the interface on whose link this address is; `None` if it is behind another router.
///
/// # Errors
///
/// When the kernel does not answer.
pub fn link_of(addr: IpAddr) -> io::Result<Option<u32>> {
    on_link(&mut Socket::open(Family::Route)?, addr.to_canonical())
}

/// The device by which packets go to this address without another router between; `None` if
/// there is none.
pub(super) fn on_link(socket: &mut Socket, addr: IpAddr) -> io::Result<Option<u32>> {
    let (family, bytes) = octets(addr);
    let length = if addr.is_ipv4() { 32 } else { 128 };
    let mut body = vec![family, length];
    body.resize(RTMSG, 0);
    push(&mut body, RTA_DST, &bytes);
    let mut device = None;
    let asked = socket.ask(RTM_GETROUTE, &body, |kind, body| {
        device = direct(body).filter(|_| kind == RTM_NEWROUTE);
    });
    match asked.as_ref().map_err(io::Error::kind) {
        Ok(()) => Ok(device),
        Err(io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable) => Ok(None),
        Err(_) => asked.map(|()| None),
    }
}

/// The device of a route that needs no other router.
fn direct(body: &[u8]) -> Option<u32> {
    if *body.get(7)? != RTN_UNICAST {
        return None;
    }
    let mut device = None;
    for (kind, value) in attributes(body.get(RTMSG..)?) {
        match kind {
            RTA_GATEWAY | RTA_VIA => return None,
            RTA_OIF => device = word(value, 0),
            _ => {}
        }
    }
    device
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(kind: u8, gateway: bool) -> Vec<u8> {
        let mut body = vec![0; RTMSG];
        body[7] = kind;
        push(&mut body, RTA_OIF, &4u32.to_ne_bytes()).unwrap();
        if gateway {
            push(&mut body, RTA_GATEWAY, &[192, 0, 2, 1]).unwrap();
        }
        body
    }

    #[test]
    fn only_routes_without_another_router_are_direct() {
        const RTN_LOCAL: u8 = 2;
        assert_eq!(direct(&route(RTN_UNICAST, false)), Some(4));
        assert_eq!(direct(&route(RTN_UNICAST, true)), None);
        assert_eq!(direct(&route(RTN_LOCAL, false)), None);
    }

    #[test]
    fn no_bytes_make_the_parser_fail() {
        super::super::tests::garble(&route(RTN_UNICAST, true), |body| {
            let _ = direct(body);
        });
    }

    #[test]
    fn this_machine_is_not_on_one_of_its_links() {
        assert_eq!(link_of([127, 0, 0, 1].into()).unwrap(), None);
        assert_eq!(link_of("::1".parse().unwrap()).unwrap(), None);
    }
}
