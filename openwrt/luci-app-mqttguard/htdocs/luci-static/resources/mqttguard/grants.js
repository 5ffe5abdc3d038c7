'use strict';
'require baseclass';
'require uci';
'require mqttguard.api as api';

/* What the configuration grants to one device beyond its profile: `list publish` and `list subscribe`
 * of its `device` section. */

const CONFIG = 'mqttguard';
/* A last will is published, after all. */
const LISTS = { 'publish': 'publish', 'subscribe': 'subscribe', 'will': 'publish' };

function section(mac) {
	return uci.sections(CONFIG, 'device')
		.find((one) => String(one.mac).toLowerCase() == mac.toLowerCase());
}

/* The section of a device, by name; it is made if there is none. */
function made(mac) {
	const found = section(mac);
	if (found)
		return found['.name'];
	const name = uci.add(CONFIG, 'device');
	uci.set(CONFIG, name, 'mac', mac);
	return name;
}

/* Writes a list into the file, and has the daemon read it. The file is read anew before, for another
 * page may have changed it. */
function write(mac, list, edit) {
	uci.unload(CONFIG);
	return uci.load(CONFIG).then(() => {
		const name = made(mac), patterns = edit([].concat(uci.get(CONFIG, name, list) || []));
		if (patterns.length)
			uci.set(CONFIG, name, list, patterns);
		else
			uci.unset(CONFIG, name, list);
		return uci.save();
	}).then(() => uci.apply()).then(() => api.reload());
}

/* Changes a list, or leaves it as it was if the daemon does not take it. */
function change(mac, access, edit, back) {
	const list = LISTS[access];
	return write(mac, list, edit).then((answer) => {
		if (answer.ok !== false)
			return;
		const error = new Error((answer.errors || []).join('; '));
		return write(mac, list, back).then(() => {
			throw error;
		});
	});
}

function put(pattern) {
	return (patterns) => patterns.includes(pattern) ? patterns : patterns.concat(pattern);
}

function take(pattern) {
	return (patterns) => patterns.filter((one) => one !== pattern);
}

return baseclass.extend({
	/* A topic as a pattern that grants it and nothing else. */
	pattern(topic) {
		return topic.replace(/%/g, '%%');
	},

	/* A pattern for a topic and its neighbours, all below the level above it; null if that were all
	 * topics, or the broker's own. */
	wider(topic) {
		const levels = topic.split('/');
		if (levels.length < 2 || levels[0] == '' || /^[$]|[+#]/.test(levels[0]))
			return null;
		const wider = this.pattern(levels.slice(0, -1).join('/')) + '/#';
		return wider == topic ? null : wider;
	},

	grant(mac, access, pattern) {
		return change(mac, access, put(pattern), take(pattern));
	},

	withdraw(mac, access, pattern) {
		return change(mac, access, take(pattern), put(pattern));
	},

	/* The options of a `limits` section, as `[name, value]`; none where all are the daemon's own. */
	limits(name) {
		return uci.load(CONFIG).then(() => {
			const found = uci.sections(CONFIG, 'limits').find((one) => one['.name'] == name);
			return Object.entries(found || {}).filter(([ option ]) => !option.startsWith('.'));
		});
	}
});
