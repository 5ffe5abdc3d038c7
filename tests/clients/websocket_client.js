// A WebSocket that says one thing and waits for its echo: see tests/tests/kernel_websocket.rs.

'use strict'

const { WebSocket } = require('ws')

const [url, protocol, hex] = process.argv.slice(2)
const said = Buffer.from(hex, 'hex')
const socket = new WebSocket(url, protocol === '-' ? [] : [protocol], {
  headers: { Cookie: 'broker=mqtt; theme=dark', Origin: 'http://mqtt.example' },
})
const timer = setTimeout(() => process.exit(1), 4_000)
socket.on('open', () => socket.send(said))
socket.on('message', (data) => {
  clearTimeout(timer)
  process.exit(said.equals(Buffer.from(data)) ? 0 : 1)
})
socket.on('error', () => process.exit(1))
