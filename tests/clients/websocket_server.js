// A web server that takes every WebSocket and tells what comes in: see
// tests/tests/kernel_websocket.rs. Messages are echoed.

'use strict'

const http = require('node:http')
const { WebSocketServer } = require('ws')

const [address, port] = process.argv.slice(2)
const server = http.createServer((request, response) => {
  console.log(`request ${request.url}`)
  response.end('hello')
})
const sockets = new WebSocketServer({ server })
sockets.on('connection', (socket) => {
  console.log(`websocket ${socket.protocol || '-'}`)
  socket.on('message', (data) => {
    console.log(`message ${Buffer.from(data).toString('hex')}`)
    socket.send(data)
  })
  socket.on('error', () => {})
})
server.listen(Number(port), address, () => console.log('listening'))
