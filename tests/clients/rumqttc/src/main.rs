//! rumqttc put through what every client is put through: see tests/tests/clients.

use std::error::Error;
use std::time::Duration;

use rumqttc::{TlsConfiguration, Transport};
use tokio::time::timeout;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const PATIENCE: Duration = Duration::from_secs(10);

fn tls(ca_file: &str) -> Result<Transport> {
    let ca = std::fs::read(ca_file)?;
    Ok(Transport::Tls(TlsConfiguration::Simple {
        ca,
        alpn: None,
        client_auth: None,
    }))
}

/// The client of one version. Both have the same names for all but a few things.
macro_rules! version {
    ($module:ident, $base:literal, $rumqttc:path, $packets:path, $qos:path,
     |$options:ident, $lasting:ident| $session:expr, |$topic:ident| $will:expr) => {
        mod $module {
            use super::*;
            use $packets::*;
            use $qos as QoS;
            use $rumqttc::{AsyncClient, Event, EventLoop, MqttOptions};

            struct Client {
                client: AsyncClient,
                events: EventLoop,
                present: bool,
                early: Vec<Publish>,
            }

            impl Client {
                async fn connect(
                    port: u16,
                    ca: &str,
                    name: &str,
                    $lasting: bool,
                    will: Option<&str>,
                ) -> Result<Self> {
                    let id = format!("{}-{name}", $base);
                    let mut $options = MqttOptions::new(id, "localhost", port);
                    $options.set_transport(tls(ca)?);
                    $options.set_keep_alive(Duration::from_secs(30));
                    $session;
                    if let Some($topic) = will {
                        $options.set_last_will($will);
                    }
                    let (client, events) = AsyncClient::new($options, 10);
                    let mut new = Self {
                        client,
                        events,
                        present: false,
                        early: Vec::new(),
                    };
                    new.present = new
                        .until(|packet| match packet {
                            Packet::ConnAck(connack) => Some(connack.session_present),
                            _ => None,
                        })
                        .await?;
                    Ok(new)
                }

                async fn until<T>(&mut self, look: impl Fn(&Packet) -> Option<T>) -> Result<T> {
                    loop {
                        let event = timeout(PATIENCE, self.events.poll()).await??;
                        if let Event::Incoming(packet) = event {
                            if let Some(found) = look(&packet) {
                                return Ok(found);
                            }
                            if let Packet::Publish(publish) = packet {
                                self.early.push(publish);
                            }
                        }
                    }
                }

                async fn subscribe(&mut self, topic: &str, qos: QoS) -> Result<()> {
                    self.client.subscribe(topic, qos).await?;
                    let suback =
                        |packet: &Packet| matches!(packet, Packet::SubAck(_)).then_some(());
                    self.until(suback).await
                }

                async fn publish(
                    &mut self,
                    topic: &str,
                    payload: &str,
                    qos: QoS,
                    retain: bool,
                ) -> Result<()> {
                    let payload = payload.to_owned();
                    self.client.publish(topic, qos, retain, payload).await?;
                    match qos {
                        QoS::AtMostOnce => {
                            // Until it is written.
                            loop {
                                let event = timeout(PATIENCE, self.events.poll()).await??;
                                if matches!(event, Event::Outgoing(_)) {
                                    return Ok(());
                                }
                            }
                        }
                        QoS::AtLeastOnce => {
                            let done =
                                |packet: &Packet| matches!(packet, Packet::PubAck(_)).then_some(());
                            self.until(done).await
                        }
                        QoS::ExactlyOnce => {
                            let done = |packet: &Packet| {
                                matches!(packet, Packet::PubComp(_)).then_some(())
                            };
                            self.until(done).await
                        }
                    }
                }

                async fn expect(&mut self, payload: &str, qos: QoS, retain: bool) -> Result<()> {
                    let found = if self.early.is_empty() {
                        let publish = |packet: &Packet| match packet {
                            Packet::Publish(publish) => Some(publish.clone()),
                            _ => None,
                        };
                        self.until(publish).await?
                    } else {
                        self.early.remove(0)
                    };
                    assert_eq!(&found.payload[..], payload.as_bytes());
                    assert_eq!((found.qos, found.retain), (qos, retain));
                    if qos == QoS::ExactlyOnce {
                        let released =
                            |packet: &Packet| matches!(packet, Packet::PubRel(_)).then_some(());
                        self.until(released).await?;
                    }
                    // What it answers goes out with the next poll.
                    let _ = timeout(Duration::from_millis(200), self.events.poll()).await;
                    Ok(())
                }

                async fn leave(mut self) -> Result<()> {
                    self.client.disconnect().await?;
                    while timeout(PATIENCE, self.events.poll()).await?.is_ok() {}
                    Ok(())
                }
            }

            pub(super) async fn run(port: u16, ca: &str, wrong_ca: &str) -> Result<()> {
                let all = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
                let stranger = Client::connect(port, wrong_ca, "stranger", false, None).await;
                assert!(stranger.is_err(), "a CA that did not sign was believed");
                println!("ok another CA");

                let mut one = Client::connect(port, ca, "one", false, None).await?;
                let mut two = Client::connect(port, ca, "two", false, None).await?;
                for (number, qos) in all.into_iter().enumerate() {
                    let topic = format!("{}/qos{number}", $base);
                    two.subscribe(&topic, qos).await?;
                    one.publish(&topic, "hello", qos, false).await?;
                    two.expect("hello", qos, false).await?;
                    println!("ok qos {number}");
                }

                let topic = format!("{}/kept", $base);
                one.publish(&topic, "kept", QoS::AtLeastOnce, true).await?;
                two.subscribe(&topic, QoS::AtLeastOnce).await?;
                two.expect("kept", QoS::AtLeastOnce, true).await?;
                println!("ok retained");

                let topic = format!("{}/will", $base);
                two.subscribe(&topic, QoS::AtLeastOnce).await?;
                drop(Client::connect(port, ca, "mortal", false, Some(&topic)).await?);
                two.expect("gone", QoS::AtLeastOnce, false).await?;
                println!("ok will");

                let topic = format!("{}/away", $base);
                let clean = Client::connect(port, ca, "lasting", false, None).await?;
                clean.leave().await?;
                let mut lasting = Client::connect(port, ca, "lasting", true, None).await?;
                assert!(!lasting.present);
                lasting.subscribe(&topic, QoS::ExactlyOnce).await?;
                drop(lasting);
                for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
                    one.publish(&topic, "missed", qos, false).await?;
                }
                let mut lasting = Client::connect(port, ca, "lasting", true, None).await?;
                assert!(lasting.present);
                for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
                    lasting.expect("missed", qos, false).await?;
                }
                println!("ok session");
                Ok(())
            }
        }
    };
}

version!(
    v311,
    "rumqttc-4",
    rumqttc,
    rumqttc,
    rumqttc::QoS,
    |options, lasting| options.set_clean_session(!lasting),
    |topic| LastWill::new(topic, "gone", QoS::AtLeastOnce, false)
);
version!(
    v5,
    "rumqttc-5",
    rumqttc::v5,
    rumqttc::v5::mqttbytes::v5,
    rumqttc::v5::mqttbytes::QoS,
    |options, lasting| {
        options.set_clean_start(!lasting);
        options.set_session_expiry_interval(Some(if lasting { 60 } else { 0 }))
    },
    |topic| LastWill::new(topic, "gone", QoS::AtLeastOnce, false, None)
);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments: Vec<String> = std::env::args().collect();
    let [_, port, ca, wrong_ca, version] = &arguments[..] else {
        return Err("PORT CA WRONG-CA VERSION".into());
    };
    match version.as_str() {
        "5" => v5::run(port.parse()?, ca, wrong_ca).await,
        _ => v311::run(port.parse()?, ca, wrong_ca).await,
    }
}
