// An OCPP 1.6 backend on the npm package `ocpp-rpc` that reads the whole configuration as soon as a charger connects,
// before any BootNotification.
//
// Usage: NODE_PATH=DIR/node/node_modules node csms_eager.js [PORT]. Prints where it listens, what went over its sockets,
// and {"onboarded": keys} once it knows the configuration, as JSON lines.
'use strict';

const { RPCServer, createRPCError } = require('ocpp-rpc');

const say = (line) => process.stdout.write(JSON.stringify(line) + '\n');
const now = () => new Date().toISOString();
let minted = 5000;

async function main(port) {
  const server = new RPCServer({ protocols: ['ocpp1.6'], strictMode: true });
  server.auth((accept) => accept());
  server.on('client', (client) => {
    const charger = client.identity;
    client.on('message', ({ message, outbound }) => {
      say({ dir: outbound ? 'sent' : 'received', charger, text: message.toString() });
    });
    client.handle('BootNotification', () => ({ interval: 300, status: 'Accepted', currentTime: now() }));
    client.handle('Heartbeat', () => ({ currentTime: now() }));
    client.handle('StatusNotification', () => ({}));
    client.handle('MeterValues', () => ({}));
    client.handle('Authorize', () => ({ idTagInfo: { status: 'Accepted' } }));
    client.handle('StartTransaction', () => {
      minted += 1;
      return { idTagInfo: { status: 'Accepted' }, transactionId: minted };
    });
    client.handle('StopTransaction', () => ({}));
    client.handle(() => {
      throw createRPCError('NotImplemented');
    });
    client.call('GetConfiguration', {}).then(
      (answer) => say({ onboarded: (answer.configurationKey || []).map((entry) => entry.key) }),
      (error) => say({ refused: String(error) }),
    );
  });
  const http = await server.listen(port, '127.0.0.1');
  say({ listening: `ws://127.0.0.1:${http.address().port}/eager` });
}

main(Number(process.argv[2] || 0));
