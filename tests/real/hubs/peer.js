// Event Hubs as AMQP 1.0 sees it, by a library that is not ours: over TLS, and over WebSocket.
//
// Enforced as the service does: SASL first, the namespace's own name, a token at `$cbs` for the
// very address before a link to it, until it ends; hubs that are there; a limit of a transfer; the
// format of batches, one key each; every event on disk before it is accepted. Outcomes are scripted
// by HTTP: POST /hubs/NAME {"script": [...], "poison": "..."}; GET /hubs/NAME and /seen tell.
'use strict';
const fs = require('fs');
const http = require('http');
const https = require('https');
const rhea = require('rhea');
const { WebSocketServer } = require('ws');
const { KIND, bare, check, within } = require('./signature.js');
const { Store } = require('./store.js');

const settings = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const { namespace } = settings;
const store = new Store(settings.data);
const seen = { connections: 0, tokens: [] };

// https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas
const MAX_BYTES = 1024 * 1024;
const MAX_KEY_CHARS = 128;
const BATCH_FORMAT = 0x80013700;
const DATA = 0x75;
const PATH = /^\/\$servicebus\/websocket\/?$/;
const GROUP = /^([^/]+)\/consumergroups\/[^/]+\/partitions\/(\d+)$/;
const TARGET = /^([^/]+?)(?:\/partitions\/(\d+))?$/;

// The library forgets how large a message was, and throws at one that is none.
const decode = rhea.message.decode;
rhea.message.decode = (bytes) => {
  try {
    return Object.assign(decode(bytes), { bytes: bytes.length });
  } catch (error) {
    return { bytes: bytes.length, undecodable: String(error) };
  }
};

const error = (condition, description) => ({ condition, description });

function refuse(link, condition, description) {
  // An attach without its terminus, then the end of it, and no credit in between.
  link.issue_flow = false;
  link.close(error(condition, description));
}

function admit(link) {
  link.set_source(link.source || {});
  link.set_target(link.target || {});
}

// The address of a link within the namespace.
function local(address) {
  const name = bare(address || '');
  return name.startsWith(`${namespace}/`) ? name.slice(namespace.length + 1) : name;
}

const allows = (connection, place) =>
  [...connection.grants].some(([granted, ends]) =>
    ends * 1000 > Date.now() && within(`${namespace}/${place}`, granted));

const unauthorized = 'Unauthorized access. \'Send\' or \'Listen\' claim(s) are required';

// Whether a link to a hub may open; if not, it was told why.
function found(link, name) {
  const { address } = link.is_receiver() ? link.target : link.source;
  if (!allows(link.connection, local(address))) {
    refuse(link, 'amqp:unauthorized-access', unauthorized);
  } else if (!store.hub(name)) {
    refuse(link, 'amqp:not-found', `The messaging entity '${name}' could not be found`);
  } else {
    admit(link);
    return true;
  }
  return false;
}

// ---- requests to the service itself

function answer(connection, node, request, status, description, body) {
  const sender = connection.answers.get(`${node} ${request.reply_to}`);
  if (!sender) return;
  const { wrap_int } = rhea.types;
  sender.send({
    correlation_id: request.message_id,
    application_properties: {
      'status-code': wrap_int(status),
      'status-description': description,
    },
    body: body || null,
  });
}

function put_token(connection, { application_properties: asked = {}, body, ...request }) {
  const { operation, type, name } = asked;
  let judged = { why: 'a put-token of a kind that is not known' };
  if (operation === 'put-token' && type === KIND) judged = check(body, name, settings);
  seen.tokens.push({
    name, type, ends: judged.ends, why: judged.why, at: Date.now(), connection: connection.number,
  });
  if (judged.ends) connection.grants.set(bare(name), judged.ends);
  answer(connection, '$cbs', request, judged.ends ? 202 : 401, judged.why || 'Accepted');
}

function tell_properties(connection, { application_properties: asked = {}, ...request }) {
  const { operation, type, name = '', partition } = asked;
  const reply = (...rest) => answer(connection, '$management', request, ...rest);
  if (operation !== 'READ') return reply(400, `operation ${operation}`);
  if (!allows(connection, name)) return reply(401, unauthorized);
  const hub = store.hub(name);
  if (!hub) return reply(404, `The messaging entity '${name}' could not be found`);
  if (type === 'com.microsoft:eventhub') {
    const partition_ids = rhea.types.wrap_array(hub.partitions.map((_, id) => String(id)), 0xa1);
    return reply(200, 'OK', { name, type, partition_count: hub.partitions.length, partition_ids });
  }
  const one = hub.partitions[partition];
  if (type !== 'com.microsoft:partition' || !one) return reply(404, 'no such partition');
  const last = one.count - 1;
  return reply(200, 'OK', {
    name, type, partition, begin_sequence_number: 0, last_enqueued_sequence_number: last,
    last_enqueued_offset: String(last), is_partition_empty: one.count === 0,
  });
}

// ---- events that come

const key_of = (message) => (message.message_annotations || {})['x-opt-partition-key'] || '';

function event_of(message, company) {
  const { body, message_id: id, application_properties: properties = {} } = message;
  if (message.undecodable || !body || body.typecode !== DATA || body.multiple) return null;
  return {
    id, event_id: properties.event_id, key: key_of(message), company, body: body.content.toString(),
  };
}

// The events of a transfer, or the condition under which it is refused.
function read(message, format) {
  if (!format) {
    const event = event_of(message, 1);
    return event ? { events: [event] } : { condition: 'amqp:decode-error' };
  }
  if (format !== BATCH_FORMAT) return { condition: 'amqp:not-implemented' };
  const envelope = rhea.message.decode(message);
  const { body } = envelope;
  if (!body || body.typecode !== DATA) return { condition: 'amqp:decode-error' };
  const sections = body.multiple ? body.content : [body.content];
  const events = sections.map((section) =>
    event_of(rhea.message.decode(section), sections.length));
  if (events.includes(null)) return { condition: 'amqp:decode-error' };
  const key = key_of(envelope);
  if (events.some((event) => event.key !== key)) return { condition: 'com.microsoft:argument-error' };
  return { events };
}

function judged(hub, fixed, { events, condition }) {
  if (condition) return { reject: condition };
  const { key } = events[0];
  if (key.length > MAX_KEY_CHARS || (key && fixed)) {
    return { reject: 'com.microsoft:argument-error' };
  }
  const act = hub.script.shift() || 'accept';
  const is_poisoned = hub.poison && events.some(({ body }) => body.includes(hub.poison));
  return act === 'accept' && is_poisoned ? { reject: 'amqp:invalid-field' } : act;
}

function take(hub, fixed, { connection, receiver, delivery, message, format }) {
  if (!allows(connection, local(receiver.target.address))) {
    return receiver.close(error('amqp:unauthorized-access', 'ExpiredToken'));
  }
  if ((format ? message.length : message.bytes) > MAX_BYTES) {
    return receiver.close(error('amqp:link:message-size-exceeded', `more than ${MAX_BYTES}`));
  }
  const came = read(message, format);
  const act = judged(hub, fixed, came);
  hub.seen.push({ act, events: (came.events || []).length, at: Date.now() });
  const keep = () => (fixed || hub.partition(came.events[0].key)).append(came.events);
  switch (act) {
    case 'accept': keep(); return delivery.accept();
    case 'release': return delivery.release();
    case 'modify': return delivery.modified({ delivery_failed: true });
    case 'drop': return connection.cut();
    case 'keep and drop': keep(); return connection.cut();
    case 'silence': return undefined;
    case 'keep and silence': keep(); return undefined;
    default:
      if (act.detach) return receiver.close(error(act.detach, 'as the script has it'));
      return delivery.reject(error(act.reject, 'as the script has it'));
  }
}

// ---- events that go

function give(partition, sender) {
  const events = partition.events();
  let next = 0;
  const more = () => {
    for (; next < events.length && sender.sendable(); next += 1) {
      const { id, event_id, key, body } = events[next];
      const annotations = { 'x-opt-sequence-number': next, 'x-opt-offset': String(next) };
      if (key) annotations['x-opt-partition-key'] = key;
      sender.send({
        message_id: id,
        message_annotations: annotations,
        application_properties: { event_id },
        body: rhea.message.data_section(Buffer.from(body)),
      });
    }
  };
  sender.on('sendable', more);
}

// ---- links and connections

rhea.sasl_server_mechanisms.enable_anonymous();

rhea.on('connection_open', ({ connection }) => {
  seen.connections += 1;
  Object.assign(connection, { number: seen.connections, grants: new Map(), answers: new Map() });
  connection.cut = connection.options.cut || (() => connection.socket.destroy());
  if (connection.hostname !== namespace) {
    connection.close(error('amqp:not-found', `no namespace ${connection.hostname}`));
  }
});

rhea.on('receiver_open', ({ connection, receiver }) => {
  const place = local(receiver.target && receiver.target.address);
  const requests = { $cbs: put_token, $management: tell_properties }[place];
  if (requests) {
    admit(receiver);
    receiver.take = ({ message, delivery }) => {
      delivery.accept();
      requests(connection, message);
    };
    return;
  }
  const [, name, fixed] = TARGET.exec(place) || [];
  receiver.local.attach.max_message_size = MAX_BYTES;
  if (found(receiver, name)) {
    const hub = store.hub(name);
    receiver.take = (context) => take(hub, hub.partitions[fixed], context);
  }
});

rhea.on('sender_open', ({ connection, sender }) => {
  const place = local(sender.source && sender.source.address);
  if (place === '$cbs' || place === '$management') {
    admit(sender);
    connection.answers.set(`${place} ${sender.target && sender.target.address}`, sender);
    return;
  }
  const [, name, partition] = GROUP.exec(place) || [];
  if (found(sender, name)) give(store.hub(name).partitions[partition], sender);
});

rhea.on('message', (context) => {
  const { receiver } = context;
  // The library (rhea 3.0.5) writes two outcomes of one turn as the first of them.
  receiver.session.incoming.process(receiver.session);
  receiver.take(context);
});

for (const trouble of ['error', 'connection_error', 'protocol_error', 'session_error',
  'receiver_error', 'sender_error']) {
  rhea.on(trouble, (what) => console.error(trouble, (what && what.error) || what));
}
rhea.on('disconnected', ({ error: why }) => why && console.error('disconnected', String(why)));

const options = {
  id: 'event-hubs',
  require_sasl: true,
  max_frame_size: 64 * 1024,
  idle_time_out: settings.idle_ms,
  receiver_options: { autoaccept: false, credit_window: 300 },
};
const identity = {
  cert: fs.readFileSync(settings.certificate),
  key: fs.readFileSync(settings.key),
};
const host = '127.0.0.1';
rhea.listen({ ...options, ...identity, transport: 'tls', host, port: settings.tls });

const front = https.createServer(identity).listen(settings.websocket, host);
const sockets = new WebSocketServer({
  server: front,
  verifyClient: ({ req }) => PATH.test(req.url),
  handleProtocols: (offered) => offered.has('amqp') && 'amqp',
});
sockets.on('connection', (socket) => {
  if (socket.protocol !== 'amqp') return socket.close();
  return rhea.websocket_accept(socket, { ...options, cut: () => socket.terminate() });
});

http.createServer((request, response) => {
  const [, place, name] = request.url.split('/');
  const hub = place === 'hubs' ? store.hub(name) : seen;
  if (!hub) return response.writeHead(404).end();
  let body = '';
  request.on('data', (more) => { body += more; });
  return request.on('end', () => {
    if (request.method === 'POST') Object.assign(hub, JSON.parse(body));
    const { partitions, ...told } = hub;
    response.end(JSON.stringify(told));
  });
}).listen(settings.control, host);
