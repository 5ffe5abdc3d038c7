'use strict';
'require view';
'require form';
'require uci';
'require mqttguard.api as api';
'require mqttguard.certificates as certificates';
'require mqttguard.parts as parts';
'require mqttguard.settings as settings';
'require mqttguard.titles as titles';

/* All of /etc/config/mqttguard, and the router's certificates. */

/* What is wrong with the file as it is: LuCI can only save it whole, and the daemon refuses it whole. */
function summary(check, mistakes) {
	if (check.error)
		return parts.failure(check.error);
	if (!mistakes.length)
		return '';
	return E('div', { 'class': 'alert-message warning', 'role': 'alert' }, [ E('div', {}, [
		E('p', {}, [ N_(mistakes.length, 'There is %d mistake in the configuration. Until it is corrected, the last good one stays in force:',
			'There are %d mistakes in the configuration. Until they are corrected, the last good one stays in force:')
			.format(mistakes.length) ]),
		E('ul', {}, mistakes.map((one) => E('li', {}, [ [
			one.kind ? titles.section(one.kind).title() : null, one.name, one.title || one.option, one.what
		].filter((part) => part != null).join(': ') ])))
	]) ]);
}

function later(status) {
	const lines = (status.config && status.config.at_next_start) || [];
	return lines.length ? E('div', { 'class': 'alert-message notice', 'role': 'status' }, [ E('div', {}, [
		E('p', {}, [ _('Not in force before mqttguard is started again:') ]),
		E('ul', {}, lines.map((line) => E('li', {}, [ line ])))
	]) ]) : '';
}

return view.extend({
	load: () => Promise.all([
		uci.load(settings.CONFIG),
		api.check().catch((error) => ({ error: error })),
		api.ca().catch((error) => ({ error: error })),
		api.status().catch(() => ({}))
	]),

	render([ , check, authority, status ]) {
		const mistakes = (check.errors || []).map((line) => settings.mistake(line));
		const map = settings.map(mistakes);
		const tab = map.section(form.NamedSection, 'certificates', 'certificates', _('Certificates'));
		const nodes = certificates.tab(authority);
		tab.load = () => Promise.resolve();
		tab.parse = () => Promise.resolve();
		tab.checkDepends = () => false;
		tab.render = () => Promise.resolve(nodes);
		return map.render().then((node) => parts.page([
			E('link', { 'rel': 'stylesheet', 'href': L.resource('mqttguard/forms.css') }),
			E('h2', { 'name': 'content' }, [ _('Settings') ]),
			E('p', {}, [ _('Whatever you leave empty holds as it says in grey. Save & Apply puts it into force, without ending a connection.') ]),
			summary(check, mistakes), later(status), node
		]));
	}
});
