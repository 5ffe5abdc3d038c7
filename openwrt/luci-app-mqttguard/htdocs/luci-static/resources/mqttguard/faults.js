'use strict';
'require baseclass';
'require mqttguard.words as words';

/* Why the daemon did not do what the owner wants, by the code of its answer, and what to do about it. A
 * code that is not known here, because the daemon is newer, has the daemon's sentence. */

/* What may be read of a device that is cut off. */
const CUT_OFF = {
	'blocked': (name) => _('%s is blocked. Unblock it first.').format(name),
	'quarantined': (name) => _('%s is in quarantine. Release it first.').format(name)
};

const FAULTS = {
	'never-seen': ({ mac }) => _('The router knows no device with the MAC address %s any more. It forgets those that it has not seen for long.').format(mac),
	'no-such-device': ({ wanted }) => _('The router knows no device "%s". It forgets those that it has not seen for long.').format(wanted),
	'not-quarantined': () => _('The device is in quarantine no longer: its time was over, or it was released already.'),
	'not-allowed': () => _('This is allowed no longer: its time was over, or it was withdrawn already.'),
	'not-pairing': () => _('The device can be paired no longer: it was paired, or the time was over.'),
	'not-enrolled': ({ name }) => _('%s has no password yet. Enrol it first.').format(name),
	'note-too-long': () => _('The note is too long. Make it shorter.'),
	'no-broker': ({ why }) => _('The broker is not running: %s').format(why),
	'renewed-lately': ({ seconds }) =>
		_('They were renewed a moment ago. Once a minute is the limit: try again in %s.').format(words.span(seconds)),
	'pushes-busy': () => _('The router is setting this device up already, or several others. Try again in half a minute.'),
	'cut-off': ({ name, state }) => Object.hasOwn(CUT_OFF, state) ? CUT_OFF[state](name)
		: _('%s is cut off. Let it go first.').format(name),
	'no-address': ({ name }) => _('The router does not know at which address %s is. Is it on, and in this network?').format(name),
	'several-addresses': ({ name, addresses }) =>
		_('%s has several addresses (%s). Choose one.').format(name, [].concat(addresses || []).join(', ')),
	'unguarded': ({ address }) =>
		_('%s is in no network that mqttguard guards. Add its network in the settings, or copy the settings into the device yourself.').format(address),
	'no-push': ({ name, firmware: runs }) => runs
		? _('%s does not take its settings from the router. Copy them into it instead.').format(runs)
		: _('The router cannot tell what runs on %s. Choose it, or copy the settings into the device instead.').format(name),
	'live-off': () => _('The live view is switched off in the settings (option live).'),
	'bad-filter': ({ found }) =>
		_('"%s" is no topic filter of MQTT: + stands for a whole level, and # for all levels, at the end.').format(found),
	'mud-url': ({ found }) => _('"%s" is no address of a description. It looks like https://maker.example/lamp.json.').format(found),
	'mud-unannounced': () => _('The device does not say where its maker describes it. Give an address.'),
	'mud-unseen': () => _('You have not seen the description within the last hour. Fetch it again first.'),
	'mud-other': () => _('It is not what you have seen: it was fetched anew meanwhile. Look at it again.'),
	'mud-invalid': ({ why }) =>
		_('It cannot be accepted, for its signature is not valid: somebody may have changed it on the way (%s).').format(why),
	'mud-unverified': ({ why }) => _('Nobody whom this router trusts vouches for it: %s').format(why),
	'mud-none': () => _('Nothing that is said of this device is in force any more.'),
	'mud-full': ({ most }) => _('Descriptions are in force for %s devices, which is the most. Forget one first.').format(words.number(most)),
	'mud-unfetched': ({ why }) => _('It could not be fetched: %s').format(why),

	'registry-full': ({ most }) =>
		_('The router remembers %s devices, and has no room for another. It forgets those first that it has not seen for long.').format(words.number(most)),
	'no-such-profile': ({ found }) =>
		_('There is no profile "%s" any more. Load this page again, and choose another.').format(found),
	'bad-username': ({ username }) =>
		_('"%s" is no user name here: it is 1 to 63 letters, digits, ".", "_" or "-".').format(username),
	'username-taken': ({ username, owner }) => _('The user name "%s" is that of another device, %s.').format(username, owner),
	'device-blocked': () => _('The device is blocked. Unblock it first.'),
	'nothing-held': () => _('The device has no password and no certificate any more. Enrol it.'),
	'has-credential': ({ username }) =>
		_('The device has a password already, as user "%s". Revoke that first.').format(username),
	'two-accounts': ({ mac }) => _('Two accounts are meant for the device %s, which can only have one.').format(mac),
	'username-twice': ({ username }) => _('The user name "%s" is there twice.').format(username),
	'claims-full': ({ most }) => _('At most %s accounts can wait for their devices.').format(words.number(most)),
	'pairings-full': ({ most }) =>
		_('%s devices can be paired already, which is the most. Wait until one is, or cancel one.').format(words.number(most)),
	'blocked-by-configuration': () => _('The configuration blocks the device: take that out of its section in the settings.'),
	'learning-full': ({ most }) =>
		_('%s devices are learning, which is the most. Wait until the time of one is over.').format(words.number(most)),
	'allowances-full': ({ most }) =>
		_('%s exceptions are in force, which is the most. Withdraw one first.').format(words.number(most)),
	'destination-full': ({ most }) =>
		_('%s exceptions apply to this destination, which is the most. Withdraw one first.').format(words.number(most)),

	'daemon-busy': () => _('mqttguard has too much to do just now, or is being stopped. Try again.'),
	'late': () => _('mqttguard did not answer in time. See whether it was done before you try again.'),
	'no-answer': () => _('mqttguard gave up. The system log says why.')
};

return baseclass.extend({
	/* What a failed answer says. */
	of(answer) {
		return Object.hasOwn(FAULTS, answer.code) ? FAULTS[answer.code](answer) : answer.error;
	},

	/* What an answer with a warning says of what did not reach the disk. */
	unsaved(answer) {
		return answer.unsaved
			? _('It is in force, but lost at the next restart. See whether the storage of the router is full or broken: %s').format(answer.unsaved)
			: answer.warning;
	}
});
