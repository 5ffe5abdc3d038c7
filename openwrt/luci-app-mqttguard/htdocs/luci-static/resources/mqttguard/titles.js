'use strict';
'require baseclass';

/* How the settings page calls the sections and options of `options.js`, and where it has them. An
 * option without a title here is shown under its own name, in the last tab. */

/* By section type: how its tab is called; of a table, the options that are its columns; tabs within
 * it; which options come first; which are only shown if another has a value. */
const SECTIONS = {
	'mqttguard': {
		title: () => _('Protection'),
		tabs: [
			[ 'first', () => _('What matters'), [ 'mode', 'network', 'hostname', 'profile', 'quarantine' ] ],
			[ 'detection', () => _('What is caught'), [
				'verdict', 'on_error', 'bindings', 'plaintext_port', 'detect_connect', 'detect_websocket', 'mqtt_sn',
				'login_failures', 'flood_seconds' ] ],
			[ 'technical', () => _('Technical'), [] ]
		]
	},
	'device': {
		title: () => _('Devices'), add: () => _('Add a device'),
		columns: [ 'name', 'mac', 'profile', 'blocked' ]
	},
	'listener': { title: () => _('Listeners'), columns: [ 'kind', 'port', 'enabled' ],
		depends: { 'origin': { 'kind': 'wss' },
			'record_size': [ { 'kind': '' }, { 'kind': 'tls' }, { 'kind': 'wss' } ],
			'client_ca': [ { 'kind': '' }, { 'kind': 'tls' }, { 'kind': 'wss' } ],
			'client_crl': [ { 'kind': '' }, { 'kind': 'tls' }, { 'kind': 'wss' } ],
			'client_certificate': [ { 'kind': '' }, { 'kind': 'tls' }, { 'kind': 'wss' } ] } },
	'profile': { title: () => _('Profiles'), columns: [ 'publish', 'subscribe', 'limits' ] },
	'limits': {
		title: () => _('Limits'), columns: [ 'messages_per_s', 'bytes_per_s', 'packet_size' ],
		tabs: [
			[ 'broker', () => _('In the broker'), [] ],
			[ 'kernel', () => _('On every frame'), [
				'kernel_packets_per_s', 'kernel_bytes_per_s', 'kernel_connections_per_s', 'kernel_udp_per_s',
				'kernel_broadcasts_per_s' ] ]
		]
	},
	'exception': {
		title: () => _('Exceptions'), add: () => _('Add an exception'),
		columns: [ 'destination', 'port', 'mac', 'expires' ]
	},
	'bridge': { title: () => _('Bridges'), columns: [ 'host', 'port', 'tls', 'enabled' ],
		depends: { 'ca': { 'tls': '1' }, 'certificate': { 'tls': '1' }, 'key': { 'tls': '1' } } },
	'uplift': { title: () => _('Uplift'), columns: [ 'mac', 'host', 'enabled' ] },
	'jwt': { title: () => _('Tokens') },
	'http_auth': { title: () => _('Other user names') }
};

/* By option; `TYPE.OPTION` where one type of section has another word for it. */
const OPTIONS = {
	'enabled': () => _('Enabled'),
	'mode': () => _('What is done about plaintext MQTT'),
	'verdict': () => _('How a connection is refused'),
	'on_error': () => _('If the kernel program cannot be used'),
	'bindings': () => _('Devices in the wrong place'),
	'network': () => _('Networks to guard'),
	'mqttguard.device': () => _('Further Linux devices'),
	'hook': () => _('Kernel hook'),
	'profile': () => _('Profile'),
	'mqttguard.profile': () => _('Profile of new devices'),
	'plaintext_port': () => _('Ports of plaintext MQTT'),
	'detect_connect': () => _('Look for MQTT on all ports'),
	'detect_websocket': () => _('Look for MQTT over WebSocket'),
	'mqtt_sn': () => _('Look for MQTT-SN'),
	'quarantine': () => _('Length of a quarantine'),
	'login_failures': () => _('Failed logins until quarantine'),
	'flood_seconds': () => _('Seconds of flooding until quarantine'),
	'forget_after': () => _('Forget devices after'),
	'hostname': () => _('Name of this router'),
	'sys_interval': () => _('Interval of $SYS topics'),
	'live': () => _('Let the owner see topics live'),
	'mud_ca': () => _('CAs of makers (MUD)'),
	'mud_signers': () => _('Further CAs of their signers (MUD)'),
	'data_dir': () => _('Directory of keys'),
	'run_dir': () => _('Directory in memory'),
	'persist': () => _('Directory on a disk'),
	'bpf_dir': () => _('Directory of the kernel program'),
	'lease_file': () => _('Lease file'),
	'vendor_file': () => _('Table of makers'),
	'kind': () => _('Kind'),
	'address': () => _('Addresses'),
	'port': () => _('Port'),
	'connections': () => _('Connections'),
	'record_size': () => _('Longest TLS record'),
	'client_ca': () => _('CAs of client certificates'),
	'client_crl': () => _('Revocation lists'),
	'client_certificate': () => _('Client certificate'),
	'origin': () => _('Web pages that may connect'),
	'publish': () => _('May publish to'),
	'subscribe': () => _('May subscribe to'),
	'deny': () => _('Out of reach'),
	'limits': () => _('Limits'),
	'kernel_packets_per_s': () => _('Packets a second'),
	'kernel_bytes_per_s': () => _('Bytes a second'),
	'kernel_connections_per_s': () => _('New connections a second'),
	'kernel_udp_per_s': () => _('UDP packets a second'),
	'kernel_broadcasts_per_s': () => _('Broadcasts a second'),
	'packet_size': () => _('Largest MQTT packet'),
	'messages_per_s': () => _('Messages a second'),
	'bytes_per_s': () => _('Bytes a second'),
	'over_rate': () => _('Above the rate'),
	'burst': () => _('Burst'),
	'subscriptions': () => _('Subscriptions'),
	'topic_length': () => _('Length of a topic'),
	'topic_levels': () => _('Levels of a topic'),
	'user_properties': () => _('User properties'),
	'will_size': () => _('Size of a will'),
	'in_flight': () => _('Messages under way'),
	'queue_messages': () => _('Waiting messages'),
	'queue_bytes': () => _('Bytes of waiting messages'),
	'retained_messages': () => _('Retained messages'),
	'retained_bytes': () => _('Bytes of retained messages'),
	'session_expiry': () => _('Sessions are kept for'),
	'destination': () => _('Destination'),
	'mac': () => _('MAC address'),
	'uplift.mac': () => _('MAC addresses'),
	'expires': () => _('Ends'),
	'host': () => _('Server'),
	'tls': () => _('TLS'),
	'ca': () => _('CAs of the server'),
	'certificate': () => _('Own certificate'),
	'key': () => _('Private key'),
	'jwt.key': () => _('Public key'),
	'username': () => _('User name'),
	'password_file': () => _('File with the password'),
	'client_id': () => _('Client identifier'),
	'protocol': () => _('Version of MQTT'),
	'keepalive': () => _('Longest silence'),
	'out': () => _('Topics out'),
	'in': () => _('Topics in'),
	'local_prefix': () => _('Prefix here'),
	'remote_prefix': () => _('Prefix there'),
	'qos': () => _('Highest QoS'),
	'name': () => _('Name'),
	'blocked': () => _('Blocked'),
	'plaintext': () => _('May use the island'),
	'roaming': () => _('From any MAC address'),
	'interface': () => _('Only from'),
	'bind_address': () => _('Only by its lease'),
	'jwks': () => _('Key set'),
	'audience': () => _('Audience'),
	'issuer': () => _('Issuer'),
	'claim': () => _('Claim of the user name'),
	'leeway': () => _('Leeway of clocks'),
	'url': () => _('URL'),
	'timeout': () => _('Timeout'),
	'cache': () => _('Remember for'),
	'ca_file': () => _('CAs of the server')
};

/* The words of an option that has a few. */
const WORDS = {
	'enforce': () => _('block it'),
	'monitor': () => _('only report it'),
	'reject': () => _('with a reset'),
	'drop': () => _('without a word'),
	'open': () => _('let them through'),
	'closed': () => _('let nothing through'),
	'off': () => _('pay no attention'),
	'report': () => _('report it'),
	'bindings.drop': () => _('drop what they send'),
	'tls': () => _('MQTT over TLS'),
	'wss': () => _('MQTT over WebSocket, for browsers'),
	'plain': () => _('the island, without TLS'),
	'optional': () => _('asked for'),
	'required': () => _('required'),
	'pace': () => _('slow the device down'),
	'refuse': () => _('refuse what is too much')
};

/* Where leaving an option out is not the same as writing its default. */
const ABSENT = {
	'client_certificate': () => _('not asked for, unless there are CAs')
};

function find(table, ...keys) {
	const key = keys.find((one) => Object.hasOwn(table, one));
	return key === undefined ? null : table[key];
}

return baseclass.extend({
	/* What the page knows of a type of section. */
	section(type) {
		return find(SECTIONS, type) || { title: () => type };
	},

	/* Null if there is none. */
	option(type, name) {
		const title = find(OPTIONS, type + '.' + name, name);
		return title && title();
	},

	/* A word of an option as people say it, with the word itself. */
	word(option, word) {
		const said = find(WORDS, option + '.' + word, word);
		return said ? `${said()} (${word})` : word;
	},

	/* What leaving the option out means, if its default does not say it; null if that does. */
	absent(option) {
		const said = find(ABSENT, option);
		return said && said();
	},

	/* The order of the tabs: what an owner looks for comes first. */
	ORDER: Object.keys(SECTIONS)
});
