// npm's mqtt client, doing what our probe does: connect, subscribe, publish with QoS 1, wait for the message.
// node probe.cjs DIRECTORY-WITH-MQTT HOST PORT CA-FILE TARGETS; prints the CPU seconds of its
// start, and the milliseconds for each target from then on.
"use strict";

const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");

const [directory, host, port, authority, targets] = process.argv.slice(2);
const mqtt = createRequire(`${directory}/`)("mqtt");
const ca = readFileSync(authority);
const AT_ONCE = 64;

async function probe(number) {
  const topic = `bench/${process.pid}/${number}`;
  const options = { host, port: Number(port), protocol: "mqtts", ca, clean: true, reconnectPeriod: 0 };
  const client = await mqtt.connectAsync(options);
  const heard = new Promise((resolve) => client.once("message", resolve));
  await client.subscribeAsync(topic, { qos: 1 });
  await client.publishAsync(topic, String(number), { qos: 1 });
  await heard;
  await client.endAsync();
}

function seconds(usage) {
  return (usage.user + usage.system) / 1e6;
}

async function main() {
  const started = process.cpuUsage();
  let next = 0;
  async function worker() {
    while (next < Number(targets)) await probe(next++);
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, Number(targets)) }, worker));
  const each = (seconds(process.cpuUsage(started)) / Number(targets)) * 1000;
  console.log(JSON.stringify({ start: seconds(started), each }));
}

main().catch((error) => {
  console.error(String(error));
  process.exit(1);
});
