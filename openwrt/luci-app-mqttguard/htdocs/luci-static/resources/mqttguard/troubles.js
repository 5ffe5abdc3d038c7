'use strict';
'require baseclass';
'require uci';
'require mqttguard.api as api';
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
	], _('Start to block'), 'positive', () => {
		uci.unload('mqttguard');
		return uci.load('mqttguard').then(() => {
			const main = uci.sections('mqttguard', 'mqttguard')[0];
			uci.set('mqttguard', main['.name'], 'mode', 'enforce');
			return uci.save();
		}).then(() => uci.apply()).then(() => api.reload()).then((answer) => {
			if (answer.ok === false)
				throw new Error((answer.errors || []).join('; '));
			dialogs.told(_('mqttguard blocks from now on.'), answer);
			refresh();
		});
	});
}

/* By how the daemon's own line begins: the line in the page's language, and what to do. */
const TROUBLES = [
	[ /^monitor mode: /, () => ({
		says: _('It only watches (monitor mode): nothing is dropped.'),
		advice: _('See below what it would have blocked. When nothing of it is missed, let it block.'),
		act: (refresh) => parts.button(_('Start to block'), () => enforce(refresh),
			{ style: 'positive', key: 'trouble enforce' })
	}) ],
	[ /^the kernel program is not loaded: switched off in the configuration/, () => ({
		says: _('Frames are not checked in the kernel: the configuration switches that off.'),
		advice: _('Switch it on in the settings, unless you know why it is off.'),
		act: () => settings(_('Settings'))
	}) ],
	[ /^the kernel program is not loaded: ([^]*)/, ([ , why ]) => ({
		says: _('Frames are not checked in the kernel: %s').format(why),
		advice: _('The kernel of this firmware may lack BPF. Install a firmware whose kernel has it; it is tried again by itself.'),
		act: () => router(_('System log'), 'admin/status/logs')
	}) ],
	[ /^not attached to (\S+): ([^]*)/, ([ , device, why ]) => ({
		says: _('Frames on %s are not checked: %s').format(device, why),
		advice: _('It is tried again by itself. If it stays so, look into the system log.'),
		act: () => router(_('System log'), 'admin/status/logs')
	}) ],
	[ /^(\S+) has frames that the kernel program does not see/, ([ , device ]) => ({
		says: _('Frames pass %s unseen.').format(device),
		advice: _('Hardware offloading of the router may carry them past it. Switch that off in the firewall.'),
		act: () => router(_('Firewall'), 'admin/network/firewall')
	}) ],
	[ /^no frame has been seen yet/, () => ({
		says: _('No frame has been seen yet.'),
		advice: _('The proof comes with the first one: use any device of the house.')
	}) ],
	[ /^network '([^']*)' has no device yet/, ([ , network ]) => ({
		says: _('The network "%s" that is to be guarded has no device.').format(network),
		advice: _('It may come up later. If there is no such network, correct the settings.'),
		act: () => settings(_('Settings'))
	}) ],
	[ /^the broker is not running: ([^]*)/, ([ , why ]) => ({
		says: _('The broker is not running: %s').format(why),
		advice: _('Devices cannot reach it. Correct its listeners in the settings, then restart mqttguard.'),
		act: () => settings(_('Settings'))
	}) ],
	[ /^blocks and credentials are not in force: ([^]*)/, ([ , why ]) => ({
		says: _('Blocks and credentials are not in force: %s').format(why),
		advice: _('What mqttguard keeps of the devices cannot be read. Bring it back from a backup of the router.'),
		act: () => router(_('Backup'), 'admin/system/flash')
	}) ],
	[ /^what the broker acknowledges is lost in a crash: ([^]*)/, ([ , why ]) => ({
		says: _('What the broker acknowledges is lost in a crash: %s').format(why),
		advice: _('See whether the storage of the router is full or broken.')
	}) ],
	[ /^changes are lost at the next restart: ([^]*)/, ([ , why ]) => ({
		says: _('Changes are lost at the next restart: %s').format(why),
		advice: _('See whether the storage of the router is full or broken.')
	}) ],
	[ /^devices that are to be uplifted are cut off from their servers: ([^]*)/, ([ , why ]) => ({
		says: _('Devices whose MQTT is to be carried on over TLS are cut off: %s').format(why),
		advice: _('Correct their section in the settings.'),
		act: () => settings(_('Settings'))
	}) ],
	[ /^the configuration has mistakes/, (found, status) => ({
		says: _('The configuration has mistakes; an earlier one is in force.'),
		more: (status.config || {}).errors,
		advice: _('Correct it in the settings.'),
		act: () => settings(_('Settings'))
	}) ]
];

return baseclass.extend({
	/* Of each of the daemon's lines: what it says, `more` lines about it, and where something can be
	 * done, an advice and an act, a function that makes its control. */
	of(status) {
		return (status.why || []).map((line) => {
			for (const [ begins, tell ] of TROUBLES) {
				const found = begins.exec(line);
				if (found)
					return tell(found, status);
			}
			return { says: line };
		});
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
