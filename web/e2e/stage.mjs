// What most tests begin and end with: a broker, a program that is connected to it, and somebody who is logged in and looks every second.
import amqp from "amqplib";
import { Broker } from "./broker.mjs";
import { closeBrowser, logIn, openPage } from "./browser.mjs";

/** `prepare` is given the program's channel before anybody looks; `options` are the browser's. */
export async function setStage({ name, prepare = async () => {}, options } = {}) {
  const broker = await Broker.start();
  const connection = await amqp.connect(broker.amqp, name && { clientProperties: { connection_name: name } });
  const channel = await connection.createConfirmChannel();
  await prepare(channel);
  const page = await openPage(broker, options);
  await logIn(page, broker);
  await page.getByLabel("Refresh").selectOption("1");
  return { broker, connection, channel, page };
}

export async function clearStage({ broker, connection }) {
  // A test may have had it closed.
  await connection.close().catch(() => {});
  await closeBrowser();
  await broker.end();
}
