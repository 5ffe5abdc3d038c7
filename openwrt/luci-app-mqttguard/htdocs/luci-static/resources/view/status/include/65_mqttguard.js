'use strict';
'require baseclass';
'require mqttguard.api as api';
'require mqttguard.parts as parts';
'require mqttguard.troubles as troubles';
'require mqttguard.words as words';

/* mqttguard on LuCI's status page. */

return baseclass.extend({
	title: _('MQTT Guard'),

	load() {
		return api.status().catch((error) => ({ failed: error }));
	},

	render(status) {
		if (!status || status.failed)
			return parts.page([ parts.failure(status ? status.failed : new Error(_('Not known'))) ]);
		const devices = status.devices || {};
		const troubled = (devices.quarantined || 0) + (devices.blocked || 0);
		return parts.page([
			parts.facts([
				[ _('Protected'), status.protected ? _('Yes') : _('No') ],
				[ _('Why'), troubles.of(status).map((one) => one.says).join(' ') ],
				[ _('Unencrypted MQTT blocked (frames)'), words.number(words.plaintext(status.dropped)) ],
				[ _('Devices that wait for you'), words.number(devices.new) ],
				[ _('Quarantined or blocked'), words.number(troubled) ]
			]),
			E('p', {}, [ E('a', { 'href': L.url('admin/services/mqttguard/overview') }, [ _('See more') ]) ])
		]);
	}
});
