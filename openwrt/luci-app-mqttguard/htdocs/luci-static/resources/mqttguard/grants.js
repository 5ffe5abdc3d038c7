'use strict';
'require baseclass';
'require uci';
'require mqttguard.config as config';

/* What the configuration grants to one device beyond its profile: `list publish` and `list subscribe`
 * of its `device` section. */

/* A last will is published, after all. */
const LISTS = { 'publish': 'publish', 'subscribe': 'subscribe', 'will': 'publish' };

/* Puts what `edit` makes of a list in its place. A section without a name, as a page makes it, goes with
 * the last of what it says. */
function edited(mac, list, edit) {
	const found = config.device(mac), patterns = edit([].concat((found || {})[list] || []));
	if (patterns.length)
		uci.set(config.NAME, config.made(mac), list, patterns);
	else if (found && found['.anonymous'])
		config.retract(mac, list);
	else
		config.put(mac, list, null);
}

function change(mac, access, edit, back) {
	const list = LISTS[access];
	return config.change(() => {
		edited(mac, list, edit);
		return () => edited(mac, list, back);
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
		return uci.load(config.NAME).then(() => {
			const found = uci.sections(config.NAME, 'limits').find((one) => one['.name'] == name);
			return Object.entries(found || {}).filter(([ option ]) => !option.startsWith('.'));
		});
	}
});
