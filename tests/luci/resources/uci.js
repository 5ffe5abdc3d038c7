'use strict';
'require baseclass';
'require rpc';

/* The configuration as the page sees it: what was loaded, with what the page has changed since. It
 * goes to the router by `save()`, and takes force by `apply()`, or by the buttons below a form. */

const declare = (method, params, expect) =>
	rpc.declare({ object: 'uci', method: method, params: params, expect: expect, reject: true });

const calls = {
	get: declare('get', [ 'config' ], { values: {} }),
	add: declare('add', [ 'config', 'type', 'name', 'values' ], { section: '' }),
	set: declare('set', [ 'config', 'section', 'values' ]),
	delete: declare('delete', [ 'config', 'section', 'options' ])
};

/* By package: sections by name as they were loaded, and as they are now. A section that is new has
 * `.create`; its name is one that this page made up, until it is saved, if it has none. */
const loaded = {}, now = {};
let fresh = 0;

function options(section) {
	return Object.fromEntries(Object.entries(section).filter(([ name ]) => !name.startsWith('.')));
}

function copy(value) {
	return JSON.parse(JSON.stringify(value));
}

async function load(name) {
	loaded[name] = await calls.get(name);
	now[name] = copy(loaded[name]);
}

async function save(name) {
	const before = loaded[name], after = now[name];
	for (const section of Object.keys(before).filter((section) => !after[section]))
		await calls.delete(name, section, null);
	for (const [ section, values ] of Object.entries(after)) {
		if (values['.create']) {
			await calls.add(name, values['.type'], values['.anonymous'] ? undefined : section, options(values));
			continue;
		}
		const old = options(before[section]), changed = options(values);
		const gone = Object.keys(old).filter((option) => !(option in changed));
		if (gone.length)
			await calls.delete(name, section, gone);
		const set = Object.fromEntries(Object.entries(changed).filter(([ option, value ]) =>
			JSON.stringify(old[option]) !== JSON.stringify(value)));
		if (Object.keys(set).length)
			await calls.set(name, section, set);
	}
	await load(name);
}

return baseclass.extend({
	/* Loads what is not loaded yet, and gives the names of what it loaded. */
	async load(packages) {
		const names = [].concat(packages).filter((name) => !now[name]);
		await Promise.all(names.map(load));
		return names;
	},

	unload(packages) {
		[].concat(packages).forEach((name) => {
			delete loaded[name];
			delete now[name];
		});
	},

	/* All sections, or those of a type, in the order of the file. */
	sections(name, type, callback) {
		const sections = Object.values(now[name] || {})
			.filter((section) => !type || section['.type'] == type)
			.sort((a, b) => a['.index'] - b['.index'])
			.map((section) => Object.assign({}, section));
		if (callback)
			sections.forEach((section) => callback(section, section['.name']));
		return sections;
	},

	/* A section, or the value of an option: text, a list of texts, or nothing. */
	get(name, section, option) {
		const found = now[name] && now[name][section];
		return !found ? null : option == null ? found : found[option];
	},

	/* An empty text is no value: it removes the option. */
	set(name, section, option, value) {
		const found = now[name] && now[name][section];
		if (!found || option.startsWith('.'))
			return;
		if (value == null || value === '')
			delete found[option];
		else
			found[option] = value;
	},

	unset(name, section, option) {
		return this.set(name, section, option, null);
	},

	/* Gives the new section's name, which changes when it is saved, if `section` is left out. */
	add(name, type, section) {
		const id = section || 'new' + (++fresh).toString(16).padStart(6, '0');
		now[name][id] = {
			'.type': type, '.name': id, '.create': true, '.anonymous': !section, '.index': 1000 + fresh
		};
		return id;
	},

	remove(name, section) {
		delete now[name][section];
	},

	/* Hands all that was changed to the router, where it is staged. */
	async save() {
		for (const name of Object.keys(now))
			if (JSON.stringify(now[name]) !== JSON.stringify(loaded[name]))
				await save(name);
	},

	/* What is staged, by package. */
	changes: rpc.declare({ object: 'uci', method: 'changes', expect: { changes: {} } })
});
