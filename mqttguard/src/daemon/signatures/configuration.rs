//! The configuration file.

use super::Method;

pub(super) const METHODS: &[Method] = &[
    Method {
        name: "check",
        about: "Reads the configuration file and lists every mistake in it. Nothing takes force.",
        args: &[],
        returns: "`file`, `ok`, `errors`",
        errors: &[],
        example: "",
    },
    Method {
        name: "reload",
        about: "Puts the configuration file into force, or says what is wrong with it.",
        args: &[],
        returns: "`ok`, `errors`, `at_next_start` (what takes force with the next start only)",
        errors: &[],
        example: "",
    },
];
