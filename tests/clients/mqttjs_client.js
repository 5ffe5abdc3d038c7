// mqtt.js put through what every client is put through: see tests/tests/clients.

'use strict'

const fs = require('node:fs')
const assert = require('node:assert')
const mqtt = require('mqtt')

const [port, ca, wrongCa, version] = process.argv.slice(2)
const v5 = version === '5'
const base = `mqttjs-${version}`
const PATIENCE = 10_000

class Client {
  static async connect(name, { lasting = false, will, caFile = ca } = {}) {
    const self = new Client()
    self.messages = []
    self.waiting = []
    const options = {
      clientId: `${base}-${name}`,
      protocolVersion: v5 ? 5 : 4,
      clean: !lasting,
      reconnectPeriod: 0,
      connectTimeout: PATIENCE,
      ca: fs.readFileSync(caFile),
      rejectUnauthorized: true,
    }
    if (will) options.will = { topic: will, payload: 'gone', qos: 1, retain: false }
    if (v5) options.properties = { sessionExpiryInterval: lasting ? 60 : 0 }
    self.client = mqtt.connect(`mqtts://localhost:${port}`, options)
    self.client.on('message', (_topic, payload, packet) => {
      const message = [payload.toString(), packet.qos, packet.retain]
      const waiting = self.waiting.shift()
      if (waiting) waiting(message)
      else self.messages.push(message)
    })
    self.present = await new Promise((resolve, reject) => {
      self.client.once('connect', (connack) => resolve(connack.sessionPresent))
      self.client.once('error', reject)
    })
    self.client.on('error', () => {})
    return self
  }

  async subscribe(topic, qos) {
    const granted = await this.client.subscribeAsync(topic, { qos })
    assert.equal(granted[0].qos, qos)
  }

  publish(topic, payload, qos, retain = false) {
    return this.client.publishAsync(topic, payload, { qos, retain })
  }

  async expect(payload, qos, retain = false) {
    const found = this.messages.shift() ?? (await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no ${payload}`)), PATIENCE)
      this.waiting.push((message) => {
        clearTimeout(timer)
        resolve(message)
      })
    }))
    assert.deepEqual(found, [payload, qos, retain])
  }

  leave() {
    return this.client.endAsync()
  }

  lose() {
    this.client.stream.destroy()
  }
}

async function main() {
  await assert.rejects(Client.connect('stranger', { caFile: wrongCa }), /certificate|issuer/)
  console.log('ok another CA')

  const one = await Client.connect('one')
  const two = await Client.connect('two')
  for (const qos of [0, 1, 2]) {
    const topic = `${base}/qos${qos}`
    await two.subscribe(topic, qos)
    await one.publish(topic, `hello ${qos}`, qos)
    await two.expect(`hello ${qos}`, qos)
    console.log(`ok qos ${qos}`)
  }

  await one.publish(`${base}/kept`, 'kept', 1, true)
  await two.subscribe(`${base}/kept`, 1)
  await two.expect('kept', 1, true)
  console.log('ok retained')

  await two.subscribe(`${base}/will`, 1)
  const mortal = await Client.connect('mortal', { will: `${base}/will` })
  mortal.lose()
  await two.expect('gone', 1)
  console.log('ok will')

  await (await Client.connect('lasting')).leave()
  let lasting = await Client.connect('lasting', { lasting: true })
  assert.equal(lasting.present, false)
  await lasting.subscribe(`${base}/away`, 2)
  lasting.lose()
  for (const qos of [1, 2]) await one.publish(`${base}/away`, `missed ${qos}`, qos)
  lasting = await Client.connect('lasting', { lasting: true })
  assert.equal(lasting.present, true)
  for (const qos of [1, 2]) await lasting.expect(`missed ${qos}`, qos)
  console.log('ok session')
  for (const client of [one, two, lasting]) await client.leave()
}

main().then(() => process.exit(0), (error) => {
  console.error(error)
  process.exit(1)
})
