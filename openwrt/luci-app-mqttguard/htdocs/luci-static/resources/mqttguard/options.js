'use strict';
'require baseclass';

/* Written by `mqttguard check --reference-luci` from the table that the daemon goes by; a test holds
 * the two against each other.
 *
 * Each section has its `kind`, the name that the `only` one has or whether it is `named`, and the
 * options of those that are `builtin`, by name. What an option has when it is not given is its
 * `default`, or `means` something, unless it is `required`. */

return baseclass.extend({
	SECTIONS: [
		{
			kind: 'mqttguard', only: 'main', max: 1,
			help: () => _('What holds for the whole router.'),
			builtin: {
				'main': {}
			},
			options: [
				{
					name: 'enabled', list: false, default: '1',
					value: {"type":"bool"},
					expected: () => _('1 or 0 (or on/off, yes/no, true/false, enabled/disabled)'),
					help: () => _('Off: nothing is guarded and the broker is closed; the daemon only answers on ubus.')
				},
				{
					name: 'mode', list: false, default: 'enforce',
					value: {"type":"choice","words":["enforce","monitor"]},
					expected: () => _('one of: enforce, monitor'),
					help: () => _('`monitor` lets pass what `enforce` would drop, and reports it.')
				},
				{
					name: 'verdict', list: false, default: 'reject',
					value: {"type":"choice","words":["reject","drop"]},
					expected: () => _('one of: reject, drop'),
					help: () => _('What happens to plaintext MQTT over TCP. `reject` answers with a reset, so that the device knows at once; where the hook cannot answer, and for all else, it is `drop`.')
				},
				{
					name: 'on_error', list: false, default: 'open',
					value: {"type":"choice","words":["open","closed"]},
					expected: () => _('one of: open, closed'),
					help: () => _('What happens to devices that the kernel program cannot guard, because it is refused or stands on none of their interfaces. `open` forwards what they send, except plaintext MQTT as nftables can tell it: by port. `closed` forwards nothing; they still reach the router.')
				},
				{
					name: 'bindings', list: false, default: 'report',
					value: {"type":"choice","words":["off","report","drop"]},
					expected: () => _('one of: off, report, drop'),
					help: () => _('What happens to frames of a device from another interface than its `device` section names, or from another IPv4 address than its lease (see there).')
				},
				{
					name: 'network', list: true, means: () => _('`lan`, unless `device` is given'),
					value: {"max":32,"pattern":"^[A-Za-z0-9_.-]+$","type":"text"},
					expected: () => _('the name of an OpenWrt network such as lan, at most 32 characters'),
					help: () => _('OpenWrt networks whose devices are guarded.')
				},
				{
					name: 'device', list: true, means: () => _('none'),
					value: {"max":15,"pattern":"^(?!\\.{1,2}$)(?![^]*[/:])[!-~]+$","type":"text"},
					expected: () => _('the name of a Linux network device such as br-lan, at most 15 characters'),
					help: () => _('Linux devices to guard beside those of `network`. A bridge stands for its ports.')
				},
				{
					name: 'hook', list: false, default: 'auto',
					value: {"type":"choice","words":["auto","xdp","xdp-generic","tc"]},
					expected: () => _('one of: auto, xdp, xdp-generic, tc'),
					help: () => _('Where the kernel program attaches. `auto` takes native XDP where the driver has it, else TC. `xdp-generic` costs GRO on the device.')
				},
				{
					name: 'profile', list: false, default: 'device',
					value: {"to":"profile","type":"reference"},
					expected: () => _('the name of a \'profile\' section'),
					help: () => _('Profile of devices that have no other.')
				},
				{
					name: 'plaintext_port', list: true, default: '1883',
					value: {"max":65535,"min":1,"type":"number"},
					expected: () => _('a TCP port from 1 to 65535'),
					help: () => _('TCP ports that are plaintext MQTT whatever is said on them.')
				},
				{
					name: 'detect_connect', list: false, default: '1',
					value: {"type":"bool"},
					expected: () => _('1 or 0 (or on/off, yes/no, true/false, enabled/disabled)'),
					help: () => _('Catch a plaintext MQTT CONNECT on every other TCP port too.')
				},
				{
					name: 'detect_websocket', list: false, default: '1',
					value: {"type":"bool"},
					expected: () => _('1 or 0 (or on/off, yes/no, true/false, enabled/disabled)'),
					help: () => _('Catch MQTT over a WebSocket that is not encrypted, on every TCP port.')
				},
				{
					name: 'mqtt_sn', list: false, default: '1',
					value: {"type":"bool"},
					expected: () => _('1 or 0 (or on/off, yes/no, true/false, enabled/disabled)'),
					help: () => _('Catch MQTT-SN (UDP port 1883).')
				},
				{
					name: 'quarantine', list: false, default: '10m',
					value: {"max":2592000,"min":10,"type":"time"},
					expected: () => _('a time such as 90s, 10m, 12h or 30d, from 10s to 30d'),
					help: () => _('How long a quarantine lasts.')
				},
				{
					name: 'login_failures', list: false, default: '5',
					value: {"max":1000,"min":1,"type":"number"},
					expected: () => _('a number of failed logins in a minute from 1 to 1000'),
					help: () => _('Failed logins within a minute that put a device in quarantine.')
				},
				{
					name: 'flood_seconds', list: false, default: '10',
					value: {"max":60,"min":0,"type":"number"},
					expected: () => _('a number of seconds from 0 to 60'),
					help: () => _('Seconds within a minute in which a device exceeded its kernel limits that put it in quarantine; 0 for never.')
				},
				{
					name: 'forget_after', list: false, default: '30d',
					value: {"max":315360000,"min":60,"type":"time"},
					expected: () => _('a time such as 90s, 10m, 12h or 30d, from 1m to 3650d'),
					help: () => _('A device not seen for this long is shown as gone.')
				},
				{
					name: 'hostname', list: false, default: 'openwrt.lan',
					value: {"max":253,"pattern":"^(?!-)(?!.*(-\\.|\\.-))[A-Za-z0-9-]{1,63}(\\.[A-Za-z0-9-]{1,63})*(?<!-)$","type":"text"},
					expected: () => _('a host name of letters, digits, \'-\' and \'.\', such as openwrt.lan, at most 253 characters'),
					help: () => _('The name under which devices reach this router. It goes into the broker\'s certificate, beside the router\'s addresses, and into what `enrol` hands out.')
				},
				{
					name: 'sys_interval', list: false, default: '10s',
					value: {"max":3600,"min":0,"type":"time"},
					expected: () => _('a time such as 90s, 10m, 12h or 30d, from 0s to 1h'),
					help: () => _('How often the broker brings its state up to date in the topics `$SYS/broker/...`, which have mosquitto\'s names; `0s` for never. Only profiles that grant `$SYS/...` read them.')
				},
				{
					name: 'live', list: false, default: '1',
					value: {"type":"bool"},
					expected: () => _('1 or 0 (or on/off, yes/no, true/false, enabled/disabled)'),
					help: () => _('Whether the owner may look at the topics of the house and their values (`mqttguard live`). Off: nobody may, root included, and nothing of them is kept to be looked at.')
				},
				{
					name: 'data_dir', list: false, default: '/etc/mqttguard',
					value: {"type":"path"},
					expected: () => _('an absolute path without \'..\', at most 200 characters'),
					help: () => _('Certificates, keys and the registry of devices. Must survive a reboot. A change takes force with the next start.')
				},
				{
					name: 'run_dir', list: false, default: '/var/run/mqttguard',
					value: {"type":"path"},
					expected: () => _('an absolute path without \'..\', at most 200 characters'),
					help: () => _('A directory in memory, for what outlives a crash of the broker but not of the router: sessions, their messages, retained messages. A change takes force with the next start.')
				},
				{
					name: 'persist', list: false, means: () => _('they outlive no power cut'),
					value: {"type":"path"},
					expected: () => _('an absolute path without \'..\', at most 200 characters'),
					help: () => _('A directory on a disk where these are kept instead, so that they outlive a power cut and a reboot. Every acknowledgement then waits for the disk; the router\'s own flash wears out of it. The directory above it must be there. A change takes force with the next start.')
				},
				{
					name: 'bpf_dir', list: false, default: '/sys/fs/bpf/mqttguard',
					value: {"type":"path"},
					expected: () => _('an absolute path without \'..\', at most 200 characters'),
					help: () => _('Where the kernel program is pinned, in a BPF file system. A change takes force with the next start.')
				},
				{
					name: 'lease_file', list: false, default: '/tmp/dhcp.leases',
					value: {"type":"path"},
					expected: () => _('an absolute path without \'..\', at most 200 characters'),
					help: () => _('dnsmasq\'s lease file.')
				},
				{
					name: 'vendor_file', list: false, default: '/usr/share/mqttguard/vendors',
					value: {"type":"path"},
					expected: () => _('an absolute path without \'..\', at most 200 characters'),
					help: () => _('The table of who makes which devices, by the first digits of their addresses: lines `a4cf12 Espressif`, sorted. Without it no maker is shown. A change takes force with the next start.')
				},
				{
					name: 'mud_ca', list: false, default: '/etc/ssl/certs/ca-certificates.crt',
					value: {"type":"path"},
					expected: () => _('an absolute path without \'..\', at most 200 characters'),
					help: () => _('Certificates, in PEM, of the authorities that servers of MUD files, and the signers of those, must have their certificates from (package `ca-bundle`).')
				},
				{
					name: 'mud_signers', list: false, means: () => _('only those of `mud_ca`'),
					value: {"type":"path"},
					expected: () => _('an absolute path without \'..\', at most 200 characters'),
					help: () => _('Certificates, in PEM, of further authorities for the signers of MUD files.')
				}
			]
		},
		{
			kind: 'listener', named: true, max: 16,
			help: () => _('A TCP port on which the broker listens.'),
			builtin: {
				'tls': {}
			},
			options: [
				{
					name: 'enabled', list: false, default: '1',
					value: {"type":"bool"},
					expected: () => _('1 or 0 (or on/off, yes/no, true/false, enabled/disabled)'),
					help: () => _('Off: as if it were not there.')
				},
				{
					name: 'kind', list: false, default: 'tls',
					value: {"type":"choice","words":["tls","wss","plain"]},
					expected: () => _('one of: tls, wss, plain'),
					help: () => _('`tls` is MQTT over TLS, `wss` MQTT over WebSocket over TLS, for browsers. `plain` is MQTT in the clear, only for devices with `option plaintext \'1\'`.')
				},
				{
					name: 'address', list: true, means: () => _('all addresses'),
					value: {"type":"address"},
					expected: () => _('an IPv4 or IPv6 address such as 192.168.1.1 or fd00::1'),
					help: () => _('Addresses of this router to listen on.')
				},
				{
					name: 'port', list: false, means: () => _('8883 for `tls`, 8884 for `wss`, 1883 for `plain`'),
					value: {"max":65535,"min":1,"type":"number"},
					expected: () => _('a TCP port from 1 to 65535'),
					help: () => _('The TCP port.')
				},
				{
					name: 'connections', list: false, default: '500',
					value: {"max":10000,"min":1,"type":"number"},
					expected: () => _('a number of connections from 1 to 10000'),
					help: () => _('Connections at the same time.')
				},
				{
					name: 'record_size', list: false, default: '4k',
					value: {"max":16384,"min":512,"type":"size"},
					expected: () => _('a number of bytes such as 512, 16k or 1M, from 512 to 16k'),
					help: () => _('The longest TLS record that the broker sends, all included. Clients with TLS buffers of 1 KiB (ESP8266, Tasmota) need `1k`.')
				},
				{
					name: 'client_ca', list: false, means: () => _('only the router\'s own client CA, if `client_certificate` is there'),
					value: {"type":"path"},
					expected: () => _('an absolute path without \'..\', at most 200 characters'),
					help: () => _('A PEM file with CAs whose certificates clients may log in with, beside those of `mqttguard certificate`. The account is the one whose user name is the certificate\'s common name (CN); it needs no password then. A user name in the CONNECT has to be the same.')
				},
				{
					name: 'client_crl', list: true, means: () => _('no certificate is revoked'),
					value: {"type":"path"},
					expected: () => _('an absolute path without \'..\', at most 200 characters'),
					help: () => _('PEM files with revocation lists. If there is any, every CA in a client\'s chain needs one: what cannot be looked up is refused. One past its next update still counts.')
				},
				{
					name: 'client_certificate', list: false, default: 'optional',
					value: {"type":"choice","words":["optional","required"]},
					expected: () => _('one of: optional, required'),
					help: () => _('Clients are asked for a certificate if this or `client_ca` is there. With `required`, clients without a certificate are refused, whatever password they have.')
				},
				{
					name: 'origin', list: true, means: () => _('pages from the broker\'s own host name or address'),
					value: {"max":267,"pattern":"^(\\*|https?://[0-9a-z.:\\[\\]_-]+)$","type":"text"},
					expected: () => _('an origin such as https://ha.lan:8123, in lower case and without a path, or *, at most 267 characters'),
					help: () => _('Origins of web pages that may connect to a `wss` listener, beside those from the same host (any port). `*` is every page. Clients that are no browsers name no origin and are not held to this.')
				}
			]
		},
		{
			kind: 'profile', named: true, max: 64,
			help: () => _('What a device may do in MQTT. What no pattern covers is refused. In patterns `%d` is the device\'s name, `%u` its user name, `%c` the client identifier, `%m` its MAC address as Tasmota writes it (`02C11E17000A`), `%n` the last six digits of that (`17000A`), `%x` and `%y` the same in lower case, and `%%` a percent sign. The device chooses its client identifier: a pattern that only `%c` ties to the device ties nothing. A pattern that begins with `%d`, `%u` or `%c` grants nothing where that is a first level which many devices share, such as `homeassistant`, `cmnd` or `zigbee2mqtt`.'),
			builtin: {
				'device': { limits: 'default' },
				'sensor': { limits: 'small' },
				'tasmota': { limits: 'small' },
				'esphome': { limits: 'small' },
				'shelly': { limits: 'small' },
				'shelly_gen1': { limits: 'small' },
				'openbeken': { limits: 'small' },
				'wled': { limits: 'small' },
				'opendtu': {},
				'openmqttgateway': {},
				'valetudo': { limits: 'large' },
				'zigbee2mqtt': { limits: 'large' },
				'frigate': { limits: 'camera' },
				'hub': { limits: 'large' }
			},
			options: [
				{
					name: 'publish', list: true, means: () => _('nothing'),
					value: {"dollar":false,"type":"pattern","variables":true},
					expected: () => _('a topic pattern: \'+\' and \'#\' only as whole levels, \'#\' only as the last, \'%\' only in %d, %u, %c, %m, %n, %x, %y and %%, not starting with $, at most 32 levels and 256 bytes'),
					help: () => _('Topics the device may publish to.')
				},
				{
					name: 'subscribe', list: true, means: () => _('nothing'),
					value: {"dollar":true,"type":"pattern","variables":true},
					expected: () => _('a topic pattern: \'+\' and \'#\' only as whole levels, \'#\' only as the last, \'%\' only in %d, %u, %c, %m, %n, %x, %y and %%, not starting with $share/, at most 32 levels and 256 bytes'),
					help: () => _('Topics the device may subscribe to. A wider subscription is refused.')
				},
				{
					name: 'deny', list: true, means: () => _('nothing'),
					value: {"dollar":true,"type":"pattern","variables":true},
					expected: () => _('a topic pattern: \'+\' and \'#\' only as whole levels, \'#\' only as the last, \'%\' only in %d, %u, %c, %m, %n, %x, %y and %%, not starting with $share/, at most 32 levels and 256 bytes'),
					help: () => _('Topics out of reach although the patterns above cover them: not to be published to, and left out of what a wider subscription brings.')
				},
				{
					name: 'limits', list: false, default: 'default',
					value: {"to":"limits","type":"reference"},
					expected: () => _('the name of a \'limits\' section'),
					help: () => _('The limits of devices with this profile.')
				}
			]
		},
		{
			kind: 'limits', named: true, max: 64,
			help: () => _('What one device may use. `kernel_` options are enforced on every frame it sends; the others by the broker on what it says in MQTT.'),
			builtin: {
				'default': {},
				'small': { kernel_packets_per_s: '2000', kernel_bytes_per_s: '2M', kernel_connections_per_s: '20', kernel_udp_per_s: '500', kernel_broadcasts_per_s: '50', packet_size: '16k', messages_per_s: '20', bytes_per_s: '32k', connections: '2', subscriptions: '32', topic_levels: '12', in_flight: '10', queue_messages: '100', queue_bytes: '64k', retained_messages: '100', retained_bytes: '128k' },
				'large': { packet_size: '1M', messages_per_s: '2000', bytes_per_s: '8M', connections: '16', subscriptions: '2000', topic_levels: '32', in_flight: '100', queue_messages: '10000', queue_bytes: '4M', retained_messages: '10000', retained_bytes: '8M', session_expiry: '30d' },
				'camera': { packet_size: '2M', messages_per_s: '500', bytes_per_s: '8M', connections: '4', subscriptions: '1000', topic_levels: '16', queue_messages: '2000', queue_bytes: '4M', retained_messages: '1000', retained_bytes: '16M' },
				'bridge': { packet_size: '256k', messages_per_s: '2000', bytes_per_s: '4M', connections: '1', topic_levels: '32', in_flight: '100', queue_messages: '10000', queue_bytes: '4M', retained_messages: '5000', retained_bytes: '4M', session_expiry: '30d' }
			},
			options: [
				{
					name: 'kernel_packets_per_s', list: false, default: '250000',
					value: {"max":10000000,"min":10,"type":"number"},
					expected: () => _('a number of packets a second from 10 to 10000000'),
					help: () => _('Packets a second that the device may send.')
				},
				{
					name: 'kernel_bytes_per_s', list: false, default: '400M',
					value: {"max":4293918720,"min":1024,"type":"size"},
					expected: () => _('a number of bytes a second such as 512, 16k or 1M, from 1k to 4095M'),
					help: () => _('Bytes a second that the device may send, Ethernet headers included. A host with a link of 5 or 10 Gbit/s needs more than the default.')
				},
				{
					name: 'kernel_connections_per_s', list: false, default: '500',
					value: {"max":1000000,"min":1,"type":"number"},
					expected: () => _('a number of connections a second from 1 to 1000000'),
					help: () => _('New TCP connections a second.')
				},
				{
					name: 'kernel_udp_per_s', list: false, default: '250000',
					value: {"max":10000000,"min":1,"type":"number"},
					expected: () => _('a number of packets a second from 1 to 10000000'),
					help: () => _('UDP packets a second that the device may send.')
				},
				{
					name: 'kernel_broadcasts_per_s', list: false, default: '5000',
					value: {"max":1000000,"min":1,"type":"number"},
					expected: () => _('a number of frames a second from 1 to 1000000'),
					help: () => _('Broadcast and multicast frames a second that the device may send, ARP included.')
				},
				{
					name: 'packet_size', list: false, default: '64k',
					value: {"max":16777216,"min":512,"type":"size"},
					expected: () => _('a number of bytes such as 512, 16k or 1M, from 512 to 16M'),
					help: () => _('The largest MQTT packet. Cameras that send pictures need `2M`.')
				},
				{
					name: 'messages_per_s', list: false, default: '100',
					value: {"max":100000,"min":1,"type":"number"},
					expected: () => _('a number of messages a second from 1 to 100000'),
					help: () => _('PUBLISH packets a second, averaged over `burst`.')
				},
				{
					name: 'bytes_per_s', list: false, default: '256k',
					value: {"max":1073741824,"min":64,"type":"size"},
					expected: () => _('a number of bytes a second such as 512, 16k or 1M, from 64 to 1024M'),
					help: () => _('Bytes a second from the device, averaged over `burst`.')
				},
				{
					name: 'over_rate', list: false, default: 'pace',
					value: {"type":"choice","words":["pace","refuse"]},
					expected: () => _('one of: pace, refuse'),
					help: () => _('What a device meets above `messages_per_s`. `pace` reads from it no faster than that, and loses nothing. `refuse` answers a client of MQTT 5 that its quota is exceeded (0x97), and drops QoS 0; older clients cannot be told and are paced.')
				},
				{
					name: 'burst', list: false, default: '10s',
					value: {"max":600,"min":1,"type":"time"},
					expected: () => _('a time such as 90s, 10m, 12h or 30d, from 1s to 10m'),
					help: () => _('How long the device may run above its rates after a quiet time.')
				},
				{
					name: 'connections', list: false, default: '4',
					value: {"max":1000,"min":1,"type":"number"},
					expected: () => _('a number of connections from 1 to 1000'),
					help: () => _('MQTT connections at the same time.')
				},
				{
					name: 'subscriptions', list: false, default: '100',
					value: {"max":100000,"min":0,"type":"number"},
					expected: () => _('a number of subscriptions from 0 to 100000'),
					help: () => _('Subscriptions of one session.')
				},
				{
					name: 'topic_length', list: false, default: '512',
					value: {"max":65535,"min":1,"type":"number"},
					expected: () => _('a number of bytes from 1 to 65535'),
					help: () => _('Bytes of a topic.')
				},
				{
					name: 'topic_levels', list: false, default: '16',
					value: {"max":128,"min":1,"type":"number"},
					expected: () => _('a number of levels from 1 to 128'),
					help: () => _('Levels in a topic.')
				},
				{
					name: 'user_properties', list: false, default: '32',
					value: {"max":10000,"min":0,"type":"number"},
					expected: () => _('a number of properties from 0 to 10000'),
					help: () => _('User properties (MQTT 5) of one message or will.')
				},
				{
					name: 'will_size', list: false, default: '4k',
					value: {"max":65536,"min":0,"type":"size"},
					expected: () => _('a number of bytes such as 512, 16k or 1M, from 0 to 64k'),
					help: () => _('Bytes of a will: its topic, properties and payload.')
				},
				{
					name: 'in_flight', list: false, default: '20',
					value: {"max":65535,"min":1,"type":"number"},
					expected: () => _('a number of messages from 1 to 65535'),
					help: () => _('QoS 1 and 2 messages under way at the same time, in each direction.')
				},
				{
					name: 'queue_messages', list: false, default: '1000',
					value: {"max":1000000,"min":1,"type":"number"},
					expected: () => _('a number of messages from 1 to 1000000'),
					help: () => _('Messages waiting for one session.')
				},
				{
					name: 'queue_bytes', list: false, default: '512k',
					value: {"max":268435456,"min":512,"type":"size"},
					expected: () => _('a number of bytes such as 512, 16k or 1M, from 512 to 256M'),
					help: () => _('Bytes of the messages waiting for one session.')
				},
				{
					name: 'retained_messages', list: false, default: '200',
					value: {"max":1000000,"min":0,"type":"number"},
					expected: () => _('a number of messages from 0 to 1000000'),
					help: () => _('Retained messages of the device.')
				},
				{
					name: 'retained_bytes', list: false, default: '512k',
					value: {"max":268435456,"min":0,"type":"size"},
					expected: () => _('a number of bytes such as 512, 16k or 1M, from 0 to 256M'),
					help: () => _('Bytes of the device\'s retained messages.')
				},
				{
					name: 'session_expiry', list: false, default: '7d',
					value: {"max":31536000,"min":0,"type":"time"},
					expected: () => _('a time such as 90s, 10m, 12h or 30d, from 0s to 365d'),
					help: () => _('Longest time that a session outlives its connection.')
				}
			]
		},
		{
			kind: 'exception', named: false, max: 64,
			help: () => _('Plaintext MQTT that may leave. `mqttguard allow` makes such an exception for some hours, without a section.'),
			builtin: {},
			options: [
				{
					name: 'destination', list: false, required: true,
					value: {"type":"prefix"},
					expected: () => _('an IPv4 or IPv6 address or prefix such as 203.0.113.7 or 2001:db8::/32, without bits behind the prefix length'),
					help: () => _('Where it may go.')
				},
				{
					name: 'mac', list: false, means: () => _('every device'),
					value: {"type":"mac"},
					expected: () => _('a device\'s MAC address such as 02:c1:1e:17:00:01'),
					help: () => _('The only device that may.')
				},
				{
					name: 'port', list: false, means: () => _('every port'),
					value: {"max":65535,"min":1,"type":"number"},
					expected: () => _('a TCP or UDP port from 1 to 65535'),
					help: () => _('The only destination port.')
				},
				{
					name: 'expires', list: false, means: () => _('it holds for good'),
					value: {"type":"moment"},
					expected: () => _('a date such as 2026-12-31, whose end it is, in UTC, or a time such as 2026-12-31T18:00Z or 2026-12-31T18:00+01:00'),
					help: () => _('When it ceases to hold. A time that has passed is no mistake. It has passed for good: a clock that is wrong after the next boot does not bring the exception back, another `expires` does. A connection that was made before and goes to none of `plaintext_port` may go on until it ends.')
				}
			]
		},
		{
			kind: 'bridge', named: true, max: 8,
			help: () => _('Another MQTT server that topics go to and come from. What cannot go now waits, at QoS 1 and 2, as `limits` has it.'),
			builtin: {},
			options: [
				{
					name: 'enabled', list: false, default: '1',
					value: {"type":"bool"},
					expected: () => _('1 or 0 (or on/off, yes/no, true/false, enabled/disabled)'),
					help: () => _('Off: as if it were not there; what waits for it is given up.')
				},
				{
					name: 'host', list: false, required: true,
					value: {"pattern":"^(?!-)(?!.*(-\\.|\\.-))[A-Za-z0-9-]{1,63}(\\.[A-Za-z0-9-]{1,63})*(?<!-)$","type":"host"},
					expected: () => _('a host name such as mqtt.example.org, or an IPv4 or IPv6 address'),
					help: () => _('The server\'s name or address. Its certificate has to be for it.')
				},
				{
					name: 'port', list: false, means: () => _('8883, or 1883 without TLS'),
					value: {"max":65535,"min":1,"type":"number"},
					expected: () => _('a TCP port from 1 to 65535'),
					help: () => _('The server\'s port.')
				},
				{
					name: 'tls', list: false, default: '1',
					value: {"type":"bool"},
					expected: () => _('1 or 0 (or on/off, yes/no, true/false, enabled/disabled)'),
					help: () => _('Off: everything, the password too, crosses the network in the clear.')
				},
				{
					name: 'ca', list: false, default: '/etc/ssl/certs/ca-certificates.crt',
					value: {"type":"path"},
					expected: () => _('an absolute path without \'..\', at most 200 characters'),
					help: () => _('Certificates of the authorities that the server\'s certificate may come from, in PEM. The default is that of the package `ca-bundle`.')
				},
				{
					name: 'certificate', list: false, means: () => _('none'),
					value: {"type":"path"},
					expected: () => _('an absolute path without \'..\', at most 200 characters'),
					help: () => _('The router\'s own certificate for this server, with its chain, in PEM.')
				},
				{
					name: 'key', list: false, means: () => _('none'),
					value: {"type":"path"},
					expected: () => _('an absolute path without \'..\', at most 200 characters'),
					help: () => _('The private key of `certificate`, in PEM. Nobody but root may be able to read the file.')
				},
				{
					name: 'username', list: false, means: () => _('none'),
					value: {"max":1024,"pattern":"^\\P{Cc}+$","type":"text"},
					expected: () => _('a user name without control characters, at most 1024 characters'),
					help: () => _('The user name on the server.')
				},
				{
					name: 'password_file', list: false, means: () => _('no password'),
					value: {"type":"path"},
					expected: () => _('an absolute path without \'..\', at most 200 characters'),
					help: () => _('A file with the password and nothing else. Nobody but root may be able to read it.')
				},
				{
					name: 'client_id', list: false, means: () => _('one of this router and bridge alone'),
					value: {"max":256,"pattern":"^\\P{Cc}+$","type":"text"},
					expected: () => _('a client identifier without control characters, at most 256 characters'),
					help: () => _('The client identifier on the server.')
				},
				{
					name: 'protocol', list: false, default: '5',
					value: {"type":"choice","words":["5","3.1.1"]},
					expected: () => _('one of: 5, 3.1.1'),
					help: () => _('The version of MQTT to begin with. A server that does not speak 5 is asked in 3.1.1.')
				},
				{
					name: 'keepalive', list: false, default: '60s',
					value: {"max":3600,"min":10,"type":"time"},
					expected: () => _('a time such as 90s, 10m, 12h or 30d, from 10s to 1h'),
					help: () => _('Longest silence before the server is asked for a sign of life.')
				},
				{
					name: 'out', list: true, means: () => _('nothing'),
					value: {"dollar":false,"type":"pattern","variables":false},
					expected: () => _('a topic pattern: \'+\' and \'#\' only as whole levels, \'#\' only as the last, not starting with $, at most 32 levels and 256 bytes'),
					help: () => _('Topics that go to the server, without `local_prefix`.')
				},
				{
					name: 'in', list: true, means: () => _('nothing'),
					value: {"dollar":false,"type":"pattern","variables":false},
					expected: () => _('a topic pattern: \'+\' and \'#\' only as whole levels, \'#\' only as the last, not starting with $, at most 32 levels and 256 bytes'),
					help: () => _('Topics that come from the server, without `remote_prefix`.')
				},
				{
					name: 'local_prefix', list: false, means: () => _('none'),
					value: {"max":128,"pattern":"^(?!\\$)[^+#\\p{Cc}]*/$","type":"text"},
					expected: () => _('the beginning of topics such as cloud/, that end with \'/\', without \'+\', \'#\' and a \'$\' in front, at most 128 characters'),
					help: () => _('What bridged topics begin with here, as `cloud/`. The server does not see it.')
				},
				{
					name: 'remote_prefix', list: false, means: () => _('none'),
					value: {"max":128,"pattern":"^(?!\\$share/)[^+#\\p{Cc}]*/$","type":"text"},
					expected: () => _('the beginning of topics such as home/ that end with \'/\', without \'+\' and \'#\', at most 128 characters'),
					help: () => _('What bridged topics begin with on the server, as `home/`. Clients here do not see it.')
				},
				{
					name: 'qos', list: false, default: '1',
					value: {"max":2,"min":0,"type":"number"},
					expected: () => _('a number of QoS from 0 to 2'),
					help: () => _('The highest QoS, in both directions. Messages published at QoS 0 do not wait for a server that is away.')
				},
				{
					name: 'limits', list: false, default: 'bridge',
					value: {"to":"limits","type":"reference"},
					expected: () => _('the name of a \'limits\' section'),
					help: () => _('What the bridge may use here.')
				}
			]
		},
		{
			kind: 'uplift', named: true, max: 32,
			help: () => _('Devices that can only speak plaintext MQTT to their server and cannot be told otherwise: the router takes their connections to the ports of `plaintext_port` over and carries them on, over TLS, to the address that the device chose. Without a certificate that is valid for `host` there, the device is refused. A device can be in one such section only.'),
			builtin: {},
			options: [
				{
					name: 'enabled', list: false, default: '1',
					value: {"type":"bool"},
					expected: () => _('1 or 0 (or on/off, yes/no, true/false, enabled/disabled)'),
					help: () => _('Off: as if it were not there; what the devices send in the clear is dropped.')
				},
				{
					name: 'mac', list: true, required: true,
					value: {"type":"mac"},
					expected: () => _('a device\'s MAC address such as 02:c1:1e:17:00:01'),
					help: () => _('Which devices. They need not be enrolled.')
				},
				{
					name: 'host', list: false, required: true,
					value: {"pattern":"^(?!-)(?!.*(-\\.|\\.-))[A-Za-z0-9-]{1,63}(\\.[A-Za-z0-9-]{1,63})*(?<!-)$","type":"host"},
					expected: () => _('a host name such as mqtt.example.org, or an IPv4 or IPv6 address'),
					help: () => _('The name that the server\'s certificate has to be for, as the device would have asked for it: the router sees only an address.')
				},
				{
					name: 'port', list: false, default: '8883',
					value: {"max":65535,"min":1,"type":"number"},
					expected: () => _('a TCP port from 1 to 65535'),
					help: () => _('The server\'s port for MQTT over TLS.')
				},
				{
					name: 'ca', list: false, default: '/etc/ssl/certs/ca-certificates.crt',
					value: {"type":"path"},
					expected: () => _('an absolute path without \'..\', at most 200 characters'),
					help: () => _('Certificates of the authorities that the server\'s certificate may come from, in PEM. The default is that of the package `ca-bundle`.')
				}
			]
		},
		{
			kind: 'device', named: false, max: 1024,
			help: () => _('The owner\'s word on one device.'),
			builtin: {},
			options: [
				{
					name: 'mac', list: false, required: true,
					value: {"type":"mac"},
					expected: () => _('a device\'s MAC address such as 02:c1:1e:17:00:01'),
					help: () => _('Which device.')
				},
				{
					name: 'name', list: false, means: () => _('from its DHCP host name'),
					value: {"max":63,"pattern":"^[A-Za-z0-9_.-]+$","type":"text"},
					expected: () => _('a device name of letters, digits, \'-\', \'_\' and \'.\', at most 63 characters'),
					help: () => _('The name shown, and `%d` in patterns.')
				},
				{
					name: 'profile', list: false, means: () => _('as it was enrolled, else the one of `main`'),
					value: {"to":"profile","type":"reference"},
					expected: () => _('the name of a \'profile\' section'),
					help: () => _('Its profile.')
				},
				{
					name: 'limits', list: false, means: () => _('those of its profile'),
					value: {"to":"limits","type":"reference"},
					expected: () => _('the name of a \'limits\' section'),
					help: () => _('Its limits.')
				},
				{
					name: 'publish', list: true, means: () => _('nothing'),
					value: {"dollar":false,"type":"pattern","variables":true},
					expected: () => _('a topic pattern: \'+\' and \'#\' only as whole levels, \'#\' only as the last, \'%\' only in %d, %u, %c, %m, %n, %x, %y and %%, not starting with $, at most 32 levels and 256 bytes'),
					help: () => _('Topics that it may publish to beside those of its profile. What the profile denies stays denied. Takes force on a reload for clients that are connected, too.')
				},
				{
					name: 'subscribe', list: true, means: () => _('nothing'),
					value: {"dollar":true,"type":"pattern","variables":true},
					expected: () => _('a topic pattern: \'+\' and \'#\' only as whole levels, \'#\' only as the last, \'%\' only in %d, %u, %c, %m, %n, %x, %y and %%, not starting with $share/, at most 32 levels and 256 bytes'),
					help: () => _('Topics that it may subscribe to beside those of its profile, likewise.')
				},
				{
					name: 'blocked', list: false, default: '0',
					value: {"type":"bool"},
					expected: () => _('1 or 0 (or on/off, yes/no, true/false, enabled/disabled)'),
					help: () => _('Nothing it sends gets through. Cannot be undone over ubus.')
				},
				{
					name: 'plaintext', list: false, default: '0',
					value: {"type":"bool"},
					expected: () => _('1 or 0 (or on/off, yes/no, true/false, enabled/disabled)'),
					help: () => _('It may use a listener of kind `plain`.')
				},
				{
					name: 'roaming', list: false, default: '0',
					value: {"type":"bool"},
					expected: () => _('1 or 0 (or on/off, yes/no, true/false, enabled/disabled)'),
					help: () => _('Its credential is accepted from any MAC address, for hosts behind a repeater that hides them.')
				},
				{
					name: 'interface', list: false, means: () => _('any'),
					value: {"max":15,"pattern":"^(?!\\.{1,2}$)(?![^]*[/:])[!-~]+$","type":"text"},
					expected: () => _('the name of a Linux network device such as br-lan, at most 15 characters'),
					help: () => _('The only Linux device that it sends from, such as `lan3` or `phy0-ap0`: a port of a bridge, not the bridge. `bindings` of `main` says what happens to frames from another. It binds to nothing while there is no such device.')
				},
				{
					name: 'bind_address', list: false, default: '1',
					value: {"type":"bool"},
					expected: () => _('1 or 0 (or on/off, yes/no, true/false, enabled/disabled)'),
					help: () => _('Bind it to the IPv4 address of its DHCP lease, while it has exactly one. Off for hosts with more addresses than they lease, and for repeaters that send for others.')
				}
			]
		},
		{
			kind: 'jwt', only: 'jwt', max: 1,
			help: () => _('JSON Web Tokens as passwords, signed with RS256, ES256 or EdDSA. Without this section none is taken. A password that looks like a token is only ever checked as one; the account that it names has to be enrolled, and is bound to its device as with a password. The session ends when the token expires; a client that gives its token by the Authentication Method `OAUTHBEARER` of MQTT 5 may give the next one in time.'),
			builtin: {},
			options: [
				{
					name: 'key', list: false, means: () => _('`jwks` is given'),
					value: {"type":"path"},
					expected: () => _('an absolute path without \'..\', at most 200 characters'),
					help: () => _('A file with the public key in PEM that tokens are checked with: RSA, P-256 or Ed25519, which decides the algorithm. Read again when it changes; while it cannot be read, tokens are refused.')
				},
				{
					name: 'jwks', list: false, means: () => _('`key` is given'),
					value: {"type":"path"},
					expected: () => _('an absolute path without \'..\', at most 200 characters'),
					help: () => _('A file with a JSON Web Key Set instead, for keys that come and go. The token\'s `kid` chooses.')
				},
				{
					name: 'audience', list: true, required: true,
					value: {"max":200,"pattern":"^\\P{Cc}+$","type":"text"},
					expected: () => _('a text without control characters, at most 200 characters'),
					help: () => _('What this broker is called in a token\'s `aud`: one of these has to be there, or a token made for another service would open this one.')
				},
				{
					name: 'issuer', list: false, means: () => _('any that has the key'),
					value: {"max":200,"pattern":"^\\P{Cc}+$","type":"text"},
					expected: () => _('a text without control characters, at most 200 characters'),
					help: () => _('What has to be in a token\'s `iss`.')
				},
				{
					name: 'claim', list: false, default: 'sub',
					value: {"max":64,"pattern":"^[!-~]+$","type":"text"},
					expected: () => _('the name of a claim such as sub, at most 64 characters'),
					help: () => _('The claim that is the user name of the enrolled device. A user name in CONNECT has to be the same.')
				},
				{
					name: 'leeway', list: false, default: '30s',
					value: {"max":600,"min":0,"type":"time"},
					expected: () => _('a time such as 90s, 10m, 12h or 30d, from 0s to 10m'),
					help: () => _('How far the clocks of router and issuer may be apart, for `exp` and `nbf`.')
				}
			]
		},
		{
			kind: 'http_auth', only: 'http_auth', max: 1,
			help: () => _('An external check of user names that no enrolled device has. Names of enrolled devices are never asked about, nor are tokens. The broker posts JSON with `username`, `password`, `client_id`, `address`, `mac` (or null), `listener` and `protocol`, and expects status 200 and JSON with `decision` (`allow` or `deny`) and, as far as wanted, `publish` and `subscribe` (arrays of topic patterns in place of the profile\'s) and `ttl` (seconds for which the answer may be remembered). Without a good answer nobody gets in. Such a user is bound to no device, comes in by TLS only, and in patterns `%d` and the MAC address grant it nothing.'),
			builtin: {},
			options: [
				{
					name: 'url', list: false, required: true,
					value: {"type":"url"},
					expected: () => _('a URL such as https://auth.example/mqtt or http://127.0.0.1:8080/mqtt; http only to this router itself'),
					help: () => _('Where to ask. `http://` only to this router itself (127.0.0.1, ::1 or localhost), as it is told passwords.')
				},
				{
					name: 'timeout', list: false, default: '3s',
					value: {"max":30,"min":1,"type":"time"},
					expected: () => _('a time such as 90s, 10m, 12h or 30d, from 1s to 30s'),
					help: () => _('How long an answer may take, after which the login fails. A login waits for its turn for as long again at most.')
				},
				{
					name: 'cache', list: false, default: '60s',
					value: {"max":86400,"min":0,"type":"time"},
					expected: () => _('a time such as 90s, 10m, 12h or 30d, from 0s to 1d'),
					help: () => _('How long `allow` is remembered for the same question; `0s` for never. `deny` never is.')
				},
				{
					name: 'ca_file', list: false, default: '/etc/ssl/certs/ca-certificates.crt',
					value: {"type":"path"},
					expected: () => _('an absolute path without \'..\', at most 200 characters'),
					help: () => _('Certificates in PEM that may have signed the server\'s. The default is that of the package `ca-bundle`.')
				},
				{
					name: 'profile', list: false, means: () => _('nothing but what the answer grants'),
					value: {"to":"profile","type":"reference"},
					expected: () => _('the name of a \'profile\' section'),
					help: () => _('What those may do whose answer does not say it.')
				},
				{
					name: 'limits', list: false, default: 'default',
					value: {"to":"limits","type":"reference"},
					expected: () => _('the name of a \'limits\' section'),
					help: () => _('The limits of each of them.')
				}
			]
		}
	]
});
