// MPS through both of Alibaba's clients: pop-core signs RPC requests with HMAC-SHA1, mts20140618 with ACS3-HMAC-SHA256.
'use strict';
const assert = require('assert');
const { RPCClient } = require('@alicloud/pop-core');
const mts = require('@alicloud/mts20140618');
const { Config } = require('@alicloud/openapi-core').$OpenApiUtil;
const { refusal, tally } = require('./journey');

const env = process.env;
const newer = env.STYLE === 'v3';

function open({ wrong } = {}) {
  const accessKeyId = env.ACCESS_KEY_ID, accessKeySecret = wrong ? 'wrong' : env.SECRET;
  if (newer) {
    const client = new mts.default(new Config({ accessKeyId, accessKeySecret, endpoint: env.ENDPOINT.replace('http://', ''), protocol: 'http' }));
    return {
      list: async (ids) => (await client.queryMediaList(new mts.QueryMediaListRequest({ mediaIds: ids }))).body.mediaList.media.map((m) => m.mediaId),
      remove: (ids) => client.deleteMedia(new mts.DeleteMediaRequest({ mediaIds: ids })),
      fault: (e) => ({ code: e.code, status: e.data && e.data.statusCode, requestId: e.data && e.data.RequestId }),
    };
  }
  const client = new RPCClient({ accessKeyId, accessKeySecret, endpoint: env.ENDPOINT, apiVersion: '2014-06-18' });
  const call = (action, params) => client.request(action, params, { method: 'POST', timeout: 10000 });
  return {
    list: async (ids) => (await call('QueryMediaList', { MediaIds: ids })).MediaList.Media.map((m) => m.MediaId),
    remove: (ids) => call('DeleteMedia', { MediaIds: ids }),
    fault: (e) => ({ code: e.code, status: e.entry && e.entry.response && e.entry.response.statusCode, requestId: e.data && e.data.RequestId }),
  };
}

async function main() {
  const calls = {}, codes = {};
  const c = tally(open(), calls);
  const ids = env.MEDIA.split(',');
  assert.deepStrictEqual((await c.list(env.MEDIA)).sort(), [...ids].sort(), 'the media');
  await c.remove(ids[0] + ',' + ids[1]);
  assert.deepStrictEqual(await c.list(env.MEDIA), ids.slice(2), 'after the deletion');
  codes['second deletion'] = await refusal(c, c.remove(ids[0]));
  codes['wrong secret'] = await refusal(c, tally(open({ wrong: true }), calls).list(ids[0]));
  console.log(JSON.stringify({ client: newer ? '@alicloud/mts20140618' : '@alicloud/pop-core (MPS)', calls, codes }));
}

main().then(() => process.exit(0), (e) => { console.error(e && e.stack || e); process.exit(1); });
