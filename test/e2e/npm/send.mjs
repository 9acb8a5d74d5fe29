// Sends messages with node-hl7-client, as a program of its users would: one connection, the next message when the answer to the last is there.
// Standard input: {"port": …, "tls": {…} or absent, "messages": ["MSH|…", …]}. Standard output: [{"code": …, "controlId": …, "text": …}, …].
import { readFileSync } from "node:fs";
import { Client, Message } from "node-hl7-client";

const { port, tls, messages } = JSON.parse(readFileSync(0, "utf8"));
const answers = [];
let answered;

const client = new Client({ host: "127.0.0.1", ...(tls ? { tls } : {}) });
const connection = client.createConnection({ port, waitAck: true }, async (response) => {
  const message = response.getMessage();
  answers.push({ code: message.get("MSA.1").toString(), controlId: message.get("MSA.2").toString(), text: message.toString() });
  answered();
});
connection.on("client.error", (error) => {
  console.error(String(error));
  process.exit(1);
});
connection.on("data.error", (error) => {
  console.error(`the client cannot read the answer: ${error}`);
  process.exit(1);
});
await new Promise((resolve) => connection.on("connect", resolve));
for (const text of messages) {
  const answer = new Promise((resolve) => (answered = resolve));
  await connection.sendMessage(new Message({ text }));
  await answer;
}
console.log(JSON.stringify(answers));
client.closeAll();
process.exit(0);
