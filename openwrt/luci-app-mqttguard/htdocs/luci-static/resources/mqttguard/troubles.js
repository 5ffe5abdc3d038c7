'use strict';
'require baseclass';
'require mqttguard.codes as codes';
'require mqttguard.config as config';
'require mqttguard.dialogs as dialogs';
'require mqttguard.parts as parts';

/* Why the house is not protected, and what the owner can do about it. */

function settings(label) {
	return parts.link(label, parts.place('settings'), { key: 'trouble ' + label });
}

function router(label, path) {
	return parts.link(label, L.url(path), { key: 'trouble ' + label });
}

/* Ends monitor mode. */
function enforce(refresh) {
	dialogs.ask(_('Start to block'), [
		E('p', {}, [ _('From now on mqttguard drops what it only told of until now: unencrypted MQTT that leaves the house, and floods. The configuration is saved and applied.') ])
	], _('Start to block'), 'positive', () =>
		config.change(() => config.main('mode', 'enforce')).then(() => {
			dialogs.told(_('mqttguard blocks from now on.'), null,
				() => config.change(() => config.main('mode', 'monitor')).then(refresh));
			refresh();
		}));
}

const STORAGE = () => _('See whether the storage of the router is full or broken.');
const RETRIED = () => _('It is tried again by itself. If it stays so, look into the system log.');
const log = () => router(_('System log'), 'admin/status/logs');

/* By the daemon's code: what it says, and what to do. */
const TROUBLES = {
	'monitor': () => ({
		says: _('It only watches (monitor mode): nothing is dropped.'),
		advice: _('See below what it would have blocked. When nothing of it is missed, let it block.'),
		act: (refresh) => parts.button(_('Start to block'), () => enforce(refresh),
			{ style: 'positive', key: 'trouble enforce' })
	}),
	'program-off': () => ({
		says: _('Frames are not checked in the kernel: the configuration switches that off.'),
		advice: _('Switch it on in the settings, unless you know why it is off.'),
		act: () => settings(_('Settings'))
	}),
	'program-loading': ({ succeeds }) => ({
		says: succeeds ? _('The check of frames is being renewed. The one of before goes on meanwhile.')
			: _('The check of frames is being started.'),
		advice: _('On a small router that takes up to a minute.')
	}),
	'program-failed': ({ why }) => ({
		says: _('Frames are not checked in the kernel: %s').format(why),
		advice: _('The kernel of this firmware may lack BPF. Install a firmware whose kernel has it; it is tried again by itself.'),
		act: log
	}),
	'reduced': () => ({
		advice: _('It blocks the usual ports of unencrypted MQTT. Other ports and floods pass.')
	}),
	'closed': () => ({
		advice: _('Devices do not reach the internet until frames are checked again. You have it so (option on_error).'),
		act: () => settings(_('Settings'))
	}),
	'nftables-failing': () => ({ advice: RETRIED(), act: log }),
	'unprotected': () => ({ advice: RETRIED(), act: log }),
	'unclosed': () => ({ advice: RETRIED(), act: log }),
	'not-attached': (trouble) => ({
		says: _('Frames on %s are not checked: %s').format(trouble.interface, codes.attached(trouble)),
		advice: RETRIED(),
		act: log
	}),
	'blind': ({ interface: device }) => ({
		says: _('Frames pass %s unseen.').format(device),
		advice: _('Hardware offloading of the router may carry them past it. Switch that off in the firewall.'),
		act: () => router(_('Firewall'), 'admin/network/firewall')
	}),
	'unproven': () => ({
		says: _('No frame has been seen yet.'),
		advice: _('The proof comes with the first one: use any device of the house.')
	}),
	'no-device': ({ network }) => ({
		says: _('The network "%s" that is to be guarded has no device.').format(network),
		advice: _('It may come up later. If there is no such network, correct the settings.'),
		act: () => settings(_('Settings'))
	}),
	'no-broker': ({ why }) => ({
		says: _('The broker is not running: %s').format(why),
		advice: _('Devices cannot reach it. Correct its listeners in the settings, then restart mqttguard.'),
		act: () => settings(_('Settings'))
	}),
	'registry-unreadable': ({ why }) => ({
		says: _('Blocks and credentials are not in force: %s').format(why),
		advice: _('What mqttguard keeps of the devices cannot be read. Bring it back from a backup of the router.'),
		act: () => router(_('Backup'), 'admin/system/flash')
	}),
	'registry-unsaved': ({ why }) => ({
		says: _('Changes are lost at the next restart: %s').format(why),
		advice: STORAGE()
	}),
	'journal-unusable': () => ({ advice: STORAGE() }),
	'journal-unwritable': () => ({ advice: STORAGE() }),
	'uplift': ({ why }) => ({
		says: _('Devices whose MQTT is to be carried on over TLS are cut off: %s').format(why),
		advice: _('Correct their section in the settings.'),
		act: () => settings(_('Settings'))
	}),
	'configuration': (trouble, status) => ({
		says: _('The configuration has mistakes; an earlier one is in force.'),
		more: (status.config || {}).errors,
		advice: _('Correct it in the settings.'),
		act: () => settings(_('Settings'))
	})
};

return baseclass.extend({
	/* Of each trouble: what it says, `more` lines about it, and where something can be done, an advice
	 * and an act, a function that makes its control. What is not known here, because the daemon is
	 * newer, is told in its own words. */
	of(status) {
		const told = status.troubles || (status.why || []).map((line) => ({ message: line }));
		return told.map((trouble) => Object.assign(
			{ says: codes.standin(trouble) || codes.journal(trouble) || trouble.message },
			Object.hasOwn(TROUBLES, trouble.code) ? TROUBLES[trouble.code](trouble, status) : {}));
	},

	/* That the daemon did not answer. */
	silence(error) {
		return error.stopped ? {
			says: _('mqttguard is not running.'),
			advice: _('Start it, and have it started with the router.'),
			act: () => router(_('System, Startup'), 'admin/system/startup')
		} : { says: error.message };
	}
});
