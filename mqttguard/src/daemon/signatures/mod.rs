//! The methods of the `mqttguard` object, and what there is to know of each; [`super::methods`] has
//! what they do. `docs/ubus.md` is made of them.

mod configuration;
mod credentials;
mod descriptions;
mod passage;
mod state;
mod watching;

use crate::ubus::{ArgType, MethodSpec};

/// A method, as its callers need to know it.
pub(crate) struct Method {
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) about: &'static str,
    /// Its arguments: name, type, and what it means. None is mandatory on the wire.
    pub(crate) args: &'static [Arg],
    /// What it answers.
    pub(crate) returns: &'static str,
    /// When it fails, beside an argument of the wrong type: the status and why.
    pub(crate) errors: &'static [(&'static str, &'static str)],
    /// Arguments of a call, as `ubus call mqttguard NAME` takes them.
    pub(crate) example: &'static str,
}

/// Name, type and meaning of an argument.
pub(crate) type Arg = (&'static str, ArgType, &'static str);

const DEVICE: Arg = (
    "device",
    ArgType::String,
    "MAC address, name, user name or IP address; a MAC address need not have been seen yet",
);

const UNKNOWN: (&str, &str) = ("NOT_FOUND", "no device fits `device`");
const AMBIGUOUS: (&str, &str) = ("INVALID_ARGUMENT", "several devices fit `device`");
const FULL: (&str, &str) = ("NO_MEMORY", "the registry is full");
const BAD_TIME: (&str, &str) = ("INVALID_ARGUMENT", "the time is out of range");

/// The object's methods by theme, in the order of the documentation.
const THEMES: [&[Method]; 6] = [
    state::METHODS,
    credentials::METHODS,
    passage::METHODS,
    descriptions::METHODS,
    watching::METHODS,
    configuration::METHODS,
];

/// How many methods there are.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which refuses what is out of bounds"
)]
const COUNT: usize = {
    let (mut theme, mut count) = (0, 0);
    while theme < THEMES.len() {
        count += THEMES[theme].len();
        theme += 1;
    }
    count
};

/// The object's methods.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which refuses what is out of bounds"
)]
pub(crate) const TABLE: [&Method; COUNT] = {
    let mut all = [&THEMES[0][0]; COUNT];
    let (mut theme, mut count) = (0, 0);
    while theme < THEMES.len() {
        let mut method = 0;
        while method < THEMES[theme].len() {
            all[count] = &THEMES[theme][method];
            count += 1;
            method += 1;
        }
        theme += 1;
    }
    all
};

/// The most arguments that a method has.
const MOST: usize = 8;

/// Name and type of the arguments, beside one another as [`MethodSpec`] wants them.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which refuses what is out of bounds"
)]
static ARGS: [[(&str, ArgType); MOST]; COUNT] = {
    let mut all = [[("", ArgType::String); MOST]; COUNT];
    let mut method = 0;
    while method < COUNT {
        let args = TABLE[method].args;
        let mut arg = 0;
        while arg < args.len() {
            all[method][arg] = (args[arg].0, args[arg].1);
            arg += 1;
        }
        method += 1;
    }
    all
};

/// The object's methods, as `ubus -v list mqttguard` shows them.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which refuses what is out of bounds"
)]
pub(crate) static METHODS: [MethodSpec; COUNT] = {
    let mut methods = [MethodSpec {
        name: "",
        args: &[],
    }; COUNT];
    let mut method = 0;
    while method < COUNT {
        let (args, _) = ARGS[method].split_at(TABLE[method].args.len());
        methods[method] = MethodSpec {
            name: TABLE[method].name,
            args,
        };
        method += 1;
    }
    methods
};
