//! What each listener does TLS with, kept over reloads.

use std::collections::HashMap;
use std::sync::Arc;

use crate::broker::{ListenerTls, TlsByListener};
use crate::config::{Listener, TlsOptions};
use crate::pki::{ClientVerifier, Pki};

/// The TLS of the listeners as of the last look at their files.
#[derive(Default)]
pub(super) struct Serving(HashMap<String, (TlsOptions, ListenerTls)>);

impl Serving {
    /// Reads the files of all listeners anew. A file that cannot be read leaves what was read
    /// from it last in force; a listener of which nothing is known yet has an error.
    pub(super) fn follow(&mut self, pki: &Pki, listeners: &[Listener]) -> TlsByListener {
        let encrypted = listeners
            .iter()
            .filter(|listener| listener.kind.is_encrypted());
        let mut before = std::mem::take(&mut self.0);
        let mut all = TlsByListener::new();
        for listener in encrypted {
            let last = before.remove(&listener.name);
            // Of other files nothing holds for these.
            let last = last.filter(|(options, _)| options.clients == listener.tls.clients);
            let last = last.map(|(_, tls)| tls);
            let tls = serve(pki, &listener.tls, last).inspect_err(|error| {
                log::error!("listener '{}': {error}", listener.name);
            });
            if let Ok(tls) = &tls {
                if let Some(problem) = &tls.problem {
                    log::error!("listener '{}': {problem}", listener.name);
                }
                let known = (listener.tls.clone(), tls.clone());
                self.0.insert(listener.name.clone(), known);
            }
            all.insert(listener.name.clone(), tls);
        }
        all
    }
}

fn serve(
    pki: &Pki,
    options: &TlsOptions,
    last: Option<ListenerTls>,
) -> Result<ListenerTls, String> {
    let last = last.and_then(|last| last.clients);
    let mut problem = None;
    let clients = match &options.clients {
        None => None,
        Some(files) => match (ClientVerifier::load(files, Some(pki.client_ca_pem())), last) {
            // The same object, so that others see that nothing has changed.
            (Ok(clients), Some(last)) if clients.is_same(&last) => Some(last),
            (Ok(clients), _) => Some(Arc::new(clients)),
            (Err(error), Some(last)) => {
                problem = Some(format!("{error}; what it was before is in force"));
                Some(last)
            }
            (Err(error), None) => return Err(error.to_string()),
        },
    };
    let config = pki
        .tls_config(options.record_size, clients.as_ref())
        .map_err(|error| error.to_string())?;
    Ok(ListenerTls {
        config,
        clients,
        problem,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::ClientCertificates;
    use crate::pki::Names;

    #[test]
    fn a_file_that_breaks_leaves_what_was_read_last() {
        let dir = tempfile::tempdir().unwrap();
        let names = Names {
            hostname: "router.lan".into(),
            addresses: Vec::new(),
        };
        let pki = Pki::open_or_create(dir.path(), &names).unwrap();
        let ca = dir.path().join("clients.crt");
        let text = "config listener 'tls'\n\toption client_ca '/dev/null'\n";
        let mut listeners = crate::config::parse("test", text).unwrap().listeners;
        listeners[0].tls.clients = Some(ClientCertificates {
            ca: Some(ca.clone()),
            crls: Vec::new(),
            required: true,
        });
        let mut serving = Serving::default();
        let mut follow = || serving.follow(&pki, &listeners).remove("tls").unwrap();
        let error = follow().unwrap_err();
        assert!(
            error.contains("clients.crt: there is no such file"),
            "{error}"
        );
        fs::write(&ca, pki.ca_pem()).unwrap();
        let first = follow().unwrap().clients.unwrap();
        assert!(Arc::ptr_eq(&follow().unwrap().clients.unwrap(), &first));
        for (damage, told) in [
            ("rubbish", "no certificate in PEM"),
            (
                "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
                "BadEncoding",
            ),
        ] {
            fs::write(&ca, damage).unwrap();
            let kept = follow().unwrap();
            assert!(Arc::ptr_eq(&kept.clients.unwrap(), &first));
            let problem = kept.problem.unwrap();
            assert!(problem.contains(told), "{problem}");
        }
    }
}
