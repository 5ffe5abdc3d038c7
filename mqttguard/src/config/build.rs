//! Makes [`Settings`] of sections that fit the table, and checks what only shows between them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::IpAddr;
use std::time::Duration;

use mqttguard_common::{MAX_EXCEPTIONS, Mac};

use super::bridges;
use super::check::{Checked, Place};
use super::kinds::size;
use super::mistake::{ConfigError, found};
use super::settings::*;
use super::table::*;
use super::uplifts;

/// None if something is missing, which is a mistake noted before.
///
/// What only shows between sections is also looked for in those that have mistakes of their own, as
/// far as it does not depend on them: all is told at once, and nothing that is no mistake.
pub(super) fn build(checked: &Checked, errors: &mut ConfigError) -> Option<Settings> {
    let all = |kind: &'static str| {
        let sections = checked.sections.iter();
        sections.filter(move |place| place.schema.kind == kind)
    };
    let of = |kind| all(kind).filter(|place| place.fits);
    let named = |place: &Place| place.name.clone();
    let main = of(MAIN.kind).next().and_then(main);
    let listeners = listeners(all(LISTENER.kind), errors);
    let profiles: Option<_> = of(PROFILE.kind)
        .map(|place| Some((named(place), profile(place)?)))
        .collect();
    all(LIMITS.kind).for_each(|place| check_queue(place, errors));
    let limits: BTreeMap<String, Limits> = of(LIMITS.kind)
        .filter_map(|place| Some((named(place), limits(place)?)))
        .collect();
    let exceptions = exceptions(all(EXCEPTION.kind), errors);
    let devices = devices(all(DEVICE_SECTION.kind), errors);
    let jwt = of(JWT.kind).next().map(|place| jwt(place, errors));
    let http_auth = of(HTTP_AUTH.kind).next().map(http_auth);
    let bridges = bridges::bridges(all(BRIDGE.kind), &limits, errors);
    let uplifts = uplifts::uplifts(all(UPLIFT.kind), errors);
    let jwt = match jwt {
        None => None,
        Some(jwt) => Some(jwt?),
    };
    let http_auth = match http_auth {
        None => None,
        Some(http_auth) => Some(http_auth?),
    };
    Some(Settings {
        main: main?,
        listeners: listeners?,
        profiles: profiles?,
        default_limits: limits.get("default")?.clone(),
        limits,
        exceptions: exceptions?,
        bridges: bridges?,
        uplifts: uplifts?,
        devices: devices?,
        jwt,
        http_auth,
    })
}

fn main(place: &Place) -> Option<Main> {
    let raw = &place.raw;
    let devices = DEVICES.all(raw);
    let mut networks = NETWORKS.all(raw);
    if networks.is_empty() && devices.is_empty() {
        networks.push("lan".into());
    }
    Some(Main {
        enabled: ENABLED.one(raw)?,
        mode: MODE.one(raw)?,
        verdict: VERDICT.one(raw)?,
        on_error: ON_ERROR.one(raw)?,
        bindings: BINDINGS.one(raw)?,
        networks,
        devices,
        hook: HOOK.one(raw)?,
        profile: DEFAULT_PROFILE.one(raw)?,
        plaintext_ports: PLAINTEXT_PORTS.all(raw),
        detect_connect: DETECT_CONNECT.one(raw)?,
        detect_websocket: DETECT_WEBSOCKET.one(raw)?,
        mqtt_sn: MQTT_SN.one(raw)?,
        quarantine: QUARANTINE.one(raw)?,
        login_failures: LOGIN_FAILURES.one(raw)?,
        flood_seconds: FLOOD_SECONDS.one(raw).filter(|seconds| *seconds > 0),
        forget_after: FORGET_AFTER.one(raw)?,
        sys_interval: SYS_INTERVAL.one(raw)?,
        live: LIVE.one(raw)?,
        data_dir: DATA_DIR.one(raw)?,
        run_dir: RUN_DIR.one(raw)?,
        persist: PERSIST.one(raw),
        bpf_dir: BPF_DIR.one(raw)?,
        lease_file: LEASE_FILE.one(raw)?,
        vendor_file: VENDOR_FILE.one(raw)?,
        mud_ca: MUD_CA.one(raw)?,
        mud_signers: MUD_SIGNERS.one(raw),
        hostname: MAIN_HOSTNAME.one(raw)?,
    })
}

fn listeners<'a>(
    places: impl Iterator<Item = &'a Place>,
    errors: &mut ConfigError,
) -> Option<Vec<Listener>> {
    let mut listeners = Vec::new();
    let mut taken: Vec<Endpoint<'_>> = Vec::new();
    for place in places {
        let raw = &place.raw;
        if !place.is_sound(&[LISTENER_ENABLED.name, LISTENER_KIND.name])
            || !LISTENER_ENABLED.one(raw)?
        {
            continue;
        }
        let kind = LISTENER_KIND.one(raw)?;
        useless_options(place, kind, errors);
        let endpoint = Endpoint {
            name: &place.name,
            addresses: LISTENER_ADDRESSES.all(raw),
            port: LISTENER_PORT.one(raw).unwrap_or(match kind {
                ListenerKind::Tls => 8883,
                ListenerKind::Wss => 8884,
                ListenerKind::Plain => 1883,
            }),
        };
        if place.is_sound(&[LISTENER_ADDRESSES.name, LISTENER_PORT.name]) {
            if let Some(other) = taken.iter().find(|other| other.clashes(&endpoint)) {
                let what = format!(
                    "a port that no other listener uses on the same address; '{}' does",
                    other.name
                );
                errors.push(
                    place.line(LISTENER_PORT.name),
                    format!("{}: option {}", place.label, LISTENER_PORT.name),
                    found(&endpoint.port.to_string(), what),
                );
            }
            taken.push(endpoint.clone());
        }
        if place.fits {
            listeners.push(Listener {
                name: place.name.clone(),
                kind,
                addresses: endpoint.addresses,
                port: endpoint.port,
                connections: LISTENER_CONNECTIONS.one(raw)?,
                tls: tls_options(place)?,
                origins: ORIGINS.all(raw),
            });
        }
    }
    Some(listeners)
}

/// Where a listener listens.
#[derive(Clone)]
struct Endpoint<'a> {
    name: &'a str,
    /// Empty: on all.
    addresses: Vec<IpAddr>,
    port: u16,
}

impl Endpoint<'_> {
    fn clashes(&self, other: &Endpoint<'_>) -> bool {
        self.port == other.port && overlap(&self.addresses, &other.addresses)
    }
}

fn tls_options(place: &Place) -> Option<TlsOptions> {
    let raw = &place.raw;
    let required = CLIENT_CERTIFICATE.one(raw)?;
    let ca = CLIENT_CA.one(raw);
    let mut options = raw.options.iter();
    let asks = ca.is_some() || options.any(|option| option.name == CLIENT_CERTIFICATE.name);
    Some(TlsOptions {
        record_size: RECORD_SIZE_OPTION.one(raw)?,
        clients: asks.then(|| ClientCertificates {
            ca,
            crls: CLIENT_CRL.all(raw),
            required,
        }),
    })
}

/// Options that would do nothing are mistakes: somebody relies on them.
fn useless_options(place: &Place, kind: ListenerKind, errors: &mut ConfigError) {
    let tls = kind.is_encrypted();
    let given = |name: &str| place.raw.options.iter().find(|option| option.name == name);
    let has_ca = given(CLIENT_CA.name).is_some();
    for (option, works, needs) in [
        (RECORD_SIZE_OPTION.name, tls, "kind 'tls' or 'wss'"),
        (CLIENT_CA.name, tls, "kind 'tls' or 'wss'"),
        (CLIENT_CRL.name, has_ca, "option client_ca beside it"),
        (CLIENT_CERTIFICATE.name, tls, "kind 'tls' or 'wss'"),
        (ORIGINS.name, kind == ListenerKind::Wss, "kind 'wss'"),
    ] {
        let useless = given(option).filter(|_| !works && place.is_sound(&[option]));
        if let Some(useless) = useless {
            errors.push(
                place.line(option),
                format!("{}: option {option}", place.label),
                found(&useless.value, needs),
            );
        }
    }
}

/// Whether two lists of addresses, where empty means all, have one in common.
fn overlap(a: &[IpAddr], b: &[IpAddr]) -> bool {
    let all = |list: &[IpAddr]| list.is_empty() || list.iter().any(IpAddr::is_unspecified);
    all(a) || all(b) || a.iter().any(|address| b.contains(address))
}

fn profile(place: &Place) -> Option<Profile> {
    Some(Profile {
        publish: PUBLISH.all(&place.raw),
        subscribe: SUBSCRIBE.all(&place.raw),
        deny: DENY.all(&place.raw),
        limits: PROFILE_LIMITS.one(&place.raw)?,
    })
}

/// A queue has room for the largest packet.
fn check_queue(place: &Place, errors: &mut ConfigError) {
    let (packet, queue) = (PACKET_SIZE.one(&place.raw), QUEUE_BYTES.one(&place.raw));
    let (Some(packet_size), Some(queue_bytes)) = (packet, queue) else {
        return;
    };
    if queue_bytes < packet_size && place.is_sound(&[PACKET_SIZE.name, QUEUE_BYTES.name]) {
        errors.push(
            place.line(QUEUE_BYTES.name),
            format!("{}: option {}", place.label, QUEUE_BYTES.name),
            found(
                &size(queue_bytes),
                format!(
                    "at least packet_size ({}), or the largest packet never fits",
                    size(packet_size)
                ),
            ),
        );
    }
}

fn limits(place: &Place) -> Option<Limits> {
    let raw = &place.raw;
    let packet_size = PACKET_SIZE.one(raw)?;
    let queue_bytes = QUEUE_BYTES.one(raw)?;
    Some(Limits {
        kernel: KernelLimits {
            packets_per_s: KERNEL_PACKETS.one(raw)?,
            bytes_per_s: KERNEL_BYTES.one(raw)?.into(),
            connections_per_s: KERNEL_CONNECTIONS.one(raw)?,
            udp_per_s: KERNEL_UDP.one(raw)?,
            broadcasts_per_s: KERNEL_BROADCASTS.one(raw)?,
        },
        broker: mqttguard_broker::Limits {
            packet_size,
            messages_per_s: MESSAGES.one(raw)?,
            bytes_per_s: BYTES.one(raw)?,
            over_rate: OVER_RATE.one(raw)?,
            burst_ms: milliseconds(BURST.one(raw)?),
            connections: CONNECTIONS.one(raw)?,
            subscriptions: SUBSCRIPTIONS.one(raw)?,
            topic_length: TOPIC_LENGTH.one(raw)?,
            topic_levels: TOPIC_LEVELS.one(raw)?,
            user_properties: USER_PROPERTIES.one(raw)?,
            will_size: WILL_SIZE.one(raw)?,
            in_flight: u16::try_from(IN_FLIGHT.one(raw)?).unwrap_or(u16::MAX),
            queue_messages: QUEUE_MESSAGES.one(raw)?,
            queue_bytes,
            retained_messages: RETAINED_MESSAGES.one(raw)?,
            retained_bytes: RETAINED_BYTES.one(raw)?,
            session_expiry_s: u32::try_from(SESSION_EXPIRY.one(raw)?.as_secs()).unwrap_or(u32::MAX),
        },
    })
}

fn jwt(place: &Place, errors: &mut ConfigError) -> Option<Jwt> {
    let raw = &place.raw;
    let keys = match (JWT_KEY.one(raw), JWT_JWKS.one(raw)) {
        (Some(key), None) => JwtKeys::Pem(key),
        (None, Some(jwks)) => JwtKeys::Jwks(jwks),
        (given, _) => {
            let what = match given {
                Some(_) => "found both key and jwks, expected one of them",
                None => "found neither key nor jwks, expected one of them",
            };
            errors.push(place.line("jwks"), place.label.clone(), what.to_owned());
            return None;
        }
    };
    Some(Jwt {
        keys,
        audience: JWT_AUDIENCE.all(raw),
        issuer: JWT_ISSUER.one(raw),
        claim: JWT_CLAIM.one(raw)?,
        leeway: JWT_LEEWAY.one(raw)?,
    })
}

fn http_auth(place: &Place) -> Option<HttpAuth> {
    let raw = &place.raw;
    Some(HttpAuth {
        url: HTTP_URL.one(raw)?,
        timeout: HTTP_TIMEOUT.one(raw)?,
        cache: HTTP_CACHE.one(raw)?,
        ca_file: HTTP_CA_FILE.one(raw)?,
        profile: HTTP_PROFILE.one(raw),
        limits: HTTP_LIMITS.one(raw)?,
    })
}

fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

fn exceptions<'a>(
    places: impl Iterator<Item = &'a Place>,
    errors: &mut ConfigError,
) -> Option<Vec<TimedException>> {
    let mut exceptions: Vec<Exception> = Vec::new();
    let mut ends = Vec::new();
    for place in places {
        let options = [
            EXCEPTION_MAC.name,
            EXCEPTION_DESTINATION.name,
            EXCEPTION_PORT.name,
        ];
        if !place.is_sound(&options) {
            continue;
        }
        let exception = exception(place)?;
        if !exception.fits(&exceptions) {
            errors.push(
                place.line("destination"),
                format!("{}: option destination", place.label),
                found(
                    &exception.destination.to_string(),
                    format!("at most {MAX_EXCEPTIONS} exceptions for one destination"),
                ),
            );
        }
        exceptions.push(exception);
        ends.push(EXCEPTION_EXPIRES.one(&place.raw));
    }
    let timed = exceptions.into_iter().zip(ends);
    let timed = timed.map(|(exception, expires_ms)| TimedException {
        exception,
        expires_ms,
    });
    Some(timed.collect())
}

fn exception(place: &Place) -> Option<Exception> {
    Some(Exception {
        name: place.name.clone(),
        mac: EXCEPTION_MAC.one(&place.raw),
        destination: EXCEPTION_DESTINATION.one(&place.raw)?,
        port: EXCEPTION_PORT.one(&place.raw),
    })
}

fn devices<'a>(
    places: impl Iterator<Item = &'a Place>,
    errors: &mut ConfigError,
) -> Option<BTreeMap<Mac, DeviceOverride>> {
    let mut devices = BTreeMap::new();
    let mut macs: BTreeMap<Mac, &str> = BTreeMap::new();
    let mut names: BTreeMap<String, &str> = BTreeMap::new();
    for place in places {
        let raw = &place.raw;
        let mac = DEVICE_MAC.one(raw);
        let mac = mac.filter(|_| place.is_sound(&[DEVICE_MAC.name]));
        if let Some(mac) = mac
            && let Some(first) = first_to_have(&mut macs, mac, place)
        {
            errors.push(
                place.line(DEVICE_MAC.name),
                format!("{}: option {}", place.label, DEVICE_MAC.name),
                found(
                    &mac.to_string(),
                    format!("a device that {first} is not about"),
                ),
            );
        }
        let name = DEVICE_OWN_NAME.one(raw);
        let name = name.filter(|_| place.is_sound(&[DEVICE_OWN_NAME.name]));
        // Two devices of one name would share the topics of `%d`.
        if let Some(name) = &name
            && let Some(first) = first_to_have(&mut names, name.clone(), place)
        {
            errors.push(
                place.line(DEVICE_OWN_NAME.name),
                format!("{}: option {}", place.label, DEVICE_OWN_NAME.name),
                found(name, format!("a name that {first} does not have")),
            );
        }
        if !place.fits {
            continue;
        }
        let device = DeviceOverride {
            name,
            profile: DEVICE_PROFILE.one(raw),
            limits: DEVICE_LIMITS.one(raw),
            publish: DEVICE_PUBLISH.all(raw),
            subscribe: DEVICE_SUBSCRIBE.all(raw),
            blocked: DEVICE_BLOCKED.one(raw)?,
            plaintext: DEVICE_PLAINTEXT.one(raw)?,
            roaming: DEVICE_ROAMING.one(raw)?,
            interface: DEVICE_INTERFACE.one(raw),
            any_address: !DEVICE_BIND_ADDRESS.one(raw)?,
        };
        devices.insert(mac?, device);
    }
    Some(devices)
}

/// The section that was the first to have `value`, unless `place` is it.
fn first_to_have<'a, V: Ord>(
    had: &mut BTreeMap<V, &'a str>,
    value: V,
    place: &'a Place,
) -> Option<&'a str> {
    match had.entry(value) {
        Entry::Occupied(first) => Some(first.get()),
        Entry::Vacant(entry) => {
            entry.insert(&place.label);
            None
        }
    }
}
