'use strict';
'require baseclass';
'require dom';
'require ui';
'require uci';
'require rpc';
'require form.values as values';
'require form.tabs as tabs';

/* As LuCI does it with titles: tags are taken out, and what was an entity is what it stands for. */
function stripped(title) {
	return new DOMParser().parseFromString(title, 'text/html').body.textContent.trim();
}

/* Forms over a configuration, with LuCI's traps: titles and descriptions are HTML, an option that its
 * `depends` hide is removed when the form is saved, and so is one that is left empty. */

const mayWrite = rpc.declare({
	object: 'session', method: 'access', params: [ 'scope', 'object', 'function' ], expect: { access: true }
});

class Element {
	constructor(title, description) {
		this.title = title;
		this.description = description;
		this.children = [];
	}

	/* A class of this kind with other methods; `super(name, arguments)` is the one that they replace. */
	static extend(properties) {
		const Extended = class extends this {};
		Object.entries(properties).forEach(([ name, value ]) => {
			Extended.prototype[name] = value;
		});
		return Extended;
	}

	super(name, args) {
		let prototype = Object.getPrototypeOf(this);
		while (!Object.hasOwn(prototype, name))
			prototype = Object.getPrototypeOf(prototype);
		return Object.getPrototypeOf(prototype)[name].apply(this, args);
	}
}

class Map extends Element {
	constructor(config, title, description) {
		super(title, description);
		this.config = config;
		this.data = uci;
	}

	section(type, ...args) {
		const section = new type(this, ...args);
		this.children.push(section);
		return section;
	}

	async load() {
		if (this.readonly == null && !await mayWrite('uci', this.config, 'write'))
			this.readonly = true;
		await uci.load(this.config);
		await Promise.all(this.children.map((section) => section.load()));
	}

	async render() {
		await this.load();
		return this.renderContents();
	}

	async renderContents() {
		this.root = this.root || E('div', { 'id': 'cbi-' + this.config, 'class': 'cbi-map' });
		this.root.formInstance = this;
		const nodes = await Promise.all(this.children.map((section) => section.render()));
		dom.content(this.root, null);
		if (this.title)
			this.root.appendChild(E('h2', { 'name': 'content' }, this.title));
		if (this.description)
			this.root.appendChild(E('div', { 'class': 'cbi-map-descr' }, this.description));
		const group = this.tabbed ? E('div', { 'class': 'cbi-map-tabbed' }) : this.root;
		nodes.forEach((node) => group.appendChild(node));
		if (this.tabbed)
			this.root.appendChild(group);
		this.checkDepends();
		this.root.querySelectorAll('.cbi-map-tabbed, .cbi-section-node-tabbed').forEach(tabs.group);
		return this.root;
	}

	reset() {
		return this.renderContents();
	}

	async parse() {
		await Promise.all(this.children.map((section) => section.parse()));
	}

	async save(callback, silent) {
		this.checkDepends();
		try {
			await this.parse();
			if (callback)
				await callback();
			await uci.save();
			await this.load();
		}
		catch (error) {
			if (!silent)
				ui.showModal(_('Save error'), [
					E('p', {}, [ error.message ]),
					E('button', { 'class': 'btn', 'click': ui.hideModal }, [ _('Dismiss') ])
				]);
			throw error;
		}
		return this.renderContents();
	}

	findElement(attribute, value) {
		return this.root && this.root.querySelector(`[${attribute}="${CSS.escape(value)}"]`);
	}

	/* Shows the options whose conditions hold, and hides the others. */
	checkDepends() {
		for (let changed = true, rounds = 0; changed && rounds < 10; ++rounds)
			changed = this.children.map((section) => section.checkDepends()).includes(true);
	}
}

class Section extends Element {
	constructor(map, type, title, description) {
		super(title, description);
		this.map = map;
		this.config = map.config;
		this.sectiontype = type;
		this.addremove = false;
	}

	tab(name, title, description) {
		this.tabs = this.tabs || [];
		this.tabs.push({ name: name, title: title, description: description });
	}

	option(type, ...args) {
		const option = new type(this.map, this, ...args);
		this.children.push(option);
		return option;
	}

	taboption(tab, ...args) {
		const option = this.option(...args);
		option.tab = tab;
		return option;
	}

	async load() {
		for (const id of this.cfgsections())
			for (const option of this.children)
				option.cfgvalue(id, await option.load(id));
	}

	parse() {
		return Promise.all(this.cfgsections().flatMap((id) => this.children.map((option) => option.parse(id))));
	}

	checkDepends() {
		return this.cfgsections().flatMap((id) => this.children.map((option) => option.update(id))).includes(true);
	}

	/* The options of a section, in its tabs if it has any. */
	async fields(id) {
		const nodes = await Promise.all(this.children.map((option) => option.render(id)));
		if (!this.tabs)
			return nodes;
		return this.tabs.map((tab) => E('div', { 'data-tab': tab.name, 'data-tab-title': tab.title }, [
			tab.description ? E('div', { 'class': 'cbi-tab-descr' }, tab.description) : ''
		].concat(nodes.filter((node, at) => this.children[at].tab == tab.name))));
	}

	node(id, children) {
		return E('div', {
			'id': `cbi-${this.config}-${id}`, 'data-section-id': id,
			'class': this.tabs ? 'cbi-section-node cbi-section-node-tabbed' : 'cbi-section-node'
		}, children);
	}

	frame(children) {
		return E('div', {
			'id': this.section ? null : `cbi-${this.config}-${this.sectiontype}`, 'class': 'cbi-section',
			'data-tab': this.map.tabbed ? this.sectiontype : null,
			'data-tab-title': this.map.tabbed ? this.title || this.sectiontype : null
		}, [
			this.title ? E('h3', {}, this.title) : '',
			this.description ? E('div', { 'class': 'cbi-section-descr' }, this.description) : ''
		].concat(children));
	}

	button(label, kind, handler) {
		return E('button', {
			'class': 'cbi-button cbi-button-' + kind, 'disabled': this.map.readonly ? '' : null, 'click': handler
		}, [ label ]);
	}
}

class NamedSection extends Section {
	constructor(map, id, type, title, description) {
		super(map, type, title, description);
		this.section = id;
	}

	cfgsections() {
		return [ this.section ];
	}

	async render() {
		if (!uci.get(this.config, this.section))
			return this.frame(this.addremove ? [ this.button(_('Add'), 'add', () => {
				uci.add(this.config, this.sectiontype, this.section);
				return this.map.save(null, true);
			}) ] : []);
		const node = this.node(this.section, await this.fields(this.section));
		return this.frame([ this.addremove ? E('div', { 'class': 'right' }, [
			this.button(_('Delete'), 'remove', () => {
				uci.remove(this.config, this.section);
				return this.map.save(null, true);
			})
		]) : '', node ]);
	}
}

/* A table with a row a section, which is changed in a dialog. */
class GridSection extends Section {
	cfgsections() {
		return uci.sections(this.config, this.sectiontype).map((section) => section['.name']);
	}

	/* The options in a table are text: there is nothing to take over from them. */
	parse() {
		return Promise.resolve();
	}

	checkDepends() {
		return false;
	}

	render() {
		const columns = this.children.filter((option) => !option.modalonly);
		const heading = !this.anonymous || this.sectiontitle;
		const name = (id) => this.sectiontitle ? stripped(this.sectiontitle(id)) || id : id;
		const rows = this.cfgsections().map((id) => E('tr', {
			'class': 'tr cbi-section-table-row', 'data-section-id': id, 'data-title': heading ? name(id) : null
		}, columns.map((option) => {
			const value = option.textvalue(id);
			return E('td', { 'class': 'td', 'data-title': option.title },
				value == null ? E('em', {}, [ _('none') ]) : value);
		}).concat([ E('td', { 'class': 'td' }, [
			E('button', { 'class': 'cbi-button cbi-button-edit', 'click': () => this.edit(id) }, [ _('Edit') ]),
			this.addremove ? this.button(_('Delete'), 'remove', () => {
				uci.remove(this.config, id);
				return this.map.save(null, true);
			}) : ''
		]) ])));
		return this.frame([
			E('table', { 'class': 'table cbi-section-table' }, [
				E('tr', { 'class': 'tr cbi-section-table-titles', 'data-title': heading ? _('Name') : null },
					columns.map((option) => E('th', { 'class': 'th' }, option.title)).concat([ E('th', { 'class': 'th' }) ]))
			].concat(rows.length ? rows : [
				E('tr', { 'class': 'tr placeholder' }, [ E('td', { 'class': 'td' }, [
					E('em', {}, [ _('This section contains no values yet') ])
				]) ])
			])),
			this.addremove ? this.create() : ''
		]);
	}

	create() {
		const name = E('input', { 'type': 'text', 'class': 'cbi-section-create-name' });
		const add = this.button(this.addbtntitle || _('Add'), 'add', () => this.add(this.anonymous ? null : name.value));
		if (!this.anonymous) {
			add.disabled = true;
			name.disabled = !!this.map.readonly;
			name.addEventListener('keyup', () => {
				add.disabled = !/^\w+$/.test(name.value);
			});
		}
		return E('div', { 'class': 'cbi-section-create' }, this.anonymous ? [ add ] : [ name, add ]);
	}

	add(name) {
		const id = uci.add(this.config, this.sectiontype, name);
		return this.edit(id, () => uci.remove(this.config, id));
	}

	async edit(id, cancel) {
		const map = new Map(this.config), section = map.section(NamedSection, id, this.sectiontype);
		map.readonly = this.map.readonly;
		section.tabs = this.tabs;
		this.children.filter((option) => option.modalonly !== false).forEach((option) => {
			const { map: theirs, section: its, ...own } = option;
			Object.assign(section.option(option.constructor, option.option, option.title, option.description), own);
		});
		const leave = () => {
			ui.hideModal();
			return this.map.load().then(() => this.map.reset());
		};
		const node = await map.render(), title = this.modaltitle ? stripped(this.modaltitle(id)) : id;
		ui.showModal(title, [ node, E('div', { 'class': 'right' }, [
			E('button', { 'class': 'cbi-button', 'click': () => {
				if (cancel)
					cancel();
				return leave();
			} }, [ _('Dismiss') ]), ' ',
			E('button', {
				'class': 'cbi-button cbi-button-positive', 'disabled': map.readonly ? '' : null,
				'click': () => map.save(null, true).then(leave, () => {})
			}, [ _('Save') ])
		]) ], 'cbi-modal');
	}
}

return baseclass.extend({
	Map: Map, NamedSection: NamedSection, GridSection: GridSection,
	Value: values.Value, ListValue: values.ListValue, Flag: values.Flag, DynamicList: values.DynamicList
});
