// Every event of a hub, a line each, read as any consumer reads: a token, the properties of hub and
// partitions, then a link to each partition.
'use strict';
const fs = require('fs');
const rhea = require('rhea');
const { KIND, sign } = require('./signature.js');

const settings = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const hub = process.argv[3];
const audience = `amqps://${settings.namespace}/${hub}`;

const connection = rhea.connect({
  transport: 'tls', host: '127.0.0.1', servername: 'localhost', port: settings.tls,
  ca: [fs.readFileSync(settings.ca)], hostname: settings.namespace, reconnect: false,
  username: 'anonymous',
});

const fail = (what) => {
  console.error(what);
  process.exit(1);
};
for (const trouble of ['connection_error', 'receiver_error', 'sender_error']) {
  rhea.on(trouble, ({ connection: of, receiver, sender }) =>
    fail(`${trouble}: ${(receiver || sender || of).error}`));
}
rhea.on('disconnected', ({ error }) => fail(`disconnected: ${error}`));

// Asks a node of the service, one question after another.
function node(address) {
  const reply_to = `${address}-answers`;
  const sender = connection.open_sender({ target: { address } });
  const receiver = connection.open_receiver({ source: { address }, target: { address: reply_to } });
  return (application_properties, body) => new Promise((resolve) => {
    receiver.once('message', ({ message }) => {
      const { 'status-code': status, 'status-description': why } = message.application_properties;
      if (status > 299) fail(`${address}: ${status}: ${why}`);
      resolve(message.body);
    });
    sender.send({ message_id: 1, reply_to, application_properties, body: body || null });
  });
}

function events(partition, count) {
  const address = `${hub}/ConsumerGroups/$Default/Partitions/${partition}`;
  return new Promise((resolve) => {
    let left = count;
    connection.open_receiver({ source: { address } }).on('message', ({ message }) => {
      const { message_id: id, application_properties: { event_id }, body } = message;
      const key = (message.message_annotations || {})['x-opt-partition-key'] || '';
      process.stdout.write(
        JSON.stringify({ id, event_id, key, partition, body: body.content.toString() }) + '\n');
      left -= 1;
      if (left === 0) resolve();
    });
  });
}

rhea.once('connection_open', async () => {
  const ends = Math.floor(Date.now() / 1000) + 300;
  const token = sign(audience, settings.name, settings.secret, ends);
  await node('$cbs')({ operation: 'put-token', type: KIND, name: audience }, token);
  const properties = node('$management');
  const ask = (type, more) => properties({ operation: 'READ', type, name: hub, ...more });
  const { partition_ids: ids } = await ask('com.microsoft:eventhub');
  for (const partition of ids) {
    const told = await ask('com.microsoft:partition', { partition });
    const count = told.last_enqueued_sequence_number + 1;
    if (count > 0) await events(partition, count);
  }
  rhea.removeAllListeners('disconnected');
  connection.close();
});
