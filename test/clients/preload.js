// Every name is this machine, so that requests carry the clouds' real hosts and reach the sandbox all the same.
'use strict';
const dns = require('dns');

function lookup(name, options, callback) {
  if (typeof options === 'function') [options, callback] = [{}, options];
  if (options.all) return process.nextTick(callback, null, [{ address: '127.0.0.1', family: 4 }]);
  process.nextTick(callback, null, '127.0.0.1', 4);
}
dns.lookup = lookup;
