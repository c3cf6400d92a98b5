// kafkajs as anybody installs it. It ends when its standard input does.
//   node kafkajs.mjs BROKERS read TOPIC…          prints key, tab and value of each message, from the first on; GROUP
//   node kafkajs.mjs BROKERS write TOPIC VALUE    sends one message
import { Kafka, logLevel } from "kafkajs";

const [brokers, what, ...rest] = process.argv.slice(2);
const kafka = new Kafka({ clientId: "kafkajs", brokers: brokers.split(","), logLevel: logLevel.ERROR });

if (what === "write") {
  const [topic, value] = rest;
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic, messages: [{ value }] });
  await producer.disconnect();
} else {
  const consumer = kafka.consumer({ groupId: process.env.GROUP ?? `kafkajs-${process.pid}` });
  await consumer.connect();
  await consumer.subscribe({ topics: rest, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => console.log(`${message.key}\t${message.value}`),
  });
  process.stdin.resume().on("end", () => consumer.disconnect());
}
