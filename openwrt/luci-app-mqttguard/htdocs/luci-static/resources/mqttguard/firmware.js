'use strict';
'require baseclass';

/* What runs on devices, by the daemon's name for it. These are names of products: the same in every
 * language. */

const TITLES = {
	'tasmota': 'Tasmota',
	'esphome': 'ESPHome',
	'shelly-gen1': 'Shelly (Gen1)',
	'shelly': 'Shelly (Gen2+)',
	'openbeken': 'OpenBeken',
	'wled': 'WLED',
	'opendtu': 'OpenDTU',
	'openmqttgateway': 'OpenMQTTGateway',
	'valetudo': 'Valetudo',
	'zigbee2mqtt': 'Zigbee2MQTT',
	'home-assistant': 'Home Assistant',
	'frigate': 'Frigate'
};

/* Those that cannot do TLS, in any build. */
const PLAIN = [ 'shelly-gen1', 'wled' ];

/* Those that take their settings from the network. */
const PUSHED = [ 'tasmota', 'openbeken', 'shelly' ];

return baseclass.extend({
	NAMES: Object.keys(TITLES),
	PUSHED: PUSHED,

	title(name) {
		return Object.hasOwn(TITLES, name) ? TITLES[name] : String(name);
	},

	/* Whether the router can set it up by itself. */
	isPushed(name) {
		return PUSHED.includes(name);
	},

	/* Whether it needs the island. */
	isPlain(name) {
		return PLAIN.includes(name);
	}
});
