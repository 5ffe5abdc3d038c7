//! What a login costs, in time of this thread's alone: other load on the machine does not count.

use std::num::NonZeroU32;
use std::sync::mpsc::sync_channel;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mio::Poll;
use mqttguard_broker::{AuthRequest, ConnId, Stage, Version};
use ring::digest;
use rustix::time::{ClockId, clock_gettime};

use super::*;
use crate::broker::Logins;
use crate::config::Profile;

const PLUG: Mac = Mac([2, 0xc1, 0x1e, 0x17, 0, 1]);
const OTHER: Mac = Mac([2, 0xc1, 0x1e, 0x17, 0, 2]);

fn account() -> Arc<Account> {
    let settings = crate::config::parse("test", "").expect("valid");
    Arc::new(Account {
        username: "".into(),
        mac: PLUG,
        device: String::new(),
        hash: Hidden::default(),
        scram: Vec::new(),
        earlier: None,
        certificates: Vec::new(),
        roaming: false,
        plaintext: false,
        profile_name: String::new(),
        profile: Arc::new(Profile {
            publish: Vec::new(),
            subscribe: Vec::new(),
            deny: Vec::new(),
            limits: String::new(),
        }),
        limits: Arc::new(settings.limits(None).broker.clone()),
    })
}

fn job(directory: &Arc<Directory>, username: &str, password: &str) -> Job {
    Job {
        conn: ConnId { slot: 0, serial: 0 },
        request: AuthRequest {
            stage: Stage::Connect,
            version: Version::V5,
            client_id: String::new(),
            username: Some(username.to_owned()),
            password: Some(Zeroizing::new(password.as_bytes().to_vec())),
            method: None,
            data: None,
        },
        certificate: None,
        address: [192, 168, 1, 9].into(),
        listener: "tls".into(),
        kind: ListenerKind::Tls,
        directory: Arc::clone(directory),
        logins: Arc::new(Logins {
            secret: Zeroizing::new([7; 32]),
            jwt: None,
            http: None,
        }),
        exchange: None,
    }
}

fn spent() -> u128 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u128::try_from(time.tv_sec).unwrap_or_default();
    seconds * 1_000_000_000 + u128::try_from(time.tv_nsec).unwrap_or_default()
}

/// Who guesses at the name of an account that waits for its device is not told by the time that the
/// name is one, whichever hash waits there, and whether the password was right.
#[test]
fn a_name_that_waits_takes_as_long_as_one_that_nobody_has() {
    let pbkdf2 = |iterations| -> Hidden {
        let iterations = NonZeroU32::new(iterations).expect("not zero");
        let hash = Hash::new(b"right", iterations).expect("made");
        hash.to_string().into()
    };
    let salted = digest::digest(&digest::SHA512, b"rightsalt");
    let sha512 = format!(
        "$6${}${}",
        STANDARD.encode(b"salt"),
        STANDARD.encode(salted.as_ref())
    );
    let hashes = [
        ("sha512", sha512.into()),
        ("old", pbkdf2(101)),
        ("ours", pbkdf2(password::ITERATIONS.get())),
    ];
    let mut directory = Directory::default();
    for (name, hash) in hashes {
        let waiting = Waiting {
            mac: Some(OTHER),
            hash,
            serial: 1,
            account: account(),
        };
        directory.claims.insert(name.to_owned(), waiting);
    }
    let directory = Arc::new(directory);
    let poll = Poll::new().expect("a poll");
    let waker = Waker::new(poll.registry(), mio::Token(0)).expect("a waker");
    let mut checker = Checker::new(sync_channel(1).0, Arc::new(waker)).expect("a checker");
    let mut least = |username: &str, password: &str, why: Option<Denial>| {
        let times = (0..9).map(|_| {
            let job = job(&directory, username, password);
            let start = spent();
            let verdict = checker.check(job, &|_| Some(PLUG)).expect("a verdict");
            let time = spent() - start;
            // Of the right password it is looked at later whose it is.
            assert_eq!(verdict.proof.err(), why, "{username}, {password}");
            time
        });
        times.min().unwrap_or_default()
    };
    let nobody = least("nobody", "guess", Some(Denial::UnknownUser));
    for (username, password, why) in [
        ("sha512", "guess", Some(Denial::WrongPassword)),
        ("old", "guess", Some(Denial::WrongPassword)),
        ("ours", "guess", Some(Denial::WrongPassword)),
        ("sha512", "right", None),
        ("old", "right", None),
        ("ours", "right", None),
    ] {
        let time = least(username, password, why);
        let share = time * 100 / nobody.max(1);
        assert!(
            (75..134).contains(&share),
            "{username}, {password}: {time} ns, nobody {nobody} ns"
        );
    }
}
