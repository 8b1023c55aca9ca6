'use strict';
const assert = require('assert');
const { RPCClient } = require('@alicloud/pop-core');
const { refusal, tally } = require('./journey');

const env = process.env;

function open({ wrong } = {}) {
  const client = new RPCClient({
    accessKeyId: env.ACCESS_KEY_ID, accessKeySecret: wrong ? 'wrong' : env.SECRET, endpoint: env.ENDPOINT, apiVersion: '2017-03-21',
  });
  const call = (action, params) => client.request(action, params, { method: 'POST', timeout: 10000 });
  return {
    create: async (title) => (await call('CreateUploadVideo', { Title: title, FileName: title + '.mp4' })).VideoId,
    list: async (page, size) => call('GetVideoList', { Status: 'Uploading', PageNo: page, PageSize: size }),
    info: (id) => call('GetVideoInfos', { VideoIds: id }),
    details: (id) => call('GetUploadDetails', { MediaIds: id, MediaType: 'video' }),
    abort: (id) => call('DeleteMultipartUpload', { MediaId: id, MediaType: 'video' }),
    fault: (e) => ({ code: e.code, status: e.entry && e.entry.response && e.entry.response.statusCode, requestId: e.data && e.data.RequestId }),
  };
}

async function all(c) {
  const ids = [];
  for (let page = 1; ; page++) {
    const got = await c.list(page, 2);
    ids.push(...got.VideoList.Video.map((v) => v.VideoId));
    if (ids.length >= got.Total) return ids;
  }
}

async function main() {
  const [what, count, prefix] = process.argv.slice(2);
  const calls = {}, codes = {}, result = { client: '@alicloud/pop-core (VOD)' };
  const c = tally(open(), calls);
  if (what === 'journey') {
    const begun = [];
    for (let i = 0; i < 5; i++) begun.push(await c.create('title & more ' + i));
    const listed = await all(c);
    assert.deepStrictEqual(listed.filter((id) => id !== env.VIDEO).sort(), begun.sort(), 'the listing');
    assert.strictEqual((await c.info(begun.join(','))).VideoList.length, 5);
    const details = await c.details(env.VIDEO);
    assert.strictEqual(Number(details.UploadDetails[0].UploadSize), Number(env.VIDEO_BYTES), JSON.stringify(details));
    await c.abort(env.VIDEO);
    codes['second abort'] = await refusal(c, c.abort(env.VIDEO));
    codes['no such video'] = await refusal(c, c.abort('00000000000000000000000000000000'));
    codes['wrong secret'] = await refusal(c, tally(open({ wrong: true }), calls).list(1, 2));
    Object.assign(result, { calls, codes });
  } else if (what === 'leave') {
    result.uploads = [];
    for (let i = 0; i < Number(count); i++) {
      const id = await c.create(prefix + i);
      result.uploads.push({ key: id, id });
    }
  } else if (what === 'list') {
    result.uploads = (await all(c)).map((id) => ({ key: id, id }));
  }
  console.log(JSON.stringify(result));
}

main().then(() => process.exit(0), (e) => { console.error(e && e.stack || e); process.exit(1); });
