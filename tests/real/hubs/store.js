// Hubs on disk: a folder a hub, a file a partition, a line an event. What was written before a
// SIGKILL is there after it; a torn last line was never accepted, and is cut.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');

const PARTITIONS = 4;

class Partition {
  constructor(file) {
    this.file = file;
    this.out = fs.openSync(file, 'a+');
    const text = fs.readFileSync(file);
    const end = text.lastIndexOf('\n') + 1;
    fs.ftruncateSync(this.out, end);
    this.count = text.subarray(0, end).reduce((lines, byte) => lines + (byte === 10), 0);
  }

  append(events) {
    const lines = events.map((event) => JSON.stringify(event) + '\n').join('');
    const bytes = Buffer.from(lines);
    for (let written = 0; written < bytes.length;) {
      written += fs.writeSync(this.out, bytes, written);
    }
    this.count += events.length;
  }

  events() {
    return fs.readFileSync(this.file, 'utf8').split('\n').filter(Boolean).map(JSON.parse);
  }
}

class Hub {
  constructor(folder) {
    const names = [...Array(PARTITIONS).keys()];
    this.partitions = names.map((name) => new Partition(path.join(folder, `${name}.ndjson`)));
    this.turn = 0;
    // What is done with the next transfers; what is refused wherever it stands in a body.
    this.script = [];
    this.poison = null;
    // What came, and when: transfers, and the outcomes given.
    this.seen = [];
  }

  // Events of one key go to one partition, those without to each in turn.
  partition(key) {
    if (!key) return this.partitions[this.turn++ % PARTITIONS];
    return this.partitions[crypto.createHash('sha1').update(key).digest()[0] % PARTITIONS];
  }
}

class Store {
  constructor(folder) {
    this.folder = folder;
    this.hubs = new Map();
  }

  // A hub is there once its folder is.
  hub(name) {
    const folder = path.join(this.folder, name);
    if (!this.hubs.has(name) && fs.existsSync(folder)) this.hubs.set(name, new Hub(folder));
    return this.hubs.get(name);
  }
}

module.exports = { Store };
