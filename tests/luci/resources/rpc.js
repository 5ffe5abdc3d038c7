'use strict';
'require baseclass';

/* Calls over ubus, as uhttpd carries them. */

let id = 0;

function raise(text) {
	const error = new Error(text);
	error.name = 'RPCError';
	throw error;
}

async function call(object, method, params) {
	const response = await fetch(L.env.ubuspath, {
		method: 'POST',
		headers: { 'Content-Type': 'application/json' },
		body: JSON.stringify({
			jsonrpc: '2.0', id: ++id, method: 'call', params: [ L.env.sessionid, object, method, params ]
		})
	});
	if (!response.ok)
		raise(`RPC call to ${object}/${method} failed with HTTP error ${response.status}`);
	const { result, error } = await response.json();
	if (error)
		raise(`RPC call to ${object}/${method} failed with error ${error.code}: ${error.message}`);
	return result.length > 1 ? result[1] : result[0];
}

return baseclass.extend({
	declare({ object, method, params }) {
		return (...args) => call(object, method,
			Object.fromEntries((params || []).map((name, at) => [ name, args[at] ])));
	}
});
