use super::*;

const MAC: Mac = Mac([0x02, 0xc1, 0x1e, 0x17, 0, 1]);

fn frame(reason: Reason, dropped: bool) -> EventKind {
    EventKind::Frame {
        reason,
        dropped,
        destination: Some([203, 0, 113, 9].into()),
        port: Some(1883),
        count: 3,
        rejected: false,
        mismatch: None,
    }
}

#[test]
fn tells_a_dropped_frame_in_plain_words_and_in_fields() {
    let mut log = EventLog::default();
    let name = Some("kitchen-plug".to_owned());
    let event = log.push(7, Some(MAC), name, frame(Reason::PlaintextPort, true));
    assert_eq!(
        event.message(),
        "kitchen-plug tried to send unencrypted MQTT to 203.0.113.9:1883: 3 frames dropped"
    );
    let json = event.to_json();
    assert_eq!(json["event"], "frame-dropped");
    assert_eq!(json["severity"], "warning");
    assert_eq!(json["reason"], "plaintext-port");
    assert_eq!(json["count"], 3);
    assert_eq!(json["mac"], "02:c1:1e:17:00:01");
}

#[test]
fn monitor_mode_says_would_have() {
    let mut log = EventLog::default();
    let event = log.push(7, Some(MAC), None, frame(Reason::MqttSn, false));
    assert_eq!(event.kind.code(), "frame-would-drop");
    assert!(
        event
            .message()
            .ends_with("3 frames would have been dropped"),
        "{}",
        event.message()
    );
}

#[test]
fn a_reset_and_a_stray_frame_are_told_as_what_they_were() {
    let mut log = EventLog::default();
    let mut told = |kind| {
        let event = log.push(7, Some(MAC), Some("Kitchen-plug".into()), kind);
        (event.message(), event.to_json())
    };
    let (message, json) = told(EventKind::Frame {
        reason: Reason::PlaintextPort,
        dropped: true,
        destination: Some([203, 0, 113, 9].into()),
        port: Some(1883),
        count: 1,
        rejected: true,
        mismatch: None,
    });
    assert_eq!(
        message,
        "Kitchen-plug tried to send unencrypted MQTT to 203.0.113.9:1883: 1 frame dropped, \
             and the device told so by a reset"
    );
    assert_eq!(json["rejected"], true);
    let stray = |dropped| EventKind::Frame {
        reason: Reason::AddressMismatch,
        dropped,
        destination: None,
        port: None,
        count: 3,
        rejected: false,
        mismatch: Some(Mismatch {
            found: "192.168.1.77".into(),
            expected: "192.168.1.20".into(),
        }),
    };
    let (message, json) = told(stray(false));
    assert_eq!(
        message,
        "Kitchen-plug sent from 192.168.1.77, which is not its address (192.168.1.20): 3 \
             frames let through"
    );
    assert_eq!(json["found"], "192.168.1.77");
    assert_eq!(json["expected"], "192.168.1.20");
    let (message, _) = told(stray(true));
    assert!(message.ends_with("3 frames dropped"), "{message}");
}

#[test]
fn exceptions_are_told_by_section_or_device() {
    let mut log = EventLog::default();
    let mut told = |change, section: Option<&str>, destination: Option<&str>, port| {
        let kind = EventKind::Exception {
            change,
            section: section.map(str::to_owned),
            destination: destination.map(|text| text.parse().unwrap()),
            port,
            until_ms: Some(1_798_740_000_000),
        };
        let event = log.push(7, Some(MAC), Some("plug".into()), kind);
        (event.kind.code(), event.message())
    };
    assert_eq!(
        told(
            ExceptionChange::Expired,
            Some("solar"),
            Some("203.0.113.0/24"),
            None
        ),
        (
            "exception-expired",
            "exception 'solar' has expired: unencrypted MQTT to 203.0.113.0/24 is not let out \
                 any more"
                .into()
        )
    );
    assert_eq!(
        told(
            ExceptionChange::Made,
            None,
            Some("203.0.113.9/32"),
            Some(1883)
        ),
        (
            "exception-made",
            "plug may send unencrypted MQTT to 203.0.113.9, port 1883 until 2026-12-31 \
                 18:00:00Z"
                .into()
        )
    );
    assert_eq!(
        told(ExceptionChange::Withdrawn, None, None, None),
        (
            "exception-withdrawn",
            "plug may not send unencrypted MQTT to any address any more, by the owner's word"
                .into()
        )
    );
}

#[test]
fn keeps_the_last_events_and_reads_from_a_point_on() {
    let mut log = EventLog::default();
    for time in 0..600 {
        log.push(time, Some(MAC), None, EventKind::DeviceGone);
    }
    log.push(
        600,
        None,
        None,
        EventKind::ConfigLoaded { file: "f".into() },
    );
    let all = log.read(0, usize::MAX, None);
    assert_eq!(all.len(), EventLog::CAPACITY);
    assert_eq!(all.last().map(|event| event.seq), Some(601));
    let seqs = |events: Vec<&Event>| events.iter().map(|event| event.seq).collect::<Vec<_>>();
    assert_eq!(seqs(log.read(599, 10, None)), [600, 601]);
    assert_eq!(seqs(log.read(0, 2, Some(MAC))), [599, 600]);
}

#[test]
fn a_connection_that_was_not_carried_on_is_told_with_its_reason() {
    let mut log = EventLog::default();
    let uplift = |refused: Option<&str>| EventKind::Uplift {
        section: "vendor".to_owned(),
        destination: ([203, 0, 113, 9], 1883).into(),
        server: "mqtt.example.org:8883".to_owned(),
        refused: refused.map(str::to_owned),
        count: 2,
    };
    let name = || Some("plug".to_owned());
    let refused = uplift(Some("its certificate has expired"));
    let event = log.push(7, Some(MAC), name(), refused);
    assert_eq!(
        event.message(),
        "plug's connection to 203.0.113.9:1883 was not carried on to mqtt.example.org:8883 \
         (2 times): its certificate has expired"
    );
    let json = event.to_json();
    assert_eq!(json["event"], "uplift-refused");
    assert_eq!(json["severity"], "warning");
    assert_eq!(json["destination"], "203.0.113.9");
    let event = log.push(8, Some(MAC), name(), uplift(None)).to_json();
    assert_eq!(
        (&event["event"], event.get("why")),
        (&"uplift".into(), None)
    );
}

#[test]
fn who_reconnects_all_the_time_does_not_hide_what_else_happened_to_it() {
    let mut log = EventLog::default();
    let other = Mac([2, 0, 0, 0, 0, 9]);
    for time in 0..3 {
        log.push(time, Some(MAC), None, frame(Reason::MqttSn, true));
        log.push(time, Some(other), None, frame(Reason::MqttSn, true));
    }
    for time in 10..60 {
        let client_id = "c".to_owned();
        let connected = EventKind::Connected {
            client_id: client_id.clone(),
            protocol: "5.0",
            address: [192, 168, 1, 7].into(),
        };
        let why = mqttguard_broker::Departure::ConnectionLost;
        log.push(time, Some(MAC), None, connected);
        log.push(
            time,
            Some(MAC),
            None,
            EventKind::Disconnected { client_id, why },
        );
    }
    let seqs = |notable, traffic| {
        let events = log.of_device(MAC, notable, traffic);
        events.iter().map(|event| event.seq).collect::<Vec<_>>()
    };
    assert_eq!(seqs(20, 3), [1, 3, 5, 104, 105, 106]);
    assert_eq!(seqs(2, 1), [3, 5, 106]);
    assert_eq!(seqs(20, 0), [1, 3, 5]);
    assert_eq!(log.of_device(MAC, 20, 200).len(), 103);
}
