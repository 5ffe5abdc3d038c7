'use strict';
'require baseclass';
'require mqttguard.parts as parts';
'require mqttguard.words as words';

/* Topics as a tree with their last values. The rows in sight are siblings, each with its level: that
 * is how a tree of thousands stays quick. The keyboard goes about in it as WAI-ARIA says of trees. */

/* A tree of at most so many topics is opened whole, when it is first shown. */
const OPENED = 60;
/* For how long a value that has come is marked, in milliseconds. */
const FRESH = 3000;
/* For how long the daemon keeps values after it was asked, in milliseconds. */
const WATCHED = 60000;
/* How deep rows are indented at most, in levels. */
const DEEPEST = 10;

/* A level of a topic name, as it is shown: one may be empty. */
function level(name) {
	return name === '' ? _('(empty)') : name;
}

function branch(name, path) {
	return { name: name, path: path, below: new Map(), topic: null, topics: 0 };
}

/* Topics, by their names, as branches of a root. */
function grow(topics) {
	const root = branch('', null);
	topics.forEach((topic) => {
		let at = root;
		at.topics += 1;
		topic.topic.split('/').forEach((name) => {
			if (!at.below.has(name))
				at.below.set(name, branch(name, at === root ? name : at.path + '/' + name));
			at = at.below.get(name);
			at.topics += 1;
		});
		at.topic = topic;
	});
	return root;
}

/* A value, or what there is to say in place of it. */
function value(topic) {
	if (topic.value == null)
		return E('em', {}, [ N_(topic.bytes, '%d byte, not text', '%d bytes, not text').format(topic.bytes) ]);
	if (topic.value === '')
		return E('em', {}, [ _('empty') ]);
	const whole = new TextEncoder().encode(topic.value).length >= topic.bytes;
	return E('span', {}, [ topic.value, whole ? '' : '… ' + _('(%d bytes in all)').format(topic.bytes) ]);
}

/* Who published it, as far as that is known. */
function publisher(topic) {
	const who = topic.name || topic.publisher || topic.mac;
	return who ? E('span', {}, [ _('from %s').format(who) ]) : '';
}

const Tree = baseclass.extend({
	__init__(label) {
		this.opened = new Map();
		this.seen = new Map();
		this.shown = [];
		this.at = null;
		this.root = branch('', null);
		this.ages = new Map();
		this.list = E('div', {
			'class': 'mqttguard-tree', 'role': 'tree', 'aria-label': label,
			'keydown': (event) => this.key(event),
			'click': (event) => this.click(event)
		});
		this.none = E('p', {}, [ E('em', {}, [ _('There is nothing to show.') ]) ]);
		this.node = E('div', {}, [ this.none, this.list ]);
	},

	/* Shows topics; the daemon keeps them until `until`, by the router's clock in milliseconds. */
	show(topics, until) {
		this.root = grow(topics);
		this.now = until - WATCHED;
		if (this.all == null && topics.length)
			this.all = topics.length <= OPENED;
		topics.forEach((topic) => {
			const seen = this.seen.get(topic.topic);
			if (!seen || seen.time !== topic.time_ms || seen.count !== topic.count)
				this.seen.set(topic.topic, { time: topic.time_ms, count: topic.count, at: seen ? Date.now() : 0 });
		});
		if (this.seen.size > 2 * topics.length + 1000)
			this.seen = new Map(topics.map((one) => [ one.topic, this.seen.get(one.topic) ]));
		this.draw();
	},

	isOpen(one) {
		return this.opened.has(one.path) ? this.opened.get(one.path) : !!this.all;
	},

	open(one, whether) {
		this.opened.set(one.path, whether);
		this.draw();
	},

	/* Opens or closes every branch. */
	openAll(whether) {
		this.opened.clear();
		this.all = whether;
		this.draw();
	},

	/* The branches in sight, in their order; each with its place among its own. A branch that only
	 * leads to one other is shown with it, in one row. */
	sight() {
		const rows = [];
		const visit = (parent, depth) => {
			let place = 0;
			parent.below.forEach((child) => {
				let one = child, name = level(child.name);
				while (!one.topic && one.below.size == 1) {
					[ one ] = one.below.values();
					name += '/' + level(one.name);
				}
				rows.push({ one: one, name: name, parent: parent, depth: depth, place: ++place, of: parent.below.size });
				if (one.below.size && this.isOpen(one))
					visit(one, depth + 1);
			});
		};
		visit(this.root, 1);
		return rows;
	},

	draw() {
		this.shown = this.sight();
		if (!this.shown.some(({ one }) => one.path === this.at))
			this.at = this.shown.length ? this.shown[0].one.path : null;
		this.none.hidden = this.shown.length > 0;
		this.list.hidden = !this.shown.length;
		parts.keep(this.list, this.shown.map((row) => [ row.one.path, this.looks(row), () => this.row(row) ]));
		/* Ages change all the time: for that alone no row is made anew. */
		this.ages = new Map(this.shown.filter(({ one }) => one.topic).map(({ one }) => {
			const node = this.ages.get(one.path), text = this.age(one.topic);
			if (node.textContent != text)
				node.textContent = text;
			return [ one.path, node ];
		}));
	},

	age(topic) {
		if (!topic.time_ms)
			return _('from before');
		const seconds = (this.now - topic.time_ms) / 1000;
		return seconds < 2 ? _('just now') : _('%s ago').format(words.span(seconds));
	},

	isFresh({ topic }) {
		const seen = topic && this.seen.get(topic.topic);
		return !!seen && seen.at > Date.now() - FRESH;
	},

	/* All that a row shows, but for its age. */
	looks({ one, name, depth, place, of }) {
		const open = one.below.size ? this.isOpen(one) : null;
		return [ name, depth, place, of, open, open === false ? one.topics : 0, one.path === this.at,
			Object.assign({}, one.topic, { time_ms: null }), this.isFresh(one) ];
	},

	row({ one, name, depth, place, of }) {
		const { topic } = one, open = one.below.size ? this.isOpen(one) : null;
		const age = E('span');
		this.ages.set(one.path, age);
		const about = topic ? [
			topic.retained ? E('span', { 'class': 'mqttguard-mark' }, [ _('retained') ]) : '',
			age,
			publisher(topic),
			E('span', {}, [ _('QoS %d').format(topic.qos || 0) ]),
			topic.count > 1 ? E('span', {}, [ N_(topic.count, '%d time', '%d times').format(topic.count) ]) : ''
		] : [];
		return E('div', {
			'class': 'mqttguard-topic' + (this.isFresh(one) ? ' fresh' : ''), 'role': 'treeitem',
			'data-key': 'topic ' + one.path, 'title': one.path,
			'tabindex': one.path === this.at ? 0 : -1, 'style': `--level: ${Math.min(depth, DEEPEST)}`,
			'aria-level': depth, 'aria-posinset': place, 'aria-setsize': of,
			'aria-expanded': open == null ? null : String(open), 'aria-selected': String(one.path === this.at)
		}, [
			E('span', { 'class': 'name' }, [ name, open === false
				? E('span', { 'class': 'count' }, [ ' ', N_(one.topics, '(%d topic)', '(%d topics)').format(one.topics) ]) : '' ]),
			topic ? E('span', { 'class': 'value' }, [ value(topic) ]) : '',
			topic ? E('span', { 'class': 'about' }, about) : ''
		]);
	},

	/* Puts the focus on a branch in sight. */
	go(path) {
		this.at = path;
		this.draw();
		parts.focus(this.list, 'topic ' + path);
	},

	click(event) {
		const row = event.target.closest('.mqttguard-topic');
		const found = row && this.shown.find(({ one }) => 'topic ' + one.path === row.getAttribute('data-key'));
		/* Who marks a value with the pointer, to copy it, does not mean to open or close. */
		if (!found || String(getSelection()))
			return;
		if (found.one.below.size)
			this.opened.set(found.one.path, !this.isOpen(found.one));
		this.go(found.one.path);
	},

	key(event) {
		const index = this.shown.findIndex(({ one }) => one.path === this.at);
		if (index < 0 || event.ctrlKey || event.altKey || event.metaKey)
			return;
		const { one, parent } = this.shown[index], open = one.below.size > 0 && this.isOpen(one);
		const step = (to) => this.shown[to] && this.go(this.shown[to].one.path);
		const keys = {
			'ArrowDown': () => step(index + 1),
			'ArrowUp': () => step(index - 1),
			'Home': () => step(0),
			'End': () => step(this.shown.length - 1),
			'ArrowRight': () => !one.below.size ? null : open ? step(index + 1) : this.open(one, true),
			'ArrowLeft': () => open ? this.open(one, false) : parent !== this.root ? this.go(parent.path) : null,
			'Enter': () => one.below.size && this.open(one, !open),
			' ': () => one.below.size && this.open(one, !open)
		};
		if (Object.hasOwn(keys, event.key)) {
			event.preventDefault();
			keys[event.key]();
		}
	}
});

return baseclass.extend({ Tree: Tree });
