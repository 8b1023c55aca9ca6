'use strict';
const { Readable } = require('stream');
const OSS = require('ali-oss');
const { start, keys } = require('./journey');

const env = process.env;

function open({ absent, wrong } = {}) {
  const client = new OSS({
    accessKeyId: env.ACCESS_KEY_ID, accessKeySecret: wrong ? 'wrong' : env.SECRET, region: 'oss-' + env.REGION,
    endpoint: `http://oss-${env.REGION}.aliyuncs.com:${env.PORT}`, bucket: absent ? 'no-such-bucket' : env.BUCKET,
    authorizationV4: env.STYLE === 'v4', retryMax: 0,
  });
  return {
    keys: keys.map((key) => key.replace(/^\//, '')), // this client takes a slash at the front away
    create: async (key) => (await client.initMultipartUpload(key)).uploadId,
    part: async (key, id, n, body) => (await client._uploadPart(key, id, n, { stream: Readable.from([body]), size: body.length }, {})).etag,
    complete: (key, id, etags) => client.completeMultipartUpload(key, id, etags.map((etag, i) => ({ etag, number: i + 1 }))),
    size: async (key) => (await client.head(key)).res.headers['content-length'],
    abort: (key, id) => client.abortMultipartUpload(key, id),
    list: async (prefix, size, { keyMarker, idMarker }) => {
      const query = { 'max-uploads': size };
      if (prefix) query.prefix = prefix;
      if (keyMarker) query['key-marker'] = keyMarker;
      if (idMarker) query['upload-id-marker'] = idMarker;
      const out = await client.listUploads(query);
      return {
        uploads: out.uploads.map((u) => ({ key: u.name, id: u.uploadId, initiated: u.initiated })),
        more: String(out.isTruncated) === 'true', next: { keyMarker: out.nextKeyMarker, idMarker: out.nextUploadIdMarker },
      };
    },
    parts: async (key, id, size) => {
      const all = [];
      for (let after; ;) {
        const query = { 'max-parts': size };
        if (after) query['part-number-marker'] = after;
        const out = await client.listParts(key, id, query);
        const parts = out.parts === undefined ? [] : [].concat(out.parts);
        for (const p of parts) all.push({ number: Number(p.PartNumber), size: Number(p.Size) });
        if (String(out.isTruncated) !== 'true') return all;
        after = out.nextPartNumberMarker;
      }
    },
    fault: (e) => ({ code: e.code, status: e.status, requestId: e.requestId }),
  };
}

start('ali-oss', open);
