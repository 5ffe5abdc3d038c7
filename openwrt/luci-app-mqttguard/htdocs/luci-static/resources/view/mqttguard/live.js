'use strict';
'require view';
'require mqttguard.api as api';
'require mqttguard.parts as parts';
'require mqttguard.topics as topics';
'require mqttguard.words as words';

/* What is published in the house, as it comes. The daemon keeps it only while somebody looks. */

/* Topics asked for at most. */
const MOST = 1000;
/* Seconds from look to look. */
const EACH = 3;
/* How long nothing must have been typed before the daemon is asked anew, in milliseconds. */
const REST = 300;

/* Whether the owner means a topic filter of MQTT, with its wildcards in their places. */
function isFilter(text) {
	return /[+#]/.test(text) && text.split('/').every((level, at, all) =>
		level == '+' || (level == '#' && at == all.length - 1) || !/[+#]/.test(level));
}

/* Whether a topic has the text anywhere. */
function has(topic, text) {
	return [ topic.topic, topic.value, topic.name, topic.mac ]
		.some((one) => typeof(one) == 'string' && one.toLowerCase().includes(text));
}

return view.extend({
	load() {
		return parts.may() ? this.ask('') : null;
	},

	/* One look; what goes wrong is an answer too. */
	ask(typed) {
		/* Topics of the broker itself are given only to who names them. */
		const filter = isFilter(typed) || typed.startsWith('$') ? typed : undefined;
		return api.live(filter, undefined, MOST).catch((error) => ({ error: error }));
	},

	render(answer) {
		const heading = E('h2', { 'name': 'content', 'tabindex': -1 }, [ _('Live') ]);
		if (!parts.may())
			return parts.page([ heading, E('p', { 'class': 'mqttguard-note' },
				[ _('What devices say is private: it is shown only to those who may change things here.') ]) ]);
		this.typed = '';
		this.paused = false;
		this.tree = new topics.Tree(_('Topics of the house'));
		this.said = E('p', { 'role': 'status' });
		this.trouble = E('div');
		const filter = E('input', {
			'type': 'search', 'id': 'mqttguard-filter', 'class': 'cbi-input-text', 'autocomplete': 'off',
			'spellcheck': 'false', 'aria-describedby': 'mqttguard-filter-help', 'input': () => this.type(filter.value)
		});
		const pause = parts.button(_('Pause'), () => this.pause(pause), { style: 'action', key: 'pause' });
		this.show(answer);
		parts.follow(() => this.paused ? Promise.resolve() : this.look(), EACH);
		return parts.page([
			heading,
			E('p', {}, [ _('The topics that devices publish to, with their last values. Nothing is recorded: mqttguard keeps a value only while this page looks.') ]),
			E('div', { 'class': 'mqttguard-filter' }, [
				E('label', { 'for': 'mqttguard-filter' }, [ _('Filter'), filter ]),
				E('span', { 'class': 'mqttguard-buttons' }, [
					pause,
					parts.button(_('Open all'), () => this.tree.openAll(true)),
					parts.button(_('Close all'), () => this.tree.openAll(false))
				]),
				this.said
			]),
			E('p', { 'id': 'mqttguard-filter-help', 'class': 'mqttguard-says' },
				[ _('Any part of a topic, a value or a name; or a filter of MQTT, such as kitchen/+/state or kitchen/#.') ]),
			this.trouble, this.tree.node
		]);
	},

	/* Asks and shows, unless the owner has gone on since; what the owner has just asked for, when paused
	 * too. */
	look(isWanted = !this.paused) {
		const { typed } = this;
		return this.ask(typed).then((answer) => {
			if (typed === this.typed && (isWanted || !this.paused))
				this.show(answer);
		});
	},

	type(text) {
		const before = this.typed;
		this.typed = text.trim();
		clearTimeout(this.timer);
		if (isFilter(this.typed) || isFilter(before) || /^[$]/.test(this.typed + before))
			this.timer = setTimeout(() => this.look(true), REST);
		else
			this.show(this.answer);
	},

	pause(button) {
		this.paused = !this.paused;
		button.textContent = this.paused ? _('Go on') : _('Pause');
		if (this.paused)
			this.tell();
		else
			this.look();
	},

	show(answer) {
		const { error } = this.answer = answer;
		parts.renew(this.trouble, error ? error.message : null, () => error ? [ parts.failure(error) ] : []);
		this.tree.node.hidden = !!error;
		if (error)
			return this.say('');
		const text = this.typed.toLowerCase(), all = answer.topics || [];
		const isText = text && !isFilter(this.typed);
		this.found = isText ? all.filter((topic) => has(topic, text)) : all;
		this.tree.show(this.found, answer.until_ms);
		this.tell();
	},

	tell() {
		const { answer, found } = this, all = (answer.topics || []).length;
		if (answer.error)
			return;
		const count = found.length == all ? N_(all, '%d topic.', '%d topics.').format(all)
			: _('%d of %d topics.').format(found.length, all);
		const more = answer.more
			? ' ' + _('There are more: narrow it by a filter, such as %s.').format('kitchen/#') : '';
		const none = all ? '' : ' ' + _('It fills as devices publish.');
		this.say(count + more + none + (this.paused ? ' ' + _('Paused.') : ''));
	},

	say(text) {
		if (this.said.textContent != text)
			this.said.textContent = text;
	},

	handleSaveApply: null,
	handleSave: null,
	handleReset: null
});
