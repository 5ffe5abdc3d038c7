'use strict';
'require baseclass';
'require dom';
'require mqttguard.codes as codes';
'require mqttguard.firmware as firmware';
'require mqttguard.parts as parts';
'require mqttguard.words as words';

/* What the router sends to a device to set it up, before and after it is sent. */

/* What was sent is text or a document; secrets in it are *** already. */
function sent(value) {
	return value == null ? '' : typeof(value) == 'string' ? value : JSON.stringify(value, null, 1);
}

function outcome(step) {
	return step.ok == null ? _('not sent yet') : step.ok ? _('done') : step.status
		? _('failed (status %s)').format(step.status) : _('failed');
}

/* What is settled by it. Before it is sent, nothing is. */
function outcomes(answer) {
	return parts.facts([
		[ _('Connection'), answer.tls == null ? null : answer.tls ? _('by TLS') : _('without TLS, on the island') ],
		[ _('User name'), answer.username ],
		[ _('Profile'), answer.dry_run ? null : answer.profile ],
		[ _('The old password works until'), answer.old_until_ms ? words.time(answer.old_until_ms) : null ]
	]);
}

return baseclass.extend({
	/* The answer to `push`. If it was only tried out, `send` is offered; `island` where that is missing. */
	show(answer, send, island) {
		const name = answer.name || answer.mac, trouble = E('div', { 'aria-live': 'assertive' });
		const now = parts.button(_('Send it to the device'), () => {
			now.disabled = true;
			dom.content(trouble, [ parts.waiting(_('Sending it to the device. That takes up to twenty seconds...')) ]);
			return send().catch((error) => {
				now.disabled = false;
				dom.content(trouble, [ parts.failure(error) ]);
				now.focus();
			});
		}, { style: 'positive' });
		return E('section', { 'class': 'cbi-section' }, [
			E('h3', { 'tabindex': -1 }, [ _('Setting up %s').format(name) ]),
			E('p', {}, [ answer.dry_run
				? _('This would be sent to %s at %s. The password is made when it is sent, and told nobody else.')
					.format(firmware.title(answer.firmware), answer.address)
				: answer.ok ? _('All of it was taken by the device.') : _('It did not work.') ]),
			answer.next && !answer.dry_run ? E('p', {}, [ codes.next(answer) ]) : '',
			answer.why ? E('p', { 'class': 'alert-message warning', 'role': 'alert' }, [ codes.cause(answer.cause, answer.why) ]) : '',
			codes.isIsland(answer.cause) && island
				? E('p', {}, [ parts.button(_('Let it on the island'), island, { style: 'action' }) ]) : '',
			outcomes(answer),
			answer.dry_run && answer.ok ? E('p', {}, [ answer.firmware == 'shelly'
				? _('Its web interface speaks plain HTTP: whoever listens in your LAN in that moment can read the new password.')
				: _('Its web interface speaks plain HTTP: whoever listens in your LAN in that moment can read the new password, and that of the web interface.')
			]) : '',
			answer.suggested_profile && answer.ok && !answer.dry_run ? E('p', {}, [
				_('If it is refused topics: the profile %s is made for %s.')
					.format(answer.suggested_profile, firmware.title(answer.firmware))
			]) : '',
			E('ol', { 'class': 'mqttguard-steps' }, (answer.steps || []).map((step) => E('li', {}, [
				E('strong', {}, [ codes.step(step) ]), ': ', outcome(step),
				E('pre', { 'tabindex': 0, 'aria-label': codes.step(step) }, [
					[ step.method, step.path ].filter(Boolean).join(' '), '\n', sent(step.sent)
				])
			]))),
			trouble,
			answer.dry_run && answer.ok ? E('p', {}, [ now ]) : ''
		]);
	}
});
