'use strict';
'require baseclass';
'require mqttguard.codes as codes';
'require mqttguard.firmware as firmware';
'require mqttguard.words as words';

/* Events as sentences, composed from their fields. An event that is not known here, because the
 * daemon is newer, has the daemon's own sentence. `who` is the device. */

/* What a device did, for which the kernel program decided against its frames. */
const DEEDS = {
	'plaintext-port': (who, to) => _('%s tried to send unencrypted MQTT to %s.').format(who, to),
	'plaintext-connect': (who, to) =>
		_('%s tried to send unencrypted MQTT to %s, an unusual port.').format(who, to),
	'plaintext-split': (who, to) =>
		_('%s began a connection to %s in pieces that could hide MQTT.').format(who, to),
	'plaintext-local': (who) =>
		_('%s tried to speak unencrypted MQTT to the router, which it may not.').format(who),
	'plaintext-websocket': (who, to) =>
		_('%s tried to send unencrypted MQTT over a WebSocket to %s.').format(who, to),
	'mqtt-sn': (who, to) => _('%s tried to send MQTT-SN, which is not encrypted, to %s.').format(who, to),
	'tiny-fragment': (who, to) => _('%s sent a fragment too small to check to %s.').format(who, to),
	'blocked': (who, to) => _('%s is blocked and sent something to %s.').format(who, to),
	'quarantined': (who, to) => _('%s is in quarantine and tried to speak MQTT with %s.').format(who, to),
	'flood-packets': (who) => _('%s sends more packets a second than it may.').format(who),
	'flood-bytes': (who) => _('%s sends more data a second than it may.').format(who),
	'flood-connections': (who) => _('%s opens more connections a second than it may.').format(who),
	'flood-udp': (who) => _('%s sends more UDP packets a second than it may.').format(who),
	'flood-broadcasts': (who) => _('%s sends more broadcasts a second than it may.').format(who),
	'interface-mismatch': (who, to, { found, expected }) => found
		? _('%s sent from the interface %s, though it belongs to %s.').format(who, found, expected)
		: _('%s sent from an interface that is not its own.').format(who),
	'address-mismatch': (who, to, { found, expected }) => found
		? _('%s sent from the address %s, though its own is %s.').format(who, found, expected)
		: _('%s sent from an address that is not its own.').format(who)
};

function frames(who, event) {
	if (!Object.hasOwn(DEEDS, event.reason))
		return null;
	const to = event.destination
		? words.destination(event.destination, event.port) : _('an unknown destination');
	return DEEDS[event.reason](who, to, event) + ' ' + fate(event);
}

/* What became of them. */
function fate(event) {
	if (event.dropped)
		return event.rejected ? _('It was blocked, and the device was told so.') : _('It was blocked.');
	return /-mismatch$/.test(event.reason)
		? _('It was let through.') : _('Only watching, mqttguard let it through.');
}

function state(who, event) {
	const { from, to } = event, why = codes.state(event);
	switch (to) {
	case 'quarantined':
		return _('%s was put into quarantine: %s').format(who, why);
	case 'blocked':
		return _('%s was blocked: %s').format(who, why);
	case 'gone':
		return _('%s has not been seen for a long time.').format(who);
	case 'enrolled':
		if (from == 'new' || from == 'gone')
			return _('%s is enrolled.').format(who);
		/* falls through */
	default:
		return from == 'quarantined' || from == 'blocked'
			? _('%s is free again: %s').format(who, why)
			: _('%s is now "%s" and was "%s": %s').format(who, words.state(to), words.state(from), why);
	}
}

function plaintext({ destination, port }) {
	return words.destination(destination, port);
}

const SENTENCES = {
	'device-seen': (who, event) => event.address
		? _('%s joined the network with the address %s.').format(who, event.address)
		: _('%s joined the network.').format(who),
	'device-gone': (who) => _('%s has not been seen for a long time.').format(who),
	'state-changed': state,
	'enrolled': (who, event) =>
		_('%s has a credential of its own, user name "%s".').format(who, event.username),
	'pairing-opened': (who, event) =>
		_('%s can be paired until %s.').format(who, words.time(event.until_ms)),
	'paired': (who, event) => event.weak
		? _('%s is paired, user name "%s". Its password is weak: give it a new one when you can.')
			.format(who, event.username)
		: _('%s is paired, user name "%s".').format(who, event.username),
	'pairing-cancelled': (who) => _('The pairing of %s was called off.').format(who),
	'pairing-expired': (who) =>
		_('The time to pair %s is over, and it presented nothing that would do.').format(who),
	'rotated': (who, event) =>
		_('%s has a new password. The old one works until the new one is used, at the latest until %s.')
			.format(who, words.time(event.until_ms)),
	'rotation-ended': (who, event) => event.used
		? _('%s uses its new password; the old one has ended.').format(who)
		: _('%s has not used its new password, and the old one has ended.').format(who),
	'revoked': (who) => _('%s has no credential any more.').format(who),
	'certificate-issued': (who, event) =>
		_('%s was given the certificate %s, good until %s.')
			.format(who, event.serial, words.time(event.until_ms)),
	'frame-dropped': frames,
	'frame-would-drop': frames,
	'imported': (who, event) => _('Accounts of another broker wait for their devices until %s: %s.')
		.format(words.time(event.until_ms), words.number(event.count)),
	'import-cancelled': (who, event) =>
		_('The account "%s" of another broker waits for its device no longer.').format(event.username),
	'import-expired': (who, event) => _('No device has claimed these accounts of another broker in time: %s.')
		.format([].concat(event.usernames || []).join(', ')),
	'pushed': (who, event) =>
		_('%s was sent its settings, at %s (%s).').format(who, event.address, firmware.title(event.firmware)),
	'push-failed': (who, event) => _('%s at %s (%s) could not be set up: %s')
		.format(who, event.address, firmware.title(event.firmware), codes.cause(event.cause, event.failure)),
	'mud-announced': (who, event) => _('%s says that its maker describes it at %s.').format(who, event.url),
	'mud-accepted': (who, event) => event.signer
		? _('What the maker of %s says at %s is in force. It is signed by %s.').format(who, event.url, event.signer)
		: _('What is said of %s at %s is in force. It is not proven to be from its maker.').format(who, event.url),
	'mud-forgotten': (who, event) => _('What is said of %s at %s is not in force any more.').format(who, event.url),
	'mud-changed': (who, event) =>
		_('What is said of %s at %s has changed. What you accepted stays in force until you accept the new one.')
			.format(who, event.url),
	'mud-failed': (who, event) =>
		_('What is said of %s at %s could not be fetched again, and stays in force: %s').format(who, event.url, event.why),
	'mud-resolved': (who, event) => _('%s may send unencrypted MQTT to %s, as its maker says: that is %s now.')
		.format(who, event.host, [].concat(event.addresses || []).join(', ') || _('no address')),
	'mud-crowded': (who, event) =>
		_('There is no room for this many destinations that makers name: %s. Those are not let out.')
			.format(words.number(event.count)),
	'mud-outside': (who, event) => event.tls_only
		? _('%s tried to send unencrypted MQTT, though its maker says that it uses TLS only (%s).').format(who, event.url)
		: _('%s tried to send unencrypted MQTT where its maker says nothing of (%s).').format(who, event.url),
	'exception-made': (who, event) => _('%s may send unencrypted MQTT to %s until %s.')
		.format(who, plaintext(event), words.time(event.until_ms)),
	'exception-withdrawn': (who, event) =>
		_('%s may not send unencrypted MQTT to %s any more.').format(who, plaintext(event)),
	'exception-expired': (who, event) => event.exception
		? _('The exception "%s" is over: unencrypted MQTT to %s is not let out any more.')
			.format(event.exception, plaintext(event))
		: _('The time in which %s may send unencrypted MQTT to %s is over.').format(who, plaintext(event)),
	'bound': (who, event) => _('%s is bound to the interface %s.').format(who, event.interface),
	'not-bound': (who, event) =>
		_('%s is bound to no interface, for %s will not do: %s').format(who, event.interface, event.why),
	'connected': (who, event) => _('%s connected to the broker as "%s", from %s with MQTT %s.')
		.format(who, event.client_id, event.address, event.protocol),
	'disconnected': (who, event) =>
		_('%s, client "%s", left the broker: %s').format(who, event.client_id, codes.departure(event)),
	'login-refused': (who, event) => event.username != null
		? _('%s at %s was refused as user "%s": %s').format(who, event.address, event.username, codes.login(event))
		: _('%s at %s was refused: %s').format(who, event.address, codes.login(event)),
	'topic-refused': (who, event) => _('%s may not %s "%s": its profile "%s" does not grant it.')
		.format(who, words.access(event.access), event.topic, event.profile),
	'limit-met': (who, event) =>
		_('%s met the limit %s (%s).').format(who, event.limit, words.number(event.allowed)),
	'memory': (who, event) => event.pressure == 'none'
		? _('The broker has room again: it holds %s of %s bytes.')
			.format(words.number(event.used), words.number(event.allowed))
		: _('The broker runs out of room: it holds %s of %s bytes, and refuses what needs more.')
			.format(words.number(event.used), words.number(event.allowed)),
	'protocol-error': (who, event) =>
		_('%s at %s broke the protocol in %s: %s').format(who, event.address, event.packet, event.what),
	'enforcement': (who, event) => codes.enforcement(event),
	'fallback': (who, event) => codes.standin(event),
	'journal': (who, event) => codes.journal(event),
	'journal-trouble': (who, event) => codes.journal(event),
	'source-changed': (who, event) => event.up
		? _('Devices are seen by %s: %s').format(codes.source(event.source), event.detail)
		: _('Devices are not seen by %s: %s').format(codes.source(event.source), event.detail),
	'config-loaded': (who, event) => _('The configuration %s is in force.').format(event.file),
	'config-refused': (who, event) =>
		_('The new configuration has mistakes, the last good one stays in force: %s')
			.format((event.errors || []).join('; ')),
	'bridge-up': (who, event) => _('The bridge "%s" is connected to %s.').format(event.bridge, event.detail),
	'bridge-down': (who, event) =>
		_('The bridge "%s" is not connected: %s').format(event.bridge, event.detail),
	'bridge-trouble': (who, event) => _('The bridge "%s": %s').format(event.bridge, event.detail),
	'uplift': (who, event) => _('A connection of %s to %s is carried on over TLS to %s.')
		.format(who, words.destination(event.destination, event.port), event.server),
	'uplift-refused': (who, event) => _('A connection of %s to %s was not carried on to %s: %s')
		.format(who, words.destination(event.destination, event.port), event.server, event.why),
	'uplift-ready': () => _('Unencrypted MQTT of the devices set up for it is carried on over TLS.'),
	'uplift-failed': (who, event) =>
		_('Unencrypted MQTT cannot be carried on over TLS, and is blocked: %s').format(event.detail),
	'listening': (who, event) => event.up
		? _('The broker listens on %s (%s).').format(event.detail, event.listener)
		: _('The broker does not listen (%s): %s').format(event.listener, event.detail)
};

return baseclass.extend({
	/* One sentence about an event; `who` stands for its device, its name unless another is given. */
	of(event, who) {
		const name = who || event.name || event.mac || _('An unknown client');
		const known = Object.hasOwn(SENTENCES, event.event) && SENTENCES[event.event](name, event);
		return known || event.message || String(event.event);
	}
});
