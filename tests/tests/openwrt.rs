//! What a router does to the package in its life, with OpenWrt's own opkg, procd, ujail, ubusd, uci,
//! netifd, rpcd and hotplug. Where the files come from: docs/packages.md.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use mqttguard_lab::{tools, until};
use mqttguard_tests::openwrt::{DEVICE, OPENWRT_VARIABLE, ROUTER, Router};
use serde_json::Value;

/// How long the daemon may take until the house is protected, with the verifier busy elsewhere.
const START: Duration = Duration::from_secs(60);
/// How long procd waits before it starts again what has died, and how long that takes.
const RESPAWN: Duration = Duration::from_secs(65);
/// What the daemon may: CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE.
const POWER: &str = "000000c000003400";

fn router() -> Router {
    let root = std::env::var_os(OPENWRT_VARIABLE).expect(OPENWRT_VARIABLE);
    let feed = tools::target_dir().unwrap().join("feed/opkg");
    Router::new(&PathBuf::from(root), &feed).unwrap()
}

/// The daemons' process ids, without those of their jails.
fn daemons(router: &Router) -> Vec<String> {
    let script = "for it in /proc/[0-9]*; do \
                  [ \"$(readlink $it/exe)\" = /usr/sbin/mqttguard ] && echo ${it#/proc/}; done; true";
    let told = router.run(script).unwrap();
    told.lines().map(str::to_owned).collect()
}

/// The process id of the jail, which is all that procd knows of.
fn jail(router: &Router) -> String {
    let instance = "@.mqttguard.instances.instance1.pid";
    let script =
        format!("ubus call service list '{{\"name\":\"mqttguard\"}}' | jsonfilter -e {instance}");
    router.run(&script).unwrap().trim().to_owned()
}

fn protected(router: &Router) -> bool {
    let asked = router.told("ubus call mqttguard status");
    asked.is_ok_and(|(told, _)| {
        serde_json::from_str(&told).is_ok_and(|status: Value| status["protected"] == true)
    })
}

/// Waits until there is one daemon, which protects the house. Its process id.
fn at_work(router: &Router, limit: Duration) -> String {
    let mut found = Vec::new();
    let one = until(limit, || {
        found = daemons(router);
        found.len() == 1 && protected(router)
    });
    let log = router
        .run("/sbin/logread | grep mqttguard | tail -n 20")
        .unwrap();
    assert!(one, "daemons {found:?}\n{log}");
    found.remove(0)
}

/// Installs it from the signed feed, without a word on stderr. What it needs of the kernel is this
/// machine's.
fn install(router: &Router) {
    let told = router
        .run("opkg update && opkg install --force-depends mqttguard 2>&1")
        .unwrap();
    assert!(told.contains("Signature check passed."), "{told}");
    assert!(told.contains("Configuring mqttguard."), "{told}");
    assert!(!told.contains("Command failed"), "{told}");
}

#[test]
#[ignore = "needs the root file system of an OpenWrt"]
fn the_package_is_installed_upgraded_and_removed() {
    let mut router = router();
    router.boot().unwrap();
    router
        .run("uci set system.@system[0].hostname=Attic; uci commit system")
        .unwrap();
    install(&router);
    let daemon = at_work(&router, START);
    assert_eq!(router.run("service mqttguard status").unwrap(), "running\n");
    let links = router.run("cd /etc/rc.d; echo *mqttguard").unwrap();
    assert_eq!(links, "K75mqttguard S19mqttguard\n");
    assert_eq!(
        router.run("uci get mqttguard.main.hostname").unwrap(),
        "attic.lan\n"
    );
    assert_eq!(
        router
            .run("ls /etc/uci-defaults | grep mqttguard; true")
            .unwrap(),
        ""
    );

    // No more power than it takes.
    let status = router.run(&format!("cat /proc/{daemon}/status")).unwrap();
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert!(status.contains(&format!("{set}:\t{POWER}\n")), "{status}");
    }
    assert!(status.contains("NoNewPrivs:\t1\n"), "{status}");
    // ujail leaves nothing of the environment but what it is told to.
    let environment = router.run(&format!("cat /proc/{daemon}/environ")).unwrap();
    let expected = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    assert!(
        environment.split('\0').any(|it| it == expected),
        "{environment}"
    );

    // An upgrade: what is the owner's stays, and the guard stays on.
    router
        .run("uci set mqttguard.main.quarantine=7m; uci commit mqttguard")
        .unwrap();
    let sums = "md5sum /etc/config/mqttguard /etc/mqttguard/ca.* /etc/mqttguard/server*";
    let before = router.run(sums).unwrap();
    let pinned = "ls -i /sys/fs/bpf/mqttguard";
    let guard = router.run(pinned).unwrap();
    newer(&router);
    let told = router
        .run("opkg install --force-depends /tmp/newer.ipk 2>&1")
        .unwrap();
    assert!(told.contains("Upgrading mqttguard"), "{told}");
    assert!(told.contains("/etc/config/mqttguard-opkg"), "{told}");
    assert!(!told.contains("service signal"), "{told}");
    assert_eq!(router.run(pinned).unwrap(), guard);
    assert_ne!(at_work(&router, START), daemon);
    assert_eq!(router.run(sums).unwrap(), before);

    let kept = router.run("sysupgrade -l").unwrap();
    for file in ["/etc/config/mqttguard", "/etc/mqttguard/ca.key"] {
        assert!(kept.lines().any(|line| line == file), "{file}: {kept}");
    }

    let told = router.run("opkg remove mqttguard 2>&1").unwrap();
    assert!(!told.contains("Command failed"), "{told}");
    assert_eq!(daemons(&router), [""; 0]);
    assert_eq!(
        router.run("ls /sys/fs/bpf | grep mqttguard; true").unwrap(),
        ""
    );
    assert_eq!(
        router.run("ls /etc/rc.d | grep mqttguard; true").unwrap(),
        ""
    );
    assert!(router.run("ls /etc/mqttguard").unwrap().contains("ca.key"));
}

/// The same package with a larger version number, as `/tmp/newer.ipk`.
fn newer(router: &Router) {
    let script = "set -e; mkdir -p /tmp/newer/control; cd /tmp/newer
        tar -xzf /feed/$(uname -m)*/mqttguard_*.ipk; tar -xzf control.tar.gz -C control
        sed -i '/^Version: /s/$/0/' control/control
        tar -czf control.tar.gz -C control .
        tar -czf /tmp/newer.ipk ./debian-binary ./data.tar.gz ./control.tar.gz; rm -r /tmp/newer";
    router.run(script).unwrap();
}

#[test]
#[ignore = "needs the root file system of an OpenWrt"]
fn procd_keeps_one_daemon_and_a_reload_keeps_its_sessions() {
    let mut router = router();
    router.boot().unwrap();
    install(&router);
    let first = at_work(&router, START);

    // Whichever of the two dies, there is one of each afterwards, and the guard stays on.
    router.run(&format!("kill -9 {first}")).unwrap();
    assert!(until(RESPAWN, || !daemons(&router).contains(&first)));
    let second = at_work(&router, RESPAWN);
    router.run(&format!("kill -9 {}", jail(&router))).unwrap();
    assert!(until(RESPAWN, || !daemons(&router).contains(&second)));
    let third = at_work(&router, RESPAWN);

    let enrolled = router
        .run(&format!("mqttguard --json enrol {DEVICE}"))
        .unwrap();
    let enrolled: Value = serde_json::from_str(&enrolled).unwrap();
    let text = |key: &str| enrolled[key].as_str().unwrap().to_owned();
    let client = |program: &str| {
        let mut client = Command::new(program);
        client
            .args(["-h", ROUTER, "-p", "8883", "--cafile"])
            .arg(router.root().join("etc/mqttguard/ca.crt"))
            .args(["-u", &text("username"), "-P", &text("password")])
            .args(["-t", &format!("{}/state", text("username"))])
            .stdin(Stdio::null());
        client
    };
    let mut subscriber = client("mosquitto_sub");
    subscriber
        .args(["-i", "kept", "-C", "1", "-W", "120"])
        .stdout(Stdio::piped());
    let subscriber = router.device().start(&mut subscriber).unwrap();
    assert!(until(START, || router
        .run("ubus call mqttguard devices")
        .unwrap()
        .contains("\"kept\"")));

    let in_force = "/sbin/logread | grep -c 'is in force'; true";
    let count = || router.run(in_force).unwrap().trim().parse::<u32>().unwrap();
    let commit = "uci commit mqttguard; reload_config";
    for change in [
        "service mqttguard reload",
        &format!("reload_config; uci set mqttguard.main.quarantine=7m; {commit}"),
        "ubus call network.interface.lan down; sleep 1; ubus call network.interface.lan up",
    ] {
        let before = count();
        router.run(change).unwrap();
        assert!(until(START, || count() > before), "{change}");
    }
    router
        .run(&format!("uci set mqttguard.main.mode=enfroce; {commit}"))
        .unwrap();
    let refused = "/sbin/logread | grep -q \"found 'enfroce', expected one of: enforce, monitor\"";
    assert!(until(START, || router.run(refused).is_ok()));

    assert_eq!(daemons(&router), [third]);
    let mut publisher = client("mosquitto_pub");
    publisher.args(["-q", "1", "-m", "still here"]);
    assert!(
        router
            .device()
            .output(&mut publisher)
            .unwrap()
            .status
            .success()
    );
    let heard = subscriber.wait_with_output().unwrap();
    assert_eq!(heard.stdout, b"still here\n");

    // A restart leaves the guard on all the while, with a mistake in the configuration too: what is pinned
    // is what was. Switched off by then, it does not.
    let pinned = "ls -iR /sys/fs/bpf/mqttguard";
    let (before, guard) = (daemons(&router), router.run(pinned).unwrap());
    assert!(guard.contains("links"), "{guard}");
    let told = "service mqttguard restart 2>&1";
    assert_eq!(router.run(told).unwrap(), "");
    let links = |listing: &str| {
        let links = listing.split("\n\n").find(|it| it.contains("links:"));
        links.map(str::to_owned).unwrap_or_default()
    };
    assert_eq!(links(&router.run(pinned).unwrap()), links(&guard));
    assert_ne!([at_work(&router, START)].as_slice(), before.as_slice());
    assert_eq!(links(&router.run(pinned).unwrap()), links(&guard));
    let switch = |enabled: u8| {
        let set = format!(
            "uci set mqttguard.main.mode=enforce; uci set mqttguard.main.enabled={enabled}"
        );
        router
            .run(&format!("{set}; uci commit mqttguard; {told}"))
            .unwrap();
    };
    switch(0);
    let left = "ls /sys/fs/bpf | grep mqttguard; true";
    assert!(until(START, || router.run(left).unwrap() == ""));
    switch(1);
    at_work(&router, START);

    // A stop takes the guard off, and a power cut at any time leaves a router that comes up guarded.
    router.run("service mqttguard stop").unwrap();
    assert!(until(START, || daemons(&router).is_empty()));
    assert_eq!(
        router.run("ls /sys/fs/bpf | grep mqttguard; true").unwrap(),
        ""
    );
    for after in [300, 900, 1500, 2500] {
        router
            .run("rm -rf /etc/mqttguard; service mqttguard start")
            .unwrap();
        std::thread::sleep(Duration::from_millis(after));
        router.cut_power();
        router.boot().unwrap();
        at_work(&router, START);
        router.run("service mqttguard stop").unwrap();
        assert!(until(START, || daemons(&router).is_empty()));
    }
}

#[test]
#[ignore = "needs the root file system of an OpenWrt"]
fn luci_reads_for_everybody_and_writes_for_the_owner() {
    let mut router = router();
    router.boot().unwrap();
    install(&router);
    at_work(&router, START);
    let told = router
        .run("opkg install --force-depends luci-app-mqttguard 2>&1")
        .unwrap();
    assert!(told.contains("Configuring luci-app-mqttguard."), "{told}");
    // Sessions as a login makes them: of one ACL group, to read alone or to write too.
    for (right, expected) in [("read", [true, false]), ("write", [true, true])] {
        let logins = format!(
            "sed -i '/luci-mqttguard-test/,$d' /etc/config/rpcd
            printf \"# luci-mqttguard-test\\nconfig login\\n\\toption username root\\n\\toption password '\\$p\\$root'\\n\
            \\tlist {right} 'luci-app-mqttguard'\\n\" >> /etc/config/rpcd
            uci -q delete rpcd.@login[0]; uci commit rpcd; /etc/init.d/rpcd restart; ubus wait_for session"
        );
        router.run(&logins).unwrap();
        let login = "ubus call session login '{\"username\":\"root\",\"password\":\"\"}'";
        let session: Value = serde_json::from_str(&router.run(login).unwrap()).unwrap();
        let session = session["ubus_rpc_session"].as_str().unwrap();
        for (function, expected) in ["status", "block"].into_iter().zip(expected) {
            let access = format!(
                "ubus call session access '{{\"ubus_rpc_session\":\"{session}\",\"scope\":\"ubus\",\
                 \"object\":\"mqttguard\",\"function\":\"{function}\"}}'"
            );
            let answer: Value = serde_json::from_str(&router.run(&access).unwrap()).unwrap();
            assert_eq!(answer["access"], expected, "{right}: {function}");
        }
    }
}

#[test]
#[ignore = "needs the root file system of an OpenWrt"]
fn what_a_device_says_over_dhcp_comes_by_hotplug() {
    let mut router = router();
    router.boot().unwrap();
    install(&router);
    at_work(&router, START);
    let device = format!("ubus call mqttguard device '{{\"device\":\"{DEVICE}\"}}'");
    router
        .device()
        .ip_batch("neigh replace 192.168.7.1 lladdr 02:00:00:00:00:01 dev eth0\n")
        .unwrap();
    let ping = || {
        router
            .run("ping -c 1 -W 1 192.168.7.10 2>/dev/null; true")
            .is_ok()
    };
    assert!(until(START, || ping() && router.told(&device).is_ok()));
    // As dnsmasq calls it, with what the device said in the environment.
    let lease = format!(
        "DNSMASQ_VENDOR_CLASS='kettle 1.2' DNSMASQ_MUD_URL=https://maker.example/kettle.json \
         /usr/lib/dnsmasq/dhcp-script.sh add {DEVICE} 192.168.7.10 kettle"
    );
    router.run(&lease).unwrap();
    let said = until(START, || {
        let told = router.run(&device).unwrap();
        told.contains("kettle 1.2") && told.contains("https://maker.example/kettle.json")
    });
    assert!(said, "{}", router.run(&device).unwrap());
}
