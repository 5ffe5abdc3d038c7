use super::*;

fn secret() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, b"test")
}

fn verifier(mechanism: Mechanism, password: &str, iterations: u32, salt: &str) -> Verifier {
    let iterations = NonZeroU32::new(iterations).unwrap();
    let salt = STANDARD.decode(salt).unwrap();
    Verifier::derive(mechanism, password.as_bytes(), iterations, salt)
}

/// RFC 7677 section 3.
#[test]
fn the_example_of_rfc_7677() {
    let verifier = verifier(
        Mechanism::Sha256,
        "pencil",
        4096,
        "W22ZaJ0SNY7soEsUEjb6gQ==",
    );
    let first = ClientFirst::read(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
    assert_eq!(first.username, "user");
    let own = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    let begin = |first| {
        let verifier = Some(verifier.clone());
        Exchange::with_nonce(Mechanism::Sha256, first, verifier, &secret(), own)
    };
    let (exchange, server_first) = begin(first);
    assert_eq!(
        server_first,
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
         s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    );
    let client_final = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                        p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    assert_eq!(
        exchange.finish(client_final.as_bytes()).unwrap(),
        "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    );
    // One bit of the proof, the nonce, the binding: nothing is left unchecked.
    for (found, other, failure) in [
        ("p=dHzb", "p=dHzc", Failure::Proof),
        ("p=dHzb", "p=", Failure::Message),
        ("k0,", "k1,", Failure::Message),
        ("biws", "eSws", Failure::Message),
        (",p=", ",x=1,p=", Failure::Proof),
        (",p=", ",x,p=", Failure::Message),
        ("c=biws,", "", Failure::Message),
    ] {
        let first = ClientFirst::read(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
        let (exchange, _) = begin(first);
        let client_final = client_final.replacen(found, other, 1);
        assert_eq!(
            exchange.finish(client_final.as_bytes()),
            Err(failure),
            "{client_final}"
        );
    }
}

#[test]
fn a_client_first_message_is_read_strictly() {
    let read = |text: &str| ClientFirst::read(text.as_bytes()).map(|first| first.username);
    for (text, name) in [
        ("n,,n=user,r=01234567", "user"),
        ("y,,n=user,r=01234567", "user"),
        ("n,a=user,n=user,r=01234567", "user"),
        ("n,,n=a=2Cb=3Dc,r=01234567,x=later", "a,b=c"),
    ] {
        assert_eq!(read(text).as_deref(), Ok(name), "{text}");
    }
    for (text, failure) in [
        ("", Failure::Message),
        ("n", Failure::Message),
        ("n,n=user,r=01234567", Failure::Message),
        ("p=tls-exporter,,n=user,r=01234567", Failure::ChannelBinding),
        ("x,,n=user,r=01234567", Failure::Message),
        ("n,a=root,n=user,r=01234567", Failure::OtherUser),
        ("n,root,n=user,r=01234567", Failure::Message),
        ("n,,m=1,n=user,r=01234567", Failure::Message),
        ("n,,n=,r=01234567", Failure::Message),
        ("n,,n=a=2X,r=01234567", Failure::Message),
        ("n,,n=a=,r=01234567", Failure::Message),
        ("n,,n=user", Failure::Message),
        ("n,,n=user,r=0123456", Failure::Message),
        ("n,,n=user,r=0123 4567", Failure::Message),
        (
            &format!("n,,n=user,r={}", "0".repeat(300)),
            Failure::Message,
        ),
        (
            &format!("n,,n={},r=01234567", "0".repeat(2000)),
            Failure::Message,
        ),
    ] {
        assert_eq!(read(text), Err(failure), "{text}");
    }
    assert_eq!(
        ClientFirst::read(b"n,,n=\xff,r=01234567"),
        Err(Failure::Message)
    );
}

#[test]
fn strangers_get_a_salt_that_stays_and_no_password_fits() {
    let begin = |name: &str, mechanism| {
        let text = format!("n,,n={name},r=01234567");
        let first = ClientFirst::read(text.as_bytes()).unwrap();
        let (_, server_first) = Exchange::begin(mechanism, first, None, &secret()).unwrap();
        server_first.split_once(",s=").unwrap().1.to_owned()
    };
    let ghost = begin("ghost", Mechanism::Sha256);
    assert_eq!(ghost, begin("ghost", Mechanism::Sha256));
    assert_ne!(ghost, begin("other", Mechanism::Sha256));
    assert_ne!(ghost, begin("ghost", Mechanism::Sha512));
    let real = Verifier::new(Mechanism::Sha256, b"x", ITERATIONS).unwrap();
    let real = format!("{},i={ITERATIONS}", STANDARD.encode(real.salt));
    assert_eq!(ghost.len(), real.len(), "{ghost} {real}");
    assert_eq!(ghost.split_once(",i=").unwrap().1, ITERATIONS.to_string());
}

#[test]
fn verifiers_are_written_and_read_and_show_nothing() {
    let all = verifiers("s3cret pass").unwrap();
    assert_eq!(all.len(), 2);
    for (text, mechanism) in all.iter().zip(Mechanism::ALL) {
        let read: Verifier = text.parse().unwrap();
        assert_eq!(read.mechanism, mechanism);
        assert_eq!(read.to_string(), **text);
        let salt = STANDARD.encode(&read.salt);
        let again = verifier(mechanism, "s3cret pass", ITERATIONS.get(), &salt);
        assert!(again == read);
        assert!(!format!("{read:?}").contains("key"));
        for (found, other) in [
            ("$", ":"),
            ("SHA", "MD5"),
            ("10000", "0"),
            ("10000", "999999"),
            (":", ":!"),
        ] {
            let bad = text.replacen(found, other, 1);
            assert_eq!(bad.parse::<Verifier>(), Err(NoVerifier), "{bad}");
        }
    }
    assert!(verifiers("käse").unwrap().is_empty());
}
