'use strict';
'require baseclass';
'require mqttguard.api as api';
'require mqttguard.codes as codes';
'require mqttguard.dialogs as dialogs';
'require mqttguard.files as files';
'require mqttguard.grants as grants';
'require mqttguard.parts as parts';
'require mqttguard.words as words';

/* What the owner can do with a device, each with its dialog where it hurts. `done` is called when it
 * was done, so that the page shows it. */

const HOUR = 3600;
const DAY = 24 * HOUR;
/* For how long unencrypted MQTT can be let out, a device be kept in quarantine, and an old password
 * be good beside the new one, in seconds. */
const ALLOWED = [ HOUR, DAY, 7 * DAY, 30 * DAY ];
const QUARANTINE = [ HOUR, DAY, 7 * DAY, 30 * DAY ];
const OVERLAP = [ HOUR, DAY, 7 * DAY, 30 * DAY ];

function called(device) {
	return device.name || device.mac;
}

function spans(seconds, chosen) {
	return dialogs.choice(seconds.map((one) => [ one, words.span(one) ]), chosen);
}

function paragraph(text) {
	return E('p', {}, [ text ]);
}

function secret(value, about) {
	return [ E('div', { 'class': 'mqttguard-shown' }, [
		E('code', { 'class': 'mqttguard-secret' }, [ value ]), files.copier(value, about)
	]) ];
}

function snippet(one) {
	return E('details', {}, [
		E('summary', {}, [ codes.snippet(one) ]),
		one.text ? E('pre', { 'class': 'mqttguard-snippet', 'tabindex': 0 }, [ one.text ]) : '',
		one.text ? files.copier(one.text, codes.snippet(one)) : ''
	].concat(codes.noted(one).map(paragraph)));
}

/* Shows a new password, once. */
function credential(answer) {
	const close = dialogs.show(_('New password for %s').format(answer.name || answer.mac), [
		paragraph(_('Put this into the settings of the device. The password is shown only now.')),
		parts.facts([
			[ _('Server'), answer.address || answer.server ],
			[ _('Port (TLS)'), answer.port ],
			[ _('User name'), secret(answer.username, _('User name')) ],
			[ _('Password'), secret(answer.password, _('Password')) ],
			[ _('The old one works until'), answer.old_until_ms ? words.time(answer.old_until_ms) : null ]
		]),
		E('div', {}, (answer.snippets || []).map(snippet)),
		answer.warning ? E('p', { 'class': 'alert-message warning' }, [ answer.warning ]) : '',
		E('div', { 'class': 'right' }, [
			parts.button(_('I have put it into the device'), () => close(), { style: 'positive' })
		])
	], { firm: true });
}

/* A file that is made in the page, to be kept. */
function download(label, name, text) {
	const file = URL.createObjectURL(new Blob([ text ], { type: 'application/x-pem-file' }));
	return E('a', { 'class': 'btn cbi-button cbi-button-action', 'href': file, 'download': name }, [ label ]);
}

function certificate(answer) {
	const name = answer.username || answer.mac.replace(/:/g, '');
	const files = [
		download(_('Certificate'), name + '.crt', answer.certificate),
		download(_('Key'), name + '.key', answer.key)
	];
	const close = dialogs.show(_('Certificate for %s').format(answer.name || answer.mac), [
		paragraph(_('Put both files into the device. The key is shown only now.')),
		parts.facts([
			[ _('Serial number'), answer.serial ],
			[ _('Good until'), words.time(answer.until_ms) ],
			[ _('Files'), [ files[0], ' ', files[1] ] ]
		]),
		E('div', { 'class': 'right' }, [
			parts.button(_('I have them'), () => {
				files.forEach((one) => URL.revokeObjectURL(one.href));
				close();
			}, { style: 'positive' })
		])
	], { firm: true });
}

return baseclass.extend({
	/* Gives an enrolled device a new password, and shows it once. */
	rotate(device, done) {
		const overlap = spans(OVERLAP, 7 * DAY);
		dialogs.ask(_('New password for %s').format(called(device)), [
			paragraph(_('The device stays connected: the password that it has works until it first uses the new one, or until the time is over.')),
			dialogs.field(_('The old one works for'), overlap)
		], _('Make a new password'), 'positive', () =>
			api.rotate(device.mac, Number(overlap.value)).then((answer) => {
				credential(answer);
				done();
				return true;
			}));
	},

	/* Takes all that a device proves itself with. */
	revoke(device, done) {
		dialogs.ask(_('Revoke the credential of %s').format(called(device)), [
			paragraph(_('Its password and its certificates are refused from now on, and it is cut off from the broker at once. There is no way back but to enrol it anew.'))
		], _('Revoke'), 'negative', () =>
			api.revoke(device.mac).then((answer) => {
				dialogs.told(_('%s has no credential any more.').format(called(device)), answer);
				done();
			}));
	},

	/* Makes a client certificate, for download. */
	certificate(device, done) {
		const held = ((device.credential || {}).certificates || []).length;
		dialogs.ask(_('Certificate for %s').format(called(device)), [
			paragraph(_('A certificate and its key are made on this router. The device can log in with them instead of its password.')),
			held >= 4 ? paragraph(_('It has %d certificates: the oldest is revoked.').format(held)) : ''
		], _('Make a certificate'), 'positive', () =>
			api.certificate(device.mac).then((answer) => {
				certificate(answer);
				done();
				return true;
			}));
	},

	/* Cuts a device off from MQTT for a time. */
	quarantine(device, done) {
		const time = spans(QUARANTINE, DAY), why = dialogs.text({ 'maxlength': 200 });
		dialogs.ask(_('Put %s into quarantine').format(called(device)), [
			paragraph(_('It cannot speak MQTT with anybody for that time. The rest of what it does goes on.')),
			dialogs.field(_('For'), time),
			dialogs.field(_('Why'), why, _('A note for yourself.'))
		], _('Put into quarantine'), 'negative', () =>
			api.quarantine(device.mac, Number(time.value), why.value.trim() || undefined).then((answer) => {
				dialogs.told(_('%s is in quarantine.').format(called(device)), answer,
					() => api.release(device.mac).then(done));
				done();
			}));
	},

	/* Ends a quarantine. */
	release(device, done) {
		const left = Math.max(60, Math.round(((device.until_ms || 0) - Date.now()) / 1000));
		return api.release(device.mac).then((answer) => {
			dialogs.told(_('%s is free again.').format(called(device)), answer,
				() => api.quarantine(device.mac, Math.min(left, 30 * DAY), codes.note(device)).then(done));
			return done();
		}, dialogs.failed);
	},

	/* Cuts a device off for good. */
	block(device, done) {
		const why = dialogs.text({ 'maxlength': 200 });
		dialogs.ask(_('Block %s').format(called(device)), [
			paragraph(_('Nothing that the device sends passes the router any more, until you unblock it.')),
			dialogs.field(_('Why'), why, _('A note for yourself.'))
		], _('Block'), 'negative', () =>
			api.block(device.mac, why.value.trim()).then((answer) => {
				dialogs.told(_('%s is blocked.').format(called(device)), answer,
					() => api.unblock(device.mac).then(done));
				done();
			}));
	},

	/* Ends a block. */
	unblock(device, done) {
		return api.unblock(device.mac).then((answer) => {
			dialogs.told(_('%s is free again.').format(called(device)), answer,
				() => api.block(device.mac, codes.note(device) || '').then(done));
			return done();
		}, dialogs.failed);
	},

	/* Lets a device's unencrypted MQTT to one destination out for a time. */
	allow(device, destination, port, done) {
		const time = spans(ALLOWED, DAY), name = called(device);
		dialogs.ask(_('Allow this for %s').format(name), [
			paragraph(_('%s may then send unencrypted MQTT to %s. Whoever is on the way can read and change it.')
				.format(name, words.destination(destination, port))),
			dialogs.field(_('For'), time)
		], _('Allow'), 'negative', () =>
			api.allow(device.mac, destination, port, Number(time.value)).then((answer) => {
				dialogs.told(_('%s may send unencrypted MQTT until %s.')
					.format(name, words.time(answer.until_ms)), answer,
				() => api.disallow(device.mac, destination, port).then(done));
				done();
			}));
	},

	/* Takes such a permission back. */
	disallow(exception, done) {
		const { mac, destination, port } = exception;
		const left = Math.round((exception.until_ms - Date.now()) / 1000);
		return api.disallow(mac, destination, port).then((answer) => {
			dialogs.told(_('%s may not send it any more.').format(called(exception)), answer,
				left >= 60 ? () => api.allow(mac, destination, port, left).then(done) : null);
			return done();
		}, dialogs.failed);
	},

	/* Grants a topic that was refused, to this device alone. */
	grant(device, access, topic, done) {
		const exact = grants.pattern(topic), wider = grants.wider(topic);
		const pattern = dialogs.choice([
			[ exact, _('This topic alone: %s').format(topic) ]
		].concat(wider ? [ [ wider, _('All beside it: %s').format(wider.replace(/%%/g, '%')) ] ] : []), exact);
		dialogs.ask(_('Allow %s a topic').format(called(device)), [
			paragraph(_('%s may then %s it, whatever its profile says. It is kept in the configuration, which is saved and applied.')
				.format(called(device), words.access(access))),
			dialogs.field(_('What'), pattern)
		], _('Allow'), 'positive', () => {
			const chosen = pattern.value;
			return grants.grant(device.mac, access, chosen).then(() => {
				dialogs.told(_('%s may now %s "%s".').format(called(device), words.access(access), chosen), null,
					() => grants.withdraw(device.mac, access, chosen).then(done));
				done();
			});
		});
	},

	/* Takes such a grant back. */
	withdraw(device, access, pattern, done) {
		return grants.withdraw(device.mac, access, pattern).then(() => {
			dialogs.told(_('%s may not %s "%s" any more.').format(called(device), words.access(access), pattern), null,
				() => grants.grant(device.mac, access, pattern).then(done));
			return done();
		}, dialogs.failed);
	}
});
