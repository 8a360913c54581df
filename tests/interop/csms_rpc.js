// An OCPP 1.6 backend on the npm package `ocpp-rpc`, strict about schemas.
//
// Usage: NODE_PATH=DIR/node/node_modules node csms_rpc.js [PORT]. Prints where it listens, then what went over its
// sockets, as JSON lines. Transactions count down from -1, the heartbeat interval is 600, StopTransaction is answered
// with idTagInfo, and one tag that others accept is blocked.
'use strict';

const { RPCServer, createRPCError } = require('ocpp-rpc');

const say = (line) => process.stdout.write(JSON.stringify(line) + '\n');
const STATUS = { 'CARD-GOOD': 'Accepted', 'CARD-DISPUTED': 'Blocked', 'CARD-REFUSED': 'Blocked' };
const info = (tag) => ({ status: STATUS[tag] || 'Invalid' });
const now = () => new Date().toISOString();
let minted = 0;

async function main(port) {
  const server = new RPCServer({ protocols: ['ocpp1.6'], strictMode: true });
  server.auth((accept) => accept());
  server.on('client', (client) => {
    const charger = client.identity;
    client.on('message', ({ message, outbound }) => {
      say({ dir: outbound ? 'sent' : 'received', charger, text: message.toString() });
    });
    client.handle('BootNotification', () => {
      setTimeout(() => client.call('GetConfiguration', {}).catch((error) => say({ error: String(error) })), 50);
      return { interval: 600, status: 'Accepted', currentTime: now() };
    });
    client.handle('Heartbeat', () => ({ currentTime: now() }));
    client.handle('StatusNotification', () => ({}));
    client.handle('MeterValues', () => ({}));
    client.handle('Authorize', ({ params }) => ({ idTagInfo: info(params.idTag) }));
    client.handle('StartTransaction', ({ params }) => {
      minted -= 1;
      return { idTagInfo: info(params.idTag), transactionId: minted };
    });
    client.handle('StopTransaction', ({ params }) => ({ idTagInfo: info(params.idTag) }));
    client.handle(() => {
      throw createRPCError('NotImplemented');
    });
  });
  const http = await server.listen(port, '127.0.0.1');
  say({ listening: `ws://127.0.0.1:${http.address().port}/rpc/v1` });
}

main(Number(process.argv[2] || 0));
