'use strict';
'require baseclass';

/* What the daemon says, in the words of the page's language. Whatever is not known here, because
 * the daemon is newer, is shown as the daemon has it. */

const STATES = {
	'new': () => _('New'),
	'enrolled': () => _('Enrolled'),
	'quarantined': () => _('Quarantined'),
	'blocked': () => _('Blocked'),
	'gone': () => _('Gone')
};

const REASONS = {
	'plaintext-port': () => _('Unencrypted MQTT'),
	'plaintext-connect': () => _('Unencrypted MQTT on an unusual port'),
	'plaintext-split': () => _('Possible MQTT, hidden in pieces'),
	'plaintext-local': () => _('Unencrypted MQTT to the router'),
	'plaintext-websocket': () => _('Unencrypted MQTT over WebSocket'),
	'mqtt-sn': () => _('Unencrypted MQTT-SN'),
	'tiny-fragment': () => _('Fragments too small to check'),
	'blocked': () => _('Sent while blocked'),
	'quarantined': () => _('MQTT while in quarantine'),
	'flood-packets': () => _('Too many packets'),
	'flood-bytes': () => _('Too much data'),
	'flood-connections': () => _('Too many connections'),
	'flood-udp': () => _('Too many UDP packets'),
	'flood-broadcasts': () => _('Too many broadcasts'),
	'interface-mismatch': () => _('Sent from a foreign interface'),
	'address-mismatch': () => _('Sent from a foreign address'),
	'unread': () => _('Could not be checked for MQTT over WebSocket')
};

const ACCESS = {
	'publish': () => _('publish to'),
	'subscribe': () => _('subscribe to'),
	'will': () => _('leave a last will on')
};

/* What an exception can let out. */
const PLAINTEXT = [
	'plaintext-port', 'plaintext-connect', 'plaintext-split', 'plaintext-websocket', 'mqtt-sn'
];

/* Below how many seconds, in units of how many seconds, and how that is told. */
const SPANS = [
	[ 60, 1, (n) => N_(n, '%d second', '%d seconds').format(n) ],
	[ 3600, 60, (n) => N_(n, '%d minute', '%d minutes').format(n) ],
	[ 86400, 3600, (n) => N_(n, '%d hour', '%d hours').format(n) ],
	[ Infinity, 86400, (n) => N_(n, '%d day', '%d days').format(n) ]
];

function word(table, key) {
	return Object.hasOwn(table, key) ? table[key]() : String(key);
}

function sum(counters, wanted) {
	return Object.entries(counters || {})
		.filter(([reason]) => wanted(reason))
		.reduce((total, [, frames]) => total + frames, 0);
}

function language() {
	return document.documentElement.lang || undefined;
}

return baseclass.extend({
	STATES: Object.keys(STATES),

	state(name) {
		return word(STATES, name);
	},

	reason(name) {
		return word(REASONS, name);
	},

	/* What a client wanted to do with a topic, to stand before it. */
	access(name) {
		return word(ACCESS, name);
	},

	/* Whether frames with this reason are MQTT that wanted out unencrypted. */
	isPlaintext(reason) {
		return PLAINTEXT.includes(reason);
	},

	/* Frames of plaintext MQTT, of counters by reason. */
	plaintext(counters) {
		return sum(counters, (reason) => /^plaintext-|^mqtt-sn$/.test(reason));
	},

	number(value) {
		return (value || 0).toLocaleString(language());
	},

	/* A span of seconds, in its largest unit. */
	span(seconds) {
		const [ , length, text ] = SPANS.find(([ below ]) => seconds < below);
		return text(Math.max(0, Math.round(seconds / length)));
	},

	/* How long ago a time was; in milliseconds since the Unix epoch. */
	ago(ms) {
		if (!ms)
			return _('never');
		const seconds = (Date.now() - ms) / 1000;
		return seconds < 5 ? _('just now') : _('%s ago').format(this.span(seconds));
	},

	/* A time of day, with its date if that is not today's. */
	time(ms) {
		const date = new Date(ms), today = new Date().toDateString() == date.toDateString();
		return today ? date.toLocaleTimeString(language()) : date.toLocaleString(language());
	},

	/* A time of day to the minute. */
	minute(ms) {
		return new Date(ms).toLocaleTimeString(language(), { hour: '2-digit', minute: '2-digit' });
	},

	/* `203.0.113.9, port 1883` */
	destination(address, port) {
		const where = address ? address.replace(/\/32$|\/128$/, '') : _('any address');
		return port ? _('%s, port %d').format(where, port) : where;
	}
});
