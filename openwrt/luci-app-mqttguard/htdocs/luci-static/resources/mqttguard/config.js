'use strict';
'require baseclass';
'require rpc';
'require uci';
'require mqttguard.api as api';

/* Changes of /etc/config/mqttguard that a page makes by itself, for one thing that the owner wants. */

const CONFIG = 'mqttguard';

function device(mac) {
	return uci.sections(CONFIG, 'device')
		.find((one) => String(one.mac).toLowerCase() == mac.toLowerCase());
}

/* The router takes back what is not confirmed within so many seconds. It is confirmed after so many
 * milliseconds, if the router can be reached still: other changes may be put into force with ours. */
const ROLLBACK = 10;
const CONFIRM = 1000;

/* What the router answers, as a number, if it does not do it. */
const STATUS_NO_DATA = 5;
const STATUS_PERMISSION_DENIED = 6;

const calls = {
	apply: rpc.declare({ object: 'uci', method: 'apply', params: [ 'timeout', 'rollback' ] }),
	confirm: rpc.declare({ object: 'uci', method: 'confirm' })
};

function check(status) {
	if (status === STATUS_PERMISSION_DENIED)
		throw new Error(_('Another change of the configuration is being applied. Try again in a moment.'));
	if (status)
		throw new Error(_('The router did not take the change of its configuration (ubus status %s). Load this page again, and see whether there are unsaved changes.').format(status));
}

/* Puts what is staged into force. LuCI's own way is done before that is confirmed: whoever then leaves
 * the page has it taken back unseen, and whoever changes more is refused. */
function apply() {
	return calls.apply(ROLLBACK, true).then((status) => {
		/* What was staged says what the file says already. */
		if (status === STATUS_NO_DATA)
			return null;
		check(status);
		return new Promise((wake) => setTimeout(wake, CONFIRM)).then(() => calls.confirm()).then(check);
	});
}

/* Writes what `edit` changes into the file, and has the daemon read it. The file is read anew before,
 * for another page may have changed it. Nothing is written where `edit` gives null. */
function write(edit) {
	uci.unload(CONFIG);
	return uci.load(CONFIG).then(() => {
		const back = edit();
		return back ? uci.save().then(apply).then(() => api.reload())
			.then((answer) => ({ answer: answer, back: back })) : null;
	});
}

return baseclass.extend({
	NAME: CONFIG,

	/* Reads the file anew. */
	read() {
		uci.unload(CONFIG);
		return uci.load(CONFIG);
	},

	/* Gives an option of the main section a value. Gives as `put`. */
	main(option, value) {
		const found = uci.sections(CONFIG, CONFIG)[0], name = found ? found['.name'] : uci.add(CONFIG, CONFIG, 'main');
		const before = found ? found[option] : null;
		if (before === value)
			return null;
		uci.set(CONFIG, name, option, value);
		return () => before == null ? uci.unset(CONFIG, name, option) : uci.set(CONFIG, name, option, before);
	},

	/* The section of a device, if there is one. */
	device: device,

	/* The name of a device's section; it is made if there is none. */
	made(mac) {
		const found = device(mac);
		if (found)
			return found['.name'];
		const name = uci.add(CONFIG, 'device');
		uci.set(CONFIG, name, 'mac', mac);
		return name;
	},

	/* Gives an option of a device's section a value, or takes it out if that is null. Gives what takes
	 * that back; null if it is so already. */
	put(mac, option, value) {
		const found = device(mac), before = found ? found[option] : null;
		if ((before == null ? null : before) === value)
			return null;
		if (value == null)
			uci.unset(CONFIG, found['.name'], option);
		else
			uci.set(CONFIG, this.made(mac), option, value);
		return () => {
			const section = device(mac);
			if (before != null)
				uci.set(CONFIG, this.made(mac), option, before);
			else if (found && section)
				uci.unset(CONFIG, section['.name'], option);
			else if (section)
				uci.remove(CONFIG, section['.name']);
		};
	},

	/* Takes an option out again for which a page made the device's section, and the section with it,
	 * unless something else was put into it since. Gives as `put`. */
	retract(mac, option) {
		const found = device(mac), others = Object.keys(found || {})
			.filter((name) => !name.startsWith('.') && name != 'mac' && name != option);
		if (!found || others.length)
			return this.put(mac, option, null);
		uci.remove(CONFIG, found['.name']);
		return () => uci.set(CONFIG, this.made(mac), option, found[option]);
	},

	/* Does what `edit` does to the sections, and leaves them as they were if the daemon does not take
	 * it: by what `edit` gives, which is called once the file is read anew. */
	change(edit) {
		return write(edit).then((done) => {
			if (!done || done.answer.ok !== false)
				return;
			const error = new Error(_('It was not done, for the configuration has mistakes. Correct it in the settings: %s')
				.format((done.answer.errors || []).join('; ')));
			return write(() => {
				done.back();
				return () => {};
			}).then(() => {
				throw error;
			});
		});
	}
});
