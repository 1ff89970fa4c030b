// Loaded before Azurite: lets the suite move a queue's clock, so that it need not wait for leases to end.
// A request with the header x-portable-ahead says how many seconds the clock of the queue in its path is ahead.
"use strict";

const http = require("http");
const path = require("path");

const ahead = new Map();

const emit = http.Server.prototype.emit;
http.Server.prototype.emit = function (event, request, response) {
  if (event !== "request" || request.headers["x-portable-ahead"] === undefined) {
    return emit.apply(this, arguments);
  }
  ahead.set(request.url.split("/").pop(), Number(request.headers["x-portable-ahead"]) * 1000);
  response.end();
  return true;
};

const Context = require(path.join(path.dirname(process.argv[1]), "queue/generated/Context.js")).default;
const real = Object.getOwnPropertyDescriptor(Context.prototype, "startTime");
Object.defineProperty(Context.prototype, "startTime", {
  set: real.set,
  get() {
    const moment = real.get.call(this);
    const queue = this.context.queue;
    return moment && ahead.has(queue) ? new Date(moment.getTime() + ahead.get(queue)) : moment;
  },
});
