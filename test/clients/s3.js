'use strict';
const s3 = require('@aws-sdk/client-s3');
const { start } = require('./journey');

const env = process.env;

function open({ absent, wrong } = {}) {
  const Bucket = absent ? 'no-such-bucket' : env.BUCKET;
  const client = new s3.S3Client({
    endpoint: env.ENDPOINT, region: env.REGION, forcePathStyle: env.STYLE === 'path', maxAttempts: 1,
    credentials: { accessKeyId: env.ACCESS_KEY_ID, secretAccessKey: wrong ? 'wrong' : env.SECRET },
  });
  const send = (Command, input) => client.send(new s3[Command + 'Command']({ Bucket, ...input }));
  return {
    create: async (Key) => (await send('CreateMultipartUpload', { Key })).UploadId,
    part: async (Key, UploadId, PartNumber, Body) => (await send('UploadPart', { Key, UploadId, PartNumber, Body })).ETag,
    complete: (Key, UploadId, etags) => send('CompleteMultipartUpload', {
      Key, UploadId, MultipartUpload: { Parts: etags.map((ETag, i) => ({ ETag, PartNumber: i + 1 })) },
    }),
    size: async (Key) => (await send('HeadObject', { Key })).ContentLength,
    abort: (Key, UploadId) => send('AbortMultipartUpload', { Key, UploadId }),
    list: async (Prefix, MaxUploads, { KeyMarker, UploadIdMarker }) => {
      const out = await send('ListMultipartUploads', { Prefix, MaxUploads, KeyMarker, UploadIdMarker });
      return {
        uploads: (out.Uploads || []).map((u) => ({ key: u.Key, id: u.UploadId, initiated: u.Initiated })),
        more: out.IsTruncated, next: { KeyMarker: out.NextKeyMarker, UploadIdMarker: out.NextUploadIdMarker },
      };
    },
    parts: async (Key, UploadId, MaxParts) => {
      const all = [];
      for (let PartNumberMarker; ;) {
        const out = await send('ListParts', { Key, UploadId, MaxParts, PartNumberMarker });
        for (const p of out.Parts || []) all.push({ number: p.PartNumber, size: p.Size });
        if (!out.IsTruncated) return all;
        PartNumberMarker = out.NextPartNumberMarker;
      }
    },
    fault: (e) => ({ code: e.name, status: e.$metadata.httpStatusCode, requestId: e.$metadata.requestId }),
  };
}

start('@aws-sdk/client-s3', open);
