//! The `mqttguard` object on a real bus, seen by clients of another implementation.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use mqttguard::ubus::{
    ArgType, Call, CallError, MethodError, MethodSpec, OBJECT, State, Status, UbusHandle, call,
    serve, subscribe,
};
use mqttguard_tests::bus::{PATIENCE, TestBus, eventually, foreign_call, foreign_client};
use serde_json::{Value, json};
use ubus::json::blobmsg_to_json;

const METHODS: &[MethodSpec] = &[
    MethodSpec {
        name: "status",
        args: &[],
    },
    MethodSpec {
        name: "block",
        args: &[
            ("mac", ArgType::String),
            ("seconds", ArgType::Integer),
            ("force", ArgType::Boolean),
            ("list", ArgType::Array),
            ("table", ArgType::Table),
        ],
    },
    MethodSpec {
        name: "refuse",
        args: &[],
    },
    MethodSpec {
        name: "drop",
        args: &[],
    },
    MethodSpec {
        name: "sleep",
        args: &[],
    },
    MethodSpec {
        name: "much",
        args: &[("bytes", ArgType::Integer)],
    },
];

/// Answers as a daemon would; `sleep` never does.
fn answer(calls: Receiver<Call>) {
    let mut asleep = Vec::new();
    for call in calls {
        let Call {
            method,
            args,
            reply,
        } = call;
        match method {
            "status" => reply.send(Ok(json!({"up": true, "devices": 3}))),
            "block" => reply.send(Ok(json!({"args": args}))),
            "refuse" => {
                let text = "no device \"lamp\" is known";
                reply.send(Err(MethodError::new(Status::NotFound, text)));
            }
            "drop" => drop(reply),
            "much" => {
                let bytes = args["bytes"].as_u64().unwrap() as usize;
                reply.send(Ok(json!({"text": "x".repeat(bytes)})));
            }
            _ => asleep.push(reply),
        }
    }
}

fn provider(bus: &TestBus) -> UbusHandle {
    let (calls, taken) = sync_channel(8);
    thread::spawn(move || answer(taken));
    let handle = serve(bus.socket(), METHODS, calls).unwrap();
    eventually("the object is on the bus", || handle.state() == State::Up);
    handle
}

#[test]
fn a_stranger_sees_methods_and_their_arguments() {
    let bus = TestBus::started();
    let _handle = provider(&bus);
    let objects = foreign_client(&bus.socket())
        .lookup_objects(Some(OBJECT))
        .unwrap();
    let [object] = objects.as_slice() else {
        panic!("one object, not {objects:?}")
    };
    // The blobmsg types of libubox: 3 text, 5 INT32, 7 INT8, 1 array, 2 table.
    let expected = json!({
        "status": {}, "refuse": {}, "drop": {}, "sleep": {}, "much": {"bytes": 5},
        "block": {"mac": 3, "seconds": 5, "force": 7, "list": 1, "table": 2},
    });
    assert_eq!(blobmsg_to_json(&object.signature).unwrap(), expected);
}

#[test]
fn a_call_carries_its_arguments_and_only_those_declared() {
    let bus = TestBus::started();
    let _handle = provider(&bus);
    let mut client = foreign_client(&bus.socket());
    let args = json!({
        "mac": "02:c1:1e:17:00:01", "seconds": 120, "force": true, "list": [1], "table": {"a": 1},
    });
    let mut given = args.clone();
    given["ubus_rpc_session"] = json!("00000000000000000000000000000000");
    let answer = foreign_call(&mut client, OBJECT, "block", &given);
    assert_eq!(answer, (vec![json!({"args": args})], 0));
    let answer = foreign_call(&mut client, OBJECT, "status", &json!({}));
    assert_eq!(answer, (vec![json!({"up": true, "devices": 3})], 0));
}

#[test]
fn each_mistake_has_its_status_and_its_words() {
    let bus = TestBus::started();
    let _handle = provider(&bus);
    let mut client = foreign_client(&bus.socket());
    for (method, args, status, words) in [
        (
            "block",
            json!({"mac": 7}),
            2,
            "argument mac: expected a string, found an integer",
        ),
        (
            "block",
            json!({"force": "yes"}),
            2,
            "argument force: expected a boolean, found a string",
        ),
        ("absent", json!({}), 3, "mqttguard has no method \"absent\""),
        ("refuse", json!({}), 4, "no device \"lamp\" is known"),
    ] {
        let answer = foreign_call(&mut client, OBJECT, method, &args);
        assert_eq!(
            answer,
            (vec![json!({"error": words})], status),
            "{method} {args}"
        );
    }
    // What the owner of a router can meet has a code too.
    let answer = foreign_call(&mut client, OBJECT, "drop", &json!({}));
    let told = json!({"error": "the method gave no answer", "code": "no-answer"});
    assert_eq!(answer, (vec![told], 9));
    // None of which hurts the next call.
    assert_eq!(foreign_call(&mut client, OBJECT, "status", &json!({})).1, 0);
}

#[test]
fn a_method_that_does_not_answer_holds_up_nobody_else() {
    let bus = TestBus::started();
    let _handle = provider(&bus);
    let socket = bus.socket();
    let begun = Instant::now();
    let late = thread::spawn(move || {
        foreign_call(&mut foreign_client(&socket), OBJECT, "sleep", &json!({}))
    });
    let mut client = foreign_client(&bus.socket());
    for _ in 0..20 {
        assert_eq!(foreign_call(&mut client, OBJECT, "status", &json!({})).1, 0);
    }
    assert!(!late.is_finished());
    let (replies, status) = late.join().unwrap();
    assert_eq!(status, 7);
    let told = json!({"error": "sleep gave no answer in time", "code": "late", "method": "sleep"});
    assert_eq!(replies, [told]);
    assert!(begun.elapsed() >= Duration::from_secs(10));
}

#[test]
fn a_busy_daemon_says_so_at_once() {
    let bus = TestBus::started();
    let (calls, taken) = sync_channel(1);
    let handle = serve(bus.socket(), METHODS, calls).unwrap();
    eventually("the object is on the bus", || handle.state() == State::Up);
    // One takes the one place, whichever it is, and waits.
    let (tell, ends) = channel();
    for _ in 0..4 {
        let (tell, socket) = (tell.clone(), bus.socket());
        thread::spawn(move || {
            let mut client = foreign_client(&socket);
            let answer = foreign_call(&mut client, OBJECT, "status", &json!({}));
            tell.send(answer).unwrap();
        });
    }
    for _ in 0..3 {
        let refused = ends.recv_timeout(PATIENCE).unwrap();
        assert_eq!(refused.1, 11, "{refused:?}");
    }
    // Once it reads again, who waits is answered.
    thread::spawn(move || answer(taken));
    assert_eq!(ends.recv_timeout(PATIENCE).unwrap().1, 0);
    let mut client = foreign_client(&bus.socket());
    assert_eq!(foreign_call(&mut client, OBJECT, "status", &json!({})).1, 0);
}

#[test]
fn a_reply_that_fits_arrives_and_one_that_does_not_is_explained() {
    let bus = TestBus::started();
    let _handle = provider(&bus);
    let ask = |bytes: u64| {
        call(
            &bus.socket(),
            OBJECT,
            "much",
            json!({"bytes": bytes}),
            PATIENCE,
        )
    };
    let reply = ask(1_000_000).unwrap();
    assert_eq!(reply["text"].as_str().map(str::len), Some(1_000_000));
    match ask(1_100_000) {
        Err(CallError::Refused {
            status: Status::NoMemory,
            message,
            ..
        }) => {
            assert!(
                message.starts_with("the reply of much does not fit"),
                "{message}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert!(ask(10).is_ok());
}

#[test]
fn our_own_client_tells_what_went_wrong() {
    let mut bus = TestBus::absent();
    let within = |socket: &std::path::Path, method: &str, time| {
        call(socket, OBJECT, method, Value::Null, time)
    };
    let status = |socket: &std::path::Path, method: &str| within(socket, method, PATIENCE);
    assert!(matches!(
        status(&bus.socket(), "status"),
        Err(CallError::Connect(_))
    ));
    bus.start();
    assert!(matches!(
        status(&bus.socket(), "status"),
        Err(CallError::NoObject(_))
    ));
    let _handle = provider(&bus);
    assert_eq!(status(&bus.socket(), "status").unwrap()["devices"], 3);
    match status(&bus.socket(), "refuse") {
        Err(CallError::Refused {
            status: Status::NotFound,
            message,
            ..
        }) => {
            assert_eq!(message, "no device \"lamp\" is known");
        }
        other => panic!("{other:?}"),
    }
    // Sooner than the daemon gives up.
    assert!(matches!(
        within(&bus.socket(), "sleep", Duration::from_secs(1)),
        Err(CallError::Timeout)
    ));
}

#[test]
fn subscribers_hear_every_notification_in_order() {
    let bus = TestBus::started();
    let handle = provider(&bus);
    // Nobody listens: nothing is queued, nothing counts as lost.
    for _ in 0..1000 {
        handle.notify("frame-dropped", json!({"port": 1883}));
    }
    assert_eq!(handle.dropped(), 0);

    let (heard, hearing) = channel();
    let socket = bus.socket();
    let subscriber = thread::spawn(move || {
        subscribe(&socket, OBJECT, |name, data| {
            let last = name == "device-gone";
            heard.send((name.to_owned(), data)).unwrap();
            if last {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
    });
    eventually("the subscription", || handle.has_subscribers());
    for number in 0..100 {
        handle.notify("frame-dropped", json!({"seq": number, "topic": "a\0b"}));
    }
    handle.notify("device-gone", json!({"seq": 100}));
    for number in 0..100 {
        let expected = json!({"seq": number, "topic": "a\u{fffd}b"});
        assert_eq!(
            hearing.recv_timeout(PATIENCE).unwrap(),
            ("frame-dropped".into(), expected)
        );
    }
    let last = hearing.recv_timeout(PATIENCE).unwrap();
    assert_eq!(last, ("device-gone".into(), json!({"seq": 100})));
    subscriber.join().unwrap().unwrap();
    eventually("the subscriber's leave is noticed", || {
        !handle.has_subscribers()
    });
    assert_eq!(handle.dropped(), 0);
}

#[test]
fn a_subscriber_is_told_that_the_object_left() {
    let bus = TestBus::started();
    let handle = provider(&bus);
    let socket = bus.socket();
    let subscriber =
        thread::spawn(move || subscribe(&socket, OBJECT, |_, _| ControlFlow::Continue(())));
    eventually("the subscription", || handle.has_subscribers());
    drop(handle);
    assert!(matches!(
        subscriber.join().unwrap(),
        Err(CallError::NoObject(_))
    ));
}

#[test]
fn the_object_comes_back_with_the_bus() {
    let mut bus = TestBus::absent();
    let (calls, taken) = sync_channel(8);
    thread::spawn(move || answer(taken));
    let handle = serve(bus.socket(), METHODS, calls).unwrap();
    eventually("the missing bus is noticed", || match handle.state() {
        State::Down(why) => why.contains("cannot connect"),
        State::Up => false,
    });
    for _ in 0..3 {
        bus.start();
        eventually("the object is on the bus", || handle.state() == State::Up);
        let answer = foreign_call(
            &mut foreign_client(&bus.socket()),
            OBJECT,
            "status",
            &json!({}),
        );
        assert_eq!(answer.1, 0);
        bus.stop();
        eventually("the bus is gone", || handle.state() != State::Up);
        assert!(!handle.has_subscribers());
    }
}

#[test]
fn garbage_from_a_caller_ends_nothing() {
    use std::io::Write;
    let bus = TestBus::started();
    let _handle = provider(&bus);
    let mut client = foreign_client(&bus.socket());
    let object = client.lookup(OBJECT).unwrap();
    for garbage in [&[0xff_u8; 7][..], &[0x83, 0, 0, 0xff, 0, 1], &[0; 64]] {
        let mut envelope = ubus::envelope::EnvBuilder::new();
        envelope.push_u32(ubus::envelope::UbusAttr::ObjId, object);
        envelope.push_str(ubus::envelope::UbusAttr::Method, "block");
        envelope.push_data(garbage);
        let status = client.request(ubus::MsgType::Invoke, object, envelope, |_| Ok(()));
        assert!(
            matches!(status, Err(ubus::UbusError::Status(2))),
            "{garbage:?}: {status:?}"
        );
    }
    let mut raw = std::os::unix::net::UnixStream::connect(bus.socket()).unwrap();
    raw.write_all(&[0xff; 100]).unwrap();
    assert_eq!(foreign_call(&mut client, OBJECT, "status", &json!({})).1, 0);
}
