// What every object store's client does, through an adapter that says how that client does it.
'use strict';
const assert = require('assert');

const keys = ['plain.bin', 'a b+c%2F.bin', '/lead//double', '长/🎬.mp4', "q&a=1#x?y;(*)'!~", ' blanks '];
const body = Buffer.alloc(1000, 'x');

// tally counts an adapter's calls.
function tally(adapter, calls) {
  return new Proxy(adapter, {
    get(target, name) {
      const f = target[name];
      if (typeof f !== 'function' || name === 'fault') return f;
      return (...args) => {
        calls[name] = (calls[name] || 0) + 1;
        return f.apply(target, args);
      };
    },
  });
}

// refusal returns what the client makes of an error: its code, status and request ID, by its own names for them.
async function refusal(adapter, promise) {
  try {
    await promise;
  } catch (e) {
    const f = adapter.fault(e);
    assert(f.requestId || f.code === '404', `the client found no request ID in ${f.code}`); // a HEAD has no body to read one from
    return f;
  }
  throw new Error('no error, where one was due');
}

// listAll pages through a listing, and sees that no page repeats another.
async function listAll(c, prefix, size) {
  const seen = new Map();
  let marker = {};
  for (let page = 0; page < 100; page++) {
    const got = await c.list(prefix, size, marker);
    for (const u of got.uploads) {
      const name = u.key + '\n' + u.id;
      assert(!seen.has(name), `listed twice: ${name}`);
      seen.set(name, u);
    }
    if (!got.more) return [...seen.values()];
    marker = got.next;
  }
  throw new Error('the listing never ends');
}

// journey creates, lists, inspects, completes and aborts, and is refused where it should be.
async function journey(open) {
  const calls = {}, codes = {};
  const c = tally(open(), calls);
  const begun = [];
  for (const key of [...(c.keys || keys), 'same.bin', 'same.bin', 'same.bin']) {
    const id = await c.create(key);
    assert(id, 'no upload ID');
    begun.push({ key, id });
  }
  for (const u of begun) u.etags = [await c.part(u.key, u.id, 1, body), await c.part(u.key, u.id, 2, body)];

  const listed = await listAll(c, '', 2);
  assert.deepStrictEqual(listed.map((u) => u.key + u.id).sort(), begun.map((u) => u.key + u.id).sort(), 'the listing');
  for (const u of listed) assert(Math.abs(new Date(u.initiated) - Date.now()) < 100 * 24 * 3600e3, `initiated ${u.initiated}`);
  assert.strictEqual((await listAll(c, 'same', 1)).length, 3, 'the listing of a prefix');

  for (const u of begun) {
    const parts = await c.parts(u.key, u.id, 1);
    assert.deepStrictEqual(parts.map((p) => [p.number, p.size]), [[1, 1000], [2, 1000]], `the parts of ${u.key}`);
  }

  const done = begun.shift();
  await c.complete(done.key, done.id, done.etags);
  assert.strictEqual(Number(await c.size(done.key)), 2000, 'the size of the finished object');

  for (const u of begun) await c.abort(u.key, u.id);
  assert.deepStrictEqual(await listAll(c, '', 1000), [], 'after the aborts');

  const gone = begun[0];
  codes['second abort'] = await refusal(c, c.abort(gone.key, gone.id));
  codes['parts of what is gone'] = await refusal(c, c.parts(gone.key, gone.id, 1));
  codes['abort of what is finished'] = await refusal(c, c.abort(done.key, done.id));
  codes['no such bucket'] = await refusal(c, tally(open({ absent: true }), calls).list('', 10, {}));
  codes['wrong secret'] = await refusal(c, tally(open({ wrong: true }), calls).list('', 10, {}));
  return { calls, codes };
}

// main does what the command line says and writes the result as JSON.
async function main(name, open) {
  const [what, count, prefix] = process.argv.slice(2);
  const result = { client: name };
  const c = open();
  if (what === 'journey') {
    Object.assign(result, await journey(open));
  } else if (what === 'leave') {
    result.uploads = [];
    for (let i = 0; i < Number(count); i++) {
      const key = prefix + '/' + keys[i % keys.length] + (i % 2 ? i : '');
      const id = await c.create(key);
      await c.part(key, id, 1, body);
      result.uploads.push({ key, id });
    }
  } else if (what === 'list') {
    result.uploads = (await listAll(c, '', 3)).map((u) => ({ key: u.key, id: u.id }));
  }
  console.log(JSON.stringify(result));
}

function start(name, open) {
  main(name, open).then(() => process.exit(0), (e) => {
    console.error(e && e.stack || e);
    process.exit(1);
  });
}

module.exports = { start, refusal, tally, keys };
