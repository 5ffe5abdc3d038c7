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

/* Writes the file, and has the daemon read it. */
function apply() {
	return uci.save().then(() => uci.apply()).then(() => api.reload()).then((answer) => {
		if (answer.ok === false)
			throw new Error((answer.errors || []).join('; '));
	});
}

/* Changes one of the lists; it is read anew, for another tab may have changed it. */
function change(mac, access, edit) {
	uci.unload(CONFIG);
	return uci.load(CONFIG).then(() => {
		let name = (section(mac) || {})['.name'];
		if (!name) {
			name = uci.add(CONFIG, 'device');
			uci.set(CONFIG, name, 'mac', mac);
		}
		const list = LISTS[access], found = uci.get(CONFIG, name, list);
		const patterns = edit([].concat(found || []));
		if (patterns.length)
			uci.set(CONFIG, name, list, patterns);
		else
			uci.unset(CONFIG, name, list);
		return apply();
	});
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
		return change(mac, access, (patterns) =>
			patterns.includes(pattern) ? patterns : patterns.concat(pattern));
	},

	withdraw(mac, access, pattern) {
		return change(mac, access, (patterns) => patterns.filter((one) => one !== pattern));
	},

	/* The options of a `limits` section, as `[name, value]`; none where all are the daemon's own. */
	limits(name) {
		return uci.load(CONFIG).then(() => {
			const found = uci.sections(CONFIG, 'limits').find((one) => one['.name'] == name);
			return Object.entries(found || {}).filter(([ option ]) => !option.startsWith('.'));
		});
	}
});
