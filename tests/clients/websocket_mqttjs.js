// mqtt.js over a WebSocket in the clear: see tests/tests/kernel_websocket.rs.

'use strict'

const mqtt = require('mqtt')

const [url] = process.argv.slice(2)
mqtt.connect(url, { reconnectPeriod: 0, connectTimeout: 3_000 }).on('error', () => {})
setTimeout(() => process.exit(0), 3_000)
