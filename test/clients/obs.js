'use strict';
const OBS = require('esdk-obs-nodejs');
const { start } = require('./journey');

const env = process.env;

function open({ absent, wrong } = {}) {
  const Bucket = absent ? 'no-such-bucket' : env.BUCKET;
  const path = env.STYLE === 'path';
  const client = new OBS({
    access_key_id: env.ACCESS_KEY_ID, secret_access_key: wrong ? 'wrong' : env.SECRET, path_style: path, max_retry_count: 0,
    server: path ? env.ENDPOINT : `http://obs.${env.REGION}.myhuaweicloud.com:${env.PORT}`,
  });
  // A refusal is no exception here but a result with a status.
  const call = async (name, params) => {
    await new Promise((resolve) => setImmediate(resolve)); // the client is not ready at once
    const out = await client[name]({ Bucket, ...params });
    const { Status, Code, Message } = out.CommonMsg;
    if (Status >= 300) {
      throw Object.assign(new Error(`${name}: ${Status} ${Code} ${Message}`), { msg: out.CommonMsg, requestId: out.CommonMsg.RequestId || (out.InterfaceResult || {}).RequestId });
    }
    return out.InterfaceResult;
  };
  return {
    create: async (Key) => (await call('initiateMultipartUpload', { Key })).UploadId,
    part: async (Key, UploadId, PartNumber, Body) => (await call('uploadPart', { Key, UploadId, PartNumber, Body })).ETag,
    complete: (Key, UploadId, etags) => call('completeMultipartUpload', {
      Key, UploadId, Parts: etags.map((ETag, i) => ({ ETag, PartNumber: i + 1 })),
    }),
    size: async (Key) => (await call('getObjectMetadata', { Key })).ContentLength,
    abort: (Key, UploadId) => call('abortMultipartUpload', { Key, UploadId }),
    list: async (Prefix, MaxUploads, { KeyMarker, UploadIdMarker }) => {
      const out = await call('listMultipartUploads', { Prefix, MaxUploads, KeyMarker, UploadIdMarker, EncodingType: 'url' });
      return {
        uploads: out.Uploads.map((u) => ({ key: u.Key, id: u.UploadId, initiated: u.Initiated })),
        more: String(out.IsTruncated) === 'true', next: { KeyMarker: out.NextKeyMarker, UploadIdMarker: out.NextUploadIdMarker },
      };
    },
    parts: async (Key, UploadId, MaxParts) => {
      const all = [];
      for (let PartNumberMarker; ;) {
        const out = await call('listParts', { Key, UploadId, MaxParts, PartNumberMarker });
        for (const p of out.Parts) all.push({ number: Number(p.PartNumber), size: Number(p.Size) });
        if (String(out.IsTruncated) !== 'true') return all;
        PartNumberMarker = out.NextPartNumberMarker;
      }
    },
    fault: (e) => ({ code: e.msg && (e.msg.Code || String(e.msg.Status)), status: e.msg && e.msg.Status, requestId: e.requestId }),
  };
}

start('esdk-obs-nodejs', open);
