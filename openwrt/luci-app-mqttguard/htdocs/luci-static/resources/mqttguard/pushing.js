'use strict';
'require baseclass';
'require dom';
'require mqttguard.firmware as firmware';
'require mqttguard.parts as parts';

/* What the router sends to a device to set it up, before and after it is sent. */

/* What was sent is text or a document; secrets in it are *** already. */
function sent(value) {
	return value == null ? '' : typeof(value) == 'string' ? value : JSON.stringify(value, null, 1);
}

function outcome(step) {
	return step.ok == null ? _('not sent yet') : step.ok ? _('done') : step.status
		? _('failed (status %s)').format(step.status) : _('failed');
}

return baseclass.extend({
	/* The answer to `push`. If it was only tried out, `send` is offered. */
	show(answer, send) {
		const name = answer.name || answer.mac, trouble = E('div', { 'aria-live': 'assertive' });
		const now = parts.button(_('Send it to the device'), () => {
			now.disabled = true;
			return send().catch((error) => {
				now.disabled = false;
				dom.content(trouble, [ parts.failure(error) ]);
			});
		}, { style: 'positive' });
		return E('section', { 'class': 'cbi-section' }, [
			E('h3', { 'tabindex': -1 }, [ _('Setting up %s').format(name) ]),
			E('p', {}, [ answer.dry_run
				? _('This would be sent to %s at %s. The password is made when it is sent, and told nobody else.')
					.format(firmware.title(answer.firmware), answer.address)
				: answer.ok ? _('All of it was taken by the device.') : _('It did not work.') ]),
			answer.next && !answer.dry_run ? E('p', {}, [ answer.next ]) : '',
			answer.why ? E('p', { 'class': 'alert-message warning', 'role': 'alert' }, [ answer.why ]) : '',
			E('ol', { 'class': 'mqttguard-steps' }, (answer.steps || []).map((step) => E('li', {}, [
				E('strong', {}, [ step.what ]), ': ', outcome(step),
				E('pre', { 'tabindex': 0, 'aria-label': step.what }, [
					[ step.method, step.path ].filter(Boolean).join(' '), '\n', sent(step.sent)
				])
			]))),
			trouble,
			answer.dry_run && answer.ok ? E('p', {}, [ now ]) : ''
		]);
	}
});
