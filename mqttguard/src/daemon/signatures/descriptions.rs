//! What devices and their makers say of them.

use super::{AMBIGUOUS, DEVICE, Method, UNKNOWN};
use crate::ubus::ArgType;

pub(super) const METHODS: &[Method] = &[
    Method {
        name: "mud",
        about: "Fetches what a device's maker says that it needs (RFC 8520), verifies who signed that, and \
            shows it; with `accept`, puts in force what was shown last. Without `url`, it is at the URL \
            that the device announces over DHCP.",
        args: &[
            DEVICE,
            (
                "url",
                ArgType::String,
                "where the MUD file is, https only, at most 255 bytes; may name a host of the house",
            ),
            (
                "accept",
                ArgType::Boolean,
                "true: puts it in force; without `url`, what was shown last",
            ),
            (
                "unverified",
                ArgType::Boolean,
                "with `accept`: even if it is not signed, or by one whom no trusted authority knows",
            ),
            (
                "sha256",
                ArgType::String,
                "with `accept`: only if it is this very file",
            ),
            (
                "forget",
                ArgType::Boolean,
                "true: takes back what was accepted instead",
            ),
        ],
        returns: "`mac`, `name`, `url`, `by_hand` (the URL was), `sha256`, `signature` (`state`: `valid`, \
            `unknown`, `absent` or `invalid`; `signer`, `why`), `acceptable` (`yes`, `unverified`, `no`), \
            `accepted` (this very file is), `accepted_ms`, `accepted_sha256` (if another is), \
            `systeminfo`, `mfg_name`, `model_name`, `last_update`, `is_supported`, `cache_validity_h`, \
            `tls_only`, `needs` (a list of `says`, `taken`, `why`), `exceptions` (`to`, `port`) and `grants` \
            (`access`: `publish` or `subscribe`, `pattern`, and `filter`, what that is for this device) \
            that follow from it when it is accepted; or `forgotten`",
        errors: &[
            UNKNOWN,
            AMBIGUOUS,
            (
                "NOT_FOUND",
                "it announces no URL and none was given; `accept`, and nothing was shown; `forget`, and \
                 nothing is accepted",
            ),
            ("INVALID_ARGUMENT", "`url` or `sha256` does not fit"),
            (
                "NOT_SUPPORTED",
                "the signature is not valid, or `unverified` is needed",
            ),
            ("NO_MEMORY", "64 files are accepted"),
            (
                "SYSTEM_ERROR",
                "the file cannot be fetched or read, or 4 are being fetched; or it cannot be written \
                 down that it is accepted",
            ),
        ],
        example: r#"{"device":"kitchen-plug","url":"https://maker.example/plug.json"}"#,
    },
    Method {
        name: "sighting",
        about: "What a device told the DHCP server of itself: for the hotplug script of the package. What \
            is no printable text, and no URL of HTTPS, is left out.",
        args: &[
            ("mac", ArgType::String, "the device's MAC address"),
            (
                "vendor_class",
                ArgType::String,
                "DHCP option 60, at most 255 bytes",
            ),
            (
                "mud_url",
                ArgType::String,
                "DHCP option 161 (RFC 8520 section 10), at most 255 bytes",
            ),
        ],
        returns: "nothing",
        errors: &[("INVALID_ARGUMENT", "`mac` is no device's")],
        example: r#"{"mac":"02:c1:1e:17:00:01","vendor_class":"udhcp 1.36.1"}"#,
    },
];
