//! On what terms the connections of which devices are carried on.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mqttguard_common::Mac;
use rustls::ClientConfig;

use crate::config::Uplift;
use crate::upstream::trust::client_config;

/// The far end of a connection, but for its address: that is the device's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// What its certificate has to be for.
    pub(super) host: String,
    pub(super) port: u16,
    /// The authorities it may be from.
    pub(super) ca: PathBuf,
}

/// A section, and what was read of its files.
pub(super) struct Terms {
    pub(super) section: Arc<str>,
    pub(super) server: Arc<Server>,
    macs: Vec<Mac>,
    /// As the file was when it was read.
    tls: Option<(Stamp, Arc<ClientConfig>)>,
}

/// Tells a file that was changed: device, inode, length, time of change in seconds and nanoseconds.
type Stamp = (u64, u64, u64, i64, i64);

impl Terms {
    fn new(section: Uplift) -> Terms {
        Terms {
            section: section.name.as_str().into(),
            server: Arc::new(Server {
                host: section.host,
                port: section.port,
                ca: section.ca,
            }),
            macs: section.macs,
            tls: None,
        }
    }

    /// The terms of these sections. What was read of files is taken over from `old`.
    pub(super) fn of(sections: Vec<Uplift>, mut old: Vec<Terms>) -> Vec<Terms> {
        let mut all: Vec<Terms> = sections.into_iter().map(Terms::new).collect();
        for terms in &mut all {
            let known = old.iter_mut().find(|old| old.server.ca == terms.server.ca);
            terms.tls = known.and_then(|old| old.tls.clone());
        }
        all
    }

    pub(super) fn covers(&self, mac: Mac) -> bool {
        self.macs.contains(&mac)
    }

    pub(super) fn macs(&self) -> &[Mac] {
        &self.macs
    }

    /// What TLS is done with: read again only when the file has changed, as a bundle of all public
    /// authorities takes a small router a while.
    ///
    /// # Errors
    ///
    /// Why there is no authority to trust, in words.
    pub(super) fn tls(&mut self) -> Result<Arc<ClientConfig>, String> {
        let ca = &self.server.ca;
        let stamp = stamp(ca).map_err(|error| format!("{}: {error}", ca.display()))?;
        if let Some((of, config)) = &self.tls
            && *of == stamp
        {
            return Ok(Arc::clone(config));
        }
        let config = client_config(ca, None)?;
        self.tls = Some((stamp, Arc::clone(&config)));
        Ok(config)
    }
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let file = fs::metadata(path)?;
    let (dev, ino, size) = (file.dev(), file.ino(), file.size());
    Ok((dev, ino, size, file.ctime(), file.ctime_nsec()))
}
