'use strict';
'require baseclass';

/* The panes of a form, one of which is seen. */

return baseclass.extend({
	group(group) {
		const panes = [ ...group.children ].filter((pane) => pane.hasAttribute('data-tab'));
		const show = (wanted) => panes.forEach((pane, at) => {
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
		show(panes[0]);
	}
});
