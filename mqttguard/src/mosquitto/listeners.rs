//! mosquitto's listeners as `listener` sections.

use super::conf::{Directive, Place};
use super::draft::Draft;
use super::quoted;
use super::section::{Section, free};
use super::uci::truth;

/// A listener and what stands below it.
pub(super) struct Listener {
    pub(super) place: Place,
    pub(super) port: String,
    pub(super) address: Option<String>,
    pub(super) body: Vec<Directive>,
}

/// Names that belong to the listener above them.
pub(super) const OF_LISTENER: &[&str] = &[
    "protocol",
    "max_connections",
    "cafile",
    "certfile",
    "keyfile",
    "crlfile",
    "require_certificate",
    "use_identity_as_username",
];

/// Whether it is for programs on the router alone.
pub(super) fn is_loopback(address: Option<&str>) -> bool {
    let parsed = |address: &str| address.parse::<std::net::IpAddr>();
    address.is_some_and(|address| {
        address == "localhost" || parsed(address).is_ok_and(|address| address.is_loopback())
    })
}

/// What corresponds to a listener.
pub(super) fn propose(listener: &Listener, draft: &mut Draft) {
    let of = |name: &str| listener.body.iter().rfind(|one| one.name == name);
    let place = &listener.place;
    if listener.port == "0" {
        return draft.note(place, "listener", "there are no listeners on Unix sockets");
    }
    if is_loopback(listener.address.as_deref()) {
        return draft.note(
            place,
            "listener",
            "it is for programs on this router, which have no MAC address that an account could be \
             bound to; a 'bridge' or an account with 'option roaming' may do instead",
        );
    }
    let is_websocket = of("protocol").is_some_and(|one| one.value == "websockets");
    let certificate = of("certfile");
    let (kind, wanted) = match (is_websocket, certificate) {
        (true, _) => ("wss", "wss"),
        (false, Some(_)) => ("tls", "tls"),
        (false, None) => ("plain", "plain"),
    };
    // `tls` is there already: the first one changes it.
    let name = free(wanted, |name| draft.has("listener", name));
    let mut section = Section::new("listener", &name);
    section.comment(&format!(
        "{}: port {}",
        place.shown(),
        quoted(&listener.port)
    ));
    section.option("kind", kind);
    section.option("port", &listener.port);
    match &listener.address {
        Some(address) if address.parse::<std::net::IpAddr>().is_ok() => {
            section.list("address", address)
        }
        Some(address) => {
            let why = format!("'{}' is no address; it listens on all", quoted(address));
            draft.note(place, "listener", &why);
        }
        None => {}
    }
    if let Some(count) = of("max_connections").filter(|one| !one.value.starts_with('-')) {
        section.option("connections", &count.value);
    }
    match (kind, certificate) {
        ("plain", _) => section.comment(
            "Without TLS: only devices whose 'device' section has option plaintext '1' are let in",
        ),
        (_, Some(certificate)) => draft.note(
            &certificate.place,
            "certfile",
            "the broker's certificate is of this router's own CA: devices are to be given \
             /etc/mqttguard/ca.crt in place of the CA that they have, or the new fingerprint",
        ),
        (_, None) => draft.note(
            place,
            "protocol",
            "WebSocket is over TLS here: pages connect to wss://",
        ),
    }
    client_certificates(listener, &mut section, draft);
    draft.add(section, place);
}

fn client_certificates(listener: &Listener, section: &mut Section, draft: &mut Draft) {
    let of = |name: &str| listener.body.iter().rfind(|one| one.name == name);
    let is_true = |name: &str| of(name).is_some_and(|one| truth(&one.value) == Some(true));
    // mosquitto asks for certificates only then.
    if !is_true("require_certificate") || of("certfile").is_none() {
        return;
    }
    section.option("client_certificate", "required");
    if let Some(ca) = of("cafile") {
        section.option("client_ca", &ca.value);
    }
    if let Some(list) = of("crlfile") {
        section.list("client_crl", &list.value);
    }
    let required = of("require_certificate").map(|one| &one.place);
    let why = match is_true("use_identity_as_username") {
        true => {
            "each common name has to be the user name of an enrolled device: 'mqttguard enrol DEVICE \
             --username NAME', or 'mqttguard certificate DEVICE' for a new one"
        }
        false => {
            "a certificate is enough to log in here, as the account that its common name is; which \
             has to be an enrolled device's"
        }
    };
    if let Some(place) = required {
        draft.note(place, "require_certificate", why);
    }
}
