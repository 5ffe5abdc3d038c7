'use strict';
'require baseclass';

/* The panes of a form, one of which is seen: also after it was made anew. */

const seen = {};

return baseclass.extend({
	group(group) {
		const panes = [ ...group.children ].filter((pane) => pane.hasAttribute('data-tab'));
		const place = (group.closest('[data-section-id]') || document.body).getAttribute('data-section-id') || '';
		const show = (wanted) => panes.forEach((pane, at) => {
			seen[place] = wanted.getAttribute('data-tab');
			pane.setAttribute('data-tab-active', pane === wanted);
			menu.children[at].className = pane === wanted ? 'cbi-tab' : 'cbi-tab-disabled';
		});
		const menu = E('ul', { 'class': 'cbi-tabmenu' }, panes.map((pane) =>
			E('li', { 'data-tab': pane.getAttribute('data-tab') }, [
				E('a', { 'href': '#', 'click': (event) => {
					event.preventDefault();
					show(pane);
				} }, pane.getAttribute('data-tab-title'))
			])));
		group.parentNode.insertBefore(menu, group);
		show(panes.find((pane) => pane.getAttribute('data-tab') === seen[place]) || panes[0]);
	}
});
