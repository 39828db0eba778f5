// Shared access signatures: made for the reader, checked for everybody.
'use strict';
const crypto = require('crypto');

const KIND = 'servicebus.windows.net:sastoken';

// The proof that `secret` was known to whoever signed for an encoded resource until `ends`.
const proof = (resource, ends, secret) =>
  crypto.createHmac('sha256', secret).update(`${resource}\n${ends}`).digest('base64');

function sign(resource, name, secret, ends) {
  const encoded = encodeURIComponent(resource);
  const signature = encodeURIComponent(proof(encoded, ends, secret));
  return `SharedAccessSignature sr=${encoded}&sig=${signature}&se=${ends}&skn=${name}`;
}

// An address without its scheme, as signatures and links are compared.
const bare = (address) => address.replace(/^[a-z]+:\/\//, '').replace(/\/+$/, '').toLowerCase();

const within = (inner, outer) => inner === outer || inner.startsWith(`${outer}/`);

// When a token for `audience` ends, in seconds since 1970, or why it is none.
function check(token, audience, { namespace, name, secret }) {
  const [scheme, fields] = String(token).split(' ');
  if (scheme !== 'SharedAccessSignature' || !fields) return { why: 'MalformedToken' };
  const found = Object.fromEntries(fields.split('&').map((pair) => {
    const at = pair.indexOf('=');
    return [pair.slice(0, at), pair.slice(at + 1)];
  }));
  const { sr, sig, se, skn } = found;
  if (!sr || !sig || !/^\d+$/.test(se || '') || !skn) return { why: 'MalformedToken' };
  if (decodeURIComponent(skn) !== name) return { why: 'InvalidSignature: no such key name' };
  if (decodeURIComponent(sig) !== proof(sr, se, secret)) {
    return { why: 'InvalidSignature: the token has an invalid signature' };
  }
  if (Number(se) * 1000 <= Date.now()) return { why: 'ExpiredToken' };
  const resource = bare(decodeURIComponent(sr));
  if (!within(resource, namespace) || !within(bare(audience), resource)) {
    return { why: 'InvalidAudience' };
  }
  return { ends: Number(se) };
}

module.exports = { KIND, bare, check, sign, within };
