'use strict';
'require baseclass';
'require mqttguard.firmware as firmware';
'require mqttguard.words as words';

/* What the daemon tells by a code and values beside its own sentence, in the language of the page. A
 * code that is not known here, because the daemon is newer, has the daemon's sentence. */

/* Why a push did not work. */
const CAUSES = {
	'no-tls-listener': () =>
		_('The broker has no listener with TLS that takes passwords. Add one in the settings, of kind "tls".'),
	'no-ca': () => _('The router\'s CA certificate cannot be read. The system log says why.'),
	'island-off': ({ builds }) =>
		_('What is installed on it has no TLS (that is in %s). Without TLS it can only come by the island, which is off.')
			.format(builds),
	'island-barred': ({ builds }) =>
		_('What is installed on it has no TLS (that is in %s). Without TLS it can only come by the island, which it may not use yet.')
			.format(builds),
	'no-key': () => _('The router is still making the key that this device needs. Try again in a minute.'),
	'login-missing': () => _('Its own web page asks for a password. Enter that above.'),
	'login-refused': () => _('Its own web page refuses the password. Correct it above.'),
	'silent': ({ address }) => _('%s does not answer. Is the device on?').format(address),
	'unreachable': ({ address, why }) => _('No connection to its web page at %s: %s').format(address, why),
	'stranger': ({ address, found }) =>
		_('%s is another device by now (%s). Nothing was sent.').format(address, found),
	'unproven': ({ address }) =>
		_('The router cannot tell whose address %s is. Nothing was sent.').format(address),
	'broken': ({ why }) => _('It did not answer as it should: %s').format(why),
	'status': ({ found, said }) => _('It refused, with status %d and the words "%s".').format(found, said),
	'no-json': ({ said }) => _('Its answer is not understood: "%s"').format(said),
	'other-firmware': ({ firmware, said }) => _('It does not answer as %s does: "%s"').format(firmware, said),
	'too-long': ({ setting, found, most }) =>
		_('"%s" would have %d bytes, and there is only room for %d. A shorter name of the device may help.')
			.format(setting, found, most),
	'shortcut': ({ setting, value }) =>
		_('"%s" stands for something else there (%s). Give the device another name.').format(value, setting),
	'ca-not-stored': ({ said }) => _('It has not stored the router\'s CA certificate as a whole: "%s"').format(said),
	'differs': ({ setting, found }) => _('It has not taken "%s", and has "%s" instead.').format(setting, found),
	'no-credential': ({ why }) => _('No password could be made for it: %s').format(why),
	'superseded': () => _('Its password was revoked or made anew meanwhile. Send it again.')
};

/* What happens after a push that worked. */
const NEXT = {
	'dry-run': () => _('Nothing was set: it was only tried out.'),
	'connects-soon': () => _('It connects again within ten seconds.'),
	'connects': () => _('It connects within a minute.'),
	'restarts': () => _('It restarts and connects within a minute.')
};

/* What the steps of a push are for. */
const STEPS = {
	'ask-what': () => _('Ask what it is'),
	'ask-version': () => _('Ask which version it is'),
	'ask-tls': () => _('Ask whether it has TLS'),
	'look': () => _('Look at its settings of MQTT'),
	'store-ca': () => _('Store the router\'s CA certificate'),
	'set': () => _('Set the broker and the login'),
	'read-back': () => _('Read the settings back'),
	'restart': () => _('Restart it')
};

/* What the firewall does where the kernel does not check frames. */
const STANDIN = {
	'reduced': ({ interfaces }) => _('Only the firewall guards %s.').format(list(interfaces)),
	'closed': ({ interfaces }) =>
		_('Nothing is forwarded from %s, as frames are not checked there and you have it so.').format(list(interfaces)),
	'none': () => _('The firewall does not have to stand in for the check of frames any more.'),
	'restored': () => _('Somebody has removed or changed the firewall table of mqttguard. It was put back.'),
	'nftables-failing': ({ why }) => _('The firewall does not take the rules of mqttguard: %s').format(why),
	'unprotected': ({ interfaces, why }) =>
		_('Nothing guards %s: the firewall does not take the rules either: %s').format(list(interfaces), why),
	'unclosed': ({ interfaces, why }) =>
		_('Nothing guards %s, and it could not be closed as you have it: %s').format(list(interfaces), why)
};

/* How the broker's journal is. */
const JOURNAL = {
	'journal-unusable': ({ directory, why }) =>
		_('What the broker acknowledges is lost in a crash, until mqttguard is started again: its journal in %s cannot be used: %s')
			.format(directory, why),
	'journal-unwritable': ({ directory, why }) =>
		_('What the broker acknowledges is lost in a crash: its journal in %s cannot be written: %s')
			.format(directory, why),
	'journal-whole': ({ directory }) => _('The broker\'s journal in %s is whole again.').format(directory),
	'journal-damaged': ({ file, read, unread }) =>
		_('The broker\'s journal %s is damaged after %s bytes. What the last %s bytes record may be lost; the file is kept.')
			.format(file, words.number(read), words.number(unread)),
	'journal-restored': ({ sessions, subscriptions, messages, retained }) =>
		_('The broker has brought back sessions: %s, their subscriptions: %s, messages that wait: %s, retained messages: %s.')
			.format(words.number(sessions), words.number(subscriptions), words.number(messages), words.number(retained)),
	'journal-disowned': ({ count }) =>
		_('Sessions and retained messages of users that are no more were left out: %s.').format(words.number(count)),
	'journal-missing': ({ sessions, messages }) =>
		_('Not brought back after the start: sessions above the limit: %s, messages that were lost: %s.')
			.format(words.number(sessions), words.number(messages))
};

/* Why a login was refused. */
const LOGINS = {
	'no-credentials': () => _('it sent no user name or no password'),
	'unknown-user': () => _('the user name is not known'),
	'wrong-password': () => _('the password is wrong'),
	'claim-second': () => _('the account waits for a device without a password, and this one has one'),
	'pairing-anonymous': () => _('it is to be paired, but sent no user name or no password. Set both on the device'),
	'pairing-name-taken': () => _('it is to be paired, but the user name is another device\'s. Set another one on the device'),
	'pairing-name': () =>
		_('it is to be paired, but the user name is not 1 to 63 letters, digits, ".", "_" or "-". Set another one on the device'),
	'pairing-needs-password': () => _('it is to be paired, but does not send its password (SCRAM). Enrol it instead'),
	'quarantined': () => _('it is in quarantine'),
	'blocked': () => _('it is blocked'),
	'other-device': () => _('the user name and the password belong to another device'),
	'unknown-device': () => _('the router cannot tell which device it is'),
	'plaintext-not-allowed': () => _('it may not come without TLS'),
	'changed': () => _('its password was changed meanwhile'),
	'unknown-method': () => _('the method of its login is not supported'),
	'channel-binding': () => _('SCRAM with channel binding is not supported'),
	'bad-exchange': () => _('the data of its login is malformed'),
	'other-user': () => _('it names two different users'),
	'no-verifier': () => _('its password is of a time before SCRAM. One login by password makes it fit'),
	'bad-token': () => _('the token is not signed by a trusted key'),
	'token-expired': () => _('the token has expired'),
	'token-too-early': () => _('the token is not good yet. Is the router\'s clock right?'),
	'token-for-others': () => _('the token is meant for another service, or of another issuer'),
	'token-names-nobody': () => _('the token names no enrolled device'),
	'no-token-key': () => _('the key file for tokens cannot be read'),
	'check-denied': () => _('the user name is not known, and the external check denies it'),
	'check-failed': () => _('the user name is not known, and the external check gives no answer'),
	'busy': () => _('there were too many logins at once'),
	'no-random': () => _('the router has no random numbers yet'),
	'damaged-hash': () => _('its stored password is damaged'),
	'no-certificate': () => _('it has no certificate, and the listener asks for one'),
	'certificate-no-account': () => _('nobody is enrolled by the name in its certificate'),
	'certificate-of-another': () => _('the user name is not the name in its certificate'),
	'certificate-unnamed': () => _('its certificate has no name, or several'),
	'certificate-revoked': () => _('its certificate is revoked'),
	'certificate-unlisted': () => _('there is no revocation list of its certificate\'s CA'),
	'certificate-expired': () => _('its certificate has expired'),
	'certificate-not-yet-valid': () => _('its certificate is not valid yet, by the router\'s clock'),
	'certificate-unknown-issuer': () => _('its certificate is of a CA that the listener does not know'),
	'certificate-refused': () => _('its certificate is damaged or not for clients')
};

/* Why a device is in another state. What the owner has noted stays as it is. */
const STATES = {
	'note': ({ why }) => why,
	'owner-blocked': () => _('by you'),
	'owner-confined': () => _('by you'),
	'owner-released': () => _('you let it go'),
	'guessed': ({ failures }) =>
		N_(failures, '%d failed login within a minute', '%d failed logins within a minute').format(failures),
	'flooded': ({ seconds }) =>
		N_(seconds, 'it sent too much in %d second of a minute', 'it sent too much in %d seconds of a minute').format(seconds),
	'resumed': () => _('it was in quarantine when mqttguard ended'),
	'over': () => _('the time of the quarantine is over'),
	'pairing': () => _('you began to pair it'),
	'owner-enrolled': () => _('you enrolled it'),
	'paired': () => _('it is paired'),
	'credential-revoked': () => _('its password was revoked'),
	'configured': () => _('the settings have it so')
};

/* Why a client left the broker. */
const DEPARTURES = {
	'disconnect': () => _('it said goodbye'),
	'connection-lost': () => _('the connection was lost'),
	'keep-alive': () => _('it was silent for too long'),
	'taken-over': () => _('it came again by another connection'),
	'protocol-error': () => _('it broke the protocol'),
	'limit-exceeded': () => _('it exceeded a limit'),
	'memory-short': () => _('memory is short, and it does not read what waits for it'),
	're-authentication': () => _('it did not prove itself again'),
	'forgotten': () => _('its account is gone'),
	'banned': () => _('it was cut off'),
	'revoked': () => _('its password is not valid any more'),
	'shutting-down': () => _('the broker stops'),
	'expired': () => _('what it logged in with has expired')
};

/* Where in each firmware the settings go. Of those that are not here, the daemon names the path in the
 * firmware's own words. */
const PLACES = {
	'tasmota': () => _('the console (or a command by HTTP)'),
	'esphome': () => _('YAML of the node; passwords better stand in secrets.yaml'),
	'shelly': () => _('calls, each a POST to http://DEVICE/rpc'),
	'openbeken': () => _('an address for the browser (or Config, Configure MQTT)'),
	'zigbee2mqtt': () => _('configuration.yaml, and the CA in data/ca.crt'),
	'frigate': () => _('config.yml, and the CA in /config/ca.crt')
};

/* What there is to know of what is to be set on a device. */
const SNIPPETS = {
	'no-island': () => _('Without TLS it needs the island, and that is off. Choose "%s" on the page Enrol: it is opened for this device then.').format(_('Without TLS, on the island')),
	'not-on-island': () => _('It may not use the island yet. Choose "%s" on the page Enrol.').format(_('Without TLS, on the island')),
	'island-is-read': () => _('On the island the password can be read by whoever listens in your LAN.'),
	'builds-without': ({ tls }) => _('Only where what is installed on it has no TLS: that is in %s.').format(tls),
	'pins-key': () => _('Tasmota takes no CA: it knows the router by its keys, which stay when its certificates are renewed. Fingerprints are as Tasmota 8.4 and later has them.'),
	'no-rsa-key': () => _('The router is still making its RSA key, and most builds know no other: look here again in a minute.'),
	'node-name': () => _('The node\'s name in ESPHome has to be the one here: it is in its topics.'),
	'digest': () => _('If it has a password of its own, it asks for that (user admin, Digest).'),
	'ca-before': () => _('Before that, put the router\'s CA certificate into its file mqttguard.pem (web app, Filesystem): without it the connection fails.'),
	'data-path': () => _('/app/data is where the container has its data; elsewhere write that path.'),
	'hub-profile': () => _('Its profile is "hub": choose that above.'),
	'shared-announce': () => _('It announces itself in shellies/announce too, where each can speak for all: its profile does not grant it. If something goes by that, allow it on the page of the device, under "%s".').format(_('Refused topics')),
	'inverters': () => _('Home Assistant Auto Discovery announces each inverter under its serial number, which its profile does not know: allow these topics on the page of the device, under "%s".').format(_('Refused topics')),
	'sensors': () => _('What it announces of sensors around it goes under their addresses, which its profile does not grant: allow these topics on the page of the device, under "%s".').format(_('Refused topics')),
	'trial': () => _('What runs on the device is not known: choose it above. This is to try the broker from a computer.')
};

/* Where frames are checked. */
const HOOKS = {
	'xdp': () => _('in the driver (XDP)'),
	'xdp-generic': () => _('before the network stack (generic XDP)'),
	'tc': () => _('at the entry of the network stack (TC)'),
	'tcx': () => _('at the entry of the network stack (TCX)')
};

/* Why they are checked there, or nowhere. */
const NOTES = {
	'verifying': () => _('the kernel examines the program'),
	'no-interface': () => _('there is no such interface'),
	'no-ports': () => _('the bridge has no ports'),
	'hook-refused': ({ hook, why }) => _('not %s: %s').format(said(HOOKS, hook, null, hook), why),
	'xdp-blind': () => _('the driver (XDP) showed none of the frames'),
	'chosen-before': () => _('as before the restart'),
	'others-before': ({ program }) => _('another program decides before: %s').format(program),
	'pin-removed': () => _('what keeps it in place was removed'),
	'taken-off': ({ hook }) => _('it was taken off, %s').format(said(HOOKS, hook, null, hook)),
	'replaced': ({ hook, program }) =>
		_('it was replaced by another program (%s), %s').format(program, said(HOOKS, hook, null, hook))
};

function notes(list, otherwise) {
	return Array.isArray(list) && list.length ? list.map((one) => said(NOTES, one.code, one, one.message)).join('; ') : otherwise;
}

/* How the check of frames on an interface is. */
const ENFORCEMENT = {
	'attached': ({ interface: on }) => _('Frames on %s are checked.').format(on),
	'taken-over': ({ interface: on }) => _('Frames on %s are checked on, from before the restart.').format(on),
	'detached': ({ interface: on }) => _('Frames on %s are not checked any more.').format(on),
	'lost': ({ interface: on, detail, notes: list }) =>
		_('Somebody has ended the check of frames on %s: %s').format(on, notes(list, detail)),
	'failed': ({ interface: on, detail, notes: list }) =>
		_('Frames on %s cannot be checked: %s').format(on, notes(list, detail)),
	'blind': ({ interface: on }) => _('Frames pass %s unseen.').format(on),
	'recovered': ({ interface: on }) => _('Frames on %s are seen again.').format(on)
};

/* Where devices are seen. */
const SOURCES = {
	'dnsmasq': () => _('the DHCP server (dnsmasq)'),
	'odhcpd': () => _('the DHCPv6 server (odhcpd)'),
	'lease-file': () => _('the file of DHCP leases'),
	'neighbours': () => _('the router\'s neighbour table')
};

function list(names) {
	return [].concat(names || []).join(', ');
}

function said(table, code, values, otherwise) {
	return Object.hasOwn(table, code) ? table[code](values) : otherwise;
}

return baseclass.extend({
	/* Why a push did not work: its `cause`; `otherwise` where the daemon has none. */
	cause(cause, otherwise) {
		if (!cause)
			return otherwise;
		const perhaps = cause.perhaps ? ' ' + _('It may have taken the settings all the same.') : '';
		const text = said(CAUSES, cause.code, cause, null);
		return text ? text + perhaps : cause.message || otherwise;
	},

	/* Whether the island would help. */
	isIsland(cause) {
		return !!cause && (cause.code == 'island-off' || cause.code == 'island-barred');
	},

	/* What happens after a push, of its answer. */
	next(answer) {
		return said(NEXT, answer.next_code, answer, answer.next);
	},

	/* What a step of a push is for. */
	step(step) {
		return said(STEPS, step.step, step, step.what);
	},

	/* What the firewall does, of an event or a trouble; null if its code is not known. */
	standin(told) {
		return said(STANDIN, told.code, told, null);
	},

	/* How the journal is, likewise. */
	journal(told) {
		return said(JOURNAL, told.code, told, null);
	},

	/* Why a login was refused, of its event. */
	login(event) {
		return said(LOGINS, event.code, event, event.why);
	},

	/* Why a device's state changed, of its event. */
	state(event) {
		return said(STATES, event.code, event, event.why);
	},

	/* Why a device is in its state; null if there is nothing to say. */
	because({ because, why }) {
		return because ? said(STATES, because.code, because, because.message) : why;
	},

	/* What the owner has noted of a device that is cut off. */
	note({ because, why }) {
		return !because ? why : because.code == 'note' ? because.why : undefined;
	},

	/* Why a client left the broker, of its event. */
	departure(event) {
		return said(DEPARTURES, event.code, event, event.why);
	},

	/* How the check of frames on an interface is, of its event; null if that is not known. */
	enforcement(event) {
		return said(ENFORCEMENT, event.what, event, null);
	},

	/* Of what is to be set on a device, where that goes. */
	snippet(one) {
		if (!one.firmware || !Object.hasOwn(PLACES, one.firmware))
			return one.title;
		return (one.plain ? _('%s without TLS: %s') : _('%s with TLS: %s'))
			.format(firmware.title(one.firmware), PLACES[one.firmware]());
	},

	/* What there is to know of it, as lines. */
	noted({ noted, notes: lines }) {
		/* Where it is opened, the device is let on it. */
		const isOff = Array.isArray(noted) && noted.some((one) => one.code == 'no-island');
		return noted ? noted.filter((one) => !isOff || one.code != 'not-on-island').map((one) => said(SNIPPETS, one.code, one, one.message)) : [].concat(lines || []);
	},

	/* Where frames are checked, by the name of the hook. */
	hook(name) {
		return said(HOOKS, name, null, String(name));
	},

	/* Why frames are checked where they are, of an attachment or a trouble. */
	attached({ notes: list, why }) {
		return notes(list, why);
	},

	/* What it is that sees devices. */
	source(name) {
		return said(SOURCES, name, null, String(name));
	}
});
