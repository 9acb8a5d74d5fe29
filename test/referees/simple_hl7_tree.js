// How simple-hl7 cuts messages: reads lines of JSON {id, text}, writes lines of JSON {id, segments} or {id, error}.
// segments: [[name, field, field, …], …]; a field is [[[subcomponent, …], …], …] by repetition and component, undecoded.
"use strict";
const readline = require("readline");
const { Parser } = require("simple-hl7");

function component(value) {
  const inner = value.value[0];
  return Array.isArray(inner) ? inner : [inner];
}

function repetition(components) {
  return components.map(component);
}

function field(value) {
  // A field that repeats holds one object for each repetition, any other its components.
  return Array.isArray(value.value[0]) ? [repetition(value.value[0])] : value.value.map((each) => repetition(each.value[0]));
}

const lines = readline.createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const { id, text } = JSON.parse(line);
  try {
    const message = new Parser().parse(text);
    const delimiters = message.header.delimiters;
    const encoding = delimiters.componentSeperator + delimiters.repititionCharacter + delimiters.escapeCharacter + delimiters.subcomponentSeperator;
    const header = [message.header.name, [[[delimiters.fieldSeperator]]], [[[encoding]]], ...message.header.fields.map(field)];
    const segments = message.segments.map((each) => [each.name, ...each.fields.map(field)]);
    console.log(JSON.stringify({ id, segments: [header, ...segments] }));
  } catch (error) {
    console.log(JSON.stringify({ id, error: String(error.message || error) }));
  }
});
