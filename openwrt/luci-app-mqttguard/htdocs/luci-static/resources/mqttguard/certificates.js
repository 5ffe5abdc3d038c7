'use strict';
'require baseclass';
'require dom';
'require mqttguard.api as api';
'require mqttguard.files as files';
'require mqttguard.parts as parts';

/* The router's own certificates, as a tab of the settings. */

const KEYS = {
	'ecdsa-p256': () => _('For clients of today (ECDSA)'),
	'rsa-2048': () => _('For clients that know RSA only')
};

function date(ms) {
	return ms == null ? null : new Date(ms).toLocaleDateString();
}

/* Fingerprints are compared by eye and by copying. */
function fingerprint(text) {
	return [ E('code', { 'class': 'mqttguard-fingerprint' }, [ text ]) ];
}

function facts(certificate) {
	return parts.facts([
		[ _('Valid until'), date(certificate.until_ms) ],
		[ _('SHA-256'), fingerprint(certificate.sha256) ],
		[ _('SHA-1'), fingerprint(certificate.sha1) ]
	]);
}

function authority(title, help, certificate, name) {
	return E('section', {}, [
		E('h4', {}, [ title ]), E('p', {}, [ help ]),
		E('p', {}, [ files.saver(_('Download %s').format(name), name, certificate.pem) ]),
		facts(certificate)
	]);
}

function contents(answer, renew) {
	return [
		authority(_('What devices trust'),
			_('Give this file to a device, and it knows that it talks to this router. It is no secret.'),
			answer.ca, 'mqttguard-ca.crt'),
		E('section', {}, [
			E('h4', {}, [ _('What the broker shows') ]),
			E('p', {}, [ _('Made out for %s.').format(answer.names.join(', ')) ])
		].concat(answer.leaves.flatMap((leaf) => [
			E('h5', {}, [ Object.hasOwn(KEYS, leaf.key) ? KEYS[leaf.key]() : leaf.key ]), facts(leaf)
		])).concat([
			E('p', {}, [ _('They are renewed by themselves in their last year, and when the name or an address of this router changes; the keys stay. A device that was told the SHA-1 of a certificate, as ESPHome on an ESP8266 is, has to be told the new one then.') ]),
			renew
		])),
		answer.client_ca ? authority(_('What certificates of devices come from'),
			_('For a program that is to check the certificates that Enrol makes for devices.'),
			answer.client_ca, 'mqttguard-clients.crt') : ''
	];
}

return baseclass.extend({
	/* `answer` is that of `ca`, or has the `error` why there is none. */
	tab(answer) {
		const body = E('div'), said = E('div', { 'aria-live': 'polite' });
		const renew = () => {
			const ask = parts.button(_('Renew them now'), () => dom.content(place, sure), { key: 'renew' });
			const sure = [
				_('Renew the certificates of the broker?'), ' ',
				parts.button(_('Renew'), () => api.renew().then((answer) => {
					show(answer);
					dom.content(said, [ E('p', {}, [ _('The certificates are new. The keys are the same.') ]) ]);
				}, (error) => {
					dom.content(place, ask);
					dom.content(said, [ parts.failure(error) ]);
				}), { style: 'negative' }), ' ',
				parts.button(_('Cancel'), () => dom.content(place, ask))
			];
			const place = E('p', {}, [ ask ]);
			return place;
		};
		const show = (answer) =>
			dom.content(body, answer.error ? [ parts.failure(answer.error) ] : contents(answer, renew()));
		show(answer);
		return E('div', {
			'class': 'cbi-section mqttguard-certificates',
			'data-tab': 'certificates', 'data-tab-title': _('Certificates')
		}, [ E('h3', {}, [ _('Certificates') ]), said, body ]);
	}
});
