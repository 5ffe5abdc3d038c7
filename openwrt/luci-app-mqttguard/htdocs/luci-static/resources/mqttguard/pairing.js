'use strict';
'require baseclass';
'require dom';
'require mqttguard.api as api';
'require mqttguard.parts as parts';
'require mqttguard.words as words';

/* A window in which what a device presents becomes its credential, counted down. */

/* Seconds left at which readers of the screen hear of it. */
const TOLD = [ 60, 30, 10 ];

function clock(seconds) {
	return Math.floor(seconds / 60) + ':' + String(seconds % 60).padStart(2, '0');
}

function instruction(answer) {
	const server = [ answer.server, answer.address ].filter(Boolean).join(' / ');
	const text = answer.plain
		? _('Let the device connect now, to %s, port %s, without TLS, with any user name and password that you have set on it, or that it has from the factory. What it presents first is its credential from then on.')
		: _('Let the device connect now, to %s, port %s, with any user name and password that you have set on it, or that it has from the factory. What it presents first is its credential from then on.');
	return text.format(server, answer.port || '–');
}

return baseclass.extend({
	/* `answer` is that of `pair`; `again` opens another window. `seen(device, events)` has to be called
	 * with what is new of the device. */
	show(answer, again) {
		const name = answer.name || answer.mac;
		const end = performance.now() + answer.for_s * 1000;
		const left = () => Math.max(0, Math.ceil((end - performance.now()) / 1000));
		const timer = E('p', { 'class': 'mqttguard-countdown', 'role': 'timer', 'aria-live': 'off' }, [ clock(left()) ]);
		const told = E('p', { 'role': 'status' }), place = E('div');
		let ticking = null, over = false;
		const finish = (text, retry) => {
			over = true;
			clearInterval(ticking);
			timer.remove();
			told.textContent = text;
			dom.content(place, retry ? [ E('p', {}, [ parts.button(_('Try again'), again, { style: 'action' }) ]) ] : null);
		};
		const cancel = parts.button(_('Cancel'), () => api.cancelPairing(answer.mac).then(
			() => finish(_('The window is closed. Nothing was changed.'), true),
			(error) => over || (told.textContent = error.message)), { style: 'negative' });
		dom.content(place, [ E('p', {}, [ cancel ]) ]);
		ticking = setInterval(() => {
			const seconds = left();
			timer.textContent = clock(seconds);
			if (TOLD.includes(seconds))
				told.textContent = _('%s left').format(words.span(seconds));
			if (seconds == 0)
				clearInterval(ticking);
		}, 1000);
		return {
			node: E('section', { 'class': 'cbi-section' }, [
				E('h3', { 'tabindex': -1 }, [ _('Pairing %s').format(name) ]),
				E('p', {}, [ instruction(answer) ]),
				answer.shared_by ? E('p', { 'class': 'alert-message warning' }, [
					_('Several addresses (%s) share its MAC address: it is most likely a repeater, and whatever is behind it could answer in its place.')
						.format(answer.shared_by.join(', ')) ]) : '',
				timer, told, place
			]),
			seen(device, events) {
				const happened = (kind) => !over && events.find((event) => event.event == kind);
				const paired = happened('paired');
				if (paired)
					finish(_('Paired: the user name of %s is %s.').format(name, paired.username) +
						(paired.weak ? ' ' + _('Its password is weak. Give it a better one when you can.') : ''), false);
				else if (happened('pairing-expired'))
					finish(_('The time is over, and nothing was presented.'), true);
				else if (happened('pairing-cancelled'))
					finish(_('The window is closed. Nothing was changed.'), true);
			},
			stop() {
				clearInterval(ticking);
			}
		};
	}
});
