//! The server's side of TLS, byte by byte against rustls's own client.

use rustls::ClientConnection;
use rustls_pki_types::ServerName;
use std::io::{Read, Write};

use super::client::tls_config;
use super::*;
use crate::broker::tls::{MAX_PARTIAL, Received, Session};

struct Pair {
    client: ClientConnection,
    server: Session,
    input: Vec<u8>,
    wire: Vec<u8>,
    /// Plaintext that came to the server.
    got: Vec<u8>,
    /// Plaintext that came to the client.
    client_got: Vec<u8>,
}

impl Pair {
    fn new(version: &'static rustls::SupportedProtocolVersion) -> Pair {
        // One for all: keys take their time.
        static PKI: LazyLock<Pki> = LazyLock::new(|| {
            let dir = tempfile::tempdir().unwrap();
            Pki::open_or_create(dir.path(), &names("router.lan")).unwrap()
        });
        let pki = &*PKI;
        let config = tls_config(pki.ca_pem(), &[version]);
        let name = ServerName::try_from("router.lan").unwrap();
        Pair {
            client: ClientConnection::new(config, name).unwrap(),
            server: Session::new(&pki.tls_config(4096, None).unwrap()).unwrap(),
            input: vec![0; MAX_PARTIAL + 64 * 1024],
            wire: Vec::new(),
            got: Vec::new(),
            client_got: Vec::new(),
        }
    }

    /// Hands the server some ciphertext, and the client what comes back.
    fn feed(&mut self, bytes: &[u8]) -> Result<Received, rustls::Error> {
        let kept = self.server.restore(&mut self.input);
        self.input[kept..kept + bytes.len()].copy_from_slice(bytes);
        let input = &mut self.input[..kept + bytes.len()];
        let got = &mut self.got;
        let received = self
            .server
            .receive(input, &mut self.wire, |plain| got.extend(plain));
        self.deliver();
        received
    }

    fn deliver(&mut self) {
        let mut wire = &self.wire[..];
        while !wire.is_empty() {
            self.client.read_tls(&mut wire).unwrap();
            let _ = self.client.process_new_packets();
            let _ = self.client.reader().read_to_end(&mut self.client_got);
        }
        self.wire.clear();
    }

    fn client_says(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut bytes).unwrap();
        }
        bytes
    }

    fn pump(&mut self, piece: usize) {
        loop {
            let bytes = self.client_says();
            if bytes.is_empty() {
                return;
            }
            for piece in bytes.chunks(piece) {
                self.feed(piece).unwrap();
            }
        }
    }
}

#[test]
fn every_cut_of_the_ciphertext_gives_the_same_plaintext() {
    for version in rustls::ALL_VERSIONS {
        for piece in [1, 3, 1000, 60_000] {
            let mut pair = Pair::new(version);
            assert!(!pair.server.is_established());
            pair.pump(piece);
            assert!(pair.server.is_established(), "{version:?} {piece}");
            let data: Vec<u8> = (0..50_000u32).map(|n| (n % 253) as u8).collect();
            pair.client.writer().write_all(&data).unwrap();
            pair.pump(piece);
            assert_eq!(pair.got, data, "{version:?} {piece}");
            // And the other way, while a record of the client's is still unfinished.
            pair.client.writer().write_all(b"unfinished").unwrap();
            let bytes = pair.client_says();
            let (first, rest) = bytes.split_at(10);
            pair.feed(first).unwrap();
            let mut wire = Vec::new();
            pair.server.encrypt(&data, &mut wire).unwrap();
            assert!(wire.len() < data.len() + data.len() / 50, "{}", wire.len());
            pair.wire = wire;
            pair.deliver();
            assert_eq!(pair.client_got, data);
            pair.feed(rest).unwrap();
            assert_eq!(&pair.got[data.len()..], b"unfinished");
        }
    }
}

#[test]
fn both_sides_can_close_in_order() {
    for version in rustls::ALL_VERSIONS {
        let mut pair = Pair::new(version);
        pair.pump(60_000);
        let mut wire = Vec::new();
        pair.server.close(&mut wire);
        pair.wire = wire;
        pair.deliver();
        let mut rest = [0; 1];
        assert_eq!(pair.client.reader().read(&mut rest).unwrap(), 0);

        let mut pair = Pair::new(version);
        pair.pump(60_000);
        pair.client.send_close_notify();
        let bytes = pair.client_says();
        assert!(matches!(pair.feed(&bytes), Ok(Received::Closed)));
    }
}

#[test]
fn forged_ciphertext_is_refused_with_an_alert() {
    for version in rustls::ALL_VERSIONS {
        let mut pair = Pair::new(version);
        pair.pump(60_000);
        pair.client.writer().write_all(b"hello").unwrap();
        let mut bytes = pair.client_says();
        *bytes.last_mut().unwrap() ^= 1;
        let kept = pair.server.restore(&mut pair.input);
        pair.input[kept..kept + bytes.len()].copy_from_slice(&bytes);
        let input = &mut pair.input[..kept + bytes.len()];
        let refused = pair
            .server
            .receive(input, &mut pair.wire, |_| panic!("delivered"));
        assert_eq!(refused.unwrap_err(), rustls::Error::DecryptError);
        assert!(!pair.server.is_established());
        let mut alert = &pair.wire[..];
        assert!(!alert.is_empty());
        pair.client.read_tls(&mut alert).unwrap();
        let told = pair.client.process_new_packets().unwrap_err();
        assert!(matches!(told, rustls::Error::AlertReceived(_)), "{told:?}");
    }
}

/// Whatever comes, in whatever order: an error or nothing, never a panic, and never more kept
/// than a record.
#[test]
fn mutated_handshakes_do_no_harm() {
    let mut seed = 0x2545_f491_4f6c_dd1du64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed >> 33).unwrap()
    };
    for round in 0..400 {
        let mut pair = Pair::new(rustls::ALL_VERSIONS[round % 2]);
        let mut hello = pair.client_says();
        for _ in 0..=round % 4 {
            let place = random() % hello.len();
            hello[place] = random() as u8;
        }
        let cut = random() % hello.len();
        for piece in [&hello[..cut], &hello[cut..], &hello] {
            if pair.feed(piece).is_err() {
                break;
            }
        }
    }
    // A handshake message that never ends.
    let mut pair = Pair::new(rustls::ALL_VERSIONS[0]);
    let record = [&[0x16, 3, 3, 0x0f, 0xff][..], &[1; 0xfff]].concat();
    let endless = std::iter::repeat_n(record, 40);
    assert!(
        endless
            .map(|record| pair.feed(&record))
            .any(|fed| fed.is_err())
    );
}
