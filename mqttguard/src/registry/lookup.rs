use std::net::IpAddr;

use mqttguard_common::Mac;

use super::Registry;

/// No single device was meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// Nothing fits.
    #[error("no device has the MAC address, name, user name or IP address '{0}'")]
    Unknown(String),
    /// Several fit.
    #[error("'{wanted}' fits several devices: {}; use the MAC address", join(.macs))]
    Ambiguous {
        /// What was asked for.
        wanted: String,
        /// Who it fits.
        macs: Vec<Mac>,
    },
}

fn join(macs: &[Mac]) -> String {
    macs.iter()
        .map(Mac::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

impl Registry {
    /// The device that an owner means by a MAC address, a name, a user name or an IP address. A
    /// well-formed MAC is taken even if it was never seen, so that a device may be blocked or
    /// enrolled before it first comes.
    ///
    /// # Errors
    ///
    /// When nothing or more than one device fits.
    pub fn find(&self, wanted: &str) -> Result<Mac, LookupError> {
        if let Ok(mac) = wanted.parse::<Mac>()
            && mac.is_device()
        {
            return Ok(mac);
        }
        let address = wanted.parse::<IpAddr>().ok();
        let fits = |exact: bool| {
            self.devices
                .values()
                .filter(|device| {
                    let named = device.name.eq_ignore_ascii_case(wanted)
                        || device
                            .credential
                            .as_ref()
                            .is_some_and(|held| held.username == wanted);
                    let seen = address.is_some_and(|address| device.addresses.contains(&address))
                        || device.hostname.as_deref() == Some(wanted);
                    if exact { named } else { seen }
                })
                .map(|device| device.mac)
                .collect::<Vec<_>>()
        };
        // A name is the owner's word; a hostname or an address is only what was heard.
        for macs in [fits(true), fits(false)] {
            match macs.as_slice() {
                [] => {}
                [mac] => return Ok(*mac),
                _ => {
                    return Err(LookupError::Ambiguous {
                        wanted: wanted.to_owned(),
                        macs,
                    });
                }
            }
        }
        Err(LookupError::Unknown(wanted.to_owned()))
    }
}
