'use strict';
'require view';
'require rpc';

/* LuCI's status page, as far as its parts see it. */

const list = rpc.declare({ object: 'file', method: 'list', params: [ 'path' ] });

return view.extend({
	load: () => list('/www' + L.resource('view/status/include')).then(({ entries }) =>
		Promise.all(entries.map(({ name }) =>
			L.require('view.status.include.' + name.replace(/\.js$/, '')).then((part) =>
				part.load().then((data) => [ part, data ]))))),

	render: (parts) => E('div', {}, parts.map(([ part, data ]) =>
		E('div', { 'class': 'cbi-section' }, [ E('h3', {}, [ part.title ]), part.render(data) ])))
});
