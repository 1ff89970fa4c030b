// Loaded before Azurite: what it does otherwise than the service that it stands for.
"use strict";

const path = require("path");

const BLOB = path.join(path.dirname(process.argv[1]), "blob");

// "The delimiter can be a single character or a string"; Azurite ends every BlobPrefix after one character.
// https://learn.microsoft.com/rest/api/storageservices/list-blobs#uri-parameters
const Page = require(path.join(BLOB, "persistence/PageWithDelimiter.js")).default;
const addPrefix = Page.prototype.addPrefix;
const add = Page.prototype.add;
Page.prototype.add = function (name, item) {
  this.nameBeingAdded = name;
  return add.call(this, name, item);
};
Page.prototype.addPrefix = function (prefix) {
  return addPrefix.call(this, this.nameBeingAdded.slice(0, prefix.length - 1 + this.delimiter.length));
};

// "Blob names that have characters that aren't valid in XML 1.0 (U+FFFE or U+FFFF)" come percent-encoded, and say so
// by the attribute Encoded; Azurite answers 500.
// https://learn.microsoft.com/rest/api/storageservices/list-blobs#response-body
const xml = require(path.join(BLOB, "generated/utils/xml.js"));
const stringifyXML = xml.stringifyXML;
xml.stringifyXML = (body, options) => stringifyXML(encoded(body), options);

function encoded(value) {
  if (typeof value === "string") {
    return /[\ufffe\uffff]/.test(value) ? { $: { Encoded: "true" }, _: encodeURIComponent(value) } : value;
  }
  if (Array.isArray(value)) {
    return value.map(encoded);
  }
  if (value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, encoded(entry)]));
  }
  return value;
}
