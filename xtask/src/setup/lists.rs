//! What each chore needs.

use super::clients;
use super::need::{Need, Tool};

/// What the house of the demo and the tests runs.
pub(crate) const HOUSE: &[Need] = &[
    Need::program("cc", "gcc"),
    Need::program("ip", "iproute2"),
    Need::program("mount", "mount"),
    Need::program("nft", "nftables"),
    Need::program("setpriv", "util-linux"),
    Need::program("dnsmasq", "dnsmasq-base"),
    Need::program("udhcpc", "udhcpc"),
    Need::program("mosquitto", "mosquitto"),
    Need::program("mosquitto_pub", "mosquitto-clients"),
    Need::program("nats-server", "nats-server"),
    Need::program("busybox", "busybox"),
    Need::program("openssl", "openssl"),
    Need::Crate(Tool::plain("ubusd", "0.5.0")),
    Need::Crate(Tool::plain("ubus-client", "0.5.0")),
];

/// The clients that the broker is tested with, beside mosquitto's, and what they run on.
pub(crate) const CLIENTS: &[Need] = &[
    Need::Package("python3-venv"),
    Need::program("node", "nodejs"),
    Need::program("npm", "npm"),
    Need::Client(clients::PYTHON),
    Need::Client(clients::MQTT_JS),
    Need::Client(clients::RUMQTTC),
];

/// The browser in which the LuCI views are tested, and what drives it.
pub(crate) const BROWSER: &[Need] = &[
    Need::program("chromium", "chromium"),
    Need::program("node", "nodejs"),
    Need::program("npm", "npm"),
    Need::Client(clients::BROWSER),
];

/// What collects texts for translators.
pub(crate) const TRANSLATIONS: &[Need] = &[Need::Program {
    name: "xgettext",
    package: "gettext",
}];

/// What the checks of the source need beside that.
pub(crate) const CHECKS: &[Need] = &[
    Need::program("shellcheck", "shellcheck"),
    Need::program("dash", "dash"),
    Need::program("make", "make"),
    Need::Component {
        subcommand: "fmt",
        component: "rustfmt",
    },
    Need::Component {
        subcommand: "clippy",
        component: "clippy",
    },
];

/// What libFuzzer is built with.
pub(crate) const FUZZ: &[Need] = &[Need::Program {
    name: "c++",
    package: "g++",
}];

/// What the broker is measured with.
pub(crate) const BENCH: &[Need] = &[
    Need::program("mosquitto", "mosquitto"),
    Need::program("taskset", "util-linux"),
];

/// What the kernel program is measured with.
pub(crate) const BENCH_KERNEL: &[Need] = &[
    Need::program("xdp-filter", "xdp-tools"),
    Need::program("nft", "nftables"),
    Need::program("ip", "iproute2"),
    Need::program("ethtool", "ethtool"),
];

/// A broker to measure against.
pub(crate) const RUMQTTD: &[Need] = &[Need::Crate(Tool {
    name: "rumqttd",
    version: "0.20.0",
    // What its lock file names does not compile any more.
    locked: false,
    arguments: &["--no-default-features", "--features", "use-rustls"],
    variable: None,
})];

/// What the kernel program's objects are built with: Debian's compiler, which brings the core
/// library for BPF, and its LLVM. A nightly toolchain with the `rust-src` component can stand in
/// for the compiler.
pub(crate) const EBPF: &[Need] = &[
    Need::Package("rustc-web"),
    Need::Package("cargo-web"),
    Need::Package("libstd-rust-web-dev-bpf"),
    Need::Package("llvm-22-dev"),
    Need::Package("libpolly-22-dev"),
    Need::Package("clang-22"),
    Need::Crate(Tool {
        name: "bpf-linker",
        version: "0.13.0",
        locked: true,
        arguments: &["--no-default-features", "--features", "llvm-22"],
        // Without it the linker is built against no LLVM.
        variable: Some(("LLVM_PREFIX", "/usr/lib/llvm-22")),
    }),
];

/// What feeds are signed with, beside a crate.
pub(crate) const SIGNING: &[Need] = &[Need::Program {
    name: "openssl",
    package: "openssl",
}];

/// What programs for routers are built with: Debian's compiler with the source of the standard
/// library, zig as C compiler and linker.
pub(crate) const PACKAGE: &[Need] = &[
    Need::Package("rustc-web"),
    Need::Package("cargo-web"),
    Need::Package("rust-web-src"),
    Need::Package("llvm-22"),
    Need::Package("python3-venv"),
    Need::Zig,
];

/// What they are run with here.
pub(crate) const PACKAGE_CHECK: &[Need] = &[
    Need::Package("qemu-user-static"),
    Need::Crate(Tool::plain("ubusd", "0.5.0")),
];

/// What this chore runs.
pub(crate) const KERNELS: &[Need] = &[
    Need::program("qemu-system-x86_64", "qemu-system-x86"),
    Need::program("busybox", "busybox"),
    Need::program("ip", "iproute2"),
    Need::program("nsenter", "util-linux"),
    Need::program("strip", "binutils"),
    Need::program("xz", "xz-utils"),
    Need::program("zstd", "zstd"),
    // For the kernel that is built here.
    Need::program("gcc", "gcc"),
    Need::program("make", "make"),
    Need::program("flex", "flex"),
    Need::program("bison", "bison"),
    Need::program("bc", "bc"),
    Need::program("bzip2", "bzip2"),
    Need::Package("libelf-dev"),
];
