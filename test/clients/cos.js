'use strict';
const COS = require('cos-nodejs-sdk-v5');
const { start, keys } = require('./journey');

const env = process.env;

function open({ absent, wrong } = {}) {
  const Bucket = absent ? 'absent-1250000000' : env.BUCKET, Region = env.REGION;
  const client = new COS({
    SecretId: env.ACCESS_KEY_ID, SecretKey: wrong ? 'wrong' : env.SECRET, Protocol: 'http:', AutoSwitchHost: false,
    Domain: '{Bucket}.cos.{Region}.myqcloud.com:' + env.PORT, ChunkRetryTimes: 0, ConfCwd: '',
  });
  const call = (name, params) => client[name]({ Bucket, Region, ...params });
  const list = (x) => (x === undefined ? [] : Array.isArray(x) ? x : [x]);
  return {
    keys: keys.map((key) => key.replace(/^\//, '')), // this client takes a slash at the front away
    create: async (Key) => (await call('multipartInit', { Key })).UploadId,
    part: async (Key, UploadId, PartNumber, Body) => (await call('multipartUpload', { Key, UploadId, PartNumber, Body })).ETag,
    complete: (Key, UploadId, etags) => call('multipartComplete', {
      Key, UploadId, Parts: etags.map((ETag, i) => ({ ETag, PartNumber: i + 1 })),
    }),
    size: async (Key) => (await call('headObject', { Key })).headers['content-length'],
    abort: (Key, UploadId) => call('multipartAbort', { Key, UploadId }),
    list: async (Prefix, MaxUploads, { KeyMarker, UploadIdMarker }) => {
      const out = await call('multipartList', { Prefix, MaxUploads, KeyMarker, UploadIdMarker, EncodingType: 'url' });
      return {
        uploads: list(out.Upload).map((u) => ({ key: decodeURIComponent(u.Key), id: u.UploadId, initiated: u.Initiated })),
        more: out.IsTruncated === 'true',
        next: { KeyMarker: decodeURIComponent(out.NextKeyMarker || ''), UploadIdMarker: out.NextUploadIdMarker },
      };
    },
    parts: async (Key, UploadId, MaxParts) => {
      const all = [];
      for (let PartNumberMarker; ;) {
        const out = await call('multipartListPart', { Key, UploadId, MaxParts, PartNumberMarker });
        for (const p of list(out.Part)) all.push({ number: Number(p.PartNumber), size: Number(p.Size) });
        if (out.IsTruncated !== 'true') return all;
        PartNumberMarker = out.NextPartNumberMarker;
      }
    },
    fault: (e) => ({ code: e.code, status: e.statusCode, requestId: e.headers && e.headers['x-cos-request-id'] }),
  };
}

start('cos-nodejs-sdk-v5', open);
